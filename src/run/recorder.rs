//! Turns what the roles report into rows of metrics.

use super::TrainOptions;
use super::by_subspace::{BySubspace, Judged};
use super::phase::Phase;
use super::subspace_curves::{SubspaceCurves, SubspaceState};
use super::summary::{EvaluationSummary, RunEnd, Summary};
use super::tallies::{FaultCounts, Lag, ReplayReport, Spent};
use crate::config::Config;
use crate::log::{self, Counters, HparamValue, MetricLog, Progress, code_block};
use crate::roles::{ActReport, EpisodeEnd, Evaluation, Exploration, Fault, LearnReport};
use crate::subspaces::{LeakReport, SubspacePlan};
use anyhow::Result;
use contrail_agents::tokens::CollapseAlarm;
use contrail_envs::ContextSpec;
use contrail_envs::python::{WorkerLine, WorkerOutput};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Episodes behind `rollout/ep_rew_mean`, as in Stable-Baselines3.
const WINDOW_EPISODES: usize = 100;

/// What a resumed recorder needs to go on as if it had never stopped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RecorderState {
    window: VecDeque<EpisodeEnd>,
    episodes: u64,
    next_row_env_steps: u64,
    wants_detail: bool,
    metrics: Vec<(String, f64)>,
    histograms: Vec<(String, Vec<f64>)>,
    lag: Lag,
    #[serde(default)]
    faults: FaultCounts,
    #[serde(default)]
    subspaces: SubspaceState,
    #[serde(default)]
    phase: Phase,
    /// Number of the phase's subspace, where the schedule says it.
    #[serde(default)]
    phase_subspace: Option<u32>,
    #[serde(default)]
    collapse: CollapseAlarm,
}

/// Lines of worker output that a session keeps.
const MAX_OUTPUT_LINES: u64 = 1000;

/// Collects reports and writes a row of metrics every `log.period_env_steps`.
pub(super) struct Recorder {
    log: MetricLog,
    output: WorkerOutput,
    output_lines_left: u64,
    progress: Option<Progress>,
    exploration: Exploration,
    period_env_steps: u64,
    counters: Counters,
    state: RecorderState,
    subspaces: SubspaceCurves,
    judged: Judged,
    /// Whether there is contrastive distillation.
    distills: bool,
    spent: Spent,
    row_began: (Instant, Counters),
    began: Instant,
    earlier_s: f64,
}

