//! How many transitions are sampled per inserted one: pure data, no waiting.

use crate::replay::ReplayError;
use serde::{Deserialize, Serialize};

/// Keeps `sampled / inserted` near `samples_per_insert`, by saying who has to wait.
///
/// Counting starts when `min_size_to_sample` transitions are in. With
/// `due = (inserted - min_size_to_sample) * samples_per_insert`:
///
/// ```text
/// sample B:  allowed while  inserted >= min_size_to_sample  and  sampled + B <= due + error_buffer
/// insert:    allowed while  inserted <  min_size_to_sample  or   due < sampled + error_buffer
/// ```
///
/// Both are refused at once only if `sampled + B > due + error_buffer >= sampled + 2 error_buffer`,
/// so never when `error_buffer >= B / 2`, which [`RateLimiter::new`] checks for the largest
/// minibatch. Whoever may go on does; nothing can hang here.
///
/// Threaded mode asks [`can_sample`](Self::can_sample) and [`can_insert`](Self::can_insert).
/// Serial mode does the [`updates_owed`](Self::updates_owed) after each insert and asks nothing
/// else.
///
/// # Source
/// The `SampleToInsertRatio` limiter of Reverb (Cassirer et al. 2021).
///
/// # Differs
/// Reverb lets the error run from `min_size * samples_per_insert - error_buffer`; here the
/// transitions before `min_size_to_sample` are owed no samples, as in DQN's warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateLimiter {
    samples_per_insert: f64,
    min_size_to_sample: u64,
    error_buffer: f64,
    largest_batch: u64,
    inserted: u64,
    sampled: u64,
}

impl RateLimiter {
    /// A limiter that has seen nothing yet.
    ///
    /// `samples_per_insert` is the number of sampled transitions per inserted one,
    /// `min_size_to_sample` the number of transitions inserted before the first sample,
    /// `error_buffer` how many samples the learner may be ahead or behind, and `largest_batch` the
    /// largest minibatch that will be asked for.
    ///
    /// # Errors
    /// [`ReplayError::BadConfig`] unless `samples_per_insert` is finite and above 0, the batch is
    /// at least 1, and `error_buffer` is finite and at least half of it.
    pub fn new(
        samples_per_insert: f64,
        min_size_to_sample: u64,
        error_buffer: f64,
        largest_batch: u64,
    ) -> Result<Self, ReplayError> {
        if !(samples_per_insert.is_finite() && samples_per_insert > 0.0) {
            let allowed = "a finite number above 0";
            return Err(ReplayError::bad_config("samples_per_insert", samples_per_insert, allowed));
        }
        if largest_batch == 0 {
            return Err(ReplayError::bad_config("minibatch size", 0, "at least 1 transition"));
        }
        let least = largest_batch as f64 / 2.0;
        if !(error_buffer.is_finite() && error_buffer >= least) {
            let allowed = format!(
                "at least {least}, half a minibatch of {largest_batch}: with less, actors and \
                 learner could wait for each other"
            );
            return Err(ReplayError::bad_config("error_buffer", error_buffer, allowed));
        }
        Ok(Self {
            samples_per_insert,
            min_size_to_sample,
            error_buffer,
            largest_batch,
            inserted: 0,
            sampled: 0,
        })
    }

    /// Samples owed for the transitions inserted so far; negative before the first.
    fn due(&self) -> f64 {
        (self.inserted as f64 - self.min_size_to_sample as f64) * self.samples_per_insert
    }

    /// Whether the learner may draw a minibatch of `batch_size` transitions now.
    ///
    /// # Panics
    /// If `batch_size` is above the largest one promised to [`RateLimiter::new`].
    #[must_use]
    pub fn can_sample(&self, batch_size: u64) -> bool {
        let largest = self.largest_batch;
        assert!(batch_size <= largest, "a minibatch of {batch_size}, {largest} was promised");
        self.inserted >= self.min_size_to_sample
            && (self.sampled + batch_size) as f64 <= self.due() + self.error_buffer
    }

