//! Stopped anywhere, or killed at any checkpoint, a distilled run continues as if nothing had
//! happened.

use crate::common::{
    Event, Meddle, assert_same, checkpoint, checkpoints, forget_after, go, meddled, records,
    resume, run,
};
use crate::{IMITATION, config, distilled, events, shifting};
use contrail::config::Config;
use contrail::run::RunEnd;
use contrail_envs::Registry;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The shift of two pendulums, which is judged, guarded and aligned.
const PENDULUMS: [&str; 13] = [
    "subspaces.light.mass=0.5",
    "subspaces.heavy.mass=2.0",
    "schedule.kind=sequential",
    "schedule.phase_env_steps=200",
    "shift.detect=declared",
    "shift.clear_replay=true",
    "shift.random_env_steps=100",
    "shift.align=stem",
    "shift.align_updates=8",
    "shift.align_anchors=8",
    "shift.start=guard",
    "shift.guard_env_steps=30",
    "shift.judge_episodes=1",
];

/// Everything that has state across a shift: a frozen teacher whose distillation is gated, a pull,
/// a frozen encoder, a pool, contrasts that are compared with each other by an adversarial bandit.
const STATEFUL: [&str; 9] = [
    "teacher.distillation_weight=0.5",
    "teacher.fixed_after_shift=true",
    "shift.l2_to_start=0.1",
    "shift.freeze=encoder",
    "loss_policy.kind=exp3_s",
    "contrast.updates_per_update=0.7",
    "checkpoint.period_env_steps=150",
    "evaluation.period_env_steps=600",
    "log.period_env_steps=100",
];

fn pendulums() -> Config {
    let more = ["checkpoint.keep_last=100", "checkpoint.period_env_steps=60"];
    let set: Vec<&str> = PENDULUMS.into_iter().chain(more).collect();
    distilled(crate::SAC, &set)
}

fn jumps() -> Config {
    let set = [
        "subspaces.low.floor_height=10",
        "subspaces.high.floor_height=20",
        "schedule.kind=sequential",
        "schedule.phase_env_steps=300",
        "shift.detect=declared",
        "shift.random_env_steps=120",
        "shift.align=stem",
        "shift.align_updates=8",
        "shift.align_anchors=8",
        "shift.start=new_head",
        "shift.judge_episodes=1",
        "teacher.distillation_weight=0.5",
        "shift.guard_env_steps=30",
        "checkpoint.period_env_steps=100",
    ];
    distilled(IMITATION, &set)
}

/// Kills come in every state of a run: before the shift, at it, in the collection, right after the
/// alignment, and far behind.
#[test]
fn a_run_killed_at_any_checkpoint_continues_exactly() {
    for config in [shifting(&STATEFUL), pendulums(), jumps()] {
        let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let registry = Registry::builtin();
        let summary = run(&config, &registry, whole.path()).unwrap();
        let end = summary.counters.env_steps;
        run(&config, &registry, killed.path()).unwrap();
        assert_eq!(events(whole.path(), "shift_settles").len(), 1);
        let begin = events(whole.path(), "shift_begins")[0].clone();
        let collects =
            begin["env_steps"].as_u64().unwrap()..begin["random_until_env_steps"].as_u64().unwrap();
        let kills = checkpoints(killed.path());
        assert!(kills.iter().any(|at| *at > collects.start && collects.contains(at)), "{kills:?}");
        for at in kills.into_iter().rev().filter(|at| *at < end) {
            assert!(checkpoint(killed.path(), at).contains_key("contrast.bin"));
            forget_after(killed.path(), at);
            resume(&config, &registry, killed.path()).unwrap();
            let what = format!("{} from {at} of {end}", config.algorithm.name().as_str());
            assert_same(whole.path(), killed.path(), end, &what);
        }
    }
}

/// A run that was killed before its first checkpoint begins again, the first phase too: until the
/// shift the teacher shows nothing on the current stream.
#[test]
fn a_run_killed_before_its_first_checkpoint_begins_again_alike() {
    let set = ["teacher.distillation_weight=0.5", "teacher.distill_on=current"];
    let config = shifting(&set);
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut end = 0;
    for dir in &dirs {
        end = run(&config, &Registry::builtin(), dir.path()).unwrap().counters.env_steps;
    }
    forget_after(dirs[1].path(), 0);
    assert!(checkpoints(dirs[1].path()).is_empty());
    resume(&config, &Registry::builtin(), dirs[1].path()).unwrap();
    assert_same(dirs[0].path(), dirs[1].path(), end, "from the beginning");
    let first = checkpoints(dirs[0].path())[0];
    let begun =
        records(dirs[0].path()).into_iter().filter(|r| r["env_steps"].as_u64() <= Some(first));
    let distilled = begun.filter_map(|r| r.get("aux/distillation").and_then(Value::as_f64));
    assert!(distilled.clone().count() > 0 && distilled.into_iter().all(|kl| kl == 0.0));
}

