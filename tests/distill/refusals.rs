//! What a user may type wrong in the sections of distillation is refused in words, before anything
//! is written.

use crate::common::contrail;

/// `contrail config` with `settings` on a CartPole is refused, and says `expected`.
fn refused(settings: &[&str], expected: &str) {
    refused_in("configs/quickstart.toml", settings, expected);
}

fn refused_in(file: &str, settings: &[&str], expected: &str) {
    let mut words = vec!["config", file];
    words.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let ended = contrail(&words);
    assert_eq!(ended.code, Some(2), "{settings:?}: {}", ended.stderr);
    assert!(ended.stderr.contains(expected), "{settings:?}: {}", ended.stderr);
}

#[test]
fn every_section_names_key_value_and_what_is_allowed() {
    for (setting, expected) in [
        ("contrast.updates_per_update=-0.5", "contrast.updates_per_update is -0.5, allowed 0.0 to"),
        ("contrast.memory_share=nan", "contrast.memory_share is NaN, allowed 0.0 to 1.0"),
        ("contrast.objective=triplet", "contrast.objective is \"triplet\", expected one of"),
        ("contrast.gate=block", "contrast.gate is \"block\", expected one of"),
        ("contrast.negative_law=easy", "\"weighted\" or \"hardest\""),
        ("contrast.memory_by_return=0.9", "add up to 1.15, allowed at most 1"),
        ("contrast.positive_distance=-1", "contrast.positive_distance is -1.0, allowed 0.0 to inf"),
        ("contrast.distance_after_end=dies", "\"unlike\" or \"stays\""),
        ("contrast.augmentation=random_shift_x", "expected \"none\", \"random_conv\", "),
        ("contrast.positives=0.5", "contrast.positives is 0.5, expected a whole number, 0 or more"),
        ("tokens.groups=0", "tokens.groups is 0, allowed 1 to 64"),
        ("tokens.level=8", "did you mean \"tokens.levels\"?"),
        ("tokens.enabled=yes", "tokens.enabled is \"yes\", expected true or false"),
        ("teacher.pool=0", "teacher.pool is 0, allowed 1 to 1000"),
        ("teacher.policy_temperature=0", "teacher.policy_temperature is 0.0, allowed above 0"),
        ("teacher.distill_on=later", "expected one of \"earlier\", \"current\", \"all\""),
        ("teacher.distilation_weight=1", "did you mean \"teacher.distillation_weight\"?"),
        ("memory.recent_segments=0", "memory.recent_segments is 0, allowed 1 to 1000000"),
        ("memory.segment=9", "did you mean \"memory.segments\"?"),
        ("loss_policy.kind=ucb", "loss_policy.kind is \"ucb\", expected one of"),
        ("loss_policy.kind=fixed", "loss_policy.kind is \"fixed\" with 9 arms; it needs exactly 1"),
        ("loss_policy.relations=['causal']", "loss_policy.relations"),
        ("loss_policy.betas=[1.0,1.0]", "loss_policy.betas names 1 twice"),
        ("loss_policy.weights=[]", "loss_policy.relations has no arms because"),
        ("loss_policy.period_update=3", "did you mean \"loss_policy.period_updates\"?"),
        ("shift.detect=always", "shift.detect is \"always\", expected one of"),
        ("shift.align=head", "shift.align is \"head\", expected one of"),
        ("shift.freeze=all", "shift.freeze is \"all\", expected one of"),
        ("shift.accuracy_drop=0", "shift.accuracy_drop is 0.0, allowed 0.01 to 1.0"),
        ("shift.guard_steps=9", "did you mean \"shift.guard_env_steps\"?"),
    ] {
        refused(&["contrast.enabled=true", setting], expected);
    }
}

#[test]
fn keys_of_distillation_without_effect_are_refused() {
    let off = "has no effect, because contrast.enabled is false";
    for key in ["contrast.negatives", "tokens.groups", "teacher.pool", "memory.segments"] {
        refused(&[&format!("{key}=4")], &format!("{key} {off}"));
    }
    refused(&["loss_policy.discount=0.9"], &format!("loss_policy.discount {off}"));
    refused(
        &["shift.guard_env_steps=90"],
        "shift.guard_env_steps has no effect, because shift.detect is \"off\"",
    );
    refused_in(
        "configs/methods/minatar/base.toml",
        &["shift.accuracy_drop=0.4"],
        "shift.accuracy_drop has no effect, because shift.detect is not \"accuracy\"",
    );
    refused(
        &["contrast.enabled=true", "tokens.enabled=false", "tokens.groups=4"],
        "tokens.groups has no effect, because tokens.enabled is false",
    );
}

