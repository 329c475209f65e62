//! Whether two samples of episodes come from the same distribution: energy distance (Székely and
//! Rizzo 2004) between features of the episodes, and its permutation test.

use crate::Prng;
use rand::RngExt;

/// Labels drawn at random; with the true ones the smallest p-value is 1 in 5000, which is enough
/// to tell 22 subspaces apart at 5 % with Holm's method (231 comparisons).
const PERMUTATIONS: u32 = 4999;
/// A feature whose deviation is this small beside its mean is a constant with rounding errors.
const ROUNDING: f64 = 1e-9;

/// What is compared of an episode, in groups of features that weigh the same whatever their
/// number: the return must not drown among the elements of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Features {
    /// `groups[g][f]`; all episodes have the same groups.
    pub(super) groups: Vec<Vec<f64>>,
}

/// What the test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TwoSample {
    /// Probability of an energy distance at least as large if both have one distribution.
    pub(super) p_value: f64,
    /// Energy distance as a fraction of its largest possible value: 0 = the same, 1 = each a
    /// point of its own.
    pub(super) coefficient: f64,
}

/// Tests whether `left` and `right` differ, where `left[i]` and `right[i]` were played with the
/// same seeds.
///
/// If context makes no difference, the two episodes of a pair may be exchanged, so labels are
/// permuted within pairs. That is exact, and an environment that ignores its context plays equal
/// pairs, which gives a p-value of 1. `N` pairs cannot give one below `2^(1 - N)`.
pub(super) fn two_sample(left: &[Features], right: &[Features], rng: &mut Prng) -> TwoSample {
    assert_eq!(left.len(), right.len(), "episodes come in pairs");
    let distances = distances(&standardized(left, right));
    let pairs = left.len();
    // [N, N]: how the sum over all signed distances changes with the labels of two pairs.
    let contrast = contrast(&distances, pairs);
    let mut swapped = vec![1.0; pairs];
    let observed = energy(&contrast, &swapped);
    // Equal sums in another order may differ in their last bits.
    let least = observed - 1e-12 * observed.abs();
    let mut as_large = 1_u32;
    for _ in 0..PERMUTATIONS {
        for sign in &mut swapped {
            *sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
        }
        as_large += u32::from(energy(&contrast, &swapped) >= least);
    }
    let across: f64 = (0..pairs).flat_map(|i| &distances[i][pairs..]).sum();
    let largest = 2.0 * across / (pairs * pairs) as f64;
    let coefficient = if largest > 0.0 { (observed / largest).clamp(0.0, 1.0) } else { 0.0 };
    TwoSample { p_value: f64::from(as_large) / f64::from(PERMUTATIONS + 1), coefficient }
}

/// Which of several null hypotheses are rejected at `level` for all together: Holm (1979). In
/// increasing order, the k-th of m p-values (k from 0) must be at most `level / (m - k)`, and so
/// must all smaller ones.
pub(super) fn holm(p_values: &[f64], level: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut rejected = vec![false; p_values.len()];
    for (rank, index) in order.into_iter().enumerate() {
        if p_values[index] > level / (p_values.len() - rank) as f64 {
            break;
        }
        rejected[index] = true;
    }
    rejected
}

/// Rows of both samples, left first: every feature with mean 0 and variance 1 over both, divided
/// by the root of the size of its group; constants and features that are not finite are left out.
fn standardized(left: &[Features], right: &[Features]) -> Vec<Vec<f64>> {
    let episodes: Vec<&Features> = left.iter().chain(right).collect();
    let count = episodes.len() as f64;
    let mut rows = vec![Vec::new(); episodes.len()];
    for group in 0..episodes.first().map_or(0, |e| e.groups.len()) {
        let mut kept: Vec<(usize, f64, f64)> = Vec::new();
        for feature in 0..episodes[0].groups[group].len() {
            let values = || episodes.iter().map(|e| e.groups[group][feature]);
            let mean = values().sum::<f64>() / count;
            let std = (values().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
            if std.is_finite() && std > ROUNDING * mean.abs().max(1e-6) {
                kept.push((feature, mean, std));
            }
        }
        let weight = 1.0 / (kept.len() as f64).sqrt();
        for (row, episode) in rows.iter_mut().zip(&episodes) {
            row.extend(kept.iter().map(|(f, m, s)| weight * (episode.groups[group][*f] - m) / s));
        }
    }
    rows
}

/// Euclidean distances between all rows.
fn distances(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let distance =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    rows.iter().map(|a| rows.iter().map(|b| distance(a, b)).collect()).collect()
}

/// `m[i][j] = d(l_i, l_j) + d(r_i, r_j) - d(l_i, r_j) - d(r_i, l_j)` for pairs i and j.
fn contrast(distances: &[Vec<f64>], pairs: usize) -> Vec<Vec<f64>> {
    let d = distances;
    let entry =
        |i: usize, j: usize| d[i][j] + d[pairs + i][pairs + j] - d[i][pairs + j] - d[pairs + i][j];
    (0..pairs).map(|i| (0..pairs).map(|j| entry(i, j)).collect()).collect()
}

/// Energy distance `2·mean d(l, r) - mean d(l, l') - mean d(r, r')`, the means over all N² pairs
/// of rows, when the pairs with sign -1 have exchanged their sides: `-(1/N²)·sᵀ·m·s`.
fn energy(contrast: &[Vec<f64>], signs: &[f64]) -> f64 {
    // mᵀ·s first, row by row: sums of their own for every column keep the processor busy.
    let mut columns = vec![0.0; signs.len()];
    for (row, sign) in contrast.iter().zip(signs) {
        for (column, m) in columns.iter_mut().zip(row) {
            *column += sign * m;
        }
    }
    let sum: f64 = columns.iter().zip(signs).map(|(column, sign)| column * sign).sum();
    // Not `-sum`: equal samples are 0 apart, not -0.
    0.0 - sum / (signs.len() * signs.len()) as f64
}

#[cfg(test)]
mod tests;