    /// Whether actors may insert now. A vector step may then insert all its transitions at once.
    #[must_use]
    pub fn can_insert(&self) -> bool {
        self.inserted < self.min_size_to_sample
            || self.due() < self.sampled as f64 + self.error_buffer
    }

    /// Counts `transitions` inserted.
    pub fn record_insert(&mut self, transitions: u64) {
        self.inserted += transitions;
    }

    /// Counts `transitions` sampled.
    pub fn record_sample(&mut self, transitions: u64) {
        self.sampled += transitions;
    }

    /// Updates with minibatches of `batch_size` that are due now and not done: with one batch size
    /// all along, doing them after each insert makes
    /// `floor((inserted - min_size_to_sample) * samples_per_insert / batch_size)` updates in all.
    ///
    /// # Panics
    /// If `batch_size` is 0.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "floored, >= 0")]
    pub fn updates_owed(&self, batch_size: u64) -> u64 {
        assert!(batch_size > 0, "a minibatch of 0 transitions");
        let exact = (self.due() / batch_size as f64).max(0.0);
        // 100 * 0.29 is 28.999999999999996 in f64; a few units in the last place make it the 29
        // that the config asks for.
        let due = (exact * (1.0 + 4.0 * f64::EPSILON)).floor() as u64;
        due.saturating_sub(self.sampled / batch_size)
    }

