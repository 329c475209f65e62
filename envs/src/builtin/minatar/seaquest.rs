//! Seaquest: a submarine that shoots fish and enemy submarines, picks up divers and must come up
//! for air.

use super::grid::{Cell, Heading, LAST, Planes, outcome};
use super::water::{Turn, Water};
use super::{Draws, Game, Move, Rules};
use crate::Step;
use serde::{Deserialize, Serialize};

const START: Cell = (5, 0);
/// Row 9, below, shows the gauges.
const DEEPEST: i8 = 8;
const OXYGEN_FULL: i32 = 200;
const DIVERS_FULL: i32 = 6;
const SHOT_WAIT_FRAMES: u8 = 5;
const ENEMY_SPAWN_PERIOD_FRAMES: u8 = 20;
const DIVER_SPAWN_PERIOD_FRAMES: u8 = 30;
const ENEMY_WAIT_FRAMES: u8 = 5;
const ENEMY_WAIT_FASTEST_FRAMES: u8 = 2;

// The other planes are those of the water.
const SUB_FRONT: usize = 0;
const SUB_BACK: usize = 1;
const OXYGEN_GAUGE: usize = 7;
const DIVER_GAUGE: usize = 8;
/// Cells of a full oxygen gauge, and points for it on surfacing with six divers.
const OXYGEN_GAUGE_CELLS: i32 = 10;
/// Where the diver gauge, which grows to the left, begins.
const DIVER_GAUGE_END: usize = 9;

/// Reward 1 for each enemy shot, and on surfacing with six divers 0 to 10 for the oxygen left.
/// The episode ends on contact with an enemy or its bullet, without oxygen, or on surfacing with
/// no diver. With ramping, each surfacing makes enemies more frequent and faster.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Seaquest {
    player: Cell,
    heading: Heading,
    at_surface: bool,
    oxygen: i32,
    /// Below 0 after surfacing with six divers: all leave, and then the one that every surfacing
    /// costs. Published behavior; from there surfacing is free until the count is 0 again.
    divers_aboard: i32,
    shot_wait: u8,
    water: Water,
    enemy_spawn_period: u8,
    enemy_spawn_timer: u8,
    diver_spawn_timer: u8,
    enemy_wait: u8,
    /// Whether the next surfacing also makes enemies faster: every second one does.
    ramp_speeds_up: bool,
    ramping: bool,
}

impl Seaquest {
    fn spawn(&mut self, draws: &mut impl Draws) {
        if self.enemy_spawn_timer == 0 {
            self.enemy_spawn_timer = self.enemy_spawn_period;
            self.water.spawn_enemy(self.enemy_wait, draws);
        }
        if self.diver_spawn_timer == 0 {
            self.diver_spawn_timer = DIVER_SPAWN_PERIOD_FRAMES;
            self.water.spawn_diver(draws);
        }
    }

    fn steer(&mut self, action: Move) {
        let (x, y) = self.player;
        match action {
            Move::Left => (self.player, self.heading) = (((x - 1).max(0), y), Heading::Left),
            Move::Right => (self.player, self.heading) = (((x + 1).min(LAST), y), Heading::Right),
            Move::Up => self.player.1 = (y - 1).max(0),
            Move::Down => self.player.1 = (y + 1).min(DEEPEST),
            Move::Fire if self.shot_wait == 0 => {
                self.water.fire(self.player, self.heading);
                self.shot_wait = SHOT_WAIT_FRAMES;
            }
            Move::Fire | Move::Stay => {}
        }
    }

    fn breathe(&mut self, turn: &mut Turn) {
        turn.lost |= self.oxygen <= 0;
        if self.player.1 > 0 {
            self.oxygen -= 1;
            self.at_surface = false;
        } else if !self.at_surface {
            if self.divers_aboard == 0 {
                turn.lost = true;
            } else {
                turn.points += self.surface();
            }
        }
    }

    /// Takes air for a diver, and puts a full load ashore; returns the points for that.
    fn surface(&mut self) -> i32 {
        let mut points = 0;
        self.at_surface = true;
        if self.divers_aboard == DIVERS_FULL {
            self.divers_aboard = 0;
            points = self.oxygen_cells();
        }
        self.divers_aboard -= 1;
        self.oxygen = OXYGEN_FULL;
        self.ramp();
        points
    }

    fn ramp(&mut self) {
        let (period, wait) = (self.enemy_spawn_period, self.enemy_wait);
        if !self.ramping || (period <= 1 && wait <= ENEMY_WAIT_FASTEST_FRAMES) {
            return;
        }
        if self.ramp_speeds_up {
            self.enemy_wait = (wait - 1).max(ENEMY_WAIT_FASTEST_FRAMES);
        }
        self.enemy_spawn_period = (period - 1).max(1);
        self.ramp_speeds_up = !self.ramp_speeds_up;
    }

    fn oxygen_cells(&self) -> i32 {
        self.oxygen.max(0) * OXYGEN_GAUGE_CELLS / OXYGEN_FULL
    }
}

impl Game for Seaquest {
    const NAME: &'static str = "Seaquest";
    const CHANNELS: &'static [&'static str] = &[
        "sub_front",
        "sub_back",
        "friendly_bullet",
        "trail",
        "enemy_bullet",
        "enemy_fish",
        "enemy_sub",
        "oxygen_gauge",
        "diver_gauge",
        "diver",
    ];
    const MINIMAL_ACTIONS: &'static [Move] = &Move::ALL;

    fn reset(&mut self, rules: Rules, _draws: &mut impl Draws) {
        *self = Self {
            player: START,
            at_surface: true,
            oxygen: OXYGEN_FULL,
            enemy_spawn_period: ENEMY_SPAWN_PERIOD_FRAMES,
            enemy_spawn_timer: ENEMY_SPAWN_PERIOD_FRAMES,
            diver_spawn_timer: DIVER_SPAWN_PERIOD_FRAMES,
            enemy_wait: ENEMY_WAIT_FRAMES,
            ramping: rules.difficulty_ramping,
            ..Self::default()
        };
    }

    fn act(&mut self, action: Move, draws: &mut impl Draws) -> Step {
        self.spawn(draws);
        self.steer(action);
        let mut turn = Turn {
            player: self.player,
            enemy_wait: self.enemy_wait,
            room: DIVERS_FULL - self.divers_aboard,
            boarded: 0,
            points: 0,
            lost: false,
        };
        self.water.advance(&mut turn);
        self.divers_aboard += turn.boarded;
        self.enemy_spawn_timer = self.enemy_spawn_timer.saturating_sub(1);
        self.diver_spawn_timer = self.diver_spawn_timer.saturating_sub(1);
        self.shot_wait = self.shot_wait.saturating_sub(1);
        self.breathe(&mut turn);
        Step::new(turn.points as f32, outcome(turn.lost))
    }

    fn write_observation(&self, obs: &mut [u8]) {
        let mut planes = Planes::cleared(obs);
        let (x, y) = self.player;
        planes.mark(SUB_FRONT, self.player);
        planes.mark(SUB_BACK, (x - self.heading.dx(), y));
        planes.mark_row(OXYGEN_GAUGE, 9, (0, self.oxygen_cells() as usize));
        let divers = self.divers_aboard.clamp(0, DIVERS_FULL) as usize;
        planes.mark_row(DIVER_GAUGE, 9, (DIVER_GAUGE_END - divers, DIVER_GAUGE_END));
        self.water.draw(&mut planes);
    }
}
