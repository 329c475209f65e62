//! What an update tells of the contrast before it.

use super::*;

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The gradients are read from Adam's first moments: m = 0.1 g after the first update, and
/// m' = 0.9 m + 0.1 g' after the second.
#[test]
fn the_gain_is_what_the_contrast_turned_the_step_towards_the_next_gradient() {
    for algorithm in Algorithm::ALL {
        for (relation, gate) in
            [(Relation::Temporal, GateRule::Off), (Relation::Predictive, GateRule::Project)]
        {
            let [mut alone, mut joined] =
                [1, 1].map(|seed| algorithm.agent(Some(&with_gate(gate)), seed));
            stage((algorithm, &mut *joined), (relation, true), 5);
            assert_eq!(update((algorithm, &mut *joined), 7), None, "there was none before");
            update((algorithm, &mut *alone), 7);
            let shared = shared_len(&mut *joined);
            let moments = |agent: &dyn Agent| -> Vec<f64> {
                let m = algorithm.moments(agent);
                m[..shared].iter().map(|m| f64::from(*m)).collect()
            };
            let (decision, joint) = (moments(&*alone), moments(&*joined));
            let gain = update((algorithm, &mut *joined), 8).unwrap();
            let after = moments(&*joined);
            let now: Vec<f64> = after.iter().zip(&joint).map(|(m, old)| m - 0.9 * old).collect();
            let expected = cosine(&now, &joint) - cosine(&now, &decision);
            assert!(expected.abs() > 1e-3, "the example says something: {expected}");
            assert_near(gain, expected, 1e-4);
            assert_eq!(update((algorithm, &mut *joined), 9), None, "it is told once");
        }
    }
}

/// One observation x = 0.75, one hidden unit h = max(0, w x + b): the gradient by (w, b) points
/// along (x, 1), or (3, 4)/5. The logits are (-h, h) and the action is 1, so more h is better: the
/// loss falls along (3, 4). With (-1, 0) for the decision gradient before, and (0, -2) for the
/// joint one, the cosines are 3/5 and 4/5: the contrast turned the step by 0.2.
#[test]
fn a_gain_by_hand() {
    let network = hidden(&[1]);
    let representation = Representation { tokens: None, ..representation() };
    let config = ImitationConfig::default();
    let parts = (&network, Some(&representation));
    let mut agent = Imitation::new((&vector(1), 2), parts, &config, Device::Cpu, &mut rng(1));
    let mut state = agent.save();
    set(&mut state, "online/shared/0/weight", &[1.0]);
    set(&mut state, "online/shared/0/bias", &[0.5]);
    set(&mut state, "online/head/0/weight", &[-1.0, 1.0]);
    set(&mut state, "online/head/0/bias", &[0.0, 0.0]);
    let vector = |name: &str, values| contrail_agents::NamedArray::vector(name.into(), values);
    state.arrays.push(vector("last_direction/decision", vec![-1.0, 0.0]));
    state.arrays.push(vector("last_direction/joint", vec![0.0, -2.0]));
    agent.restore(&state).unwrap();
    let batch = Minibatch {
        obs: ObsBatch::F32(vec![0.75]),
        next_obs: ObsBatch::F32(vec![0.0]),
        actions: ActionBatch::Discrete(vec![1]),
        n_step_return: vec![0.0],
        discount: vec![0.0],
        weights: vec![1.0],
    };
    let report = agent.update(&batch, QUIET, &mut rng(1)).unwrap();
    assert_near(report.contrast.last_gain.unwrap(), 0.2, 1e-6);
}

#[test]
fn a_contrast_that_shares_the_backward_pass_is_not_measured() {
    for algorithm in Algorithm::ALL {
        let mut agent = algorithm.agent(Some(&representation()), 1);
        stage((algorithm, &mut *agent), (Relation::Temporal, false), 5);
        assert_eq!(update((algorithm, &mut *agent), 7), None);
        assert_eq!(update((algorithm, &mut *agent), 8), None);
        // One that follows a measured contrast still lets that one be told.
        stage((algorithm, &mut *agent), (Relation::Temporal, true), 5);
        update((algorithm, &mut *agent), 9);
        stage((algorithm, &mut *agent), (Relation::Temporal, false), 6);
        assert!(update((algorithm, &mut *agent), 10).is_some());
        assert_eq!(update((algorithm, &mut *agent), 11), None);
    }
}
