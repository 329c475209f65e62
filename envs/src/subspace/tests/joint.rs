//! Whole contexts and exceptions, against lists that can be written by hand.

use super::*;
use crate::builtin::jumping::{Grid, grid, tasks, unseen};
use crate::{EnvOptions, Registry};

fn pairs(pairs: &[(f64, f64)]) -> Vec<Context> {
    pairs.iter().map(|(gravity, wind)| Context { values: vec![*gravity, *wind] }).collect()
}

/// The subspaces of a config, by their JSON, which has the keys of the TOML.
fn resolved(json: &str) -> Result<BTreeMap<String, Subspace>, EnvError> {
    let subspaces = WrittenSubspace::resolve(&serde_json::from_str(json).unwrap())?;
    Ok(subspaces.into_iter().map(|subspace| (subspace.name.clone(), subspace)).collect())
}

/// The subspace called "a".
fn a(json: &str) -> Subspace {
    resolved(json).unwrap().remove("a").unwrap()
}

fn refusal(json: &str) -> String {
    let error = resolved(json).and_then(|subspaces| subspaces["a"].check(&spec()));
    error.unwrap_err().to_string()
}

#[test]
fn finite_subspaces_are_listed_in_order_and_once() {
    // Gravity has the default 9.8, wind 0.
    let table: [(&str, &[(f64, f64)]); 7] = [
        (r#"{"a":{}}"#, &[(9.8, 0.0)]),
        (r#"{"a":{"gravity":{"choice":[2,1,2]}}}"#, &[(2.0, 0.0), (1.0, 0.0)]),
        (
            r#"{"a":{"wind":{"choice":[1,2]},"gravity":{"grid":{"low":3,"high":4,"count":2}}}}"#,
            &[(3.0, 1.0), (3.0, 2.0), (4.0, 1.0), (4.0, 2.0)],
        ),
        (
            r#"{"a":{"contexts":[{"gravity":5,"wind":1},{"wind":3},{"gravity":4}]}}"#,
            &[(5.0, 1.0), (9.8, 3.0), (4.0, 0.0)],
        ),
        (
            r#"{"a":{"contexts":[{"gravity":5},{"gravity":6}],"wind":{"choice":[1,2]}}}"#,
            &[(5.0, 1.0), (5.0, 2.0), (6.0, 1.0), (6.0, 2.0)],
        ),
        (
            r#"{"a":{"gravity":{"choice":[1,2]},"wind":{"choice":[1,2]},"except":["b"]},
                "b":{"contexts":[{"gravity":1,"wind":2}]}}"#,
            &[(1.0, 1.0), (2.0, 1.0), (2.0, 2.0)],
        ),
        (
            r#"{"a":{"gravity":{"choice":[1,2,3]},"except":["b","c"]},
                "b":{"gravity":{"uniform":[1.5,2.5]}},"c":{"gravity":3}}"#,
            &[(1.0, 0.0)],
        ),
    ];
    for (json, expected) in table {
        let subspace = a(json);
        subspace.check(&spec()).unwrap();
        assert_eq!(subspace.enumerate(&spec()).unwrap(), pairs(expected), "{json}");
        let mut rng = Prng::seed_from_u64(3);
        let drawn: Vec<_> = (0..300).map(|_| subspace.sample(&spec(), &mut rng)).collect();
        for context in pairs(expected) {
            assert!(drawn.contains(&context), "{json}: {context:?} is never drawn");
        }
        assert!(drawn.iter().all(|context| pairs(expected).contains(context)), "{json}");
        for context in drawn {
            assert!(subspace.contains(&spec(), &context), "{json}: {context:?}");
        }
        assert!(!subspace.contains(&spec(), &pairs(&[(7.0, 0.0)])[0]), "{json}");
    }
    let endless = a(r#"{"a":{"gravity":{"uniform":[1,2]}}}"#);
    assert_eq!(endless.enumerate(&spec()), None);
    let many = r#"{"a":{"gravity":{"grid":{"low":1,"high":2,"count":401}},
                       "wind":{"grid":{"low":1,"high":2,"count":250}}}}"#;
    assert_eq!(a(many).enumerate(&spec()), None); // 100,250
}

