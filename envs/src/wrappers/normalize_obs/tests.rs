use super::super::counting::{Counting, first_obs, play};
use super::*;

fn stats_of(values: &[f32]) -> ObsStats {
    let mut stats = ObsStats::empty(1);
    for value in values {
        stats.push(ObsRef::F32(&[*value]));
    }
    stats
}

#[test]
fn mean_and_variance_of_one_to_four() {
    // np.mean([1, 2, 3, 4]) == 2.5; np.var([1, 2, 3, 4]) == (2.25 + 0.25 + 0.25 + 2.25) / 4 == 1.25
    let stats = stats_of(&[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(stats, ObsStats { count: 4, mean: vec![2.5], m2: vec![5.0] });
    assert_eq!(stats.variance(0), 1.25);
}

#[test]
fn elements_do_not_mix() {
    let mut stats = ObsStats::empty(2);
    stats.push(ObsRef::F32(&[1.0, -10.0]));
    stats.push(ObsRef::U8(&[3, 10]));
    assert_eq!(stats, ObsStats { count: 2, mean: vec![2.0, 0.0], m2: vec![2.0, 200.0] });
}

#[test]
fn merging_two_streams_is_pushing_both() {
    // 1, 2 has mean 1.5 and m2 0.5; 3, 4 has mean 3.5 and m2 0.5; δ = 2, so m2 = 0.5 + 0.5 + 4 * 1.
    let mut merged = stats_of(&[1.0, 2.0]);
    merged.merge(&stats_of(&[3.0, 4.0]));
    assert_eq!(merged, ObsStats { count: 4, mean: vec![2.5], m2: vec![5.0] });
    // Streams of unequal length: 4 | 1, 2, 3 has δ = -2, m2 = 0 + 2 + 4 * 3/4.
    let mut merged = stats_of(&[4.0]);
    merged.merge(&stats_of(&[1.0, 2.0, 3.0]));
    assert_eq!(merged, ObsStats { count: 4, mean: vec![2.5], m2: vec![5.0] });
    merged.merge(&ObsStats::empty(1));
    assert_eq!(merged.count, 4);
}

#[test]
fn normalises_with_the_statistics_including_the_observation() {
    // Counting shows 0, 1, 2, 3. At 1: mean 0.5, variance 0.25, (1 - 0.5) / 0.5 = 1.
    // At 2: mean 1, variance 2/3, 1 / sqrt(2/3) = 1.224745. At 3: 1.5 / sqrt(1.25) = 1.341641.
    let normalizer = Arc::new(ObsNormalizer::new(1));
    let mut env = NormalizeObs::new(Counting::new(3), normalizer.clone()).unwrap();
    let obs: Vec<f32> = play(&mut env).iter().map(|(obs, _)| obs[0]).collect();
    for (got, expected) in obs.iter().zip([1.0, 1.224_745, 1.341_641]) {
        assert!((got - expected).abs() < 1e-5, "{got} should be {expected}");
    }
    assert_eq!(normalizer.stats(), ObsStats { count: 4, mean: vec![1.5], m2: vec![5.0] });
}

#[test]
fn actors_share_one_normalizer() {
    let normalizer = Arc::new(ObsNormalizer::new(1));
    for _actor in 0..3 {
        play(&mut NormalizeObs::new(Counting::new(3), normalizer.clone()).unwrap());
    }
    assert_eq!(normalizer.stats(), ObsStats { count: 12, mean: vec![1.5], m2: vec![15.0] });
}

#[test]
fn frozen_statistics_are_used_and_never_updated() {
    // Mean 1, variance 4: observation t becomes (t - 1) / 2.
    let stats = ObsStats { count: 2, mean: vec![1.0], m2: vec![8.0] };
    let normalizer = Arc::new(ObsNormalizer::frozen(stats.clone()).unwrap());
    let mut env = NormalizeObs::new(Counting::new(3), normalizer.clone()).unwrap();
    assert_eq!(first_obs(&mut env), [-0.5]);
    let obs: Vec<f32> = play(&mut env).iter().map(|(obs, _)| obs[0]).collect();
    assert_eq!(obs, [0.0, 0.5, 1.0]);
    assert_eq!(normalizer.stats(), stats);
}

#[test]
fn values_far_out_are_clipped() {
    let stats = ObsStats { count: 1, mean: vec![1.0], m2: vec![0.0] };
    let normalizer = ObsNormalizer::frozen(stats).unwrap();
    let mut out = [0.0];
    for (value, expected) in [(0.5, -10.0), (1.0, 0.0), (2.0, 10.0)] {
        normalizer.normalize("env", ObsRef::F32(&[value]), &mut out).unwrap();
        assert_eq!(out, [expected]);
    }
}

#[test]
fn bytes_become_floats() {
    let normalizer = Arc::new(ObsNormalizer::new(4));
    let inner = Counting::with_obs(3, ObsSpace::u8(&[1, 2, 2], 9));
    let mut env = NormalizeObs::new(inner, normalizer).unwrap();
    assert_eq!(env.spec().obs, ObsSpace::f32(&[1, 2, 2], -10.0, 10.0));
    assert_eq!(first_obs(&mut env), [0.0; 4]);
    assert_eq!(play(&mut env).len(), 3);
}

#[test]
fn a_nan_is_refused_and_spoils_nothing() {
    let normalizer = ObsNormalizer::new(2);
    let error =
        normalizer.normalize("Env", ObsRef::F32(&[1.0, f32::NAN]), &mut [0.0; 2]).unwrap_err();
    assert!(error.to_string().contains("element 1 is NaN"), "{error}");
    assert_eq!(normalizer.stats(), ObsStats::empty(2));
}

#[test]
fn statistics_survive_serialisation_and_are_checked() {
    let normalizer = ObsNormalizer::new(1);
    let stats = stats_of(&[1.0, 2.0, 3.0, 4.0]);
    let json = serde_json::to_string(&stats).unwrap();
    normalizer.set_stats(serde_json::from_str(&json).unwrap()).unwrap();
    assert_eq!(normalizer.stats(), stats);
    for bad in [
        ObsStats::empty(2),
        ObsStats { count: 1, mean: vec![f64::NAN], m2: vec![0.0] },
        ObsStats { count: 1, mean: vec![0.0], m2: vec![-1.0] },
    ] {
        assert!(normalizer.set_stats(bad.clone()).is_err(), "{bad:?}");
    }
    assert_eq!(normalizer.stats(), stats);
    assert!(
        NormalizeObs::new(Counting::with_obs(3, ObsSpace::u8(&[2], 9)), normalizer.into()).is_err()
    );
}
