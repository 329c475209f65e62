//! What the adapter makes of sound and of broken environments.

use crate::Made;
use crate::toys::{Fault, Glide, Screen};
use contrail_envs::conformance::{CheckOptions, Rule, check};
use contrail_envs::gymnasium_rs::{Adapter, AdapterOptions};
use contrail_envs::{
    Action, ActionSpace, Context, ContextSpec, ContextValue, EnvError, Environment, ObsBuffer,
    ObsMut, ObsSpace, Outcome, RgbFrame,
};
use gymnasium_rs::envs::cartpole::CartPole;
use ndarray::Array1;
use std::sync::Arc;
use std::sync::atomic::Ordering;

type GlideAdapter = Adapter<Array1<f32>, Array1<f32>>;

const RIGHT: Action<'static> = Action::Box(&[0.125, 0.0]);

fn glide(fault: Fault, options: AdapterOptions) -> GlideAdapter {
    Adapter::new("Glide-v0", Glide::new(fault), options).unwrap()
}

fn reset(env: &mut GlideAdapter, seed: u64) -> Result<[f32; 2], EnvError> {
    let mut obs = [7.0; 2];
    env.reset(seed, &Context::default(), ObsMut::F32(&mut obs)).map(|()| obs)
}

fn step(env: &mut GlideAdapter) -> Result<[f32; 2], EnvError> {
    let mut obs = [7.0; 2];
    env.step(RIGHT, ObsMut::F32(&mut obs)).map(|_| obs)
}

fn save(env: &GlideAdapter) -> Result<Vec<u8>, EnvError> {
    let mut saved = Vec::new();
    env.save_state(&mut saved).map(|()| saved)
}

#[test]
fn an_environment_with_box_actions_and_pictures_conforms_to_every_rule() {
    let make = || -> Made { Ok(Box::new(glide(Fault::None, AdapterOptions::default()))) };
    let report = check(&make, &CheckOptions { episodes: 20, ..CheckOptions::default() });
    assert!(report.conforms(), "{report}");
    for rule in Rule::ALL {
        // It cuts its episodes itself and states no limit; no subspace is declared.
        let unasked = matches!(rule, Rule::TimeLimit | Rule::FinalObs | Rule::SubspacesDiffer);
        assert!(unasked || report.checked.contains(&rule), "{rule:?}\n{report}");
    }
    assert!(report.terminated > 0 && report.truncated > 0, "{report}");
}

#[test]
fn pictures_keep_their_rows_and_channels() {
    let mut env = glide(Fault::None, AdapterOptions::default());
    reset(&mut env, 0).unwrap();
    let mut frame = RgbFrame::default();
    env.render(&mut frame).unwrap();
    // 2 rows of 4 pixels; red at the top left.
    let pixels = [vec![100], vec![0; 23]].concat();
    assert_eq!(frame, RgbFrame { width: 4, height: 2, pixels });
}

#[test]
fn images_keep_the_shape_that_the_caller_gives() {
    let make = || -> Made {
        let obs = Some(ObsSpace::u8(&[2, 2, 3], 255));
        let options = AdapterOptions { obs, ..AdapterOptions::default() };
        Ok(Box::new(Adapter::new("Screen-v0", Screen, options)?))
    };
    // Render: it gives no picture.
    let options = CheckOptions { skip: vec![Rule::Render], ..CheckOptions::default() };
    let report = check(&make, &options);
    assert!(report.conforms(), "{report}");

    let mut env = make().unwrap();
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    for (action, outcome) in
        [(49, Outcome::Terminated), (99, Outcome::Truncated), (199, Outcome::Continue)]
    {
        env.reset(5, &Context::default(), obs.as_mut()).unwrap();
        assert_eq!(obs, ObsBuffer::U8(vec![5; 12]));
        let step = env.step(Action::Discrete(action), obs.as_mut()).unwrap();
        let shown = u8::try_from(action).unwrap();
        assert_eq!(obs, ObsBuffer::U8([[shown; 6], [9; 6]].concat()));
        assert_eq!(step.outcome, outcome);
    }
    let error = env.render(&mut RgbFrame::default()).unwrap_err();
    assert_eq!(error.to_string(), "Screen-v0: its render gives no picture");
}

