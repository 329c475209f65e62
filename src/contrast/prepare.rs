//! From a spec to a batch.

use super::negatives::Chooser;
use super::positives::{Finder, Positives};
use super::report::Tally;
use super::rows::{self, Rows};
use super::store::Store;
use super::table::{Metric, Spot, Table};
use super::{
    BehaviorOf, ContrastError, ContrastReport, ContrastSpec, Contrasts, Missing, anchors, truth,
};
use crate::memory::SegmentId;
use contrail_agents::{ContrastBatch, Relation};
use contrail_envs::{ActionSpace, Prng};
use rand::RngExt;

/// A batch of contrasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// What the learner consumes.
    pub batch: ContrastBatch,
    /// What the curves need.
    pub report: ContrastReport,
    /// `[B]` the memory's segment that each anchor is of; none for those of the stream.
    pub segments: Vec<Option<SegmentId>>,
}

/// Anchors and their positives, which belong together.
#[derive(Debug)]
struct Pairs {
    anchors: Vec<Spot>,
    positives: Vec<Positives>,
}

impl Contrasts {
    /// Draws a batch of contrasts. None while there is too little to draw it from; then
    /// [`Contrasts::last_missing`] says what is missing, and it is counted.
    ///
    /// Anchors are observations that an action followed: uniform ones of the newest segments, and
    /// ones of the memory by the laws of [`super::AnchorMix`].
    ///
    /// A *reference* is what an anchor stands for when candidates for negatives are compared: the
    /// anchor itself or, in a predictive contrast, where the anchor is what the latent dynamics
    /// expect, the next observation. Masked are candidates with the observation of the anchor, of
    /// one of its positives or of the reference; of the reference's episode within k env steps; and
    /// at a behavioral distance of at most delta from the reference. Where a teacher has read one of
    /// the two not yet, the distance is unknown and masks nothing, and no token group counts as
    /// equal.
    ///
    /// Behavioral positives are the nearest of the candidates of the batch within reach, half of
    /// them drawn uniformly and half by the codes of the anchors, without observations equal to the
    /// anchor's and without those of its episode within k env steps.
    ///
    /// # Errors
    /// [`ContrastError::BadSpec`] if the spec does not pass [`ContrastSpec::check`].
    pub fn prepare(
        &mut self,
        spec: &ContrastSpec,
        rng: &mut Prng,
    ) -> Result<Option<Prepared>, ContrastError> {
        spec.check()?;
        let action = &self.stores.memory.config().action;
        if spec.distance.behavior == BehaviorOf::Actor
            && !matches!(action, ActionSpace::Discrete(_))
        {
            let allowed = "\"teacher\" where actions are continuous";
            return Err(ContrastError::bad_spec("distance.behavior", "actor", allowed));
        }
        match self.assemble(spec, rng) {
            Ok(prepared) => {
                self.last_missing = None;
                Ok(Some(prepared))
            }
            Err(missing) => {
                self.missing.add(missing);
                self.last_missing = Some(missing);
                Ok(None)
            }
        }
    }

    fn assemble(&self, spec: &ContrastSpec, rng: &mut Prng) -> Result<Prepared, Missing> {
        anchors::check_held(&self.stores, spec)?;
        self.check_subspaces(spec)?;
        let config = self.stores.memory.config();
        let metric = Metric::new(&spec.distance, &config.action, config.readings_len);
        let finder = Finder { stores: &self.stores, spec, metric: &metric };
        let (anchors, positives) = finder.pairs(rng)?.into_iter().unzip();
        let mut pairs = Pairs { anchors, positives };

        let compared = (spec.delta >= 0.0).then_some(&metric);
        let mut references = Table::new(config.codes);
        for (anchor, positives) in pairs.anchors.iter().zip(&pairs.positives) {
            let predictive = spec.relation == Relation::Predictive;
            let reference = if predictive { &positives[0].0 } else { anchor };
            references.push(&self.stores, *reference, compared);
        }
        if spec.shuffled {
            exchange(&mut pairs.positives, rng);
        }
        let chooser =
            Chooser { stores: &self.stores, spec, metric: compared, references: &references };
        Ok(self.batch(&pairs, &chooser, rng))
    }

    fn check_subspaces(&self, spec: &ContrastSpec) -> Result<(), Missing> {
        let held =
            |s: &usize| Store::BOTH.iter().any(|store| self.stores.of(*store).len_of(*s) > 0);
        let subspaces = (0..self.stores.memory.config().subspaces).filter(held).count();
        if spec.relation == Relation::BehavioralAcross && subspaces < 2 {
            return Err(Missing::OtherSubspace);
        }
        Ok(())
    }

    /// Counts negatives of an anchor that an expert treats like it.
    fn judge<'a>(
        &self,
        (chooser, row): (&Chooser<'_>, usize),
        negatives: impl Iterator<Item = &'a Spot>,
        tally: &mut Tally,
    ) {
        let reference = &chooser.references.spots[row];
        let horizon = chooser.spec.distance.horizon_env_steps;
        for negative in negatives {
            if let Some(alike) = truth::acts_alike(&self.stores, (reference, negative), horizon) {
                tally.judged += 1;
                tally.false_negatives += usize::from(alike);
            }
        }
    }

