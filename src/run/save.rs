//! What a run leaves in its folder.
//!
//! ```text
//! RUN/config.toml                    effective config
//! RUN/checkpoints/<env_steps>/       everything needed to continue
//! RUN/checkpoints/best/<env_steps>/  the best policy of the periodic evaluations
//! RUN/result.json                    what the run came to
//! ```

use super::recorder::RecorderState;
use super::summary::Summary;
use super::{Best, Ledger, Roles, UserError};
use crate::checkpoint::{CheckpointReader, CheckpointStore, CheckpointWriter, Checkpoints};
use crate::cli::CheckpointChoice;
use crate::config::{self, Config, Overrides};
use crate::message::PolicySnapshot;
use crate::replay::RateLimiter;
use crate::roles::{ActorState, LearnerState};
use anyhow::{Context as _, Result, bail, ensure};
use contrail_agents::{AgentState, NamedArray};
use contrail_envs::Prng;
use contrail_envs::wrappers::ObsStats;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the effective config in a run folder.
pub(crate) const CONFIG_FILE: &str = "config.toml";
/// Name of the summary in a run folder.
pub(crate) const RESULT_FILE: &str = "result.json";
/// Files of a run folder that a new run may remove, beside checkpoints and event files.
pub(crate) const RUN_FILES: [&str; 3] = [CONFIG_FILE, RESULT_FILE, crate::log::METRICS_FILE];
const CHECKPOINTS: &str = "checkpoints";
const BEST: &str = "checkpoints/best";
const AGENT_FILE: &str = "agent.safetensors";
const POLICY_FILE: &str = "policy.safetensors";
const STATE_FILE: &str = "state.json";
const ACTORS_FILE: &str = "actors.bin";
const REPLAY_FILE: &str = "replay.bin";
/// Episodic memory and loss policy, with contrastive distillation.
const CONTRAST_FILE: &str = "contrast.bin";
const STATS_FILE: &str = "obs_stats.json";
/// The policy that actors act with, where the learner is ahead of it.
const PUBLISHED_FILE: &str = "published.safetensors";

/// The small parts of a checkpoint, in one readable file.
#[derive(Serialize, Deserialize)]
struct State {
    ledger: Ledger,
    limiter: RateLimiter,
    sampler_rng: Prng,
    learner_rng: Prng,
    counters: Vec<(String, u64)>,
    recorder: RecorderState,
    has_replay: bool,
    /// Version of the policy that actors act with.
    published: u64,
}

/// The files of one run.
pub(super) struct RunStore {
    run_dir: PathBuf,
    checkpoints: CheckpointStore,
    best: CheckpointStore,
}

/// A policy as a checkpoint keeps it.
pub struct LoadedPolicy {
    /// Flat parameters.
    pub params: Vec<f32>,
    /// Statistics that its observations were normalised with, if they were.
    pub stats: Option<ObsStats>,
    /// Env steps after which it was taken.
    pub env_steps: u64,
}

impl RunStore {
    /// Opens (and makes, if need be) the run folder.
    pub(super) fn open(run_dir: &Path, config: &Config) -> Result<Self> {
        let checkpoints =
            CheckpointStore::open(&run_dir.join(CHECKPOINTS), config.checkpoint.keep_last)?;
        let best = CheckpointStore::open(&run_dir.join(BEST), 1)?;
        Ok(Self { run_dir: run_dir.to_owned(), checkpoints, best })
    }

    /// Writes the effective config.
    pub(super) fn write_config(&self, config: &Config) -> Result<()> {
        write_replacing(&self.run_dir.join(CONFIG_FILE), config.to_toml()?.as_bytes())
    }

    /// Refuses to go on with other subspaces than the run began with: their numbers are in the
    /// replay, the actors and the curves, and what was learned in could become a target.
    ///
    /// # Errors
    /// [`UserError`], naming the sections that changed.
    pub(super) fn refuse_other_subspaces(&self, config: &Config) -> Result<()> {
        let file = self.run_dir.join(CONFIG_FILE);
        if !file.exists() {
            return Ok(());
        }
        let saved = config::load(Some(&file), &Overrides::default())?;
        let same = [
            ("[subspaces]", saved.subspaces == config.subspaces),
            ("[split]", saved.split == config.split),
            ("[schedule]", saved.schedule == config.schedule),
            ("replay.subspace_law", saved.replay.law == config.replay.law),
            (
                "replay.keep_every_subspace",
                saved.replay.keep_every_subspace == config.replay.keep_every_subspace,
            ),
        ];
        let changed: Vec<&str> =
            same.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let text = format!(
            "a resumed run keeps its subspaces, but {} changed; begin a new run",
            changed.join(", ")
        );
        Err(UserError(text).into())
    }

    /// What interrupted saves of an earlier session left and opening cleared, a sentence each.
    pub(super) fn leftovers(&self) -> impl Iterator<Item = &str> {
        self.checkpoints.leftovers().iter().chain(self.best.leftovers()).map(String::as_str)
    }

