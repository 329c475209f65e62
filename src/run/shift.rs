//! What happens when the subspace shifts. All of it takes place between two segments of a run,
//! when every role is at rest.
//!
//! ```text
//! shift -> better of student and teacher teaches -> replay begins anew -> start
//!       -> collection with random actions (a segment of the run, without updates)
//!       -> alignment by contrasts alone -> guard -> everything learns jointly
//! ```

use super::align::{Alignment, NotAligned};
use super::guard::{LANES, STARTS};
use super::watch::Watch;
use super::{Run, build};
use crate::config::{Detect, ShiftSection, Start};
use crate::message::PolicySnapshot;
use anyhow::Result;
use contrail_agents::contrast::{DistillOn, Frozen, Part};
use contrail_envs::SeedStream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where a run stands with its shifts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ShiftState {
    /// Phases of the schedule that were dealt with, beside the first.
    phases: usize,
    /// Shifts so far, declared or detected; numbers the seeds of their evaluations.
    shifts: u64,
    /// Env steps at which a collection ends, while one goes on.
    collects_until: Option<u64>,
    /// Env steps until which actors act at random.
    random_until: u64,
    frozen: Frozen,
    /// Return of the teacher in the present subspace, where distillation is gated by it.
    teacher_return: Option<f64>,
    /// When its gate is set next.
    #[serde(default)]
    gate_next_env_steps: u64,
    watch: Watch,
}

/// A shift that is due.
struct Due {
    /// Number of the subspace that ends, and of the one that begins, where they are known.
    from: Option<u32>,
    to: Option<u32>,
    declared: bool,
}

impl ShiftState {
    /// Env steps that a collection still takes; 0 if none goes on.
    pub(super) fn collection_left(&self, at: u64) -> u64 {
        self.collects_until.map_or(0, |until| until.saturating_sub(at))
    }
}

