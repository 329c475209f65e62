//! Transitions through real actors and the real replay, in both modes: each observation says
//! which environment, episode and step it is, so whatever the replay returns can be checked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Event, Meddle, checkpoint, config, last, meddled, run_or_hang};
use contrail::config::Config;
use contrail::replay::{Replay, ReplayConfig, Sampling, SubspaceLaw};
use contrail::run::final_evaluation_seeds;
use contrail_agents::{ActionBatch, ObsBatch};
use contrail_envs::{
    Action, ActionSpace, Context, ContextSpec, EnvError, EnvSpec, Environment, ObsMut, ObsSpace,
    Outcome, Registry, RgbFrame, SeedStream, Step, state,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

const ACTORS: usize = 2;
const ENVS: usize = 3;
const GAMMA: f32 = 0.5; // sums of small whole numbers times powers of it are exact in f32
const ACTIONS: usize = 3;
const ENV_STEPS: u64 = 3000;
const CAPACITY: usize = 1300; // the ring is written more than twice

/// Observation: instance, episode, step, last action (-1 at the start).
struct Counting {
    spec: EnvSpec,
    at: At,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct At {
    instance: u32,
    episode: u32,
    step: u32,
}

/// Env steps of an episode.
fn length(instance: u32, episode: u32) -> u32 {
    1 + (5 * episode + instance) % 8
}

/// Odd episodes are cut.
fn end(episode: u32) -> Outcome {
    if episode.is_multiple_of(2) { Outcome::Terminated } else { Outcome::Truncated }
}

/// Reward for the action at `step`: a different one for each step of each episode.
fn reward(instance: u32, episode: u32, step: u32) -> f32 {
    (10_000 * instance + 10 * (episode % 1000) + step) as f32
}

impl Counting {
    fn write(&self, obs: ObsMut<'_>, action: f32) {
        let ObsMut::F32(out) = obs else { panic!("bytes") };
        let At { instance, episode, step } = self.at;
        out.copy_from_slice(&[instance as f32, episode as f32, step as f32, action]);
    }
}

impl Environment for Counting {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, _: u64, _: &Context, obs: ObsMut<'_>) -> Result<(), EnvError> {
        self.at = At { episode: self.at.episode + 1, step: 0, ..self.at };
        self.write(obs, -1.0);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, obs: ObsMut<'_>) -> Result<Step, EnvError> {
        let Action::Discrete(action) = action else { panic!("a box") };
        let At { instance, episode, step } = self.at;
        self.at.step += 1;
        self.write(obs, action as f32);
        let over = self.at.step == length(instance, episode);
        let outcome = if over { end(episode) } else { Outcome::Continue };
        Ok(Step::new(reward(instance, episode, step), outcome))
    }

    fn save_state(&self, out: &mut Vec<u8>) -> Result<(), EnvError> {
        state::save(&self.spec.id, &self.at, out)
    }

    fn restore_state(&mut self, state: &[u8]) -> Result<(), EnvError> {
        self.at = state::restore(&self.spec.id, state)?;
        Ok(())
    }

    fn render(&self, _: &mut RgbFrame) -> Result<(), EnvError> {
        Ok(())
    }
}

fn obs_space() -> ObsSpace {
    ObsSpace::f32(&[4], -1.0, 1e6)
}

fn counting() -> Registry {
    let instances = AtomicU32::new(0);
    let mut registry = Registry::empty();
    registry.register("Counting-v0", move || {
        let spec = EnvSpec {
            id: "Counting-v0".into(),
            obs: obs_space(),
            action: ActionSpace::Discrete(ACTIONS),
            context: ContextSpec::default(),
            time_limit_env_steps: None,
        };
        let instance = instances.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Counting { spec, at: At { instance, ..At::default() } }))
    });
    registry
}

const BASE: &str = r#"
    [run]
    device = "cpu"
    env_steps = 3000
    [env]
    id = "Counting-v0"
    [actors]
    count = 2
    envs_per_actor = 3
    [network]
    hidden_units = [8]
    layer_norm = true
    [dqn]
    gamma = 0.5
    [exploration]
    epsilon_start = 1.0
    epsilon_end = 1.0
    initial_random_env_steps = 0
    [replay]
    capacity_transitions = 1300
    [learner]
    minibatch_size = 8
    learning_starts_env_steps = 100
    samples_per_insert = 2.0
    [evaluation]
    episodes = 0
    final_episodes = 0
    [checkpoint]
    period_env_steps = 1000
    [log]
    period_env_steps = 500
"#;

/// The replay that the run left in its last checkpoint.
fn saved_replay(run_dir: &std::path::Path, n_step: usize) -> Replay {
    let mut replay = Replay::new(ReplayConfig {
        capacity_transitions: CAPACITY,
        obs: obs_space(),
        action: ActionSpace::Discrete(ACTIONS),
        context_len: 0,
        streams: ACTORS * ENVS,
        n_step,
        sampling: Sampling::Uniform,
        subspaces: 1,
        law: SubspaceLaw::Uniform,
        keep_every_subspace: false,
    })
    .unwrap();
    let bytes = checkpoint(run_dir, ENV_STEPS).remove("replay.bin").unwrap();
    replay.restore(&mut bytes.as_slice()).unwrap();
    replay
}

