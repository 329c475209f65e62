//! Shifts: what is evaluated and when, the gate, several shifts, detection.

use crate::common::{
    Event, Meddle, checkpoint, last, meddled, records, run, run_or_hang, timeless_records,
};
use crate::{config, events, shifting};
use contrail::config::Config;
use contrail_envs::Registry;
use safetensors::SafeTensors;
use std::path::Path;
use std::sync::{Arc, Mutex};

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

/// The gate of distillation as a checkpoint has it.
fn saved_gate(run_dir: &Path, env_steps: u64) -> f32 {
    let files = checkpoint(run_dir, env_steps);
    let arrays = SafeTensors::deserialize(&files["agent.safetensors"]).unwrap();
    let bytes = arrays.tensor("distillation_gate").unwrap().data().to_vec();
    f32::from_le_bytes(bytes.try_into().unwrap())
}

/// Also in a run without evaluations and checkpoints on its way.
#[test]
fn distillation_fades_as_the_student_comes_up_to_the_teacher() {
    for mode in ["serial", "threaded"] {
        let never = "1000000000";
        let set = [
            &format!("evaluation.period_env_steps={never}"),
            &format!("checkpoint.period_env_steps={never}"),
            &format!("run.mode={mode}"),
            "teacher.distillation_weight=0.5",
            "run.env_steps=1490",
        ];
        let dir = tempfile::tempdir().unwrap();
        let end = run_or_hang(&shifting(&set), &Registry::builtin(), dir.path()).unwrap();
        let teacher = events(dir.path(), "shift_settles")[0]["teacher_return"].as_f64().unwrap();
        // As of the last row but for what threads did in the meantime.
        let student = last(dir.path(), "phase/ep_rew_mean_50");
        let expected = ((teacher - student) / teacher).clamp(0.0, 1.0);
        let gate = f64::from(saved_gate(dir.path(), end.counters.env_steps));
        let tolerance = if mode == "serial" { 1e-6 } else { 0.2 };
        assert!((gate - expected).abs() < tolerance, "{mode}: {gate}, {teacher} {student}");
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

/// Phases that are longer and shorter than the collection that they begin with.
#[test]
fn many_shifts_come_and_go() {
    for (random, settled) in [("shift.random_env_steps=100", 4), ("shift.random_env_steps=500", 0)]
    {
        for mode in ["serial", "threaded"] {
            let mode = format!("run.mode={mode}");
            let set = [
                &mode,
                random,
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
        if let Event::Step(_) = event {
            let mut all = seen.lock().unwrap();
            let len = all.len().max(instance + 1);
            all.resize(len, 0);
            all[instance] += 1;
        }
        Meddle::Nothing
    });
    // Any fall is a shift then.
    let set = [
        "env.id=Meddled-v0",
        "shift.detect=accuracy",
        "shift.accuracy_drop=0.01",
        "shift.start=keep",
        "shift.random_env_steps=600",
        "log.period_env_steps=50",
    ];
    let dir = tempfile::tempdir().unwrap();
    run(&shifting(&set), &registry, dir.path()).unwrap();
    assert!(!events(dir.path(), "shift_begins").is_empty());
    let actors = &steps.lock().unwrap()[..6];
    // Each of the six took about a sixth of the 1500 env steps.
    assert!(actors.iter().all(|count| (245..=256).contains(count)), "{actors:?}");
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
        [memory]
        segments = 1000
        recent_segments = 64
        [loss_policy]
        kind = "fixed"
        relations = ["predictive"]
        betas = [0.0]
        weights = [1.0]
        with_none = false
        [shift]
        detect = "accuracy"
        align_anchors = 64
        accuracy_drop = 0.5
    "#;
    config(BREAKOUT, set)
}

#[test]
fn a_game_that_changes_is_noticed_and_one_that_does_not_is_left_alone() {
    let phases = ["schedule.kind=sequential", "schedule.phase_env_steps=4000"];
    for seed in ["run.seed=1", "run.seed=2"] {
        for (order, expected) in [
            ("schedule.order=['published','permuted']", 1),
            ("schedule.order=['published','published']", 0),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let set = [phases[0], phases[1], order, seed];
            run(&breakout(&set), &Registry::builtin(), dir.path()).unwrap();
            let accuracies: Vec<(u64, f64)> = records(dir.path())
                .iter()
                .filter_map(|r| {
                    Some((r["env_steps"].as_u64()?, r.get("shift/stream_accuracy")?.as_f64()?))
                })
                .collect();
            let found = events(dir.path(), "shift_begins");
            let at: Vec<u64> = found.iter().map(|e| e["env_steps"].as_u64().unwrap()).collect();
            assert_eq!(at.len(), expected, "{order} {seed}: {at:?} {accuracies:?}");
            assert!(at.iter().all(|at| (4000..5200).contains(at)), "{at:?} {accuracies:?}");
        }
    }
}
