//! Spaces, contexts, streams of random numbers, buffers, saved states and the registry.

use contrail_envs::builtin::probe::Probe;
use contrail_envs::{
    Action, ActionSpace, Context, ContextSpec, ContextValue, Dtype, EnvError, EnvOptions,
    Environment, ObsBuffer, ObsMut, ObsRef, ObsSpace, Outcome, Prng, Registry, RgbFrame,
    SeedStream, state,
};
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;

// --- spaces ---

#[test]
fn obs_spaces_know_their_size_and_bounds() {
    let image = ObsSpace::u8(&[4, 10, 10], 1);
    assert_eq!((image.len(), image.bytes(), image.bounds(399)), (400, 400, (0.0, 1.0)));
    let vector = ObsSpace::f32_vector(&[-1.0, -2.0], &[1.0, f32::MAX]);
    assert_eq!((vector.len(), vector.bytes(), vector.bounds(1)), (2, 8, (-2.0, f32::MAX)));
    assert_eq!(ObsSpace::f32(&[3, 2], 0.0, 5.0).bounds(5), (0.0, 5.0));
    assert_eq!(vector.to_string(), "F32[2]");
}

#[test]
fn obs_violations_name_each_bad_element() {
    let space = ObsSpace::f32_vector(&[-1.0, 0.0, 0.0], &[1.0, f32::INFINITY, 1.0]);
    let table: [(&[f32], &[&str]); 5] = [
        (&[-1.0, 0.0, 1.0], &[]),
        (&[1.0, f32::INFINITY, 0.5], &[]),
        (
            &[1.5, 2.0, -0.5],
            &["element 0 is 1.5, allowed -1 to 1", "element 2 is -0.5, allowed 0 to 1"],
        ),
        (&[0.0, f32::NAN, 0.0], &["element 1 is NaN, allowed 0 to inf"]),
        (&[0.0; 2], &["observation is F32 with 2 elements, expected F32 with 3"]),
    ];
    for (obs, expected) in table {
        assert_eq!(space.violations(ObsRef::F32(obs)), expected, "{obs:?}");
    }
    let message = "observation is U8 with 3 elements, expected F32 with 3";
    assert_eq!(space.violations(ObsRef::U8(&[0; 3])), [message]);
}

