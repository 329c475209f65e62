//! Varied views of an observation.

use crate::nn::normal;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// How a learner varies the observations that it learns from; who acts sees them as they are.
/// Written as text: `none`, `random_conv`, `random_shift`, `random_shift_8`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Augmentation {
    /// Not at all.
    #[default]
    None,
    /// Each image through a random 3x3 convolution of its own, one in ten left as it is.
    RandomConv,
    /// Each image moved by up to a twentieth of its height and of its width, at least a pixel.
    RandomShift,
    /// Each image moved by up to so many pixels, down or up and to a side.
    RandomShiftPixels(u8),
}

impl From<Augmentation> for String {
    fn from(augmentation: Augmentation) -> Self {
        match augmentation {
            Augmentation::None => "none".into(),
            Augmentation::RandomConv => "random_conv".into(),
            Augmentation::RandomShift => "random_shift".into(),
            Augmentation::RandomShiftPixels(most) => format!("random_shift_{most}"),
        }
    }
}

impl TryFrom<String> for Augmentation {
    /// What is allowed.
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let pixels = |text: &str| text.strip_prefix("random_shift_")?.parse().ok();
        match text.as_str() {
            "none" => Ok(Self::None),
            "random_conv" => Ok(Self::RandomConv),
            "random_shift" => Ok(Self::RandomShift),
            other => pixels(other).map(Self::RandomShiftPixels).ok_or_else(|| {
                "\"none\", \"random_conv\", \"random_shift\" or \"random_shift_<pixels>\" with 0 to \
                 255 pixels"
                    .to_owned()
            }),
        }
    }
}

/// Share of images that a random convolution leaves alone (Lee et al. 2020, section 3.1).
const CLEAN_SHARE: f64 = 0.1;

