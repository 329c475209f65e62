//! Where actors find the newest policy.

use crate::message::PolicySnapshot;
use parking_lot::RwLock;
use std::sync::Arc;

/// Holds the newest snapshot; publishing replaces it, reading never waits for a copy.
#[derive(Debug)]
pub struct SnapshotCell(RwLock<Arc<PolicySnapshot>>);

impl SnapshotCell {
    /// A cell that holds `first`.
    #[must_use]
    pub fn new(first: PolicySnapshot) -> Self {
        Self(RwLock::new(Arc::new(first)))
    }

    /// Replaces the snapshot.
    pub fn publish(&self, snapshot: PolicySnapshot) {
        let snapshot = Arc::new(snapshot);
        *self.0.write() = snapshot;
    }

    /// The newest snapshot.
    #[must_use]
    pub fn latest(&self) -> Arc<PolicySnapshot> {
        Arc::clone(&self.0.read())
    }
}
