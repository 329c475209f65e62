//! Classic control against trajectories recorded from Gymnasium, and the random starts.
//!
//! `envs/tests/fixtures/record_classic.py` wrote the fixtures; each says which versions it used.
//! A trajectory's state is set once, at its start; every later step is compared.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; shared functions are not #[test]s"
)]

use contrail_envs::builtin::classic::{
    Acrobot, CartPole, ClassicEnv, Dynamics, MountainCar, MountainCarContinuous, Pendulum,
};
use contrail_envs::{
    Action, ActionSpace, EnvError, EnvSpec, Environment, ObsMut, ObsRef, ObsSpace, Outcome, Step,
};
use serde::Deserialize;
use std::f64::consts::PI;
use std::path::Path;

/// Allowed difference, relative.
const RELATIVE: f64 = 1e-5;
/// Allowed difference near 0.
const ABSOLUTE: f64 = 1e-6;
/// Fewest steps that a fixture must hold.
const MIN_STEPS: usize = 1_000;

#[derive(Deserialize)]
struct Fixture {
    recorded_with: String,
    id: String,
    spec: RecordedSpec,
    trajectories: Vec<Trajectory>,
}

/// Gymnasium's spaces and time limit; an infinite bound is `None`.
#[derive(Deserialize)]
struct RecordedSpec {
    obs_low: Vec<Option<f64>>,
    obs_high: Vec<Option<f64>>,
    num_actions: Option<usize>,
    action_low: Option<Vec<f32>>,
    action_high: Option<Vec<f32>>,
    time_limit_env_steps: u32,
}

#[derive(Deserialize)]
struct Trajectory {
    /// Context values that differ from the published ones.
    context: std::collections::BTreeMap<String, f64>,
    start: Vec<f64>,
    /// Rows of `[action, state after..., observation..., reward, terminated]`.
    steps: Vec<Vec<f64>>,
}

/// What a replay saw.
#[derive(Default)]
struct Seen {
    steps: usize,
    steps_in_varied_contexts: usize,
    terminations: usize,
}

