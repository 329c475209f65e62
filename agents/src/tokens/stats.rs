//! How much of their space codes and embeddings use.

use crate::scalar;
use tch::{Device, Kind, Tensor};

/// Share of a layer's mean activation at or below which a unit is dormant: the value that Sokar et
/// al. 2023 use for their method.
pub const DORMANT_THRESHOLD: f64 = 0.025;

/// What a set of codes uses of the code space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenStats {
    /// Share of the G·L levels of all groups that occur, 0 to 1.
    pub usage: f64,
    /// Number of distinct codes.
    pub codes: usize,
    /// exp of the entropy of whole codes, 1 to `codes`.
    pub perplexity: f64,
    /// exp of the entropy of a group's levels, mean over groups, 1 to L.
    pub group_perplexity: f64,
    /// Share of groups that always give one level, 0 to 1.
    pub dormant: f64,
}

impl TokenStats {
    /// Statistics of `codes`, `[N, groups]` row-major, each level below `levels`; none without a
    /// code.
    ///
    /// # Panics
    /// If `codes` is not a whole number of codes, or a level is not below `levels`: a bug.
    #[must_use]
    pub fn of(codes: &[u8], groups: usize, levels: usize) -> Option<Self> {
        assert!(groups > 0, "a code has at least one group");
        assert!(
            codes.len().is_multiple_of(groups),
            "{} bytes are not a whole number of codes of {groups} groups",
            codes.len()
        );
        if codes.is_empty() {
            return None;
        }
        let mut counts = vec![0u64; groups * levels]; // [G, L]
        for code in codes.chunks_exact(groups) {
            for (group, &level) in code.iter().enumerate() {
                let level = usize::from(level);
                assert!(level < levels, "group {group} has level {level} of {levels}");
                counts[group * levels + level] += 1;
            }
        }
        let used = |row: &[u64]| row.iter().filter(|&&count| count > 0).count();
        let rows = || counts.chunks_exact(levels);
        let whole = occurrences(codes, groups);
        Some(Self {
            usage: used(&counts) as f64 / counts.len() as f64,
            codes: whole.len(),
            perplexity: perplexity(&whole),
            group_perplexity: rows().map(perplexity).sum::<f64>() / groups as f64,
            dormant: rows().filter(|row| used(row) == 1).count() as f64 / groups as f64,
        })
    }
}

/// How often each distinct code occurs.
fn occurrences(codes: &[u8], groups: usize) -> Vec<u64> {
    let mut codes: Vec<&[u8]> = codes.chunks_exact(groups).collect();
    codes.sort_unstable();
    codes.chunk_by(|a, b| a == b).map(|same| same.len() as u64).collect()
}

/// exp of the entropy of the distribution with these counts.
fn perplexity(counts: &[u64]) -> f64 {
    exp_entropy(counts.iter().map(|&count| count as f64))
}

/// exp(−Σ pᵢ log pᵢ), pᵢ = xᵢ / Σ x, with 0 log 0 = 0; 0 if all x are 0.
fn exp_entropy(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let total: f64 = values.clone().sum();
    if total == 0.0 {
        return 0.0;
    }
    let term = |x: f64| if x == 0.0 { 0.0 } else { -(x / total) * (x / total).ln() };
    values.map(term).sum::<f64>().exp()
}

/// Effective rank of embeddings: exp of the entropy of their singular values, normalised to sum 1.
///
/// # Shapes
/// h: `[N, D]`, not centred · returns 1 to min(N, D); 0 if all elements are 0; NaN if one is not
/// finite.
///
/// # Source
/// Roy and Vetterli 2007, definition 1.
///
/// # Differs
/// None. Computed in f64 on the CPU, at a cost of N·D·min(N, D): for measurements, not updates.
#[must_use]
pub fn effective_rank(h: &Tensor) -> f64 {
    let h = h.detach().to_device(Device::Cpu).to_kind(Kind::Double);
    // libtorch refuses such a matrix with an exception.
    if !scalar::double(&h.abs().max().to_kind(Kind::Float)).is_finite() {
        return f64::NAN;
    }
    let (_, values, _) = h.svd(true, false); // [min(N, D)]
    exp_entropy(scalar::floats(&values).into_iter().map(f64::from))
}

/// Which units are dormant: E|hᵢ| ≤ threshold · meanₖ E|hₖ|.
///
/// # Shapes
/// h: `[N, D]` activations of a layer, after its ReLU · returns `[D]` bool. In a layer of zeros
/// all units are dormant.
///
/// # Source
/// Sokar et al. 2023 (arXiv 2302.12902), definition 3.1 and equation 1.
///
/// # Differs
/// None.
pub fn dormant_mask(h: &Tensor, threshold: f64) -> Tensor {
    let size = h.abs().mean_dim([0i64].as_slice(), false, Kind::Float); // [D]
    size.le_tensor(&(size.mean(Kind::Float) * threshold))
}

/// Share of dormant units, 0 to 1; see [`dormant_mask`] and [`DORMANT_THRESHOLD`].
#[must_use]
pub fn dormant_units(h: &Tensor, threshold: f64) -> f64 {
    scalar::double(&dormant_mask(&h.detach(), threshold).to_kind(Kind::Float).mean(Kind::Float))
}
