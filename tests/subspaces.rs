//! Schedules in whole runs: what was played is what was declared, again under the same seed, and
//! also across a resume; and evaluation by subspace.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{
    assert_same, binary, checkpoints, config, forget_after, records, resume, run, timeless_records,
};
use contrail::config::{Config, Overrides, load};
use contrail::run::{Spaces, Summary};
use contrail::subspaces::SubspacePlan;
use contrail_envs::{Distribution, EnvOptions, Registry};
use serde_json::Value;
use std::path::Path;

/// Episodes of exactly 5 env steps (the car cannot reach the goal in 5) in 6 environments: they
/// all begin at every multiple of 30 env steps.
const CARS: &str = r#"
    [run]
    mode = "serial"
    device = "cpu"
    env_steps = 6000
    [env]
    id = "MountainCar-v0"
    time_limit_env_steps = 5
    [actors]
    count = 3
    envs_per_actor = 2
    [network]
    hidden_units = [8]
    [replay]
    capacity_transitions = 1000
    [learner]
    minibatch_size = 8
    learning_starts_env_steps = 200
    samples_per_insert = 1.0
    [evaluation]
    episodes = 0
    final_episodes = 0
    [checkpoint]
    period_env_steps = 3102 # a whole number of turns of all actors, and not of episodes
    keep_last = 100
    [log]
    period_env_steps = 300
    [subspaces.a]
    gravity = 0.001
    [subspaces.b]
    gravity = { uniform = [0.002, 0.003] }
    [subspaces.c]
    gravity = { choice = [0.004, 0.005] }
    [split]
    source = ["a", "b", "c"]
    target = ["t"]
    [subspaces.t]
    gravity = 0.0075
"#;

const SCHEDULES: [&[&str]; 7] = [
    &["schedule.kind=pinned"],
    &["schedule.kind=iid", "schedule.weights={a=1.0,b=2.0,c=3.0}"],
    &["schedule.kind=dirichlet", "schedule.alpha=0.7"],
    &["schedule.kind=sequential", "schedule.phase_env_steps=1500", "schedule.order=['b','a','c']"],
    &["schedule.kind=cyclic", "schedule.phase_env_steps=900"],
    &["schedule.kind=recurring", "schedule.phase_env_steps=600"],
    &[
        "schedule.kind=drifting",
        "schedule.drift_value=force",
        "schedule.drift_from=0.001",
        "schedule.drift_to=0.002",
        "schedule.drift_env_steps=6000",
    ],
];

/// The newest value of a curve.
fn newest(run_dir: &Path, curve: &str) -> f64 {
    let all: Vec<f64> = curve_values(run_dir, curve).into_iter().map(|(_, value)| value).collect();
    *all.last().unwrap_or_else(|| panic!("there is no {curve}"))
}

/// Env steps and values of a curve.
fn curve_values(run_dir: &Path, curve: &str) -> Vec<(u64, f64)> {
    let all = records(run_dir);
    let point = |r: &std::collections::BTreeMap<String, Value>| {
        Some((r["env_steps"].as_u64()?, r.get(curve)?.as_f64()?))
    };
    all.iter().filter_map(point).collect()
}

fn episodes(run_dir: &Path) -> [f64; 3] {
    ["a", "b", "c"].map(|name| newest(run_dir, &format!("subspace/{name}/episodes")))
}

fn plan(config: &Config) -> SubspacePlan {
    let env = Registry::builtin().make("MountainCar-v0", &EnvOptions::default()).unwrap();
    SubspacePlan::new(config, &env.spec().context).unwrap()
}

/// Runs a schedule and hands over its folder.
fn played(schedule: &[&str], check: impl FnOnce(&Config, &Summary, &Path)) {
    let (config, dir) = (config(CARS, schedule), tempfile::tempdir().unwrap());
    let summary = run(&config, &Registry::builtin(), dir.path()).unwrap();
    check(&config, &summary, dir.path());
}

