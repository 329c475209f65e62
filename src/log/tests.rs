use super::*;
use serde_json::{Map, json};

fn at(env_steps: u64) -> Counters {
    Counters { env_steps, frames: 4 * env_steps, updates: env_steps / 10 }
}

fn lines(run_dir: &Path) -> Vec<Map<String, Value>> {
    let text = std::fs::read_to_string(run_dir.join(METRICS_FILE)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn env_steps(run_dir: &Path) -> Vec<u64> {
    lines(run_dir).iter().map(|record| record["env_steps"].as_u64().unwrap()).collect()
}

#[test]
fn records_keep_the_order_and_lose_no_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MetricLog::open(dir.path(), None).unwrap();
    let values =
        [("z", 0.1), ("a", f64::NAN), ("b", f64::INFINITY), ("c", f64::NEG_INFINITY), ("d", -2.0)];
    log.scalars(at(10), &values).unwrap();
    log.histogram("q", at(20), &[4.0, 1.0, f64::NAN, 2.0, 3.0]).unwrap();
    log.event("actor_fault", at(30), &[("actor", json!(3)), ("cause", json!("a \"quote\""))])
        .unwrap();
    log.close(RunEnd::Finished).unwrap();

    let text = std::fs::read_to_string(dir.path().join(METRICS_FILE)).unwrap();
    let first = text.lines().next().unwrap();
    assert!(first.starts_with(r#"{"env_steps":10,"frames":40,"updates":1,"time_s":"#), "{first}");
    assert!(
        first.ends_with(r#","z":0.1,"a":"NaN","b":"Infinity","c":"-Infinity","d":-2.0}"#),
        "{first}"
    );
    let records = lines(dir.path());
    assert!(read_number(&records[0]["a"]).unwrap().is_nan());
    assert_eq!(read_number(&records[0]["c"]), Some(f64::NEG_INFINITY));
    assert_eq!(read_number(&records[0]["z"]), Some(0.1));
    assert_eq!(read_number(&records[2]["cause"]), None);
    for (field, value) in [
        ("histogram", json!("q")),
        ("count", json!(4)),
        ("nonfinite", json!(1)),
        ("min", json!(1.0)),
        ("median", json!(2.5)),
        ("mean", json!(2.5)),
        ("max", json!(4.0)),
    ] {
        assert_eq!(records[1][field], value, "{field}");
    }
    assert_eq!(records[2]["event"], "actor_fault");
    assert_eq!(records[2]["actor"], 3);
}

#[test]
fn an_event_may_not_hide_a_counter() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MetricLog::open(dir.path(), None).unwrap();
    let error = log.event("shift", at(1), &[("env_steps", json!(2))]).unwrap_err().to_string();
    assert!(error.contains(r#""shift" has a field called "env_steps""#), "{error}");
}

#[test]
fn only_clock_fields_differ_when_a_run_is_repeated() {
    for (name, expected) in [
        ("time_s", true),
        ("time/fps", true),
        ("perf/learner_share", true),
        ("learner/updates_per_s", true),
        ("actor/queue_wait_s", true),
        ("env_steps", false),
        ("train/loss", false),
        ("times", false),
        ("train/time_s", false),
    ] {
        assert_eq!(is_clock_field(name), expected, "{name}");
    }
    let run = || {
        let dir = tempfile::tempdir().unwrap();
        let mut log = MetricLog::open(dir.path(), None).unwrap();
        for i in 0..20_u32 {
            let values = [("train/loss", f64::from(i).sqrt()), ("time/fps", rate())];
            log.scalars(at(u64::from(i)), &values).unwrap();
        }
        log.flush().unwrap();
        let mut records = lines(dir.path());
        records.iter_mut().for_each(|record| record.retain(|name, _| !is_clock_field(name)));
        records
    };
    assert_eq!(run(), run());
}

/// A number that no two runs share.
fn rate() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs_f64()
}

#[test]
fn a_resumed_run_goes_on_as_if_uninterrupted() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MetricLog::open(dir.path(), None).unwrap();
    for i in [100, 200, 200, 300, 400] {
        log.scalar("train/loss", at(i), i as f64).unwrap();
    }
    drop(log);
    // Killed in the middle of a line.
    let path = dir.path().join(METRICS_FILE);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], br#"{"env_steps":500,"fra"#].concat()).unwrap();

    let mut log = MetricLog::open(dir.path(), Some(200)).unwrap();
    let resumed = log.resumed().unwrap();
    assert_eq!((resumed.kept, resumed.later, resumed.damaged), (3, 2, 1));
    log.scalar("train/loss", at(300), 300.0).unwrap();
    log.close(RunEnd::Finished).unwrap();
    assert_eq!(env_steps(dir.path()), [100, 200, 200, 300]);
}

#[test]
fn time_goes_on_after_a_resume() {
    let dir = tempfile::tempdir().unwrap();
    let record = "{\"env_steps\":5,\"frames\":5,\"updates\":0,\"time_s\":1000.5}\n";
    std::fs::write(dir.path().join(METRICS_FILE), record).unwrap();
    let mut log = MetricLog::open(dir.path(), Some(5)).unwrap();
    log.scalar("x", at(6), 0.0).unwrap();
    log.flush().unwrap();
    let time_s = lines(dir.path())[1]["time_s"].as_f64().unwrap();
    assert!((1000.5..1010.0).contains(&time_s), "{time_s}");
}

#[test]
fn what_a_resume_keeps_and_cuts() {
    let record = |env_steps: u64| format!("{{\"env_steps\":{env_steps},\"time_s\":0.5}}\n");
    let (a, b, c) = (record(1), record(2), record(3));
    // (file, resumed at, kept, later, damaged)
    for (text, at, expected) in [
        (String::new(), 2, (0, 0, 0)),
        ([a.clone(), b.clone(), c.clone()].concat(), 2, (2, 1, 0)),
        ([a.clone(), b.clone(), c.clone()].concat(), 0, (0, 3, 0)),
        ([a.clone(), b.clone()].concat().trim_end().to_owned(), 9, (1, 0, 1)),
        // Behind a later record everything belongs to the abandoned future.
        ([a.clone(), c.clone(), b.clone()].concat(), 2, (1, 2, 0)),
        // Behind a damaged line nothing is certain.
        ([a.clone(), "\0\0\0\n".into(), b.clone(), c.clone()].concat(), 2, (1, 1, 2)),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(METRICS_FILE);
        std::fs::write(&path, &text).unwrap();
        let (_, resumed) = jsonl::open_and_cut(&path, at).unwrap();
        assert_eq!((resumed.kept, resumed.later, resumed.damaged), expected, "{text:?} at {at}");
        assert_eq!(env_steps(dir.path()).len() as u64, resumed.kept, "{text:?} at {at}");
    }
}

#[test]
fn an_old_run_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    drop(MetricLog::open(dir.path(), None).unwrap());
    let error = MetricLog::open(dir.path(), None).map(drop).unwrap_err().to_string();
    assert!(error.contains("metrics.jsonl already exists"), "{error}");
}

#[test]
fn a_session_has_its_own_event_file_that_sorts_last() {
    let dir = tempfile::tempdir().unwrap();
    let event_files = || {
        let entries = std::fs::read_dir(dir.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|n| n.starts_with("events.out.tfevents.")).collect();
        names.sort();
        names
    };
    // An earlier session, before the clock was set back.
    let future = "events.out.tfevents.9000000000.host.1.0";
    std::fs::write(dir.path().join(future), "").unwrap();
    for session in 1..=3 {
        drop(MetricLog::open(dir.path(), Some(0)).unwrap());
        let names = event_files();
        assert_eq!(names.len(), 1 + session);
        let stamp = format!("events.out.tfevents.{}.", 9_000_000_000_u64 + session as u64);
        assert!(names[session].starts_with(&stamp), "{names:?}");
    }
}

#[test]
fn training_goes_on_without_tensorboard() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MetricLog::open(dir.path(), None).unwrap();
    assert_eq!(log.take_warning(), None);
    log.events = EventLog::open(&dir.path().join("no such folder"), None);
    for i in 1..=3 {
        log.scalar("train/loss", at(i), 0.5).unwrap();
    }
    let warning = log.take_warning().unwrap();
    assert!(warning.contains("TensorBoard gets nothing more"), "{warning}");
    assert_eq!(log.take_warning(), None);
    log.close(RunEnd::Finished).unwrap();
    let records = lines(dir.path());
    assert_eq!(records.len(), 4); // three losses and one event
    assert_eq!(records[1]["event"], "tensorboard_failed");
    assert!(records[1]["reason"].as_str().unwrap().contains("no such folder"));
}
