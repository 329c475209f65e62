//! When a lasting fall of the contrast accuracy is a shift.

use serde::{Deserialize, Serialize};

/// Measurements of the contrast accuracy that must be low in a row before that is a shift.
const PATIENCE: u32 = 2;
/// Measurements after a shift before the next one can be detected.
const WARMUP: u32 = 5;
/// What is left of the old value in the running accuracy, a measurement.
const MEMORY: f64 = 0.8;

/// Watches the contrast accuracy on the current stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Watch {
    mean: Option<f64>,
    measurements: u32,
    low: u32,
    /// When it measures next.
    pub(super) next_env_steps: u64,
}

impl Watch {
    /// Takes a measurement; whether it makes a shift. `chance` is the accuracy without knowledge,
    /// one over the number of anchors. A fall within two standard errors is none.
    pub(super) fn falls(&mut self, accuracy: f64, chance: f64, drop: f64) -> bool {
        let mean = *self.mean.get_or_insert(accuracy);
        self.measurements += 1;
        let usual = (mean - chance).max(0.0);
        let noise = 2.0 * (mean * (1.0 - mean) * chance).sqrt();
        let is_low = accuracy - chance < (1.0 - drop) * usual && mean - accuracy > noise;
        if is_low && self.measurements > WARMUP {
            self.low += 1;
            return self.low >= PATIENCE;
        }
        self.low = 0;
        self.mean = Some(MEMORY * mean + (1.0 - MEMORY) * accuracy);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_fall_of_the_accuracy_is_a_shift_and_noise_is_not() {
        let mut watch = Watch::default();
        for accuracy in [0.80, 0.82, 0.78, 0.81, 0.79, 0.80] {
            assert!(!watch.falls(accuracy, 0.01, 0.5));
        }
        // One low measurement is noise; two in a row are a shift. Usual is about 0.79 above
        // chance, so below 0.01 + 0.395 is low.
        assert!(!watch.falls(0.30, 0.01, 0.5));
        assert!(!watch.falls(0.60, 0.01, 0.5));
        assert!(!watch.falls(0.30, 0.01, 0.5));
        assert!(watch.falls(0.25, 0.01, 0.5));
    }

    /// Of 64 anchors 2 right, then none: as likely as not.
    #[test]
    fn what_is_no_better_than_chance_cannot_fall() {
        let mut watch = Watch::default();
        for accuracy in [0.03, 0.03, 0.05, 0.03, 0.02, 0.03, 0.0, 0.0, 0.0, 0.0] {
            assert!(!watch.falls(accuracy, 1.0 / 64.0, 0.5));
        }
    }

    #[test]
    fn nothing_is_detected_while_the_usual_accuracy_is_not_known() {
        let mut watch = Watch::default();
        for accuracy in [0.8, 0.1, 0.1, 0.1, 0.1] {
            assert!(!watch.falls(accuracy, 0.01, 0.5));
        }
    }
}
