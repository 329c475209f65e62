//! Alignment: after a shift, contrasts alone bring a part of the network under what is kept.

use crate::config::{Align, ShiftSection};
use crate::contrast::Missing;
use crate::roles::{AlignData, Learner, Preparer};
use anyhow::Result;
use contrail_agents::contrast::{Frozen, Part};
use contrail_agents::{AgentState, ContrastBatch};
use serde::Serialize;

/// Updates between two looks at the held-out accuracy.
const CHECK_PERIOD_UPDATES: u64 = 250;
/// What counts as a gain.
const LEAST_GAIN: f64 = 0.002;
/// A smaller part is preferred if its accuracy is this near the best.
const TOLERANCE: f64 = 0.02;
/// Of the updates, what each part is tried with where it is to be chosen.
const TRIAL_SHARE: f64 = 0.25;
/// Held-out batches that an accuracy is the mean of.
const HELD_OUT_BATCHES: usize = 4;

/// What may be aligned on what, the smallest change first.
const CHOICES: [(Part, AlignData); 5] = [
    (Part::None, AlignData::Stream),
    (Part::Dynamics, AlignData::Stream),
    (Part::Stem, AlignData::Stream),
    (Part::All, AlignData::Stream),
    (Part::All, AlignData::Mixed),
];

/// What an alignment did and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Alignment {
    part: &'static str,
    data: AlignData,
    /// Updates of the part that was chosen; trials of others are not counted.
    updates: u64,
    accuracy_before: Option<f64>,
    accuracy_after: Option<f64>,
    /// Held-out accuracy of each part that was tried.
    trials: Vec<Trial>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Trial {
    part: &'static str,
    data: AlignData,
    accuracy: f64,
}

/// Why nothing was aligned.
#[derive(Debug)]
pub(super) struct NotAligned(pub(super) String);

impl NotAligned {
    fn too_little(what: &str, why: Option<Missing>, rules: &ShiftSection) -> Self {
        let why = why.map(|missing| format!(": {missing}")).unwrap_or_default();
        let steps = rules.random_env_steps;
        Self(format!("shift.random_env_steps = {steps} collected too little {what}{why}"))
    }
}

impl Alignment {
    /// Whether `rules` ask for one.
    pub(super) fn is_wanted(rules: &ShiftSection) -> bool {
        rules.align != Align::None && rules.align_updates > 0
    }

    pub(super) fn curves(&self) -> Vec<(String, f64)> {
        let accuracy = |name: &str, value: Option<f64>| value.map(|v| (name.to_owned(), v));
        let mut curves = vec![("shift/align_updates".to_owned(), self.updates as f64)];
        curves.extend(accuracy("shift/accuracy_before", self.accuracy_before));
        curves.extend(accuracy("shift/accuracy_after", self.accuracy_after));
        curves
    }
}

/// Aligns the part that `rules` name, or the smallest whose held-out accuracy is near the best.
/// Everything else is frozen meanwhile; afterwards nothing is. Where too little was collected
/// nothing changes, for a part that is renewed and then not aligned is worse than none.
pub(super) fn align(
    rules: &ShiftSection,
    preparer: &mut Preparer,
    learner: &mut Learner,
) -> Result<Result<Alignment, NotAligned>> {
    if preparer.align_batch(AlignData::Stream, rules.align_anchors)?.is_none() {
        return Ok(Err(NotAligned::too_little("to align on", preparer.missing(), rules)));
    }
    let mut held_out = Vec::new();
    for _ in 0..HELD_OUT_BATCHES {
        held_out.extend(preparer.held_out_batch(rules.align_anchors)?);
    }
    if held_out.is_empty() && rules.align == Align::Choose {
        let what = "that is held out to choose a part by";
        return Ok(Err(NotAligned::too_little(what, preparer.missing_held_out(), rules)));
    }
    let mut bench = Bench { rules, preparer, learner, held_out };
    let accuracy_before = bench.accuracy()?;
    let (trials, (part, data), done) = match rules.align.part() {
        Some(part) => {
            bench.begin(part);
            (Vec::new(), (part, AlignData::Stream), 0)
        }
        None => bench.choose()?,
    };
    let updates = bench.update(data, done, rules.align_updates)?;
    let accuracy_after = bench.accuracy()?;
    bench.freeze(Frozen::Nothing);
    let part = part.as_str();
    Ok(Ok(Alignment { part, data, updates, accuracy_before, accuracy_after, trials }))
}

/// Trials and the part that is left in the learner, with the updates it has had.
type Chosen = (Vec<Trial>, (Part, AlignData), u64);

