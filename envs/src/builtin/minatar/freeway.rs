//! Freeway: cross eight lanes of traffic, again and again, against the clock.

use super::grid::{Heading, LAST, Planes, outcome};
use super::{Draws, Game, Move, Rules};
use crate::Step;
use serde::{Deserialize, Serialize};

const LANES: usize = 8;
const CHICKEN_COLUMN: i8 = 4;
const CHICKEN_WAIT_FRAMES: u8 = 3;
/// Steps left at the start; the episode ends in the step that finds none left, the 2501st.
const EPISODE_FRAMES: u16 = 2500;
const SPEEDS: u32 = 5;

const CHICKEN: usize = 0;
const CAR: usize = 1;
/// The plane before that of the fastest trail: a car with period `p` leaves its trail in plane
/// `BEFORE_TRAILS + p`.
const BEFORE_TRAILS: usize = 1;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Car {
    x: i8,
    heading: Heading,
    /// 1 (fastest) to 5.
    period: u8,
    /// Frames before it moves on.
    wait: u8,
}

impl Car {
    fn drive(&mut self) {
        if self.wait > 0 {
            self.wait -= 1;
            return;
        }
        self.wait = self.period;
        self.x = (self.x + self.heading.dx()).rem_euclid(LAST + 1);
    }
}

/// Reward 1 for each crossing, after which the cars take new speeds; a car sends the chicken back
/// to the start. The chicken can move every third step. Ends after 2501 steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Freeway {
    /// Row of the chicken, 9 at the start.
    row: i8,
    wait: u8,
    frames_left: u16,
    /// Lane `i` is row `i + 1`.
    cars: [Car; LANES],
}

impl Freeway {
    /// Gives every car a new speed and direction and leaves it where it is.
    fn change_traffic(&mut self, draws: &mut impl Draws) {
        for car in &mut self.cars {
            car.period = draws.below(SPEEDS) as u8 + 1;
            car.wait = car.period;
        }
        for car in &mut self.cars {
            car.heading = if draws.chance(1.0 / 2.0) { Heading::Left } else { Heading::Right };
        }
    }

    fn walk(&mut self, action: Move) {
        let dy = match action {
            Move::Up => -1,
            Move::Down => 1,
            _ => return,
        };
        if self.wait == 0 {
            self.wait = CHICKEN_WAIT_FRAMES;
            self.row = (self.row + dy).clamp(0, LAST);
        }
    }

    fn drive_cars(&mut self) {
        for (lane_row, car) in (1..).zip(&mut self.cars) {
            // A car hits the chicken that runs into it, and the chicken that it runs into.
            let before = car.x;
            car.drive();
            if lane_row == self.row && (before == CHICKEN_COLUMN || car.x == CHICKEN_COLUMN) {
                self.row = LAST;
            }
        }
    }
}

impl Game for Freeway {
    const NAME: &'static str = "Freeway";
    const CHANNELS: &'static [&'static str] =
        &["chicken", "car", "speed1", "speed2", "speed3", "speed4", "speed5"];
    const MINIMAL_ACTIONS: &'static [Move] = &[Move::Stay, Move::Up, Move::Down];

    fn reset(&mut self, _rules: Rules, draws: &mut impl Draws) {
        *self = Self {
            row: LAST,
            wait: CHICKEN_WAIT_FRAMES,
            frames_left: EPISODE_FRAMES,
            cars: Default::default(),
        };
        self.change_traffic(draws);
    }

    fn act(&mut self, action: Move, draws: &mut impl Draws) -> Step {
        self.walk(action);
        let crossed = self.row == 0;
        if crossed {
            self.change_traffic(draws);
            self.row = LAST;
        }
        self.drive_cars();
        self.wait = self.wait.saturating_sub(1);
        let time_is_up = self.frames_left == 0;
        self.frames_left = self.frames_left.saturating_sub(1);
        Step::new(f32::from(u8::from(crossed)), outcome(time_is_up))
    }

    fn write_observation(&self, obs: &mut [u8]) {
        let mut planes = Planes::cleared(obs);
        planes.mark(CHICKEN, (CHICKEN_COLUMN, self.row));
        for (row, car) in (1..).zip(&self.cars) {
            planes.mark(CAR, (car.x, row));
            let behind = (car.x - car.heading.dx()).rem_euclid(LAST + 1);
            planes.mark(BEFORE_TRAILS + usize::from(car.period), (behind, row));
        }
    }
}
