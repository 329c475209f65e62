//! Layers and torsos: structure only, values come as [`Params`].

use crate::config::{NetworkConfig, Torso};
use crate::minibatch::ObsBatch;
use crate::params::{Init, Layout, ParamId, Params};
use crate::spec::ObsSpec;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Kind, Tensor};

/// Where the noise of noisy layers comes from.
pub enum Noise<'a> {
    /// None: the mean weights.
    Off,
    /// Fresh noise for every layer from this generator.
    Fresh(&'a mut dyn Rng),
}

/// Observations as a float tensor `[B, obs...]` on `device`, divided by the spec's scale.
pub fn obs_tensor(obs: &ObsBatch, spec: &ObsSpec, device: Device) -> Tensor {
    let flat = match obs {
        ObsBatch::F32(v) => Tensor::from_slice(v),
        ObsBatch::U8(v) => Tensor::from_slice(v),
    };
    let shape: Vec<i64> = std::iter::once(-1).chain(spec.shape.iter().copied()).collect();
    // Bytes cross to the device as bytes: a quarter of the traffic.
    let tensor = flat.view(shape.as_slice()).to_device(device).to_kind(Kind::Float);
    if spec.scale == 1.0 { tensor } else { tensor / spec.scale }
}

/// A row of standard normal numbers on `device`, `[len]`.
pub fn normal(rng: &mut dyn Rng, len: i64, device: Device) -> Tensor {
    let values: Vec<f32> = (0..len).map(|_| StandardNormal.sample(rng)).collect();
    Tensor::from_slice(&values).to_device(device)
}

/// A fully connected layer: y = W x + b.
#[derive(Clone, Debug)]
struct Linear {
    weight: ParamId, // [out, in]
    bias: ParamId,   // [out]
    sigma: Option<Sigma>,
    inputs: i64,
    outputs: i64,
}

/// Learned noise on a [`Linear`] layer: W = μ + σ ∘ (f(ε_out) f(ε_in)ᵀ), f(x) = sgn(x) √|x|.
///
/// # Source
/// Fortunato et al. 2018 (arXiv 1706.10295), equations 10 and 11, factorised.
#[derive(Clone, Debug)]
struct Sigma {
    weight: ParamId,
    bias: ParamId,
}

/// σ₀ of the factorised initialisation in Fortunato et al. 2018, section 3.2.
const SIGMA_0: f32 = 0.5;

impl Linear {
    fn new(layout: &mut Layout, name: &str, (inputs, outputs): (i64, i64), noisy: bool) -> Self {
        let mut add =
            |part: &str, shape: &[i64], init| layout.add(&format!("{name}/{part}"), shape, init);
        let weight = add("weight", &[outputs, inputs], Init::FanIn(inputs));
        let bias = add("bias", &[outputs], Init::FanIn(inputs));
        let sigma = noisy.then(|| {
            let start = Init::Constant(SIGMA_0 / (inputs as f32).sqrt());
            Sigma {
                weight: add("sigma_weight", &[outputs, inputs], start),
                bias: add("sigma_bias", &[outputs], start),
            }
        });
        Self { weight, bias, sigma, inputs, outputs }
    }

    /// x: [B, in] -> [B, out].
    fn forward(&self, params: &Params, x: &Tensor, noise: &mut Noise<'_>) -> Tensor {
        let mean = x.linear(params.get(self.weight), Some(params.get(self.bias)));
        let (Some(sigma), Noise::Fresh(rng)) = (&self.sigma, noise) else { return mean };
        let mut scaled = |len| {
            let e = normal(*rng, len, params.device());
            e.sign() * e.abs().sqrt() // [len]
        };
        let (e_in, e_out) = (scaled(self.inputs), scaled(self.outputs));
        // (σ ∘ (e_out e_inᵀ)) x = e_out ∘ (σ (e_in ∘ x)): the noisy matrix is never formed.
        let noisy = (x * e_in).linear(params.get(sigma.weight), Some(params.get(sigma.bias)));
        mean + noisy * e_out
    }
}

/// Normalisation of each row to mean 0 and variance 1, then a learned scale and shift
/// (Ba et al. 2016).
#[derive(Clone, Debug)]
struct LayerNorm {
    scale: ParamId,
    shift: ParamId,
    len: i64,
}

