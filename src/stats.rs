//! Intervals for means, by the bootstrap.

use contrail_envs::{Prng, SeedStream};
use rand::RngExt;

/// Resamples of an interval. Its ends then vary by about a hundredth of its width from one set of
/// random numbers to another.
const RESAMPLES: usize = 2000;
/// Probability outside the interval, on each side.
const TAIL: f64 = 0.025;

/// Mean; NaN without values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Values that are resampled together. Value `i` belongs to stratum `i % strata`: with several
/// strata, each a context that was gone through in order, only values of one context stand for
/// each other.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// A whole number of turns through the strata.
    pub values: &'a [f64],
    /// Strata, at least 1.
    pub strata: usize,
}

impl Sample<'_> {
    /// Whether every stratum has two values: with one there is no telling how it varies.
    fn varies(&self) -> bool {
        self.values.len() >= 2 * self.strata.max(1)
    }

    fn resampled_mean(&self, rng: &mut Prng) -> f64 {
        let strata = self.strata.max(1);
        let turns = self.values.len() / strata;
        let draws = (0..turns * strata)
            .map(|place| self.values[place % strata + strata * rng.random_range(0..turns)]);
        draws.sum::<f64>() / (turns * strata) as f64
    }
}

/// The 95 % percentile-bootstrap interval of the mean; `None` if a stratum has fewer than two
/// values.
///
/// The random numbers are always the same, so equal data gives an equal interval.
///
/// # Source
/// Efron 1979; percentile intervals as in Efron and Tibshirani 1993, chapter 13.
///
/// # Differs
/// None.
#[must_use]
pub fn mean_interval(sample: Sample<'_>) -> Option<[f64; 2]> {
    sample.varies().then(|| interval(|rng| sample.resampled_mean(rng)))
}

/// The 95 % interval of the difference of two sides, `first - second`, each the mean of the means
/// of its samples. Samples must be independent of each other; each is resampled by itself, so that
/// it weighs as much whatever its size. `None` if a side is empty or one of its strata has fewer
/// than two values.
#[must_use]
pub fn gap_interval(first: &[Sample<'_>], second: &[Sample<'_>]) -> Option<[f64; 2]> {
    let enough = |side: &[Sample<'_>]| !side.is_empty() && side.iter().all(Sample::varies);
    let mean_of = |side: &[Sample<'_>], rng: &mut Prng| {
        side.iter().map(|sample| sample.resampled_mean(rng)).sum::<f64>() / side.len() as f64
    };
    (enough(first) && enough(second))
        .then(|| interval(|rng| mean_of(first, rng) - mean_of(second, rng)))
}

fn interval(mut statistic: impl FnMut(&mut Prng) -> f64) -> [f64; 2] {
    let mut rng = SeedStream::root(0).stream("bootstrap").rng();
    let mut all: Vec<f64> = (0..RESAMPLES).map(|_| statistic(&mut rng)).collect();
    all.sort_unstable_by(f64::total_cmp);
    [quantile(&all, TAIL), quantile(&all, 1.0 - TAIL)]
}

/// Quantile of sorted values, linear between them, as `numpy.quantile`.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(values: &[f64]) -> Sample<'_> {
        Sample { values, strata: 1 }
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([1, 2, 4, 8], [0, 0.25, 0.5, 0.9, 1])
        let values = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile(&values, share) - expected).abs() < 1e-12, "{share}");
        }
    }

    #[test]
    fn an_interval_of_coin_flips_is_the_binomial_one() {
        // 50 ones in 100: resampled means are Binomial(100, 0.5) / 100, whose 2.5 % and 97.5 %
        // quantiles are 0.40 and 0.60.
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let [low, high] = mean_interval(drawn(&values)).unwrap();
        assert!((low - 0.40).abs() <= 0.01 && (high - 0.60).abs() <= 0.01, "{low} {high}");
    }

    #[test]
    fn an_interval_covers_as_often_as_it_says() {
        // 200 sets of 40 uniform values, mean 0.5. Coverage 0.95 within 4 standard errors of
        // sqrt(0.95 * 0.05 / 200) = 0.0154; the percentile bootstrap falls a little short.
        let mut rng = SeedStream::root(3).rng();
        let covers = |_: &u32| {
            let values: Vec<f64> = (0..40).map(|_| rng.random()).collect();
            let [low, high] = mean_interval(drawn(&values)).unwrap();
            low <= 0.5 && 0.5 <= high
        };
        let share = (0..200).filter(covers).count() as f64 / 200.0;
        assert!((0.88..=0.995).contains(&share), "{share}");
    }

    #[test]
    fn a_gap_weighs_groups_alike() {
        // First side: means 1 and 3; second: mean 0. Whatever the sizes, the gap is 2.
        let (one, three, zero) = ([1.0; 50], [3.0; 2], [0.0; 7]);
        let (one, three, zero) = (drawn(&one), drawn(&three), drawn(&zero));
        assert_eq!(gap_interval(&[one, three], &[zero]), Some([2.0, 2.0]));
        assert_eq!(gap_interval(&[one], &[drawn(&[0.0])]), None);
        assert_eq!(gap_interval(&[], &[zero]), None);
        assert_eq!(mean_interval(drawn(&[1.0])), None);
    }

    /// A finite set of contexts is no sample of contexts: repeating it changes nothing, and one
    /// turn says nothing about how a context varies.
    #[test]
    fn contexts_in_turn_are_strata() {
        let turns = |count: usize| [0.0, 10.0, 20.0].repeat(count);
        let interval = |values: &[f64]| mean_interval(Sample { values, strata: 3 });
        assert_eq!(interval(&turns(1)), None);
        assert_eq!(interval(&turns(2)), Some([10.0, 10.0]));
        assert_eq!(interval(&turns(50)), Some([10.0, 10.0]));
        // The first context gives 0 or 1, the second 5: means 2.5, 2.75, 3 by quarter, half, quarter.
        let values = [0.0, 5.0, 1.0, 5.0];
        assert_eq!(mean_interval(Sample { values: &values, strata: 2 }), Some([2.5, 3.0]));
    }
}
