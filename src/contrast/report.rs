//! What the curves need to know of a batch.

use contrail_agents::ContrastBatch;
use serde::{Deserialize, Serialize};

/// About one batch. Shares are 0 to 1; of nothing, 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContrastReport {
    /// N: observations to encode.
    pub observations: usize,
    /// Different observations among the candidates for negatives.
    pub distinct_candidates: usize,
    /// Of all pairs of an anchor and a candidate: those masked because the candidate is the
    /// anchor's or a positive's observation.
    pub identical_share: f64,
    /// The same: because it is of the same episode, a few env steps away.
    pub near_share: f64,
    /// The same: because of a behavioral distance of at most delta.
    pub alike_share: f64,
    /// Negatives that are missing, of B·K.
    pub missing_negatives_share: f64,
    /// Anchors and candidates that no teacher has read.
    pub unread_share: f64,
    /// Versions (learner updates) by which the others' readings are older than the newest, mean.
    pub reading_age_versions: f64,
    /// Pairs of random observations that are different and have the same code, of all pairs of
    /// different ones.
    pub code_collision_share: f64,
    /// Token groups that a negative and its anchor have in common, mean.
    pub negative_equal_groups: f64,
    /// Share of the negatives that an expert treats like the anchor, of those of which that is
    /// known; where the actions are an expert's, none elsewhere.
    pub false_negative_share: Option<f64>,
}

impl ContrastReport {
    /// Names and values for the curves.
    #[must_use]
    pub fn curves(&self) -> Vec<(&'static str, f64)> {
        let mut curves = vec![
            ("aux/observations", self.observations as f64),
            ("aux/distinct_candidates", self.distinct_candidates as f64),
            ("aux/identical_share", self.identical_share),
            ("aux/near_share", self.near_share),
            ("aux/alike_share", self.alike_share),
            ("aux/missing_negatives_share", self.missing_negatives_share),
            ("aux/unread_share", self.unread_share),
            ("aux/reading_age_versions", self.reading_age_versions),
            ("aux/code_collision_share", self.code_collision_share),
            ("aux/negative_equal_groups", self.negative_equal_groups),
        ];
        curves.extend(self.false_negative_share.map(|share| ("aux/false_negative_share", share)));
        curves
    }
}

/// Counts that become a report.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) candidates: usize,
    pub(super) identical: usize,
    pub(super) near: usize,
    pub(super) alike: usize,
    pub(super) negatives: usize,
    /// Negatives of which it is known what an expert did, and those that it treats alike.
    pub(super) judged: usize,
    pub(super) false_negatives: usize,
    pub(super) equal_groups: usize,
    pub(super) spots: usize,
    pub(super) unread: usize,
    pub(super) age: u64,
    pub(super) pairs: usize,
    pub(super) collisions: usize,
}

pub(super) fn share(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

impl Tally {
    /// The shares; the counts of observations and candidates are the caller's.
    pub(super) fn report(&self, wanted_negatives: usize, expert: bool) -> ContrastReport {
        let missing = wanted_negatives.saturating_sub(self.negatives);
        let read = self.spots - self.unread;
        ContrastReport {
            observations: 0,
            distinct_candidates: 0,
            identical_share: share(self.identical, self.candidates),
            near_share: share(self.near, self.candidates),
            alike_share: share(self.alike, self.candidates),
            missing_negatives_share: share(missing, wanted_negatives),
            unread_share: share(self.unread, self.spots),
            reading_age_versions: if read == 0 { 0.0 } else { self.age as f64 / read as f64 },
            code_collision_share: share(self.collisions, self.pairs),
            negative_equal_groups: share(self.equal_groups, self.negatives),
            false_negative_share: (expert && self.judged > 0)
                .then(|| share(self.false_negatives, self.judged)),
        }
    }
}

/// Share of negatives that are of their anchor's own class, by a truth that only an experiment with
/// planted classes knows: `classes` has one for each row of the batch's observations. 0 without
/// negatives.
///
/// # Panics
/// If a row has no class: a bug of the caller.
#[must_use]
pub fn false_negative_share(batch: &ContrastBatch, classes: &[u32]) -> f64 {
    let class = |row: i64| {
        let class = usize::try_from(row).ok().and_then(|row| classes.get(row));
        assert!(class.is_some(), "row {row} has no class");
        class
    };
    let each = batch.negatives.len() / batch.len().max(1);
    let pairs = batch.negatives.chunks(each.max(1)).zip(&batch.anchors);
    let weights = batch.negative_weights.chunks(each.max(1));
    let (mut own, mut all) = (0, 0);
    for ((negatives, anchor), weights) in pairs.zip(weights) {
        for (negative, _) in negatives.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
            all += 1;
            own += usize::from(class(*negative) == class(*anchor));
        }
    }
    share(own, all)
}