impl LayerNorm {
    fn new(layout: &mut Layout, name: &str, len: i64) -> Self {
        let scale = layout.add(&format!("{name}/scale"), &[len], Init::Constant(1.0));
        let shift = layout.add(&format!("{name}/shift"), &[len], Init::Constant(0.0));
        Self { scale, shift, len }
    }

    fn forward(&self, params: &Params, x: &Tensor) -> Tensor {
        x.layer_norm(
            [self.len],
            Some(params.get(self.scale)),
            Some(params.get(self.shift)),
            1e-5,
            false,
        )
    }
}

/// Fully connected layers with ReLU after each (`activate_last` decides on the last).
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<(Linear, Option<LayerNorm>)>,
    activate_last: bool,
}

/// Switches of an [`Mlp`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MlpOptions {
    /// Noisy layers.
    pub noisy: bool,
    /// Layer normalization before each ReLU.
    pub layer_norm: bool,
    /// ReLU (and normalization) after the last layer too.
    pub activate_last: bool,
}

impl Mlp {
    /// Layers of `units[0] -> units[1] -> ...`; one unit count alone is the identity.
    pub fn new(layout: &mut Layout, name: &str, units: &[i64], options: MlpOptions) -> Self {
        let count = units.len() - 1;
        let layer = |(i, pair): (usize, &[i64])| {
            let linear =
                Linear::new(layout, &format!("{name}/{i}"), (pair[0], pair[1]), options.noisy);
            let normed = options.layer_norm && (options.activate_last || i + 1 < count);
            let norm = normed.then(|| LayerNorm::new(layout, &format!("{name}/{i}/norm"), pair[1]));
            (linear, norm)
        };
        let layers = units.windows(2).enumerate().map(layer).collect();
        Self { layers, activate_last: options.activate_last }
    }

    /// x: `[B, units[0]]` -> `[B, units.last()]`.
    pub fn forward(&self, params: &Params, x: &Tensor, noise: &mut Noise<'_>) -> Tensor {
        let mut x = x.shallow_clone();
        for (i, (linear, norm)) in self.layers.iter().enumerate() {
            x = linear.forward(params, &x, noise);
            if self.activate_last || i + 1 < self.layers.len() {
                if let Some(norm) = norm {
                    x = norm.forward(params, &x);
                }
                x = x.relu();
            }
        }
        x
    }
}

/// A square convolution.
#[derive(Clone, Debug)]
struct Conv {
    weight: ParamId, // [out, in, k, k]
    bias: ParamId,   // [out]
    stride: i64,
    padding: i64,
}

#[derive(Clone, Copy)]
struct ConvShape {
    channels: (i64, i64),
    kernel: i64,
    stride: i64,
    padding: i64,
}

impl Conv {
    fn new(layout: &mut Layout, name: &str, shape: ConvShape) -> Self {
        let ConvShape { channels: (inputs, outputs), kernel, stride, padding } = shape;
        let init = Init::FanIn(inputs * kernel * kernel);
        let weight =
            layout.add(&format!("{name}/weight"), &[outputs, inputs, kernel, kernel], init);
        let bias = layout.add(&format!("{name}/bias"), &[outputs], init);
        Self { weight, bias, stride, padding }
    }

    /// x: [B, in, H, W] -> [B, out, H', W'].
    fn forward(&self, params: &Params, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        x.conv2d(params.get(self.weight), Some(params.get(self.bias)), stride, padding, [1, 1], 1)
    }
}

/// One stage of the IMPALA torso: convolution, max pooling, two residual blocks.
#[derive(Clone, Debug)]
struct ImpalaStage {
    entry: Conv,
    blocks: [[Conv; 2]; 2],
}

impl ImpalaStage {
    fn new(layout: &mut Layout, name: &str, channels: (i64, i64)) -> Self {
        let mut conv = |part: &str, channels| {
            Conv::new(
                layout,
                &format!("{name}/{part}"),
                ConvShape { channels, kernel: 3, stride: 1, padding: 1 },
            )
        };
        let inner = (channels.1, channels.1);
        let entry = conv("entry", channels);
        let blocks = [
            [conv("block0/0", inner), conv("block0/1", inner)],
            [conv("block1/0", inner), conv("block1/1", inner)],
        ];
        Self { entry, blocks }
    }

