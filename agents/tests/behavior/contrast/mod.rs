//! What joins the updates of an agent that is distilled, what it is worth by hand, and what it
//! teaches.

mod by_hand;
mod faults;
mod gain;
mod gates;
mod joint;
mod parts;
mod slopes;
mod units;
mod worlds;

use super::*;
use contrail_agents::contrast::{
    ContrastConfig, ContrastTask, DistillOn, Objective, Representation,
};
use contrail_agents::gate::GateRule;
use contrail_agents::imitation::{Imitation, ImitationConfig};
use contrail_agents::losses::Debias;
use contrail_agents::params::Layout;
use contrail_agents::tokens::TokenConfig;
use contrail_agents::{Augmentation, ContrastBatch, Relation};

/// Anchors of [`Algorithm::contrasts`].
const ANCHORS: i64 = 8;

/// Tokens, no projection, no gate; a teacher that follows slowly.
fn representation() -> Representation {
    Representation {
        tokens: Some(TokenConfig { groups: 3, embedding_units: 4, ..TokenConfig::default() }),
        contrast: ContrastConfig {
            temperature: 0.1,
            projection_units: 0,
            dynamics_units: 16,
            objective: Objective::Contrast,
            debias: Debias::default(),
            distillation_weight: 0.5,
            distill_on: DistillOn::Earlier,
            policy_temperature: 0.5,
            outcome_weight: 1.0,
            augmentation: Augmentation::None,
            gate: GateRule::Off,
            teacher_ema_rate: 0.01,
            teacher_pool: 2,
        },
    }
}

fn with_gate(gate: GateRule) -> Representation {
    let mut representation = representation();
    representation.contrast.gate = gate;
    representation
}

/// The algorithms that can be distilled, for observations of 4 numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Algorithm {
    Dqn,
    Sac,
    Imitation,
}

impl Algorithm {
    const ALL: [Self; 3] = [Self::Dqn, Self::Sac, Self::Imitation];

    /// Without a representation it is the plain algorithm. Gradients are not clipped, so that
    /// Adam's step of one parameter is not moved by the gradients of the others.
    fn agent(self, representation: Option<&Representation>, seed: u64) -> Box<dyn Agent> {
        let (network, mut rng) = (hidden(&[16, 8]), rng(seed));
        let (parts, cpu, spec) = ((&network, representation), Device::Cpu, vector(4));
        match self {
            Self::Dqn => {
                let config = DqnConfig {
                    learning_rate: 1e-2,
                    learning_rate_final: 1e-2,
                    adam_epsilon: 1e-2,
                    max_grad_norm: 0.0,
                    target_update_period_updates: 3,
                    ..DqnConfig::default()
                };
                Box::new(Dqn::distilled((&spec, 3), parts, &config, cpu, &mut rng))
            }
            Self::Sac => {
                let config = SacConfig { policy_learning_rate: 1e-3, ..SacConfig::default() };
                Box::new(Sac::distilled((&spec, &bounds()), parts, &config, cpu, &mut rng))
            }
            Self::Imitation => {
                let config = ImitationConfig {
                    learning_rate: 1e-2,
                    adam_epsilon: 1e-2,
                    max_grad_norm: 0.0,
                    ..ImitationConfig::default()
                };
                Box::new(Imitation::new((&spec, 3), parts, &config, cpu, &mut rng))
            }
        }
    }

    fn batch(self, seed: u64) -> Minibatch {
        if self == Self::Sac { sac_batch(seed) } else { dqn_batch(seed) }
    }

    /// Random anchors, each with an observation of its own as its positive; the positives of the
    /// others are its negatives. Every second anchor is from memory, and of subspace 1.
    fn contrasts(self, relation: Relation, seed: u64) -> ContrastBatch {
        let mut rng = rng(seed + 500);
        let obs = (0..2 * ANCHORS * 4).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect();
        let mut pair = || [rng.random_range(-3.0f32..1.0), rng.random_range(0.5f32..0.75)];
        let actions = if self == Self::Sac {
            ActionBatch::Box((0..ANCHORS).flat_map(|_| pair()).collect())
        } else {
            ActionBatch::Discrete((0..ANCHORS).map(|row| row % 3).collect())
        };
        let others = |row: i64| (0..ANCHORS).filter(move |o| *o != row).map(|o| ANCHORS + o);
        ContrastBatch {
            obs: ObsBatch::F32(obs),
            actions,
            rewards: (0..ANCHORS).map(|row| row as f32 / 4.0 - 1.0).collect(),
            continues: (0..ANCHORS).map(|row| f32::from(u8::from(row != 3))).collect(),
            from_memory: (0..ANCHORS).map(|row| (row % 2) as f32).collect(),
            subspaces: (0..ANCHORS as u32).map(|row| row % 2).collect(),
            ..plain(relation, (0..ANCHORS).collect(), (ANCHORS..2 * ANCHORS).collect(), others)
        }
    }