impl Augmentation {
    /// x: `[B, obs...]` -> the same shape. Observations that are not images pass as they are.
    pub fn apply(self, x: &Tensor, rng: &mut dyn Rng) -> Tensor {
        match (self, x.size().as_slice()) {
            (Self::RandomConv, &[_, _, _, _]) => random_conv(x, rng),
            (Self::RandomShift, &[_, _, h, w]) => random_shift(x, (pad_of(h), pad_of(w)), rng),
            (Self::RandomShiftPixels(most), &[_, _, _, _]) => {
                random_shift(x, (i64::from(most), i64::from(most)), rng)
            }
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
/// A kernel for each image, where the paper draws one for a minibatch; and its deviation keeps the
/// second moment of what follows a rectifier (He et al. 2015), √2 times that of Glorot and Bengio
/// 2010, which the paper uses.
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

/// Most pixels that [`Augmentation::RandomShift`] moves an image along an axis of `size`.
fn pad_of(size: i64) -> i64 {
    (size / 20).max(1)
}

/// Each image padded by repeating its edge and cropped to its size at a random place, every offset
/// alike: so many pixels above and below, and so many to the left and to the right.
///
/// # Shapes
/// x: `[B, C, H, W]` -> `[B, C, H, W]`.
///
/// # Source
/// Yarats et al. 2021, `DrQ` (arXiv 2004.13649), section 3.1: 4 pixels for images of 84.
///
/// # Differs
/// The paddings follow the size of the image, if they are not given.
fn random_shift(x: &Tensor, (most_down, most_right): (i64, i64), rng: &mut dyn Rng) -> Tensor {
    let (batch, channels, height, width) = match x.size()[..] {
        [b, c, h, w] => (b, c, h, w),
        _ => unreachable!("an image batch has four dimensions"),
    };
    let mut source = Vec::with_capacity((batch * height * width) as usize);
    for _ in 0..batch {
        let down = rng.random_range(-most_down..=most_down);
        let right = rng.random_range(-most_right..=most_right);
        for row in 0..height {
            let row = (row + down).clamp(0, height - 1);
            source.extend((0..width).map(|c| row * width + (c + right).clamp(0, width - 1)));
        }
    }
    let source = Tensor::from_slice(&source).to_device(x.device());
    let source = source.view([batch, 1, height * width]).expand([-1, channels, -1], false);
    x.reshape([batch, channels, height * width]).gather(2, &source, false).view_as(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::floats;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use tch::Kind;

    fn rng(seed: u64) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(seed)
    }

    /// `count` images of `channels` 5x5 channels; of the first the middle is 1, all else is 0.
    fn points(count: i64, channels: i64) -> Tensor {
        let x = Tensor::zeros([count, channels, 5, 5], tch::kind::FLOAT_CPU);
        let _ = x.select(1, 0).select(1, 2).select(1, 2).fill_(1.0);
        x
    }

    #[test]
    fn shapes_stay_and_what_is_no_image_passes_as_it_is() {
        for shape in [vec![3, 2, 5, 7], vec![1, 1, 1, 1], vec![2, 3, 4, 4]] {
            let x = normal(&mut rng(1), shape.iter().product(), tch::Device::Cpu);
            let x = x.view(shape.as_slice());
            let varied = Augmentation::RandomConv.apply(&x, &mut rng(2));
            assert_eq!(varied.size(), shape);
            assert_ne!(floats(&varied), floats(&x));
            assert_eq!(floats(&Augmentation::None.apply(&x, &mut rng(2))), floats(&x));
        }
        let vectors = normal(&mut rng(1), 12, tch::Device::Cpu).view([3, 4]);
        let passed = Augmentation::RandomConv.apply(&vectors, &mut rng(2));
        assert_eq!(floats(&passed), floats(&vectors));
    }

    #[test]
    fn equal_generators_give_equal_images() {
        let x = points(4, 2);
        let [a, b, c] = [7, 7, 8].map(|seed| floats(&random_conv(&x, &mut rng(seed))));
        assert!(a == b && a != c);
    }

    /// The image of a point is the kernel: nine numbers a channel around the middle.
    #[test]
    fn each_image_has_a_kernel_of_its_own_of_the_paper_s_size() {
        let (count, channels) = (500, 2);
        let varied = random_conv(&points(count, channels), &mut rng(3)); // [B, C, 5, 5]
        let kernels = varied.narrow(2, 1, 3).narrow(3, 1, 3); // [B, C, 3, 3]
        let (all, near) = (varied.square().sum(Kind::Float), kernels.square().sum(Kind::Float));
        assert!((scalar(&all) - scalar(&near)).abs() < 1e-3, "nothing reaches further");
        let kernels = floats(&kernels.contiguous());
        let kernels: Vec<&[f32]> = kernels.chunks(18).collect();
        let is_clean = |kernel: &[f32]| kernel.iter().filter(|w| **w != 0.0).count() == 1;
        let own: Vec<&[f32]> = kernels.iter().copied().filter(|k| !is_clean(k)).collect();
        assert!(own.windows(2).all(|pair| pair[0] != pair[1]));
        // The variance of a weight is 2 / (9 · 2) = 1/9; of 8000 of them it is known to 2 %.
        let squares: f32 = own.iter().copied().flatten().map(|w| w * w).sum();
        let variance = squares / (18 * own.len()) as f32;
        assert!((variance * 9.0 - 1.0).abs() < 0.08, "{variance}");
        // One in ten is left as it is: 50 of 500, with a deviation of 6.7.
        let clean = kernels.len() - own.len();
        assert!((25..=75).contains(&clean), "{clean} images are left alone");
    }

    #[test]
    fn images_do_not_mix_but_channels_do() {
        // Only image 1 has a point.
        let x = points(3, 2);
        let _ = x.get(0).zero_();
        let _ = x.get(2).zero_();
        let (varied, seed) = (0..)
            .map(|seed| (random_conv(&x, &mut rng(seed)), seed))
            .find(|(varied, _)| scalar(&varied.get(1).get(1).abs().sum(Kind::Float)) > 0.0)
            .unwrap();
        assert!(seed < 10, "the second channel reads the first");
        for image in [0, 2] {
            assert_eq!(scalar(&varied.get(image).abs().sum(Kind::Float)), 0.0);
        }
    }

    /// 2 channels of 3x4 pixels numbered in order, of each image the same.
    #[test]
    fn a_shifted_image_is_a_crop_of_one_whose_edge_is_repeated() {
        let count = 900;
        let image = Tensor::arange(24, tch::kind::FLOAT_CPU).view([1, 2, 3, 4]);
        let x = image.expand([count, -1, -1, -1], false);
        let padded = floats(&image.replication_pad2d([1, 1, 1, 1])); // [1, 2, 5, 6]
        let crop = |down: usize, right: usize| -> Vec<f32> {
            let at = |c: usize, h: usize, w: usize| padded[(c * 5 + h + down) * 6 + w + right];
            let all = (0..24).map(|i| (i / 12, i / 4 % 3, i % 4));
            all.map(|(c, h, w)| at(c, h, w)).collect()
        };
        let shifted = floats(&random_shift(&x, (1, 1), &mut rng(4)));
        let crops: Vec<Vec<f32>> = (0..9).map(|i| crop(i / 3, i % 3)).collect();
        let mut counts = [0; 9];
        for image in shifted.chunks(24) {
            counts[crops.iter().position(|crop| crop == image).unwrap()] += 1;
        }
        // Each of nine offsets: 100 of 900, with a deviation of 9.4.
        assert!(counts.iter().all(|n| (65..=135).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_shift_is_at_most_a_twentieth_of_the_size_and_at_least_a_pixel() {
        for (size, most) in [(1, 0), (10, 1), (39, 1), (40, 2), (84, 4)] {
            // A column number in every pixel.
            let x = Tensor::arange(size, tch::kind::FLOAT_CPU).expand([200, 1, 3, size], false);
            let moved = Augmentation::RandomShift.apply(&x, &mut rng(6)) - &x;
            assert_eq!(scalar(&moved.max()), most as f64, "{size}");
            assert_eq!(scalar(&moved.min()), -most as f64, "{size}");
        }
    }

    #[test]
    fn a_shift_in_pixels_is_of_up_to_so_many() {
        let x = Tensor::arange(30, tch::kind::FLOAT_CPU).expand([400, 1, 3, 30], false);
        for most in [0, 1, 8] {
            let moved = Augmentation::RandomShiftPixels(most).apply(&x, &mut rng(6)) - &x;
            assert_eq!(scalar(&moved.max()), f64::from(most));
            assert_eq!(scalar(&moved.min()), -f64::from(most));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let all = [
            (Augmentation::None, "none"),
            (Augmentation::RandomConv, "random_conv"),
            (Augmentation::RandomShift, "random_shift"),
            (Augmentation::RandomShiftPixels(8), "random_shift_8"),
        ];
        for (augmentation, text) in all {
            assert_eq!(String::from(augmentation), text);
            assert_eq!(Augmentation::try_from(text.to_owned()), Ok(augmentation));
        }
        for wrong in ["random_shift_", "random_shift_256", "random_shift_-1", "shift"] {
            let allowed = Augmentation::try_from(wrong.to_owned()).unwrap_err();
            assert!(allowed.starts_with("\"none\", \"random_conv\", "), "{allowed}");
        }
    }

    #[test]
    fn only_images_are_shifted_and_equal_generators_shift_alike() {
        let x = points(6, 2);
        let [a, b, c] =
            [7, 7, 8].map(|seed| floats(&Augmentation::RandomShift.apply(&x, &mut rng(seed))));
        assert!(a == b && a != c);
        let vectors = normal(&mut rng(1), 12, tch::Device::Cpu).view([3, 4]);
        let passed = Augmentation::RandomShift.apply(&vectors, &mut rng(2));
        assert_eq!(floats(&passed), floats(&vectors));
    }

    fn scalar(t: &Tensor) -> f64 {
        crate::scalar::double(t)
    }
}
