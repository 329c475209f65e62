//! Runs: builds the roles, lets them work segment by segment, and keeps what they made.
//!
//! A run is a sequence of segments. Within a segment the roles work, in one thread (`serial`) or
//! in many (`threaded`); between two segments everything is at rest and owned here, so that
//! evaluating, saving and stopping are plain function calls on quiet data.

mod align;
mod build;
mod by_subspace;
mod device;
mod guard;
mod memory;
mod phase;
mod plan;
mod policy;
mod recorder;
mod save;
mod serial;
mod shift;
mod subspace_curves;
mod summary;
mod tallies;
mod threaded;
mod watch;

pub use build::{Spaces, env_options};
pub use by_subspace::{BySubspace, Judged, Side, SubspaceReturn};
pub use memory::MemoryPlan;
pub use policy::{evaluate, record};
pub(crate) use save::{CONFIG_FILE, RUN_FILES};
pub use save::{LoadedPolicy, load_policy};
pub use summary::{EvaluationSummary, RunEnd, Summary};
pub use tallies::FaultCounts;

use crate::config::{Config, Mode};
use crate::log::Counters;
use crate::message::PolicySnapshot;
use crate::replay::{RateLimiter, Replay};
use crate::roles::{Actor, Evaluation, Evaluator, Learner, Preparer, SnapshotCell};
use crate::subspaces::{self, LeakReport, SubspacePlan};
use anyhow::Result;
use contrail_envs::python::WorkerOutput;
use contrail_envs::wrappers::ObsNormalizer;
use contrail_envs::{Registry, SeedStream};
use plan::Plan;
use recorder::Recorder;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something the user asked for that cannot be, found before anything was written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UserError(pub String);

/// What `train` was asked to do beside the config.
pub struct TrainOptions<'a> {
    /// The run folder.
    pub run_dir: PathBuf,
    /// Whether to continue the run in that folder.
    pub resume: bool,
    /// Whether to show no live line.
    pub quiet: bool,
    /// Set from outside (Ctrl-C) to end the run after the current step.
    pub stop: &'a AtomicBool,
}

/// The workers and what they share. Between segments nobody else holds any of it.
struct Roles {
    plan: Arc<SubspacePlan>,
    actors: Vec<Actor>,
    replay: Replay,
    /// Episodic memory and loss policy, with contrastive distillation.
    preparer: Option<Preparer>,
    limiter: RateLimiter,
    learner: Learner,
    evaluator: Evaluator,
    eval_normalizer: Option<Arc<ObsNormalizer>>,
    normalizer: Option<Arc<ObsNormalizer>>,
    snapshots: SnapshotCell,
    sampler_rng: contrail_envs::Prng,
}

/// What a run has done so far, beside what the roles hold.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Ledger {
    counters: Counters,
    /// Evaluations done or under way; numbers their seeds.
    evaluations: u64,
    best: Option<Best>,
    #[serde(default)]
    shift: shift::ShiftState,
    /// Whether this session began the loss policy anew, because its settings changed.
    #[serde(skip)]
    loss_policy_anew: bool,
}

/// The best evaluation so far.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Best {
    env_steps: u64,
    mean_return: f64,
}

/// An evaluation, which in threaded mode runs beside the next segment.
struct EvaluationJob {
    counters: Counters,
    snapshot: PolicySnapshot,
    episodes: usize,
    seeds: SeedStream,
}

/// Refuses a run that cannot work here: environment against algorithm, device, memory. Writes
/// nothing.
///
/// # Errors
/// A sentence that says what does not fit, and what would.
pub fn preflight(config: &Config, registry: &Registry) -> Result<MemoryPlan> {
    Ok(prepare(config, registry)?.1)
}

