//! The rules and the picture of the jumping task, without the contract around them.

use crate::{Outcome, RgbFrame, Step};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Pixels along each side of the picture.
pub(super) const SIZE: usize = 60;
/// Columns and rows of the agent.
const AGENT: (usize, usize) = (5, 10);
/// Columns and rows of an obstacle.
const OBSTACLE: (usize, usize) = (9, 10);
/// Left edges that an obstacle may have. From 14 on there is room for the jump in front of it.
pub(super) const OBSTACLE_POSITIONS: RangeInclusive<usize> = 14..=47;
/// Rows of the picture below the ground.
pub(super) const FLOOR_HEIGHTS: RangeInclusive<usize> = 0..=40;
/// Where the agent touches the right edge of the picture and more: the episode is over.
const EXIT: usize = SIZE + 1 - AGENT.0;
/// The jump is a hat: 16 steps up, 16 down, one pixel each.
const JUMP_STEPS: usize = 32;
/// Columns from where the only good jump begins to the obstacle. The agent is above the 13 columns
/// in which it would touch the obstacle in steps 10 to 22, just those in which it is 10 high.
pub(super) const JUMP_DISTANCE: usize = 14;
/// Index of the action that jumps; the other walks.
pub(super) const JUMP: usize = 1;

const WHITE: u8 = 255;
/// The package has 0.5 of 1.
const HALF: u8 = 128;

/// What an obstacle looks like and does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Obstacle {
    /// Ends the episode; the picture has one plane.
    Grey,
    /// Ends the episode; the picture has three planes.
    Red,
    /// Pays for walking into it and lets the agent through; the picture has three planes.
    Green,
}

impl Obstacle {
    /// Brightness in each plane.
    fn levels(self) -> &'static [u8] {
        match self {
            Self::Grey => &[HALF],
            Self::Red => &[HALF, 0, 0],
            Self::Green => &[0, HALF, 0],
        }
    }

    pub(super) fn planes(self) -> usize {
        self.levels().len()
    }

    fn rgb(self) -> [u8; 3] {
        match self {
            Self::Grey => [HALF; 3],
            Self::Red => [HALF, 0, 0],
            Self::Green => [0, HALF, 0],
        }
    }
}

/// Lengths are in pixels, positions those of lower left corners, from the lower left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Episode {
    obstacle: Obstacle,
    obstacle_position: usize,
    floor_height: usize,
    x: usize,
    /// Steps since the jump began, 0 on the ground.
    air_steps: usize,
    touched: bool,
    pub(super) outcome: Outcome,
}

impl Episode {
    /// The agent stands at the left edge.
    pub(super) fn start(obstacle: Obstacle, obstacle_position: usize, floor_height: usize) -> Self {
        let (x, air_steps, touched) = (0, 0, false);
        let outcome = Outcome::Continue;
        Self { obstacle, obstacle_position, floor_height, x, air_steps, touched, outcome }
    }

    /// Why this cannot be the state of an episode whose picture has `planes` planes.
    pub(super) fn fault(&self, planes: usize) -> Option<String> {
        let faults = [
            (self.obstacle.planes() != planes, "obstacle color"),
            (!OBSTACLE_POSITIONS.contains(&self.obstacle_position), "obstacle position"),
            (!FLOOR_HEIGHTS.contains(&self.floor_height), "floor height"),
            (self.x > EXIT, "agent position"),
            (self.air_steps >= JUMP_STEPS, "number of steps in the air"),
        ];
        let (_, what) = faults.into_iter().find(|(is_wrong, _)| *is_wrong)?;
        Some(format!("its {what} is out of bounds: {self:?}"))
    }

    /// Height of the agent above the ground.
    pub(super) fn height(&self) -> usize {
        self.air_steps.min(JUMP_STEPS - self.air_steps)
    }

    /// The best action: a jump in the one column that clears the obstacle.
    pub(super) fn optimal_action(&self) -> usize {
        let jumps = self.obstacle != Obstacle::Green
            && self.x == self.obstacle_position.saturating_sub(JUMP_DISTANCE);
        if jumps { JUMP } else { 0 }
    }

    /// One pixel to the right, and up or down in a jump. In the air the action means nothing.
    pub(super) fn advance(&mut self, action: usize) -> Step {
        self.x += 1;
        if self.air_steps > 0 || action == JUMP {
            self.air_steps = (self.air_steps + 1) % JUMP_STEPS;
        }
        let is_new_touch = self.touches_obstacle() && !self.touched;
        self.touched |= is_new_touch;
        let has_exited = self.x >= EXIT;
        let is_green = self.obstacle == Obstacle::Green;
        if has_exited || (is_new_touch && !is_green) {
            self.outcome = Outcome::Terminated;
        }
        let reward = match (is_new_touch, has_exited) {
            (true, _) if is_green && self.height() == 0 => 99.0, // -1 + 100
            (true, _) => -1.0,
            (false, true) => 101.0, // the last pixel and 100
            (false, false) => 1.0,
        };
        Step::new(reward, self.outcome)
    }

    fn touches_obstacle(&self) -> bool {
        let is_beside = self.x < self.obstacle_position + OBSTACLE.0
            && self.obstacle_position < self.x + AGENT.0;
        is_beside && self.height() < OBSTACLE.1
    }

    /// Writes the picture, `[planes, 60, 60]`; row 0 is the lowest.
    pub(super) fn observe(&self, obs: &mut [u8]) {
        for (plane, level) in obs.chunks_exact_mut(SIZE * SIZE).zip(self.obstacle.levels()) {
            self.observe_plane(plane, *level);
        }
    }

    fn observe_plane(&self, plane: &mut [u8], obstacle_level: u8) {
        plane.fill(0);
        fill(plane, (self.x, self.floor_height + self.height()), AGENT, WHITE);
        let obstacle_corner = (self.obstacle_position, self.floor_height);
        fill(plane, obstacle_corner, OBSTACLE, obstacle_level);
        // Ground and frame lie on top of both.
        for row in [0, self.floor_height, SIZE - 1] {
            fill(plane, (0, row), (SIZE, 1), WHITE);
        }
        for row in plane.chunks_exact_mut(SIZE) {
            (row[0], row[SIZE - 1]) = (WHITE, WHITE);
        }
    }

    /// Draws the picture upright, 8 pixels a pixel: black, a white agent, a white ground.
    pub(super) fn draw(&self, frame: &mut RgbFrame) {
        const ZOOM: usize = 8;
        frame.fill(ZOOM * SIZE, ZOOM * SIZE, [0; 3]);
        let mut block = |(x, y): (usize, usize), (width, height): (usize, usize), color| {
            let px = |length: usize| (ZOOM * length) as i64;
            // The row above the block, from the top; what reaches over an edge is cut.
            let (top, bottom) = (px(SIZE) - px(y + height), px(SIZE) - px(y));
            frame.rect((px(x), top), (px(x + width), bottom), color);
        };
        block((0, self.floor_height), (SIZE, 1), [WHITE; 3]);
        block((self.x, self.floor_height + self.height()), AGENT, [WHITE; 3]);
        block((self.obstacle_position, self.floor_height), OBSTACLE, self.obstacle.rgb());
    }
}

/// Fills a rectangle of a plane, as far as it lies in the picture.
fn fill(plane: &mut [u8], (x, y): (usize, usize), (width, height): (usize, usize), level: u8) {
    let columns = x.min(SIZE)..(x + width).min(SIZE);
    for row in plane.chunks_exact_mut(SIZE).skip(y).take(height) {
        row[columns.clone()].fill(level);
    }
}