impl Run<'_> {
    pub(super) fn rules(&self) -> &ShiftSection {
        &self.config.shift
    }

    /// Env steps at which a segment must end for what follows here.
    pub(super) fn next_shift_boundary(&self) -> Option<u64> {
        if self.rules().detect == Detect::Off {
            return None;
        }
        let state = &self.ledger.shift;
        let phases = self.roles.plan.phases();
        let declared = phases.get(state.phases + 1).map(|phase| phase.from_env_steps);
        let declared = declared.filter(|_| self.rules().detect == Detect::Declared);
        let watches = self.rules().detect == Detect::Accuracy && state.collects_until.is_none();
        let watched = watches.then(|| state.watch.next_env_steps.max(self.at() + 1));
        let gated = state.teacher_return.map(|_| state.gate_next_env_steps);
        [state.collects_until, declared, watched, gated].into_iter().flatten().min()
    }

    /// Deals with what is due: a shift, the end of a collection, the gate of distillation.
    pub(super) fn attend_to_shifts(&mut self) -> Result<()> {
        if self.rules().detect == Detect::Off {
            return Ok(());
        }
        if let Some(due) = self.due_shift()? {
            self.evaluate_now()?; // the policy that played until here
            self.begin_shift(&due)?;
        }
        if self.ledger.shift.collects_until.is_some_and(|until| self.at() >= until) {
            self.evaluate_now()?;
            self.ledger.shift.collects_until = None;
            self.settle()?;
        }
        self.gate_distillation()
    }

    /// Tells distillation what the first phase is of, unless that has ended. What the teacher shows
    /// on the current stream is what it knew before a shift, and there was none yet.
    pub(super) fn begin_first_phase(&mut self) {
        if self.ledger.shift.shifts > 0 {
            return;
        }
        let phases = self.roles.plan.phases();
        let first = match self.rules().detect {
            Detect::Off => return, // without shifts there are no phases
            Detect::Declared => phases.iter().take(1).map(|phase| phase.subspace).collect(),
            Detect::Accuracy => (0..self.roles.plan.subspaces().len() as u32).collect(),
        };
        if let Some(distiller) = self.roles.learner.distiller() {
            let waits = distiller.distillation.config().distill_on == DistillOn::Current;
            distiller.distillation.set_phase(f64::from(u8::from(!waits)), first);
        }
    }

    /// Puts what is not in a checkpoint's other files back into the roles.
    pub(super) fn restore_shift(&mut self) {
        let state = self.ledger.shift.clone();
        self.act_randomly_until(state.random_until);
        self.freeze(state.frozen);
    }

    fn act_randomly_until(&mut self, env_steps: u64) {
        self.roles.actors.iter_mut().for_each(|actor| actor.act_randomly_until(env_steps));
        self.recorder.act_randomly_until(env_steps);
    }

    fn freeze(&mut self, frozen: Frozen) {
        self.ledger.shift.frozen = frozen;
        self.roles.learner.freeze(frozen);
    }

    fn due_shift(&mut self) -> Result<Option<Due>> {
        let at = self.at();
        match self.rules().detect {
            Detect::Off => Ok(None),
            Detect::Declared => {
                let phases = self.roles.plan.phases();
                let begun = phases.partition_point(|phase| phase.from_env_steps <= at);
                let now = begun.saturating_sub(1);
                let before = self.ledger.shift.phases;
                if now <= before {
                    return Ok(None);
                }
                let (from, to) = (phases[before].subspace, phases[now].subspace);
                self.ledger.shift.phases = now;
                // The same subspace twice in a row is no shift.
                let due = Due { from: Some(from), to: Some(to), declared: true };
                Ok((from != to).then_some(due))
            }
            Detect::Accuracy => self.watched_shift(),
        }
    }

    /// Measures the contrast accuracy on the current stream, at most once a period of the log.
    fn watched_shift(&mut self) -> Result<Option<Due>> {
        let (at, period) = (self.at(), self.config.log.period_env_steps);
        let watch = &self.ledger.shift.watch;
        if at < watch.next_env_steps || self.ledger.shift.collects_until.is_some() {
            return Ok(None);
        }
        self.ledger.shift.watch.next_env_steps = (at / period + 1) * period;
        let anchors = self.rules().align_anchors;
        let mut rng = self.seeds.stream("shift/watch").index(at).rng();
        let Some(preparer) = &mut self.roles.preparer else { return Ok(None) };
        let Some(batch) = preparer.stream_batch(anchors, &mut rng)? else { return Ok(None) };
        let Some(distiller) = self.roles.learner.distiller() else { return Ok(None) };
        let accuracy = distiller.teacher_accuracy(&batch)?;
        let (chance, drop) = (1.0 / anchors as f64, self.config.shift.accuracy_drop);
        let fell = self.ledger.shift.watch.falls(accuracy, chance, drop);
        self.recorder.scalars(&[("shift/stream_accuracy".to_owned(), accuracy)])?;
        let newest = self.recorder.newest_subspace();
        Ok(fell.then_some(Due { from: None, to: newest, declared: false }))
    }

    fn begin_shift(&mut self, due: &Due) -> Result<()> {
        let (at, rules) = (self.at(), self.rules().clone());
        self.ledger.shift.shifts += 1;
        self.ledger.shift.watch = Watch::default();
        self.roles.learner.pull_to_here(0.0); // an alignment goes where it must
        let judged = self.choose_teacher(due.from)?;
        if rules.clear_replay {
            self.roles.replay.clear();
            self.roles.limiter = build::limiter(self.config, self.roles.replay.config())?;
        }
        if rules.random_env_steps > 0 {
            self.roles.limiter.postpone(rules.random_env_steps);
        }
        match rules.start {
            Start::Keep | Start::Guard => {}
            Start::Fresh => self.roles.learner.renew(Part::Whole),
            Start::RenewStem => self.roles.learner.renew(Part::Stem),
            Start::NewHead => self.roles.learner.renew(Part::Heads),
        }
        if let Some(preparer) = &mut self.roles.preparer {
            let subspace = due.to.filter(|_| due.declared);
            preparer.begin_phase(at, subspace, Alignment::is_wanted(&rules))?;
        }
        if let Some(distiller) = self.roles.learner.distiller() {
            distiller.distillation.set_phase(1.0, due.to.into_iter().collect());
            let teacher = self.config.distill.as_ref().map(|distill| &distill.teacher);
            let fixed = teacher.is_some_and(|teacher| teacher.fixed_after_shift);
            distiller.distillation.fix_teacher(fixed);
        }
        let until = at + rules.random_env_steps;
        self.ledger.shift.random_until = until;
        self.ledger.shift.collects_until = Some(until);
        self.ledger.shift.teacher_return = None;
        self.ledger.shift.gate_next_env_steps = 0;
        self.act_randomly_until(until);
        self.recorder.begin_phase(due.to);
        let name = |number: Option<u32>| {
            number.map(|n| self.roles.plan.subspaces()[n as usize].name.clone())
        };
        let fields = [
            ("declared", json!(due.declared)),
            ("from", json!(name(due.from))),
            ("to", json!(name(due.to))),
            ("teacher", judged),
            ("start", json!(rules.start)),
            ("random_until_env_steps", json!(until)),
        ];
        self.recorder.event("shift_begins", &fields)
    }

    /// Expert iteration: the better of student and teacher in the subspace that ends is the next
    /// teacher, and goes into the pool for that subspace. What was measured, for the log.
    fn choose_teacher(&mut self, from: Option<u32>) -> Result<Value> {
        let judged = self.judge_teacher(from)?;
        if let Some(mut distiller) = self.roles.learner.distiller() {
            distiller.freeze_teacher();
        }
        Ok(judged)
    }

    fn judge_teacher(&mut self, from: Option<u32>) -> Result<Value> {
        let Some(distiller) = self.roles.learner.distiller() else { return Ok(Value::Null) };
        let (student, teacher) = (distiller.values(), distiller.distillation.teacher_values());
        let episodes = self.config.shift.judge_episodes as usize;
        let Some(from) = from.filter(|_| episodes > 0) else { return Ok(json!("kept")) };
        self.refresh_evaluator()?;
        let seeds = self.shift_seeds().stream("judge");
        let mut measure = |params: &[f32]| {
            let evaluation = self.roles.evaluator.evaluate_in(params, (from, episodes), seeds)?;
            self.recorder.survived(&evaluation.faults)?;
            anyhow::Ok(evaluation.mean_return())
        };
        let (of_student, of_teacher) = (measure(&student)?, measure(&teacher)?);
        let better = if of_student > of_teacher { "student" } else { "teacher" };
        if let Some(distiller) = self.roles.learner.distiller()
            && better == "student"
        {
            distiller.distillation.set_teacher(&student);
        }
        Ok(json!({ "next": better, "student_return": of_student, "teacher_return": of_teacher }))
    }

    pub(super) fn shift_seeds(&self) -> SeedStream {
        self.seeds.stream("shift").index(self.ledger.shift.shifts)
    }

    /// After the collection: alignment, guard, and on with learning.
    fn settle(&mut self) -> Result<()> {
        let rules = self.rules().clone();
        let source = self.roles.learner.agent_state();
        let aligned = match &mut self.roles.preparer {
            Some(preparer) if Alignment::is_wanted(&rules) => {
                match super::align::align(&rules, preparer, &mut self.roles.learner)? {
                    Ok(aligned) => Some(aligned),
                    Err(NotAligned(why)) => {
                        self.recorder.note("shift_not_aligned", &why)?;
                        None
                    }
                }
            }
            _ => None,
        };
        let (chosen, tried) = if rules.start == Start::Guard {
            let now = match &aligned {
                Some(_) => Some("aligned"),
                None if Alignment::is_wanted(&rules) => None,
                None => {
                    self.roles.learner.renew(Part::Stem);
                    Some("renewed_stem")
                }
            };
            self.guard(source, now)?
        } else {
            ("declared", Vec::new())
        };
        if rules.renew_dormant {
            let renewed = self.renew_dormant()?;
            self.recorder.scalars(&[("shift/dormant_renewed".to_owned(), renewed as f64)])?;
        }
        if let Some(preparer) = &mut self.roles.preparer {
            preparer.end_collection();
        }
        let fresh = chosen == "fresh" || rules.start == Start::Fresh;
        self.freeze(if fresh { Frozen::Nothing } else { rules.freeze });
        self.roles.learner.pull_to_here(rules.l2_to_start);
        self.roles.learner.settle();
        self.publish();
        self.measure_teacher()?;
        if let Some(aligned) = &aligned {
            self.recorder.scalars(&aligned.curves())?;
        }
        let fields = [
            ("alignment", json!(aligned)),
            ("guard", json!(tried)),
            ("chosen_start", json!(chosen)),
            ("teacher_return", json!(self.ledger.shift.teacher_return)),
        ];
        self.recorder.event("shift_settles", &fields)
    }

    /// The parameters changed without an update, so actors must look again.
    fn publish(&mut self) {
        let snapshot: PolicySnapshot = self.roles.learner.snapshot();
        self.roles.snapshots.publish(snapshot);
        self.roles.actors.iter_mut().for_each(crate::roles::Actor::forget_policy);
    }

    fn renew_dormant(&mut self) -> Result<usize> {
        let mut rng = self.shift_seeds().stream("dormant").rng();
        let anchors = self.rules().align_anchors;
        let Some(preparer) = &mut self.roles.preparer else { return Ok(0) };
        let batch = preparer.stream_batch(anchors, &mut rng)?;
        Ok(batch.map_or(0, |batch| self.roles.learner.renew_dormant(&batch.obs)))
    }

    /// The teacher's return in the present subspace, which gates its distillation; its env steps
    /// count.
    fn measure_teacher(&mut self) -> Result<()> {
        let Some(distill) = &self.config.distill else { return Ok(()) };
        let teacher = &distill.teacher;
        let (gated, budget) = (teacher.gate_by_return, self.rules().guard_env_steps);
        if !gated || teacher.distillation_weight <= 0.0 || budget == 0 {
            return Ok(());
        }
        let Some(distiller) = self.roles.learner.distiller() else { return Ok(()) };
        let params = distiller.distillation.teacher_values();
        let seeds = self.shift_seeds().stream("teacher");
        let found = self.play((&params, seeds), (budget / STARTS, LANES))?;
        self.ledger.shift.teacher_return = Some(found.mean_return);
        Ok(())
    }

    /// The weight of distillation fades as the student comes up to the teacher:
    /// max((G_teacher - G_student) / |G_teacher|, 0), at most 1, as in `QDagger` for positive returns.
    /// It is set once a period of the log, so that a resume sets it when the run would have.
    fn gate_distillation(&mut self) -> Result<()> {
        let (at, period) = (self.at(), self.config.log.period_env_steps);
        let Some(teacher) = self.ledger.shift.teacher_return else { return Ok(()) };
        if at < self.ledger.shift.gate_next_env_steps {
            return Ok(());
        }
        self.ledger.shift.gate_next_env_steps = (at / period + 1) * period;
        let Some(student) = self.recorder.phase_mean_return() else { return Ok(()) };
        let gate = f64::from(gate(teacher, student) as f32); // as a checkpoint keeps it
        let subspace = self.recorder.phase_subspace();
        if let Some(distiller) = self.roles.learner.distiller() {
            distiller.distillation.set_phase(gate, subspace.into_iter().collect());
        }
        self.recorder.scalars(&[("shift/distillation_gate".to_owned(), gate)])
    }
}

fn gate(teacher: f64, student: f64) -> f64 {
    let size = teacher.abs().max(1e-9);
    ((teacher - student) / size).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_closes_as_the_student_catches_up() {
        let cases = [(10.0, 0.0, 1.0), (10.0, 4.0, 0.6), (10.0, 12.0, 0.0), (-100.0, -150.0, 0.5)];
        for (teacher, student, expected) in cases {
            assert!((gate(teacher, student) - expected).abs() < 1e-12, "{teacher} {student}");
        }
    }
}
