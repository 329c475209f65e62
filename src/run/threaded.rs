//! Each role in a thread of its own, for one segment.
//!
//! ```text
//! actors ==blocks==> replay ==minibatches==> learner      reports of all go to the main thread,
//!    ^                  ^--- priorities --------|         which logs
//!    |---- newest snapshot ---------------------|
//! ```
//!
//! The replay belongs to one thread, so nothing can read it half written. Every channel is
//! bounded. A thread that fails drops its channel ends, its neighbours see that and end too, and
//! its error comes out of [`segment`].

use super::recorder::Recorder;
use super::tallies::ReplayReport;
use super::{EvaluationJob, Plan, Roles};
use crate::message::{DistillJob, PriorityUpdate, SampledBatch, TokenUpdate, TransitionBlock};
use crate::replay::{RateLimiter, Replay};
use crate::roles::{
    ActReport, Actor, Evaluation, LearnReport, Learner, Preparer, SnapshotCell, panic_text,
};
use anyhow::{Result, anyhow};
use contrail_envs::Prng;
use crossbeam::channel::{Receiver, Sender, bounded, never, select};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Blocks that may wait for the replay, an actor.
const BLOCKS_AN_ACTOR: usize = 2;
/// Minibatches that the learner has or will find ready.
const PREFETCHED_MINIBATCHES: usize = 2;
/// Reports that may wait for the main thread.
const REPORTS: usize = 1024;

/// What the threads tell the main thread.
enum Report {
    /// With the updates done by then.
    Acted(ActReport, u64),
    /// With the time that sampling took.
    Learned(LearnReport, Duration),
}

/// Replay to learner.
struct Job {
    batch: SampledBatch,
    distill: Option<DistillJob>,
    progress: f64,
    detail: bool,
    sample_time: Duration,
}

/// Learner to replay.
type Answer = (PriorityUpdate, Option<TokenUpdate>);

/// What all threads see.
struct Shared<'a> {
    plan: &'a Plan<'a>,
    snapshots: &'a SnapshotCell,
    /// Decisions of all actors, begun ones included.
    env_steps: AtomicU64,
    updates: AtomicU64,
    replay_report: Mutex<ReplayReport>,
    /// Set when the main thread wants curves from the next update.
    detail: AtomicBool,
    /// Set when a thread failed.
    failed: AtomicBool,
}

impl Shared<'_> {
    fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Works until `plan.until_env_steps`, then until everything inserted is stored and every update
/// owed is done.
pub(super) fn segment(
    plan: &Plan<'_>,
    roles: &mut Roles,
    job: Option<EvaluationJob>,
    recorder: &mut Recorder,
) -> Result<Option<(EvaluationJob, Evaluation)>> {
    let Roles { actors, replay, preparer, limiter, learner, evaluator, .. } = roles;
    let (snapshots, sampler_rng) = (&roles.snapshots, &mut roles.sampler_rng);
    let shared = &Shared {
        plan,
        snapshots,
        env_steps: AtomicU64::new(recorder.counters().env_steps),
        updates: AtomicU64::new(learner.updates()),
        replay_report: Mutex::new(ReplayReport::new(replay, limiter)),
        detail: AtomicBool::new(recorder.wants_detail()),
        failed: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let (to_replay, blocks) = bounded(BLOCKS_AN_ACTOR * actors.len());
        let (to_learner, jobs) = bounded(PREFETCHED_MINIBATCHES);
        let (to_priorities, priorities) = bounded(PREFETCHED_MINIBATCHES);
        let (reporter, reports) = bounded(REPORTS);
        let mut threads = Vec::new();
        for actor in actors {
            let (blocks, reporter) = (to_replay.clone(), reporter.clone());
            threads.push(spawn(scope, shared, "actor", move || {
                act(actor, shared, &blocks, &reporter)
            })?);
        }
        drop(to_replay);
        let storage = Storage { replay, preparer, limiter, rng: sampler_rng, shared };
        threads.push(spawn(scope, shared, "replay", move || {
            storage.serve(blocks, &to_learner, &priorities)
        })?);
        threads.push(spawn(scope, shared, "learner", move || {
            learn(learner, shared, (&jobs, &to_priorities), &reporter)
        })?);
        let evaluation = job.map(|job| {
            spawn(scope, shared, "evaluator", move || {
                let evaluation =
                    evaluator.evaluate(&job.snapshot.params, job.episodes, job.seeds)?;
                Ok((job, evaluation))
            })
        });
        let mut fault = listen(reports, recorder, shared).err();
        for thread in threads {
            fault = fault.or(join(thread).err());
        }
        let evaluated = evaluation.transpose()?.map(join).transpose();
        match fault {
            Some(fault) => Err(fault),
            None => evaluated,
        }
    })
}

/// A thread whose failure is seen by all.
fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    shared: &'scope Shared<'_>,
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, Result<T>>> {
    let work = move || {
        let alarm = Alarm(&shared.failed);
        let result = work();
        if result.is_ok() {
            std::mem::forget(alarm);
        }
        result
    };
    Ok(std::thread::Builder::new().name(name.into()).spawn_scoped(scope, work)?)
}

/// Sets its flag when dropped: on an error and while a panic unwinds.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The result of a thread; a panic becomes an error that carries its message.
fn join<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    let name = thread.thread().name().unwrap_or("worker").to_owned();
    match thread.join() {
        Ok(result) => result,
        Err(panic) => Err(anyhow!("the {name} thread panicked: {}", panic_text(panic.as_ref()))),
    }
}

