//! Soft actor-critic with a learned entropy coefficient, from observation to update.

use crate::agent::{ActMode, Agent, Policy, UpdateReport, UpdateSettings};
use crate::contrast::{
    ContrastHeads, ContrastReport, DecisionNetwork, Distillation, Distiller, Frozen, Part,
    Representation,
};
use crate::losses;
use crate::nn::{Encoder, Mlp, MlpOptions, Noise, normal, obs_tensor};
use crate::optim::{AdamStep, Trainable};
use crate::params::{Init, Layout, Params};
use crate::scalar;
use crate::trunk::{Reading, Trunk};
use crate::{
    ActionBatch, ActionSpec, AgentError, AgentState, Minibatch, NamedArray, NetworkConfig,
    ObsBatch, ObsSpec, SacConfig,
};
use rand::{Rng, RngExt};
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad};

const LOG_STD_MIN: f64 = -20.0;
const LOG_STD_MAX: f64 = 2.0;

/// Structure of the policy: `[B, obs...]` -> mean and log standard deviation, `[B, A]` both.
#[derive(Debug)]
struct PolicyNetwork {
    layout: Layout,
    obs: ObsSpec,
    trunk: Trunk,
    head: Mlp,
    heads: Option<ContrastHeads>,
    bounds: Bounds,
}

impl PolicyNetwork {
    /// With a representation the first hidden layer is the embedding to distil.
    fn new(
        obs: &ObsSpec,
        bounds: Bounds,
        network: &NetworkConfig,
        representation: Option<&Representation>,
    ) -> Self {
        let mut layout = Layout::default();
        let shared = representation.map_or(0, |_| network.hidden_units.len().min(1));
        let (below, above) = network.hidden_units.split_at(shared);
        let tokens = representation.and_then(|r| r.tokens.as_ref());
        let trunk = Trunk::new(&mut layout, obs, (network, below), false, tokens);
        let units = units(trunk.inputs(), above, 2 * bounds.len());
        let options = MlpOptions { layer_norm: network.layer_norm, ..MlpOptions::default() };
        let head = Mlp::new(&mut layout, "head", &units, options);
        let heads = representation.map(|r| {
            let spec = ActionSpec::Box { low: bounds.low.clone(), high: bounds.high.clone() };
            ContrastHeads::new(&mut layout, trunk.embedding(), &spec, &r.contrast)
        });
        Self { layout, obs: obs.clone(), trunk, head, heads, bounds }
    }

    /// x: `[B, obs...]` -> (mean, log_std), `[B, A]` each, before the tanh.
    fn forward(&self, params: &Params, x: &Tensor) -> (Tensor, Tensor) {
        self.decide(params, &self.trunk.forward(params, x, &mut Noise::Off))
    }

    /// What the trunk gives `[B, inputs]` -> (mean, log_std), `[B, A]` each, before the tanh.
    fn decide(&self, params: &Params, input: &Tensor) -> (Tensor, Tensor) {
        let out = self.head.forward(params, input, &mut Noise::Off);
        let mut halves = out.chunk(2, -1).into_iter();
        match (halves.next(), halves.next()) {
            (Some(mean), Some(log_std)) => (mean, log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)),
            _ => unreachable!("the head has an even number of outputs"),
        }
    }

    /// A reparameterised action in [-1, 1] `[B, A]` and its log-density `[B]`.
    fn sample(&self, params: &Params, x: &Tensor, rng: &mut dyn Rng) -> (Tensor, Tensor) {
        let (mean, log_std) = self.forward(params, x);
        let noise = normal(rng, mean.numel() as i64, mean.device()).view_as(&mean);
        let pre_tanh = &mean + log_std.exp() * noise;
        let log_prob = losses::gaussian_tanh_log_prob(&mean, &log_std, &pre_tanh);
        (pre_tanh.tanh(), log_prob)
    }
}

impl DecisionNetwork for PolicyNetwork {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn obs(&self) -> &ObsSpec {
        &self.obs
    }

    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn contrast_heads(&self) -> Option<&ContrastHeads> {
        self.heads.as_ref()
    }

    fn action_reading(&self, params: &Params, reading: &Reading) -> Tensor {
        self.decide(params, &self.trunk.decision_input(params, reading)).0.tanh()
    }
}