#[test]
fn action_spaces_refuse_what_is_outside() {
    let discrete = ActionSpace::Discrete(3);
    let continuous = ActionSpace::Box { low: vec![-1.0, 0.0], high: vec![1.0, 2.0] };
    let table: [(&ActionSpace, Action<'_>, bool); 12] = [
        (&discrete, Action::Discrete(0), true),
        (&discrete, Action::Discrete(2), true),
        (&discrete, Action::Discrete(3), false),
        (&discrete, Action::Box(&[0.0]), false),
        (&continuous, Action::Box(&[-1.0, 2.0]), true),
        (&continuous, Action::Box(&[1.0, 0.0]), true),
        (&continuous, Action::Box(&[1.1, 0.0]), false),
        (&continuous, Action::Box(&[0.0, -0.1]), false),
        (&continuous, Action::Box(&[f32::NAN, 1.0]), false),
        (&continuous, Action::Box(&[0.0]), false),
        (&continuous, Action::Box(&[0.0, 0.0, 0.0]), false),
        (&continuous, Action::Discrete(0), false),
    ];
    for (space, action, allowed) in table {
        let result = space.check("Env-v0", action);
        assert_eq!(result.is_ok(), allowed, "{action:?} in {space}");
    }
    let error = discrete.check("Env-v0", Action::Discrete(3)).unwrap_err().to_string();
    assert_eq!(
        error,
        "action Discrete(3) is not in the action space of Env-v0: Discrete(3): 0 to 2"
    );
}

// --- contexts ---

fn planet() -> ContextSpec {
    ContextSpec {
        values: vec![
            ContextValue::new("gravity", "m/s^2", 9.8, (1.0, 25.0), "pulls down"),
            ContextValue::new("length", "m", 0.5, (0.1, 2.0), "half the pole"),
        ],
    }
}

#[test]
fn contexts_replace_defaults_by_name() {
    let spec = planet();
    assert_eq!(spec.default_context().values, [9.8, 0.5]);
    assert_eq!(spec.with(&[("length", 2.0)]).unwrap().values, [9.8, 2.0]);
    assert_eq!(spec.with(&[("length", 1.0), ("gravity", 1.0)]).unwrap().values, [1.0, 1.0]);
    assert_eq!(spec.with(&[]).unwrap(), spec.default_context());
    assert_eq!(spec.index("length").unwrap(), 1);
}

#[test]
fn contexts_refuse_unknown_names_and_values_out_of_bounds() {
    let spec = planet();
    let message = |replaced: &[(&str, f64)]| spec.with(replaced).unwrap_err().to_string();
    let unknown = "there is no context value \"gravty\"; did you mean \"gravity\"?";
    assert_eq!(message(&[("gravty", 1.0)]), unknown);
    let outside = "context value length is 3 m, allowed 0.1 to 2";
    assert_eq!(message(&[("length", 3.0)]), outside);
    assert!(spec.with(&[("gravity", f64::NAN)]).is_err());
    let lengths = "the context has 1 values, this environment takes 2";
    assert_eq!(spec.check(&Context { values: vec![9.8] }).unwrap_err().to_string(), lengths);
    let none = ContextSpec::default().index("gravity").unwrap_err().to_string();
    assert_eq!(none, "there is no context value \"gravity\": this environment has none");
}

// --- streams of random numbers ---

#[test]
fn the_root_is_the_published_splitmix64() {
    // First outputs of SplitMix64 seeded with 0 and with 1234567.
    assert_eq!(SeedStream::root(0).seed(), 0xe220_a839_7b1d_cdaf);
    assert_eq!(SeedStream::root(1_234_567).seed(), 6_457_827_717_110_365_317);
}

#[test]
fn streams_depend_on_root_name_and_path_alone() {
    let root = SeedStream::root(7);
    assert_eq!(root.stream("actor/0").seed(), SeedStream::root(7).stream("actor/0").seed());
    assert_ne!(root.stream("actor/0"), SeedStream::root(8).stream("actor/0"));
    assert_ne!(root.stream("a").stream("bc"), root.stream("ab").stream("c"));
    assert_ne!(root.stream("a").stream("b"), root.stream("b").stream("a"));
    assert_ne!(root.stream(""), root);
}

#[test]
fn thousands_of_streams_all_differ() {
    let mut seeds = BTreeSet::new();
    for root in 0..20 {
        let root = SeedStream::root(root);
        seeds.insert(root.seed());
        for index in 0..100 {
            seeds.insert(root.stream(&index.to_string()).seed());
            seeds.insert(root.stream("actor").index(index).seed());
            seeds.insert(root.stream("actor").index(index).stream("env").seed());
        }
    }
    assert_eq!(seeds.len(), 20 * 301);
}

#[test]
fn numbered_branches_of_different_roots_differ() {
    let seeds: BTreeSet<u64> =
        (0..400).map(|i| SeedStream::root(i / 20).index(i % 20).seed()).collect();
    assert_eq!(seeds.len(), 400);
}

#[test]
fn neighboring_streams_are_uncorrelated() {
    // 64 bits of 1000 pairs of neighbors: 32,000 of 64,000 differ, with a standard deviation of 126.
    let root = SeedStream::root(3);
    let differing: u32 =
        (0..1000).map(|i| (root.index(i).seed() ^ root.index(i + 1).seed()).count_ones()).sum();
    assert!((31_000..=33_000).contains(&differing), "{differing} of 64000 bits differ");
}

#[test]
fn a_serialised_generator_goes_on_where_it_was() {
    let mut rng = SeedStream::root(1).stream("env").rng();
    let _: u64 = rng.random();
    let bytes = serde_json::to_string(&rng).unwrap();
    let mut copy: Prng = serde_json::from_str(&bytes).unwrap();
    let draw = |rng: &mut Prng| -> Vec<u64> { (0..100).map(|_| rng.random()).collect() };
    assert_eq!(draw(&mut rng), draw(&mut copy));
    assert_ne!(draw(&mut rng), draw(&mut Prng::seed_from_u64(1)));
}

// --- saved states ---

#[test]
fn states_come_back_and_belong_to_one_environment() {
    let mut bytes = vec![9];
    state::save("A-v0", &(5_u32, vec![1.5_f32]), &mut bytes).unwrap();
    let saved = &bytes[1..]; // what was there stays
    assert_eq!(bytes[0], 9);
    let restored: (u32, Vec<f32>) = state::restore("A-v0", saved).unwrap();
    assert_eq!(restored, (5, vec![1.5]));

    let error = |bytes: &[u8]| {
        let result: Result<(u32, Vec<f32>), EnvError> = state::restore("B-v0", bytes);
        result.unwrap_err().to_string()
    };
    assert_eq!(error(saved), "B-v0: cannot restore the saved state: it belongs to \"A-v0\"");
    let refused = |bytes: &[u8]| state::restore::<(u32, Vec<f32>)>("A-v0", bytes).is_err();
    assert!(refused(&saved[..saved.len() - 1]), "cut short");
    assert!(refused(&[saved, &[0]].concat()), "a byte too many");
    assert!(refused(&[]), "nothing");
    assert!(refused(&[255; 40]), "noise");
}

// --- buffers and frames ---

#[test]
fn buffers_hold_rows_of_either_dtype() {
    let mut buffer = ObsBuffer::zeros(&ObsSpace::u8(&[2], 9), 3);
    buffer.write_row(1, ObsRef::U8(&[4, 5]));
    assert_eq!(buffer, ObsBuffer::U8(vec![0, 0, 4, 5, 0, 0]));
    assert_eq!(buffer.row(1, 2), ObsRef::U8(&[4, 5]));
    if let ObsMut::U8(row) = buffer.row_mut(2, 2) {
        row.copy_from_slice(&[6, 7]);
    }
    assert_eq!(buffer.as_ref().get(5), 7.0);

    let mut floats = ObsBuffer::with_capacity(Dtype::F32, 2);
    floats.extend(ObsRef::F32(&[0.5, -0.5]));
    assert_eq!((floats.len(), floats.dtype()), (2, Dtype::F32));
    floats.clear();
    assert!(floats.is_empty());
}

#[test]
fn buffers_that_do_not_fit_are_refused() {
    let mut floats = [0.0_f32; 3];
    let mut obs = ObsMut::F32(&mut floats);
    assert!(obs.f32("Env-v0", 3).is_ok());
    let message = |result: Result<(), EnvError>| result.unwrap_err().to_string();
    let wrong = "Env-v0: the observation buffer holds 3 F32, expected 2 f32";
    assert_eq!(message(obs.f32("Env-v0", 2).map(drop)), wrong);
    let wrong = "Env-v0: the observation buffer holds 3 F32, expected 3 u8";
    assert_eq!(message(obs.reborrow().u8("Env-v0", 3).map(drop)), wrong);
}

#[test]
fn frames_are_drawn_row_by_row_and_clipped() {
    let mut frame = RgbFrame::default();
    frame.fill(3, 2, [1; 3]);
    frame.rect((1, -5), (9, 1), [2; 3]);
    frame.set(-1, 0, [3; 3]);
    frame.set(0, 1, [4, 5, 6]);
    #[rustfmt::skip]
    let expected = [1, 1, 1, 2, 2, 2, 2, 2, 2,
                    4, 5, 6, 1, 1, 1, 1, 1, 1];
    assert_eq!((frame.width, frame.height, &frame.pixels[..]), (3, 2, &expected[..]));
    frame.fill(1, 1, [0; 3]);
    assert_eq!(frame.pixels, [0; 3]);
}

// --- the registry ---

/// Steps until the episode ends, at most 10, and how it ends.
fn length(env: &mut dyn Environment) -> Result<(u32, Outcome), EnvError> {
    let context = env.spec().context.default_context();
    let mut obs = [0.0];
    env.reset(0, &context, ObsMut::F32(&mut obs))?;
    for number in 1..=10 {
        let step = env.step(Action::Discrete(0), ObsMut::F32(&mut obs))?;
        if step.outcome.ends_episode() {
            return Ok((number, step.outcome));
        }
    }
    Ok((10, Outcome::Continue))
}

#[test]
fn the_registry_applies_replaces_and_removes_the_time_limit() {
    let registry = Registry::builtin();
    let table = [
        ("Probe/Truncation-v0", None, (1, Outcome::Truncated)),
        ("Probe/Truncation-v0", Some(4), (4, Outcome::Truncated)),
        ("Probe/Truncation-v0", Some(0), (10, Outcome::Continue)),
        ("Probe/DelayedReward-v0", None, (2, Outcome::Terminated)),
        ("Probe/DelayedReward-v0", Some(1), (1, Outcome::Truncated)),
        ("Probe/DelayedReward-v0", Some(2), (2, Outcome::Terminated)),
    ];
    for (id, time_limit_env_steps, expected) in table {
        let mut env = registry
            .make(id, &EnvOptions { time_limit_env_steps, ..EnvOptions::default() })
            .unwrap();
        assert_eq!(length(&mut env).unwrap(), expected, "{id} with {time_limit_env_steps:?}");
    }
}

#[test]
fn the_registry_suggests_the_nearest_id() {
    let error = |registry: &Registry, id: &str| match registry.make(id, &EnvOptions::default()) {
        Ok(_) => panic!("{id} should be unknown"),
        Err(error) => error.to_string(),
    };
    let text = error(&Registry::builtin(), "probe/obsreward-v0");
    assert!(text.contains("did you mean \"Probe/ObsReward-v0\"?"), "{text}");
    assert_eq!(
        error(&Registry::empty(), "X"),
        "there is no environment \"X\": the registry is empty"
    );
}

#[test]
fn users_add_and_replace_environments() {
    let mut registry = Registry::empty();
    registry.register("B-v0", || Ok(Box::new(Probe::new("Probe/ConstantReward-v0")?)));
    registry.register("A-v0", || Err(EnvError::BadOption("no A today".into())));
    assert_eq!(registry.ids().collect::<Vec<_>>(), ["A-v0", "B-v0"]);
    assert_eq!(
        registry.make("A-v0", &EnvOptions::default()).err().unwrap().to_string(),
        "no A today"
    );
    let mut env = registry.make("B-v0", &EnvOptions::default()).unwrap();
    assert_eq!(length(&mut env).unwrap(), (1, Outcome::Terminated));
    registry.register("B-v0", || Ok(Box::new(Probe::new("Probe/DelayedReward-v0")?)));
    let mut env = registry.make("B-v0", &EnvOptions::default()).unwrap();
    assert_eq!(length(&mut env).unwrap(), (2, Outcome::Terminated));
}