fn prepare(config: &Config, registry: &Registry) -> Result<(Spaces, MemoryPlan)> {
    let spaces = Spaces::of(config, registry)?;
    device::resolve(config.run.device)?;
    build::replay_config(config, &spaces).check().map_err(|e| UserError(e.to_string()))?;
    if let Some(stores) = build::contrasts_config(config, &spaces) {
        stores.memory.check().map_err(|e| UserError(e.to_string()))?;
    }
    let memory = memory::check(config, &spaces)?;
    Ok((spaces, memory))
}

/// Compares initial states of the split's sources and targets; `None` without targets.
///
/// # Errors
/// If the environment cannot be made or reset.
pub fn leak_check(config: &Config, registry: &Registry) -> Result<Option<LeakReport>> {
    let targets = config.targets();
    if targets.is_empty() {
        return Ok(None);
    }
    let mut env = registry.make(&config.env.id, &env_options(&config.env))?;
    let seeds = SeedStream::root(config.run.seed);
    Ok(Some(subspaces::leak_check(&mut *env, (&config.judged_sources(), &targets), seeds)?))
}

/// Trains as `config` says, and returns what came of it.
///
/// # Errors
/// If the run folder cannot be used, memory does not suffice, or a role fails; what was saved
/// before stays.
pub fn train(config: &Config, registry: &Registry, options: &TrainOptions<'_>) -> Result<Summary> {
    let (spaces, _) = prepare(config, registry)?;
    let leaks = if options.resume { None } else { leak_check(config, registry)? };
    let mut run = Run::open(config, (registry, &spaces), options)?;
    if let Some(leaks) = leaks {
        run.recorder.leak_check(&leaks, &spaces.context)?;
    }
    while run.ledger.counters.env_steps < config.run.env_steps && !run.stopped() {
        if let Err(error) = run.segment() {
            // The first error matters more than one while reporting it.
            let _ = run.recorder.fail(&error);
            return Err(error);
        }
    }
    run.finish()
}

/// Seeds of the evaluation at the end of a run, which nothing else uses.
#[must_use]
pub fn final_evaluation_seeds(config: &Config) -> SeedStream {
    SeedStream::root(config.run.seed).stream("final_evaluation")
}

/// A run under way.
struct Run<'a> {
    config: &'a Config,
    options: &'a TrainOptions<'a>,
    seeds: SeedStream,
    judged: Judged,
    roles: Roles,
    ledger: Ledger,
    /// Whether the policy at the last boundary still has to be evaluated.
    evaluation_due: bool,
    /// Env steps of the last checkpoint of this session.
    saved_at: Option<u64>,
    recorder: Recorder,
    store: save::RunStore,
}

impl<'a> Run<'a> {
    fn open(
        config: &'a Config,
        (registry, spaces): (&Registry, &Spaces),
        options: &'a TrainOptions<'a>,
    ) -> Result<Self> {
        set_torch_threads(config);
        let seeds = SeedStream::root(config.run.seed);
        let output = WorkerOutput::default();
        let mut roles = build::roles(config, registry, spaces, &output)?;
        let mut store = save::RunStore::open(&options.run_dir, config)?;
        let mut ledger = Ledger::default();
        let (mut recorder_state, mut begun_anew) = (None, 0);
        if options.resume {
            store.refuse_other_subspaces(config)?;
            (ledger, recorder_state, begun_anew) = store.restore(&mut roles)?;
        }
        let resume_at = options.resume.then_some(ledger.counters.env_steps);
        let mut recorder = Recorder::open(
            (config, Arc::clone(&roles.plan)),
            (options, output),
            resume_at,
            (ledger.counters, recorder_state),
        )?;
        for text in store.leftovers() {
            recorder.note("checkpoint_cleared", text)?;
        }
        if begun_anew > 0 {
            recorder.note(
                "episodes_begun_anew",
                &format!("{begun_anew} environments cannot be saved; their episodes begin anew"),
            )?;
        }
        if ledger.loss_policy_anew {
            let text = "[loss_policy] changed, so the loss policy begins anew";
            recorder.note("loss_policy_begun_anew", text)?;
        }
        // Last, so that a resume that is refused leaves the config that can be resumed.
        store.write_config(config)?;
        let (evaluation_due, saved_at) = (false, None);
        let mut run = Self {
            config,
            options,
            seeds,
            judged: build::judged(config),
            roles,
            ledger,
            evaluation_due,
            saved_at,
            recorder,
            store,
        };
        if options.resume {
            run.restore_shift();
        }
        run.begin_first_phase();
        Ok(run)
    }

