//! Requests to the teacher and its answers.

use super::*;
use crate::contrast::{CodingRequest, StoredId};

/// Number of the episode of each segment that is to be read.
fn episodes(contrasts: &Contrasts, request: &CodingRequest) -> Vec<(Store, u64)> {
    let of = |StoredId { store, id }: &StoredId| {
        let store_ = if *store == Store::Memory { contrasts.memory() } else { contrasts.recent() };
        (*store, store_.view(*id).unwrap().episode.1)
    };
    request.ids.iter().map(of).collect()
}

#[test]
fn each_observation_comes_with_its_subspace() {
    let mut contrasts = contrasts(&config());
    for subspace in [0, 1] {
        let new = segment(subspace, u64::from(subspace), (0, 2), Terminated);
        contrasts.insert(&new, &mut rng(0)).unwrap();
    }
    let request = contrasts.to_code(0, 2).unwrap().unwrap();
    assert_eq!(episodes(&contrasts, &request), [(Store::Recent, 1), (Store::Recent, 0)]);
    assert_eq!(request.subspaces, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn the_newest_come_first_then_the_old() {
    let config = ContrastsConfig { recent_segments: 3, ..config() };
    let mut contrasts = contrasts(&config);
    for episode in 0..5 {
        let new = segment(0, episode, (0, 2), Terminated);
        contrasts.insert(&new, &mut rng(0)).unwrap();
    }
    let first = contrasts.to_code(0, 2).unwrap().unwrap();
    assert_eq!(episodes(&contrasts, &first), [(Store::Recent, 4), (Store::Recent, 3)]);
    assert_eq!(first.lengths, [2, 2]);
    let ObsBatch::F32(obs) = &first.obs else { panic!("floats") };
    assert_eq!(obs[..10], [4.0, 0.0, 4.0, 1.0, 4.0, 2.0, 0.0, 0.0, 0.0, 0.0]); // then zeros
    assert_eq!(obs.len(), 2 * 5 * 2);
    // While the answer is under way, the others of the memory; 0 and 1 are not in the ring.
    let second = contrasts.to_code(0, 3).unwrap().unwrap();
    assert_eq!(
        episodes(&contrasts, &second),
        [(Store::Memory, 0), (Store::Memory, 1), (Store::Recent, 2)]
    );
    assert_eq!(contrasts.to_code(0, 3).unwrap(), None); // all answers are under way

    let codes: Vec<u8> = (0..2 * 5 * 2).map(|i| i % 3).collect();
    let policies: Vec<u8> = (0..2 * 5 * 3).collect();
    let taken = contrasts.take_readings(&first.answered(6, &codes, &policies)).unwrap();
    assert_eq!((taken.stored, taken.gone), (2, 0));
    assert_eq!(contrasts.newest_version(), 6);
    // Both stores have them, without what stood for the missing observations.
    for store in [contrasts.memory(), contrasts.recent()] {
        let view = store.view(store.find((0, 3), 0).unwrap()).unwrap();
        assert_eq!(view.version, Some(6));
        assert_eq!(view.codes, &codes[10..16]);
        assert_eq!(view.policies, &policies[15..24]);
        store.check_valid().unwrap();
    }
    // The ring has overwritten 2 when its answer comes; the memory has it still, but the request
    // was the ring's.
    for episode in 5..8 {
        contrasts.insert(&segment(0, episode, (0, 2), Terminated), &mut rng(0)).unwrap();
    }
    let late = second.answered(7, &[0; 30], &[0; 45]);
    let taken = contrasts.take_readings(&late).unwrap();
    assert_eq!((taken.stored, taken.gone), (2, 1));
}

#[test]
fn old_readings_are_asked_for_again() {
    let mut contrasts = filled(&config(), 4); // 12 segments, all in both stores
    read_all(&mut contrasts, 3, |_| ([0; 2], [0; 3]));
    assert_eq!(contrasts.to_code(3, 50).unwrap(), None);
    let again = contrasts.to_code(4, 50).unwrap().unwrap();
    // Once each: what is read for one store serves the other.
    assert_eq!(again.ids.len(), 12);
    assert!(again.ids.iter().all(|id| id.store == Store::Memory));
    let readings = again.answered(2, &[0; 120], &[0; 180]);
    assert_eq!(contrasts.take_readings(&readings).unwrap().gone, 12); // older than what is there
    assert_eq!(contrasts.newest_version(), 3);
}

#[test]
fn answers_of_the_wrong_size_are_refused() {
    let mut contrasts = filled(&config(), 2);
    let request = contrasts.to_code(0, 2).unwrap().unwrap();
    let refusal = |contrasts: &mut Contrasts, codes: &[u8], policies: &[u8]| {
        let readings = request.clone().answered(1, codes, policies);
        contrasts.take_readings(&readings).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&mut contrasts, &[0; 19], &[0; 30]),
        "contrast: cannot take readings: 19 bytes of codes, expected 2 segments of 5 times 2"
    );
    assert_eq!(
        refusal(&mut contrasts, &[0; 20], &[]),
        "contrast: cannot take readings: 0 bytes of policies, expected 2 segments of 5 times 3"
    );
    assert_eq!(
        refusal(&mut contrasts, &[3; 20], &[0; 30]),
        "memory: cannot set codes: [3, 3] is not 2 levels below 3"
    );
}

#[test]
fn without_tokens_there_are_action_readings() {
    let mut config = config();
    config.memory.codes.groups = 0;
    let mut contrasts = filled(&config, 30);
    while let Some(request) = contrasts.to_code(1, 8).unwrap() {
        let policies = vec![85; request.ids.len() * 15];
        contrasts.take_readings(&request.answered(1, &[], &policies)).unwrap();
    }
    contrasts.memory().check_valid().unwrap();
    for relation in Relation::ALL {
        let spec = ContrastSpec { law: NegativeLaw::Weighted { beta: 2.0 }, ..spec(relation) };
        let Prepared { report, .. } = prepared(&mut contrasts, &spec, &mut rng(0));
        assert_eq!((report.code_collision_share, report.negative_equal_groups), (0.0, 0.0));
    }
}

#[test]
fn a_segment_that_comes_twice_changes_nothing() {
    // The ring has forgotten it, the memory has not.
    let config = ContrastsConfig { recent_segments: 1, ..config() };
    let mut contrasts = contrasts(&config);
    let new = [0, 1].map(|episode| segment(0, episode, (0, 4), Continue));
    for new in &new {
        contrasts.insert(new, &mut rng(0)).unwrap();
    }
    let error = contrasts.insert(&new[0], &mut rng(0)).unwrap_err().to_string();
    let sentence = "segment 0 of episode 0 of stream 0 is stored already";
    assert_eq!(error, format!("memory: cannot insert: {sentence}"));
    assert_eq!(contrasts.recent().seen(0), 2);
    assert!(contrasts.recent().find((0, 1), 0).is_some());
}
