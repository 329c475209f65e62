//! What an anchor should be like.

use super::negatives::{confused, random_store};
use super::store::{Store, Stores};
use super::table::{Metric, Spot, Table};
use super::{ContrastSpec, Missing, anchors};
use crate::memory::{Among, Place};
use contrail_agents::Relation;
use contrail_envs::Prng;
use rand::RngExt;

/// Draws of one anchor until one has what it needs.
const TRIES: usize = 16;

/// Positives of an anchor and their weights, which sum to 1.
pub(super) type Positives = Vec<(Spot, f32)>;

/// How anchors with positives are found.
pub(super) struct Finder<'a> {
    pub(super) stores: &'a Stores,
    pub(super) spec: &'a ContrastSpec,
    pub(super) metric: &'a Metric,
}

impl Finder<'_> {
    /// B anchors with their positives.
    pub(super) fn pairs(&self, rng: &mut Prng) -> Result<Vec<(Spot, Positives)>, Missing> {
        match self.spec.relation {
            Relation::MultiView => self.pairs_of_views(rng),
            Relation::Predictive => self.pairs_in_time(1, rng),
            Relation::Temporal => self.pairs_in_time(self.spec.temporal_max_env_steps, rng),
            Relation::Behavioral | Relation::BehavioralAcross => self.pairs_in_behavior(rng),
        }
    }

    /// The store of each anchor.
    fn stores_of_anchors(&self) -> impl Iterator<Item = Store> {
        let repeated = |(store, count)| std::iter::repeat_n(store, count);
        anchors::counts(self.spec).into_iter().flat_map(repeated)
    }

    /// An anchor is its own positive; that the two are seen differently is the learner's part.
    fn pairs_of_views(&self, rng: &mut Prng) -> Result<Vec<(Spot, Positives)>, Missing> {
        let pair = |store| {
            let anchor = anchors::draw(self.stores, store, self.spec, rng);
            let anchor = anchor.ok_or(Missing::Positives { tries: 1 })?;
            Ok((anchor, vec![(anchor, 1.0)]))
        };
        self.stores_of_anchors().map(pair).collect()
    }

    fn pairs_in_time(
        &self,
        most: usize,
        rng: &mut Prng,
    ) -> Result<Vec<(Spot, Positives)>, Missing> {
        let pair = |store| {
            let anchor = anchors::draw(self.stores, store, self.spec, rng);
            let anchor = anchor.ok_or(Missing::Positives { tries: 1 })?;
            let positives = self.later(anchor, most, rng);
            Ok((anchor, positives))
        };
        self.stores_of_anchors().map(pair).collect()
    }

    /// Observations 1 to `most` env steps later, each of those that are stored with the same
    /// probability. The first always is: an action followed the anchor.
    fn later(&self, anchor: Spot, most: usize, rng: &mut Prng) -> Positives {
        let store = self.stores.of(anchor.store);
        let Some(view) = store.view(anchor.place.segment) else { return Vec::new() };
        let after = |env_steps: usize| {
            let Place { segment, position } = anchor.place;
            let place = if position + env_steps <= view.len() {
                Some(Place { segment, position: position + env_steps })
            } else {
                store.neighbor(anchor.place, i64::try_from(env_steps).ok()?)
            };
            Spot::of(self.stores, anchor.store, place?)
        };
        let mut stored: Vec<Spot> = (1..=most).filter_map(after).collect();
        let wanted = if most == 1 { 1 } else { self.spec.positives };
        let count = wanted.min(stored.len());
        for at in 0..count {
            let chosen = rng.random_range(at..stored.len());
            stored.swap(at, chosen);
        }
        stored.truncate(count);
        stored.into_iter().map(|spot| (spot, 1.0 / count as f32)).collect()
    }

    /// Anchors are drawn first, candidates for all of them then; who has no positive among them is
    /// drawn anew.
    fn pairs_in_behavior(&self, rng: &mut Prng) -> Result<Vec<(Spot, Positives)>, Missing> {
        let space = self.stores.memory.config().codes;
        let mut anchors = Table::new(space);
        for store in self.stores_of_anchors() {
            anchors.push(self.stores, self.read_anchor(store, rng)?, Some(self.metric));
        }
        let candidates = self.candidates(&anchors, rng);
        let mut other = Table::new(space);
        let mut pairs = Vec::with_capacity(anchors.spots.len());
        for (row, spot) in anchors.spots.iter().enumerate() {
            let (mut anchor, mut positives) = (*spot, self.alike((&anchors, row), &candidates));
            for _ in 1..TRIES {
                if !positives.is_empty() {
                    break;
                }
                anchor = self.read_anchor(spot.store, rng)?;
                other.clear();
                other.push(self.stores, anchor, Some(self.metric));
                positives = self.alike((&other, 0), &candidates);
            }
            if positives.is_empty() {
                return Err(Missing::Positives { tries: TRIES });
            }
            pairs.push((anchor, positives));
        }
        Ok(pairs)
    }

    /// An anchor that a teacher has read.
    fn read_anchor(&self, store: Store, rng: &mut Prng) -> Result<Spot, Missing> {
        let drawn = (0..TRIES).filter_map(|_| anchors::draw(self.stores, store, self.spec, rng));
        let mut read = drawn.filter(|spot| spot.version.is_some());
        read.next().ok_or(Missing::Readings { tries: TRIES })
    }

    fn is_across(&self) -> bool {
        self.spec.relation == Relation::BehavioralAcross
    }

    /// Candidates for the anchors in turn, of the subspaces that are theirs to compare with: one
    /// drawn uniformly, one by code. What no teacher has read is left out.
    fn candidates(&self, anchors: &Table, rng: &mut Prng) -> Table {
        let (stores, share) = (self.stores, self.spec.memory_share);
        let mut candidates = Table::new(anchors.space);
        for number in 0..self.spec.positive_candidates {
            let row = number / 2 % anchors.spots.len();
            let own = anchors.spots[row].subspace;
            let among = if self.is_across() { Among::Except(own) } else { Among::Only(own) };
            let by_code = number % 2 == 1;
            let found = if by_code { confused(stores, (anchors, row), share, rng) } else { None };
            let found = found.or_else(|| {
                let store = random_store(share, rng);
                Spot::of(stores, store, stores.of(store).random_obs(among, rng)?)
            });
            if let Some(spot) = found.filter(|spot| spot.version.is_some()) {
                candidates.push(stores, spot, Some(self.metric));
            }
        }
        candidates
    }

    /// The nearest in behavior of the candidates within reach, no two of the same observation.
    fn alike(&self, (anchors, row): (&Table, usize), candidates: &Table) -> Positives {
        let anchor = &anchors.spots[row];
        let mut nearest: Vec<(f64, Spot)> = Vec::with_capacity(self.spec.positives + 1);
        for (candidate, spot) in candidates.spots.iter().enumerate() {
            let fits = (spot.subspace != anchor.subspace) == self.is_across()
                && spot.hash != anchor.hash
                && !spot.is_near(anchor, self.spec.temporal_max_env_steps);
            if !fits {
                continue;
            }
            let Some(distance) = anchors.distance(row, (candidates, candidate), self.metric) else {
                continue;
            };
            if distance > self.spec.reach {
                continue;
            }
            if nearest.iter().any(|(d, other)| other.hash == spot.hash && *d <= distance) {
                continue;
            }
            nearest.retain(|(_, other)| other.hash != spot.hash);
            let at = nearest.partition_point(|(d, _)| *d <= distance);
            if at < self.spec.positives {
                nearest.insert(at, (distance, *spot));
                nearest.truncate(self.spec.positives);
            }
        }
        weighted(&nearest, self.spec.distance.width)
    }
}

/// Weights proportional to `exp(−d / width)`.
pub(super) fn weighted(nearest: &[(f64, Spot)], width: f64) -> Positives {
    let Some((least, _)) = nearest.first() else { return Vec::new() };
    let weight = |distance: f64| ((least - distance) / width).exp();
    let total: f64 = nearest.iter().map(|(distance, _)| weight(*distance)).sum();
    #[expect(clippy::cast_possible_truncation, reason = "batches carry f32")]
    nearest.iter().map(|(d, spot)| (*spot, (weight(*d) / total) as f32)).collect()
}
