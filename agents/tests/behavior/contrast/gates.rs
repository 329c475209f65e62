//! A gate on opposing gradients, in whole updates.

use super::*;

/// First moments of Adam after one update with a contrast of `weight`, and whether the contrast was
/// reported as dropped, with the cosine.
fn gated(algorithm: Algorithm, gate: GateRule, weight: f64) -> (Box<dyn Agent>, f64, bool) {
    let mut agent = algorithm.agent(Some(&with_gate(gate)), 1);
    let batch = algorithm.contrasts(Relation::Predictive, 5);
    let task = ContrastTask { batch: &batch, weight, apart: false };
    agent.distiller().unwrap().stage(task, true, &mut rng(5)).unwrap();
    let report = agent.update(&algorithm.batch(7), QUIET, &mut rng(7)).unwrap();
    let metric = |name: &str| report.contrast.metrics.iter().find(|m| m.0 == name).unwrap().1;
    let (cosine, dropped) = (metric("aux/gradient_cosine"), metric("aux/gradient_dropped"));
    (agent, cosine, dropped > 0.0)
}

/// Of 0.5 and -0.5, the weight that plants a gradient against the decision's: a negative weight is
/// no setting, but it turns the gradient of the contrast around.
fn opposing_weight(algorithm: Algorithm) -> f64 {
    let (_, cosine, _) = gated(algorithm, GateRule::Off, 0.5);
    assert!(cosine.abs() > 1e-3, "{algorithm:?}: the gradients are orthogonal: {cosine}");
    if cosine > 0.0 { -0.5 } else { 0.5 }
}

/// Parameters after an update on the decision alone.
fn decision_only(algorithm: Algorithm) -> Box<dyn Agent> {
    let mut agent = algorithm.agent(Some(&representation()), 1);
    update((algorithm, &mut *agent), 7);
    agent
}

#[test]
fn a_dropped_contrast_leaves_the_shared_parameters_to_the_decision_and_teaches_its_heads() {
    for algorithm in Algorithm::ALL {
        let weight = opposing_weight(algorithm);
        let (mut agent, cosine, dropped) = gated(algorithm, GateRule::Drop, weight);
        assert!(dropped && cosine < 0.0, "{algorithm:?}: {cosine}");
        let (alone, shared) = (decision_only(algorithm), shared_len(&mut *agent));
        let (joined, alone) = (agent.policy_params(), alone.policy_params());
        assert_eq!(joined[..shared], alone[..shared], "{algorithm:?}");
        let moved = differing(&layout(&mut *agent), &alone, &joined);
        assert!(moved.iter().any(|name| name.starts_with("dynamics/")), "{algorithm:?}: {moved:?}");
        // Turned around, it agrees, and is let through.
        let (agent, cosine, dropped) = gated(algorithm, GateRule::Drop, -weight);
        assert!(!dropped && cosine > 0.0, "{algorithm:?}: {cosine}");
        assert_ne!(agent.policy_params()[..shared], alone[..shared], "{algorithm:?}");
    }
}

#[test]
fn a_projected_contrast_adds_nothing_along_the_decision() {
    for algorithm in Algorithm::ALL {
        let (mut agent, _, dropped) =
            gated(algorithm, GateRule::Project, opposing_weight(algorithm));
        assert!(dropped, "{algorithm:?}");
        let (alone, shared) = (decision_only(algorithm), shared_len(&mut *agent));
        let (joint, decision) = (algorithm.moments(&*agent), algorithm.moments(&*alone));
        let pairs = || joint.iter().zip(&decision).take(shared);
        let dot: f64 = pairs().map(|(j, d)| f64::from(j - d) * f64::from(*d)).sum();
        let square = |v: f32| f64::from(v).powi(2);
        let added = pairs().map(|(j, d)| square(j - d)).sum::<f64>().sqrt();
        let own = pairs().map(|(_, d)| square(*d)).sum::<f64>().sqrt();
        assert!(added > 1e-3 * own, "{algorithm:?}: something is left: {added} of {own}");
        assert_near(dot / (added * own), 0.0, 1e-4);
    }
}

#[test]
fn a_clipped_contrast_is_no_larger_than_the_decision() {
    for algorithm in Algorithm::ALL {
        let (mut agent, ..) = gated(algorithm, GateRule::Clip, 1000.0);
        let (alone, shared) = (decision_only(algorithm), shared_len(&mut *agent));
        let (joint, decision) = (algorithm.moments(&*agent), algorithm.moments(&*alone));
        let norm = |values: &mut dyn Iterator<Item = f32>| {
            values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
        };
        let added = norm(&mut joint.iter().zip(&decision).take(shared).map(|(j, d)| j - d));
        let own = norm(&mut decision.iter().take(shared).copied());
        assert_near(added / own, 1.0, 1e-4);
    }
}

#[test]
fn a_detached_contrast_leaves_encoder_and_shared_layers_alone_and_teaches_what_is_behind() {
    for algorithm in Algorithm::ALL {
        for apart in [false, true] {
            let mut agent = algorithm.agent(Some(&with_gate(GateRule::Detach)), 1);
            stage((algorithm, &mut *agent), (Relation::Predictive, apart), 5);
            update((algorithm, &mut *agent), 7);
            let (alone, shared) = (decision_only(algorithm), shared_len(&mut *agent));
            let (joined, alone) = (agent.policy_params(), alone.policy_params());
            assert!(largest_difference(&joined[..shared], &alone[..shared]) == 0.0);
            let moved = differing(&layout(&mut *agent), &alone, &joined);
            for part in ["dynamics/", "outcome/", "tokens/"] {
                assert!(moved.iter().any(|name| name.starts_with(part)), "{part}: {moved:?}");
            }
        }
    }
}

/// Where there are several contrasts an update, all but one step alone.
#[test]
fn a_detached_contrast_alone_leaves_encoder_and_shared_layers_alone_and_an_alignment_does_not() {
    for algorithm in Algorithm::ALL {
        let mut agent = algorithm.agent(Some(&with_gate(GateRule::Detach)), 1);
        let (before, shared) = (agent.policy_params(), shared_len(&mut *agent));
        let batch = algorithm.contrasts(Relation::Predictive, 5);
        let task = ContrastTask { batch: &batch, weight: 1.0, apart: false };
        agent.distiller().unwrap().update(task, false, &mut rng(1)).unwrap();
        let alone = agent.policy_params();
        assert!(largest_difference(&alone[..shared], &before[..shared]) == 0.0);
        assert!(largest_difference(&alone, &before) > 0.0);
        agent.distiller().unwrap().align(&batch, &mut rng(1)).unwrap();
        let aligned = agent.policy_params();
        assert!(largest_difference(&aligned[..shared], &alone[..shared]) > 0.0);
    }
}
