//! Their `CartPole`.

use crate::Made;
use contrail_envs::conformance::{CheckOptions, Rule, check};
use contrail_envs::gymnasium_rs::{Adapter, AdapterOptions};
use contrail_envs::wrappers::TimeLimit;
use contrail_envs::{
    Action, Context, ContextSpec, ContextValue, EnvError, Environment, ObsMut, ObsSpace, Outcome,
    RgbFrame, Step,
};
use gymnasium_rs::core::Env;
use gymnasium_rs::envs::cartpole::CartPole;
use ndarray::Array1;
use std::collections::BTreeSet;

/// The range of the start of their `CartPole`, which are options of its reset.
fn start_range() -> ContextSpec {
    let low = ContextValue::new("low", "1", -0.05, (-0.2, 0.0), "smallest start of any element");
    let high = ContextValue::new("high", "1", 0.05, (1e-30, 0.2), "largest start of any element");
    ContextSpec { values: vec![low, high] }
}

fn cartpole(options: AdapterOptions) -> Adapter<Array1<f32>, i32> {
    Adapter::new("Theirs/CartPole-v1", CartPole::new(), options).unwrap()
}

/// Their `CartPole` at the origin, up to 1e-30.
fn at_origin() -> Adapter<Array1<f32>, i32> {
    let mut env = cartpole(AdapterOptions { context: start_range(), ..AdapterOptions::default() });
    let context = start_range().with(&[("low", 0.0), ("high", 1e-30)]).unwrap();
    let mut obs = [1.0; 4];
    env.reset(0, &context, ObsMut::F32(&mut obs)).unwrap();
    assert!(obs.iter().all(|v| (0.0..=1e-30).contains(v)), "{obs:?}");
    env
}

/// Step `number` of an episode, its observation, and by how much that may differ from `expected`.
fn assert_near(number: usize, obs: [f32; 4], expected: [f64; 4]) {
    for (value, expected) in obs.into_iter().zip(expected) {
        assert!((f64::from(value) - expected).abs() < 2e-6, "step {number}: {obs:?}");
    }
}

/// From rest at the origin the sine is 0 and the cosine 1. A push of 10 N to the right gives
///   temp     = 10 / 1.0                         =  10
///   thetaacc = -10 / (0.5 (4/3 - 0.1 / 1.0))    = -600/37   (Gymnasium, with 1.1: -600/41)
///   xacc     = 10 + 0.5 · 600/37 / 1.0          =  670/37   (Gymnasium, 0.05 for 0.5: 400/41)
/// and 0.02 s later, positions first, then velocities:
///   step 1:  x 0              x_dot 13.4/37   theta 0            theta_dot -12/37
/// theta was still 0, so a second push adds the same again to the velocities:
///   step 2:  x 0.02·13.4/37   x_dot 26.8/37   theta -0.02·12/37  theta_dot -24/37
/// Gymnasium's first step would give x_dot 8/41 and theta_dot -12/41.
#[test]
fn the_first_steps_of_their_cartpole_follow_its_formulas() {
    let mut env = at_origin();
    let table = [
        [0.0, 13.4 / 37.0, 0.0, -12.0 / 37.0],
        [0.02 * 13.4 / 37.0, 26.8 / 37.0, -0.02 * 12.0 / 37.0, -24.0 / 37.0],
    ];
    for (index, expected) in table.into_iter().enumerate() {
        let mut obs = [f32::NAN; 4];
        let step = env.step(Action::Discrete(1), ObsMut::F32(&mut obs)).unwrap();
        assert_eq!(step, Step { reward: 1.0, outcome: Outcome::Continue, frames: 1 });
        assert_near(index + 1, obs, expected);
    }
}

/// Pushed right from the origin, theta is about -0.02² · 600/37 · k(k-1)/2 after step k, a little
/// more for gravity: -0.182 (with it -0.184) after step 8 and -0.234 (-0.238) after step 9. The
/// limit is 12 degrees, 0.2094. Step 9 ends the episode and is rewarded 0.
#[test]
fn their_cartpole_ends_at_step_nine_and_only_a_reset_goes_on() {
    let mut env = at_origin();
    let mut obs = [0.0; 4];
    for number in 1..=9 {
        let step = env.step(Action::Discrete(1), ObsMut::F32(&mut obs)).unwrap();
        let (reward, outcome) =
            if number < 9 { (1.0, Outcome::Continue) } else { (0.0, Outcome::Terminated) };
        assert_eq!((step.reward, step.outcome), (reward, outcome), "step {number}");
    }
    assert!((obs[2] + 0.238).abs() < 1e-3, "the final observation, not a new one: {obs:?}");
    let error = env.step(Action::Discrete(1), ObsMut::F32(&mut obs)).unwrap_err();
    assert!(matches!(error, EnvError::NeedsReset { when: "after the end of the episode", .. }));
    env.reset(0, &start_range().default_context(), ObsMut::F32(&mut obs)).unwrap();
    env.step(Action::Discrete(1), ObsMut::F32(&mut obs)).unwrap();
}