/// Pearson's statistic; the 99.99 % quantile with 2 degrees of freedom is -2 ln 0.0001 = 18.42.
fn assert_drawn_from(counts: [f64; 3], expected: [f64; 3]) {
    let term = |(count, expected): (f64, f64)| (count - expected).powi(2) / expected;
    let statistic: f64 = counts.into_iter().zip(expected).map(term).sum();
    assert!(statistic < 18.42, "{counts:?}, expected {expected:?}");
}

#[test]
fn pinned_environments_play_their_subspace_alone() {
    played(SCHEDULES[0], |_, summary, dir| {
        assert_eq!(episodes(dir), [400.0; 3]); // 6000 / 5 episodes, a third each
        // Three pairs of environments that share nothing: log2(3) bits. Always the same: 0.
        assert!((summary.js_between_envs_bits.unwrap() - 3_f64.log2()).abs() < 1e-12);
        assert!(summary.js_over_time_bits.unwrap() < 1e-12);
        assert!((newest(dir, "subspace/a/context/gravity") - 0.001).abs() < 1e-12);
        let b = newest(dir, "subspace/b/context/gravity");
        let c = newest(dir, "subspace/c/context/gravity");
        // Means of 100 draws, within 5 standard errors.
        assert!((b - 0.0025).abs() < 1.5e-4 && (c - 0.0045).abs() < 2.5e-4, "{b} {c}");
    });
}

#[test]
fn iid_episodes_are_drawn_by_weight() {
    played(SCHEDULES[1], |_, summary, dir| {
        assert_drawn_from(episodes(dir), [200.0, 400.0, 600.0]);
        // Chance alone: about (6 - 1)(3 - 1) / (2 ln 2 * 1200) = 0.006 bits.
        assert!(summary.js_between_envs_bits.unwrap() < 0.03);
    });
}

#[test]
fn dirichlet_environments_keep_their_own_shares() {
    played(SCHEDULES[2], |config, summary, dir| {
        let shares = plan(config).shares().unwrap();
        let expected = [0, 1, 2].map(|s| shares.iter().map(|row| 200.0 * row[s]).sum::<f64>());
        assert_drawn_from(episodes(dir), expected);
        assert!(summary.js_between_envs_bits.unwrap() > 0.1);
    });
}

/// Episodes begin at multiples of 30 env steps, so every phase is exactly as long as declared. A
/// row of the log at `t` has what ended by `t`; the vector step that reaches `t` is in it.
#[test]
fn phases_are_played_exactly_as_declared() {
    for schedule in &SCHEDULES[3..6] {
        played(schedule, |config, _, dir| {
            let (plan, log) = (plan(config), config.log.period_env_steps);
            let phases = plan.phases();
            let at = |env_steps: u64| {
                let begun = phases.iter().filter(|p| p.from_env_steps <= env_steps).count();
                phases[begun - 1].subspace as usize
            };
            let mut declared = [0.0; 3];
            let mut rows = 0;
            for row in 1..=config.run.env_steps / log {
                declared[at((row - 1) * log)] += log as f64;
                let played = ["a", "b", "c"].map(|name| {
                    let curve = curve_values(dir, &format!("subspace/{name}/env_steps"));
                    curve.iter().find(|(at, _)| *at == row * log).unwrap().1
                });
                assert_eq!(played, declared, "{schedule:?} after {} env steps", row * log);
                rows += 1;
            }
            assert_eq!(rows, 20);
            let shifts: Vec<(u64, String)> = (records(dir).iter())
                .filter(|r| r.get("event").is_some_and(|e| e == "shift"))
                .map(|r| {
                    let name = r["subspace"].as_str().unwrap().to_owned();
                    (r["declared_env_steps"].as_u64().unwrap(), name)
                })
                .collect();
            let declared: Vec<(u64, String)> = (phases.iter())
                .filter(|p| p.from_env_steps <= config.run.env_steps)
                .map(|p| (p.from_env_steps, ["a", "b", "c"][p.subspace as usize].to_owned()))
                .collect();
            assert_eq!(shifts, declared, "{schedule:?}");
        });
    }
}

