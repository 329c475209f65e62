//! Subspaces against numbers that can be checked by hand.

use super::distribution::between;
use super::*;
use rand::SeedableRng;

fn spec() -> ContextSpec {
    let value = |name, default, bounds| ContextValue::new(name, "m/s²", default, bounds, "");
    ContextSpec {
        values: vec![value("gravity", 9.8, (0.1, 20.0)), value("wind", 0.0, (-5.0, 5.0))],
    }
}

fn subspace(name: &str, distribution: Distribution) -> Subspace {
    let values = BTreeMap::from([(name.to_owned(), distribution)]);
    Subspace { name: "moon".into(), values, ..Subspace::default() }
}

/// `count` draws of gravity.
fn draws(distribution: &Distribution, count: usize) -> Vec<f64> {
    let (subspace, spec) = (subspace("gravity", distribution.clone()), spec());
    subspace.check(&spec).unwrap();
    let mut rng = Prng::seed_from_u64(5);
    (0..count).map(|_| subspace.sample(&spec, &mut rng).values[0]).collect()
}

#[test]
fn each_form_is_read_and_written_back() {
    let table = [
        ("9.8", Distribution::Fixed(9.8)),
        ("9", Distribution::Fixed(9.0)),
        ("-9", Distribution::Fixed(-9.0)),
        (r#"{"uniform":[4,6.5]}"#, Distribution::Uniform(4.0, 6.5)),
        (r#"{"log_uniform":[0.1,10.0]}"#, Distribution::LogUniform(0.1, 10.0)),
        (
            r#"{"normal":{"mean":9.0,"std":1.5,"low":8.0,"high":12.0}}"#,
            Distribution::Normal { mean: 9.0, std: 1.5, low: 8.0, high: 12.0 },
        ),
        (r#"{"choice":[4.0,9.8]}"#, Distribution::Choice(vec![4.0, 9.8])),
        (
            r#"{"grid":{"low":4.0,"high":6.0,"count":5}}"#,
            Distribution::Grid { low: 4.0, high: 6.0, count: 5 },
        ),
    ];
    for (text, expected) in table {
        let read: Distribution = serde_json::from_str(text).unwrap();
        assert_eq!(read, expected, "{text}");
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Distribution>(&written).unwrap(), expected, "{written}");
    }
    assert_eq!(serde_json::to_string(&Distribution::Fixed(2.5)).unwrap(), "2.5");
}

#[test]
fn forms_that_do_not_exist_are_named() {
    let table = [
        (r#""heavy""#, "a number, or a table with one of uniform"),
        (r#"{"unifrom":[4,6]}"#, "unknown variant `unifrom`, expected one of `uniform`"),
        (r#"{"uniform":[4]}"#, "invalid length 1"),
        (r#"{"grid":{"low":4,"high":6,"count":5,"step":1}}"#, "unknown field `step`"),
        (r#"{"normal":{"mean":4,"low":6,"high":5}}"#, "missing field `std`"),
    ];
    for (text, part) in table {
        let error = serde_json::from_str::<Distribution>(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_name_and_what_is_allowed() {
    use Distribution::*;
    let normal = |mean, std| Normal { mean, std, low: 8.0, high: 12.0 };
    let table = [
        ("gravty", Fixed(1.0), "there is no context value \"gravty\"; did you mean \"gravity\"?"),
        ("gravity", Fixed(30.0), "context value gravity is 30 m/s², allowed 0.1 to 20"),
        ("gravity", Fixed(f64::NAN), "goes from NaN to NaN"),
        ("gravity", Uniform(5.0, 21.0), "context value gravity is 5 to 21 m/s², allowed 0.1 to 20"),
        ("gravity", Uniform(0.0, 2.0), "context value gravity is 0 to 2 m/s², allowed 0.1 to 20"),
        ("gravity", Uniform(6.0, 4.0), "goes from 6 to 4, allowed are finite bounds in order"),
        ("wind", LogUniform(0.0, 1.0), "is log_uniform from 0, allowed are bounds above 0"),
        ("gravity", normal(9.0, 0.0), "has the standard deviation 0"),
        ("gravity", normal(9.0, f64::NAN), "has the standard deviation NaN"),
        ("gravity", normal(13.0, 1.0), "has the mean 13, allowed is 8 to 12, its bounds"),
        ("gravity", Choice(vec![]), "has a choice of nothing"),
        ("gravity", Choice(vec![1.0, f64::INFINITY]), "may be inf"),
        ("gravity", Choice(vec![1.0, 25.0]), "is 1 to 25 m/s², allowed 0.1 to 20"),
        ("gravity", Grid { low: 1.0, high: 2.0, count: 1 }, "is a grid of 1 points"),
        ("wind", Grid { low: -6.0, high: 2.0, count: 3 }, "is -6 to 2 m/s², allowed -5 to 5"),
    ];
    for (name, distribution, part) in table {
        let error = subspace(name, distribution).check(&spec()).unwrap_err();
        assert!(matches!(error, EnvError::InvalidContext(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("subspace moon: ") && text.contains(part), "{part}: {text}");
    }
}

#[test]
fn bounds_are_allowed() {
    for distribution in [
        Distribution::Uniform(0.1, 20.0),
        Distribution::Fixed(20.0),
        Distribution::Normal { mean: 0.1, std: 9.0, low: 0.1, high: 20.0 },
        Distribution::Uniform(3.0, 3.0),
    ] {
        assert!(subspace("gravity", distribution).check(&spec()).is_ok());
    }
}

#[test]
fn a_value_that_is_not_named_keeps_its_default() {
    let mut rng = Prng::seed_from_u64(0);
    let context = subspace("wind", Distribution::Fixed(2.0)).sample(&spec(), &mut rng);
    assert_eq!(context.values, [9.8, 2.0]);
}

/// Fractions of 40,000 draws in four cells, against fractions known from the formula; the standard
/// deviation of a fraction is at most 0.0025.
#[test]
fn draws_have_the_distribution_of_the_name() {
    // Cut at ±1 standard deviations: Φ(1) - Φ(0) = 0.3413 and Φ(0.5) - Φ(0) = 0.1915.
    let (half, inner) = (0.5, 0.1915 / 0.6827);
    let table: [(Distribution, [f64; 3], [f64; 4]); 5] = [
        (Distribution::Uniform(4.0, 8.0), [5.0, 6.0, 7.0], [0.25; 4]),
        (Distribution::LogUniform(1.0, 16.0), [2.0, 4.0, 8.0], [0.25; 4]),
        (
            // 2 standard deviations wide, so proposals are uniform.
            Distribution::Normal { mean: 10.0, std: 2.0, low: 8.0, high: 12.0 },
            [9.0, 10.0, 11.0],
            [half - inner, inner, inner, half - inner],
        ),
        (
            // 8 standard deviations wide: proposals are normal. Φ(-1) = 0.1587.
            Distribution::Normal { mean: 10.0, std: 1.0, low: 6.0, high: 14.0 },
            [9.0, 10.0, 11.0],
            [0.1587, 0.3413, 0.3413, 0.1587],
        ),
        (
            // The mean at a bound: twice the upper half. Φ(0.5) - 0.5 = 0.1915.
            Distribution::Normal { mean: 1.0, std: 2.0, low: 1.0, high: 19.0 },
            [2.0, 3.0, 5.0],
            [0.3829, 0.2998, 0.2718, 0.0455],
        ),
    ];
    for (distribution, cuts, expected) in table {
        let values = draws(&distribution, 40_000);
        let mut counts = [0.0; 4];
        for value in &values {
            counts[cuts.iter().filter(|cut| value >= *cut).count()] += 1.0 / 40_000.0;
        }
        for (got, expected) in counts.iter().zip(expected) {
            assert!((got - expected).abs() < 0.01, "{distribution:?}: {counts:?}");
        }
    }
}

#[test]
fn choices_and_grid_points_are_exact_and_equally_likely() {
    let table = [
        (Distribution::Choice(vec![4.0, 9.8, 1.5]), vec![4.0, 9.8, 1.5]),
        (Distribution::Grid { low: 4.0, high: 6.0, count: 5 }, vec![4.0, 4.5, 5.0, 5.5, 6.0]),
    ];
    for (distribution, points) in table {
        let values = draws(&distribution, 10_000);
        let expected = 10_000.0 / points.len() as f64;
        let count = |point: &f64| values.iter().filter(|value| *value == point).count() as f64;
        assert_eq!(points.iter().map(count).sum::<f64>(), 10_000.0, "{distribution:?}");
        let chi_square: f64 = points.iter().map(|p| (count(p) - expected).powi(2) / expected).sum();
        // 99.9 % quantile of chi-square with 4 degrees of freedom.
        assert!(chi_square < 18.47, "{distribution:?}: {chi_square}");
    }
}

/// Whatever passes the check never leaves the bounds of the context.
#[test]
fn samples_keep_to_the_bounds() {
    let (spec, mut rng) = (spec(), Prng::seed_from_u64(1));
    for _ in 0..2000 {
        let (a, b): (f64, f64) = (rng.random_range(0.1..=20.0), rng.random_range(0.1..=20.0));
        let (low, high) = (a.min(b), a.max(b));
        let (mean, std) = (between(low, high, rng.random()), rng.random_range(1e-6..=1e6));
        for distribution in [
            Distribution::Uniform(low, high),
            Distribution::LogUniform(low, high),
            Distribution::Normal { mean, std, low, high },
            Distribution::Choice(vec![a, b]),
            Distribution::Grid { low, high, count: rng.random_range(2..50) },
        ] {
            let subspace = subspace("gravity", distribution);
            subspace.check(&spec).unwrap();
            for _ in 0..5 {
                let context = subspace.sample(&spec, &mut rng);
                assert!(spec.check(&context).is_ok(), "{subspace:?}: {context:?}");
                assert!(low <= context.values[0] && context.values[0] <= high, "{subspace:?}");
            }
        }
    }
}

mod joint;
