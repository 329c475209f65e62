//! Restored contrasts go on exactly.

use super::*;

/// Some segments, readings and batches; the last batch of each.
fn go_on(
    contrasts: &mut Contrasts,
    rng: &mut Prng,
    episodes: std::ops::Range<u64>,
) -> Vec<Prepared> {
    let mut all = Vec::new();
    for episode in episodes {
        let (subspace, len) = ((episode % 2) as u32, 1 + episode as usize % 4);
        contrasts.insert(&segment(subspace, episode, (0, len), Terminated), rng).unwrap();
        if let Some(request) = contrasts.to_code(episode / 3, 1 + episode as usize % 2).unwrap() {
            let each = request.ids.len() * 5;
            let codes: Vec<u8> = (0..each * 2).map(|i| ((i as u64 + episode) % 3) as u8).collect();
            let policies: Vec<u8> = (0..each * 3).map(|i| (i as u64 * episode) as u8).collect();
            contrasts.take_readings(&request.answered(episode, &codes, &policies)).unwrap();
        }
        let relation = Relation::ALL[episode as usize % 4];
        let law = NegativeLaw::Weighted { beta: (episode % 3) as f64 };
        let spec = ContrastSpec { law, delta: 0.1, ..spec(relation) };
        all.extend(contrasts.prepare(&spec, rng).unwrap());
    }
    all
}

fn saved(contrasts: &Contrasts) -> Vec<u8> {
    let mut bytes = Vec::new();
    contrasts.save(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_same_batches_follow() {
    let mut config = config();
    config.memory.capacity_segments = 40;
    for pause in [0, 3, 30, 90] {
        let (mut whole, mut rng) = (contrasts(&config), rng(4));
        go_on(&mut whole, &mut rng, 0..pause);
        let bytes = saved(&whole);
        let mut restored = contrasts(&config);
        go_on(&mut restored, &mut super::rng(9), 0..25); // what was there before is gone
        let mut input = bytes.as_slice();
        restored.restore(&mut input).unwrap();
        assert!(input.is_empty());
        assert!(saved(&restored) == bytes);
        let mut again = rng.clone();
        let expected = go_on(&mut whole, &mut rng, pause..140);
        assert!(expected.len() > 40);
        assert_eq!(go_on(&mut restored, &mut again, pause..140), expected);
        assert!(saved(&restored) == saved(&whole), "after {pause} episodes");
        assert_eq!(restored.missing(), whole.missing());
    }
}

#[test]
fn damage_is_an_error() {
    let mut config = config();
    config.memory.capacity_segments = 6;
    config.recent_segments = 3;
    let (mut whole, mut rng) = (contrasts(&config), rng(4));
    go_on(&mut whole, &mut rng, 0..12);
    let bytes = saved(&whole);
    for len in 0..bytes.len() {
        assert!(contrasts(&config).restore(&mut &bytes[..len]).is_err(), "{len}");
    }
    let mut turned = bytes.clone();
    turned[3] ^= 1;
    let error = contrasts(&config).restore(&mut turned.as_slice()).unwrap_err().to_string();
    let sentence = "it does not begin like one, or is of another version";
    assert_eq!(error, format!("contrast: cannot restore the saved state: {sentence}"));
    let other = ContrastsConfig { recent_segments: 4, ..config };
    let error = contrasts(&other).restore(&mut bytes.as_slice()).unwrap_err().to_string();
    assert!(error.contains("it is of MemoryConfig"), "{error}");
}
