//! What a kill, or a disk that refuses, leaves behind.

use super::tests::{entries, names, save, tag};
use super::*;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in entries(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// What is in the folder besides 100 when the process dies (200, complete, is at the second path),
/// and the tag of 200 afterwards, if it is there.
type Stage = (&'static str, fn(&Path, &Path), Option<u8>);

const STAGES: [Stage; 7] = [
    ("folder made", |dir, _| fs::create_dir(dir.join(".saving-200")).unwrap(), None),
    (
        "half a file",
        |dir, _| {
            fs::create_dir(dir.join(".saving-200")).unwrap();
            fs::write(dir.join(".saving-200/replay.bin"), [2; 150]).unwrap();
        },
        None,
    ),
    (
        "no manifest",
        |dir, new| {
            copy(new, &dir.join(".saving-200"));
            fs::remove_file(dir.join(".saving-200/manifest.json")).unwrap();
        },
        None,
    ),
    ("not renamed", |dir, new| copy(new, &dir.join(".saving-200")), None),
    (
        "between the renames of a replacement",
        |dir, new| {
            copy(new, &dir.join(".replaced-200"));
            copy(&dir.join("100"), &dir.join(".saving-200"));
        },
        Some(2),
    ),
    (
        "replaced one not removed",
        |dir, new| {
            copy(new, &dir.join("200"));
            copy(&dir.join("100"), &dir.join(".replaced-200"));
        },
        Some(2),
    ),
    (
        "half removed",
        |dir, _| {
            copy(&dir.join("100"), &dir.join(".removing-200"));
            fs::remove_file(dir.join(".removing-200/replay.bin")).unwrap();
        },
        None,
    ),
];

#[test]
fn a_kill_at_each_stage_leaves_only_complete_ones() {
    for (stage, arrange, expected) in STAGES {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        save(&CheckpointStore::open(dir.path(), 5).unwrap(), 100, None, 1);
        save(&CheckpointStore::open(other.path(), 5).unwrap(), 200, None, 2);
        arrange(dir.path(), &other.path().join("200"));
        let before = entries(dir.path());
        let reader = Checkpoints::new(dir.path());
        assert!(names(&reader).iter().all(|n| [100, 200].contains(n)), "{stage}");
        assert_eq!(entries(dir.path()), before, "{stage}: reading changes nothing");

        let store = CheckpointStore::open(dir.path(), 5).unwrap();
        let complete = if expected.is_some() { vec![100, 200] } else { vec![100] };
        assert_eq!(names(&store), complete, "{stage}");
        assert_eq!(entries(dir.path()).len(), complete.len(), "{stage}: nothing else is left");
        assert_eq!(expected.map(|_| tag(&store, 200)), expected, "{stage}");
        assert!(!store.leftovers().is_empty(), "{stage}");
        save(&store, 200, None, 9);
        assert_eq!(tag(&store, 200), 9, "{stage}");
    }
}

/// Runs the test `child_process` in a process of its own, behind a shell prefix.
fn child(job: &str, dir: &Path, prefix: &str) -> Command {
    let mut command = Command::new("sh");
    let script =
        format!("{prefix} exec \"$0\" --exact checkpoint::crash_tests::child_process --ignored");
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
    command.env("CONTRAIL_TEST_JOB", job).env("CONTRAIL_TEST_DIR", dir);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
#[ignore = "not a test: the process that the tests below start with `--ignored`, kill and starve of disk; `cargo test --release -p contrail-rl --lib crash_tests` runs them"]
fn child_process() {
    let Some(dir) = std::env::var_os("CONTRAIL_TEST_DIR") else { return };
    let dir = PathBuf::from(dir);
    let store = CheckpointStore::open(&dir.join("checkpoints"), 2).unwrap();
    if std::env::var("CONTRAIL_TEST_JOB").unwrap() == "save" {
        let newest = store.latest().unwrap().map_or(0, |info| info.env_steps);
        for i in newest + 1.. {
            save(&store, i, None, 1);
            save(&store, i, None, 2);
        }
    }
    // "full": the system refuses to make a file longer than the limit.
    save(&store, 1, None, 1);
    let big = |writer: &mut CheckpointWriter| {
        let mut file = writer.file("replay.bin")?;
        file.write_all(&[1; 10_000_000])?;
        Ok(file.finish()?)
    };
    let error = store.save(2, None, big).unwrap_err().to_string();
    let careless = |writer: &mut CheckpointWriter| {
        let _ = writer.file("replay.bin")?.write_all(&[1; 10_000_000]);
        Ok(())
    };
    let ignored = store.save(2, None, careless).unwrap_err().to_string();
    let mut log = crate::log::MetricLog::open(&dir, None).unwrap();
    let counters = crate::log::Counters::default();
    log.text("big", counters, &"x".repeat(1_000_000)); // TensorBoard falls silent, metrics.jsonl goes on
    let log_error = (0..1_000_000).find_map(|_| log.scalar("x", counters, 0.5).err()).unwrap();
    let warning = log.take_warning().unwrap();
    fs::write(dir.join("errors"), format!("{error}\n{ignored}\n{log_error}\n{warning}\n")).unwrap();
}

#[cfg(unix)]
#[test]
fn a_disk_that_refuses_is_an_error_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let status = child("full", dir.path(), "trap '' XFSZ; ulimit -f 256;").status().unwrap();
    assert!(status.success());
    let errors = fs::read_to_string(dir.path().join("errors")).unwrap();
    let [save, ignored, log, tensorboard] = errors.lines().collect::<Vec<_>>()[..] else {
        panic!("{errors}")
    };
    assert!(
        save.starts_with("checkpoint 2 was not saved, earlier ones are as they were: "),
        "{save}"
    );
    assert!(save.contains("replay.bin: File too large"), "{save}");
    assert!(ignored.contains("replay.bin: file too large"), "{ignored}");
    assert!(log.contains("metrics.jsonl: File too large"), "{log}");
    assert!(tensorboard.contains("events.out.tfevents."), "{tensorboard}");
    let checkpoints = dir.path().join("checkpoints");
    assert_eq!(entries(&checkpoints), ["1"]);
    assert_eq!(tag(&Checkpoints::new(&checkpoints), 1), 1);
}

#[cfg(unix)]
#[test]
fn a_kill_at_any_time_leaves_only_complete_ones() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = dir.path().join("checkpoints");
    let mut newest = 0;
    for round in 0..12 {
        let mut process = child("save", dir.path(), "").spawn().unwrap();
        let reader = Checkpoints::new(&checkpoints);
        let began = Instant::now();
        while names(&reader).last().is_none_or(|now| *now <= newest) {
            assert!(began.elapsed() < Duration::from_secs(30), "round {round}: nothing is saved");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(1700 * round)); // another moment each time
        process.kill().unwrap(); // SIGKILL; `exec` made the shell this process
        process.wait().unwrap();
        let store = CheckpointStore::open(&checkpoints, 2).unwrap();
        let complete = names(&store);
        assert!(complete.iter().all(|n| [1, 2].contains(&tag(&store, *n))), "round {round}");
        assert_eq!(entries(&checkpoints).len(), complete.len(), "round {round}");
        let now = complete.last().copied().unwrap_or(0);
        assert!(now > newest, "round {round}: {now} after {newest}");
        newest = now;
    }
}
