//! Rows of a batch as tensors.

use crate::ContrastBatch;
use crate::losses::{self, ContrastLogits};
use crate::params::Layout;
use tch::{Device, Tensor};

/// Who is compared with whom, as tensors.
pub(super) struct Indices {
    pub(super) positives: Tensor,        // [B, P] i64
    pub(super) positive_weights: Tensor, // [B, P]
    pub(super) negatives: Tensor,        // [B, K] i64
    pub(super) negative_weights: Tensor, // [B, K]
}

impl Indices {
    pub(super) fn new(batch: &ContrastBatch, device: Device) -> Self {
        let shape = [batch.len() as i64, -1];
        let rows = |v: &[i64]| Tensor::from_slice(v).to_device(device).view(shape);
        let weights = |v: &[f32]| Tensor::from_slice(v).to_device(device).view(shape);
        Self {
            positives: rows(&batch.positives),
            positive_weights: weights(&batch.positive_weights),
            negatives: rows(&batch.negatives),
            negative_weights: weights(&batch.negative_weights),
        }
    }
}

/// Cosines of anchors with their positives and negatives.
pub(super) struct Cosines {
    pub(super) positive: Tensor, // [B, P]
    negative: Tensor,            // [B, K]
}

impl Cosines {
    /// anchors: `[B, D]` · keys: `[N, D]`.
    pub(super) fn of(anchors: &Tensor, keys: &Tensor, indices: &Indices) -> Self {
        let all = losses::unit(anchors).matmul(&losses::unit(keys).transpose(0, 1)); // [B, N]
        Self {
            positive: all.gather(1, &indices.positives, false),
            negative: all.gather(1, &indices.negatives, false),
        }
    }

    pub(super) fn logits<'a>(&'a self, indices: &'a Indices) -> ContrastLogits<'a> {
        ContrastLogits {
            positive: &self.positive,
            positive_weight: &indices.positive_weights,
            negative: &self.negative,
            negative_weight: &indices.negative_weights,
        }
    }
}

/// Elements of encoder and shared layers, which a layout has first.
pub(super) fn shared_len(layout: &Layout) -> i64 {
    let own = layout.entries().iter().take_while(|entry| {
        ["encoder/", "shared/"].iter().any(|part| entry.name.starts_with(part))
    });
    own.map(|entry| entry.len as i64).sum()
}
