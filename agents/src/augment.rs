//! Varied views of an observation.

use crate::nn::normal;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// How a learner varies the observations that it learns from; who acts sees them as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Augmentation {
    /// Not at all.
    #[default]
    None,
    /// Each image through a random 3x3 convolution of its own, one in ten left as it is.
    RandomConv,
}

/// Share of images that a random convolution leaves alone (Lee et al. 2020, section 3.1).
const CLEAN_SHARE: f64 = 0.1;

impl Augmentation {
    /// x: `[B, obs...]` -> the same shape. Observations that are not images pass as they are.
    pub fn apply(self, x: &Tensor, rng: &mut dyn Rng) -> Tensor {
        match (self, x.size().as_slice()) {
            (Self::RandomConv, &[_, _, _, _]) => random_conv(x, rng),
            _ => x.shallow_clone(),
        }
    }
}

/// Each image through a random 3x3 convolution from its channels to as many, weights normal with
/// the deviation sqrt(2 / (9 C)).
///
/// # Shapes
/// x: `[B, C, H, W]` -> `[B, C, H, W]`.
///
/// # Source
/// Lee et al. 2020 (arXiv 1910.05396), section 3.1.
///
/// # Differs
/// A kernel for each image, where the paper draws one for a minibatch.
fn random_conv(x: &Tensor, rng: &mut dyn Rng) -> Tensor {
    let (batch, channels, height, width) = match x.size()[..] {
        [b, c, h, w] => (b, c, h, w),
        _ => unreachable!("an image batch has four dimensions"),
    };
    let deviation = (2.0 / (9.0 * channels as f64)).sqrt();
    let weight = normal(rng, batch * channels * channels * 9, x.device()) * deviation;
    let weight = weight.view([batch * channels, channels, 3, 3]);
    // One group an image, so that one call filters all of them.
    let flat = x.view([1, batch * channels, height, width]);
    let varied = flat.conv2d::<Tensor>(&weight, None, [1, 1], [1, 1], [1, 1], batch).view_as(x);
    let clean: Vec<f32> =
        (0..batch).map(|_| f32::from(u8::from(rng.random::<f64>() < CLEAN_SHARE))).collect();
    let clean = Tensor::from_slice(&clean).to_device(x.device()).view([-1, 1, 1, 1]);
    x * &clean + varied * (1.0 - &clean)
}
