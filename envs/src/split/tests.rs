//! Overlaps that can be read off the subspaces, and random ones against lists of their contexts.

use super::*;
use crate::{ContextValue, Distribution, Prng, WrittenSubspace};
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

fn spec() -> ContextSpec {
    let value = |name: &str| ContextValue::new(name, "1", 5.0, (0.0, 10.0), "");
    ContextSpec { values: vec![value("g"), value("m")] }
}

fn subspace(name: &str, values: &[(&str, Distribution)]) -> Subspace {
    let values = values.iter().map(|(name, d)| ((*name).to_owned(), d.clone())).collect();
    Subspace { name: name.into(), values, ..Subspace::default() }
}

fn refusal(source: &[(&str, Distribution)], target: &[(&str, Distribution)]) -> Option<String> {
    let (source, target) = (vec![subspace("s", source)], vec![subspace("t", target)]);
    let split = Split { kind: SplitKind::Interpolation, source, target };
    split.check(&spec()).err().map(|error| error.to_string())
}

#[test]
fn overlaps_are_found_and_named() {
    use Distribution::{Choice, Fixed, Grid, Uniform};
    let grid = |low, high, count| Grid { low, high, count };
    type Values<'a> = &'a [(&'a str, Distribution)];
    let table: [(Values<'_>, Values<'_>, Option<&str>); 14] = [
        (&[("g", Uniform(1.0, 3.0))], &[("g", Uniform(4.0, 6.0))], None),
        (&[("g", Uniform(1.0, 3.0))], &[("g", Uniform(3.0, 6.0))], None), // they touch
        (&[("g", Uniform(1.0, 4.0))], &[("g", Uniform(3.0, 6.0))], Some("g 3 to 4")),
        (&[("g", Uniform(1.0, 4.0))], &[("g", Fixed(4.0))], Some("g 4")),
        (&[("g", Choice(vec![1.0, 2.0]))], &[("g", Choice(vec![3.0]))], None),
        (&[("g", Choice(vec![1.0, 2.0, 3.0]))], &[("g", Choice(vec![3.0, 2.0]))], Some("g 2 or 3")),
        (&[("g", grid(0.0, 10.0, 6))], &[("g", grid(1.0, 9.0, 5))], None), // even and odd
        (&[("g", grid(0.0, 10.0, 6))], &[("g", grid(2.0, 3.0, 2))], Some("g 2")),
        // One value that never agrees is enough.
        (
            &[("g", Uniform(1.0, 4.0)), ("m", Fixed(1.0))],
            &[("g", Uniform(1.0, 4.0)), ("m", Fixed(2.0))],
            None,
        ),
        // Who does not name a value has its default, 5.
        (&[("g", Fixed(5.0))], &[("m", Fixed(5.0))], Some("g 5, m 5")),
        (&[("g", Fixed(4.0))], &[("m", Fixed(5.0))], None),
        (&[("g", Uniform(4.0, 6.0))], &[], Some("g 5")),
        (&[], &[], Some("the default context")),
        // An interval of one point is that point.
        (&[("g", Uniform(3.0, 3.0))], &[("g", Uniform(2.0, 4.0))], Some("g 3")),
    ];
    for (source, target, shared) in table {
        let expected = shared.map(|shared| {
            format!("source subspace s and target subspace t share contexts: {shared}")
        });
        assert_eq!(refusal(source, target), expected, "{source:?} {target:?}");
        let swapped = refusal(target, source);
        assert_eq!(swapped.is_some(), shared.is_some(), "{source:?} {target:?}");
    }
}

#[test]
fn both_sides_are_needed_and_must_suit_the_environment() {
    let split = |source: Vec<Subspace>, target| {
        let split = Split { kind: SplitKind::Goal, source, target };
        split.check(&spec()).unwrap_err().to_string()
    };
    let one = |name| subspace("a", &[(name, Distribution::Fixed(1.0))]);
    assert!(split(vec![], vec![one("g")]).contains("no source subspace"));
    assert!(split(vec![one("g")], vec![]).contains("no target subspace"));
    let text = split(vec![one("g")], vec![one("mm")]);
    assert!(text.contains("subspace a") && text.contains("\"mm\""), "{text}");
}

/// Both subspaces as a config writes them, called s and t.
fn written_refusal(source: &str, target: &str) -> Option<String> {
    let json = format!(r#"{{"s":{source},"t":{target}}}"#);
    let written = serde_json::from_str(&json).unwrap();
    let [s, t] = WrittenSubspace::resolve(&written).unwrap().try_into().unwrap();
    let split = Split { kind: SplitKind::Goal, source: vec![s], target: vec![t] };
    split.check(&spec()).err().map(|error| error.to_string())
}

#[test]
fn whole_contexts_and_exceptions_are_compared_exactly() {
    // Both values have the default 5.
    let table = [
        (r#"{"g":{"uniform":[1,4]}}"#, r#"{"g":{"uniform":[0,9]},"except":["s"]}"#, None),
        (r#"{"g":{"choice":[1,2]}}"#, r#"{"g":{"choice":[2,3]},"except":["s"]}"#, None),
        (r#"{"g":{"uniform":[1,4]},"except":["t"]}"#, r#"{"g":2}"#, None),
        (
            r#"{"contexts":[{"g":1,"m":2},{"g":2,"m":1}]}"#,
            r#"{"contexts":[{"g":1,"m":1},{"g":2,"m":2}]}"#,
            None, // though each value alone agrees
        ),
        (
            r#"{"contexts":[{"g":1,"m":2},{"g":2,"m":1}]}"#,
            r#"{"g":{"choice":[1,2,3]},"m":{"uniform":[0.5,1.5]}}"#,
            Some("g 2, m 1"),
        ),
        (
            r#"{"contexts":[{"g":1,"m":2},{"g":2}]}"#,
            r#"{"contexts":[{"g":2,"m":5},{"m":2,"g":1}]}"#,
            Some("g 1, m 2; g 2, m 5"),
        ),
        (
            r#"{"contexts":[{"g":1},{"g":2},{"g":3},{"g":4},{"g":5}]}"#,
            r#"{"g":{"uniform":[0,9]}}"#,
            Some("g 1; g 2; g 3; and 2 more"),
        ),
        (
            r#"{"contexts":[{"g":1},{"g":2}],"m":{"uniform":[1,3]}}"#,
            r#"{"g":2,"m":{"uniform":[2,6]}}"#,
            Some("g 2, m 2 to 3"),
        ),
    ];
    for (source, target, shared) in table {
        let expected = shared.map(|shared| {
            format!("source subspace s and target subspace t share contexts: {shared}")
        });
        assert_eq!(written_refusal(source, target), expected, "{source} {target}");
    }
}

/// The target excepts another part of the source than all of it.
#[test]
fn what_an_exception_leaves_is_named() {
    let table = [
        // The source is 1 to 4 by m = 5, the target 0 to 9 without 2 to 3.
        (r#"{"g":{"uniform":[2,3]}}"#, Some("g 1 to 2; g 3 to 4")),
        (r#"{"g":{"uniform":[0,3]}}"#, Some("g 3 to 4")),
        (r#"{"g":{"choice":[2,3]}}"#, Some("g 1 to 4")), // points of an interval
        (r#"{"g":{"uniform":[0,4]},"m":{"uniform":[5.5,6]}}"#, Some("g 1 to 4")),
        (r#"{"g":{"uniform":[0,4]},"m":{"uniform":[4,6]}}"#, None),
    ];
    for (hole, shared) in table {
        let json = format!(
            r#"{{"hole":{hole},"s":{{"g":{{"uniform":[1,4]}}}},
                 "t":{{"g":{{"uniform":[0,9]}},"except":["hole"]}}}}"#
        );
        let written = serde_json::from_str(&json).unwrap();
        let [_, s, t] = WrittenSubspace::resolve(&written).unwrap().try_into().unwrap();
        let split = Split { kind: SplitKind::Goal, source: vec![s], target: vec![t] };
        let text = split.check(&spec()).err().map(|error| error.to_string());
        let expected = shared.map(|shared| {
            format!("source subspace s and target subspace t share contexts: {shared}")
        });
        assert_eq!(text, expected, "{hole}");
    }
}

#[test]
fn sources_may_overlap_each_other() {
    use Distribution::Fixed;
    let source = vec![subspace("a", &[("g", Fixed(1.0))]), subspace("b", &[("g", Fixed(1.0))])];
    let target = vec![subspace("t", &[("g", Fixed(2.0))])];
    assert!(Split { kind: SplitKind::Goal, source, target }.check(&spec()).is_ok());
}

/// A random subspace over the whole numbers 0 to 3 of both values.
fn any_subspace(rng: &mut Prng) -> Subspace {
    let mut numbers = |count: usize| -> Vec<f64> {
        (0..count).map(|_| f64::from(rng.random_range(0..4_u32))).collect()
    };
    let (g, m, pairs) = (numbers(2), numbers(3), numbers(6));
    let joint =
        |pair: &[f64]| BTreeMap::from([("g".to_owned(), pair[0]), ("m".to_owned(), pair[1])]);
    let mut subspace = Subspace::default();
    match rng.random_range(0..4) {
        0 => subspace.contexts = pairs.chunks(2).map(joint).collect(),
        1 => {
            let single = |g: &f64| BTreeMap::from([("g".to_owned(), *g)]);
            subspace.contexts = g.iter().map(single).collect();
            subspace.values.insert("m".to_owned(), Distribution::Choice(m));
        }
        2 => {
            let all = Distribution::Grid { low: 0.0, high: 3.0, count: 4 };
            subspace.values.insert("g".to_owned(), all);
            subspace.values.insert("m".to_owned(), Distribution::Choice(m));
        }
        _ => drop(subspace.values.insert("m".to_owned(), Distribution::Choice(m))),
    }
    subspace
}

#[test]
fn random_splits_overlap_exactly_if_their_lists_do() {
    let value = |name: &str| ContextValue::new(name, "1", 3.0, (0.0, 3.0), "");
    let spec = ContextSpec { values: vec![value("g"), value("m")] };
    let mut rng = Prng::seed_from_u64(1);
    let mut side = |name: &str| {
        let mut subspace = any_subspace(&mut rng);
        subspace.name = name.to_owned();
        for _ in 0..rng.random_range(0..3) {
            subspace.except.push(any_subspace(&mut rng));
        }
        subspace
    };
    let (mut overlaps, mut disjoint, mut empty) = (0, 0, 0);
    for _ in 0..5000 {
        let (source, target) = (side("s"), side("t"));
        let lists = [&source, &target].map(|subspace| subspace.enumerate(&spec).unwrap());
        let split = Split { kind: SplitKind::Goal, source: vec![source], target: vec![target] };
        let error = split.check(&spec).err().map(|error| error.to_string()).unwrap_or_default();
        if lists.iter().any(Vec::is_empty) {
            empty += 1;
            assert!(error.contains("leaves nothing"), "{split:?}: {error}");
        } else {
            let is_shared = lists[0].iter().any(|context| lists[1].contains(context));
            assert_eq!(error.contains("share contexts"), is_shared, "{split:?}: {error}");
            *(if is_shared { &mut overlaps } else { &mut disjoint }) += 1;
        }
    }
    assert!(overlaps > 500 && disjoint > 500 && empty > 50, "{overlaps} {disjoint} {empty}");
}

/// Boxes with whole corners are made of unit cells, each of which has a middle.
#[test]
fn random_boxes_overlap_exactly_if_they_share_a_cell() {
    let value = |name: &str| ContextValue::new(name, "1", 0.0, (0.0, 4.0), "");
    let spec = ContextSpec { values: vec![value("g"), value("m")] };
    let mut rng = Prng::seed_from_u64(2);
    let mut any_box = || {
        let mut side = || {
            let low = rng.random_range(0..4_u32);
            let high = rng.random_range(low + 1..=4);
            Distribution::Uniform(low.into(), high.into())
        };
        subspace("", &[("g", side()), ("m", side())])
    };
    let middles = || (0..16).map(|cell| vec![f64::from(cell / 4) + 0.5, f64::from(cell % 4) + 0.5]);
    let (mut overlaps, mut disjoint, mut empty) = (0, 0, 0);
    for round in 0..5000 {
        let (mut source, mut target) = (any_box(), any_box());
        source.except.extend((0..round % 3).map(|_| any_box()));
        target.except.extend((0..round % 4).map(|_| any_box()));
        let holds = |subspace: &Subspace, values: Vec<f64>| {
            subspace.contains(&spec, &crate::Context { values })
        };
        let is_empty = |subspace: &Subspace| !middles().any(|cell| holds(subspace, cell));
        let is_empty = is_empty(&source) || is_empty(&target);
        let is_shared = middles().any(|cell| holds(&source, cell.clone()) && holds(&target, cell));
        let split = Split { kind: SplitKind::Goal, source: vec![source], target: vec![target] };
        let error = split.check(&spec).err().map(|error| error.to_string()).unwrap_or_default();
        if is_empty {
            empty += 1;
            assert!(error.contains("leaves nothing"), "{split:?}: {error}");
        } else {
            assert_eq!(error.contains("share contexts"), is_shared, "{split:?}: {error}");
            *(if is_shared { &mut overlaps } else { &mut disjoint }) += 1;
        }
    }
    assert!(overlaps > 500 && disjoint > 500 && empty > 50, "{overlaps} {disjoint} {empty}");
}