#[test]
fn seeds_observations_and_rewards_are_theirs_bit_by_bit() {
    let mut ours = cartpole(AdapterOptions::default());
    let mut theirs = CartPole::new();
    let mut obs = [0.0; 4];
    for seed in [0, 1, 7, i32::MAX] {
        let seed_u64 = u64::try_from(seed).unwrap();
        ours.reset(seed_u64, &Context::default(), ObsMut::F32(&mut obs)).unwrap();
        assert_eq!(obs[..], theirs.reset_seed(seed).0.to_vec());
        for number in 0.. {
            let action = usize::from(number % 3 == 0);
            let step = ours.step(Action::Discrete(action), ObsMut::F32(&mut obs)).unwrap();
            let (expected, reward, terminated, ..) = theirs.step(i32::try_from(action).unwrap());
            assert_eq!((&obs[..], step.reward), (&expected.to_vec()[..], reward));
            assert_eq!(step.outcome == Outcome::Terminated, terminated);
            if terminated {
                break;
            }
        }
    }
}

#[test]
fn their_cartpole_conforms_but_for_its_last_angle_and_its_picture() {
    // ObsInSpace: the last angle is beyond the bound in their own space.
    // Render: their render is `unimplemented!`.
    let unmet = [Rule::ObsInSpace, Rule::Render];
    let make = || -> Made {
        let env = cartpole(AdapterOptions { context: start_range(), ..AdapterOptions::default() });
        Ok(Box::new(env))
    };
    let skip = unmet.to_vec();
    let report = check(&make, &CheckOptions { skip, ..CheckOptions::default() });
    assert!(report.conforms(), "{report}");
    for rule in Rule::ALL {
        // No time limit is stated and no subspace declared here.
        let unasked = matches!(rule, Rule::TimeLimit | Rule::FinalObs | Rule::SubspacesDiffer);
        assert!(
            unasked || unmet.contains(&rule) || report.checked.contains(&rule),
            "{rule:?}\n{report}"
        );
    }
    let report = check(&make, &CheckOptions::default());
    assert_eq!(
        report.broken_rules(),
        BTreeSet::from(unmet),
        "nothing is skipped in vain\n{report}"
    );
}

#[test]
fn with_a_space_of_the_callers_only_the_picture_is_missing() {
    let make = || -> Made {
        let high = [4.8, f32::MAX, 0.42, f32::MAX];
        let obs = Some(ObsSpace::f32_vector(&high.map(|v| -v), &high));
        let options = AdapterOptions { obs, ..AdapterOptions::default() };
        Ok(Box::new(TimeLimit::new(cartpole(options), 15)))
    };
    // Render: as above.
    let options = CheckOptions { skip: vec![Rule::Render], ..CheckOptions::default() };
    let report = check(&make, &options);
    assert!(report.conforms() && report.checked.contains(&Rule::TimeLimit), "{report}");
}

#[test]
fn their_unimplemented_render_is_a_sentence() {
    let mut env = cartpole(AdapterOptions::default());
    let error = env.render(&mut RgbFrame::default()).unwrap_err();
    assert!(error.to_string().ends_with("there is nothing to draw; call reset first"), "{error}");
    env.reset(0, &Context::default(), ObsMut::F32(&mut [0.0; 4])).unwrap();
    let error = env.render(&mut RgbFrame::default()).unwrap_err();
    assert_eq!(error.to_string(), "Theirs/CartPole-v1: its render panicked: not implemented");
}

#[test]
fn refused_before_it_reaches_them() {
    let mut env = cartpole(AdapterOptions { context: start_range(), ..AdapterOptions::default() });
    let mut obs = [0.0; 4];
    let error = env.step(Action::Discrete(0), ObsMut::F32(&mut obs)).unwrap_err();
    assert!(matches!(error, EnvError::NeedsReset { when: "before the first reset", .. }));
    let default = start_range().default_context();
    env.reset(0, &default, ObsMut::F32(&mut obs)).unwrap();
    for action in [Action::Discrete(2), Action::Discrete(1 << 32), Action::Box(&[0.0])] {
        let error = env.step(action, ObsMut::F32(&mut obs)).unwrap_err();
        assert!(matches!(error, EnvError::InvalidAction { .. }), "{error}");
    }
    let error = env.step(Action::Discrete(0), ObsMut::F32(&mut [0.0; 3])).unwrap_err();
    assert!(matches!(error, EnvError::BadBuffer { .. }), "{error}");
    let error = start_range().with(&[("low", -0.3)]).unwrap_err();
    assert!(error.to_string().contains("allowed -0.2 to 0"), "{error}");
}