    fn stopped(&self) -> bool {
        self.options.stop.load(Ordering::Relaxed)
    }

    /// Works until the next evaluation or checkpoint is due, and then does that.
    fn segment(&mut self) -> Result<()> {
        let begun = self.at();
        self.attend_to_shifts()?;
        self.note_evaluation(begun);
        let attended = self.at();
        let until = self.next_boundary();
        let plan = Plan::new(self.config, until, self.options.stop);
        let result = match self.config.run.mode {
            Mode::Serial => {
                self.evaluate_now()?;
                serial::segment(&plan, &mut self.roles, &mut self.recorder).map(|()| None)
            }
            Mode::Threaded => {
                let job = self.evaluation_job()?;
                threaded::segment(&plan, &mut self.roles, job, &mut self.recorder)
            }
        };
        // Counted also after a fault, for the message and the log.
        self.ledger.counters = self.recorder.counters();
        if let Some((job, evaluation)) = result? {
            self.evaluated(&job, &evaluation)?;
        }
        self.note_evaluation(attended);
        let played = self.at();
        if played < self.config.run.env_steps && !self.stopped() {
            // Before a checkpoint, or the log would have it twice after a resume.
            self.attend_to_shifts()?;
            self.note_evaluation(played);
        }
        let finished = self.at() >= self.config.run.env_steps;
        if passed(begun, self.at(), self.config.checkpoint.period_env_steps)
            || finished
            || self.stopped()
        {
            self.save()?;
        }
        Ok(())
    }

    fn at(&self) -> u64 {
        self.ledger.counters.env_steps
    }

    /// An evaluation is due if its period passed since `begun`; one that was due still is.
    fn note_evaluation(&mut self, begun: u64) {
        self.evaluation_due |= self.config.evaluation.episodes > 0
            && passed(begun, self.at(), self.config.evaluation.period_env_steps);
    }

    fn evaluate_now(&mut self) -> Result<()> {
        if let Some(job) = self.evaluation_job()? {
            let evaluation =
                self.roles.evaluator.evaluate(&job.snapshot.params, job.episodes, job.seeds)?;
            self.evaluated(&job, &evaluation)?;
        }
        Ok(())
    }

    /// The next multiple of either period, or the end.
    fn next_boundary(&self) -> u64 {
        let at = self.ledger.counters.env_steps;
        let periods =
            [self.config.evaluation.period_env_steps, self.config.checkpoint.period_env_steps];
        let next = |period| at.checked_div(period).map_or(u64::MAX, |turns| (turns + 1) * period);
        let shift = self.next_shift_boundary().filter(|boundary| *boundary > at);
        periods.into_iter().map(next).chain(shift).fold(self.config.run.env_steps, u64::min)
    }

    fn evaluation_job(&mut self) -> Result<Option<EvaluationJob>> {
        if !std::mem::take(&mut self.evaluation_due) {
            return Ok(None);
        }
        self.refresh_evaluator()?;
        let seeds = self.seeds.stream("evaluator").index(self.ledger.evaluations);
        self.ledger.evaluations += 1;
        Ok(Some(EvaluationJob {
            counters: self.ledger.counters,
            snapshot: self.roles.learner.snapshot(),
            episodes: self.config.evaluation.episodes as usize,
            seeds,
        }))
    }

    /// Gives the evaluator the statistics that the policy was trained with so far.
    fn refresh_evaluator(&self) -> Result<()> {
        if let (Some(own), Some(trained)) = (&self.roles.eval_normalizer, &self.roles.normalizer) {
            own.set_stats(trained.stats())?;
        }
        Ok(())
    }