/// Each of these would quietly do nothing, or leave a fresh input stem that nobody trained.
#[test]
fn what_a_shift_needs_of_other_keys_is_refused() {
    let (distils, detected) = ("contrast.enabled=true", "shift.detect=accuracy");
    refused(&["shift.detect=accuracy"], "which needs contrast.enabled = true");
    refused(
        &["shift.detect=declared", "shift.align=stem"],
        "shift.align is not \"none\", which needs contrast.enabled = true",
    );
    for setting in ["contrast.balance_actions=true", "contrast.distance_behavior=actor"] {
        let sac = "configs/pendulum_sac.toml";
        refused_in(sac, &[distils, setting], "allowed where actions are discrete, and SAC's are");
    }
    refused(&["shift.detect=declared"], "no other schedule declares shifts");
    refused(
        &[distils, detected, "shift.start=guard"],
        "shift.guard_env_steps is 0, allowed at least 12 where shift.start is \"guard\"",
    );
    refused(
        &[distils, detected, "shift.align=stem"],
        "shift.random_env_steps is 0, allowed above 0 where shift.align is not \"none\"",
    );
    let aligns = [distils, "shift.detect=accuracy", "shift.random_env_steps=100"];
    for (setting, needed) in [
        ("loss_policy.relations=['behavioral']", "\"predictive\" among loss_policy.relations"),
        ("contrast.updates_per_update=0", "contrast.updates_per_update above 0"),
        ("contrast.objective=none", "contrast.objective other than \"none\""),
    ] {
        let detects = format!("shift.detect is \"accuracy\", which needs {needed}");
        refused(&[aligns[0], aligns[1], aligns[2], setting], &detects);
        let aligns = format!("shift.align is not \"none\", which needs {needed}");
        refused_in("configs/methods/minatar/ours.toml", &[setting], &aligns);
    }
    refused_in(
        "configs/methods/minatar/fine_tune.toml",
        &["schedule.phase_env_steps=5000"],
        "schedule.phase_env_steps is 5000, allowed above 5000 where shift.clear_replay = true",
    );
    refused(
        &[
            "shift.detect=declared",
            "shift.clear_replay=true",
            "schedule.kind=cyclic",
            "subspaces.short.pole_half_length=0.3",
            "subspaces.long.pole_half_length=1.5",
            "learner.learning_starts_env_steps=20000",
        ],
        "schedule.phase_env_steps is 10000, allowed above 20000 where shift.clear_replay = true",
    );
    let fine = [
        "config",
        "configs/quickstart.toml",
        "--set",
        distils,
        "--set",
        detected,
        "--set",
        "shift.align=stem",
        "--set",
        "shift.random_env_steps=100",
    ];
    assert_eq!(contrail(&fine).code, Some(0));
}

#[test]
fn a_shift_neither_gates_by_nothing_nor_freezes_what_it_renewed() {
    let (distils, detected) = ("contrast.enabled=true", "shift.detect=accuracy");
    refused(
        &[distils, detected, "teacher.distillation_weight=1"],
        "teacher.gate_by_return is true, allowed where shift.guard_env_steps is at least 12",
    );
    for start in
        [&["shift.start=renew_stem"][..], &["shift.start=guard", "shift.guard_env_steps=60"]]
    {
        let frozen = [&[distils, detected, "shift.freeze=encoder"], start].concat();
        refused(&frozen, "shift.freeze is \"encoder\", allowed where shift.start is not");
    }
}

#[test]
fn what_contrasts_need_of_other_keys_is_refused() {
    let distils = "contrast.enabled=true";
    refused(
        &[distils, "contrast.negatives=64"],
        "contrast.candidates is 32, allowed at least contrast.negatives, 64",
    );
    refused(
        &[distils, "contrast.gate=detach"],
        "contrast.gate is \"detach\", allowed where loss_policy.kind is \"fixed\" or \"uniform\"",
    );
    let uniform = "loss_policy.kind=uniform";
    refused(
        &[distils, "contrast.gate=detach", uniform, "tokens.enabled=false"],
        "contrast.gate is \"detach\", allowed with tokens.enabled",
    );
    for setting in ["contrast.projection_units=8", "loss_policy.relations=['predictive']"] {
        let words = [distils, "contrast.gate=detach", uniform, "tokens.enabled=false", setting];
        let words = words.iter().flat_map(|setting| ["--set", setting]);
        let words: Vec<&str> =
            ["config", "configs/quickstart.toml"].into_iter().chain(words).collect();
        assert_eq!(contrail(&words).code, Some(0), "{setting}");
    }
}