#[test]
fn whole_contexts_are_equally_likely_and_independent_of_the_rest() {
    let subspace = a(r#"{"a":{"contexts":[{"gravity":5},{"gravity":6},{"gravity":5}],
                          "wind":{"choice":[1,2]}}}"#);
    let mut rng = Prng::seed_from_u64(5);
    let drawn: Vec<_> = (0..12_000).map(|_| subspace.sample(&spec(), &mut rng).values).collect();
    // 5 stands twice in the list: 2/3 by 1/2 and 1/3 by 1/2 of 12,000.
    for (values, expected) in
        [([5.0, 1.0], 4000), ([5.0, 2.0], 4000), ([6.0, 1.0], 2000), ([6.0, 2.0], 2000)]
    {
        let times = drawn.iter().filter(|drawn| **drawn == values).count();
        // The standard deviation is at most sqrt(12000 * 1/3 * 2/3) = 52.
        assert!(times.abs_diff(expected) < 250, "{values:?}: {times}");
    }
}

#[test]
fn membership_is_that_of_the_support() {
    let subspace = a(r#"{"a":{"gravity":{"uniform":[1,4]},"contexts":[{"wind":1},{"wind":2}],
                          "except":["b"]},"b":{"gravity":{"uniform":[2,3]},"wind":2}}"#);
    let table = [
        (1.0, 1.0, true), // both ends belong to it
        (4.0, 2.0, true),
        (2.5, 1.0, true),
        (2.5, 2.0, false), // excepted
        (0.9, 1.0, false),
        (1.0, 0.0, false), // no context of the list leaves wind at its default
    ];
    for (gravity, wind, expected) in table {
        let context = Context { values: vec![gravity, wind] };
        assert_eq!(subspace.contains(&spec(), &context), expected, "{context:?}");
    }
    assert!(!subspace.contains(&spec(), &Context { values: vec![1.0] }));
    let mut rng = Prng::seed_from_u64(9);
    for _ in 0..1000 {
        let context = subspace.sample(&spec(), &mut rng);
        assert!(subspace.contains(&spec(), &context), "{context:?}");
    }
}

#[test]
fn faults_are_named() {
    let table = [
        (
            r#"{"a":{"wind":1,"contexts":[{"gravity":5,"wind":1}]}}"#,
            "subspace a: context value wind is in contexts and has a distribution of its own",
        ),
        (
            r#"{"a":{"contexts":[{"gravity":5},{"gravty":5}]}}"#,
            "subspace a: number 2 of contexts: there is no context value \"gravty\"; did you mean \"gravity\"?",
        ),
        (
            r#"{"a":{"contexts":[{"gravity":50}]}}"#,
            "number 1 of contexts: context value gravity is 50 m/s², allowed 0.1 to 20",
        ),
        (
            r#"{"a":{"except":["mon"]},"moon":{},"mars":{}}"#,
            "subspace a: except has \"mon\", and there is no such subspace; did you mean \"moon\"?",
        ),
        (r#"{"a":{"except":["a"]}}"#, "except has \"a\", the subspace itself"),
        (r#"{"a":{"except":["b"]},"b":{"except":["c"]},"c":{}}"#, "has an except of its own"),
        (
            r#"{"a":{"gravity":{"choice":[1,2]},"except":["b"]},"b":{"gravity":{"uniform":[1,2]}}}"#,
            "subspace a: except [\"b\"] leaves nothing",
        ),
        (
            r#"{"a":{"gravity":{"uniform":[1,2]},"except":["b"]},"b":{"gravity":{"uniform":[0.5,2]}}}"#,
            "leaves nothing",
        ),
        (
            // 1 of 200 points
            r#"{"a":{"gravity":{"grid":{"low":1,"high":10,"count":200}},"except":["b"]},
                "b":{"gravity":{"uniform":[1,9.99]}}}"#,
            "except [\"b\"] leaves 0.50 % of the draws (counted), allowed 1 % and more",
        ),
        (
            r#"{"a":{"gravity":{"uniform":[1,10]},"except":["b"]},
                "b":{"gravity":{"uniform":[1.001,10]}}}"#,
            "% of the draws (estimated), allowed 1 % and more",
        ),
    ];
    for (json, part) in table {
        let text = refusal(json);
        assert!(text.contains(part), "{json}: {text}");
    }
    // A choice counts as often as it is written: 2 of 300 draws, gravity 20 with wind 1, are left.
    let text = refusal(
        r#"{"a":{"gravity":{"grid":{"low":1,"high":20,"count":100}},"wind":{"choice":[1,1,2]},
                 "except":["b","c"]},
            "b":{"gravity":{"uniform":[1,19.9]},"wind":{"uniform":[1,2]}},
            "c":{"gravity":20,"wind":2}}"#,
    );
    assert!(text.contains("leaves 0.67 % of the draws (counted)"), "{text}");
    // Two of 200 points are enough.
    let subspace = a(r#"{"a":{"gravity":{"grid":{"low":1,"high":10,"count":200}},"except":["b"]},
                          "b":{"gravity":{"uniform":[1,9.95]}}}"#);
    assert!(subspace.check(&spec()).is_ok());
    assert_eq!(subspace.enumerate(&spec()).unwrap().len(), 2);
    let empty = serde_json::from_str::<WrittenSubspace>(r#"{"contexts":[]}"#).unwrap_err();
    assert!(empty.to_string().contains("needs at least one context"), "{empty}");
}

