//! One episode: the grid, the agent in it, and what its actions do.

use super::Draws;
use super::cell::{Cell, Color, Kind};
use super::grid::{Grid, NOWHERE, STEPS, Spot, column_and_row, spot, walk};
use super::obstacles::Obstacles;
use crate::{Outcome, Step};
use serde::{Deserialize, Serialize};

/// What an agent can do, in the package's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Turn left.
    Left,
    /// Turn right.
    Right,
    /// Walk one cell.
    Forward,
    /// Pick up what is in front; at most one thing is carried.
    PickUp,
    /// Put what is carried in front.
    Drop,
    /// Open or close the door in front, unlock it with a key of its color, or break a box.
    Toggle,
    /// Declare the task done; it means something in `GoToDoor` and `GoToObject` only.
    Done,
}

impl Act {
    /// All, by index.
    pub const ALL: [Self; 7] = [
        Self::Left,
        Self::Right,
        Self::Forward,
        Self::PickUp,
        Self::Drop,
        Self::Toggle,
        Self::Done,
    ];
}

/// A kind of thing that a mission may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(usize)]
pub enum TargetObject {
    /// A door.
    Door,
    /// A key.
    Key,
    /// A ball.
    Ball,
    /// A box.
    Box,
    /// The goal square.
    Goal,
}

/// What an episode asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mission {
    /// The thing to reach, to pick up or to open.
    pub object: TargetObject,
    /// Its color; `None` where the published mission does not tell it and it varies.
    pub color: Option<Color>,
}

/// What ends an episode, besides goal squares, lava and time. Spots are where things lay at the
/// start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Task {
    /// Nothing else.
    ReachGoal,
    /// Nothing else, but walking into anything except the goal costs 1 and ends the episode.
    Avoid,
    /// Picking up what lies at this spot.
    PickUp(Spot),
    /// A toggle after which the door at this spot is open.
    Open(Spot),
    /// Saying `Done`, rewarded beside this spot; a toggle ends the episode without reward.
    StandBeside(Spot),
}

/// The state of an episode, less its generator.
#[derive(Clone)]
pub struct World {
    pub(super) grid: Grid,
    pub(super) agent: Spot,
    /// Index into [`STEPS`].
    pub(super) heading: usize,
    /// Empty if nothing is carried.
    pub(super) carried: Cell,
    pub(super) mission: Mission,
    pub(super) task: Task,
    pub(super) obstacles: Obstacles,
    pub(super) see_through_walls: bool,
    pub(super) elapsed_env_steps: u32,
    pub(super) max_env_steps: u32,
}

impl World {
    /// No episode yet.
    pub(super) fn new() -> Self {
        Self {
            grid: Grid::solid(),
            agent: spot(0, 0),
            heading: 0,
            carried: Cell::EMPTY,
            mission: Mission { object: TargetObject::Goal, color: None },
            task: Task::ReachGoal,
            obstacles: Obstacles::default(),
            see_through_walls: false,
            elapsed_env_steps: 0,
            max_env_steps: 1,
        }
    }

    /// Forgets the episode before; the grid is for the caller to clear.
    pub(super) fn restart(&mut self, max_env_steps: u32) {
        (self.agent, self.heading, self.carried) = (NOWHERE, 0, Cell::EMPTY);
        self.mission = Mission { object: TargetObject::Goal, color: None };
        (self.task, self.see_through_walls) = (Task::ReachGoal, false);
        self.obstacles = Obstacles::default();
        (self.elapsed_env_steps, self.max_env_steps) = (0, max_env_steps);
    }

    pub(super) fn front(&self) -> Spot {
        walk(self.agent, STEPS[self.heading], 1)
    }

    /// Plays one action.
    pub(super) fn step(&mut self, action: Act, draws: &mut dyn Draws) -> Step {
        self.elapsed_env_steps += 1;
        let front = self.front();
        let before = self.grid.at(front);
        if self.task == Task::Avoid {
            self.obstacles.wander(&mut self.grid, self.agent, draws);
        }
        let ending = match (self.act(action, front), self.task) {
            (Some(ending), _) => Some(ending),
            (None, task) => self.judge(task, action, front, before),
        };
        // A collision counts even if the agent comes to lie elsewhere; only a goal is harmless.
        let collides = self.task == Task::Avoid
            && action == Act::Forward
            && !before.is_empty()
            && !before.is(Kind::Goal);
        match ending {
            _ if collides => Step::new(-1.0, Outcome::Terminated),
            Some(Ending::Success) => Step::new(self.success_reward(), Outcome::Terminated),
            Some(Ending::Failure) => Step::new(0.0, Outcome::Terminated),
            None if self.elapsed_env_steps >= self.max_env_steps => {
                Step::new(0.0, Outcome::Truncated)
            }
            None => Step::new(0.0, Outcome::Continue),
        }
    }

