//! Contrastive distillation in whole runs: reproducible, resumable, in both modes, with every
//! algorithm; shifts; and nothing at all of it where it is switched off.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "distill/refusals.rs"]
mod refusals;
#[path = "distill/resumes.rs"]
mod resumes;
#[path = "distill/shifts.rs"]
mod shifts;

use common::{
    RAINBOW, SAC, assert_same, checkpoints, config, contrail, forget_after, last, records, resume,
    run, run_or_hang, timeless_records,
};
use contrail::config::Config;
use contrail_envs::Registry;
use serde_json::Value;
use std::path::Path;

/// Distillation on top of a small run: small memory, a contrast every other update.
const DISTILLED: [&str; 10] = [
    "contrast.enabled=true",
    "contrast.anchors=8",
    "contrast.negatives=6",
    "contrast.candidates=12",
    "contrast.positives=2",
    "memory.segments=200",
    "memory.recent_segments=40",
    "tokens.groups=4",
    "tokens.embedding_units=8",
    "loss_policy.period_updates=2",
];

/// Imitation of an expert in two jumping tasks.
const IMITATION: &str = r#"
    [run]
    mode = "serial"
    device = "cpu"
    env_steps = 600
    [env]
    id = "Jumping-v0"
    [actors]
    envs_per_actor = 2
    behavior = "expert"
    [algorithm]
    name = "imitation"
    [network]
    torso = "nature"
    hidden_units = [16]
    [imitation]
    augmentation = "random_conv"
    [replay]
    capacity_transitions = 600
    [learner]
    minibatch_size = 8
    learning_starts_env_steps = 200
    samples_per_insert = 1.0
    [evaluation]
    period_env_steps = 300
    episodes = 1
    final_episodes = 1
    success_return = 100.0
    [checkpoint]
    period_env_steps = 300
    keep_last = 100
    [log]
    period_env_steps = 100
"#;

/// Poles of two lengths, one after the other; everything that a shift may do.
const SHIFT: [&str; 14] = [
    "subspaces.short.pole_half_length=0.3",
    "subspaces.long.pole_half_length=1.5",
    "schedule.kind=sequential",
    "schedule.phase_env_steps=600",
    "shift.detect=declared",
    "shift.clear_replay=true",
    "shift.start=guard",
    "shift.guard_env_steps=90",
    "shift.random_env_steps=200",
    "shift.align=choose",
    "shift.align_updates=40",
    "shift.align_anchors=8",
    "shift.judge_episodes=2",
    "shift.renew_dormant=true",
];

/// Sections of a distillation that is switched off.
const OFF: &str = r#"
    [contrast]
    enabled = false
    anchors = 8
    [tokens]
    groups = 4
    [teacher]
    ema_rate = 0.5
    [memory]
    segments = 200
    [loss_policy]
    kind = "uniform"
    [shift]
    detect = "off"
    start = "fresh"
"#;

fn distilled(toml: &str, set: &[&str]) -> Config {
    let all: Vec<&str> = DISTILLED.iter().chain(set).copied().collect();
    config(toml, &all)
}

fn shifting(set: &[&str]) -> Config {
    let all: Vec<&str> = SHIFT.iter().chain(set).copied().collect();
    distilled(RAINBOW, &all)
}

fn jobs() -> [(Config, u64); 4] {
    let sac = ["checkpoint.keep_last=100", "checkpoint.period_env_steps=250"];
    [
        (distilled(RAINBOW, &["contrast.updates_per_update=0.5"]), 1500),
        (distilled(SAC, &[sac[0], sac[1], "contrast.updates_per_update=2.0"]), 500),
        (distilled(IMITATION, &["contrast.augmentation=random_conv"]), 600),
        // The checkpoint after 700 env steps is in the middle of the collection.
        (shifting(&["teacher.distillation_weight=0.5"]), 1500),
    ]
}

fn events(run_dir: &Path, name: &str) -> Vec<std::collections::BTreeMap<String, Value>> {
    let mut all = records(run_dir);
    all.retain(|record| record.get("event").is_some_and(|event| event == name));
    all
}

#[test]
fn a_killed_distilled_run_continues_exactly_and_repeats_itself() {
    for (config, _) in jobs() {
        let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let registry = Registry::builtin();
        let summary = run(&config, &registry, whole.path()).unwrap();
        let end = summary.counters.env_steps;
        run(&config, &registry, killed.path()).unwrap();
        let what = format!("{} on {}", config.algorithm.name().as_str(), config.env.id);
        assert_same(whole.path(), killed.path(), end, &what);
        let middle = checkpoints(killed.path())[0];
        assert!(middle < end, "{what}");
        forget_after(killed.path(), middle);
        resume(&config, &registry, killed.path()).unwrap();
        assert_same(whole.path(), killed.path(), end, &format!("{what}, from {middle}"));
    }
}

