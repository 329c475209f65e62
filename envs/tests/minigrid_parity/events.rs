//! Counts of what happened, so that a comparison of nothing cannot pass.

use contrail_envs::builtin::minigrid::World;
use contrail_envs::{Outcome, Step};

const PICKUP: u8 = 3;
const DROP: u8 = 4;
const TOGGLE: u8 = 5;
const DONE: u8 = 6;

/// How often what happened.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) steps: usize,
    pub(super) episodes: usize,
    pub(super) pickups: usize,
    pub(super) drops: usize,
    pub(super) doors_opened: usize,
    pub(super) doors_unlocked: usize,
    pub(super) doors_closed: usize,
    pub(super) boxes_broken: usize,
    /// Something to carry in front, but the agent carries something.
    pub(super) refused_pickups: usize,
    pub(super) successes: usize,
    pub(super) deaths_in_lava: usize,
    pub(super) collisions: usize,
    /// Ends without reward that are no death in lava: a wrong `done`, a toggle.
    pub(super) failures: usize,
    pub(super) truncations: usize,
    pub(super) hidden_cells: usize,
}

/// The cell in front of the agent.
fn in_front(world: &World) -> [u8; 3] {
    let (x, y, heading) = world.agent();
    let (dx, dy) = [(1, 0), (0, 1), (-1, 0), (0, -1)][heading];
    world.cell(x.wrapping_add_signed(dx), y.wrapping_add_signed(dy))
}

impl Events {
    pub(super) fn count(&mut self, action: u8, step: Step, before: &World, after: &World) {
        let has = |world: &World| world.carried()[0] != 1;
        self.steps += 1;
        self.pickups += usize::from(!has(before) && has(after));
        let portable = (5..=7).contains(&in_front(before)[0]);
        self.refused_pickups += usize::from(action == PICKUP && has(before) && portable);
        self.drops += usize::from(action == DROP && has(before) && !has(after));
        if action == TOGGLE {
            let ([object, _, state], [_, _, new_state]) = (in_front(before), in_front(after));
            self.doors_opened += usize::from(object == 4 && state == 1 && new_state == 0);
            self.doors_unlocked += usize::from(object == 4 && state == 2 && new_state == 0);
            self.doors_closed += usize::from(object == 4 && state == 0 && new_state == 1);
            self.boxes_broken += usize::from(object == 7);
        }
        let (x, y, _) = after.agent();
        match step.outcome {
            Outcome::Continue => return,
            Outcome::Truncated => self.truncations += 1,
            Outcome::Terminated if step.reward > 0.0 => self.successes += 1,
            Outcome::Terminated if step.reward < 0.0 => self.collisions += 1,
            Outcome::Terminated if after.cell(x, y)[0] == 9 => self.deaths_in_lava += 1,
            Outcome::Terminated => {
                assert!(action == DONE || action == TOGGLE, "{action} ended an episode");
                self.failures += 1;
            }
        }
        self.episodes += 1;
    }
}
