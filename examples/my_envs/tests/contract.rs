//! Both environments keep every rule of the contract, made as the program makes them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use contrail_envs::conformance::{CheckOptions, Rule, check};
use contrail_envs::{Action, EnvOptions, ObsBuffer, Outcome, Registry};

fn registry() -> Registry {
    let mut registry = Registry::empty();
    my_envs::register(&mut registry);
    registry
}

#[test]
fn both_keep_the_contract() {
    let registry = registry();
    assert_eq!(registry.ids().collect::<Vec<_>>(), ["Courier-v0", "Mooring-v0"]);
    for id in registry.ids() {
        let make = || registry.make(id, &EnvOptions::default());
        assert_eq!(make().unwrap().spec().id, id);
        let report = check(&make, &CheckOptions::default());
        assert!(report.conforms(), "{report}");
        // What random play must have met, or it says nothing.
        for rule in [Rule::Deterministic, Rule::StepAfterEnd, Rule::SaveRestore, Rule::Render] {
            assert!(report.checked.contains(&rule), "{rule:?} was not tested\n{report}");
        }
    }
}

/// In calm air and water: the courier walks against the northern edge, the boat lies still.
#[test]
fn idle_episodes_are_cut_on_time() {
    let idle: [(&str, (&str, f64), Action<'_>, usize); 2] = [
        ("Courier-v0", ("wind", 0.0), Action::Discrete(0), 60),
        ("Mooring-v0", ("current", 0.0), Action::Box(&[0.0, 0.0]), 100),
    ];
    for (id, calm, action, limit) in idle {
        let mut env = registry().make(id, &EnvOptions::default()).unwrap();
        let context = env.spec().context.with(&[calm]).unwrap();
        let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
        env.reset(2, &context, obs.as_mut()).unwrap();
        for env_step in 1..=limit {
            let outcome = env.step(action, obs.as_mut()).unwrap().outcome;
            let expected = if env_step < limit { Outcome::Continue } else { Outcome::Truncated };
            assert_eq!(outcome, expected, "{id}, step {env_step}");
        }
        assert!(env.step(action, obs.as_mut()).is_err(), "{id}: a step after the end");
    }
}
