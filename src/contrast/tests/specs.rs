//! Specs that cannot be, and the memory that the stores take.

use super::*;

#[test]
fn bad_specs_are_refused_with_a_sentence() {
    let good = ContrastSpec::default;
    good().check().unwrap();
    let mix = |by_return, by_surprise| AnchorMix { by_return, by_surprise };
    let distance = good().distance;
    let cases = [
        (ContrastSpec { anchors: 0, ..good() }, "anchors is 0, allowed: at least 1"),
        (
            ContrastSpec { negatives: 65, ..good() },
            "negative_candidates is 64, allowed: at least the 65 negatives",
        ),
        (ContrastSpec { memory_share: 1.5, ..good() }, "memory_share is 1.5, allowed: 0 to 1"),
        (
            ContrastSpec { anchors_from: mix(0.75, 0.75), ..good() },
            "anchors_from, all together, is 1.5, allowed: 0 to 1",
        ),
        (
            ContrastSpec { law: NegativeLaw::Weighted { beta: f64::NAN }, ..good() },
            "beta is NaN, allowed: a finite number, at least 0",
        ),
        (
            ContrastSpec { distance: DistanceConfig { width: 0.0, ..distance }, ..good() },
            "distance.width is 0, allowed: a finite number above 0",
        ),
        (ContrastSpec { reach: -0.5, ..good() }, "reach is -0.5, allowed: a number, at least 0"),
        (ContrastSpec { delta: f64::INFINITY, ..good() }, "delta is inf, allowed: a finite number"),
    ];
    for (spec, sentence) in cases {
        let error = contrasts(&config()).prepare(&spec, &mut rng(0)).unwrap_err().to_string();
        assert_eq!(error, format!("contrast: {sentence}"));
    }
}

#[test]
fn continuous_actions_have_no_probability_of_their_own() {
    let mut config = config();
    config.memory.action = ActionSpace::Box { low: vec![-1.0], high: vec![1.0] };
    let distance =
        DistanceConfig { behavior: BehaviorOf::Actor, ..spec(Relation::Behavioral).distance };
    let spec = ContrastSpec { distance, ..spec(Relation::Behavioral) };
    let error = contrasts(&config).prepare(&spec, &mut rng(0)).unwrap_err().to_string();
    let sentence = "distance.behavior is actor, allowed: \"teacher\" where actions are continuous";
    assert_eq!(error, format!("contrast: {sentence}"));
}

#[test]
fn the_ring_is_another_memory_of_the_same_shape() {
    let config = config();
    let recent = config.recent();
    assert_eq!((recent.capacity_segments, recent.replacement), (20, Replacement::Oldest));
    assert_eq!(config.memory_bytes(), config.memory.memory_bytes() + recent.memory_bytes());
}