/// Structure of the two critics: (observation, action in [-1, 1]) -> `[B]` each.
#[derive(Debug)]
struct Critics {
    layout: Layout,
    parts: [(Encoder, Mlp); 2],
}

impl Critics {
    fn new(obs: &ObsSpec, actions: i64, network: &NetworkConfig) -> Self {
        let mut layout = Layout::default();
        let mut part = |name: &str| {
            let encoder = Encoder::new(&mut layout, &format!("{name}/encoder"), network, obs);
            let options = MlpOptions { layer_norm: network.layer_norm, ..MlpOptions::default() };
            let units = units(encoder.features() + actions, &network.hidden_units, 1);
            let head = Mlp::new(&mut layout, &format!("{name}/head"), &units, options);
            (encoder, head)
        };
        let parts = [part("q1"), part("q2")];
        Self { layout, parts }
    }

    fn forward(&self, params: &Params, x: &Tensor, action: &Tensor) -> (Tensor, Tensor) {
        let one = |(encoder, head): &(Encoder, Mlp)| {
            let input = Tensor::cat(&[encoder.forward(params, x), action.shallow_clone()], -1); // [B, D + A]
            head.forward(params, &input, &mut Noise::Off).select(1, 0) // [B]
        };
        (one(&self.parts[0]), one(&self.parts[1]))
    }
}

fn units(inputs: i64, hidden: &[i64], outputs: i64) -> Vec<i64> {
    [inputs].into_iter().chain(hidden.iter().copied()).chain([outputs]).collect()
}

/// Bounds of the environment's actions; inside, the algorithm works with [-1, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Bounds {
    /// Bounds, one pair an action dimension.
    ///
    /// # Errors
    /// [`AgentError::Unsuitable`] if there are none, if one or the distance of a pair is not finite
    /// or a pair is not in order.
    pub fn new(low: &[f32], high: &[f32]) -> Result<Self, AgentError> {
        if low.is_empty() || low.len() != high.len() {
            let text = format!(
                "actions have {} lower and {} upper bounds; SAC needs one pair each",
                low.len(),
                high.len()
            );
            return Err(AgentError::Unsuitable(text));
        }
        for (i, (l, h)) in low.iter().zip(high).enumerate() {
            // A distance that f32 cannot hold would make every action infinite.
            if !(l < h && (h - l).is_finite()) {
                let text = format!(
                    "action {i} has bounds {l:?} to {h:?}; SAC needs finite bounds, the lower one smaller"
                );
                return Err(AgentError::Unsuitable(text));
            }
        }
        Ok(Self { low: low.to_vec(), high: high.to_vec() })
    }

    fn len(&self) -> i64 {
        self.low.len() as i64
    }

    /// From [-1, 1] to the environment's units, row by row.
    fn to_env(&self, actions: &[f32]) -> Vec<f32> {
        self.map(actions, |a, low, high| (low + (a + 1.0) / 2.0 * (high - low)).clamp(low, high))
    }

    /// From the environment's units to [-1, 1], row by row.
    fn to_unit(&self, actions: &[f32]) -> Vec<f32> {
        self.map(actions, |a, low, high| (a - low) / (high - low) * 2.0 - 1.0)
    }

    fn map(&self, actions: &[f32], f: impl Fn(f32, f32, f32) -> f32) -> Vec<f32> {
        let bounds = self.low.iter().zip(&self.high).cycle();
        actions.iter().zip(bounds).map(|(&a, (&low, &high))| f(a, low, high)).collect()
    }
}

/// Soft actor-critic: maximises return plus entropy, off-policy.
///
/// # Source
/// Haarnoja et al. 2018 (arXiv 1812.05905), Algorithm 1.
///
/// # Differs
/// See `docs/algorithms/sac.md`.
#[derive(Debug)]
pub struct Sac {
    config: SacConfig,
    policy_network: Arc<PolicyNetwork>,
    critics_network: Critics,
    policy: Trainable,
    critics: Trainable,
    target_critics: Params,
    log_entropy_coefficient: Trainable,
    coefficient_layout: Layout,
    distillation: Option<Distillation>,
    updates: u64,
}

impl Sac {
    /// A fresh agent for observations of `obs` and actions within `bounds`.
    pub fn new(
        space: (&ObsSpec, &Bounds),
        network: &NetworkConfig,
        config: &SacConfig,
        device: Device,
        rng: &mut dyn Rng,
    ) -> Self {
        Self::distilled(space, (network, None), config, device, rng)
    }