#[test]
fn nested_exceptions_are_refused_without_a_config_too() {
    let mut nested = a(r#"{"a":{"except":["b"]},"b":{"wind":1}}"#);
    nested.except[0].except.push(Subspace::default());
    let text = nested.check(&spec()).unwrap_err().to_string();
    assert!(text.contains("except has \"b\", which has an except of its own"), "{text}");
}

#[test]
fn what_is_written_is_read_back() {
    for json in [
        r#"{"gravity":{"choice":[1.0,2.0]},"contexts":[{"wind":1.0},{}],"except":["b","c"]}"#,
        r#"{"gravity":9.8}"#,
        "{}",
    ] {
        let written: WrittenSubspace = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&written).unwrap(), json);
    }
    let subspace = a(r#"{"a":{"gravity":3.0,"except":["b"]},"b":{"wind":1.0}}"#);
    let again = serde_json::to_string(&WrittenSubspace::from(subspace)).unwrap();
    assert_eq!(again, r#"{"gravity":3.0,"except":["b"]}"#);
}

/// The tasks of Agarwal et al. 2021, as a config writes them.
#[test]
fn the_grids_of_the_jumping_task_and_their_unseen_tasks_are_subspaces() {
    let env = Registry::builtin().make("Jumping-v0", &EnvOptions::default()).unwrap();
    let spec = &env.spec().context;
    let axes = |positions: (u32, u32, u32), heights: (u32, u32, u32)| {
        let axis = |(low, high, count)| {
            format!(r#"{{"grid":{{"low":{low},"high":{high},"count":{count}}}}}"#)
        };
        let (position, height) = (axis(positions), axis(heights));
        format!(r#""obstacle_position":{position},"floor_height":{height}"#)
    };
    let one = |task: &Context| {
        let [position, height] = task.values[..] else { panic!("{task:?}") };
        format!(r#"{{"obstacle_position":{position},"floor_height":{height}}}"#)
    };
    let drawn: Vec<String> = grid(Grid::Random(7)).iter().map(one).collect();
    let table = [
        (Grid::Wide, axes((20, 45, 6), (10, 20, 3))),
        (Grid::Narrow, axes((28, 38, 6), (13, 17, 3))),
        (Grid::Random(7), format!(r#""contexts":[{}]"#, drawn.join(","))),
    ];
    for (name, train) in table {
        let all = axes((20, 45, 26), (10, 20, 11));
        let json = format!(
            r#"{{"train":{{{train}}},"unseen":{{{all},"except":["train"]}},"all":{{{all}}}}}"#
        );
        let subspaces = resolved(&json).unwrap();
        for (subspace, expected) in
            [("train", grid(name)), ("unseen", unseen(&grid(name))), ("all", tasks())]
        {
            subspaces[subspace].check(spec).unwrap();
            assert_eq!(subspaces[subspace].enumerate(spec), Some(expected), "{name:?} {subspace}");
        }
    }
}
