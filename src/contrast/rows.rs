//! Observations of a batch, each once.

use super::store::{Store, Stores};
use super::table::Spot;
use contrail_agents::{ActionBatch, ObsBatch};
use contrail_envs::{ActionSpace, Dtype};
use std::collections::HashMap;

/// Observations that were given a number. Equal ones, by hash, have the same.
#[derive(Debug, Default)]
pub(super) struct Rows {
    spots: Vec<Spot>,
    known: HashMap<u64, usize>,
}

impl Rows {
    /// Number of an observation.
    pub(super) fn number(&mut self, spot: &Spot) -> usize {
        *self.known.entry(spot.hash).or_insert_with(|| {
            self.spots.push(*spot);
            self.spots.len() - 1
        })
    }

    /// `[N, obs...]`, and the row of each number: those of the memory first, so that each store is
    /// copied from once.
    pub(super) fn gather(&self, stores: &Stores) -> (ObsBatch, Vec<i64>) {
        let (mut rows, mut next) = (vec![0; self.spots.len()], 0);
        let mut obs = match stores.memory.config().obs.dtype {
            Dtype::F32 => ObsBatch::F32(Vec::new()),
            Dtype::U8 => ObsBatch::U8(Vec::new()),
        };
        for store in Store::BOTH {
            let mut places = Vec::with_capacity(self.spots.len());
            for (number, spot) in self.spots.iter().enumerate().filter(|(_, s)| s.store == store) {
                rows[number] = next as i64;
                next += 1;
                places.push(spot.place);
            }
            stores.of(store).gather_places(&places, &mut obs);
        }
        (obs, rows)
    }
}

/// Actions, rewards and continuations after the anchors, which an action followed.
pub(super) fn followed(stores: &Stores, anchors: &[Spot]) -> (ActionBatch, Vec<f32>, Vec<f32>) {
    let mut actions = match &stores.memory.config().action {
        ActionSpace::Discrete(_) => ActionBatch::Discrete(Vec::with_capacity(anchors.len())),
        ActionSpace::Box { .. } => ActionBatch::Box(Vec::new()),
    };
    let (mut rewards, mut continues) = (Vec::new(), Vec::new());
    for spot in anchors {
        let store = stores.of(spot.store);
        store.push_action(spot.place, &mut actions);
        let Some(view) = store.view(spot.place.segment) else { continue };
        rewards.push(view.rewards[spot.place.position]);
        let last = spot.place.position + 1 == view.len();
        let terminated = last && view.outcome == contrail_envs::Outcome::Terminated;
        continues.push(if terminated { 0.0 } else { 1.0 });
    }
    (actions, rewards, continues)
}