    /// A fresh agent, whose policy network is distilled if a representation is given.
    pub fn distilled(
        (obs, bounds): (&ObsSpec, &Bounds),
        (network, representation): (&NetworkConfig, Option<&Representation>),
        config: &SacConfig,
        device: Device,
        rng: &mut dyn Rng,
    ) -> Self {
        let policy_network = PolicyNetwork::new(obs, bounds.clone(), network, representation);
        let critics_network = Critics::new(obs, bounds.len(), network);
        let policy_values = policy_network.layout.init(rng);
        let policy = Trainable::new(&policy_network.layout, &policy_values, device);
        let distillation = representation.map(|r| {
            Distillation::new(r.contrast.clone(), &policy_network.layout, &policy_values, device)
        });
        let critic_values = critics_network.layout.init(rng);
        let critics = Trainable::new(&critics_network.layout, &critic_values, device);
        let target_critics = Params::new(&critics_network.layout, &critic_values, device, false);
        let mut coefficient_layout = Layout::default();
        coefficient_layout.add("log", &[1], Init::Constant(config.entropy_coefficient.ln() as f32));
        // One number: it lives on the CPU whatever the device.
        let log_entropy_coefficient =
            Trainable::new(&coefficient_layout, &coefficient_layout.init(rng), Device::Cpu);
        Self {
            config: config.clone(),
            policy_network: Arc::new(policy_network),
            critics_network,
            policy,
            critics,
            target_critics,
            log_entropy_coefficient,
            coefficient_layout,
            distillation,
            updates: 0,
        }
    }

    fn entropy_coefficient(&self) -> f64 {
        f64::from(self.log_entropy_coefficient.values()[0]).exp()
    }

    fn adam(&self, learning_rate: f64) -> AdamStep {
        AdamStep { learning_rate, epsilon: 1e-8, max_grad_norm: self.config.max_grad_norm }
    }

    /// Regresses both critics on the soft target. Returns the weighted loss, the mean absolute TD
    /// error of each transition `[B]` and the first critic's values `[B]`.
    fn update_critics(
        &mut self,
        batch: &Batch,
        rng: &mut dyn Rng,
    ) -> Result<CriticUpdate, AgentError> {
        let target = no_grad(|| {
            let (action, log_prob) =
                self.policy_network.sample(self.policy.params(), &batch.next_obs, rng);
            let (q1, q2) =
                self.critics_network.forward(&self.target_critics, &batch.next_obs, &action);
            let rewards = (&batch.n_step_return, &batch.discount);
            losses::soft_td_target(rewards, (&q1, &q2), &log_prob, self.entropy_coefficient())
        });
        let (q1, q2) =
            self.critics_network.forward(self.critics.params(), &batch.obs, &batch.actions);
        let (e1, e2) = (&target - &q1, &target - q2);
        let loss = (&batch.weights * (e1.square() + e2.square()) * 0.5).mean(Kind::Float);
        let grad_norm =
            self.critics.minimize(&loss, self.adam(self.config.critic_learning_rate))?;
        let error = (e1.abs() + e2.abs()) / 2.0;
        Ok(CriticUpdate { loss, error, q: q1, grad_norm })
    }

    /// Moves the policy up the critics' soft value, jointly with the contrasts.
    fn update_policy(
        &mut self,
        batch: &Batch,
        rng: &mut dyn Rng,
    ) -> Result<PolicyUpdate, AgentError> {
        let (action, log_prob) = self.policy_network.sample(self.policy.params(), &batch.obs, rng);
        let (q1, q2) = self.critics_network.forward(self.critics.params(), &batch.obs, &action);
        let loss = (&log_prob * self.entropy_coefficient() - q1.minimum(&q2)).mean(Kind::Float);
        let step = self.adam(self.config.policy_learning_rate);
        let contrast = match &mut self.distillation {
            None => {
                self.policy.minimize(&loss, step)?;
                ContrastReport::default()
            }
            Some(distillation) => {
                let student = (&*self.policy_network as &dyn DecisionNetwork, &mut self.policy);
                distillation.minimize(student, &loss, step)?.1
            }
        };
        let log_prob_mean = scalar::double(&log_prob.mean(Kind::Float));
        Ok(PolicyUpdate { loss: scalar::double(&loss), log_prob_mean, contrast })
    }