    /// Draws the negatives and makes everything rows.
    fn batch(&self, pairs: &Pairs, chooser: &Chooser<'_>, rng: &mut Prng) -> Prepared {
        let (spec, mut tally) = (chooser.spec, Tally::default());
        let mut numbers = Numbers::default();
        let mut pool = Table::new(self.stores.memory.config().codes);
        let everyone: Vec<usize> = (0..pairs.anchors.len()).collect();
        let mut distinct = Vec::new();
        for (row, (anchor, positives)) in pairs.anchors.iter().zip(&pairs.positives).enumerate() {
            if row == 0 || !spec.shared_negatives {
                let whose =
                    if spec.shared_negatives { &everyone[..] } else { &everyone[row..=row] };
                let uniform = chooser.fill(&mut pool, whose, rng);
                self.count_pool(&pool, &uniform, &mut tally);
                distinct.extend(pool.spots.iter().map(|spot| spot.hash));
            }
            self.count_spots(std::slice::from_ref(anchor), &mut tally);
            let own: Vec<Spot> =
                std::iter::once(*anchor).chain(positives.iter().map(|(spot, _)| *spot)).collect();
            let chosen = chooser.choose(row, (&own, &pool), &mut tally, rng);
            tally.negatives += chosen.len();
            if spec.expert {
                self.judge((chooser, row), chosen.iter().map(|n| &pool.spots[*n]), &mut tally);
            }
            let equal = chosen.iter().map(|n| chooser.references.equal_groups(row, (&pool, *n)));
            tally.equal_groups += equal.sum::<usize>();
            numbers.push(spec, (*anchor, positives), chosen.iter().map(|n| pool.spots[*n]));
        }
        distinct.sort_unstable();
        distinct.dedup();
        let (obs, rows) = numbers.rows.gather(&self.stores);
        let report = ContrastReport {
            observations: rows.len(),
            distinct_candidates: distinct.len(),
            ..tally.report(spec.anchors * spec.negatives, spec.expert)
        };
        let (actions, rewards, continues) = rows::followed(&self.stores, &pairs.anchors);
        let from_memory = |spot: &Spot| f32::from(u8::from(spot.store == Store::Memory));
        let to_rows = |numbers: Vec<usize>| numbers.into_iter().map(|n| rows[n]).collect();
        let batch = ContrastBatch {
            relation: spec.relation,
            obs,
            anchors: to_rows(numbers.anchors),
            actions,
            rewards,
            continues,
            positives: to_rows(numbers.positives),
            positive_weights: numbers.positive_weights,
            negatives: to_rows(numbers.negatives),
            negative_weights: numbers.negative_weights,
            from_memory: pairs.anchors.iter().map(from_memory).collect(),
            subspaces: pairs.anchors.iter().map(|spot| spot.subspace).collect(),
        };
        let in_memory = |spot: &Spot| (spot.store == Store::Memory).then_some(spot.place.segment);
        let segments = pairs.anchors.iter().map(in_memory).collect();
        Prepared { batch, report, segments }
    }

    fn count_spots(&self, spots: &[Spot], tally: &mut Tally) {
        tally.spots += spots.len();
        for spot in spots {
            match spot.version {
                Some(version) => tally.age += self.newest_version.saturating_sub(version),
                None => tally.unread += 1,
            }
        }
    }

    /// Ages, and collisions among its uniformly drawn candidates, in pairs.
    fn count_pool(&self, pool: &Table, uniform: &[usize], tally: &mut Tally) {
        self.count_spots(&pool.spots, tally);
        for pair in uniform.chunks_exact(2) {
            let [a, b] = [pool.spots[pair[0]], pool.spots[pair[1]]];
            let coded = a.version.is_some() && b.version.is_some();
            if coded && !pool.code(pair[0]).is_empty() && a.hash != b.hash {
                tally.pairs += 1;
                tally.collisions += usize::from(pool.code(pair[0]) == pool.code(pair[1]));
            }
        }
    }
}

/// Sattolo's algorithm: a random cycle, so that no anchor keeps its positives (if there are two).
fn exchange(positives: &mut [Positives], rng: &mut Prng) {
    for last in (1..positives.len()).rev() {
        positives.swap(last, rng.random_range(0..last));
    }
}

/// Rows as numbers, which become rows when all are known.
#[derive(Debug, Default)]
struct Numbers {
    rows: Rows,
    anchors: Vec<usize>,
    positives: Vec<usize>,
    positive_weights: Vec<f32>,
    negatives: Vec<usize>,
    negative_weights: Vec<f32>,
}

impl Numbers {
    /// One contrast. What is missing of P and K is the anchor's row with weight 0.
    fn push(
        &mut self,
        spec: &ContrastSpec,
        (anchor, positives): (Spot, &Positives),
        negatives: impl Iterator<Item = Spot>,
    ) {
        let own = self.rows.number(&anchor);
        self.anchors.push(own);
        let before = self.anchors.len() - 1;
        for (spot, weight) in positives {
            self.positives.push(self.rows.number(spot));
            self.positive_weights.push(*weight);
        }
        self.positives.resize((before + 1) * spec.positives, own);
        self.positive_weights.resize((before + 1) * spec.positives, 0.0);
        for spot in negatives {
            self.negatives.push(self.rows.number(&spot));
            self.negative_weights.push(1.0);
        }
        self.negatives.resize((before + 1) * spec.negatives, own);
        self.negative_weights.resize((before + 1) * spec.negatives, 0.0);
    }
}
