//! Forward passes against `torch.nn` modules with the same weights: `make_networks` of
//! make_golden.py. f32; tolerance 2e-6, because the order of
//! summation in a convolution is the library's choice.

use crate::generator;
use crate::golden::{Golden, floats, image, layout_weights, tensor};
use contrail_agents::nn::{Encoder, Mlp, MlpOptions, Noise, normal, obs_tensor};
use contrail_agents::params::{Layout, Params};
use contrail_agents::{NetworkConfig, ObsBatch, ObsSpec, Torso};
use tch::{Device, Kind, Tensor};

const TOLERANCE: f64 = 2e-6;

fn golden() -> Golden {
    Golden::parse(include_str!("../golden/networks.json"))
}

fn params(layout: &Layout, seed: u32) -> Params {
    Params::new(layout, &layout_weights(seed, layout), Device::Cpu, false)
}

fn run_mlp(units: &[i64], options: MlpOptions, seed: u32, x: &Tensor) -> Tensor {
    let mut layout = Layout::default();
    let mlp = Mlp::new(&mut layout, "mlp", units, options);
    mlp.forward(&params(&layout, seed), x, &mut Noise::Off)
}

/// `nn.Sequential(nn.Linear(4, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 2))`
#[test]
fn mlp() {
    let y = run_mlp(&[4, 256, 256, 2], MlpOptions::default(), 1000, &tensor(900, &[8, 4], 2.0));
    golden().check("mlp", &y, TOLERANCE);
}

/// `nn.LayerNorm` between `nn.Linear` and `nn.ReLU`, on the last layer too or not
#[test]
fn layer_norm() {
    let options = MlpOptions { layer_norm: true, ..MlpOptions::default() };
    golden().check(
        "layer_norm",
        &run_mlp(&[6, 16, 12, 3], options, 1100, &tensor(901, &[5, 6], 2.0)),
        TOLERANCE,
    );
    let options = MlpOptions { activate_last: true, ..options };
    golden().check(
        "layer_norm_last",
        &run_mlp(&[6, 16, 12], options, 1200, &tensor(902, &[5, 6], 2.0)),
        TOLERANCE,
    );
}

/// A torso, then an `Mlp` of `hidden` units and `outputs`.
fn run_torso(torso: Torso, obs: &[u8], spec: &ObsSpec, seed: u32, ends: [i64; 3]) -> Tensor {
    let [features, hidden, outputs] = ends;
    let mut layout = Layout::default();
    let config = NetworkConfig { torso, ..NetworkConfig::default() };
    let encoder = Encoder::new(&mut layout, "encoder", &config, spec);
    assert_eq!(encoder.features(), features, "features of {torso:?}");
    let head = Mlp::new(&mut layout, "head", &[features, hidden, outputs], MlpOptions::default());
    let params = params(&layout, seed);
    let x = obs_tensor(&ObsBatch::U8(obs.to_vec()), spec, Device::Cpu);
    let embedding = encoder.forward(&params, &x);
    assert_eq!(embedding.size(), [2, features], "shape of the embedding of {torso:?}");
    head.forward(&params, &embedding, &mut Noise::Off)
}

/// `nn.Conv2d(4, 16, 3)`, ReLU, 128 units
#[test]
fn minatar_torso() {
    let spec = ObsSpec { shape: vec![4, 10, 10], bytes: true, scale: 1.0 };
    let y = run_torso(Torso::Minatar, &image(903, 800, 2), &spec, 1300, [1024, 128, 5]);
    golden().check("minatar", &y, TOLERANCE);
}

/// `nn.Conv2d(4, 32, 8, 4)`, `nn.Conv2d(32, 64, 4, 2)`, `nn.Conv2d(64, 64, 3)` with ReLUs
#[test]
fn nature_torso() {
    let spec = ObsSpec { shape: vec![4, 84, 84], bytes: true, scale: 255.0 };
    let y = run_torso(Torso::Nature, &image(904, 2 * 4 * 84 * 84, 256), &spec, 1400, [3136, 32, 6]);
    golden().check("nature", &y, TOLERANCE);
}

