//! How many transitions are sampled per inserted one: pure data, no waiting.

use crate::replay::ReplayError;
use serde::{Deserialize, Serialize};

/// Keeps `sampled / inserted` near `samples_per_insert`, by saying who has to wait.
///
/// Counting starts when `min_size_to_sample` transitions are in. With
/// `due = (inserted - min_size_to_sample) * samples_per_insert` and minibatches of `B`:
///
/// ```text
/// updates owed:  floor(due / B) - updates done
/// insert:        allowed while  inserted < min_size_to_sample  or  due < sampled + error_buffer
/// ```
///
/// The learner does what is owed and no more, so serial and threaded runs do the same number of
/// updates. Inserting is refused only while `due >= sampled + error_buffer`; with
/// `error_buffer >= B`, which [`RateLimiter::new`] checks, at least one update is owed then, so
/// nothing can hang here.
///
/// # Source
/// The `SampleToInsertRatio` limiter of Reverb (Cassirer et al. 2021).
///
/// # Differs
/// Reverb lets the learner run ahead by the error buffer too, and lets the error run from
/// `min_size * samples_per_insert - error_buffer`; here the transitions before
/// `min_size_to_sample` are owed no samples, as in DQN's warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateLimiter {
    samples_per_insert: f64,
    min_size_to_sample: u64,
    error_buffer: f64,
    minibatch_size: u64,
    inserted: u64,
    sampled: u64,
}

impl RateLimiter {
    /// A limiter that has seen nothing yet.
    ///
    /// `samples_per_insert` is the number of sampled transitions per inserted one,
    /// `min_size_to_sample` the number of transitions inserted before the first sample,
    /// `error_buffer` how many samples the learner may be behind before actors wait, and
    /// `minibatch_size` the transitions of one update.
    ///
    /// # Errors
    /// [`ReplayError::BadConfig`] unless `samples_per_insert` is finite and above 0, the minibatch
    /// is at least 1, and `error_buffer` is finite and at least a minibatch.
    pub fn new(
        samples_per_insert: f64,
        min_size_to_sample: u64,
        error_buffer: f64,
        minibatch_size: u64,
    ) -> Result<Self, ReplayError> {
        if !(samples_per_insert.is_finite() && samples_per_insert > 0.0) {
            let allowed = "a finite number above 0";
            return Err(ReplayError::bad_config("samples_per_insert", samples_per_insert, allowed));
        }
        if minibatch_size == 0 {
            return Err(ReplayError::bad_config("minibatch size", 0, "at least 1 transition"));
        }
        if !(error_buffer.is_finite() && error_buffer >= minibatch_size as f64) {
            let allowed = format!(
                "at least {minibatch_size}, a minibatch: with less, actors and learner could wait \
                 for each other"
            );
            return Err(ReplayError::bad_config("error_buffer", error_buffer, allowed));
        }
        Ok(Self {
            samples_per_insert,
            min_size_to_sample,
            error_buffer,
            minibatch_size,
            inserted: 0,
            sampled: 0,
        })
    }

    /// Counting starts anew, `transitions` from now; later where it had not started and would have
    /// started later.
    pub fn postpone(&mut self, transitions: u64) {
        let left = self.min_size_to_sample.saturating_sub(self.inserted);
        self.min_size_to_sample = left.max(transitions);
        (self.inserted, self.sampled) = (0, 0);
    }