#[test]
fn what_goes_wrong_in_their_code_is_a_sentence_and_a_reset_goes_on() {
    // fault, steps before it, the error
    let table = [
        (Fault::Panics, 2, "its step panicked: the third step"),
        (Fault::ShortObs, 0, "an observation has 1 elements, its space has 2"),
        (Fault::NanObs, 0, "observation element 1 is NaN, it must be finite"),
        (Fault::NanReward, 0, "the reward is NaN, it must be finite"),
    ];
    for (fault, good, expected) in table {
        let mut env = glide(fault, AdapterOptions::default());
        reset(&mut env, 0).unwrap();
        for _ in 0..good {
            step(&mut env).unwrap();
        }
        let mut obs = [7.0; 2];
        let error = env.step(RIGHT, ObsMut::F32(&mut obs)).unwrap_err();
        assert_eq!(error.to_string(), format!("Glide-v0: {expected}"));
        assert_eq!(obs, [7.0; 2], "the caller's slice is left alone");
        let error = step(&mut env).unwrap_err();
        assert!(matches!(error, EnvError::NeedsReset { when: "after the environment failed", .. }));
        // Lost it stays, also where it is restored.
        let mut other = glide(Fault::None, AdapterOptions::default());
        other.restore_state(&save(&env).unwrap()).unwrap();
        assert!(matches!(step(&mut other).unwrap_err(), EnvError::NeedsReset { .. }));
        reset(&mut env, 0).unwrap();
    }
}

#[test]
fn a_panic_in_their_reset_is_an_error() {
    // `low` at or above `high` is no range; the context's bounds should have excluded it.
    let low = ContextValue::new("low", "1", -0.05, (-0.2, 0.2), "smallest start");
    let context = ContextSpec { values: vec![low] };
    let options = AdapterOptions { context: context.clone(), ..AdapterOptions::default() };
    let mut env = Adapter::new("Theirs/CartPole-v1", CartPole::new(), options).unwrap();
    let mut obs = [0.0; 4];
    env.reset(0, &context.default_context(), ObsMut::F32(&mut obs)).unwrap();
    let bad = context.with(&[("low", 0.1)]).unwrap();
    let error = env.reset(0, &bad, ObsMut::F32(&mut obs)).unwrap_err();
    assert!(error.to_string().starts_with("Theirs/CartPole-v1: its reset panicked: "), "{error}");
    assert!(env.step(Action::Discrete(0), ObsMut::F32(&mut obs)).is_err());
    env.reset(0, &context.default_context(), ObsMut::F32(&mut obs)).unwrap();
}

#[test]
fn an_episode_is_saved_up_to_the_limit() {
    let limited = |replay_limit_env_steps| {
        let options = AdapterOptions { replay_limit_env_steps, ..AdapterOptions::default() };
        glide(Fault::None, options)
    };
    let mut env = limited(2);
    reset(&mut env, 0).unwrap();
    step(&mut env).unwrap();
    step(&mut env).unwrap();
    let two_steps = save(&env).unwrap();
    step(&mut env).unwrap();
    let error = save(&env).unwrap_err();
    assert!(matches!(error, EnvError::Unsavable { .. }), "{error}");
    assert!(error.to_string().contains("has 3 env steps, replay_limit_env_steps is 2"), "{error}");
    // The start is 0; each step adds 0.125, exactly.
    let mut other = limited(2);
    other.restore_state(&two_steps).unwrap();
    assert_eq!(step(&mut other).unwrap(), [0.375, 0.0]);
    reset(&mut env, 0).unwrap();
    assert!(save(&env).is_ok(), "the limit counts from the reset");

    let mut never = limited(0);
    assert!(matches!(save(&never).unwrap_err(), EnvError::Unsavable { .. }));
    let error = never.restore_state(&two_steps).unwrap_err();
    assert!(matches!(error, EnvError::BadState { .. }), "{error}");
}

