//! All roles in one thread, in a fixed order: bit-reproducible on CPU.

use super::recorder::Recorder;
use super::tallies::ReplayReport;
use super::{Plan, Roles};
use anyhow::Result;
use std::time::Instant;

/// Works until `plan.until_env_steps`: actors take turns, and after each vector step the learner
/// does the updates that are owed.
pub(super) fn segment(plan: &Plan<'_>, roles: &mut Roles, recorder: &mut Recorder) -> Result<()> {
    while recorder.counters().env_steps < plan.until_env_steps && !plan.stopped() {
        for index in 0..roles.actors.len() {
            if recorder.counters().env_steps >= plan.until_env_steps {
                break;
            }
            let snapshot = roles.snapshots.latest();
            let env_steps = recorder.counters().env_steps;
            let (block, report) = roles.actors[index].step(&snapshot, env_steps)?;
            let learner_updates = roles.learner.updates();
            roles.replay.insert(&block)?;
            if let Some(preparer) = &mut roles.preparer {
                preparer.insert(&block.segments)?;
            }
            roles.limiter.record_insert(block.rows.len() as u64);
            recorder.acted(&report, learner_updates)?;
            learn(plan, roles, recorder)?;
            recorder.log_if_due(&ReplayReport::new(&roles.replay, &roles.limiter))?;
        }
    }
    Ok(())
}

/// Does the updates that are owed.
fn learn(plan: &Plan<'_>, roles: &mut Roles, recorder: &mut Recorder) -> Result<()> {
    let batch_size = plan.minibatch_size;
    if roles.replay.is_empty() {
        return Ok(());
    }
    for _ in 0..roles.limiter.updates_owed() {
        let env_steps = recorder.counters().env_steps;
        let begin = Instant::now();
        let exponent = plan.importance_exponent(env_steps);
        let batch = roles.replay.sample(batch_size, exponent, &mut roles.sampler_rng)?;
        let detail = recorder.wants_detail();
        let distill = roles.preparer.as_mut().map(|p| p.prepare(env_steps, detail)).transpose()?;
        recorder.sampled(begin.elapsed());
        roles.limiter.record_update();
        let progress = (plan.progress(env_steps), detail);
        let learned = roles.learner.update(batch, distill, progress)?;
        roles.replay.update_priorities(&learned.priorities)?;
        if let (Some(preparer), Some(tokens)) = (&mut roles.preparer, &learned.tokens) {
            preparer.take(tokens)?;
        }
        if let Some(snapshot) = roles.learner.due_snapshot() {
            roles.snapshots.publish(snapshot);
        }
        recorder.learned(learned.report);
    }
    Ok(())
}
