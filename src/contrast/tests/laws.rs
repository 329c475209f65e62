//! Negatives are drawn with the probabilities that are stated.

use super::*;
use crate::contrast::negatives::{Chooser, confused};
use crate::contrast::report::Tally;
use crate::contrast::table::{Spot, Table};
use crate::memory::Place;

/// A reference with code `[0, 0]` and a pool of four candidates of other episodes that have 2, 1, 1
/// and 0 groups in common with it.
fn four() -> (Contrasts, Table, Table) {
    let mut contrasts = contrasts(&config());
    let codes = [[0, 0], [0, 0], [0, 1], [2, 0], [1, 1]];
    let mut tables = [Table::new(super::codes()), Table::new(super::codes())];
    for (episode, code) in codes.into_iter().enumerate() {
        let new = segment(0, episode as u64, (0, 4), Continue);
        let id = contrasts.insert(&new, &mut rng(0)).unwrap().unwrap();
        let readings = (&code.repeat(5)[..], &[0; 15][..]);
        contrasts.stores.memory.set_readings(id, 1, readings).unwrap();
        let place = Place { segment: id, position: 0 };
        let spot = Spot::of(&contrasts.stores, Store::Memory, place).unwrap();
        tables[usize::from(episode > 0)].push(&contrasts.stores, spot, None);
    }
    let [references, pool] = tables;
    (contrasts, references, pool)
}

/// How often each set of negatives was drawn in 20,000 times, as bits.
fn counts(law: NegativeLaw, negatives: usize) -> [u32; 16] {
    let (contrasts, references, pool) = four();
    let spec = ContrastSpec { law, negatives, ..spec(Relation::Temporal) };
    let chooser =
        Chooser { stores: &contrasts.stores, spec: &spec, metric: None, references: &references };
    let (mut counts, mut rng) = ([0; 16], rng(3));
    for _ in 0..20_000 {
        let own = [references.spots[0]];
        let chosen = chooser.choose(0, (&own, &pool), &mut Tally::default(), &mut rng);
        assert_eq!(chosen.len(), negatives);
        counts[chosen.iter().fold(0, |bits, row| bits | 1 << row)] += 1;
    }
    counts
}

/// Pearson's statistic.
fn chi_square(counts: &[u32], probabilities: &[f64]) -> f64 {
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    let term = |(count, p): (&u32, &f64)| {
        let mean = p * 20_000.0;
        if mean == 0.0 && *count == 0 { 0.0 } else { (f64::from(*count) - mean).powi(2) / mean }
    };
    counts.iter().zip(probabilities).map(term).sum()
}

/// Probabilities of one negative with a factor for each equal group.
fn singles(factor: f64) -> [f64; 4] {
    let total = factor * factor + 2.0 * factor + 1.0;
    [factor * factor / total, factor / total, factor / total, 1.0 / total]
}

#[test]
fn one_negative_in_proportion() {
    // beta = ln 3: 9, 3, 3 and 1 of 16. Three degrees of freedom: above 16.3 once in 1,000 times.
    for (beta, factor) in [(3.0_f64.ln(), 3.0), (0.0, 1.0), (1.0, std::f64::consts::E)] {
        let counts = counts(NegativeLaw::Weighted { beta }, 1);
        let own = [counts[1], counts[2], counts[4], counts[8]];
        let found = chi_square(&own, &singles(factor));
        assert!(found < 16.3, "beta {beta}: {found}, {own:?}");
        // The test can fail: another beta is far off.
        assert!(chi_square(&own, &singles(factor * 1.2)) > 40.0);
    }
}

#[test]
fn two_negatives_by_successive_sampling() {
    for (beta, factor) in [(3.0_f64.ln(), 3.0), (0.0, 1.0)] {
        let counts = counts(NegativeLaw::Weighted { beta }, 2);
        let p = singles(factor);
        let mut sets = [0.0; 16];
        for i in 0..4 {
            for j in (0..4).filter(|j| *j != i) {
                sets[1 << i | 1 << j] += p[i] * p[j] / (1.0 - p[i]);
            }
        }
        // Six sets, five degrees of freedom: above 20.5 once in 1,000 times.
        let found = chi_square(&counts, &sets);
        assert!(found < 20.5, "beta {beta}: {found}, {counts:?}");
    }
}

#[test]
fn the_hardest_are_the_most_alike() {
    assert_eq!(counts(NegativeLaw::Hardest, 1)[0b0001], 20_000);
    assert_eq!(counts(NegativeLaw::Hardest, 3)[0b0111], 20_000);
    // Of two with one group in common, either.
    let two = counts(NegativeLaw::Hardest, 2);
    assert_eq!(two[0b0011] + two[0b0101], 20_000);
    assert!(two[0b0011].abs_diff(10_000) < 234, "{two:?}"); // 3.3 standard deviations of 71
}

