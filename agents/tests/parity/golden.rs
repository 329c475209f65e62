//! Inputs that both languages compute, and the stored values to compare with.

use contrail_agents::params::{Entry, Layout};
use serde_json::Value;
use tch::{Kind, Tensor};

/// `rows` of 32 pseudo-random bits: a fixed integer hash of seed and index.
pub(crate) fn bits(seed: u32, count: usize) -> Vec<u32> {
    let hash = |i: usize| {
        let mut x = (i as u32).wrapping_add(seed.wrapping_mul(0x9E37_79B9));
        for (shift, factor) in [(16, 0x7FEB_352D), (15, 0x846C_A68B)] {
            x = (x ^ (x >> shift)).wrapping_mul(factor);
        }
        x ^ (x >> 16)
    };
    (0..count).map(hash).collect()
}

/// Uniform numbers in [-scale, scale), the same bits as `numbers` of make_golden.py.
pub(crate) fn numbers(seed: u32, count: usize, scale: f32) -> Vec<f32> {
    bits(seed, count).into_iter().map(|x| scale * ((x >> 8) as f32 / 8_388_608.0 - 1.0)).collect()
}

/// [`numbers`] as a tensor.
pub(crate) fn tensor(seed: u32, shape: &[i64], scale: f32) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    Tensor::from_slice(&numbers(seed, count, scale)).view(shape)
}

/// Bytes 0 to `levels` - 1, as `image` of make_golden.py.
pub(crate) fn image(seed: u32, count: usize, levels: u32) -> Vec<u8> {
    bits(seed, count).into_iter().map(|x| (x % levels) as u8).collect()
}

/// Values of the parameter `name`: the rule of `fill` in make_golden.py.
pub(crate) fn weights(seed: u32, name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    if name.ends_with("norm/scale") {
        return numbers(seed, count, 0.5).into_iter().map(|x| x + 1.0).collect();
    }
    let fan_in: usize = shape[1..].iter().product();
    let scale = if shape.len() > 1 { 1.5 / (fan_in as f32).sqrt() } else { 0.1 };
    numbers(seed, count, scale)
}

/// [`weights`] of all parameters of a layout, in order.
pub(crate) fn layout_weights(seed: u32, layout: &Layout) -> Vec<f32> {
    let one = |(i, e): (usize, &Entry)| {
        let shape: Vec<usize> = e.shape.iter().map(|&d| d as usize).collect();
        weights(seed + i as u32, &e.name, &shape)
    };
    layout.entries().iter().enumerate().flat_map(one).collect()
}

/// One file of stored values.
pub(crate) struct Golden(Value);

impl Golden {
    /// Parses the text of a file that make_golden.py wrote.
    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// Shape and values of one array.
    pub(crate) fn array(&self, name: &str) -> (Vec<i64>, Vec<f64>) {
        let entry = &self.0[name];
        let shape: Vec<i64> = serde_json::from_value(entry["shape"].clone())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        (shape, serde_json::from_value(entry["values"].clone()).unwrap())
    }

    /// Values of one array as f32.
    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        self.array(name).1.into_iter().map(|v| v as f32).collect()
    }

    /// Asserts that `tensor` has the shape of array `name` and its values.
    #[track_caller]
    pub(crate) fn check(&self, name: &str, tensor: &Tensor, tolerance: f64) {
        assert_eq!(tensor.size(), self.array(name).0, "shape of {name}");
        self.check_slice(name, &floats(tensor), tolerance);
    }

    /// Asserts values only, flattened. See [`check_close`] for the tolerance.
    #[track_caller]
    pub(crate) fn check_slice(&self, name: &str, values: &[f32], tolerance: f64) {
        let have: Vec<f64> = values.iter().map(|&v| v.into()).collect();
        check_close(name, &have, &self.array(name).1, tolerance);
    }
}

/// Asserts a relative error of at most `tolerance` for all elements. Elements smaller than 1 and
/// than the array's largest are measured by the smaller of those two.
#[track_caller]
fn check_close(name: &str, have: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(have.len(), want.len(), "length of {name}");
    assert!(!want.is_empty(), "{name} is empty");
    let largest = want.iter().fold(0.0f64, |max, w| max.max(w.abs()));
    let error = |i: &usize| (have[*i] - want[*i]).abs() / want[*i].abs().max(largest.min(1.0));
    let worst = (0..want.len()).max_by(|a, b| error(a).total_cmp(&error(b))).unwrap();
    let (h, w, e) = (have[worst], want[worst], error(&worst));
    if std::env::var_os("GOLDEN_ERRORS").is_some() {
        eprintln!(
            "{name}: worst error {e:.1e} of {} values, tolerance {tolerance:.0e}",
            want.len()
        );
    }
    assert!(
        e <= tolerance,
        "{name}[{worst}] is {h}, PyTorch gives {w}: error {e:.2e}, allowed {tolerance:.0e}"
    );
}

/// All values, row-major.
pub(crate) fn floats(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.detach().to_kind(Kind::Float).contiguous().view([-1])).unwrap()
}
