use super::*;
use std::io::{Read, Write};

/// Saves a checkpoint with two files whose contents follow from `tag`.
pub(super) fn save(
    store: &CheckpointStore,
    env_steps: u64,
    metric: Option<f64>,
    tag: u8,
) -> Vec<u64> {
    let removed = store.save(env_steps, metric, |writer| {
        let mut file = writer.file("replay.bin")?;
        for _ in 0..3 {
            file.write_all(&[tag; 100])?;
        }
        drop(file); // ends it as well as `finish`
        Ok(writer.write_json("state.json", &(env_steps, tag))?)
    });
    removed.unwrap()
}

/// The tag of a checkpoint, which is loaded in full.
pub(super) fn tag(checkpoints: &Checkpoints, env_steps: u64) -> u8 {
    let reader = checkpoints.load(env_steps).unwrap();
    let mut bytes = Vec::new();
    reader.open("replay.bin").unwrap().read_to_end(&mut bytes).unwrap();
    let (found, tag): (u64, u8) = reader.read_json("state.json").unwrap();
    assert_eq!((found, bytes), (env_steps, vec![tag; 300]));
    tag
}

pub(super) fn names(checkpoints: &Checkpoints) -> Vec<u64> {
    checkpoints.list().unwrap().iter().map(|info| info.env_steps).collect()
}

pub(super) fn entries(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_saved_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = dir.path().join("run/checkpoints");
    let store = CheckpointStore::open(&checkpoints, 3).unwrap();
    assert_eq!((store.latest().unwrap(), store.best().unwrap()), (None, None));
    save(&store, 900, Some(1.5), 7);
    save(&store, 1000, None, 8);
    assert_eq!((tag(&store, 900), tag(&store, 1000)), (7, 8));
    // As numbers, not as text: 1000 is newer than 900.
    let latest = store.latest().unwrap().unwrap();
    assert_eq!((latest.env_steps, latest.bytes), (1000, 300 + "[\n  1000,\n  8\n]".len() as u64));
    assert_eq!(store.best().unwrap().unwrap().env_steps, 900);
    let reader = Checkpoints::new(&checkpoints).load(900).unwrap();
    assert_eq!((reader.env_steps(), reader.metric()), (900, Some(1.5)));
    let expected = blake3::hash(&[7; 300]).to_hex();
    assert_eq!(reader.files().next().unwrap(), ("replay.bin", 300, expected.as_str()));
    assert_eq!(entries(&checkpoints), ["1000", "900"]);
    assert!(store.leftovers().is_empty());
}

#[test]
fn json_brings_floats_back_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let store = CheckpointStore::open(dir.path(), 1).unwrap();
    // Without serde_json's `float_roundtrip`, four in a hundred change in their last bit.
    let floats: Vec<f64> = (1..2000).map(|i| 1.0 / f64::from(i)).collect();
    store.save(1, None, |writer| Ok(writer.write_json("floats.json", &floats)?)).unwrap();
    let back: Vec<f64> = store.load(1).unwrap().read_json("floats.json").unwrap();
    assert_eq!(back, floats);
}

#[test]
fn the_last_and_the_best_stay() {
    let none = f64::NAN; // counts as no metric
    // (how many last stay, metric of each save, those that stay)
    for (last, metrics, expected) in [
        (1, vec![none, none, none], vec![3]),
        (1, vec![5.0, 1.0, 2.0], vec![1, 3]),
        (2, vec![5.0, 1.0, 2.0, 3.0], vec![1, 3, 4]),
        (2, vec![1.0, 2.0, 3.0], vec![2, 3]),
        (1, vec![5.0, 5.0, 1.0], vec![2, 3]), // of equal ones the newer
        (1, vec![-3.0, none, f64::INFINITY], vec![1, 3]),
        (9, vec![1.0, 1.0], vec![1, 2]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = CheckpointStore::open(dir.path(), last).unwrap();
        let mut removed = Vec::new();
        for (i, metric) in metrics.iter().enumerate() {
            removed.extend(save(&store, i as u64 + 1, Some(*metric), 0));
        }
        assert_eq!(names(&store), expected, "keep {last} of {metrics:?}");
        removed.extend(expected);
        removed.sort_unstable();
        assert_eq!(removed, (1..=metrics.len() as u64).collect::<Vec<_>>(), "all are told");
    }
}

#[test]
fn saving_the_same_env_steps_replaces() {
    let dir = tempfile::tempdir().unwrap();
    let store = CheckpointStore::open(dir.path(), 2).unwrap();
    save(&store, 100, Some(1.0), 1);
    save(&store, 100, None, 2);
    assert_eq!((tag(&store, 100), store.best().unwrap()), (2, None));
    assert_eq!(entries(dir.path()), ["100"]);
}

#[test]
fn an_abandoned_future_must_be_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let store = CheckpointStore::open(dir.path(), 5).unwrap();
    for env_steps in [100, 200, 300] {
        save(&store, env_steps, None, 0);
    }
    let error = store.save(150, None, |_| Ok(())).unwrap_err().to_string();
    assert!(error.starts_with("checkpoint 150 was not saved: 300 is newer"), "{error}");
    assert_eq!(store.discard_after(100).unwrap(), [200, 300]);
    save(&store, 150, None, 0);
    assert_eq!(names(&store), [100, 150]);
}

