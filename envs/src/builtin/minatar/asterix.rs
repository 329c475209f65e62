//! Asterix: treasure and enemies cross eight lanes; collect the one, avoid the other.

use super::grid::{Cell, Heading, LAST, Planes, on_grid, outcome};
use super::{Draws, Game, Move, Rules};
use crate::Step;
use serde::{Deserialize, Serialize};

const LANES: usize = 8;
const PLAYER_START: Cell = (5, 5);
/// The timer counts through 0 to -1 and the step after that changes the difficulty, so that a
/// change comes every 102nd step.
const RAMP_TIMER_FRAMES: i8 = 100;
const SPAWN_PERIOD_FRAMES: i8 = 10;
const MOVE_PERIOD_FRAMES: i8 = 5;

const PLAYER: usize = 0;
const ENEMY: usize = 1;
const TRAIL: usize = 2;
const GOLD: usize = 3;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Traveller {
    x: i8,
    heading: Heading,
    is_gold: bool,
}

/// Reward 1 for each treasure; the episode ends on contact with an enemy. With ramping, what
/// comes in comes more often and moves faster as time goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Asterix {
    /// Row 1 to 8: always in a lane.
    player: Cell,
    /// At most one traveller a lane; lane `i` is row `i + 1`.
    lanes: [Option<Traveller>; LANES],
    spawn_period: i8,
    spawn_timer: i8,
    move_period: i8,
    move_timer: i8,
    ramp_timer: i8,
    /// Whether the next change of difficulty also makes travellers faster: every second one does.
    ramp_speeds_up: bool,
    ramping: bool,
}

impl Asterix {
    fn spawn(&mut self, draws: &mut impl Draws) {
        let heading = if draws.chance(1.0 / 2.0) { Heading::Right } else { Heading::Left };
        let is_gold = draws.chance(1.0 / 3.0);
        let free = self.lanes.iter().filter(|lane| lane.is_none()).count();
        if free == 0 {
            return;
        }
        let pick = draws.below(free as u32) as usize;
        if let Some(lane) = self.lanes.iter_mut().filter(|lane| lane.is_none()).nth(pick) {
            *lane = Some(Traveller { x: heading.entry(), heading, is_gold });
        }
    }

    fn walk(&mut self, action: Move) {
        let (x, y) = self.player;
        self.player = match action {
            Move::Left => ((x - 1).max(0), y),
            Move::Right => ((x + 1).min(LAST), y),
            Move::Up => (x, (y - 1).max(1)),
            Move::Down => (x, (y + 1).min(LANES as i8)),
            Move::Stay | Move::Fire => self.player,
        };
    }

    /// Meets whatever is in the player's cell: treasure taken, and whether it was an enemy. Only
    /// the player's own lane can hold it.
    fn contact(&mut self) -> (u8, bool) {
        let lane = &mut self.lanes[self.player.1 as usize - 1];
        match lane {
            Some(met) if met.x == self.player.0 => {
                let is_gold = met.is_gold;
                if is_gold {
                    *lane = None;
                }
                (u8::from(is_gold), !is_gold)
            }
            _ => (0, false),
        }
    }

    fn move_travellers(&mut self) {
        for lane in &mut self.lanes {
            if let Some(traveller) = lane {
                traveller.x += traveller.heading.dx();
                if !on_grid(traveller.x) {
                    *lane = None;
                }
            }
        }
    }

    fn ramp(&mut self) {
        if !self.ramping || (self.spawn_period <= 1 && self.move_period <= 1) {
            return;
        }
        if self.ramp_timer >= 0 {
            self.ramp_timer -= 1;
            return;
        }
        if self.ramp_speeds_up {
            self.move_period = (self.move_period - 1).max(1);
        }
        self.spawn_period = (self.spawn_period - 1).max(1);
        self.ramp_speeds_up = !self.ramp_speeds_up;
        self.ramp_timer = RAMP_TIMER_FRAMES;
    }
}

impl Game for Asterix {
    const NAME: &'static str = "Asterix";
    const CHANNELS: &'static [&'static str] = &["player", "enemy", "trail", "gold"];
    const MINIMAL_ACTIONS: &'static [Move] =
        &[Move::Stay, Move::Left, Move::Up, Move::Right, Move::Down];

    fn reset(&mut self, rules: Rules, _draws: &mut impl Draws) {
        *self = Self {
            player: PLAYER_START,
            lanes: [None; LANES],
            spawn_period: SPAWN_PERIOD_FRAMES,
            spawn_timer: SPAWN_PERIOD_FRAMES,
            move_period: MOVE_PERIOD_FRAMES,
            move_timer: MOVE_PERIOD_FRAMES,
            ramp_timer: RAMP_TIMER_FRAMES,
            ramp_speeds_up: false,
            ramping: rules.difficulty_ramping,
        };
    }

    fn act(&mut self, action: Move, draws: &mut impl Draws) -> Step {
        if self.spawn_timer == 0 {
            self.spawn(draws);
            self.spawn_timer = self.spawn_period;
        }
        self.walk(action);
        let (mut treasure, mut caught) = self.contact();
        if self.move_timer == 0 {
            self.move_timer = self.move_period;
            self.move_travellers();
            let met = self.contact();
            treasure += met.0;
            caught |= met.1;
        }
        self.spawn_timer -= 1;
        self.move_timer -= 1;
        self.ramp();
        Step::new(f32::from(treasure), outcome(caught))
    }

    fn write_observation(&self, obs: &mut [u8]) {
        let mut planes = Planes::cleared(obs);
        planes.mark(PLAYER, self.player);
        for (row, traveller) in (1..).zip(&self.lanes) {
            let Some(Traveller { x, heading, is_gold }) = *traveller else {
                continue;
            };
            planes.mark(if is_gold { GOLD } else { ENEMY }, (x, row));
            planes.mark(TRAIL, (x - heading.dx(), row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeedStream;

    #[test]
    fn difficulty_ramps_every_102_steps_to_its_end() {
        // steps played, steps between arrivals, steps between moves
        let table = [
            (0, 10, 5),
            (101, 10, 5),
            (102, 9, 5),
            (204, 8, 4),
            (306, 7, 4),
            (918, 1, 1),
            (2000, 1, 1),
        ];
        for (steps, spawn_period, move_period) in table {
            let mut draws = SeedStream::root(0).rng();
            let [ramping, level] = [true, false].map(|difficulty_ramping| {
                let mut game = Asterix::default();
                game.reset(Rules { difficulty_ramping }, &mut draws);
                // The ramp goes on after contact with an enemy, which is of no interest here.
                (0..steps).for_each(|_| {
                    game.act(Move::Stay, &mut draws);
                });
                (game.spawn_period, game.move_period)
            });
            assert_eq!(ramping, (spawn_period, move_period), "after {steps} steps");
            assert_eq!(level, (10, 5), "after {steps} steps without ramping");
        }
    }
}