    fn forward(&self, params: &Params, x: &Tensor) -> Tensor {
        let mut x = self.entry.forward(params, x).max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false);
        for [first, second] in &self.blocks {
            let inner = first.forward(params, &x.relu());
            x = &x + second.forward(params, &inner.relu());
        }
        x
    }
}

/// The part of a network that turns an observation into features `[B, features]`.
#[derive(Clone, Debug)]
pub struct Encoder {
    layers: EncoderLayers,
    features: i64,
}

#[derive(Clone, Debug)]
enum EncoderLayers {
    Flatten,
    Convs(Vec<Conv>),
    Impala(Vec<ImpalaStage>),
}

impl Encoder {
    /// The torso of `config` for observations of `spec`.
    ///
    /// # Panics
    /// If a convolutional torso is given observations that are not `[C, H, W]`; the configuration
    /// is checked before.
    pub fn new(layout: &mut Layout, name: &str, config: &NetworkConfig, spec: &ObsSpec) -> Self {
        if config.torso == Torso::Mlp {
            return Self { layers: EncoderLayers::Flatten, features: spec.len() };
        }
        let &[channels, height, width] = spec.shape.as_slice() else {
            panic!("torso {:?} needs [C, H, W] observations, got {:?}", config.torso, spec.shape)
        };
        let mut conv = |i: usize, channels, kernel, stride, padding| {
            Conv::new(
                layout,
                &format!("{name}/conv{i}"),
                ConvShape { channels, kernel, stride, padding },
            )
        };
        let layers = match config.torso {
            Torso::Minatar => EncoderLayers::Convs(vec![conv(0, (channels, 16), 3, 1, 0)]),
            Torso::Nature => EncoderLayers::Convs(vec![
                conv(0, (channels, 32), 8, 4, 0),
                conv(1, (32, 64), 4, 2, 0),
                conv(2, (64, 64), 3, 1, 0),
            ]),
            Torso::Impala | Torso::Mlp => {
                let widths = [(channels, 16), (16, 32), (32, 32)];
                let stage = |(i, &c): (usize, &(i64, i64))| {
                    ImpalaStage::new(layout, &format!("{name}/stage{i}"), c)
                };
                EncoderLayers::Impala(widths.iter().enumerate().map(stage).collect())
            }
        };
        let features = features(&layers, layout, (height, width));
        Self { layers, features }
    }

    /// Length of the features.
    #[must_use]
    pub fn features(&self) -> i64 {
        self.features
    }

    /// x: `[B, obs...]` -> `[B, features]`.
    pub fn forward(&self, params: &Params, x: &Tensor) -> Tensor {
        match &self.layers {
            EncoderLayers::Flatten => x.flatten(1, -1),
            EncoderLayers::Convs(convs) => convs
                .iter()
                .fold(x.shallow_clone(), |x, c| c.forward(params, &x).relu())
                .flatten(1, -1),
            EncoderLayers::Impala(stages) => stages
                .iter()
                .fold(x.shallow_clone(), |x, s| s.forward(params, &x))
                .relu()
                .flatten(1, -1),
        }
    }
}

/// Elements that leave the convolutions for an image of `(height, width)`.
fn features(layers: &EncoderLayers, layout: &Layout, (mut height, mut width): (i64, i64)) -> i64 {
    let shape_of = |id: ParamId| layout.shape(id);
    match layers {
        EncoderLayers::Flatten => height * width,
        EncoderLayers::Convs(convs) => {
            let mut outputs = 0;
            for conv in convs {
                let shape = shape_of(conv.weight);
                let size = |side: i64| (side + 2 * conv.padding - shape[2]) / conv.stride + 1;
                (height, width, outputs) = (size(height), size(width), shape[0]);
            }
            outputs * height * width
        }
        EncoderLayers::Impala(stages) => {
            let halved = |side: i64| stages.iter().fold(side, |side, _| (side - 1) / 2 + 1);
            let outputs = stages.last().map_or(0, |s| shape_of(s.entry.weight)[0]);
            outputs * halved(height) * halved(width)
        }
    }
}
