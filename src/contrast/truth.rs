//! What is known of negatives where the stored actions are an expert's: whether it acts alike.

use super::store::Stores;
use super::table::Spot;
use crate::memory::Place;
use contrail_agents::ActionBatch;
use contrail_envs::{ActionSpace, Outcome};

/// Whether the same actions followed two observations for `env_steps`, or until both episodes
/// terminate. None where that cannot be told: what followed is not played yet or no longer stored,
/// or the episode was truncated and nobody acted any more.
pub(super) fn acts_alike(
    stores: &Stores,
    (a, b): (&Spot, &Spot),
    env_steps: usize,
) -> Option<bool> {
    let ((a, a_terminates), (b, b_terminates)) =
        (known(stores, a, env_steps), known(stores, b, env_steps));
    let both = a.len().min(b.len());
    if a[..both] != b[..both] {
        return Some(false);
    }
    match a.len().cmp(&b.len()) {
        std::cmp::Ordering::Equal if both == env_steps || (a_terminates && b_terminates) => {
            Some(true)
        }
        std::cmp::Ordering::Less if a_terminates => Some(false),
        std::cmp::Ordering::Greater if b_terminates => Some(false),
        _ => None,
    }
}

/// The actions that followed an observation, up to `env_steps` of them, and whether the episode
/// terminated after them.
fn known(stores: &Stores, spot: &Spot, env_steps: usize) -> (Vec<ActionBatch>, bool) {
    let store = stores.of(spot.store);
    let (mut actions, mut place) = (Vec::with_capacity(env_steps), spot.place);
    while let Some(view) = store.view(place.segment) {
        for position in place.position..view.len() {
            if actions.len() == env_steps {
                return (actions, false);
            }
            let mut action = match store.config().action {
                ActionSpace::Discrete(_) => ActionBatch::Discrete(Vec::new()),
                ActionSpace::Box { .. } => ActionBatch::Box(Vec::new()),
            };
            store.push_action(Place { position, ..place }, &mut action);
            actions.push(action);
        }
        if view.outcome == Outcome::Terminated {
            return (actions, true);
        }
        let Some(next) = store.find(view.episode, view.index + 1) else { break };
        place = Place { segment: next, position: 0 };
    }
    (actions, false)
}
