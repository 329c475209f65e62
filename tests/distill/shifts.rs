//! Shifts: what is evaluated and when, the gate, several shifts, detection.

use crate::common::{
    Event, Meddle, checkpoint, checkpoints, meddled, records, run, run_or_hang, timeless_records,
};
use crate::{DISTILLED, RAINBOW, SHIFT, config, events, shifting};
use contrail::config::Config;
use contrail_envs::Registry;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Env steps and values of a curve.
fn curve(run_dir: &Path, name: &str) -> Vec<(u64, f64)> {
    let all = records(run_dir).into_iter();
    all.filter_map(|r| Some((r["env_steps"].as_u64()?, r.get(name)?.as_f64()?))).collect()
}

/// An evaluation that falls on a shift is of the policy that played until then. A checkpoint
/// there evaluates at once, and must not find another.
#[test]
fn an_evaluation_at_a_shift_is_of_the_policy_before_it() {
    for start in ["fresh", "guard"] {
        let trace = |checkpoint: &str| {
            let start = format!("shift.start={start}");
            let set = ["evaluation.period_env_steps=600", checkpoint, start.as_str()];
            let dir = tempfile::tempdir().unwrap();
            run(&shifting(&set), &Registry::builtin(), dir.path()).unwrap();
            timeless_records(dir.path())
        };
        let mut saved = trace("checkpoint.period_env_steps=600");
        let mut unsaved = trace("checkpoint.period_env_steps=1000000000");
        // The order of lines may differ: the evaluation comes before or after the next row.
        let key = |record: &std::collections::BTreeMap<String, serde_json::Value>| {
            (record["env_steps"].as_u64(), serde_json::to_string(record).unwrap())
        };
        saved.sort_by_key(key);
        unsaved.sort_by_key(key);
        assert_eq!(saved, unsaved, "{start}");
    }
}

/// Once a row of the log, also in a run without evaluations and checkpoints on its way.
#[test]
fn distillation_fades_as_the_student_comes_up_to_the_teacher() {
    for mode in ["serial", "threaded"] {
        let never = "1000000000";
        let set = [
            &format!("evaluation.period_env_steps={never}"),
            &format!("checkpoint.period_env_steps={never}"),
            &format!("run.mode={mode}"),
            "teacher.distillation_weight=0.5",
            "shift.guard_env_steps=900",
            "run.env_steps=3000",
        ];
        let dir = tempfile::tempdir().unwrap();
        let summary = run_or_hang(&shifting(&set), &Registry::builtin(), dir.path()).unwrap();
        let settle = &events(dir.path(), "shift_settles")[0];
        let settled = settle["env_steps"].as_u64().unwrap();
        let teacher = settle["teacher_return"].as_f64().unwrap();
        let students = curve(dir.path(), "phase/ep_rew_mean_50");
        let gates = curve(dir.path(), "shift/distillation_gate");
        let rows = (summary.counters.env_steps - settled) / 100;
        assert!(gates.len() as u64 >= rows, "{mode}: {} gates in {rows} rows", gates.len());
        for (at, gate) in gates {
            assert!(at >= settled);
            // The row of the same env steps; threads take steps between the two.
            let row = students.iter().find(|(row, _)| *row == at);
            let Some((_, student)) = row.filter(|_| mode == "serial") else { continue };
            let expected = ((teacher - student) / teacher.abs()).clamp(0.0, 1.0);
            assert!((gate - expected).abs() < 1e-6, "{at}: {gate} of {teacher} {student}");
        }
    }
}

#[test]
fn what_the_guard_and_the_teacher_play_is_counted_and_bounded() {
    // The shift settles at 800 of 850 env steps; trying starts then ends the run.
    let dir = tempfile::tempdir().unwrap();
    let set = ["run.env_steps=850", "teacher.distillation_weight=0.5"];
    let summary = run(&shifting(&set), &Registry::builtin(), dir.path()).unwrap();
    let settled = events(dir.path(), "shift_settles")[0]["env_steps"].as_u64().unwrap();
    // Up to 4 lanes overshoot each of the four budgets of 30 env steps.
    assert!((900..=940).contains(&settled), "{settled}");
    assert_eq!(summary.counters.env_steps, settled);
    assert!(summary.last.is_some(), "it finished");
}