/// The main thread: logs what the others report, until all of them have ended.
fn listen(reports: Receiver<Report>, recorder: &mut Recorder, shared: &Shared<'_>) -> Result<()> {
    // The alarm ends the others if logging fails; dropping `reports` frees those that wait for it.
    let alarm = Alarm(&shared.failed);
    for report in reports {
        match report {
            Report::Acted(report, updates) => recorder.acted(&report, updates)?,
            Report::Learned(report, sample_time) => {
                recorder.sampled(sample_time);
                recorder.learned(report);
            }
        }
        let logged = recorder.log_if_due(&shared.replay_report.lock().clone())?;
        if logged {
            shared.detail.store(true, Ordering::Relaxed);
        }
    }
    std::mem::forget(alarm);
    Ok(())
}

/// An actor's thread: steps until the segment's env steps are used up.
fn act(
    actor: &mut Actor,
    shared: &Shared<'_>,
    blocks: &Sender<TransitionBlock>,
    reporter: &Sender<Report>,
) -> Result<()> {
    let width = actor.num_envs() as u64;
    loop {
        // Counted before the step, so that all actors together stop at the boundary.
        let begun = shared.env_steps.fetch_add(width, Ordering::Relaxed);
        if begun >= shared.plan.until_env_steps || shared.plan.stopped() || shared.failed() {
            return Ok(());
        }
        let snapshot = shared.snapshots.latest();
        let (block, report) = actor.step(&snapshot, begun)?;
        let updates = shared.updates.load(Ordering::Relaxed);
        // A closed channel means that another thread ended, and that one says why.
        if reporter.send(Report::Acted(report, updates)).is_err() || blocks.send(block).is_err() {
            return Ok(());
        }
    }
}

/// The learner's thread: updates until no more minibatches come.
fn learn(
    learner: &mut Learner,
    shared: &Shared<'_>,
    (jobs, to_priorities): (&Receiver<Job>, &Sender<Answer>),
    reporter: &Sender<Report>,
) -> Result<()> {
    for job in jobs {
        let learned = learner.update(job.batch, job.distill, (job.progress, job.detail))?;
        shared.updates.store(learned.report.updates, Ordering::Relaxed);
        if let Some(snapshot) = learner.due_snapshot() {
            shared.snapshots.publish(snapshot);
        }
        let report = Report::Learned(learned.report, job.sample_time);
        if to_priorities.send((learned.priorities, learned.tokens)).is_err()
            || reporter.send(report).is_err()
        {
            break;
        }
    }
    Ok(())
}

/// The replay's thread: stores, samples and chooses contrasts ahead of the learner, and keeps both
/// in step.
struct Storage<'a> {
    replay: &'a mut Replay,
    preparer: &'a mut Option<Preparer>,
    limiter: &'a mut RateLimiter,
    rng: &'a mut Prng,
    shared: &'a Shared<'a>,
}

impl Storage<'_> {
    fn serve(
        mut self,
        blocks: Receiver<TransitionBlock>,
        to_learner: &Sender<Job>,
        priorities: &Receiver<Answer>,
    ) -> Result<()> {
        let closed = never();
        let (mut blocks, mut open) = (blocks, true);
        let mut with_learner = 0;
        while !self.shared.failed() {
            while with_learner < PREFETCHED_MINIBATCHES && self.may_sample() {
                // There is room: no more minibatches are under way than the channel holds.
                if to_learner.send(self.sample()?).is_err() {
                    return Ok(());
                }
                with_learner += 1;
            }
            if !open && with_learner == 0 {
                break;
            }
            let incoming = if self.limiter.can_insert() { &blocks } else { &closed };
            select! {
                recv(incoming) -> block => match block {
                    Ok(block) => self.store(&block)?,
                    Err(_) => (blocks, open) = (never(), false),
                },
                recv(priorities) -> update => match update {
                    Ok((update, tokens)) => {
                        self.replay.update_priorities(&update)?;
                        if let (Some(preparer), Some(tokens)) = (&mut self.preparer, &tokens) {
                            preparer.take(tokens)?;
                        }
                        with_learner -= 1;
                    }
                    Err(_) => return Ok(()), // the learner ended, and says why
                },
            }
        }
        Ok(())
    }

    /// Actors may run ahead a little, the learner never: so in the end as many updates are done
    /// as in serial mode. Nobody waits forever: actors are stopped only when at least one update
    /// is owed, because the limiter's buffer is at least a minibatch.
    fn may_sample(&self) -> bool {
        self.limiter.updates_owed() > 0 && !self.replay.is_empty()
    }

    fn sample(&mut self) -> Result<Job> {
        let begin = Instant::now();
        let plan = self.shared.plan;
        let env_steps = self.shared.env_steps.load(Ordering::Relaxed);
        let batch = self.replay.sample(
            plan.minibatch_size,
            plan.importance_exponent(env_steps),
            self.rng,
        )?;
        self.limiter.record_update();
        let detail = self.shared.detail.swap(false, Ordering::Relaxed);
        let distill = self.preparer.as_mut().map(|p| p.prepare(env_steps, detail)).transpose()?;
        let (progress, sample_time) = (plan.progress(env_steps), begin.elapsed());
        Ok(Job { batch, distill, progress, detail, sample_time })
    }

    fn store(&mut self, block: &TransitionBlock) -> Result<()> {
        self.replay.insert(block)?;
        if let Some(preparer) = &mut self.preparer {
            preparer.insert(&block.segments)?;
        }
        self.limiter.record_insert(block.rows.len() as u64);
        *self.shared.replay_report.lock() = ReplayReport::new(self.replay, self.limiter);
        Ok(())
    }
}
