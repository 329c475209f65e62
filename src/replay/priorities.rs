//! Priorities of transitions, slot by slot.

use super::sum_tree::SumTree;
use contrail_envs::Prng;
use rand::RngExt;
use std::collections::TryReserveError;

/// What is drawn in proportion: `(|td_error| + epsilon) ^ exponent` of every sampleable
/// transition, 0 for every other slot.
#[derive(Debug)]
pub(super) struct Priorities {
    exponent: f64,
    epsilon: f64,
    /// Largest value any transition had so far, which new transitions get; 1 at first.
    pub(super) largest: f64,
    pub(super) tree: SumTree,
}

impl Priorities {
    pub(super) fn allocate(
        capacity: usize,
        exponent: f64,
        epsilon: f64,
    ) -> Result<Self, TryReserveError> {
        Ok(Self { exponent, epsilon, largest: 1.0, tree: SumTree::new(capacity)? })
    }

    /// Forgets all transitions and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.largest = 1.0;
        let Ok(()) = self.tree.refill(0, |_| Ok::<(), std::convert::Infallible>(()));
    }

    /// A transition became sampleable.
    pub(super) fn add(&mut self, slot: usize) {
        self.tree.set(slot, self.largest);
    }

    /// A transition was overwritten.
    pub(super) fn remove(&mut self, slot: usize) {
        self.tree.set(slot, 0.0);
    }

    pub(super) fn update(&mut self, slot: usize, td_error: f32) {
        let value = (f64::from(td_error).abs() + self.epsilon).powf(self.exponent);
        self.largest = self.largest.max(value);
        self.tree.set(slot, value);
    }

    /// One slot from each of `batch_size` equal segments of the total.
    #[expect(clippy::cast_possible_truncation, reason = "at most u32::MAX slots")]
    pub(super) fn draw(&self, batch_size: usize, rng: &mut Prng) -> Vec<u32> {
        let segment = self.tree.total() / batch_size as f64;
        let positions = (0..batch_size).map(|index| (index as f64 + rng.random::<f64>()) * segment);
        self.tree.find_each(positions).into_iter().map(|slot| slot as u32).collect()
    }

    /// Priorities of `slots`, relative to the mean of `sampleable` transitions if it is given.
    pub(super) fn relative(
        &self,
        slots: &[u32],
        sampleable: Option<usize>,
    ) -> impl Iterator<Item = f64> {
        let mean = sampleable.map_or(1.0, |count| self.tree.total() / count as f64);
        slots.iter().map(move |slot| self.tree.get(*slot as usize) / mean)
    }
}