/// 100 env steps are fewer segments than a batch of 128 anchors needs: the stem stays what it was,
/// whatever the start, and that is said.
#[test]
fn too_little_to_align_on_changes_nothing_and_is_told() {
    for (align, start, first) in [
        ("stem", "keep", None),
        ("stem", "guard", Some("source")),
        ("none", "guard", Some("renewed_stem")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (keys, start) = (format!("shift.align={align}"), format!("shift.start={start}"));
        let few = ["shift.align_anchors=128", "shift.random_env_steps=100", "run.env_steps=800"];
        let set: Vec<&str> = [keys.as_str(), &start].into_iter().chain(few).collect();
        run(&shifting(&set), &Registry::builtin(), dir.path()).unwrap();
        let told = events(dir.path(), "shift_not_aligned");
        assert_eq!(told.len(), usize::from(align == "stem"), "{align} {start}");
        let text = told.first().and_then(|event| event["text"].as_str());
        let says = "shift.random_env_steps = 100 collected too little to align on: the";
        assert!(text.is_none_or(|text| text.starts_with(says)), "{text:?}");
        let settles = events(dir.path(), "shift_settles");
        assert!(settles[0]["alignment"].is_null());
        let tried = settles[0]["guard"].as_array().unwrap();
        assert_eq!(tried.first().map(|t| t["start"].as_str().unwrap()), first);
    }
}

/// A run that ends while starts are tried has a checkpoint of its end, and an evaluation that its
/// env steps passed.
#[test]
fn what_is_charged_passes_boundaries_too() {
    let dir = tempfile::tempdir().unwrap();
    let set = [
        "run.env_steps=850",
        "evaluation.period_env_steps=820",
        "checkpoint.period_env_steps=100000",
    ];
    let summary = run(&shifting(&set), &Registry::builtin(), dir.path()).unwrap();
    let ended = summary.counters.env_steps;
    assert!(ended > 850, "{ended}");
    let saved = checkpoints(dir.path());
    assert_eq!(saved.last().copied(), Some(ended), "{saved:?}");
    let evaluated: Vec<u64> =
        curve(dir.path(), "eval/mean_reward").into_iter().map(|(at, _)| at).collect();
    assert_eq!(evaluated, [ended]);
}

/// Phases that are longer and shorter than the collection that they begin with.
#[test]
fn many_shifts_come_and_go() {
    for (random, clear, settled) in [
        ("shift.random_env_steps=100", "shift.clear_replay=true", 4),
        ("shift.random_env_steps=500", "shift.clear_replay=false", 0),
    ] {
        for mode in ["serial", "threaded"] {
            let mode = format!("run.mode={mode}");
            let set = [
                &mode,
                random,
                clear,
                "schedule.kind=cyclic",
                "schedule.phase_env_steps=300",
                "shift.guard_env_steps=30",
                "shift.align_updates=8",
                "teacher.pool=2",
                "run.env_steps=1450",
            ];
            let dir = tempfile::tempdir().unwrap();
            run_or_hang(&shifting(&set), &Registry::builtin(), dir.path()).unwrap();
            assert_eq!(events(dir.path(), "shift_begins").len(), 4, "{mode} {random}");
            assert_eq!(events(dir.path(), "shift_settles").len(), settled, "{mode} {random}");
        }
    }
}

/// Every environment collects, and a segment is not a single step.
#[test]
fn all_actors_take_part_in_the_collection_of_a_detected_shift() {
    let steps: Arc<Mutex<Vec<u64>>> = Arc::default();
    let seen = Arc::clone(&steps);
    let registry = meddled("CartPole-v1", move |instance, event| {
        let mut all = seen.lock().unwrap();
        let len = all.len().max(instance + 1);
        all.resize(len, 0);
        all[instance] += u64::from(matches!(event, Event::Step(_)));
        // Noise from here on: no observation tells the next.
        let total = all.iter().sum::<u64>();
        let noise = (total.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1 << 23) as f32;
        if total > 1800 { Meddle::Obs(noise - 1.0) } else { Meddle::Nothing }
    });
    let set = [
        "env.id=Meddled-v0",
        "env.normalize_obs=false",
        "run.env_steps=3000",
        "contrast.gate=off",
        "contrast.updates_per_update=1.0",
        "teacher.ema_rate=0.05",
        "tokens.enabled=false",
        "loss_policy.kind=fixed",
        "loss_policy.relations=['predictive']",
        "loss_policy.betas=[0.0]",
        "loss_policy.weights=[1.0]",
        "loss_policy.with_none=false",
        "shift.detect=accuracy",
        "shift.accuracy_drop=0.5",
        "shift.align=none",
        "shift.align_anchors=64",
        "shift.start=keep",
        "shift.random_env_steps=600",
        "log.period_env_steps=50",
    ];
    let dir = tempfile::tempdir().unwrap();
    // What has no effect then is left out.
    let shift = SHIFT.iter().filter(|setting| !setting.starts_with("shift.guard"));
    let distilled = DISTILLED.iter().filter(|setting| !setting.starts_with("tokens."));
    let all: Vec<&str> = shift.chain(distilled).copied().chain(set).collect();
    run(&config(RAINBOW, &all), &registry, dir.path()).unwrap();
    let found = events(dir.path(), "shift_begins");
    let accuracies = curve(dir.path(), "shift/stream_accuracy");
    assert!(found.iter().any(|event| event["env_steps"].as_u64() > Some(1200)), "{accuracies:?}");
    let all = steps.lock().unwrap();
    // After one that is only asked for its spaces: each took about a sixth.
    assert!(all[1..7].iter().all(|count| (440..=560).contains(count)), "{all:?}");
}

/// A run of the first phase alone, and one whose game changes beyond recognition.
fn breakout(set: &[&str]) -> Config {
    const BREAKOUT: &str = r#"
        [run]
        mode = "serial"
        device = "cpu"
        env_steps = 6000
        [env]
        id = "MinAtar/Breakout-v1"
        [actors]
        envs_per_actor = 4
        [network]
        torso = "minatar"
        hidden_units = [64]
        [exploration]
        initial_random_env_steps = 200
        epsilon_end = 0.5
        [replay]
        capacity_transitions = 6000
        [learner]
        minibatch_size = 16
        learning_starts_env_steps = 200
        samples_per_insert = 4.0
        [evaluation]
        period_env_steps = 1000000000
        final_episodes = 0
        [log]
        period_env_steps = 200
        [subspaces.published]
        [subspaces.permuted]
        channel_permutation = 9
        [contrast]
        enabled = true
        updates_per_update = 1.0
        anchors = 16
        negatives = 15
        candidates = 16
        gate = "off"
        [tokens]
        enabled = false
        [memory]
        segments = 1000
        recent_segments = 96
        [loss_policy]
        kind = "fixed"
        relations = ["predictive"]
        betas = [0.0]
        weights = [1.0]
        with_none = false
        [shift]
        detect = "accuracy"
        align_anchors = 128
        accuracy_drop = 0.35
    "#;
    config(BREAKOUT, set)
}

/// On six seeds the shift was found 600 to 800 env steps after it began, which it takes until the
/// current stream is of the new game; and never where there was none.
#[test]
fn a_game_that_changes_is_noticed_and_one_that_does_not_is_left_alone() {
    let order = ["schedule.kind=sequential", "schedule.order=['published','permuted']"];
    for seed in ["run.seed=1", "run.seed=2"] {
        for (phase, expected) in
            [("schedule.phase_env_steps=4000", 1), ("schedule.phase_env_steps=100000", 0)]
        {
            let dir = tempfile::tempdir().unwrap();
            run(&breakout(&[order[0], order[1], phase, seed]), &Registry::builtin(), dir.path())
                .unwrap();
            let accuracies = curve(dir.path(), "shift/stream_accuracy");
            let found = events(dir.path(), "shift_begins");
            let at: Vec<u64> = found.iter().map(|e| e["env_steps"].as_u64().unwrap()).collect();
            assert_eq!(at.len(), expected, "{phase} {seed}: {at:?} {accuracies:?}");
            assert!(at.iter().all(|at| (4200..=5000).contains(at)), "{at:?} {accuracies:?}");
            assert!(found.iter().all(|event| event["to"] == "permuted"), "{found:?}");
            assert!(found.iter().all(|event| event["declared"] == false), "{found:?}");
        }
    }
}

/// To a subspace that is the same, so that nothing is left to align, with a step size that ruins
/// what was learned; patience keeps what there was before.
#[test]
fn an_alignment_with_patience_keeps_the_best_that_was_measured() {
    let after = |patience: &str| {
        let set = [
            "subspaces.permuted.channel_permutation=0",
            "schedule.kind=sequential",
            "schedule.order=['published','permuted']",
            "schedule.phase_env_steps=3000",
            "run.env_steps=3700",
            "shift.detect=declared",
            "shift.align=all",
            "shift.align_anchors=32",
            "shift.align_updates=200",
            "shift.align_learning_rate=0.3",
            "shift.random_env_steps=600",
            "shift.start=keep",
            patience,
        ];
        let dir = tempfile::tempdir().unwrap();
        run(&breakout(&set), &Registry::builtin(), dir.path()).unwrap();
        let settle = &events(dir.path(), "shift_settles")[0]["alignment"];
        let accuracy = |name: &str| settle[name].as_f64().unwrap();
        (accuracy("accuracy_before"), accuracy("accuracy_after"))
    };
    let (before, ruined) = after("shift.align_patience_updates=0");
    assert!(ruined < before, "{ruined} is no worse than {before}: the step size ruins nothing");
    // It runs out before the updates do, and after.
    for patience in ["shift.align_patience_updates=100", "shift.align_patience_updates=1000"] {
        let (before, kept) = after(patience);
        assert!(kept >= before, "{patience}: {kept} after {before}");
    }
}

/// The teacher stays as it began, and the student learns a little: now this one earns more, now
/// that. Nothing is learned in a collection, so the student is still the one that was judged.
#[test]
fn the_next_teacher_is_the_better_of_both() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..=8 {
        let seed = format!("run.seed={seed}");
        let set = ["teacher.ema_rate=0.0", "checkpoint.period_env_steps=650", &seed];
        let dir = tempfile::tempdir().unwrap();
        run(&shifting(&set), &Registry::builtin(), dir.path()).unwrap();
        let judged = &events(dir.path(), "shift_begins")[0]["teacher"];
        let earned = |who: &str| judged[who].as_f64().unwrap();
        let (student, teacher) = (earned("student_return"), earned("teacher_return"));
        let better = if student > teacher { "student" } else { "teacher" };
        assert_eq!(judged["next"], better, "{judged}");
        seen.insert(better);
        let collection = checkpoints(dir.path())[0];
        assert!((600..800).contains(&collection), "{collection}");
        let bytes = &checkpoint(dir.path(), collection)["agent.safetensors"];
        let arrays = safetensors::SafeTensors::deserialize(bytes).unwrap();
        let bytes_of = |name: &str| arrays.tensor(name).unwrap().data().to_vec();
        let next = bytes_of("teacher");
        assert!(next == bytes_of("teacher_pool/0"), "the pool keeps who taught last");
        let own = bytes_of("online/shared/0/weight");
        let holds = next.chunks_exact(4).collect::<Vec<_>>();
        let holds = holds.windows(own.len() / 4).any(|part| part.concat() == own);
        assert_eq!(holds, better == "student", "{judged}");
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

/// What the last update measured is no measurement of the rows that follow without one.
#[test]
fn rows_without_an_update_repeat_no_curve() {
    let dir = tempfile::tempdir().unwrap();
    run_or_hang(&shifting(&[]), &Registry::builtin(), dir.path()).unwrap();
    let begins = events(dir.path(), "shift_begins")[0]["env_steps"].as_u64().unwrap();
    let losses = curve(dir.path(), "train/loss");
    let collected = |at: u64| at > begins + 100 && at <= begins + 200;
    assert!(losses.iter().any(|(at, _)| *at <= begins));
    assert!(!losses.iter().any(|(at, _)| collected(*at)), "{losses:?}");
    let rows = curve(dir.path(), "replay/size");
    assert!(rows.iter().any(|(at, _)| collected(*at)), "{rows:?}");
}
