//! DQN and its extensions, from observation to update. With every switch on it is Rainbow.

use crate::agent::{ActMode, Agent, Policy, UpdateReport, UpdateSettings};
use crate::contrast::{
    ContrastHeads, ContrastReport, DecisionNetwork, Distillation, Distiller, Frozen, Part,
    Representation,
};
use crate::losses;
use crate::nn::{Mlp, MlpOptions, Noise, obs_tensor};
use crate::optim::{AdamStep, Trainable};
use crate::params::{Layout, Params};
use crate::scalar;
use crate::trunk::{Reading, Trunk};
use crate::{
    ActionBatch, ActionSpec, AgentError, AgentState, Distribution, DqnConfig, Minibatch,
    NamedArray, NetworkConfig, ObsBatch, ObsSpec,
};
use rand::{Rng, RngExt};
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad};

/// The structure of a Q-network. Its output is `[B, A, Z]`: Z numbers describe the return of each
/// action (1 for its mean, logits over atoms for C51, values for quantiles).
#[derive(Debug)]
struct QNetwork {
    layout: Layout,
    obs: ObsSpec,
    trunk: Trunk,
    advantage: Mlp,
    value: Option<Mlp>,
    heads: Option<ContrastHeads>,
    actions: i64,
    outputs: i64,
    distribution: Distribution,
    support: Vec<f32>, // [Z] of C51, else empty
}

impl QNetwork {
    fn new(
        (obs, actions): (&ObsSpec, i64),
        network: &NetworkConfig,
        config: &DqnConfig,
        representation: Option<&Representation>,
    ) -> Self {
        let mut layout = Layout::default();
        let outputs = if config.distribution == Distribution::Mean { 1 } else { config.num_atoms };
        // The streams of a dueling network part before the last hidden layer, as in the paper;
        // but an embedding to distil is shared.
        let hidden = network.hidden_units.as_slice();
        let shared = match (config.dueling, representation) {
            (false, _) => hidden.len(),
            (true, None) => hidden.len().saturating_sub(1),
            (true, Some(_)) => hidden.len().saturating_sub(1).max(1),
        };
        let tokens = representation.and_then(|r| r.tokens.as_ref());
        let layers = (network, &hidden[..shared]);
        let trunk = Trunk::new(&mut layout, obs, layers, config.noisy, tokens);
        let mut stream = |name: &str, width: i64| {
            let units: Vec<i64> = [trunk.inputs()]
                .into_iter()
                .chain(hidden[shared..].iter().copied())
                .chain([width])
                .collect();
            let options = MlpOptions {
                noisy: config.noisy,
                layer_norm: network.layer_norm,
                activate_last: false,
            };
            Mlp::new(&mut layout, name, &units, options)
        };
        let advantage = stream("advantage", actions * outputs);
        let value = config.dueling.then(|| stream("value", outputs));
        let heads = representation.map(|r| {
            let spec = ActionSpec::Discrete(actions);
            ContrastHeads::new(&mut layout, trunk.embedding(), &spec, &r.contrast)
        });
        let support = if config.distribution == Distribution::C51 {
            let step = (config.support_max - config.support_min) / (outputs - 1) as f64;
            (0..outputs).map(|i| (config.support_min + step * i as f64) as f32).collect()
        } else {
            Vec::new()
        };
        let (obs, distribution) = (obs.clone(), config.distribution);
        Self {
            layout,
            obs,
            trunk,
            advantage,
            value,
            heads,
            actions,
            outputs,
            distribution,
            support,
        }
    }

    /// x: `[B, obs...]` -> `[B, A, Z]`.
    fn forward(&self, params: &Params, x: &Tensor, noise: &mut Noise<'_>) -> Tensor {
        let input = self.trunk.forward(params, x, noise);
        self.decide(params, &input, noise)
    }

    /// What the trunk gives `[B, inputs]` -> `[B, A, Z]`.
    fn decide(&self, params: &Params, input: &Tensor, noise: &mut Noise<'_>) -> Tensor {
        let shape = [-1, self.actions, self.outputs];
        let advantage = self.advantage.forward(params, input, noise).view(shape); // [B, A, Z]
        let Some(value) = &self.value else { return advantage };
        let value = value.forward(params, input, noise).view([-1, 1, self.outputs]); // [B, 1, Z]
        value + &advantage - advantage.mean_dim([1i64].as_slice(), true, Kind::Float)
    }