struct Bench<'a> {
    rules: &'a ShiftSection,
    preparer: &'a mut Preparer,
    learner: &'a mut Learner,
    held_out: Vec<ContrastBatch>,
}

impl Bench<'_> {
    fn freeze(&mut self, frozen: Frozen) {
        if let Some(mut distiller) = self.learner.distiller() {
            distiller.freeze(frozen);
        }
    }

    /// Freezes all but `part`. A stem is renewed: what it was made for is gone.
    fn begin(&mut self, part: Part) {
        if part == Part::Stem {
            self.learner.renew_student(part);
        }
        self.freeze(Frozen::AllBut(part));
    }

    /// Mean accuracy on what was held out; none if nothing was.
    fn accuracy(&mut self) -> Result<Option<f64>> {
        let Some(distiller) = self.learner.distiller() else { return Ok(None) };
        let mut sum = 0.0;
        for batch in &self.held_out {
            sum += distiller.accuracy(batch)?;
        }
        let count = self.held_out.len();
        Ok((count > 0).then(|| sum / count as f64))
    }

    /// Updates number `done` to `most`. With `align_patience_updates` they end early where the
    /// held-out accuracy gains no more, and the parameters are the best of those that were measured.
    /// Returns how many there were in all.
    fn update(&mut self, data: AlignData, done: u64, most: u64) -> Result<u64> {
        let patience = self.rules.align_patience_updates;
        let (mut best, mut idle, mut count) = (self.accuracy()?.unwrap_or(0.0), 0u64, done);
        let mut kept = (patience > 0).then(|| self.learner.agent_state());
        while count < most && (patience == 0 || idle < patience) {
            let batch = self.preparer.align_batch(data, self.rules.align_anchors)?;
            let Some(batch) = batch else { break };
            self.learner.align(&batch, self.rules.align_learning_rate)?;
            count += 1;
            if patience == 0 || !count.is_multiple_of(CHECK_PERIOD_UPDATES) {
                continue;
            }
            let Some(accuracy) = self.accuracy()? else { continue };
            idle += CHECK_PERIOD_UPDATES;
            if accuracy > best + LEAST_GAIN {
                (best, idle, kept) = (accuracy, 0, Some(self.learner.agent_state()));
            }
        }
        if let Some(kept) = kept
            && self.accuracy()?.is_some_and(|accuracy| accuracy < best)
        {
            self.learner.set_agent_state(&kept)?;
        }
        Ok(count)
    }

    /// Tries every part for a share of the updates, and leaves the chosen one as it then is.
    fn choose(&mut self) -> Result<Chosen> {
        let start = self.learner.agent_state();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
        let count = (self.rules.align_updates as f64 * TRIAL_SHARE).ceil() as u64;
        let (mut trials, mut ends): (Vec<Trial>, Vec<AgentState>) = (Vec::new(), Vec::new());
        for (part, data) in CHOICES {
            self.learner.set_agent_state(&start)?;
            self.begin(part);
            if part != Part::None {
                self.update(data, 0, count)?;
            }
            let accuracy = self.accuracy()?.unwrap_or(0.0);
            trials.push(Trial { part: part.as_str(), data, accuracy });
            ends.push(self.learner.agent_state());
        }
        let chosen = smallest_near_best(trials.iter().map(|trial| trial.accuracy));
        let (part, data) = CHOICES[chosen];
        self.learner.set_agent_state(&ends[chosen])?;
        self.freeze(Frozen::AllBut(part));
        // Without a part there is nothing to go on with.
        let done = if part == Part::None { self.rules.align_updates } else { count };
        Ok((trials, (part, data), done))
    }
}

/// The first of these accuracies that is near the best of them.
fn smallest_near_best(accuracies: impl Iterator<Item = f64> + Clone) -> usize {
    let best = accuracies.clone().fold(0.0, f64::max);
    accuracies.into_iter().position(|accuracy| accuracy >= best - TOLERANCE).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_part_near_the_best_is_chosen() {
        let chosen = |accuracies: [f64; 5]| smallest_near_best(accuracies.into_iter());
        assert_eq!(chosen([0.30, 0.31, 0.85, 0.86, 0.84]), 2); // 0.85 is within 0.02 of 0.86
        assert_eq!(chosen([0.30, 0.31, 0.83, 0.86, 0.84]), 3);
        assert_eq!(chosen([0.90, 0.91, 0.80, 0.70, 0.60]), 0); // nothing needs to change
        assert_eq!(chosen([0.0; 5]), 0);
    }
}