fn fixture(id: &str) -> Fixture {
    let name = format!("tests/fixtures/classic_{id}.json");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn assert_close(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (got_value, want_value) in got.iter().zip(want) {
        let allowed = ABSOLUTE + RELATIVE * want_value.abs();
        let close = (got_value - want_value).abs() <= allowed; // false for NaN
        assert!(close, "{what}: got {got:?}, Gymnasium has {want:?}");
    }
}

fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn act<D: Dynamics>(env: &mut ClassicEnv<D>, action: f64, obs: &mut [f32]) -> Step {
    let discrete = matches!(env.spec().action, ActionSpace::Discrete(_));
    let pushed = [action as f32];
    let action = if discrete { Action::Discrete(action as usize) } else { Action::Box(&pushed) };
    env.step(action, ObsMut::F32(obs)).unwrap()
}

fn replay<D: Dynamics<State = [f64; N]>, const N: usize>(trajectory: &Trajectory, seen: &mut Seen) {
    let mut env = ClassicEnv::<D>::new();
    let replaced: Vec<(&str, f64)> =
        trajectory.context.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let context = env.spec().context.with(&replaced).unwrap();
    let mut obs = vec![0.0; env.spec().obs.len()];
    env.reset(0, &context, ObsMut::F32(&mut obs)).unwrap();
    env.set_physics(trajectory.start.as_slice().try_into().unwrap());
    for (index, row) in trajectory.steps.iter().enumerate() {
        let what = format!("step {index} from {:?} under {replaced:?}", trajectory.start);
        let (state, rest) = row[1..].split_at(N);
        let (observed, rest) = rest.split_at(obs.len());
        let step = act(&mut env, row[0], &mut obs);
        assert_close(&format!("{what}, state"), &env.physics(), state);
        assert_close(&format!("{what}, observation"), &to_f64(&obs), observed);
        assert_close(&format!("{what}, reward"), &[f64::from(step.reward)], &rest[..1]);
        let outcome = if rest[1] == 1.0 { Outcome::Terminated } else { Outcome::Continue };
        assert_eq!(step.outcome, outcome, "{what}");
        assert_eq!(env.spec().obs.violations(ObsRef::F32(&obs)), [""; 0], "{what}");
        seen.steps += 1;
        seen.steps_in_varied_contexts += usize::from(!replaced.is_empty());
        seen.terminations += usize::from(outcome == Outcome::Terminated);
    }
}

fn check_spec(spec: &EnvSpec, recorded: &RecordedSpec) {
    let or_infinite = |bounds: &[Option<f64>], infinity: f32| -> Vec<f32> {
        bounds.iter().map(|bound| bound.map_or(infinity, |bound| bound as f32)).collect()
    };
    let low = or_infinite(&recorded.obs_low, f32::NEG_INFINITY);
    let high = or_infinite(&recorded.obs_high, f32::INFINITY);
    assert_eq!(spec.obs, ObsSpace::f32_vector(&low, &high));
    let action = match (recorded.num_actions, &recorded.action_low, &recorded.action_high) {
        (Some(n), _, _) => ActionSpace::Discrete(n),
        (None, Some(low), Some(high)) => ActionSpace::Box { low: low.clone(), high: high.clone() },
        other => panic!("the fixture has no action space: {other:?}"),
    };
    assert_eq!(spec.action, action);
    assert_eq!(spec.time_limit_env_steps, Some(recorded.time_limit_env_steps));
}

fn check_parity<D: Dynamics<State = [f64; N]>, const N: usize>(
    _env: ClassicEnv<D>,
    min_terminations: usize,
) {
    let env = ClassicEnv::<D>::new();
    let fixture = fixture(&env.spec().id);
    assert_eq!(fixture.id, env.spec().id);
    assert!(fixture.recorded_with.starts_with("gymnasium 1.4"), "{}", fixture.recorded_with);
    check_spec(env.spec(), &fixture.spec);
    let mut seen = Seen::default();
    for trajectory in &fixture.trajectories {
        replay::<D, N>(trajectory, &mut seen);
    }
    assert!(seen.steps >= MIN_STEPS, "only {} steps were compared", seen.steps);
    assert!(seen.steps_in_varied_contexts >= 100, "{}", seen.steps_in_varied_contexts);
    assert!(seen.terminations >= min_terminations, "only {} terminations", seen.terminations);
}

#[test]
fn cartpole_moves_like_gymnasium() {
    check_parity(CartPole::new(), 50);
}

#[test]
fn acrobot_moves_like_gymnasium() {
    check_parity(Acrobot::new(), 10);
}

#[test]
fn mountain_car_moves_like_gymnasium() {
    check_parity(MountainCar::new(), 10);
}

#[test]
fn mountain_car_continuous_moves_like_gymnasium() {
    check_parity(MountainCarContinuous::new(), 10);
}

#[test]
fn pendulum_moves_like_gymnasium() {
    check_parity(Pendulum::new(), 0); // it never terminates
}

/// Every element of the start is uniform between `low` and `high` (or always `low` if equal):
/// 4,000 draws stay inside, come within 1 % of both ends, and average to the middle within five
/// standard errors (the standard deviation is the width / sqrt(12)).
fn check_starts<D: Dynamics<State = [f64; N]>, const N: usize>(
    mut env: ClassicEnv<D>,
    (low, high): ([f64; N], [f64; N]),
) {
    const DRAWS: u32 = 4_000;
    const F32_SLACK: f64 = 1e-7; // some starts are rounded to f32
    let context = env.spec().context.default_context();
    let mut obs = vec![0.0; env.spec().obs.len()];
    let (mut least, mut most, mut sum) = (high, low, [0.0; N]);
    for seed in 0..DRAWS {
        env.reset(u64::from(seed), &context, ObsMut::F32(&mut obs)).unwrap();
        for (i, value) in env.physics().into_iter().enumerate() {
            least[i] = value.min(least[i]);
            most[i] = value.max(most[i]);
            sum[i] += value;
        }
    }
    for i in 0..N {
        let (width, middle) = (high[i] - low[i], f64::midpoint(low[i], high[i]));
        let edge = 0.01 * width + F32_SLACK;
        let what = format!("element {i}: {} to {}", least[i], most[i]);
        assert!(least[i] >= low[i] - F32_SLACK && least[i] <= low[i] + edge, "{what}");
        assert!(most[i] <= high[i] + F32_SLACK && most[i] >= high[i] - edge, "{what}");
        let mean = sum[i] / f64::from(DRAWS);
        let error = 5.0 * width / (12.0 * f64::from(DRAWS)).sqrt();
        assert!((mean - middle).abs() <= error + F32_SLACK, "{what}, mean {mean}");
    }
}

#[test]
fn starts_are_distributed_as_in_gymnasium() {
    check_starts(CartPole::new(), ([-0.05; 4], [0.05; 4]));
    check_starts(Acrobot::new(), ([-0.1; 4], [0.1; 4]));
    check_starts(MountainCar::new(), ([-0.6, 0.0], [-0.4, 0.0]));
    check_starts(MountainCarContinuous::new(), ([-0.6, 0.0], [-0.4, 0.0]));
    check_starts(Pendulum::new(), ([-PI, -1.0], [PI, 1.0]));
}

/// Observations and rewards of 30 steps under a fixed pattern of actions.
fn episode<D: Dynamics>(env: &mut ClassicEnv<D>, seed: u64) -> Vec<f32> {
    let context = env.spec().context.default_context();
    let mut obs = vec![0.0; env.spec().obs.len()];
    env.reset(seed, &context, ObsMut::F32(&mut obs)).unwrap();
    let mut seen = obs.clone();
    for index in 0..30 {
        let step = act(env, f64::from(index % 2), &mut obs);
        seen.extend_from_slice(&obs);
        seen.push(step.reward);
        if step.outcome.ends_episode() {
            break;
        }
    }
    seen
}

fn check_seeds<D: Dynamics>(mut env: ClassicEnv<D>) {
    let first = episode(&mut env, 3);
    let id = &env.spec().id.clone();
    assert_eq!(first, episode(&mut env, 3), "{id}: the same seed, the same environment");
    assert_eq!(first, episode(&mut ClassicEnv::<D>::new(), 3), "{id}: a fresh environment");
    let obs_len = env.spec().obs.len();
    let other = episode(&mut env, 4);
    assert_ne!(first[..obs_len], other[..obs_len], "{id}: other seeds start elsewhere");
}

#[test]
fn a_seed_decides_the_episode() {
    check_seeds(CartPole::new());
    check_seeds(Acrobot::new());
    check_seeds(MountainCar::new());
    check_seeds(MountainCarContinuous::new());
    check_seeds(Pendulum::new());
}

/// Every context value is refused just outside its bounds, and at both bounds an episode stays in
/// the observation space.
fn check_context<D: Dynamics>(mut env: ClassicEnv<D>) {
    let spec = env.spec().clone();
    let mut obs = vec![0.0; spec.obs.len()];
    for (index, value) in spec.context.values.iter().enumerate() {
        for bad in [value.low - 1e-9, value.high + 1e-9, f64::NAN] {
            let mut context = spec.context.default_context();
            context.values[index] = bad;
            let error = env.reset(0, &context, ObsMut::F32(&mut obs)).unwrap_err();
            assert!(matches!(error, EnvError::InvalidContext(_)), "{}: {error}", spec.id);
            assert!(error.to_string().contains(&value.name), "{}: {error}", spec.id);
        }
        for bound in [value.low, value.high] {
            let context = spec.context.with(&[(&value.name, bound)]).unwrap();
            env.reset(0, &context, ObsMut::F32(&mut obs)).unwrap();
            for _ in 0..50 {
                let step = act(&mut env, 1.0, &mut obs);
                let violations = spec.obs.violations(ObsRef::F32(&obs));
                assert_eq!(violations, [""; 0], "{} with {} {bound}", spec.id, value.name);
                if step.outcome.ends_episode() {
                    break;
                }
            }
        }
    }
}

#[test]
fn contexts_out_of_bounds_are_refused() {
    check_context(CartPole::new());
    check_context(Acrobot::new());
    check_context(MountainCar::new());
    check_context(MountainCarContinuous::new());
    check_context(Pendulum::new());
}