    /// Saves everything needed to continue.
    pub(super) fn save(
        &mut self,
        roles: &Roles,
        ledger: &Ledger,
        recorder: &RecorderState,
        with_replay: bool,
    ) -> Result<()> {
        let LearnerState { agent, rng: learner_rng } = roles.learner.save();
        let actors =
            roles.actors.iter().map(crate::roles::Actor::save).collect::<Result<Vec<_>>>()?;
        let published = roles.snapshots.latest();
        let state = State {
            ledger: ledger.clone(),
            limiter: roles.limiter.clone(),
            sampler_rng: roles.sampler_rng.clone(),
            learner_rng,
            counters: agent.counters.clone(),
            recorder: recorder.clone(),
            has_replay: with_replay,
            published: published.version,
        };
        let newest = roles.learner.snapshot();
        let stats = roles.normalizer.as_ref().map(|n| n.stats());
        let metric = None;
        self.checkpoints.save(ledger.counters.env_steps, metric, |writer| {
            writer.write_json(STATE_FILE, &state)?;
            write_bytes(writer, AGENT_FILE, &to_safetensors(&agent.arrays)?)?;
            write_policy(writer, &newest.params, stats.as_ref())?;
            if published.version != newest.version {
                write_params(writer, PUBLISHED_FILE, &published.params)?;
            }
            write_bytes(writer, ACTORS_FILE, &postcard::to_stdvec(&actors)?)?;
            if let Some(preparer) = &roles.preparer {
                let mut out = BufWriter::with_capacity(1 << 20, writer.file(CONTRAST_FILE)?);
                preparer.save(&mut out)?;
                out.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?;
            }
            if with_replay {
                let mut out = BufWriter::with_capacity(1 << 20, writer.file(REPLAY_FILE)?);
                roles.replay.save(&mut out)?;
                out.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Puts the newest checkpoint into `roles`. The number is that of the environments that could
    /// not be saved and begin new episodes.
    pub(super) fn restore(
        &mut self,
        roles: &mut Roles,
    ) -> Result<(Ledger, Option<RecorderState>, u64)> {
        let Some(newest) = self.checkpoints.latest()? else {
            self.best.discard_after(0)?;
            return Ok((Ledger::default(), None, 0)); // interrupted before the first checkpoint
        };
        let newest = newest.env_steps;
        let reader = self.checkpoints.load(newest)?;
        let mut state: State = reader.read_json(STATE_FILE)?;
        let arrays = from_safetensors(&read_all(&reader, AGENT_FILE)?)?;
        let agent = AgentState { arrays, counters: state.counters };
        roles.learner.restore(LearnerState { agent, rng: state.learner_rng })?;
        let published = if state.published == roles.learner.updates() {
            roles.learner.snapshot()
        } else {
            let params = Arc::new(read_params(&reader, PUBLISHED_FILE)?);
            PolicySnapshot { version: state.published, params }
        };
        roles.snapshots.publish(published);
        if let (Some(normalizer), Some(stats)) = (&roles.normalizer, read_stats(&reader)?) {
            normalizer.set_stats(stats)?;
        }
        let actors: Vec<ActorState> = postcard::from_bytes(&read_all(&reader, ACTORS_FILE)?)
            .with_context(|| format!("{ACTORS_FILE} of checkpoint {newest} cannot be read"))?;
        let (have, want) = (actors.len(), roles.actors.len());
        ensure!(
            have == want,
            "the checkpoint has {have} actors, actors.count is {want}: resume with the saved config"
        );
        let mut begun_anew = 0;
        for (actor, saved) in roles.actors.iter_mut().zip(actors) {
            begun_anew += actor.restore(saved)?;
        }
        if let Some(preparer) = &mut roles.preparer {
            state.ledger.loss_policy_anew = !preparer.restore(&mut reader.open(CONTRAST_FILE)?)?;
        }
        if state.has_replay {
            roles.replay.restore(&mut reader.open(REPLAY_FILE)?)?;
            roles.limiter = state.limiter;
        } else {
            // The fresh one fills anew before the learner goes on, and a collection ends first. The
            // actors' open windows follow on nothing, which is what the start of a stream looks like.
            roles.limiter.postpone(state.ledger.shift.collection_left(newest));
        }
        roles.sampler_rng = state.sampler_rng;
        // A best policy that was found after the checkpoint belongs to a future that is given up.
        // If it had replaced the one before, the best of what comes now takes its place.
        self.best.discard_after(newest)?;
        state.ledger.best = self.best.latest()?.and_then(|found| {
            Some(Best { env_steps: found.env_steps, mean_return: found.metric? })
        });
        Ok((state.ledger, Some(state.recorder), begun_anew))
    }

    /// Keeps `snapshot` as the best policy.
    pub(super) fn save_best(
        &mut self,
        env_steps: u64,
        mean_return: f64,
        snapshot: &PolicySnapshot,
        stats: Option<&ObsStats>,
    ) -> Result<()> {
        self.best.save(env_steps, Some(mean_return), |writer| {
            write_policy(writer, &snapshot.params, stats)
        })?;
        Ok(())
    }

    /// The best policy.
    pub(super) fn load_best(&self) -> Result<LoadedPolicy> {
        read_policy(&self.best, None)
    }

    /// Whether the run was finished or interrupted before, and said so.
    pub(super) fn has_result(&self) -> bool {
        self.run_dir.join(RESULT_FILE).exists()
    }

    /// Writes `result.json`.
    pub(super) fn write_result(&self, summary: &Summary) -> Result<()> {
        write_replacing(&self.run_dir.join(RESULT_FILE), &serde_json::to_vec_pretty(summary)?)
    }
}

/// Loads a policy from the run folder `run_dir`: the best of the periodic evaluations (the newest
/// if there were none), the newest, or that of one checkpoint.
///
/// # Errors
/// If there is no such checkpoint, or it is damaged.
pub fn load_policy(run_dir: &Path, choice: CheckpointChoice) -> Result<LoadedPolicy> {
    let checkpoints = Checkpoints::new(&run_dir.join(CHECKPOINTS));
    let best = Checkpoints::new(&run_dir.join(BEST));
    match choice {
        CheckpointChoice::Best if best.latest().is_ok_and(|found| found.is_some()) => {
            read_policy(&best, None)
        }
        CheckpointChoice::Best | CheckpointChoice::Latest => read_policy(&checkpoints, None),
        CheckpointChoice::EnvSteps(env_steps) => read_policy(&checkpoints, Some(env_steps)),
    }
}

fn read_policy(checkpoints: &Checkpoints, env_steps: Option<u64>) -> Result<LoadedPolicy> {
    let env_steps = match env_steps {
        Some(env_steps) => env_steps,
        None => match checkpoints.latest()? {
            Some(newest) => newest.env_steps,
            None => bail!("there is no checkpoint in {}", checkpoints.dir().display()),
        },
    };
    let reader = checkpoints.load(env_steps)?;
    let params = read_params(&reader, POLICY_FILE)?;
    Ok(LoadedPolicy { params, stats: read_stats(&reader)?, env_steps })
}

fn write_policy(
    writer: &mut CheckpointWriter,
    params: &[f32],
    stats: Option<&ObsStats>,
) -> Result<()> {
    write_params(writer, POLICY_FILE, params)?;
    if let Some(stats) = stats {
        writer.write_json(STATS_FILE, stats)?;
    }
    Ok(())
}

fn write_params(writer: &mut CheckpointWriter, name: &str, params: &[f32]) -> Result<()> {
    let flat = NamedArray::vector("policy".into(), params.to_vec());
    write_bytes(writer, name, &to_safetensors(&[flat])?)
}

fn read_params(reader: &CheckpointReader, name: &str) -> Result<Vec<f32>> {
    let array = from_safetensors(&read_all(reader, name)?)?.pop();
    let empty = || format!("{name} of checkpoint {} is empty", reader.env_steps());
    Ok(array.with_context(empty)?.values)
}

fn read_stats(reader: &CheckpointReader) -> Result<Option<ObsStats>> {
    let has = reader.files().any(|(name, ..)| name == STATS_FILE);
    Ok(if has { Some(reader.read_json(STATS_FILE)?) } else { None })
}

fn write_bytes(writer: &mut CheckpointWriter, name: &str, bytes: &[u8]) -> Result<()> {
    let mut file = writer.file(name)?;
    file.write_all(bytes)?;
    Ok(file.finish()?)
}

fn read_all(reader: &CheckpointReader, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.open(name)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn to_safetensors(arrays: &[NamedArray]) -> Result<Vec<u8>> {
    let bytes =
        arrays.iter().map(|a| a.values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    let bytes: Vec<_> = bytes.collect();
    let views = arrays.iter().zip(&bytes).map(|(array, bytes)| {
        Ok((array.name.as_str(), TensorView::new(Dtype::F32, array.shape.clone(), bytes)?))
    });
    Ok(safetensors::serialize(views.collect::<Result<Vec<_>>>()?, None)?)
}

fn from_safetensors(bytes: &[u8]) -> Result<Vec<NamedArray>> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let array = |(name, view): (String, TensorView<'_>)| {
        ensure!(view.dtype() == Dtype::F32, "array {name} is {:?}, expected F32", view.dtype());
        let values = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        Ok(NamedArray { name, shape: view.shape().to_vec(), values })
    };
    tensors.tensors().into_iter().map(array).collect()
}

/// Writes a file so that it is whole or absent whenever the process is killed.
fn write_replacing(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("partial");
    fs::write(&beside, bytes).with_context(|| format!("cannot write {}", beside.display()))?;
    fs::rename(&beside, path).with_context(|| format!("cannot write {}", path.display()))
}