#[test]
fn an_environment_that_does_not_repeat_itself_is_found_out() {
    let mut env = glide(Fault::IgnoresSeed, AdapterOptions::default());
    reset(&mut env, 0).unwrap();
    step(&mut env).unwrap();
    let saved = save(&env).unwrap();
    let error = env.restore_state(&saved).unwrap_err();
    assert!(matches!(error, EnvError::BadState { .. }), "{error}");
    assert!(error.to_string().contains("does not repeat itself"), "{error}");
    assert!(matches!(step(&mut env).unwrap_err(), EnvError::NeedsReset { .. }));
    // A panic on the way is a bad state too: this one has made 1 of its 2 good steps.
    let mut panics = glide(Fault::Panics, AdapterOptions::default());
    reset(&mut panics, 0).unwrap();
    step(&mut panics).unwrap();
    step(&mut panics).unwrap();
    let error = panics.restore_state(&save(&panics).unwrap()).unwrap_err();
    assert!(error.to_string().contains("its step panicked"), "{error}");
}

#[test]
fn a_refused_state_leaves_the_episode_alone() {
    let wider = ActionSpace::Box { low: vec![-9.0, 0.0], high: vec![9.0, 1.0] };
    let options = AdapterOptions { action: Some(wider), ..AdapterOptions::default() };
    let mut wide = glide(Fault::None, options);
    reset(&mut wide, 0).unwrap();
    wide.step(Action::Box(&[0.75, 0.0]), ObsMut::F32(&mut [0.0; 2])).unwrap();
    let mut env = glide(Fault::None, AdapterOptions::default());
    reset(&mut env, 0).unwrap();
    step(&mut env).unwrap();
    let error = env.restore_state(&save(&wide).unwrap()).unwrap_err();
    assert!(error.to_string().contains("action Box([0.75, 0.0]) is not in"), "{error}");
    assert_eq!(step(&mut env).unwrap(), [0.25, 0.0]);
}

#[test]
fn spaces_can_come_from_the_caller_alone() {
    let error = Adapter::new("Glide-v0", Glide::new(Fault::NoSpaces), AdapterOptions::default());
    let error = error.err().unwrap().to_string();
    assert!(error.contains("its observation_space panicked: no observation space"), "{error}");
    let options = AdapterOptions {
        obs: Some(ObsSpace::f32(&[2], -2.0, 2.0)),
        action: Some(ActionSpace::Box { low: vec![0.0; 2], high: vec![1.0; 2] }),
        ..AdapterOptions::default()
    };
    let mut env = glide(Fault::NoSpaces, options);
    reset(&mut env, 0).unwrap();
    assert_eq!(step(&mut env).unwrap(), [0.125, 0.0]);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let none = AdapterOptions::default;
    let backwards = ContextValue::new("wind", "m/s", 5.0, (0.0, 1.0), "pushes");
    let table = [
        (AdapterOptions { obs: Some(ObsSpace::u8(&[2], 1)), ..none() }, "observations are F32"),
        (AdapterOptions { action: Some(ActionSpace::Discrete(2)), ..none() }, "cannot hold"),
        (AdapterOptions { time_limit_env_steps: Some(0), ..none() }, "time limit is 0"),
        (
            AdapterOptions { context: ContextSpec { values: vec![backwards] }, ..none() },
            "wind is 5 m/s, allowed 0 to 1",
        ),
    ];
    for (options, expected) in table {
        let error = Adapter::new("Glide-v0", Glide::new(Fault::None), options).err().unwrap();
        assert!(matches!(error, EnvError::BadOption(_)), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("Glide-v0: ") && text.contains(expected), "{text}");
    }
}

#[test]
fn dropping_the_adapter_closes_their_environment() {
    let toy = Glide::new(Fault::None);
    let closed = Arc::clone(&toy.closed);
    let env = Adapter::new("Glide-v0", toy, AdapterOptions::default()).unwrap();
    assert!(!closed.load(Ordering::Relaxed));
    drop(env);
    assert!(closed.load(Ordering::Relaxed));
    // One whose `close` panics is dropped quietly.
    drop(Adapter::new("Screen-v0", Screen, AdapterOptions::default()).unwrap());
}
