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

/// The 95 % percentile-bootstrap interval of the mean of `values`; `None` with fewer than two.
///
/// The random numbers are always the same, so equal data gives an equal interval.
///
/// # Source
/// Efron 1979; percentile intervals as in Efron and Tibshirani 1993, chapter 13.
///
/// # Differs
/// None.
#[must_use]
pub fn mean_interval(values: &[f64]) -> Option<[f64; 2]> {
    (values.len() > 1).then(|| interval(|rng| resampled_mean(values, rng)))
}

/// The 95 % interval of the difference of two functions of group means, `first - second`, each the
/// mean of the means of its groups. Groups are resampled one by one (stratified bootstrap), so
/// that a group weighs as much whatever its size. `None` if a group has fewer than two values, or
/// there is none.
#[must_use]
pub fn gap_interval(first: &[&[f64]], second: &[&[f64]]) -> Option<[f64; 2]> {
    let enough = |groups: &[&[f64]]| !groups.is_empty() && groups.iter().all(|g| g.len() > 1);
    let side = |groups: &[&[f64]], rng: &mut Prng| {
        groups.iter().map(|group| resampled_mean(group, rng)).sum::<f64>() / groups.len() as f64
    };
    (enough(first) && enough(second)).then(|| interval(|rng| side(first, rng) - side(second, rng)))
}

fn resampled_mean(values: &[f64], rng: &mut Prng) -> f64 {
    let draws = values.iter().map(|_| values[rng.random_range(0..values.len())]);
    draws.sum::<f64>() / values.len() as f64
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
        let [low, high] = mean_interval(&values).unwrap();
        assert!((low - 0.40).abs() <= 0.01 && (high - 0.60).abs() <= 0.01, "{low} {high}");
    }

    #[test]
    fn an_interval_covers_as_often_as_it_says() {
        // 200 sets of 40 uniform values, mean 0.5. Coverage 0.95 within 4 standard errors of
        // sqrt(0.95 * 0.05 / 200) = 0.0154; the percentile bootstrap falls a little short.
        let mut rng = SeedStream::root(3).rng();
        let covers = |_: &u32| {
            let values: Vec<f64> = (0..40).map(|_| rng.random()).collect();
            let [low, high] = mean_interval(&values).unwrap();
            low <= 0.5 && 0.5 <= high
        };
        let share = (0..200).filter(covers).count() as f64 / 200.0;
        assert!((0.88..=0.995).contains(&share), "{share}");
    }

    #[test]
    fn a_gap_weighs_groups_alike() {
        // First side: means 1 and 3; second: mean 0. Whatever the sizes, the gap is 2.
        let (one, three, zero) = ([1.0; 50], [3.0; 2], [0.0; 7]);
        assert_eq!(gap_interval(&[&one, &three], &[&zero]), Some([2.0, 2.0]));
        assert_eq!(gap_interval(&[&one], &[&zero[..1]]), None);
        assert_eq!(gap_interval(&[], &[&zero]), None);
        assert_eq!(mean_interval(&[1.0]), None);
    }
}
