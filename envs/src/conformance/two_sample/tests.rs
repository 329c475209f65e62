//! The statistic on numbers that can be done by hand, and how often the test is wrong.

use super::*;
use rand::SeedableRng;

/// Episodes of one feature.
fn sample(values: &[f64]) -> Vec<Features> {
    values.iter().map(|value| Features { groups: vec![vec![*value]] }).collect()
}

#[test]
fn energy_distances_are_those_done_by_hand() {
    // left {0, 2}, right {1, 3}: across 1, 3, 1, 1 (mean 1.5); within 0, 2, 2, 0 each (mean 1).
    // 2 · 1.5 - 1 - 1 = 1.
    // Second pair exchanged: left {0, 3}, right {1, 2}: across 1, 2, 2, 1 (mean 1.5); within
    // means 1.5 and 0.5: 3 - 1.5 - 0.5 = 1. And so for the first: left {1, 2}, right {0, 3}.
    // left {0, 0}, right {4, 4}: 2 · 4 - 0 - 0 = 8; with one pair exchanged both sides are {0, 4}:
    // across 0, 4, 4, 0 (mean 2), within means 2 and 2: 4 - 4 = 0.
    let table = [
        ([0.0, 2.0, 1.0, 3.0], [1.0, 1.0], 1.0),
        ([0.0, 2.0, 1.0, 3.0], [1.0, -1.0], 1.0),
        ([0.0, 2.0, 1.0, 3.0], [-1.0, 1.0], 1.0),
        ([0.0, 0.0, 4.0, 4.0], [1.0, 1.0], 8.0),
        ([0.0, 0.0, 4.0, 4.0], [1.0, -1.0], 0.0),
        ([5.0, 7.0, 5.0, 7.0], [1.0, 1.0], 0.0),
    ];
    for (points, signs, expected) in table {
        let rows: Vec<Vec<f64>> = points.iter().map(|p| vec![*p]).collect();
        let got = energy(&contrast(&distances(&rows), 2), &signs);
        assert!((got - expected).abs() < 1e-12, "{points:?} {signs:?}: {got}");
    }
}

#[test]
fn groups_weigh_the_same_and_constants_nothing() {
    // Group 0: 0 and 2, mean 1, deviation 1. Group 1: two such features and a constant, and one
    // that is infinite: each of the two divided by √2.
    let episode = |v: f64| Features { groups: vec![vec![v], vec![v, -v, 7.0, v / 0.0]] };
    let rows = standardized(&[episode(0.0)], &[episode(2.0)]);
    let half = 0.5_f64.sqrt();
    for (row, sign) in rows.iter().zip([-1.0, 1.0]) {
        let expected = [sign, sign * half, -sign * half];
        assert_eq!(row.len(), 3, "{row:?}");
        assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{row:?}");
    }
    // Distances: √(2² + 2·(2/√2)²) = √8.
    assert!((distances(&rows)[0][1] - 8.0_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn p_values_and_coefficients_of_extreme_samples() {
    let mut rng = Prng::seed_from_u64(0);
    // Equal pairs: nothing differs, whatever is exchanged.
    let same = sample(&[1.0, 5.0, 2.0, 8.0]);
    let equal = TwoSample { p_value: 1.0, coefficient: 0.0 };
    assert_eq!(two_sample(&same, &same, &mut rng), equal);
    // Two points: of the 16 ways to exchange 4 pairs, two are as extreme: all and none.
    let apart = two_sample(&sample(&[0.0; 4]), &sample(&[1.0; 4]), &mut rng);
    assert!((apart.p_value - 0.125).abs() < 0.012, "{apart:?}");
    assert!((apart.coefficient - 1.0).abs() < 1e-12, "{apart:?}");
}

#[test]
fn holm_rejects_what_the_book_says() {
    let table: [(&[f64], &[bool]); 5] = [
        // 0.01 <= 0.05/3, 0.03 > 0.05/2, so 0.04 <= 0.05 is not asked.
        (&[0.01, 0.04, 0.03], &[true, false, false]),
        // 0.01 <= 0.0167, 0.02 <= 0.025, 0.05 <= 0.05.
        (&[0.05, 0.01, 0.02], &[true, true, true]),
        (&[0.02, 0.02, 0.02], &[false, false, false]),
        (&[0.05], &[true]),
        (&[], &[]),
    ];
    for (p_values, expected) in table {
        assert_eq!(holm(p_values, 0.05), expected, "{p_values:?}");
    }
}

/// How often 300 pairs of samples with 12 episodes of 3 features are told apart at 5 %, when the
/// right ones are shifted.
fn told_apart(shift: f64) -> f64 {
    let mut rng = Prng::seed_from_u64(3);
    let mut told = 0;
    for _ in 0..300 {
        let mut side = |shift: f64| -> Vec<Features> {
            let mut draw = || rng.random::<f64>() + rng.random::<f64>() + shift;
            (0..12).map(|_| Features { groups: vec![vec![draw()], vec![draw(), draw()]] }).collect()
        };
        let (left, right) = (side(0.0), side(shift));
        told += u32::from(two_sample(&left, &right, &mut rng).p_value <= 0.05);
    }
    f64::from(told) / 300.0
}

/// The standard deviation of a rate of 5 % in 300 trials is 1.3 %.
#[test]
fn one_distribution_is_rarely_told_apart_and_two_are_mostly() {
    let (alarms, found) = (told_apart(0.0), told_apart(0.6));
    assert!((0.015..0.09).contains(&alarms), "false alarms in {alarms} of the trials");
    assert!(found > 0.9, "a shift of 1.5 standard deviations found in {found} of the trials");
}