#[test]
fn a_drift_moves_the_context_of_every_subspace() {
    played(SCHEDULES[6], |_, _, dir| {
        let curve = curve_values(dir, "subspace/b/context/force");
        assert!(curve.windows(2).all(|pair| pair[0].1 < pair[1].1), "{curve:?}");
        // Means over the newest 100 episodes of a subspace: those begun in the last 1500 env
        // steps, 5250 on average: 0.001 + 0.001 * 5250 / 6000 = 0.001875, a little less by the
        // length of an episode.
        let last = curve.last().unwrap().1;
        assert!((last - 0.001_875).abs() < 1e-5, "{last}");
        let value = newest(dir, "schedule/drift_value");
        assert!((value - 0.002).abs() < 1e-12, "{value}");
    });
}

#[test]
fn every_schedule_is_reproducible_and_survives_a_resume() {
    for schedule in SCHEDULES {
        let (config, registry) = (config(CARS, schedule), Registry::builtin());
        let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        run(&config, &registry, whole.path()).unwrap();
        run(&config, &registry, killed.path()).unwrap();
        assert_eq!(timeless_records(whole.path()), timeless_records(killed.path()), "{schedule:?}");
        let middle = checkpoints(killed.path())[0];
        assert!((3100..3200).contains(&middle)); // in the middle of episodes and phases
        forget_after(killed.path(), middle);
        resume(&config, &registry, killed.path()).unwrap();
        assert_same(whole.path(), killed.path(), 6000, &format!("{schedule:?}"));
        let mut other = config.clone();
        other.run.seed = 9;
        let dir = tempfile::tempdir().unwrap();
        run(&other, &registry, dir.path()).unwrap();
        assert_ne!(timeless_records(whole.path()), timeless_records(dir.path()));
    }
}

/// A sequence of phases under each law: what is stored, what is drawn, what is forgotten.
#[test]
fn the_replay_keeps_and_draws_subspaces_as_it_is_told() {
    let phases = ["schedule.kind=sequential", "schedule.phase_env_steps=2000"];
    let stored = |more: &[&str], check: &dyn Fn(&Path)| {
        let mut set = phases.to_vec();
        set.extend(more);
        played(&set, |_, _, dir| check(dir));
    };
    let curve = |dir: &Path, name| {
        ["a", "b", "c"].map(|s| newest(dir, &format!("subspace/{s}/replay_{name}")))
    };
    // 1000 slots: the last phase fills them, and the first two are gone.
    stored(&[], &|dir| {
        let [a, b, c] = curve(dir, "size");
        assert_eq!((a, b), (0.0, 0.0));
        // Episodes of 5 take 6 slots; 6 newest transitions may wait.
        assert!((820.0..=834.0).contains(&c), "{c}");
        assert!(curve(dir, "forgotten")[0] > 1900.0);
    });
    for law in [
        &["replay.keep_every_subspace=true"] as &[&str],
        &["replay.subspace_law=temperature", "replay.subspace_temperature=1000.0"],
        &["replay.subspace_law=quota", "replay.subspace_quota={a=2.0,b=1.0,c=1.0}"],
    ] {
        stored(law, &|dir| {
            let sizes = curve(dir, "size");
            assert!(sizes.iter().all(|size| (260.0..=278.0).contains(size)), "{sizes:?}");
            let reuse = curve(dir, "reuse"); // 2000 inserted of each
            // One sample an insert. While c was played, a got half of 2000 draws under the quota,
            // a third under the others, and more in the phases before.
            assert!((reuse.iter().sum::<f64>() - 2.9).abs() < 0.1, "{reuse:?}");
            assert!(reuse[0] > reuse[1] && reuse[1] > reuse[2], "{law:?} {reuse:?}");
            let quarter = if law[0].ends_with("quota") { 0.25 } else { 1.0 / 3.0 };
            assert!((reuse[2] - quarter).abs() < 0.05, "{law:?} {reuse:?}");
            assert!(curve(dir, "age")[0] > 4000.0);
        });
    }
}