/// Every section written and distillation off is the run without the sections, bit by bit.
#[test]
fn switched_off_it_leaves_no_trace() {
    for toml in [RAINBOW, SAC, IMITATION] {
        let (without, off) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let registry = Registry::builtin();
        let a = run(&config(toml, &[]), &registry, without.path()).unwrap();
        let b = run(&config(&format!("{toml}{OFF}"), &[]), &registry, off.path()).unwrap();
        assert_eq!(a.policy_blake3, b.policy_blake3);
        assert_same(without.path(), off.path(), a.counters.env_steps, "off");
        let names = |dir: &Path| {
            let names = timeless_records(dir).into_iter().flat_map(|r| r.into_keys());
            names.filter(|n| n.starts_with("aux/") || n.starts_with("loss_policy/")).count()
        };
        assert_eq!(names(off.path()), 0);
    }
}

const CURVES: [&str; 31] = [
    "aux/loss",
    "aux/accuracy",
    "aux/bound",
    "aux/negatives",
    "aux/alignment",
    "aux/uniformity",
    "aux/gradient_cosine",
    "aux/decision_gradient_norm",
    "aux/auxiliary_gradient_norm",
    "aux/gradient_dropped",
    "aux/identical_share",
    "aux/near_share",
    "aux/alike_share",
    "aux/reading_age_versions",
    "aux/unread_share",
    "aux/code_collision_share",
    "aux/memory_segments",
    "tokens/usage",
    "tokens/perplexity",
    "tokens/group_perplexity",
    "tokens/effective_rank",
    "tokens/dormant_units",
    "loss_policy/updates",
    "loss_policy/reward_mean",
    "loss_policy/choice_entropy",
    "loss_policy/regret",
    "loss_policy/best_fixed_arm",
    "loss_policy/none/share",
    "loss_policy/predictive/beta1/weight0.1/share",
    "perf/contrast_time_share",
    "phase/auc",
];

#[test]
fn the_curves_are_in_the_log_and_in_tensorboard_in_both_modes() {
    for mode in ["serial", "threaded"] {
        let mode = format!("run.mode={mode}");
        // A contrast every other update: the update that opens a row may have none.
        let set = [&mode, "loss_policy.kind=uniform", "contrast.updates_per_update=0.5"];
        let dir = tempfile::tempdir().unwrap();
        run_or_hang(&distilled(RAINBOW, &set), &Registry::builtin(), dir.path()).unwrap();
        let events = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path());
        let events = events.filter(|p| p.to_string_lossy().contains("tfevents"));
        let events: Vec<u8> = events.flat_map(|path| std::fs::read(path).unwrap()).collect();
        let has = |text: &str| events.windows(text.len()).any(|w| w == text.as_bytes());
        for curve in CURVES {
            assert!(last(dir.path(), curve).is_finite(), "{mode}: {curve}");
            assert!(has(curve), "{mode}: {curve} is not in TensorBoard");
        }
        assert!(has("loss_policy/arms"), "{mode}: the histogram of the arms");
        let (bound, negatives) = (last(dir.path(), "aux/bound"), last(dir.path(), "aux/negatives"));
        assert!(bound <= (negatives + 1.0).ln(), "{bound} for {negatives} negatives");
    }
}

#[test]
fn threads_distil_every_algorithm() {
    for toml in [SAC, IMITATION] {
        let dir = tempfile::tempdir().unwrap();
        let short = "env.time_limit_env_steps=40"; // or no pendulum's episode ends
        let set = ["run.mode=threaded", "contrast.updates_per_update=1.0", short];
        run_or_hang(&distilled(toml, &set), &Registry::builtin(), dir.path()).unwrap();
        for curve in CURVES {
            assert!(last(dir.path(), curve).is_finite(), "{curve}");
        }
    }
}

#[test]
fn an_expert_tells_which_negatives_are_false() {
    let dir = tempfile::tempdir().unwrap();
    let set = ["loss_policy.kind=fixed", "loss_policy.relations=[\"predictive\"]"];
    let more = ["loss_policy.betas=[0.0]", "loss_policy.with_none=false"];
    let set: Vec<&str> = set.into_iter().chain(more).collect();
    run(&distilled(IMITATION, &set), &Registry::builtin(), dir.path()).unwrap();
    let share = last(dir.path(), "aux/false_negative_share");
    assert!((0.0..=1.0).contains(&share), "{share}");
}