#[test]
fn random_candidates_are_every_observation_alike() {
    // 12 observations of memory and ring: 3 segments of 4, the last of which is short by one.
    let config = ContrastsConfig { recent_segments: 3, ..config() };
    let mut contrasts = contrasts(&config);
    for (episode, len, outcome) in [(0, 4, Continue), (1, 4, Continue), (2, 1, Terminated)] {
        contrasts.insert(&segment(0, episode, (0, len), outcome), &mut rng(0)).unwrap();
    }
    let spec = ContrastSpec { negatives: 1, negative_candidates: 1, ..spec(Relation::Temporal) };
    let references = Table::new(super::codes());
    let chooser =
        Chooser { stores: &contrasts.stores, spec: &spec, metric: None, references: &references };
    let (mut counts, mut rng, mut pool) = ([0; 12], rng(1), Table::new(super::codes()));
    let mut from_memory = 0_u32;
    for _ in 0..20_000 {
        assert_eq!(chooser.fill(&mut pool, &[], &mut rng), [0]);
        let spot = pool.spots[0];
        counts[spot.episode.1 as usize * 5 + spot.time as usize] += 1;
        from_memory += u32::from(spot.store == Store::Memory);
    }
    // 11 degrees of freedom: above 31.3 once in 1,000 times.
    let found = chi_square(&counts, &[1.0 / 12.0; 12]);
    assert!(found < 31.3, "{found}, {counts:?}");
    assert!(from_memory.abs_diff(10_000) < 234, "{from_memory}");
}

/// A reference with code `[0, 0]`, whose levels can only go up. No change, 1/3: `[0, 0]`. One, 1/3:
/// `[1, 0]` or `[0, 1]`. Two, 1/3: half of them the same group twice, so `[1, 0]` or `[0, 1]` again,
/// and half `[1, 1]`. In all 1/3, 1/4, 1/4 and 1/6, which the holders of a code share.
#[test]
fn what_is_looked_up_by_code_is_drawn_as_stated() {
    let mut contrasts = contrasts(&config());
    // Holders of [0, 0]: 2, of [1, 0]: 1, of [0, 1]: 3, of [1, 1]: 1.
    let first = [[0, 0], [0, 0], [1, 0], [0, 1], [0, 1]].concat();
    let second = [[0, 1], [1, 1]].concat();
    for (episode, codes, outcome) in [(0, first, Continue), (1, second, Terminated)] {
        let count = codes.len() / 2;
        let new = segment(0, episode, (0, count - 1), outcome);
        let id = contrasts.insert(&new, &mut rng(0)).unwrap().unwrap();
        let readings = (&codes[..], &vec![0; 3 * count][..]);
        contrasts.stores.memory.set_readings(id, 1, readings).unwrap();
    }
    let segment = contrasts.memory().find((0, 0), 0).unwrap();
    let spot = Spot::of(&contrasts.stores, Store::Memory, Place { segment, position: 0 }).unwrap();
    let mut references = Table::new(super::codes());
    references.push(&contrasts.stores, spot, None);
    let (mut counts, mut rng) = ([0; 7], rng(4));
    for _ in 0..20_000 {
        let spot = confused(&contrasts.stores, (&references, 0), 1.0, &mut rng).unwrap();
        counts[spot.episode.1 as usize * 5 + spot.time as usize] += 1;
    }
    let (sixth, twelfth) = (1.0 / 6.0, 1.0 / 12.0);
    // Six degrees of freedom: above 22.5 once in 1,000 times.
    let found = chi_square(&counts, &[sixth, sixth, 0.25, twelfth, twelfth, twelfth, sixth]);
    assert!(found < 22.5, "{found}, {counts:?}");
    // The test can fail: if every change were as probable as none, it would be far off.
    assert!(chi_square(&counts, &[0.125, 0.125, 0.25, twelfth, twelfth, twelfth, 0.25]) > 400.0);
}

#[test]
fn half_of_the_candidates_are_confused_with_a_reference() {
    // 4 episodes of 40 have the reference's code [0, 0], the others [2, 2], two levels away in both
    // groups, which is not looked up. Of 16 candidates, 8 are looked up: in one of three cases with
    // the reference's own code, which succeeds within 4 look-ups with probability 1 - (2/3)^4 =
    // 0.80; 6.4 of them, and 0.1 of the other 9.6, have its code.
    let mut contrasts = filled(&config(), 40);
    read_all(&mut contrasts, 1, |obs| {
        let code = if (obs[0] as u32).is_multiple_of(10) { [0, 0] } else { [2, 2] };
        (code, [85; 3])
    });
    let segment = contrasts.memory().find((0, 10), 0).unwrap();
    let spot = Spot::of(&contrasts.stores, Store::Memory, Place { segment, position: 1 }).unwrap();
    let mut references = Table::new(super::codes());
    references.push(&contrasts.stores, spot, None);
    for (law, alike, uniform) in [
        (NegativeLaw::Weighted { beta: 0.0 }, 1.6, 16.0),
        (NegativeLaw::Weighted { beta: 1.0 }, 7.4, 9.6),
        (NegativeLaw::Hardest, 7.4, 9.6),
    ] {
        let spec = ContrastSpec { law, memory_share: 1.0, ..spec(Relation::Temporal) };
        let chooser = Chooser {
            stores: &contrasts.stores,
            spec: &spec,
            metric: None,
            references: &references,
        };
        let (mut pool, mut found) = (Table::new(super::codes()), [0, 0]);
        for seed in 0..200 {
            found[1] += chooser.fill(&mut pool, &[0], &mut rng(seed)).len();
            assert_eq!(pool.spots.len(), 16);
            found[0] += (0..16).filter(|row| pool.code(*row) == [0, 0]).count();
        }
        for (found, expected) in found.into_iter().zip([alike, uniform]) {
            let mean = found as f64 / 200.0;
            assert!((mean - expected).abs() < 0.35, "{law:?}: {mean}, expected {expected}");
        }
    }
}