    /// Moves the entropy coefficient so that the policy's entropy comes to its target.
    fn update_coefficient(&mut self, log_prob_mean: f64) -> Result<(), AgentError> {
        let target_entropy =
            self.config.target_entropy_per_dimension * self.policy_network.bounds.len() as f64;
        let gradient = losses::entropy_coefficient_gradient(log_prob_mean, target_entropy);
        let loss = self.log_entropy_coefficient.params().views()[0].sum(Kind::Float) * gradient;
        let step = AdamStep { max_grad_norm: 0.0, ..self.adam(self.config.entropy_learning_rate) };
        self.log_entropy_coefficient.minimize(&loss, step)?;
        Ok(())
    }
}

struct PolicyUpdate {
    loss: f64,
    log_prob_mean: f64,
    contrast: ContrastReport,
}

struct CriticUpdate {
    loss: Tensor,
    error: Tensor, // [B]
    q: Tensor,     // [B]
    grad_norm: f64,
}

/// A minibatch as tensors.
struct Batch {
    obs: Tensor,           // [B, obs...]
    actions: Tensor,       // [B, A] in [-1, 1]
    n_step_return: Tensor, // [B]
    discount: Tensor,      // [B]
    next_obs: Tensor,      // [B, obs...]
    weights: Tensor,       // [B]
}

impl Batch {
    fn new(batch: &Minibatch, network: &PolicyNetwork, device: Device) -> Result<Self, AgentError> {
        let ActionBatch::Box(actions) = &batch.actions else {
            return Err(AgentError::Unsuitable(
                "SAC was given discrete actions; it needs continuous ones".into(),
            ));
        };
        let float = |values: &[f32]| Tensor::from_slice(values).to_device(device);
        Ok(Self {
            obs: obs_tensor(&batch.obs, &network.obs, device),
            actions: float(&network.bounds.to_unit(actions)).view([-1, network.bounds.len()]),
            n_step_return: float(&batch.n_step_return),
            discount: float(&batch.discount),
            next_obs: obs_tensor(&batch.next_obs, &network.obs, device),
            weights: float(&batch.weights),
        })
    }
}

impl Agent for Sac {
    fn update(
        &mut self,
        batch: &Minibatch,
        settings: UpdateSettings,
        rng: &mut dyn Rng,
    ) -> Result<UpdateReport, AgentError> {
        let batch = Batch::new(batch, &self.policy_network, self.target_critics.device())?;
        let critic = self.update_critics(&batch, rng)?;
        let policy = self.update_policy(&batch, rng)?;
        let (policy_loss, log_prob_mean) = (policy.loss, policy.log_prob_mean);
        if self.config.learn_entropy_coefficient {
            self.update_coefficient(log_prob_mean)?;
        }
        self.target_critics.track(self.critics.params(), self.config.target_ema_rate);
        self.updates += 1;
        let mut report = UpdateReport {
            priorities: scalar::floats(&critic.error),
            contrast: policy.contrast,
            ..UpdateReport::default()
        };
        if settings.detail {
            let critic_loss = scalar::double(&critic.loss);
            let q = scalar::floats(&critic.q);
            report.metrics = vec![
                ("train/loss", critic_loss + policy_loss),
                ("train/critic_loss", critic_loss),
                ("train/actor_loss", policy_loss),
                ("train/ent_coef", self.entropy_coefficient()),
                ("train/entropy", -log_prob_mean),
                ("train/grad_norm", critic.grad_norm),
                ("train/learning_rate", self.config.policy_learning_rate),
                ("train/td_error_abs_mean", scalar::double(&critic.error.mean(Kind::Float))),
                ("train/q_mean", scalar::double(&critic.q.mean(Kind::Float))),
            ];
            report.histograms = vec![("train/q_values", q.into_iter().map(f64::from).collect())];
        }
        Ok(report)
    }

