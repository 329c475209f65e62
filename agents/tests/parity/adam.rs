//! The flat Adam against `torch.optim.Adam` after `clip_grad_norm_`: `make_adam` of make_golden.py.

use crate::golden::{Golden, numbers, tensor};
use contrail_agents::AgentState;
use contrail_agents::optim::{AdamStep, Trainable};
use contrail_agents::params::{Init, Layout};
use tch::{Device, Kind};

/// f32 on both sides.
const TOLERANCE: f64 = 1e-6;

fn layout() -> Layout {
    let mut layout = Layout::default();
    layout.add("matrix", &[4, 5], Init::Constant(0.0));
    layout.add("vector", &[3], Init::Constant(0.0));
    layout
}

/// 50 steps on given gradients, every second one large enough to be clipped.
fn check(name: &str, epsilon: f64, max_grad_norm: f64) {
    tch::set_num_threads(1);
    let golden = Golden::parse(include_str!("../golden/adam.json"));
    let layout = layout();
    let values = [numbers(200, 20, 1.0), numbers(201, 3, 1.0)].concat();
    let mut trainable = Trainable::new(&layout, &values, Device::Cpu);
    let mut norms = Vec::new();
    for i in 0..50 {
        let gradient = tensor(300 + i, &[23], if i % 2 == 0 { 0.05 } else { 1.0 });
        let views = trainable.params().views();
        // A loss that is linear in the parameters has its coefficients as gradient.
        let loss = (&views[0] * gradient.narrow(0, 0, 20).view([4, 5])).sum(Kind::Float)
            + (&views[1] * gradient.narrow(0, 20, 3)).sum(Kind::Float);
        norms.push(
            trainable
                .minimize(&loss, AdamStep { learning_rate: 1e-2, epsilon, max_grad_norm })
                .unwrap() as f32,
        );
        if [1, 10, 50].contains(&(i + 1)) {
            golden.check_slice(&format!("{name}/values{}", i + 1), &trainable.values(), TOLERANCE);
            assert_eq!(
                trainable.params().read(),
                trainable.values(),
                "tensor and plain copy agree"
            );
        }
    }
    golden.check_slice(&format!("{name}/norms"), &norms, TOLERANCE);
    let mut state = AgentState::default();
    trainable.save("p", &layout, &mut state);
    for moment in ["m", "v"] {
        let saved = state.array(&format!("p/adam/{moment}"), &[23]).unwrap();
        golden.check_slice(&format!("{name}/{moment}"), saved, TOLERANCE);
    }
    assert_eq!(state.counter("p/adam/steps").unwrap(), 50);
}

/// `torch.optim.Adam(params, lr=1e-2, eps=1e-8)`
#[test]
fn without_clipping() {
    check("plain", 1e-8, 0.0);
}

/// `clip_grad_norm_(params, 1)`, then the same
#[test]
fn with_clipping() {
    check("clip", 1e-8, 1.0);
}

/// `eps=1.5e-4`, as Rainbow has it
#[test]
fn with_a_large_epsilon() {
    check("plain_eps", 1.5e-4, 0.0);
}

/// Both
#[test]
fn with_clipping_and_a_large_epsilon() {
    check("clip_eps", 1.5e-4, 1.0);
}

/// Steps `of` gradients that are linear in the parameters.
fn step(trainable: &mut Trainable, of: u32) {
    let gradient = tensor(300 + of, &[23], 1.0);
    let views = trainable.params().views();
    let loss = (&views[0] * gradient.narrow(0, 0, 20).view([4, 5])).sum(Kind::Float)
        + (&views[1] * gradient.narrow(0, 20, 3)).sum(Kind::Float);
    let step = AdamStep { learning_rate: 1e-2, epsilon: 1e-8, max_grad_norm: 0.0 };
    trainable.minimize(&loss, step).unwrap();
}

/// `optimizer.state[p] = {}` in PyTorch: the bias corrections begin anew with the moments. The
/// fresh optimiser beside it is the one of the golden values above.
#[test]
fn a_renewed_parameter_steps_as_with_a_fresh_optimiser_and_so_after_a_restore() {
    let layout = layout();
    let values = [numbers(200, 20, 1.0), numbers(201, 3, 1.0)].concat();
    let mut trainable = Trainable::new(&layout, &values, Device::Cpu);
    (0..20).for_each(|of| step(&mut trainable, of));
    trainable.renew(&layout, &values, |name| name == "vector");
    let mut fresh = Trainable::new(&layout, &trainable.values(), Device::Cpu);
    for of in 20..30 {
        step(&mut trainable, of);
        step(&mut fresh, of);
        assert_eq!(trainable.values()[20..], fresh.values()[20..], "step {of}");
        assert_ne!(trainable.values()[..20], fresh.values()[..20], "the rest has its moments");
    }
    let mut state = AgentState::default();
    trainable.save("p", &layout, &mut state);
    let counted = |name: &str| state.counter(&format!("p/adam/steps{name}")).unwrap();
    assert_eq!([counted(""), counted("/matrix"), counted("/vector")], [30, 30, 10]);
    let mut restored = Trainable::new(&layout, &values, Device::Cpu);
    restored.restore("p", &layout, &state).unwrap();
    (30..35).for_each(|of| step(&mut trainable, of));
    (30..35).for_each(|of| step(&mut restored, of));
    assert_eq!(trainable.values(), restored.values());
}

/// A frozen parameter's own steps stand still, and so do its corrections.
#[test]
fn a_parameter_that_was_frozen_goes_on_where_it_was() {
    let layout = layout();
    let values = [numbers(200, 20, 1.0), numbers(201, 3, 1.0)].concat();
    let [mut paused, mut whole] = [(); 2].map(|()| Trainable::new(&layout, &values, Device::Cpu));
    step(&mut paused, 0);
    step(&mut whole, 0);
    paused.freeze(&layout, |name| name == "vector");
    let before = paused.values();
    (5..9).for_each(|of| step(&mut paused, of));
    assert_eq!(paused.values()[20..], before[20..]);
    paused.freeze(&layout, |_| false);
    step(&mut paused, 1);
    step(&mut whole, 1);
    assert_eq!(paused.values()[20..], whole.values()[20..]);
}

/// PyTorch's moments end at a few times the smallest subnormal number, where every further step is
/// slow; the values are the same.
#[test]
fn moments_without_a_gradient_become_zero_and_never_subnormal() {
    let layout = layout();
    let values = [numbers(200, 20, 1.0), numbers(201, 3, 1.0)].concat();
    let mut trainable = Trainable::new(&layout, &values, Device::Cpu);
    step(&mut trainable, 0);
    let with = AdamStep { learning_rate: 1e-2, epsilon: 1e-8, max_grad_norm: 0.0 };
    for _ in 0..800 {
        let loss = trainable.params().views()[1].sum(Kind::Float) * 1e-20;
        trainable.minimize(&loss, with).unwrap();
    }
    let mut state = AgentState::default();
    trainable.save("p", &layout, &mut state);
    let m = state.array("p/adam/m", &[23]).unwrap();
    assert_eq!(m[..20], [0.0; 20], "0.9 to the power 800 is 2e-37");
    assert!(m[20..].iter().all(|m| (m / 1e-20 - 1.0).abs() < 1e-3), "{m:?}");
    let v = state.array("p/adam/v", &[23]).unwrap();
    assert!(v.iter().all(|v| v.is_normal()), "{v:?}");
}