/// Draws from `replay` and compares every row with what its observation says it must be. Returns
/// the instances, and how many windows ended in each way.
fn check_rows(replay: &mut Replay, n_step: u32) -> (BTreeSet<u32>, [usize; 3]) {
    let mut rng = SeedStream::root(1).rng();
    let (mut instances, mut ends) = (BTreeSet::new(), [0; 3]);
    let batch = replay.sample(20_000, 0.0, &mut rng).unwrap().minibatch;
    let (ObsBatch::F32(obs), ObsBatch::F32(next_obs)) = (&batch.obs, &batch.next_obs) else {
        panic!("bytes")
    };
    let ActionBatch::Discrete(actions) = &batch.actions else { panic!("a box") };
    for row in 0..batch.len() {
        let (obs, next) = (&obs[4 * row..][..4], &next_obs[4 * row..][..4]);
        let [instance, episode, step] = [0, 1, 2].map(|i| obs[i] as u32);
        let left = length(instance, episode) - step;
        let span = n_step.min(left);
        assert_eq!(next[..3], [obs[0], obs[1], obs[2] + span as f32], "{obs:?} to {next:?}");
        if span == 1 {
            assert_eq!(next[3], actions[row] as f32, "{obs:?}: the action");
        }
        let returned =
            (0..span).map(|k| GAMMA.powi(k as i32) * reward(instance, episode, step + k));
        assert_eq!(batch.n_step_return[row], returned.sum::<f32>(), "{obs:?}: the return");
        let ended = span == left;
        let terminated = ended && end(episode) == Outcome::Terminated;
        let discount = if terminated { 0.0 } else { GAMMA.powi(span as i32) };
        assert_eq!(batch.discount[row], discount, "{obs:?}: the discount");
        instances.insert(instance);
        ends[if terminated { 2 } else { usize::from(ended) }] += 1;
    }
    (instances, ends)
}

#[test]
fn what_comes_out_of_the_replay_is_unmixed() {
    for mode in ["serial", "threaded"] {
        for n_step in [1, 3] {
            let dir = tempfile::tempdir().unwrap();
            let set = [format!("run.mode={mode}"), format!("dqn.n_step={n_step}")];
            let config: Config = config(BASE, &set.each_ref().map(String::as_str));
            let summary = run_or_hang(&config, &counting(), dir.path()).unwrap();
            assert_eq!(summary.counters.env_steps, ENV_STEPS);
            assert!(summary.counters.updates > 0);
            let mut replay = saved_replay(dir.path(), n_step as usize);
            let (instances, ends) = check_rows(&mut replay, n_step);
            assert_eq!(instances.len(), ACTORS * ENVS, "{mode} {n_step}");
            assert!(ends.iter().all(|count| *count > 100), "{mode} {n_step}: {ends:?}");
            // Nothing was lost on the way: what is not in yet are the open windows, at most n - 1
            // env steps of each environment.
            let open = ENV_STEPS - replay.inserted();
            assert!(open <= (ACTORS * ENVS) as u64 * (n_step as u64 - 1), "{mode}: {open} missing");
            assert_eq!(last(dir.path(), "replay/dropped_transitions"), 0.0);
        }
    }
}

/// Actors follow the learner: the policy that acts is never many updates old.
#[test]
fn actors_act_with_new_policies() {
    for (mode, most) in [("serial", 4.0), ("threaded", 40.0)] {
        let dir = tempfile::tempdir().unwrap();
        let set = [format!("run.mode={mode}"), "learner.snapshot_period_updates=2".into()];
        let config = config(BASE, &set.each_ref().map(String::as_str));
        let summary = run_or_hang(&config, &counting(), dir.path()).unwrap();
        let lag = last(dir.path(), "train/version_diff_max");
        assert!(summary.counters.updates > 300, "{mode}: {:?}", summary.counters);
        assert!(lag <= most, "{mode}: the policy of an actor was {lag} updates old");
    }
}

/// Training, periodic and final evaluations share no seed, and neither do two environments.
#[test]
fn no_seed_is_used_twice() {
    for mode in ["serial", "threaded"] {
        let dir = tempfile::tempdir().unwrap();
        let seeds = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seeds);
        let registry = meddled("CartPole-v1", move |_, event| {
            if let Event::Reset(seed) = event {
                log.lock().unwrap().push(seed);
            }
            Meddle::Nothing
        });
        let set = [
            "env.id=Meddled-v0",
            "evaluation.episodes=4",
            "evaluation.period_env_steps=500",
            &format!("run.mode={mode}"),
        ];
        let config = config(BASE, &set);
        run_or_hang(&config, &registry, dir.path()).unwrap();
        let used = seeds.lock().unwrap().clone();
        let distinct: BTreeSet<u64> = used.iter().copied().collect();
        assert!(used.len() > 100 && used.len() == distinct.len(), "{mode}: {} resets", used.len());
        let episodes = final_evaluation_seeds(&config).stream("episode");
        assert!((0..100).all(|i| !distinct.contains(&episodes.index(i).seed())));
    }
}