    /// Expected returns `[B, A]` of the network's output `[B, A, Z]`.
    fn q_values(&self, output: &Tensor) -> Tensor {
        let mean = match self.distribution {
            Distribution::Mean | Distribution::Quantile => output.shallow_clone(),
            Distribution::C51 => {
                output.softmax(-1, Kind::Float)
                    * self.support_tensor(output.device())
                    * self.outputs as f64
            }
        };
        mean.mean_dim([-1i64].as_slice(), false, Kind::Float)
    }

    fn support_tensor(&self, device: Device) -> Tensor {
        Tensor::from_slice(&self.support).to_device(device)
    }
}

impl DecisionNetwork for QNetwork {
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

    /// Expected returns as logits.
    fn action_reading(&self, params: &Params, reading: &Reading) -> Tensor {
        let input = self.trunk.decision_input(params, reading);
        self.q_values(&self.decide(params, &input, &mut Noise::Off))
    }
}

/// Rows `[B, Z]` of `output` `[B, A, Z]` at one action each, `[B]`.
fn at_actions(output: &Tensor, actions: &Tensor) -> Tensor {
    let outputs = output.size()[2];
    let index = actions.view([-1, 1, 1]).expand([-1, 1, outputs], false); // [B, 1, Z]
    output.gather(1, &index, false).select(1, 0)
}

/// DQN: Q-learning on replayed transitions with a slowly changing target network.
///
/// # Source
/// Mnih et al. 2015; double: van Hasselt et al. 2016; dueling: Wang et al. 2016; n-step,
/// prioritised and their union: Hessel et al. 2018 (Rainbow).
///
/// # Differs
/// See `docs/algorithms/dqn.md`.
#[derive(Debug)]
pub struct Dqn {
    config: DqnConfig,
    network: Arc<QNetwork>,
    online: Trainable,
    target: Params,
    distillation: Option<Distillation>,
    updates: u64,
}

impl Dqn {
    /// A fresh agent for observations of `obs` and `actions` discrete actions.
    pub fn new(
        space: (&ObsSpec, i64),
        network: &NetworkConfig,
        config: &DqnConfig,
        device: Device,
        rng: &mut dyn Rng,
    ) -> Self {
        Self::distilled(space, (network, None), config, device, rng)
    }

    /// A fresh agent, with contrastive distillation if a representation is given.
    pub fn distilled(
        space: (&ObsSpec, i64),
        (network, representation): (&NetworkConfig, Option<&Representation>),
        config: &DqnConfig,
        device: Device,
        rng: &mut dyn Rng,
    ) -> Self {
        let network = QNetwork::new(space, network, config, representation);
        let values = network.layout.init(rng);
        let online = Trainable::new(&network.layout, &values, device);
        let target = Params::new(&network.layout, &values, device, false);
        let distillation = representation
            .map(|r| Distillation::new(r.contrast.clone(), &network.layout, &values, device));
        let (config, network) = (config.clone(), Arc::new(network));
        Self { config, network, online, target, distillation, updates: 0 }
    }

    /// What the loss compares with, `[B]`, `[B, Z]` probabilities or `[B, Z]` quantiles.
    fn target(&self, batch: &Batch, rng: &mut dyn Rng) -> Tensor {
        let next = self.network.forward(&self.target, &batch.next_obs, &mut self.noise(rng)); // [B, A, Z]
        let chooser = if self.config.double {
            self.network.forward(self.online.params(), &batch.next_obs, &mut self.noise(rng))
        } else {
            next.shallow_clone()
        };
        let best = self.network.q_values(&chooser).argmax(-1, false); // [B]
        let bootstrap = at_actions(&next, &best); // [B, Z]
        let (returns, discount) = (batch.n_step_return.unsqueeze(1), batch.discount.unsqueeze(1)); // [B, 1]
        match self.network.distribution {
            Distribution::Mean => {
                losses::td_target(&batch.n_step_return, &batch.discount, &bootstrap.select(1, 0))
            }
            Distribution::Quantile => returns + discount * bootstrap,
            Distribution::C51 => {
                let support = self.network.support_tensor(bootstrap.device());
                let moved = returns + discount * support.unsqueeze(0); // [B, Z]
                losses::project_categorical(&bootstrap.softmax(-1, Kind::Float), &moved, &support)
            }
        }
    }