    /// Records an evaluation and keeps the policy if none was better.
    fn evaluated(&mut self, job: &EvaluationJob, evaluation: &Evaluation) -> Result<()> {
        self.recorder.evaluated(job.counters, evaluation)?;
        // Never on targets: a policy that was chosen for them would have met them.
        let mean_return = self.judged.on_sources(evaluation).mean_return();
        if self.ledger.best.is_none_or(|best| mean_return >= best.mean_return) {
            self.ledger.best = Some(Best { env_steps: job.counters.env_steps, mean_return });
            let stats = self.roles.eval_normalizer.as_ref().map(|n| n.stats());
            self.store.save_best(
                job.counters.env_steps,
                mean_return,
                &job.snapshot,
                stats.as_ref(),
            )?;
        }
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        // A checkpoint leaves nothing open, so an evaluation that is due does not wait for the
        // next segment.
        self.evaluate_now()?;
        // First the log, so that a resumed run finds every record up to its checkpoint.
        self.recorder.flush()?;
        let state = self.recorder.state();
        self.store.save(&self.roles, &self.ledger, &state, self.config.checkpoint.save_replay)?;
        self.saved_at = Some(self.ledger.counters.env_steps);
        Ok(())
    }

    /// Evaluates the last policy, and the best one of the periodic evaluations, on fresh seeds.
    fn finish(mut self) -> Result<Summary> {
        let interrupted = self.stopped();
        if interrupted && self.saved_at != Some(self.ledger.counters.env_steps) {
            self.save()?; // it was stopped just after a segment looked
        }
        let episodes = self.config.evaluation.final_episodes as usize;
        let (mut last, mut best) = (None, None);
        if episodes > 0 && !interrupted {
            self.refresh_evaluator()?;
            // Neither seeds of training nor those that the best policy was chosen on.
            let seeds = final_evaluation_seeds(self.config);
            let snapshot = self.roles.learner.snapshot();
            let evaluation = self.roles.evaluator.evaluate(&snapshot.params, episodes, seeds)?;
            // A finished run that is resumed is measured again, and has this row already.
            if self.saved_at.is_some() || !self.store.has_result() {
                self.recorder.final_evaluation(&evaluation)?;
            }
            let at = self.ledger.counters.env_steps;
            last = Some(EvaluationSummary::new(at, &self.judged, &evaluation));
            if let Some(found) = self.ledger.best {
                let loaded = self.store.load_best()?;
                if let (Some(own), Some(stats)) = (&self.roles.eval_normalizer, loaded.stats) {
                    own.set_stats(stats)?;
                }
                let evaluation = self.roles.evaluator.evaluate(&loaded.params, episodes, seeds)?;
                self.recorder.survived(&evaluation.faults)?;
                best = Some(EvaluationSummary::new(found.env_steps, &self.judged, &evaluation));
            }
        }
        let end = if interrupted { RunEnd::Interrupted } else { RunEnd::Finished };
        let digest = digest(&self.roles.learner.snapshot());
        let summary = self.recorder.close(self.config, (end, digest), (last, best))?;
        self.store.write_result(&summary)?;
        Ok(summary)
    }
}

/// Checksum of the parameters, as they lie in memory on a little-endian machine.
fn digest(snapshot: &PolicySnapshot) -> String {
    let mut hasher = blake3::Hasher::new();
    for value in snapshot.params.iter() {
        hasher.update(&value.to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// libtorch would take every core for each operation, and all workers together many times that.
fn set_torch_threads(config: &Config) {
    tch::set_num_threads(i32::try_from(config.run.torch_threads).unwrap_or(i32::MAX));
}

/// Whether a multiple of `period` (0 = never) lies after `begun` and not after `at`.
fn passed(begun: u64, at: u64, period: u64) -> bool {
    begun.checked_div(period) < at.checked_div(period)
}