/// A stop comes where no boundary is: nothing may be decided anew only because a run begins again.
#[test]
fn a_stopped_distilled_run_continues_exactly() {
    let detecting = ["shift.detect=accuracy", "shift.accuracy_drop=0.05"];
    for (stop_at, more) in
        [(421, None), (790, None), (1000, None), (1310, None), (421, Some(detecting))]
    {
        let set = STATEFUL.into_iter().chain(more.into_iter().flatten());
        let set: Vec<&str> = set.chain(["evaluation.period_env_steps=1000"]).collect();
        let mut config = shifting(&set);
        config.env.id = "Meddled-v0".into();
        let (stop, steps) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
        let flag = Arc::clone(&stop);
        let registry = meddled("CartPole-v1", move |_, event| {
            let is_step = u64::from(matches!(event, Event::Step(_)));
            // Steps of all environments, those in evaluations included.
            if steps.fetch_add(is_step, Ordering::Relaxed) == stop_at {
                flag.store(true, Ordering::Relaxed);
            }
            Meddle::Nothing
        });
        let (whole, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let calm = meddled("CartPole-v1", |_, _| Meddle::Nothing);
        let end = run(&config, &calm, whole.path()).unwrap().counters.env_steps;
        let summary = go(&config, &registry, stopped.path(), (false, &stop)).unwrap();
        let what = format!("stopped at {} of {end}, {more:?}", summary.counters.env_steps);
        assert_eq!(summary.end, RunEnd::Interrupted, "{what}");
        resume(&config, &calm, stopped.path()).unwrap();
        assert_same(whole.path(), stopped.path(), end, &what);
    }
}

#[test]
fn a_threaded_run_with_a_shift_is_resumed_in_its_collection() {
    let config = shifting(&["run.mode=threaded", "teacher.distillation_weight=0.5"]);
    let (dir, registry) = (tempfile::tempdir().unwrap(), Registry::builtin());
    run(&config, &registry, dir.path()).unwrap();
    let middle = checkpoints(dir.path())[0];
    assert!((600..800).contains(&middle), "{middle}");
    forget_after(dir.path(), middle);
    let summary = resume(&config, &registry, dir.path()).unwrap();
    assert!((1500..1600).contains(&summary.counters.env_steps));
    assert_eq!(events(dir.path(), "shift_settles").len(), 1, "once, and of the resumed run");
}

#[test]
fn without_a_saved_replay_memory_and_loss_policy_go_on() {
    let config = shifting(&[
        "checkpoint.save_replay=false",
        "checkpoint.period_env_steps=650",
        "learner.learning_starts_env_steps=20",
        "log.period_env_steps=20",
    ]);
    let (dir, registry) = (tempfile::tempdir().unwrap(), Registry::builtin());
    run(&config, &registry, dir.path()).unwrap();
    let middle = checkpoints(dir.path())[0];
    assert!((640..700).contains(&middle), "{middle} is not well within the collection");
    let files = checkpoint(dir.path(), middle);
    assert!(files.contains_key("contrast.bin") && !files.contains_key("replay.bin"));
    forget_after(dir.path(), middle);
    resume(&config, &registry, dir.path()).unwrap();
    let settles = events(dir.path(), "shift_settles");
    assert_eq!(settles.len(), 1);
    // Nothing is learned from what is collected before it is aligned.
    let settled = settles[0]["env_steps"].as_u64().unwrap();
    let rows: Vec<(u64, u64)> = records(dir.path())
        .iter()
        .filter_map(|row| Some((row["env_steps"].as_u64()?, row["updates"].as_u64()?)))
        .collect();
    let during: Vec<_> = rows.iter().filter(|(at, _)| (middle..settled).contains(at)).collect();
    assert!(during.len() > 2 && during.iter().all(|(_, n)| *n == during[0].1), "{during:?}");
    assert!(rows.last().unwrap().1 > during[0].1, "{rows:?}");
}

/// Other contrasts cannot be continued from; a refusal leaves the run as it was.
#[test]
fn a_resume_that_switches_distillation_on_or_off_is_refused() {
    let (with, without) = (distilled(crate::RAINBOW, &[]), config(crate::RAINBOW, &[]));
    for (first, then) in [(&with, &without), (&without, &with)] {
        let (dir, registry) = (tempfile::tempdir().unwrap(), Registry::builtin());
        run(first, &registry, dir.path()).unwrap();
        forget_after(dir.path(), checkpoints(dir.path())[0]);
        let before = std::fs::read(dir.path().join("metrics.jsonl")).unwrap();
        let error = resume(then, &registry, dir.path()).unwrap_err();
        assert!(!format!("{error:#}").is_empty());
        assert_eq!(std::fs::read(dir.path().join("metrics.jsonl")).unwrap(), before);
        resume(first, &registry, dir.path()).unwrap();
    }
}
