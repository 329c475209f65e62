//! Breakout: a paddle, a ball on diagonals, three rows of bricks.

use super::grid::{Board, Cell, LAST, Planes, on_grid, outcome};
use super::{Draws, Game, Move, Rules};
use crate::Step;
use serde::{Deserialize, Serialize};

const WALL: Board = Board::block((0, 10), (1, 4));
const PADDLE_START: i8 = 4;
const BALL_START_ROW: i8 = 3;

const PADDLE: usize = 0;
const BALL: usize = 1;
const TRAIL: usize = 2;
const BRICK: usize = 3;

/// Reward 1 for each brick; the episode ends when the ball passes the paddle. A new wall comes
/// when the ball arrives at the paddle's row and no brick is left.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Breakout {
    paddle: i8,
    ball: Cell,
    /// Where the ball was before the last move.
    trail: Cell,
    /// Change of column and of row a move, each -1 or 1.
    velocity: (i8, i8),
    bricks: Board,
    /// The ball met a brick in its last move: it flies through the next one unharmed.
    in_wall: bool,
}

impl Breakout {
    /// Moves the ball; returns the bricks broken and whether the ball is lost.
    fn move_ball(&mut self) -> (u8, bool) {
        let from = self.ball;
        let mut to = (from.0 + self.velocity.0, from.1 + self.velocity.1);
        if !on_grid(to.0) {
            to.0 = to.0.clamp(0, LAST);
            self.velocity.0 = -self.velocity.0;
        }
        let (mut broken, mut lost) = (0, false);
        let mut meets_brick = false;
        if to.1 < 0 {
            to.1 = 0;
            self.velocity.1 = -self.velocity.1;
        } else if self.bricks.contains(to) {
            meets_brick = true;
            if !self.in_wall {
                broken = 1;
                self.bricks.remove(to);
                to.1 = from.1;
                self.velocity.1 = -self.velocity.1;
            }
        } else if to.1 == LAST {
            if self.bricks.is_empty() {
                self.bricks = WALL;
            }
            // From straight above, the ball is mirrored; reaching the paddle at its corner, it
            // goes back the way it came.
            let (above, corner) = (from.0 == self.paddle, to.0 == self.paddle);
            lost = !above && !corner;
            if !lost {
                to.1 = from.1;
                self.velocity.1 = -self.velocity.1;
            }
            if corner && !above {
                self.velocity.0 = -self.velocity.0;
            }
        }
        self.in_wall = meets_brick;
        (self.trail, self.ball) = (from, to);
        (broken, lost)
    }
}

impl Game for Breakout {
    const NAME: &'static str = "Breakout";
    const CHANNELS: &'static [&'static str] = &["paddle", "ball", "trail", "brick"];
    const MINIMAL_ACTIONS: &'static [Move] = &[Move::Stay, Move::Left, Move::Right];

    fn reset(&mut self, _rules: Rules, draws: &mut impl Draws) {
        let (column, dx) = if draws.below(2) == 0 { (0, 1) } else { (LAST, -1) };
        let ball = (column, BALL_START_ROW);
        *self = Self {
            paddle: PADDLE_START,
            ball,
            trail: ball,
            velocity: (dx, 1),
            bricks: WALL,
            in_wall: false,
        };
    }

    fn act(&mut self, action: Move, _draws: &mut impl Draws) -> Step {
        match action {
            Move::Left => self.paddle = (self.paddle - 1).max(0),
            Move::Right => self.paddle = (self.paddle + 1).min(LAST),
            _ => {}
        }
        let (broken, lost) = self.move_ball();
        Step::new(f32::from(broken), outcome(lost))
    }

    fn write_observation(&self, obs: &mut [u8]) {
        let mut planes = Planes::cleared(obs);
        planes.mark(PADDLE, (self.paddle, LAST));
        planes.mark(BALL, self.ball);
        planes.mark(TRAIL, self.trail);
        planes.mark_board(BRICK, self.bricks);
    }
}