    /// Transitions sampled per inserted one since counting started; 0 before.
    #[must_use]
    pub fn samples_per_insert_so_far(&self) -> f64 {
        let counted = self.inserted.saturating_sub(self.min_size_to_sample);
        if counted == 0 { 0.0 } else { self.sampled as f64 / counted as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn may_sample_and_insert_at_the_stated_counts() {
        // 2 samples an insert, counted from 10 transitions on, learner at most 4 ahead or behind.
        let cases = [
            // inserted, sampled, may sample 4, may insert
            (0, 0, false, true),
            (9, 0, false, true),
            (10, 0, true, true),   // due 0: 0 + 4 <= 0 + 4
            (10, 4, false, true),  // 4 + 4 > 4
            (11, 4, false, true),  // due 2: 8 > 6
            (12, 4, true, true),   // due 4: 8 <= 8
            (11, 0, true, true),   // due 2 < 0 + 4
            (12, 0, true, false),  // due 4: behind by the whole buffer
            (12, 1, true, true),   // due 4 < 5
            (50, 70, true, false), // due 80: 80 >= 74
            (50, 77, true, true),  // due 80 < 81, and 81 <= 84
            (50, 81, false, true), // 85 > 84
        ];
        for (inserted, sampled, may_sample, may_insert) in cases {
            let mut limiter = RateLimiter::new(2.0, 10, 4.0, 4).unwrap();
            limiter.record_insert(inserted);
            limiter.record_sample(sampled);
            let found = (limiter.can_sample(4), limiter.can_insert());
            assert_eq!(found, (may_sample, may_insert), "{inserted} inserted, {sampled} sampled");
        }
    }

    #[test]
    fn a_large_buffer_does_not_start_early() {
        let mut limiter = RateLimiter::new(2.0, 10, 1000.0, 4).unwrap();
        limiter.record_insert(9);
        assert!(!limiter.can_sample(4)); // due is -2, and 4 <= -2 + 1000
        limiter.record_insert(1);
        assert!(limiter.can_sample(4));
    }

    #[test]
    fn updates_owed_by_hand() {
        let cases = [
            // samples per insert, batch, inserted beyond the minimum, updates in all
            (8.0, 32, 3, 0),
            (8.0, 32, 4, 1), // one update of 32 every 4 env steps, as DQN on Atari
            (8.0, 32, 7, 1),
            (8.0, 32, 8, 2),
            (64.0, 32, 1, 2),   // two updates an env step
            (0.29, 1, 100, 29), // 28.999999999999996 in f64
            (0.29, 1, 99, 28),
            (0.1, 1, 30, 3), // 3.0000000000000004
        ];
        for (ratio, batch, beyond, updates) in cases {
            let mut limiter = RateLimiter::new(ratio, 5, 32.0, batch).unwrap();
            limiter.record_insert(5 + beyond);
            assert_eq!(limiter.updates_owed(batch), updates, "{ratio} {batch} {beyond}");
            limiter.record_sample(updates * batch);
            assert_eq!(limiter.updates_owed(batch), 0, "{ratio} {batch} {beyond}: done");
        }
        let mut warming_up = RateLimiter::new(8.0, 100, 32.0, 32).unwrap();
        warming_up.record_insert(99);
        assert_eq!(warming_up.updates_owed(32), 0);
    }

    #[test]
    fn refuses_values_that_could_hang() {
        let refusal = |result: Result<RateLimiter, ReplayError>| result.unwrap_err().to_string();
        assert_eq!(
            refusal(RateLimiter::new(8.0, 10, 15.0, 32)),
            "replay: error_buffer is 15, allowed: at least 16, half a minibatch of 32: with less, \
             actors and learner could wait for each other"
        );
        for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(refusal(RateLimiter::new(ratio, 10, 16.0, 32)).contains("samples_per_insert"));
        }
        assert!(refusal(RateLimiter::new(8.0, 10, f64::NAN, 32)).contains("error_buffer is NaN"));
        assert!(refusal(RateLimiter::new(8.0, 10, 16.0, 0)).contains("minibatch size is 0"));
    }

    #[test]
    fn resumes_where_it_was() {
        let mut limiter = RateLimiter::new(0.3, 7, 5.0, 4).unwrap();
        limiter.record_insert(19);
        limiter.record_sample(3);
        let saved = serde_json::to_string(&limiter).unwrap();
        assert_eq!(serde_json::from_str::<RateLimiter>(&saved).unwrap(), limiter);
    }

    proptest! {
        #[test]
        fn never_are_both_refused(
            ratio in 0.01..100.0,
            min_size in 0_u64..50,
            (largest, batch) in (1_u64..64).prop_flat_map(|b| (Just(b), 1..=b)),
            extra in prop_oneof![Just(0.0), 0.0..100.0],
            turns in prop::collection::vec((any::<bool>(), 1_u64..9), 1..200),
        ) {
            let buffer = largest as f64 / 2.0 + extra;
            let mut limiter = RateLimiter::new(ratio, min_size, buffer, largest).unwrap();
            for (wants_to_sample, rows) in turns {
                let (sample, insert) = (limiter.can_sample(batch), limiter.can_insert());
                prop_assert!(sample || insert, "{limiter:?}");
                if sample && (wants_to_sample || !insert) {
                    limiter.record_sample(batch);
                } else {
                    limiter.record_insert(rows);
                }
                if limiter.inserted >= min_size {
                    // Ahead by the buffer at most; behind by it and one vector step at most.
                    let error = limiter.sampled as f64 - limiter.due();
                    prop_assert!(error <= buffer, "{limiter:?}");
                    prop_assert!(error >= -buffer - 9.0 * ratio - 1e-9, "{limiter:?}");
                }
            }
        }

        #[test]
        fn serial_mode_does_exactly_the_floor(
            quarters in 1_u64..400, // dyadic ratio: the product is exact, the floor is integer division
            min_size in 0_u64..20,
            batch in 1_u64..40,
            inserts in prop::collection::vec(1_u64..9, 1..100),
        ) {
            let ratio = quarters as f64 / 4.0;
            let mut limiter = RateLimiter::new(ratio, min_size, batch as f64, batch).unwrap();
            let (mut inserted, mut updates) = (0, 0);
            for rows in inserts {
                limiter.record_insert(rows);
                inserted += rows;
                let owed = limiter.updates_owed(batch);
                updates += owed;
                limiter.record_sample(owed * batch);
            }
            let counted = inserted.saturating_sub(min_size);
            prop_assert_eq!(updates, counted * quarters / (4 * batch));
        }
    }
}