    fn distiller(&mut self) -> Option<Distiller<'_>> {
        let step = self.adam(self.config.policy_learning_rate);
        let (network, online) = (&*self.policy_network, &mut self.policy);
        let distillation = self.distillation.as_mut()?;
        Some(Distiller { network, online, distillation, step })
    }

    fn freeze(&mut self, frozen: Frozen) {
        let layout = &self.policy_network.layout;
        self.policy.freeze(layout, |name| frozen.holds(layout, name));
        let encoder = |name: &str| frozen == Frozen::Encoder && name.contains("/encoder/");
        self.critics.freeze(&self.critics_network.layout, encoder);
    }

    fn pull_to_here(&mut self, coefficient: f64) {
        self.policy.pull_to_here(coefficient);
        self.critics.pull_to_here(coefficient);
    }

    fn renew(&mut self, part: Part, rng: &mut dyn Rng) {
        let layout = &self.policy_network.layout;
        self.policy.renew(layout, &layout.init(rng), |name| part.holds(layout, name));
        let layout = &self.critics_network.layout;
        let torso = layout.entries().iter().any(|entry| entry.name.contains("/encoder/"));
        let stem = if torso { "/encoder/" } else { "/head/0/" };
        self.critics.renew(layout, &layout.init(rng), |name| match part {
            Part::Whole => true,
            Part::Stem => name.contains(stem),
            Part::Heads => !name.contains("/encoder/"),
            Part::None | Part::Dynamics | Part::All => false,
        });
        if part == Part::Whole {
            let start = self.coefficient_layout.init(rng);
            self.log_entropy_coefficient.renew(&self.coefficient_layout, &start, |_| true);
        }
    }

    fn settle(&mut self) {
        self.target_critics.track(self.critics.params(), 1.0);
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn policy(&self) -> Box<dyn Policy> {
        let params =
            Params::new(&self.policy_network.layout, &self.policy.values(), Device::Cpu, false);
        Box::new(SacPolicy { network: Arc::clone(&self.policy_network), params })
    }

    fn policy_params(&self) -> Vec<f32> {
        self.policy.values()
    }

    fn num_params(&self) -> usize {
        self.policy_network.layout.len() + self.critics_network.layout.len()
    }

    fn save(&self) -> AgentState {
        let mut state = AgentState::default();
        self.policy.save("policy", &self.policy_network.layout, &mut state);
        self.critics.save("critics", &self.critics_network.layout, &mut state);
        self.log_entropy_coefficient.save(
            "entropy_coefficient",
            &self.coefficient_layout,
            &mut state,
        );
        state.arrays.push(NamedArray::vector("target_critics".into(), self.target_critics.read()));
        state.counters.push(("updates".into(), self.updates));
        if let Some(distillation) = &self.distillation {
            distillation.save(&mut state);
        }
        state
    }

    fn restore(&mut self, state: &AgentState) -> Result<(), AgentError> {
        self.policy.restore("policy", &self.policy_network.layout, state)?;
        self.critics.restore("critics", &self.critics_network.layout, state)?;
        self.log_entropy_coefficient.restore(
            "entropy_coefficient",
            &self.coefficient_layout,
            state,
        )?;
        self.target_critics
            .write(state.array("target_critics", &[self.critics_network.layout.len() as i64])?);
        self.updates = state.counter("updates")?;
        match &mut self.distillation {
            Some(distillation) => distillation.restore(&self.policy_network.layout, state),
            None => Ok(()),
        }
    }
}

/// Action choice by a squashed Gaussian; greedy is the tanh of its mean.
struct SacPolicy {
    network: Arc<PolicyNetwork>,
    params: Params,
}

impl Policy for SacPolicy {
    fn load(&mut self, params: &[f32]) {
        self.params.write(params);
    }

    fn act(
        &mut self,
        obs: &ObsBatch,
        mode: ActMode,
        rng: &mut dyn Rng,
    ) -> Result<ActionBatch, AgentError> {
        let network = &self.network;
        let unit = if mode == ActMode::Uniform {
            let rows = obs.len() / network.obs.len() as usize;
            (0..rows * network.bounds.len() as usize)
                .map(|_| 2.0 * rng.random::<f32>() - 1.0)
                .collect()
        } else {
            scalar::floats(&no_grad(|| {
                let x = obs_tensor(obs, &network.obs, Device::Cpu);
                if mode == ActMode::Greedy {
                    network.forward(&self.params, &x).0.tanh()
                } else {
                    network.sample(&self.params, &x, rng).0
                }
            }))
        };
        if let Some(&value) = unit.iter().find(|a| !a.is_finite()) {
            return Err(AgentError::NotFinite {
                what: "an action of the policy",
                value: value.into(),
                update: 0,
            });
        }
        Ok(ActionBatch::Box(network.bounds.to_env(&unit)))
    }
}
