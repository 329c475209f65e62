//! Losses and targets as pure functions: tensors in, per-sample losses out.

mod contrast;
mod distributional;
mod sac;
mod value;

pub use contrast::{
    ContrastLogits, Debias, alignment, contrast_accuracy, contrastive, cosine, debiased,
    distillation_kl, information_bound, squared_error, uniformity, unit,
};
pub use distributional::{categorical_cross_entropy, project_categorical, quantile_huber};
pub use sac::{entropy_coefficient_gradient, gaussian_tanh_log_prob, soft_td_target};
pub use value::{huber, td_target};

use tch::Tensor;

/// Asserts a shape with both values in the message; a mismatch is a bug.
#[track_caller]
fn assert_shape(name: &str, tensor: &Tensor, expected: &[i64]) {
    let size = tensor.size();
    assert!(size == expected, "{name} has shape {size:?}, expected {expected:?}");
}
