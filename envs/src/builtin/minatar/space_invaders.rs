//! Space Invaders: a cannon against a marching block of aliens.

use super::grid::{Board, Cell, Heading, LAST, Planes, outcome};
use super::{Draws, Game, Move, Rules};
use crate::Step;
use serde::{Deserialize, Serialize};

const WAVE: Board = Board::block((2, 8), (0, 4));
const CANNON_START: i8 = 5;
const SHOT_WAIT_FRAMES: u8 = 5;
const ALIEN_SHOT_PERIOD_FRAMES: u8 = 10;
const MARCH_PERIOD_FRAMES: u8 = 12;
const MARCH_PERIOD_FASTEST_FRAMES: u8 = 6;

const CANNON: usize = 0;
const ALIEN: usize = 1;
const ALIEN_LEFT: usize = 2;
const ALIEN_RIGHT: usize = 3;
const FRIENDLY_BULLET: usize = 4;
const ENEMY_BULLET: usize = 5;

/// Reward 1 for each alien shot. The episode ends when an alien or its bullet reaches the cannon,
/// or when the aliens would march off the bottom. Few aliens march faster than many; with
/// ramping, so does each new wave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SpaceInvaders {
    cannon: i8,
    aliens: Board,
    heading: Heading,
    bullets: Board,
    bombs: Board,
    shot_wait: u8,
    march_period: u8,
    march_timer: u8,
    bomb_timer: u8,
    ramping: bool,
}

impl SpaceInvaders {
    fn cannon_cell(&self) -> Cell {
        (self.cannon, LAST)
    }

    fn steer(&mut self, action: Move) {
        match action {
            Move::Left => self.cannon = (self.cannon - 1).max(0),
            Move::Right => self.cannon = (self.cannon + 1).min(LAST),
            Move::Fire if self.shot_wait == 0 => {
                self.bullets.insert(self.cannon_cell());
                self.shot_wait = SHOT_WAIT_FRAMES;
            }
            _ => {}
        }
    }

    /// Moves the aliens on if it is time; returns whether they reached the bottom's edge.
    fn march(&mut self) -> bool {
        if self.march_timer > 0 {
            return false;
        }
        // At most 24 aliens, so the count fits.
        self.march_timer = (self.aliens.len() as u8).min(self.march_period);
        if !self.aliens.touches(self.heading) {
            self.aliens = self.aliens.sideways(self.heading);
            return false;
        }
        self.heading = self.heading.reversed();
        let landed = self.aliens.touches_bottom();
        self.aliens = self.aliens.down_around();
        landed
    }

    /// The alien that shoots: the lowest of the nearest column, the left one of two as near.
    fn gunner(&self) -> Option<Cell> {
        (0..=LAST)
            .flat_map(|distance| [self.cannon - distance, self.cannon + distance])
            .filter(|x| (0..=LAST).contains(x))
            .find_map(|x| self.aliens.lowest_in_column(x))
    }

    fn bomb(&mut self) {
        if self.bomb_timer > 0 {
            return;
        }
        self.bomb_timer = ALIEN_SHOT_PERIOD_FRAMES;
        if let Some(cell) = self.gunner() {
            self.bombs.insert(cell);
        }
    }

    fn send_next_wave(&mut self) {
        if self.ramping && self.march_period > MARCH_PERIOD_FASTEST_FRAMES {
            self.march_period -= 1;
        }
        self.aliens = WAVE;
    }
}

impl Game for SpaceInvaders {
    const NAME: &'static str = "SpaceInvaders";
    const CHANNELS: &'static [&'static str] =
        &["cannon", "alien", "alien_left", "alien_right", "friendly_bullet", "enemy_bullet"];
    const MINIMAL_ACTIONS: &'static [Move] = &[Move::Stay, Move::Left, Move::Right, Move::Fire];

    fn reset(&mut self, rules: Rules, _draws: &mut impl Draws) {
        *self = Self {
            cannon: CANNON_START,
            aliens: WAVE,
            heading: Heading::Left,
            bullets: Board::default(),
            bombs: Board::default(),
            shot_wait: 0,
            march_period: MARCH_PERIOD_FRAMES,
            march_timer: MARCH_PERIOD_FRAMES,
            bomb_timer: ALIEN_SHOT_PERIOD_FRAMES,
            ramping: rules.difficulty_ramping,
        };
    }

    fn act(&mut self, action: Move, _draws: &mut impl Draws) -> Step {
        self.steer(action);
        self.bullets = self.bullets.up();
        self.bombs = self.bombs.down();
        let cannon = self.cannon_cell();
        let mut lost = self.bombs.contains(cannon) || self.aliens.contains(cannon);
        lost |= self.march();
        lost |= self.aliens.contains(cannon);
        self.bomb();

        let shot = self.aliens.intersection(self.bullets);
        self.aliens = self.aliens.without(shot);
        self.bullets = self.bullets.without(shot);

        self.shot_wait = self.shot_wait.saturating_sub(1);
        self.march_timer = self.march_timer.saturating_sub(1);
        self.bomb_timer -= 1;
        if self.aliens.is_empty() {
            self.send_next_wave();
        }
        Step::new(shot.len() as f32, outcome(lost))
    }

    fn write_observation(&self, obs: &mut [u8]) {
        let mut planes = Planes::cleared(obs);
        planes.mark(CANNON, self.cannon_cell());
        planes.mark_board(ALIEN, self.aliens);
        let heading = match self.heading {
            Heading::Left => ALIEN_LEFT,
            Heading::Right => ALIEN_RIGHT,
        };
        planes.mark_board(heading, self.aliens);
        planes.mark_board(FRIENDLY_BULLET, self.bullets);
        planes.mark_board(ENEMY_BULLET, self.bombs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeedStream;

    #[test]
    fn waves_get_faster_down_to_every_sixth_step() {
        for (difficulty_ramping, expected) in [(true, [11, 10, 9, 8, 7, 6, 6, 6]), (false, [12; 8])]
        {
            let mut game = SpaceInvaders::default();
            game.reset(Rules { difficulty_ramping }, &mut SeedStream::root(0).rng());
            let periods = expected.map(|_| {
                // The last alien, with a bullet about to reach it. Alone it moves each step: not
                // in this one, while its timer runs.
                game.aliens = Board::block((2, 3), (3, 4));
                game.bullets = Board::block((2, 3), (4, 5));
                game.march_timer = 1;
                let step = game.act(Move::Stay, &mut SeedStream::root(0).rng());
                assert_eq!((step.reward, game.aliens), (1.0, WAVE));
                game.march_period
            });
            assert_eq!(periods, expected, "ramping {difficulty_ramping}");
        }
    }

    #[test]
    fn the_nearest_column_shoots_and_left_wins_a_tie() {
        // cannon, columns with aliens, the one that shoots
        let table: [(i8, &[i8], i8); 4] =
            [(5, &[4, 6], 4), (5, &[3, 6], 6), (0, &[2, 9], 2), (9, &[0], 0)];
        for (cannon, columns, expected) in table {
            let mut aliens = Board::default();
            for &column in columns {
                (1..3).for_each(|row| aliens.insert((column, row)));
            }
            let game = SpaceInvaders { cannon, aliens, ..SpaceInvaders::default() };
            assert_eq!(game.gunner(), Some((expected, 2)), "cannon {cannon}, aliens {columns:?}");
        }
    }
}