impl Recorder {
    /// Opens the logs; `resumed` is where an earlier session stopped.
    pub(super) fn open(
        (config, plan): (&Config, Arc<SubspacePlan>),
        (options, output): (&TrainOptions<'_>, WorkerOutput),
        resume_at: Option<u64>,
        (counters, state): (Counters, Option<RecorderState>),
    ) -> Result<Self> {
        let mut log = MetricLog::open(&options.run_dir, resume_at)?;
        let earlier_s = log.resumed().map_or(0.0, |r| r.time_s);
        if resume_at.is_none() {
            log.text("config", counters, &code_block(&config.to_toml()?));
            log.hparams(&hparams(config)?, &["eval/mean_reward", "rollout/ep_rew_mean"]);
        }
        let fresh = RecorderState {
            next_row_env_steps: config.log.period_env_steps,
            wants_detail: true,
            ..RecorderState::default()
        };
        let mut state = state.unwrap_or(fresh);
        let subspaces = std::mem::take(&mut state.subspaces);
        Ok(Self {
            subspaces: SubspaceCurves::new(plan, config.actors.total_envs(), subspaces),
            judged: Judged::of(config),
            distills: config.distill.is_some(),
            log,
            output,
            output_lines_left: MAX_OUTPUT_LINES,
            progress: (!options.quiet).then(|| Progress::new(config.run.env_steps, counters)),
            exploration: Exploration::new(&config.exploration),
            period_env_steps: config.log.period_env_steps,
            counters,
            state,
            spent: Spent::default(),
            row_began: (Instant::now(), counters),
            began: Instant::now(),
            earlier_s,
        })
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn state(&self) -> RecorderState {
        RecorderState { subspaces: self.subspaces.state(), ..self.state.clone() }
    }

    /// Whether the next update should report its metrics.
    pub(super) fn wants_detail(&self) -> bool {
        self.state.wants_detail
    }

    /// An actor stepped when the learner had done `updates`.
    pub(super) fn acted(&mut self, report: &ActReport, updates: u64) -> Result<()> {
        self.counters.env_steps += report.env_steps;
        self.counters.frames += report.frames;
        self.state.lag.add(updates.saturating_sub(report.version));
        self.spent.env += report.env_time;
        self.spent.policy += report.policy_time;
        self.subspaces.played(&report.played);
        self.state.phase.passed(report.env_steps);
        for episode in &report.episodes {
            self.state.episodes += 1;
            self.state.phase.ended(episode);
            self.subspaces.ended(episode);
            self.state.window.push_back(episode.clone());
            if self.state.window.len() > WINDOW_EPISODES {
                self.state.window.pop_front();
            }
        }
        let mean = self.mean_return();
        if let Some(progress) = &mut self.progress {
            progress.update(self.counters, mean);
        }
        self.state.faults.broken_episodes += report.broken_episodes;
        self.shifted()?;
        self.survived(&report.faults)
    }

    /// Notes whether targets were met in the sources.
    pub(super) fn leak_check(&mut self, report: &LeakReport, spec: &ContextSpec) -> Result<()> {
        let fields = [
            ("leaks", serde_json::to_value(&report.leaks)?),
            ("states_compared", report.states_compared.into()),
            ("shared_first_obs", report.shared_first_obs.into()),
        ];
        self.log.event("leak_check", self.counters, &fields)?;
        report.warnings(spec).iter().for_each(|warning| self.warn(warning));
        Ok(())
    }

    /// Notes shifts of the schedule: lines of `metrics.jsonl`, and texts of TensorBoard.
    fn shifted(&mut self) -> Result<()> {
        for shift in self.subspaces.shifts(self.counters.env_steps) {
            let before = shift.before.as_deref();
            let fields = [
                ("phase", shift.phase.into()),
                ("declared_env_steps", shift.from_env_steps.into()),
                ("subspace", shift.subspace.as_str().into()),
                ("before", before.into()),
            ];
            self.log.event("shift", self.counters, &fields)?;
            let from = before.map_or_else(String::new, |before| format!(" (before: {before})"));
            let text = format!("phase {}: **{}**{from}", shift.phase, shift.subspace);
            self.log.text("schedule/shift", self.counters, &text);
        }
        Ok(())
    }

    /// Notes faults of environments at once: the run may not live to the next row.
    pub(super) fn survived(&mut self, faults: &[Fault]) -> Result<()> {
        for fault in faults {
            self.state.faults.env_faults += 1;
            self.state.faults.env_restarts += u64::from(fault.restarted);
            let fields =
                [("restarted", fault.restarted.into()), ("reason", fault.text.as_str().into())];
            self.log.event("env_fault", self.counters, &fields)?;
            let head = fault.text.lines().next().unwrap_or_default();
            self.warn(&format!("fault {}: {head}", self.state.faults.env_faults));
        }
        Ok(())
    }

    /// Notes what workers printed, up to a limit.
    fn note_output(&mut self) -> Result<()> {
        let (lines, mut dropped) = self.output.take();
        for WorkerLine { worker, text } in lines {
            if self.output_lines_left == 0 {
                dropped += 1;
                continue;
            }
            self.output_lines_left -= 1;
            let fields = [("worker", worker.into()), ("text", text.as_str().into())];
            self.log.event("worker_output", self.counters, &fields)?;
        }
        if dropped > 0 {
            let fields = [("lines", dropped.into())];
            self.log.event("worker_output_dropped", self.counters, &fields)?;
        }
        Ok(())
    }

    fn warn(&self, warning: &str) {
        match &self.progress {
            Some(progress) => progress.warn(warning),
            // Nowhere to report that standard error is closed.
            None => drop(writeln!(std::io::stderr(), "warning: {warning}")),
        }
    }

    pub(super) fn sampled(&mut self, time: Duration) {
        self.spent.sample += time;
    }

    /// The learner updated.
    pub(super) fn learned(&mut self, report: LearnReport) {
        self.counters.updates = report.updates;
        self.spent.update += report.update_time;
        self.spent.contrast += report.contrast_time;
        if report.is_row {
            self.state.metrics = report.metrics;
            self.state.histograms = report.histograms;
            self.state.wants_detail = false;
        } else {
            self.state.metrics.extend(report.metrics);
        }
    }

    /// Writes a row if the period is over; says whether it did.
    pub(super) fn log_if_due(&mut self, replay: &ReplayReport) -> Result<bool> {
        if self.counters.env_steps < self.state.next_row_env_steps {
            return Ok(false);
        }
        let mut row = self.row(replay);
        self.watch_for_collapse()?;
        self.state.metrics.clear(); // a row without an update repeats nothing
        row.extend(self.state.phase.curves(self.counters.env_steps));
        row.extend(self.subspaces.row(self.counters.env_steps, &replay.subspaces));
        self.log.scalars(self.counters, &row)?;
        for (name, values) in std::mem::take(&mut self.state.histograms) {
            self.log.histogram(&name, self.counters, &values)?;
        }
        self.note_output()?;
        if let Some(warning) = self.log.take_warning() {
            self.warn(&warning);
        }
        self.state.next_row_env_steps =
            (self.counters.env_steps / self.period_env_steps + 1) * self.period_env_steps;
        self.state.wants_detail = true;
        self.state.lag = Lag::default();
        self.spent = Spent::default();
        self.row_began = (Instant::now(), self.counters);
        Ok(true)
    }

    fn row(&self, replay: &ReplayReport) -> Vec<(String, f64)> {
        let mut row: Vec<(String, f64)> = Vec::with_capacity(32);
        let mut add = |name: &str, value: f64| row.push((name.to_owned(), value));
        if let Some(mean) = self.mean_return() {
            add("rollout/ep_rew_mean", mean);
            add("rollout/ep_len_mean", self.mean_length());
        }
        add("rollout/episodes", self.state.episodes as f64);
        add("rollout/exploration_rate", self.exploration.epsilon(self.counters.env_steps));
        for (name, value) in &self.state.metrics {
            add(name, *value);
        }
        let lag = self.state.lag;
        add("train/version_diff_min", lag.min as f64);
        add("train/version_diff_avg", lag.sum as f64 / lag.count.max(1) as f64);
        add("train/version_diff_max", lag.max as f64);
        let faults = self.state.faults;
        add("actor/env_faults", faults.env_faults as f64);
        add("actor/env_restarts", faults.env_restarts as f64);
        add("rollout/broken_episodes", faults.broken_episodes as f64);
        add("replay/size", replay.size as f64);
        add("replay/samples_per_insert", replay.samples_per_insert);
        add("replay/dropped_transitions", replay.dropped_transitions as f64);
        add("replay/stale_priorities", replay.stale_priorities as f64);
        let passed_s = self.row_began.0.elapsed().as_secs_f64().max(1e-9);
        let rate = |now: u64, before: u64| (now - before) as f64 / passed_s;
        let before = self.row_began.1;
        add("time/fps", rate(self.counters.frames, before.frames));
        add("actor/env_steps_per_s", rate(self.counters.env_steps, before.env_steps));
        add("learner/updates_per_s", rate(self.counters.updates, before.updates));
        // Shares of the wall clock: threads overlap, so they may add up to more than 1.
        let parts = [
            ("env", self.spent.env),
            ("policy", self.spent.policy),
            ("sample", self.spent.sample),
            ("update", self.spent.update),
        ];
        for (name, time) in parts {
            add(&format!("perf/{name}_time_share"), time.as_secs_f64() / passed_s);
        }
        let update_s = self.spent.update.as_secs_f64();
        if self.distills && update_s > 0.0 {
            add("perf/contrast_time_share", self.spent.contrast.as_secs_f64() / update_s);
        }
        row
    }

    /// Raises the alarm if tokens or embeddings are all alike.
    fn watch_for_collapse(&mut self) -> Result<()> {
        let value = |name| self.state.metrics.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        let (perplexity, rank) = (value("tokens/group_perplexity"), value("tokens/effective_rank"));
        if let Some(sentence) = self.state.collapse.observe(perplexity, rank) {
            self.log.event("collapse", self.counters, &[("text", sentence.as_str().into())])?;
            self.warn(&sentence);
        }
        Ok(())
    }

    fn mean_return(&self) -> Option<f64> {
        let window = &self.state.window;
        let sum: f64 = window.iter().map(|e| e.episode_return).sum();
        (!window.is_empty()).then(|| sum / window.len() as f64)
    }

    fn mean_length(&self) -> f64 {
        let sum: u64 = self.state.window.iter().map(|e| e.length_env_steps).sum();
        sum as f64 / self.state.window.len() as f64
    }

    /// Records an evaluation of the policy at `counters`.
    pub(super) fn evaluated(&mut self, counters: Counters, evaluation: &Evaluation) -> Result<()> {
        self.survived(&evaluation.faults)?;
        let by_subspace = BySubspace::new(&self.judged, evaluation);
        let evaluation = self.judged.on_sources(evaluation);
        let mut row = vec![
            ("eval/mean_reward".to_owned(), evaluation.mean_return()),
            ("eval/std_reward".to_owned(), evaluation.std_return()),
            ("eval/mean_ep_length".to_owned(), evaluation.mean_length()),
        ];
        row.extend(by_subspace.iter().flat_map(BySubspace::curves));
        Ok(self.log.scalars(counters, &row)?)
    }

    /// Records the evaluation of the last policy on fresh seeds.
    pub(super) fn final_evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        self.survived(&evaluation.faults)?;
        if let Some(by_subspace) = BySubspace::new(&self.judged, evaluation) {
            let table = code_block(&by_subspace.table());
            self.log.text("eval/final_by_subspace", self.counters, &table);
        }
        let evaluation = self.judged.on_sources(evaluation);
        let row = [
            ("eval/final_mean_reward", evaluation.mean_return()),
            ("eval/final_std_reward", evaluation.std_return()),
            ("eval/final_mean_ep_length", evaluation.mean_length()),
        ];
        Ok(self.log.scalars(self.counters, &row)?)
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        Ok(self.log.flush()?)
    }

    /// A shift: what is earned from here on is another phase's.
    pub(super) fn begin_phase(&mut self, subspace: Option<u32>) {
        self.state.phase.begin(self.counters.env_steps, subspace);
        self.state.phase_subspace = subspace;
    }

    /// Number of the subspace that the present phase is known to be in.
    pub(super) fn phase_subspace(&self) -> Option<u32> {
        self.state.phase_subspace
    }

    /// Mean return of the last episodes of this phase.
    pub(super) fn phase_mean_return(&self) -> Option<f64> {
        self.state.phase.mean_return()
    }

    /// Subspace of the newest episode.
    pub(super) fn newest_subspace(&self) -> Option<u32> {
        self.state.window.back().map(|episode| episode.assigned.subspace)
    }

    /// Counts env steps that were spent on choosing, not on learning, in the phase too. Under
    /// action repeat each is counted as one frame at least.
    pub(super) fn charge(&mut self, env_steps: u64) {
        self.state.phase.passed(env_steps);
        self.counters.env_steps += env_steps;
        self.counters.frames += env_steps;
    }

    pub(super) fn act_randomly_until(&mut self, env_steps: u64) {
        self.exploration.act_randomly_until(env_steps);
    }

    /// Writes curves outside the rows of the log.
    pub(super) fn scalars(&mut self, curves: &[(String, f64)]) -> Result<()> {
        Ok(self.log.scalars(self.counters, curves)?)
    }

    /// Notes what was done, as a line of `metrics.jsonl` and as a text of TensorBoard.
    pub(super) fn event(&mut self, name: &str, fields: &[(&str, serde_json::Value)]) -> Result<()> {
        self.log.event(name, self.counters, fields)?;
        let lines = fields.iter().map(|(field, value)| format!("{field}: {value}\n"));
        let text = code_block(&lines.collect::<String>());
        self.log.text(&format!("shift/{name}"), self.counters, &text);
        Ok(())
    }

    /// Notes something that a reader of the curves should know.
    pub(super) fn note(&mut self, event: &str, text: &str) -> Result<()> {
        Ok(self.log.event(event, self.counters, &[("text", text.into())])?)
    }

    /// Notes why the run failed. What was logged before stays.
    pub(super) fn fail(mut self, error: &anyhow::Error) -> Result<()> {
        self.progress = None;
        self.note_output()?;
        self.log.event("failed", self.counters, &[("reason", format!("{error:#}").into())])?;
        Ok(self.log.close(log::RunEnd::Failed)?)
    }

    /// Ends the logs and sums up the run.
    pub(super) fn close(
        mut self,
        config: &Config,
        (end, policy_blake3): (RunEnd, String),
        (last, best): (Option<EvaluationSummary>, Option<EvaluationSummary>),
    ) -> Result<Summary> {
        let log_end = match end {
            RunEnd::Finished => log::RunEnd::Finished,
            RunEnd::Interrupted => log::RunEnd::Interrupted,
        };
        self.note_output()?;
        self.log.close(log_end)?;
        let (js_between_envs_bits, js_over_time_bits) = self.subspaces.skew_bits();
        Ok(Summary {
            js_between_envs_bits,
            js_over_time_bits,
            faults: self.state.faults,
            env: config.env.id.clone(),
            algorithm: config.algorithm.name().as_str().to_owned(),
            seed: config.run.seed,
            end,
            counters: self.counters,
            policy_blake3,
            time_s: self.earlier_s + self.began.elapsed().as_secs_f64(),
            last,
            best,
        })
    }
}

/// Every key of the config, for TensorBoard's HPARAMS tab.
fn hparams(config: &Config) -> Result<Vec<(String, HparamValue)>> {
    let table: toml::Table = toml::from_str(&config.to_toml()?)?;
    let mut found = Vec::new();
    for (section, keys) in table {
        let toml::Value::Table(keys) = keys else { continue };
        for (key, value) in keys {
            let value = match value {
                toml::Value::Integer(v) => HparamValue::Number(v as f64),
                toml::Value::Float(v) => HparamValue::Number(v),
                toml::Value::Boolean(v) => HparamValue::Bool(v),
                toml::Value::String(v) => HparamValue::Text(v),
                other => HparamValue::Text(other.to_string()),
            };
            found.push((format!("{section}.{key}"), value));
        }
    }
    Ok(found)
}