#[test]
fn a_shift_is_told_with_what_was_chosen_and_why() {
    for mode in ["serial", "threaded"] {
        let dir = tempfile::tempdir().unwrap();
        // Episodes enough for some to be held out.
        let set = ["shift.random_env_steps=500", "teacher.distillation_weight=0.5"];
        let config = shifting(&[&format!("run.mode={mode}"), set[0], set[1]]);
        run_or_hang(&config, &Registry::builtin(), dir.path()).unwrap();
        let begins = events(dir.path(), "shift_begins");
        let settles = events(dir.path(), "shift_settles");
        assert_eq!((begins.len(), settles.len()), (1, 1), "{mode}");
        let (begin, settle) = (&begins[0], &settles[0]);
        assert_eq!((&begin["from"], &begin["to"]), (&"long".into(), &"short".into()));
        let at = begin["env_steps"].as_u64().unwrap();
        assert_eq!(begin["random_until_env_steps"].as_u64(), Some(at + 500));
        assert!(begin["teacher"]["student_return"].is_f64(), "{begin:?}");
        let trials = settle["alignment"]["trials"].as_array().unwrap();
        assert_eq!(trials.len(), 5, "{trials:?}");
        let chosen = settle["alignment"]["part"].as_str().unwrap();
        assert!(trials.iter().any(|trial| trial["part"] == chosen));
        // Another start than the first is kept only for two standard errors more.
        let tried = settle["guard"].as_array().unwrap();
        assert_eq!(
            tried.iter().map(|t| &t["start"]).collect::<Vec<_>>(),
            ["aligned", "source", "fresh"]
        );
        let earned =
            |t: &Value| (t["mean_return"].as_f64().unwrap(), t["std_error"].as_f64().unwrap());
        let first = earned(&tried[0]);
        let beats = |t: &&Value| earned(t).0 > first.0 + 2.0 * first.1.hypot(earned(t).1);
        let better = tried.iter().filter(beats).max_by(|a, b| earned(a).0.total_cmp(&earned(b).0));
        assert_eq!(settle["chosen_start"], better.unwrap_or(&tried[0])["start"], "{tried:?}");
        let settled_at = settle["env_steps"].as_u64().unwrap();
        assert!(settled_at >= at + 500 + 90, "{settled_at}: the guard's env steps count");
        assert!(settle["teacher_return"].is_f64());
        assert!(last(dir.path(), "shift/align_updates") >= 40.0 || chosen == "none");
        assert!((1500..1600).contains(&(last(dir.path(), "phase/env_steps") as u64 + at)));
    }
}

#[test]
fn every_start_and_part_runs_also_without_contrasts() {
    for align in ["none", "stem", "dynamics", "all"] {
        let dir = tempfile::tempdir().unwrap();
        let set = [&format!("shift.align={align}"), "shift.start=keep"];
        run(&shifting(&set), &Registry::builtin(), dir.path()).unwrap();
        let part = events(dir.path(), "shift_settles")[0]["alignment"]["part"].clone();
        assert_eq!(part.as_str().unwrap_or("none"), align);
    }
    for start in ["keep", "fresh", "renew_stem", "guard"] {
        let dir = tempfile::tempdir().unwrap();
        let start = format!("shift.start={start}");
        let set: Vec<&str> =
            SHIFT.into_iter().chain([start.as_str(), "shift.align=none"]).collect();
        run(&config(RAINBOW, &set), &Registry::builtin(), dir.path()).unwrap();
        assert_eq!(events(dir.path(), "shift_settles").len(), 1, "{start}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_key_value_and_range() {
    let cases = [
        ("contrast.negatives=0", "contrast.negatives is 0, allowed 1 to"),
        ("contrast.memory_share=1.5", "contrast.memory_share is 1.5, allowed 0.0 to 1.0"),
        ("contrast.temperature=0.0", "contrast.temperature is 0.0, allowed above 0"),
        ("tokens.levels=1", "tokens.levels is 1, allowed 2 to 255"),
        ("teacher.ema_rate=2.0", "teacher.ema_rate is 2.0, allowed 0.0 to 1.0"),
        ("memory.segments=0", "memory.segments is 0, allowed 1 to"),
        ("loss_policy.discount=0.0", "loss_policy.discount is 0; allowed is above 0"),
        ("shift.align_anchors=1", "shift.align_anchors is 1, allowed 2 to"),
        ("contrast.negative=3", "did you mean \"contrast.negatives\""),
        ("shift.start=\"warm\"", "renew_stem"),
    ];
    for (setting, expected) in cases {
        let words = ["config", "configs/quickstart.toml", "--set", "contrast.enabled=true"];
        let words: Vec<&str> = words.into_iter().chain(["--set", setting]).collect();
        let ended = contrail(&words);
        assert_eq!(ended.code, Some(2), "{setting}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{setting}: {}", ended.stderr);
    }
}