    /// Loss and priority of each transition, `[B]` both.
    fn loss(&self, output: &Tensor, batch: &Batch, target: &Tensor) -> (Tensor, Tensor) {
        let taken = at_actions(output, &batch.actions); // [B, Z]
        match self.network.distribution {
            Distribution::Mean => {
                let q = taken.select(1, 0);
                (losses::huber(&q, target), (target - q).abs())
            }
            // Rainbow's choice: the loss itself says how surprising a transition was.
            Distribution::C51 => both(losses::categorical_cross_entropy(&taken, target)),
            Distribution::Quantile => both(losses::quantile_huber(&taken, target)),
        }
    }

    /// Mean over the minibatch of the return that `target` expects.
    fn expected(&self, target: &Tensor) -> Tensor {
        let device = target.device();
        match self.network.distribution {
            // [B, Z] probabilities, Σ p z = Z · mean(p z).
            Distribution::C51 => {
                (target * self.network.support_tensor(device) * self.network.outputs as f64)
                    .mean(Kind::Float)
            }
            Distribution::Mean | Distribution::Quantile => target.mean(Kind::Float),
        }
    }

    fn noise<'a>(&self, rng: &'a mut dyn Rng) -> Noise<'a> {
        if self.config.noisy { Noise::Fresh(rng) } else { Noise::Off }
    }

    fn adam(&self, progress: f64) -> AdamStep {
        let (start, end) = (self.config.learning_rate, self.config.learning_rate_final);
        let learning_rate = start + (end - start) * progress.clamp(0.0, 1.0);
        AdamStep {
            learning_rate,
            epsilon: self.config.adam_epsilon,
            max_grad_norm: self.config.max_grad_norm,
        }
    }
}

fn both(loss: Tensor) -> (Tensor, Tensor) {
    let priority = loss.shallow_clone();
    (loss, priority)
}

/// A minibatch as tensors.
struct Batch {
    obs: Tensor,           // [B, obs...]
    actions: Tensor,       // [B] i64
    n_step_return: Tensor, // [B]
    discount: Tensor,      // [B]
    next_obs: Tensor,      // [B, obs...]
    weights: Tensor,       // [B]
}

impl Batch {
    fn new(batch: &Minibatch, spec: &ObsSpec, device: Device) -> Result<Self, AgentError> {
        let ActionBatch::Discrete(actions) = &batch.actions else {
            return Err(AgentError::Unsuitable(
                "DQN was given continuous actions; it needs discrete ones".into(),
            ));
        };
        let float = |values: &[f32]| Tensor::from_slice(values).to_device(device);
        Ok(Self {
            obs: obs_tensor(&batch.obs, spec, device),
            actions: Tensor::from_slice(actions).to_device(device),
            n_step_return: float(&batch.n_step_return),
            discount: float(&batch.discount),
            next_obs: obs_tensor(&batch.next_obs, spec, device),
            weights: float(&batch.weights),
        })
    }
}

impl Agent for Dqn {
    fn update(
        &mut self,
        batch: &Minibatch,
        settings: UpdateSettings,
        rng: &mut dyn Rng,
    ) -> Result<UpdateReport, AgentError> {
        let mut batch = Batch::new(batch, &self.network.obs, self.target.device())?;
        for obs in [&mut batch.obs, &mut batch.next_obs] {
            *obs = self.config.augmentation.apply(obs, rng);
        }
        let target = no_grad(|| self.target(&batch, rng));
        let output = self.network.forward(self.online.params(), &batch.obs, &mut self.noise(rng));
        let (loss, priority) = self.loss(&output, &batch, &target);
        let mean_loss = (loss * &batch.weights).mean(Kind::Float);
        let step = self.adam(settings.progress);
        // A NaN in the loss is a NaN in the gradient, which `minimize` refuses.
        let (grad_norm, contrast) = match &mut self.distillation {
            None => (self.online.minimize(&mean_loss, step)?, ContrastReport::default()),
            Some(distillation) => {
                let student = (&*self.network as &dyn DecisionNetwork, &mut self.online);
                distillation.minimize(student, &mean_loss, step)?
            }
        };
        self.updates += 1;
        if self.updates.is_multiple_of(self.config.target_update_period_updates) {
            self.target.track(self.online.params(), self.config.target_ema_rate);
        }
        let mut report = UpdateReport {
            priorities: scalar::floats(&priority),
            contrast,
            ..UpdateReport::default()
        };
        if settings.detail {
            let q = no_grad(|| self.network.q_values(&output)); // [B, A]
            let error = report.priorities.iter().map(|&p| f64::from(p)).sum::<f64>()
                / report.priorities.len() as f64;
            report.metrics = vec![
                ("train/loss", scalar::double(&mean_loss)),
                ("train/grad_norm", grad_norm),
                ("train/learning_rate", step.learning_rate),
                ("train/q_mean", scalar::double(&q.mean(Kind::Float))),
                ("train/q_max", scalar::double(&q.max())),
                ("train/target_mean", scalar::double(&self.expected(&target))),
                (priority_name(self.network.distribution), error),
            ];
            report.histograms =
                vec![("train/q_values", scalar::floats(&q).into_iter().map(f64::from).collect())];
        }
        Ok(report)
    }

