//! What an anchor should be unlike.

use super::report::Tally;
use super::store::{Store, Stores};
use super::table::{Metric, Spot, Table};
use super::{ContrastSpec, NegativeLaw};
use crate::memory::Among;
use contrail_envs::Prng;
use rand::RngExt;
use rand_distr::{Distribution as _, Exp1};

/// Look-ups by code before a candidate is drawn uniformly.
const LOOK_UPS: usize = 4;
/// Draws before a pool goes without one more candidate, where all that are drawn are in it.
const DRAWS: usize = 4;

pub(super) fn random_store(memory_share: f64, rng: &mut Prng) -> Store {
    if rng.random::<f64>() < memory_share { Store::Memory } else { Store::Recent }
}

/// An observation whose code is that of a row but for one level in none, one or two groups: each
/// number is as probable, each group too, and so is each holder of the code. The same group drawn
/// twice changes once. None if no look-up of several found a holder.
pub(super) fn confused(
    stores: &Stores,
    (table, row): (&Table, usize),
    memory_share: f64,
    rng: &mut Prng,
) -> Option<Spot> {
    let code = table.code(row);
    if code.is_empty() || table.spots[row].version.is_none() {
        return None;
    }
    let levels = table.space.levels as u64;
    for _ in 0..LOOK_UPS {
        let mut packed = table.packed(row);
        let mut first = None;
        for _ in 0..rng.random_range(0..=code.len().min(2)) {
            let group = rng.random_range(0..code.len());
            if first.replace(group) == Some(group) {
                continue; // one group would change by two levels
            }
            // At either end there is one way to go.
            let up = code[group] == 0 || (u64::from(code[group]) + 1 < levels && rng.random());
            let worth = (0..group).fold(1, |worth, _| levels * worth);
            packed = if up { packed + worth } else { packed - worth };
        }
        let store = random_store(memory_share, rng);
        let held = stores.of(store);
        let count = held.holder_count(packed);
        if count > 0 {
            return Spot::of(stores, store, held.holder(packed, rng.random_range(0..count))?);
        }
    }
    None
}

/// Candidates and masks.
pub(super) struct Chooser<'a> {
    pub(super) stores: &'a Stores,
    pub(super) spec: &'a ContrastSpec,
    /// None if no distance is asked for.
    pub(super) metric: Option<&'a Metric>,
    /// `[B]` what candidates are compared with.
    pub(super) references: &'a Table,
}

impl Chooser<'_> {
    /// Fills a pool with candidates for the negatives of some references: different observations,
    /// every other one found by code in turn, if the law looks up, the others drawn uniformly.
    /// Returns the rows of those.
    pub(super) fn fill(
        &self,
        pool: &mut Table,
        references: &[usize],
        rng: &mut Prng,
    ) -> Vec<usize> {
        pool.clear();
        let mut uniform = Vec::with_capacity(self.spec.negative_candidates);
        for number in 0..self.spec.negative_candidates {
            let by_code = self.spec.law.looks_up() && number % 2 == 0;
            let reference = by_code.then(|| references[number / 2 % references.len()]);
            for _ in 0..DRAWS {
                let (spot, by_code) = self.candidate(reference, rng);
                let Some(spot) = spot else { continue };
                if pool.spots.iter().all(|other| !other.is_same(&spot)) {
                    if !by_code {
                        uniform.push(pool.spots.len());
                    }
                    pool.push(self.stores, spot, self.metric);
                    break;
                }
            }
        }
        uniform
    }

    /// A candidate, and whether it was found by code.
    fn candidate(&self, reference: Option<usize>, rng: &mut Prng) -> (Option<Spot>, bool) {
        let (stores, share) = (self.stores, self.spec.memory_share);
        let found = reference.and_then(|row| confused(stores, (self.references, row), share, rng));
        if found.is_some() {
            return (found, true);
        }
        let store = random_store(share, rng);
        let place = stores.of(store).random_obs(Among::All, rng);
        (place.and_then(|place| Spot::of(stores, store, place)), false)
    }

    /// Rows of up to K negatives, of those of the pool that no mask takes. `own` are the
    /// observations that must not be among them: the anchor, and its positives.
    pub(super) fn choose(
        &self,
        row: usize,
        (own, pool): (&[Spot], &Table),
        tally: &mut Tally,
        rng: &mut Prng,
    ) -> Vec<usize> {
        let reference = &self.references.spots[row];
        let mut keys: Vec<(f64, usize)> = Vec::with_capacity(pool.spots.len());
        for (candidate, spot) in pool.spots.iter().enumerate() {
            tally.candidates += 1;
            if spot.hash == reference.hash || own.iter().any(|other| other.hash == spot.hash) {
                tally.identical += 1;
            } else if spot.is_near(reference, self.spec.temporal_max_env_steps) {
                tally.near += 1;
            } else if self.is_alike(row, (pool, candidate)) {
                tally.alike += 1;
            } else {
                let equal = self.references.equal_groups(row, (pool, candidate));
                keys.push((self.key(equal, rng), candidate));
            }
        }
        let count = self.spec.negatives.min(keys.len());
        let larger = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if count < keys.len() {
            keys.select_nth_unstable_by(count, larger);
            keys.truncate(count);
        }
        keys.sort_unstable_by(larger);
        keys.into_iter().map(|(_, candidate)| candidate).collect()
    }

    /// Whether the teacher would act like it would at the reference, and the same would follow.
    fn is_alike(&self, row: usize, other: (&Table, usize)) -> bool {
        let Some(metric) = self.metric else { return false };
        self.references.distance(row, other, metric).is_some_and(|d| d <= self.spec.delta)
    }

    /// The K largest keys are the negatives.
    ///
    /// For weights w, `log w − log E` with E exponential is `log w` and Gumbel noise; the largest
    /// of such keys is candidate i with probability `w_i / Σ w`, and the next ones follow as in
    /// successive sampling from the rest (Kool et al. 2019, arXiv 1903.06059, section 2.3).
    fn key(&self, equal_groups: usize, rng: &mut Prng) -> f64 {
        match self.spec.law {
            NegativeLaw::Weighted { beta } => {
                let exponential: f64 = Exp1.sample(rng);
                beta * equal_groups as f64 - exponential.ln()
            }
            // A fraction of a group decides between equals.
            NegativeLaw::Hardest => equal_groups as f64 + rng.random::<f64>(),
        }
    }
}