    /// Where the parameters of the distilled network are in a state.
    fn prefix(self) -> &'static str {
        if self == Self::Sac { "policy" } else { "online" }
    }

    /// Adam's first moments of the distilled network: after one update from a fresh start, a tenth
    /// of its gradient.
    fn moments(self, agent: &dyn Agent) -> Vec<f32> {
        array(&agent.save(), &format!("{}/adam/m", self.prefix()))
    }
}

/// Contrasts with one positive an anchor and equal weights, from the current stream of subspace 0.
/// Observations are empty, actions all 0.
fn plain<I: Iterator<Item = i64>>(
    relation: Relation,
    anchors: Vec<i64>,
    positives: Vec<i64>,
    negatives: impl Fn(i64) -> I,
) -> ContrastBatch {
    let rows = anchors.len();
    let negatives: Vec<i64> = (0..rows as i64).flat_map(negatives).collect();
    ContrastBatch {
        relation,
        obs: ObsBatch::F32(Vec::new()),
        anchors,
        actions: ActionBatch::Discrete(vec![0; rows]),
        rewards: vec![0.0; rows],
        continues: vec![1.0; rows],
        positives,
        positive_weights: vec![1.0; rows],
        negative_weights: vec![1.0; negatives.len()],
        negatives,
        from_memory: vec![0.0; rows],
        subspaces: vec![0; rows],
    }
}

/// Values of one array of a state.
#[track_caller]
fn array(state: &AgentState, name: &str) -> Vec<f32> {
    let array = state.arrays.iter().find(|array| array.name == name);
    array.unwrap_or_else(|| panic!("no array {name}")).values.clone()
}

fn layout(agent: &mut dyn Agent) -> Layout {
    agent.distiller().unwrap().network.layout().clone()
}

/// Elements of the encoder and the shared layers, with which the layout begins.
fn shared_len(agent: &mut dyn Agent) -> usize {
    let layout = layout(agent);
    let own = |name: &str| name.starts_with("encoder/") || name.starts_with("shared/");
    layout.entries().iter().filter(|entry| own(&entry.name)).map(|entry| entry.len).sum()
}

/// Names of the parameters of which `before` and `after` differ in any element.
fn differing(layout: &Layout, before: &[f32], after: &[f32]) -> Vec<String> {
    let part = |values: &[f32], offset: usize, len: usize| values[offset..offset + len].to_vec();
    let differ = layout
        .entries()
        .iter()
        .filter(|e| part(before, e.offset, e.len) != part(after, e.offset, e.len));
    differ.map(|entry| entry.name.clone()).collect()
}

/// A contrast of weight 0.5 that the next update joins.
fn stage(
    (algorithm, agent): (Algorithm, &mut dyn Agent),
    (relation, apart): (Relation, bool),
    seed: u64,
) {
    let batch = algorithm.contrasts(relation, seed);
    let task = ContrastTask { batch: &batch, weight: 0.5, apart };
    agent.distiller().unwrap().stage(task, false, &mut rng(seed)).unwrap();
}

/// An update, and what it tells of the contrast before.
fn update((algorithm, agent): (Algorithm, &mut dyn Agent), seed: u64) -> Option<f64> {
    let report = agent.update(&algorithm.batch(seed), QUIET, &mut rng(seed)).unwrap();
    report.contrast.last_gain
}

/// One curve of contrasts; nothing is left staged.
#[track_caller]
fn measured(agent: &mut dyn Agent, batch: &ContrastBatch, name: &str) -> f64 {
    let state = agent.save();
    let task = ContrastTask { batch, weight: 1.0, apart: false };
    let metrics = agent.distiller().unwrap().stage(task, true, &mut rng(1)).unwrap();
    agent.restore(&state).unwrap();
    metrics.iter().find(|metric| metric.0 == name).unwrap_or_else(|| panic!("no {name}")).1
}

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64) {
    let near = (found - expected).abs() <= tolerance;
    assert!(near, "{found}, expected {expected} within {tolerance}");
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