    fn distiller(&mut self) -> Option<Distiller<'_>> {
        self.distiller_at(0.0)
    }

    fn distiller_at(&mut self, progress: f64) -> Option<Distiller<'_>> {
        let step = self.adam(progress);
        let (network, online) = (&*self.network, &mut self.online);
        let distillation = self.distillation.as_mut()?;
        Some(Distiller { network, online, distillation, step })
    }

    fn freeze(&mut self, frozen: Frozen) {
        let layout = &self.network.layout;
        self.online.freeze(layout, |name| frozen.holds(layout, name));
    }

    fn pull_to_here(&mut self, coefficient: f64) {
        self.online.pull_to_here(coefficient);
    }

    fn renew(&mut self, part: Part, rng: &mut dyn Rng) {
        let layout = &self.network.layout;
        self.online.renew(layout, &layout.init(rng), |name| part.holds(layout, name));
    }

    fn settle(&mut self) {
        self.target.track(self.online.params(), 1.0);
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn policy(&self) -> Box<dyn Policy> {
        let params = Params::new(&self.network.layout, &self.online.values(), Device::Cpu, false);
        Box::new(DqnPolicy { network: Arc::clone(&self.network), params, noisy: self.config.noisy })
    }

    fn policy_params(&self) -> Vec<f32> {
        self.online.values()
    }

    fn num_params(&self) -> usize {
        self.network.layout.len()
    }

    fn save(&self) -> AgentState {
        let mut state = AgentState::default();
        self.online.save("online", &self.network.layout, &mut state);
        state.arrays.push(NamedArray::vector("target".into(), self.target.read()));
        state.counters.push(("updates".into(), self.updates));
        if let Some(distillation) = &self.distillation {
            distillation.save(&mut state);
        }
        state
    }

    fn restore(&mut self, state: &AgentState) -> Result<(), AgentError> {
        self.online.restore("online", &self.network.layout, state)?;
        self.target.write(state.array("target", &[self.network.layout.len() as i64])?);
        self.updates = state.counter("updates")?;
        match &mut self.distillation {
            Some(distillation) => distillation.restore(&self.network.layout, state),
            None => Ok(()),
        }
    }
}

fn priority_name(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::Mean => "train/td_error_abs_mean",
        Distribution::C51 => "train/cross_entropy_mean",
        Distribution::Quantile => "train/quantile_huber_mean",
    }
}

/// Greedy or exploring action choice by a Q-network.
struct DqnPolicy {
    network: Arc<QNetwork>,
    params: Params,
    noisy: bool,
}

impl Policy for DqnPolicy {
    fn load(&mut self, params: &[f32]) {
        self.params.write(params);
    }

    fn act(
        &mut self,
        obs: &ObsBatch,
        mode: ActMode,
        rng: &mut dyn Rng,
    ) -> Result<ActionBatch, AgentError> {
        let actions = self.network.actions;
        if mode == ActMode::Uniform {
            let rows = obs.len() / self.network.obs.len() as usize;
            return Ok(ActionBatch::Discrete(
                (0..rows).map(|_| rng.random_range(0..actions)).collect(),
            ));
        }
        let q = no_grad(|| {
            let x = obs_tensor(obs, &self.network.obs, Device::Cpu);
            let noisy = self.noisy && mode != ActMode::Greedy;
            let mut noise = if noisy { Noise::Fresh(rng) } else { Noise::Off };
            self.network.q_values(&self.network.forward(&self.params, &x, &mut noise)) // [N, A]
        });
        let mut chosen = Vec::with_capacity(q.size()[0] as usize);
        for row in scalar::floats(&q).chunks_exact(actions as usize) {
            let greedy = scalar::argmax(row, "a Q-value of the acting policy")?;
            chosen.push(match mode {
                ActMode::Explore { epsilon } if rng.random::<f64>() < epsilon => {
                    rng.random_range(0..actions)
                }
                _ => greedy,
            });
        }
        Ok(ActionBatch::Discrete(chosen))
    }
}
