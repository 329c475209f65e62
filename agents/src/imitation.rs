//! Imitation of demonstrated actions, from observation to update.

use crate::agent::{ActMode, Agent, Policy, UpdateReport, UpdateSettings};
use crate::contrast::{
    ContrastHeads, ContrastReport, DecisionNetwork, Distillation, Distiller, Frozen, Part,
    Representation,
};
use crate::nn::{Mlp, MlpOptions, Noise, obs_tensor};
use crate::optim::{AdamStep, Trainable};
use crate::params::{Layout, Params};
use crate::scalar;
use crate::trunk::{Reading, Trunk};
use crate::{
    ActionBatch, ActionSpec, AgentError, AgentState, Augmentation, Minibatch, NetworkConfig,
    ObsBatch, ObsSpec,
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad};

/// Imitation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImitationConfig {
    /// Adam's step size.
    pub learning_rate: f64,
    /// Adam's epsilon.
    pub adam_epsilon: f64,
    /// Largest global gradient norm; 0 switches clipping off.
    pub max_grad_norm: f64,
    /// Factor on half the squared norm of the parameters.
    pub l2: f64,
    /// How the observations that are learned from are varied.
    pub augmentation: Augmentation,
}

impl Default for ImitationConfig {
    fn default() -> Self {
        Self {
            learning_rate: 3e-4,
            adam_epsilon: 1e-8,
            max_grad_norm: 10.0,
            l2: 0.0,
            augmentation: Augmentation::None,
        }
    }
}

/// The structure of a classifier of observations by action.
#[derive(Debug)]
struct ActionNetwork {
    layout: Layout,
    obs: ObsSpec,
    trunk: Trunk,
    head: Mlp,
    heads: Option<ContrastHeads>,
    actions: i64,
}

impl ActionNetwork {
    fn new(
        (obs, actions): (&ObsSpec, i64),
        network: &NetworkConfig,
        representation: Option<&Representation>,
    ) -> Self {
        let mut layout = Layout::default();
        let layers = (network, network.hidden_units.as_slice());
        let tokens = representation.and_then(|r| r.tokens.as_ref());
        let trunk = Trunk::new(&mut layout, obs, layers, false, tokens);
        let head = Mlp::new(&mut layout, "head", &[trunk.inputs(), actions], MlpOptions::default());
        let heads = representation.map(|r| {
            let spec = ActionSpec::Discrete(actions);
            ContrastHeads::new(&mut layout, trunk.embedding(), &spec, &r.contrast)
        });
        Self { layout, obs: obs.clone(), trunk, head, heads, actions }
    }

    /// x: `[B, obs...]` -> logits `[B, A]`.
    fn forward(&self, params: &Params, x: &Tensor) -> Tensor {
        let reading = self.trunk.read(params, x, &mut Noise::Off);
        self.action_reading(params, &reading)
    }
}

impl DecisionNetwork for ActionNetwork {
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
        let input = self.trunk.decision_input(params, reading);
        self.head.forward(params, &input, &mut Noise::Off)
    }
}

/// Behavioral cloning: the policy is taught the actions of the minibatch, whoever chose them.
///
/// L = mean over the minibatch of -log softmax(f(o))_a, plus l2/2 |theta|^2.
///
/// # Source
/// Pomerleau 1989; with the settings of Agarwal et al. 2021 (arXiv 2101.05265) for the jumping
/// task in the configs.
///
/// # Differs
/// None.
#[derive(Debug)]
pub struct Imitation {
    config: ImitationConfig,
    network: Arc<ActionNetwork>,
    online: Trainable,
    distillation: Option<Distillation>,
    device: Device,
    updates: u64,
}

impl Imitation {
    /// A fresh agent for observations and `actions` discrete actions, with contrastive
    /// distillation if a representation is given.
    pub fn new(
        space: (&ObsSpec, i64),
        (network, representation): (&NetworkConfig, Option<&Representation>),
        config: &ImitationConfig,
        device: Device,
        rng: &mut dyn Rng,
    ) -> Self {
        let network = ActionNetwork::new(space, network, representation);
        let values = network.layout.init(rng);
        let online = Trainable::new(&network.layout, &values, device);
        let distillation = representation
            .map(|r| Distillation::new(r.contrast.clone(), &network.layout, &values, device));
        let (config, network) = (config.clone(), Arc::new(network));
        Self { config, network, online, distillation, device, updates: 0 }
    }

