use super::*;

/// Probe, action, first observation, then (reward, observation) of each step, and how it ends.
type Row = (&'static str, Action<'static>, f32, &'static [(f32, f32)], Outcome);

/// Plays `action` until the end or the time limit of one step: (reward, obs) of each
/// step after the first obs.
fn play(id: &str, seed: u64, action: Action<'_>) -> (f32, Vec<(f32, f32)>, Outcome) {
    let mut env = Registry::builtin().make(id, &Default::default()).unwrap();
    let context = env.spec().context.default_context();
    let mut obs = [f32::NAN];
    env.reset(seed, &context, ObsMut::F32(&mut obs)).unwrap();
    let (first, mut steps) = (obs[0], Vec::new());
    loop {
        let step = env.step(action, ObsMut::F32(&mut obs)).unwrap();
        steps.push((step.reward, obs[0]));
        if step.outcome.ends_episode() {
            return (first, steps, step.outcome);
        }
    }
}

#[test]
fn episodes_are_those_of_the_table_in_the_module() {
    use Outcome::{Terminated, Truncated};
    let (low, high) = (Action::Discrete(0), Action::Discrete(1));
    let quarter = Action::Box(&[0.25]);
    let table: [Row; 9] = [
        ("ConstantReward", low, 0.0, &[(1.0, 0.0)], Terminated),
        ("DelayedReward", low, 0.0, &[(0.0, 1.0), (1.0, 1.0)], Terminated),
        ("ActionReward", low, 0.0, &[(-1.0, 0.0)], Terminated),
        ("ActionReward", high, 0.0, &[(1.0, 0.0)], Terminated),
        ("Truncation", low, 0.0, &[(1.0, 0.0)], Truncated),
        ("ContinuousConstantReward", quarter, 0.0, &[(1.0, 0.0)], Terminated),
        ("ContinuousDelayedReward", quarter, 0.0, &[(0.0, 1.0), (1.0, 1.0)], Terminated),
        ("ContinuousAction", quarter, 0.0, &[(-0.0625, 0.0)], Terminated),
        ("ContinuousTruncation", quarter, 0.0, &[(1.0, 0.0)], Truncated),
    ];
    for (name, action, first, steps, outcome) in table {
        let id = format!("Probe/{name}-v0");
        assert_eq!(play(&id, 3, action), (first, steps.to_vec(), outcome), "{id}");
    }
}

#[test]
fn random_observations_take_both_signs_and_decide_the_reward() {
    let half = Action::Box(&[0.5]);
    // (probe, action) -> (obs, reward) for the two observations
    let table = [
        ("ObsReward", Action::Discrete(0), [(-1.0, -1.0), (1.0, 1.0)]),
        ("ObsActionReward", Action::Discrete(0), [(-1.0, 1.0), (1.0, -1.0)]),
        ("ObsActionReward", Action::Discrete(1), [(-1.0, -1.0), (1.0, 1.0)]),
        ("ContinuousObsReward", half, [(-1.0, -1.0), (1.0, 1.0)]),
        ("ContinuousObsAction", half, [(-0.5, -1.0), (0.5, 0.0)]),
    ];
    for (name, action, pairs) in table {
        let mut seen = [0_u32; 2];
        for seed in 0..200 {
            let (obs, steps, _) = play(&format!("Probe/{name}-v0"), seed, action);
            let row = usize::from(obs > 0.0);
            assert_eq!((obs, &steps[..]), (pairs[row].0, &[(pairs[row].1, obs)][..]), "{name}");
            seen[row] += 1;
        }
        // 200 fair coins: outside 60..=140 with probability below 1e-7.
        assert!((60..=140).contains(&seen[0]), "{name}: {seen:?}");
    }
}

#[test]
fn the_reward_scale_multiplies() {
    let mut env = Probe::new("Probe/ConstantReward-v0").unwrap();
    let context = env.spec().context.with(&[("reward_scale", -2.5)]).unwrap();
    env.reset(0, &context, ObsMut::F32(&mut [0.0])).unwrap();
    let step = env.step(Action::Discrete(0), ObsMut::F32(&mut [0.0])).unwrap();
    assert_eq!(step.reward, -2.5);
    assert!(Probe::new("Probe/Nothing-v0").is_err());
}