#[test]
fn a_failed_save_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = CheckpointStore::open(dir.path(), 1).unwrap();
    save(&store, 100, None, 1);
    type Fails = fn(&mut CheckpointWriter) -> anyhow::Result<()>;
    let fails: [(&str, Fails); 5] = [
        ("the learner said no", |writer| {
            writer.write_json("state.json", &1)?;
            let mut file = writer.file("replay.bin")?;
            file.write_all(&[1; 1_000_000])?;
            anyhow::bail!("the learner said no")
        }),
        ("called \"a\": it has one already", |writer| {
            writer.write_json("a", &1)?;
            Ok(writer.write_json("a", &2)?)
        }),
        ("called \"../escape\": only letters", |writer| Ok(writer.write_json("../escape", &1)?)),
        ("called \"manifest.json\"", |writer| Ok(writer.write_json("manifest.json", &1)?)),
        ("cannot write", |writer| {
            let keys_must_be_text = std::collections::BTreeMap::from([((1, 2), 3)]);
            Ok(writer.write_json("map.json", &keys_must_be_text)?)
        }),
    ];
    for (reason, write) in fails {
        for env_steps in [100, 200] {
            let error = store.save(env_steps, None, write).unwrap_err().to_string();
            assert!(error.starts_with(&format!("checkpoint {env_steps} was not saved")), "{error}");
            assert!(error.contains(reason), "{error}");
            assert_eq!((entries(dir.path()), tag(&store, 100)), (vec!["100".to_owned()], 1));
        }
    }
}

#[test]
fn other_folders_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["007", "+5", "12a", ".saving-x", "notes"] {
        fs::create_dir(dir.path().join(name)).unwrap();
    }
    let store = CheckpointStore::open(dir.path(), 1).unwrap();
    save(&store, 1, None, 1);
    save(&store, 2, None, 1);
    assert_eq!(entries(dir.path()), ["+5", ".saving-x", "007", "12a", "2", "notes"]);
}

#[test]
fn damage_is_named_with_the_next_older_complete_one() {
    // (damage to 300, what the error says)
    type Damage = fn(&Path);
    let damages: [(Damage, &str); 6] = [
        (|f| fs::write(f.join("replay.bin"), [4; 300]).unwrap(), "replay.bin has checksum"),
        (
            |f| fs::write(f.join("replay.bin"), [3; 299]).unwrap(),
            "replay.bin has 299 bytes, expected 300",
        ),
        (|f| fs::remove_file(f.join("state.json")).unwrap(), "state.json is missing"),
        (|f| fs::remove_file(f.join("manifest.json")).unwrap(), "manifest.json is missing"),
        (|f| fs::write(f.join("manifest.json"), "{").unwrap(), "manifest.json cannot be read"),
        (
            |f| {
                fs::copy(f.join("../100/manifest.json"), f.join("manifest.json")).unwrap();
            },
            "manifest.json is of 100 env steps, expected 300",
        ),
    ];
    for (damage, expected) in damages {
        let dir = tempfile::tempdir().unwrap();
        let store = CheckpointStore::open(dir.path(), 5).unwrap();
        for (env_steps, tag) in [(100, 1), (200, 2), (300, 3)] {
            save(&store, env_steps, None, tag);
        }
        damage(&dir.path().join("300"));
        // 200 has a flipped byte, which only a full check sees.
        fs::write(dir.path().join("200/replay.bin"), [9; 300]).unwrap();
        let error = store.load(300).unwrap_err().to_string();
        assert!(error.contains("300 is damaged: ") && error.contains(expected), "{error}");
        assert!(error.ends_with("; the next older complete checkpoint is 100"), "{error}");
        if !expected.contains("checksum") {
            let latest = store.latest().unwrap_err().to_string();
            assert_eq!(latest, error);
        }
        let error = store.load(250).unwrap_err().to_string();
        assert!(error.contains("no checkpoint 250") && error.contains("100, 200, 300"), "{error}");
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = CheckpointStore::open(dir.path(), 1).unwrap();
    save(&store, 100, Some(0.5), 1);
    for name in entries(&dir.path().join("100")) {
        let path = dir.path().join("100").join(name);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            assert!(store.load(100).is_err(), "byte {at} of {}", path.display());
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(tag(&store, 100), 1);
}
