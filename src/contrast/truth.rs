//! What is known of negatives where the stored actions are an expert's: whether it acts alike.

use super::store::Stores;
use super::table::Spot;
use crate::memory::Place;
use contrail_agents::ActionBatch;
use contrail_envs::ActionSpace;

/// Whether the same actions followed two observations for `env_steps`, or until both episodes end.
pub(super) fn acts_alike(stores: &Stores, (a, b): (&Spot, &Spot), env_steps: usize) -> bool {
    (0..env_steps).all(|ahead| action(stores, a, ahead) == action(stores, b, ahead))
}

/// The action `ahead` env steps after an observation; none where it is not stored.
fn action(stores: &Stores, spot: &Spot, ahead: usize) -> Option<ActionBatch> {
    let store = stores.of(spot.store);
    let Place { segment, position } = spot.place;
    let within = store.view(segment).is_some_and(|view| position + ahead < view.len());
    let place = if within {
        Place { segment, position: position + ahead }
    } else {
        store.neighbor(spot.place, i64::try_from(ahead).ok()?)?
    };
    if place.position >= store.view(place.segment)?.len() {
        return None;
    }
    let mut action = match store.config().action {
        ActionSpace::Discrete(_) => ActionBatch::Discrete(Vec::new()),
        ActionSpace::Box { .. } => ActionBatch::Box(Vec::new()),
    };
    store.push_action(place, &mut action);
    Some(action)
}