/// In threads too: who plays where does not depend on timing, as far as time is not declared.
#[test]
fn threads_play_the_same_subspaces() {
    for schedule in &SCHEDULES[..3] {
        let mut config = config(CARS, schedule);
        let serial = tempfile::tempdir().unwrap();
        run(&config, &Registry::builtin(), serial.path()).unwrap();
        config.run.mode = contrail::config::Mode::Threaded;
        config.actors.count = 1;
        config.actors.envs_per_actor = 6; // so that all do the same number of steps
        let threaded = tempfile::tempdir().unwrap();
        run(&config, &Registry::builtin(), threaded.path()).unwrap();
        assert_eq!(episodes(serial.path()), episodes(threaded.path()), "{schedule:?}");
    }
}

/// A drift meets everything on its way, whatever a source says of the value.
#[test]
fn a_drift_counts_as_the_sources() {
    let refusal = |set: &[&str]| {
        let mut all = SCHEDULES[6].to_vec();
        all.extend(set);
        let set = all.iter().map(ToString::to_string).collect();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cars.toml");
        std::fs::write(&file, CARS).unwrap();
        let loaded = load(Some(&file), &Overrides { set, ..Overrides::default() });
        let checked = loaded.map_err(anyhow::Error::from).and_then(|config| {
            Spaces::of(&config, &Registry::builtin())?;
            Ok(config)
        });
        format!("{:#}", checked.unwrap_err())
    };
    for (set, expected) in [
        (&["subspaces.t.force=0.0015"] as &[&str], "share contexts: "),
        (&["subspaces.t.force={uniform=[0.002,0.005]}"], "share contexts: "), // it stays at 0.002
        (&["schedule.drift_value=gravity"], "but a has \"gravity\" itself; leave it out there"),
        (&["subspaces.b.except=['a']"], "but b has an except; leave it out there"),
    ] {
        // All else of the target must be a source's too.
        let mut all = vec!["subspaces.t.gravity={uniform=[0.002,0.003]}"];
        all.extend(set);
        let text = refusal(&all);
        assert!(text.contains(expected), "{set:?}: {text}");
    }
    // Evaluations play the sources where the drift took them.
    let config = config(CARS, SCHEDULES[6]);
    let sources = config.judged_sources();
    let force = |index: usize| sources[index].values["force"].clone();
    assert!((0..3).all(|index| force(index) == Distribution::Uniform(0.001, 0.002)));
}