    /// 1 less 0.9 times the share of the allowed steps that were taken.
    fn success_reward(&self) -> f32 {
        let share = f64::from(self.elapsed_env_steps) / f64::from(self.max_env_steps);
        (1.0 - 0.9 * share) as f32
    }

    /// What holds in every task.
    fn act(&mut self, action: Act, front: Spot) -> Option<Ending> {
        let there = self.grid.at(front);
        match action {
            Act::Left => self.heading = (self.heading + 3) % 4,
            Act::Right => self.heading = (self.heading + 1) % 4,
            Act::Forward if there.is_walkable() => {
                self.agent = front;
                return match there {
                    _ if there.is(Kind::Goal) => Some(Ending::Success),
                    _ if there.is(Kind::Lava) => Some(Ending::Failure),
                    _ => None,
                };
            }
            Act::PickUp if there.is_portable() && self.carried.is_empty() => {
                self.carried = there;
                self.grid.set(front, Cell::EMPTY);
            }
            Act::Drop if there.is_empty() => {
                self.grid.set(front, self.carried);
                self.carried = Cell::EMPTY;
            }
            Act::Toggle => self.toggle(front, there),
            _ => {}
        }
        None
    }

    fn toggle(&mut self, front: Spot, there: Cell) {
        let opens = self.carried.is(Kind::Key) && self.carried.color() == there.color();
        let after = match there {
            _ if there.is(Kind::OpenDoor) => there.become_kind(Kind::ClosedDoor),
            _ if there.is(Kind::ClosedDoor) => there.become_kind(Kind::OpenDoor),
            _ if there.is(Kind::LockedDoor) && opens => there.become_kind(Kind::OpenDoor),
            _ if there.is(Kind::Box) => Cell::EMPTY,
            _ => return,
        };
        self.grid.set(front, after);
        // The thing to pick up is gone; what is dropped in its place later is another.
        if there.is(Kind::Box) && self.task == Task::PickUp(front) {
            self.task = Task::PickUp(NOWHERE);
        }
    }

    /// What `task` makes of an action that neither goal nor lava ended. `before` was at `front`.
    fn judge(&self, task: Task, action: Act, front: Spot, before: Cell) -> Option<Ending> {
        let success = |is_success| if is_success { Ending::Success } else { Ending::Failure };
        match (task, action) {
            (Task::PickUp(target), Act::PickUp) => {
                let has_it =
                    front == target && before.is_portable() && self.grid.at(front).is_empty();
                has_it.then_some(Ending::Success)
            }
            (Task::Open(door), Act::Toggle) => {
                self.grid.at(door).is(Kind::OpenDoor).then_some(Ending::Success)
            }
            (Task::StandBeside(_), Act::Toggle) => Some(Ending::Failure),
            (Task::StandBeside(target), Act::Done) => {
                let beside = STEPS.into_iter().any(|step| walk(self.agent, step, 1) == target);
                Some(success(beside))
            }
            _ => None,
        }
    }

    /// Columns and rows.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.grid.width, self.grid.height)
    }

    /// Object, color and state of the cell in column `x` and row `y`, as observations show them.
    /// Outside the grid there is wall, as far as an agent can look.
    #[must_use]
    pub fn cell(&self, x: usize, y: usize) -> [u8; 3] {
        self.grid.at(spot(x, y)).shown()
    }

    /// Column and row of the agent, and its heading: 0 right, 1 down, 2 left, 3 up.
    #[must_use]
    pub fn agent(&self) -> (usize, usize, usize) {
        let (x, y) = column_and_row(self.agent);
        (x, y, self.heading)
    }

    /// Object, color and state of what is carried; object 1 if that is nothing.
    #[must_use]
    pub fn carried(&self) -> [u8; 3] {
        self.carried.shown()
    }

    /// What the episode asks for.
    #[must_use]
    pub fn mission(&self) -> Mission {
        self.mission
    }

    /// Steps after which the episode is truncated.
    #[must_use]
    pub fn max_env_steps(&self) -> u32 {
        self.max_env_steps
    }
}

enum Ending {
    Success,
    Failure,
}
