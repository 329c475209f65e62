//! Codes and the index over them.

use super::*;
use crate::memory::Place;

/// Three full segments of subspace 0.
fn three() -> (EpisodicMemory, [SegmentId; 3]) {
    let config = config(10, 1);
    let (mut memory, mut rng) = (memory(&config), SeedStream::root(0).rng());
    let ids = [0, 1, 2]
        .map(|number| memory.insert(&segment(&config, 0, number), &mut rng).unwrap().unwrap());
    (memory, ids)
}

fn holders(memory: &EpisodicMemory, code: [u8; 2]) -> Vec<Place> {
    memory.holders(memory.config().codes.pack(&code).unwrap()).collect()
}

#[test]
fn holders_by_hand() {
    let (mut memory, [a, b, c]) = three();
    let at = |segment, position| Place { segment, position };
    assert_eq!(holders(&memory, [0, 0]), []); // codes are absent at first, not zero
    assert!(memory.set_readings(a, 1, (&[0, 0, 2, 1, 0, 0, 1, 1, 2, 2], &[])).unwrap());
    assert!(memory.set_readings(b, 1, (&[2, 1, 2, 1, 2, 1, 2, 1, 0, 0], &[])).unwrap());
    assert_eq!(holders(&memory, [0, 0]), [at(a, 0), at(a, 2), at(b, 4)]);
    let twos: Vec<_> = (0..4).map(|j| at(b, j)).collect();
    assert_eq!(holders(&memory, [2, 1]), [vec![at(a, 1)], twos].concat());
    assert_eq!(holders(&memory, [2, 2]), [at(a, 4)]);
    assert_eq!(memory.holders(8).len(), 1); // 2 + 2 * 3
    // New codes of a take the old ones' places out.
    assert!(memory.set_readings(a, 2, (&[1, 0, 1, 0, 1, 0, 1, 0, 1, 0], &[])).unwrap());
    assert_eq!(holders(&memory, [0, 0]), [at(b, 4)]);
    assert_eq!(holders(&memory, [2, 2]), []);
    assert_eq!(holders(&memory, [1, 0]).len(), 5);
    assert_eq!(memory.codes(a), Some((&[1, 0, 1, 0, 1, 0, 1, 0, 1, 0][..], 2)));
    assert_eq!(memory.codes(c), None);
    memory.check_valid().unwrap();
    // The late answer of an older encoder is not taken.
    assert!(!memory.set_readings(a, 1, (&[0; 10], &[])).unwrap());
    assert_eq!(holders(&memory, [0, 0]), [at(b, 4)]);
}

#[test]
fn bad_codes_change_nothing() {
    let (mut memory, [a, ..]) = three();
    memory.set_readings(a, 1, (&[1; 10], &[])).unwrap();
    let cases = [
        (&[0; 8][..], "8 levels, expected 5 codes of 2 groups"),
        (&[0, 0, 0, 0, 0, 0, 0, 0, 0, 3], "[0, 3] is not 2 levels below 3"),
    ];
    for (codes, sentence) in cases {
        let error = memory.set_readings(a, 2, (codes, &[])).unwrap_err().to_string();
        assert_eq!(error, format!("memory: cannot set codes: {sentence}"));
        assert_eq!(memory.codes(a), Some((&[1; 10][..], 1)));
    }
}

#[test]
fn stale_codes_have_their_turn() {
    let (mut memory, [a, b, c]) = three();
    assert_eq!(memory.stale(1, 2), [a, b]);
    assert_eq!(memory.stale(1, 2), [c, a]); // goes on, and begins anew
    memory.set_readings(b, 1, (&[0; 10], &[])).unwrap();
    memory.set_readings(a, 2, (&[0; 10], &[])).unwrap();
    assert_eq!(memory.stale(1, 9), [c]);
    assert_eq!(memory.stale(2, 9), [b, c]);
    assert_eq!(memory.stale(3, 0), []);
    memory.set_readings(c, 3, (&[0; 10], &[])).unwrap();
    memory.set_readings(b, 3, (&[0; 10], &[])).unwrap();
    assert_eq!(memory.stale(2, 9), []);
    assert_eq!(memory.stale(3, 9), [a]);
}