/// Numbers of subspaces are all over a checkpoint.
#[test]
fn a_resume_keeps_its_subspaces() {
    let (config, dir) = (config(CARS, SCHEDULES[4]), tempfile::tempdir().unwrap());
    run(&config, &Registry::builtin(), dir.path()).unwrap();
    let resumed = |set: &[&str]| {
        let mut command = binary();
        command.args(["train", "--resume", "--quiet", "--run-dir"]).arg(dir.path());
        for setting in set {
            command.args(["--set", setting]);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (set, changed) in [
        (&["split.source=['b','a','c']"] as &[&str], "[split], [schedule] changed"),
        (
            &["split.source=['a','b','t']", "split.target=['c']", "schedule.order=['a','b','t']"],
            "[split]",
        ),
        (&["subspaces.a.gravity=0.0011"], "[subspaces] changed"),
        (&["schedule.phase_env_steps=600"], "[schedule] changed"),
        (&["replay.keep_every_subspace=true"], "replay.keep_every_subspace changed"),
    ] {
        let (code, text) = resumed(set);
        assert_eq!(code, Some(2), "{set:?}: {text}");
        assert!(text.contains(changed), "{set:?}: {text}");
    }
    assert_eq!(resumed(&["run.env_steps=6600"]), (Some(0), String::new()));
}

/// Trains on sources, judges on targets, and prints and writes the table.
#[test]
fn evaluation_tells_subspaces_apart() {
    let set = [
        "evaluation.episodes=4",
        "evaluation.period_env_steps=3000",
        "evaluation.final_episodes=6",
    ];
    let (config, dir) = (config(CARS, &set), tempfile::tempdir().unwrap());
    let summary = run(&config, &Registry::builtin(), dir.path()).unwrap();
    let by_subspace = summary.last.unwrap().by_subspace.unwrap();
    let names: Vec<&str> = by_subspace.subspaces.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "t"]);
    // -1 a step for 5 steps, everywhere.
    assert!(by_subspace.subspaces.iter().all(|s| s.mean_return == -5.0 && s.episodes == 6));
    assert_eq!((by_subspace.gap, by_subspace.gap_interval), (Some(0.0), Some([0.0, 0.0])));
    for curve in
        ["subspace/t/eval_mean_reward", "eval/target_mean_reward", "eval/worst_subspace_reward"]
    {
        assert_eq!(curve_values(dir.path(), curve), [(3000, -5.0), (6000, -5.0)], "{curve}");
    }
    assert_eq!(newest(dir.path(), "eval/generalization_gap"), 0.0);

    let split = dir.path().join("other.toml");
    std::fs::write(
        &split,
        "[subspaces.weak]\nforce = 0.0005\n[subspaces.strong]\nforce = 0.01\n\
         [split]\nkind = 'extrapolation'\nsource = ['weak']\ntarget = ['strong']\n",
    )
    .unwrap();
    let evaluate = |more: &[&str]| {
        let mut command = binary();
        command.arg("evaluate").arg(dir.path()).arg("--split").arg(&split).args(more);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    std::fs::write(dir.path().join("met.toml"), "[subspaces.x]\ngravity = 0.001\n[subspaces.y]\ngravity = 0.004\n[split]\nsource = ['x']\ntarget = ['y']\n").unwrap();
    let said = |file: &str| {
        let mut command = binary();
        command.arg("evaluate").arg(dir.path()).arg("--split").arg(dir.path().join(file));
        let output = command.args(["--episodes", "2"]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = said("met.toml");
    assert!(code == Some(0) && text.contains("the policy has met a target"), "{text}");
    assert!(
        text.contains("source subspace c and target subspace y share contexts: gravity 0.004"),
        "{text}"
    );
    std::fs::write(dir.path().join("pole.toml"), "[env]\nid = 'CartPole-v1'\n").unwrap();
    let (code, text) = said("pole.toml");
    assert!(
        code == Some(2) && text.contains("is for CartPole-v1, the run for MountainCar-v0"),
        "{text}"
    );
    std::fs::write(dir.path().join("none.toml"), "[run]\nseed = 3\n").unwrap();
    let (code, text) = said("none.toml");
    assert!(code == Some(2) && text.contains("has no [subspaces.NAME]"), "{text}");

    let table = evaluate(&[]);
    assert!(table.contains("weak      source") && table.contains("strong    target"), "{table}");
    let json: Value = serde_json::from_str(&evaluate(&["--json", "--episodes", "3"])).unwrap();
    assert_eq!(json["by_subspace"]["worst"], "weak");
    assert_eq!(json["by_subspace"]["subspaces"][1]["episodes"], 3);
    // The force shows in the speed, and nothing else was found.
    assert_eq!(json["leak_check"]["leaks"], serde_json::json!([]));
}

#[test]
fn an_overlap_and_a_wrong_name_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    for (settings, expected) in [
        ("subspaces.t.gravity=0.0025", "share contexts: gravity 0.0025"),
        ("subspaces.t.gravty=1.0", "did you mean \"gravity\""),
        (
            "split.target=['u']",
            "split.target has \"u\", expected one of \"a\", \"b\", \"c\", \"t\"",
        ),
        ("split.target=[]", "split.source is set and split.target is not"),
        ("split.target=['a']", "split.target has \"a\", which [split] names already"),
        ("actors.count=1", "pins every environment to one of 3 source subspaces"),
        ("subspaces.t.gravity=0.5", "context value gravity is 0.5"),
        ("schedule.alpha=0.5", "schedule.alpha has no effect, because schedule.kind is not"),
    ] {
        let file = dir.path().join("cars.toml");
        std::fs::write(&file, CARS).unwrap();
        let mut command = binary();
        command.arg("train").arg(&file).arg("--run-dir").arg(&run_dir);
        let output = command.args(["--set", "schedule.kind=pinned", "--set", settings]).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{settings}: {text}");
        assert!(text.contains(expected), "{settings}: {text}");
        assert!(!run_dir.exists());
    }
}

/// Every TOML block of the page is a config that a run would accept.
#[test]
fn the_page_about_subspaces_holds() {
    let page = include_str!("../docs/subspaces.md");
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 3, "{}", blocks.len());
    for block in blocks {
        let config = contrail::config::from_toml("docs/subspaces.md", block).unwrap();
        let spaces = Spaces::of(&config, &Registry::builtin());
        let spec = spaces.unwrap_or_else(|error| panic!("{error:#}\n{block}")).context;
        if let Some(rest) = config.subspaces.iter().find(|s| s.name == "rest") {
            let gravity = spec.index("gravity").unwrap();
            let all = rest.enumerate(&spec).unwrap();
            let drawn: Vec<f64> = all.iter().map(|c| c.values[gravity]).collect();
            assert_eq!(drawn, [3.0, 5.0, 7.0, 9.0]); // as the page says
        }
    }
}

/// Environments in Python have subspaces by the context values that the config declares.
#[test]
fn python_environments_have_subspaces_too() {
    let python = format!("env.python={}", common::python().display());
    let pole =
        |name: &str| format!("env.contexts.{name}={{via='attribute',default=9.8,low=1,high=40}}");
    let gravity = pole("gravity");
    let set = [
        "env.id=gym:CartPole-v1",
        "env.time_limit_env_steps=200",
        "run.env_steps=1200",
        &python,
        &gravity,
        "schedule.kind=cyclic",
        "schedule.phase_env_steps=300",
        "subspaces.a.gravity=5.0",
        "subspaces.b.gravity={uniform=[10.0,12.0]}",
        "subspaces.c.gravity={choice=[20.0,25.0]}",
        "subspaces.t.gravity=35.0",
        "evaluation.final_episodes=3",
    ];
    let (config, dir) = (config(CARS, &set), tempfile::tempdir().unwrap());
    let summary = run(&config, &Registry::builtin(), dir.path()).unwrap();
    assert_eq!(summary.last.unwrap().by_subspace.unwrap().subspaces.len(), 4);
    assert!((newest(dir.path(), "subspace/a/context/gravity") - 5.0).abs() < 1e-9);
    let b = newest(dir.path(), "subspace/b/context/gravity");
    assert!((10.0..=12.0).contains(&b), "{b}");
    let leaks = records(dir.path());
    let leaks = leaks.iter().find(|r| r.get("event").is_some_and(|e| e == "leak_check")).unwrap();
    assert_eq!(
        (&leaks["leaks"], &leaks["states_compared"]),
        (&serde_json::json!([]), &true.into())
    );
}

/// Behind a stack of normalised observations the context is as it is, once.
#[test]
fn an_agent_can_be_told_the_context() {
    let shown = [
        "env.show_context=true",
        "env.normalize_obs=true",
        "env.frame_stack=2",
        "evaluation.final_episodes=2",
        "schedule.kind=pinned",
    ];
    let told = config(CARS, &shown);
    let spaces = Spaces::of(&told, &Registry::builtin()).unwrap();
    let (seen, values) = (2 * 2, spaces.context.values.len());
    assert_eq!(spaces.obs.shape, [seen + values]);
    assert!((seen..seen + values).all(|i| spaces.obs.bounds(i) == (0.0, 1.0)));
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&told, &Registry::builtin(), whole.path()).unwrap();
    run(&told, &Registry::builtin(), killed.path()).unwrap();
    forget_after(killed.path(), checkpoints(killed.path())[0]); // in the middle of episodes
    resume(&told, &Registry::builtin(), killed.path()).unwrap();
    assert_same(whole.path(), killed.path(), 6000, "told the context");
}