    /// Samples owed for the transitions inserted so far; negative before the first.
    fn due(&self) -> f64 {
        (self.inserted as f64 - self.min_size_to_sample as f64) * self.samples_per_insert
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

    /// Counts one update.
    pub fn record_update(&mut self) {
        self.sampled += self.minibatch_size;
    }

    /// Updates that are due now and not done: in all,
    /// `floor((inserted - min_size_to_sample) * samples_per_insert / minibatch_size)`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "floored, >= 0")]
    pub fn updates_owed(&self) -> u64 {
        let exact = (self.due() / self.minibatch_size as f64).max(0.0);
        // 100 * 0.29 is 28.999999999999996 in f64; a few units in the last place make it the 29
        // that the config asks for.
        let due = (exact * (1.0 + 4.0 * f64::EPSILON)).floor() as u64;
        due.saturating_sub(self.sampled / self.minibatch_size)
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
    fn a_postponed_start_is_the_later_of_both() {
        // Minibatches of 4, 2 samples an insert: an update every 2 inserts after the start.
        for (min_size, inserted, postponed, starts_after) in
            [(10, 0, 4, 10), (10, 0, 25, 25), (10, 8, 1, 2), (10, 8, 5, 5), (10, 90, 7, 7)]
        {
            let mut limiter = RateLimiter::new(2.0, min_size, 8.0, 4).unwrap();
            limiter.record_insert(inserted);
            (0..limiter.updates_owed()).for_each(|_| limiter.record_update());
            limiter.postpone(postponed);
            limiter.record_insert(starts_after);
            assert_eq!(limiter.updates_owed(), 0, "{postponed} after {inserted} of {min_size}");
            limiter.record_insert(2);
            assert_eq!(limiter.updates_owed(), 1, "{postponed} after {inserted} of {min_size}");
        }
    }

    #[test]
    fn may_update_and_insert_at_the_stated_counts() {
        // 2 samples an insert, counted from 10 transitions on, minibatches of 4, actors wait when
        // the learner is 8 behind.
        let cases = [
            // inserted, updates done, updates owed, may insert
            (0, 0, 0, true),
            (9, 0, 0, true),
            (10, 0, 0, true),   // due 0
            (11, 0, 0, true),   // due 2: less than a minibatch
            (12, 0, 1, true),   // due 4 < 0 + 8
            (14, 0, 2, false),  // due 8: behind by the whole buffer
            (14, 1, 1, true),   // due 8 < 4 + 8
            (50, 18, 2, false), // due 80, done 72
            (50, 19, 1, true),  // done 76
            (50, 20, 0, true),
        ];
        for (inserted, updates, owed, may_insert) in cases {
            let mut limiter = RateLimiter::new(2.0, 10, 8.0, 4).unwrap();
            limiter.record_insert(inserted);
            (0..updates).for_each(|_| limiter.record_update());
            let found = (limiter.updates_owed(), limiter.can_insert());
            assert_eq!(found, (owed, may_insert), "{inserted} inserted, {updates} updates");
        }
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
            assert_eq!(limiter.updates_owed(), updates, "{ratio} {batch} {beyond}");
            (0..updates).for_each(|_| limiter.record_update());
            assert_eq!(limiter.updates_owed(), 0, "{ratio} {batch} {beyond}: done");
        }
        let mut warming_up = RateLimiter::new(8.0, 100, 32.0, 32).unwrap();
        warming_up.record_insert(99);
        assert_eq!(warming_up.updates_owed(), 0);
    }

    #[test]
    fn refuses_values_that_could_hang() {
        let refusal = |result: Result<RateLimiter, ReplayError>| result.unwrap_err().to_string();
        assert_eq!(
            refusal(RateLimiter::new(8.0, 10, 31.0, 32)),
            "replay: error_buffer is 31, allowed: at least 32, a minibatch: with less, actors and \
             learner could wait for each other"
        );
        for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(refusal(RateLimiter::new(ratio, 10, 32.0, 32)).contains("samples_per_insert"));
        }
        assert!(refusal(RateLimiter::new(8.0, 10, f64::NAN, 32)).contains("error_buffer is NaN"));
        assert!(refusal(RateLimiter::new(8.0, 10, 32.0, 0)).contains("minibatch size is 0"));
    }

    #[test]
    fn resumes_where_it_was() {
        let mut limiter = RateLimiter::new(0.3, 7, 5.0, 4).unwrap();
        limiter.record_insert(19);
        limiter.record_update();
        let saved = serde_json::to_string(&limiter).unwrap();
        assert_eq!(serde_json::from_str::<RateLimiter>(&saved).unwrap(), limiter);
    }

    proptest! {
        #[test]
        fn never_do_both_wait(
            ratio in 0.01..100.0,
            min_size in 0_u64..50,
            batch in 1_u64..64,
            extra in prop_oneof![Just(0.0), 0.0..100.0],
            turns in prop::collection::vec((any::<bool>(), 1_u64..9), 1..200),
        ) {
            let buffer = batch as f64 + extra;
            let mut limiter = RateLimiter::new(ratio, min_size, buffer, batch).unwrap();
            for (wants_to_update, rows) in turns {
                let (update, insert) = (limiter.updates_owed() > 0, limiter.can_insert());
                prop_assert!(update || insert, "{limiter:?}");
                if update && (wants_to_update || !insert) {
                    limiter.record_update();
                } else {
                    limiter.record_insert(rows);
                }
                if limiter.inserted >= min_size {
                    // Never ahead; behind by the buffer and one vector step at most.
                    let error = limiter.sampled as f64 - limiter.due();
                    prop_assert!(error <= 1e-9 * limiter.due().max(1.0), "{limiter:?}");
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
                let owed = limiter.updates_owed();
                updates += owed;
                (0..owed).for_each(|_| limiter.record_update());
            }
            let counted = inserted.saturating_sub(min_size);
            prop_assert_eq!(updates, counted * quarters / (4 * batch));
        }
    }
}