/// `impala` of make_golden.py: three stages of convolution, max pooling, two residual blocks
#[test]
fn impala_torso() {
    let spec = ObsSpec { shape: vec![3, 64, 64], bytes: true, scale: 255.0 };
    let y = run_torso(Torso::Impala, &image(905, 2 * 3 * 64 * 64, 256), &spec, 1500, [2048, 16, 5]);
    golden().check("impala", &y, TOLERANCE);
}

/// `NoisyLinear` of make_golden.py, which forms the noisy matrix, with the same normal draws
#[test]
fn noisy_layers() {
    let mut layout = Layout::default();
    let mlp = Mlp::new(
        &mut layout,
        "mlp",
        &[5, 8, 3],
        MlpOptions { noisy: true, ..MlpOptions::default() },
    );
    let params = params(&layout, 1600);
    let x = tensor(906, &[4, 5], 1.0);
    golden().check("noisy_mean", &mlp.forward(&params, &x, &mut Noise::Off), TOLERANCE);
    let mut rng = generator();
    golden().check("noisy", &mlp.forward(&params, &x, &mut Noise::Fresh(&mut rng)), TOLERANCE);
    // (5 inputs + 8 outputs) + (8 + 3) draws, however many rows the batch has.
    let mut skipped = generator();
    let _ = normal(&mut skipped, 24, Device::Cpu);
    let next = |rng: &mut dyn rand::Rng| floats(&normal(rng, 4, Device::Cpu));
    assert_eq!(next(&mut rng), next(&mut skipped));
}

/// One layer, x = 1, μ = 0, σ = 1: y = f(e_out)(f(e_in) + 1), f(e) = sgn(e) √|e|. With f² = |e|,
/// E y = 0 and Var y = E|e| (E|e| + 1) = 0.7979 * 1.7979 = 1.4345.
#[test]
fn noise_has_the_moments_of_the_formula() {
    let mut layout = Layout::default();
    let mlp =
        Mlp::new(&mut layout, "mlp", &[1, 1], MlpOptions { noisy: true, ..MlpOptions::default() });
    let names: Vec<&str> = layout.entries().iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["mlp/0/weight", "mlp/0/bias", "mlp/0/sigma_weight", "mlp/0/sigma_bias"]);
    let params = Params::new(&layout, &[0.0, 0.0, 1.0, 1.0], Device::Cpu, false);
    let (x, mut rng) = (Tensor::ones([1, 1], (Kind::Float, Device::Cpu)), generator());
    let draws = 20_000;
    let y: Vec<f64> = (0..draws)
        .map(|_| mlp.forward(&params, &x, &mut Noise::Fresh(&mut rng)).double_value(&[0, 0]))
        .collect();
    let mean = y.iter().sum::<f64>() / f64::from(draws);
    let variance = y.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(draws);
    // Standard errors are 0.0085 and about 0.025; allowed are four of them.
    assert!(mean.abs() < 0.034, "mean {mean}");
    assert!((variance - 1.4345).abs() < 0.1, "variance {variance}");
}

/// Fortunato et al. 2018, section 3.2: |μ| <= 1/√p, σ = 0.5/√p with p inputs.
#[test]
fn noisy_layers_start_as_in_the_paper() {
    let mut layout = Layout::default();
    let _ =
        Mlp::new(&mut layout, "mlp", &[16, 8], MlpOptions { noisy: true, ..MlpOptions::default() });
    let values = layout.init(&mut generator());
    let (mean, sigma) = values.split_at(16 * 8 + 8);
    assert!(mean.iter().all(|m| m.abs() <= 0.25), "μ lies within 1/√16");
    let (low, high) = (|m: &f32| *m < -0.24, |m: &f32| *m > 0.24);
    assert!(mean.iter().any(low) && mean.iter().any(high), "μ fills its range");
    assert!(sigma.iter().all(|&s| s == 0.125), "σ is 0.5/√16");
}