    fn adam(&self) -> AdamStep {
        AdamStep {
            learning_rate: self.config.learning_rate,
            epsilon: self.config.adam_epsilon,
            max_grad_norm: self.config.max_grad_norm,
        }
    }

    /// Half the squared norm of all parameters, times `l2`. A scalar.
    fn penalty(&self) -> Tensor {
        let squares = self.online.params().views().iter().map(|v| v.square().sum(Kind::Float));
        let sum = squares.reduce(|a, b| a + b);
        sum.unwrap_or_else(|| Tensor::from(0.0f32)) * (self.config.l2 / 2.0)
    }
}

impl Agent for Imitation {
    fn update(
        &mut self,
        batch: &Minibatch,
        settings: UpdateSettings,
        rng: &mut dyn Rng,
    ) -> Result<UpdateReport, AgentError> {
        let ActionBatch::Discrete(actions) = &batch.actions else {
            return Err(AgentError::Unsuitable(
                "imitation was given continuous actions; it needs discrete ones".into(),
            ));
        };
        let actions = Tensor::from_slice(actions).to_device(self.device);
        let weights = Tensor::from_slice(&batch.weights).to_device(self.device);
        let x = obs_tensor(&batch.obs, &self.network.obs, self.device);
        let x = self.config.augmentation.apply(&x, rng);
        let logits = self.network.forward(self.online.params(), &x); // [B, A]
        let log_probs = logits.log_softmax(-1, Kind::Float);
        let loss = -log_probs.gather(1, &actions.unsqueeze(1), false).select(1, 0); // [B]
        let mut mean_loss = (&loss * weights).mean(Kind::Float);
        if self.config.l2 > 0.0 {
            mean_loss += self.penalty();
        }
        let step = self.adam();
        let (grad_norm, contrast) = match &mut self.distillation {
            None => (self.online.minimize(&mean_loss, step)?, ContrastReport::default()),
            Some(distillation) => {
                let student = (&*self.network as &dyn DecisionNetwork, &mut self.online);
                distillation.minimize(student, &mean_loss, step)?
            }
        };
        self.updates += 1;
        let mut report =
            UpdateReport { priorities: scalar::floats(&loss), contrast, ..UpdateReport::default() };
        if settings.detail {
            let right = logits.argmax(-1, false).eq_tensor(&actions).to_kind(Kind::Float);
            report.metrics = vec![
                ("train/loss", scalar::double(&mean_loss)),
                ("train/accuracy", scalar::double(&right.mean(Kind::Float))),
                ("train/grad_norm", grad_norm),
                ("train/learning_rate", step.learning_rate),
            ];
        }
        Ok(report)
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

    fn distiller(&mut self) -> Option<Distiller<'_>> {
        let step = self.adam();
        let (network, online) = (&*self.network, &mut self.online);
        let distillation = self.distillation.as_mut()?;
        Some(Distiller { network, online, distillation, step })
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn policy(&self) -> Box<dyn Policy> {
        let params = Params::new(&self.network.layout, &self.online.values(), Device::Cpu, false);
        Box::new(ActionPolicy { network: Arc::clone(&self.network), params })
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
        state.counters.push(("updates".into(), self.updates));
        if let Some(distillation) = &self.distillation {
            distillation.save(&mut state);
        }
        state
    }

    fn restore(&mut self, state: &AgentState) -> Result<(), AgentError> {
        self.online.restore("online", &self.network.layout, state)?;
        self.updates = state.counter("updates")?;
        match &mut self.distillation {
            Some(distillation) => distillation.restore(&self.network.layout, state),
            None => Ok(()),
        }
    }
}

/// The most likely action.
struct ActionPolicy {
    network: Arc<ActionNetwork>,
    params: Params,
}

impl Policy for ActionPolicy {
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
            let uniform = (0..rows).map(|_| rng.random_range(0..actions)).collect();
            return Ok(ActionBatch::Discrete(uniform));
        }
        let logits = no_grad(|| {
            let x = obs_tensor(obs, &self.network.obs, Device::Cpu);
            self.network.forward(&self.params, &x) // [N, A]
        });
        let logits = scalar::floats(&logits);
        let mut chosen = Vec::with_capacity(logits.len() / actions as usize);
        for row in logits.chunks_exact(actions as usize) {
            let best = scalar::argmax(row, "a logit of the acting policy")?;
            chosen.push(match mode {
                ActMode::Explore { epsilon } if rng.random::<f64>() < epsilon => {
                    rng.random_range(0..actions)
                }
                _ => best,
            });
        }
        Ok(ActionBatch::Discrete(chosen))
    }
}
