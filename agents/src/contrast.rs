//! Contrastive distillation, from contrasts to a step of the network's parameters.
//!
//! A student (the online network) reads anchors, a teacher (its moving average) reads what they
//! are compared with, and the loss pulls the student's reading towards the positives and away from
//! the negatives. One relation is special: in a *predictive* contrast the anchor is what latent
//! dynamics expect after an action, and the student reads what followed.

use crate::augment::Augmentation;
use crate::gate::{self, GateRule};
use crate::knowledge::Knowledge;
use crate::losses::{self, ContrastLogits, Debias};
use crate::nn::{Mlp, MlpOptions, Noise, obs_tensor};
use crate::optim::{AdamStep, Trainable};
use crate::params::{Layout, Params};
use crate::tokens::TokenConfig;
use crate::trunk::{Reading, Trunk};
use crate::{
    ActionSpec, AgentError, AgentState, ContrastBatch, NamedArray, ObsBatch, ObsSpec, Relation,
    scalar, tokens,
};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use tch::{Device, Kind, Tensor, no_grad};

/// What a contrast is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The contrastive loss.
    Contrast,
    /// Normalised squared error to the positives, negatives unused: the ablation that takes the
    /// contrast out (Schwarzer et al. 2021, SPR).
    SquaredError,
}

/// The learner's side of contrastive distillation.
#[derive(Clone, Debug, PartialEq)]
pub struct ContrastConfig {
    /// Divides the cosines, above 0.
    pub temperature: f64,
    /// Units of a linear projection before cosines are taken; 0 = the embedding itself.
    pub projection_units: i64,
    /// Units of the hidden layer of the latent dynamics and of the outcome head.
    pub dynamics_units: i64,
    /// What a contrast is made into.
    pub objective: Objective,
    /// Assumed share of false negatives and hardness of the importance weights.
    pub debias: Debias,
    /// eta: factor on KL(teacher || student) of the action readings, on anchors from memory.
    pub distillation_weight: f64,
    /// Divides the logits of action readings, above 0.
    pub policy_temperature: f64,
    /// Factor on the loss of the reward and continuation heads, in predictive contrasts.
    pub outcome_weight: f64,
    /// How the student's view of an observation is varied.
    pub augmentation: Augmentation,
    /// What happens to an auxiliary gradient that opposes the decision gradient.
    pub gate: GateRule,
    /// Fraction of the student mixed into the teacher after every update.
    pub teacher_ema_rate: f64,
    /// Frozen teachers that are kept, at least 1.
    pub teacher_pool: usize,
}

/// What a network is built with to be distilled.
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// Its tokens; none = embeddings alone.
    pub tokens: Option<TokenConfig>,
    /// Its contrasts.
    pub contrast: ContrastConfig,
}

/// A decision network that can be distilled.
pub trait DecisionNetwork {
    /// All parameters.
    fn layout(&self) -> &Layout;
    /// Observations.
    fn obs(&self) -> &ObsSpec;
    /// The part that reads them.
    fn trunk(&self) -> &Trunk;
    /// Heads of contrastive distillation, if the network was built with them.
    fn contrast_heads(&self) -> Option<&ContrastHeads>;
    /// Logits of discrete actions or means of continuous ones in [-1, 1], `[B, A]`.
    fn action_reading(&self, params: &Params, reading: &Reading) -> Tensor;
}

/// Parameters that only contrastive distillation uses. They live in the network's layout, behind
/// the others, so that snapshots, checkpoints and the optimiser know nothing of them.
#[derive(Debug)]
pub struct ContrastHeads {
    projection: Option<Mlp>,
    knowledge: Knowledge,
    discrete: bool,
    action_len: i64,
}

impl ContrastHeads {
    /// Heads for embeddings of length `embedding`.
    pub fn new(
        layout: &mut Layout,
        embedding: i64,
        action: &ActionSpec,
        config: &ContrastConfig,
    ) -> Self {
        let units = config.projection_units;
        let projection = (units > 0)
            .then(|| Mlp::new(layout, "projection", &[embedding, units], MlpOptions::default()));
        let knowledge = Knowledge::new(layout, embedding, action, config.dynamics_units);
        let (discrete, action_len) = match action {
            ActionSpec::Discrete(n) => (true, *n),
            ActionSpec::Box { low, .. } => (false, low.len() as i64),
        };
        Self { projection, knowledge, discrete, action_len }
    }

    /// What cosines are taken of: the projected embedding and the tokens, `[B, ...]` each.
    fn views(&self, params: &Params, reading: &Reading) -> Vec<Tensor> {
        let feature = match &self.projection {
            Some(projection) => projection.forward(params, &reading.h, &mut Noise::Off),
            None => reading.h.shallow_clone(),
        };
        let tokens = reading.tokens.iter().map(|tokens| tokens.values.shallow_clone());
        std::iter::once(feature).chain(tokens).collect()
    }
}

/// A group of parameters that a shift may renew and align.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Nothing.
    None,
    /// The layers that touch the observation: the torso, or the first layer where it has none.
    Stem,
    /// The latent dynamics.
    Dynamics,
    /// Everything but the decision heads.
    All,
}

impl Part {
    /// The name as written in configs and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Stem => "stem",
            Self::Dynamics => "dynamics",
            Self::All => "all",
        }
    }

    /// Whether the parameter `name` of `layout` belongs to it.
    #[must_use]
    pub fn holds(self, layout: &Layout, name: &str) -> bool {
        let torso = layout.entries().iter().any(|entry| entry.name.starts_with("encoder/"));
        let stem = if torso { "encoder/" } else { "shared/0/" };
        let dynamics = name.starts_with("dynamics/");
        match self {
            Self::None => false,
            Self::Stem => name.starts_with(stem),
            Self::Dynamics => dynamics,
            Self::All => {
                let parts = ["encoder/", "shared/", "tokens", "projection/", "outcome/"];
                dynamics || parts.iter().any(|part| name.starts_with(part))
            }
        }
    }
}

/// Contrasts with the factor on their loss.
#[derive(Clone, Copy, Debug)]
pub struct ContrastTask<'a> {
    /// The contrasts.
    pub batch: &'a ContrastBatch,
    /// lambda.
    pub weight: f64,
}

/// What a contrastive update gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContrastReport {
    /// How much the contrast update *before* this one turned the step towards this update's
    /// decision gradient: cos(g, d + lambda a) - cos(g, d), of the decision gradient g now, and d
    /// and the auxiliary gradient a then, on the shared parameters. None if there was none, -2 to 2.
    pub last_gain: Option<f64>,
    /// Names and values of curves; empty unless asked for.
    pub metrics: Vec<(&'static str, f64)>,
}

/// Teacher's readings of observations as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodedObs {
    /// `[N, G]` levels; empty without tokens.
    pub codes: Vec<u8>,
    /// `[N, A]` probabilities or means as 0..255.
    pub policies: Vec<u8>,
}

/// Teacher, pool and books of contrastive distillation; the student is the agent's own.
#[derive(Debug)]
pub struct Distillation {
    config: ContrastConfig,
    teacher: Params,
    /// Teachers frozen at shifts, the oldest first.
    pool: VecDeque<Vec<f32>>,
    /// Weight of the KL term, 0 to 1: return-gated by the runtime.
    distillation_gate: f64,
    /// Subspaces that the KL term leaves out: those of the current phase.
    current_subspaces: Vec<u32>,
    /// Contrasts that wait for the next decision update.
    staged: Option<Staged>,
    /// Decision direction and joint direction of the last joint update, on the shared parameters.
    last: Option<(Tensor, Tensor)>,
}

#[derive(Debug)]
struct Staged {
    gradient: Tensor, // [P]
    loss: Tensor,     // scalar
}

struct ContrastLoss {
    total: Tensor,      // scalar
    per_anchor: Tensor, // [B]
    accuracy: Tensor,   // [B]
    alignment: Tensor,  // scalar
    uniformity: Tensor, // scalar
    outcome: f64,
    distillation: f64,
}

impl Distillation {
    /// Without a pool; the teacher starts as the student.
    #[must_use]
    pub fn new(config: ContrastConfig, layout: &Layout, values: &[f32], device: Device) -> Self {
        let teacher = Params::new(layout, values, device, false);
        Self {
            config,
            teacher,
            pool: VecDeque::new(),
            distillation_gate: 1.0,
            current_subspaces: Vec::new(),
            staged: None,
            last: None,
        }
    }

    /// Computes the gradient of contrasts, for the next [`Distillation::minimize`] to join.
    ///
    /// # Errors
    /// If the contrasts do not belong to the network.
    pub fn stage(
        &mut self,
        (network, online): (&dyn DecisionNetwork, &Trainable),
        (task, detail): (ContrastTask<'_>, bool),
        rng: &mut dyn Rng,
    ) -> Result<Vec<(&'static str, f64)>, AgentError> {
        let loss = self.loss((network, online.params()), task.batch, Some(rng))?;
        let weighted = &loss.total * task.weight;
        let gradient = online.gradient(&weighted)?;
        self.staged = Some(Staged { gradient, loss: weighted.detach() });
        Ok(if detail { self.metrics(&loss, task.batch) } else { Vec::new() })
    }

    /// One step on the decision loss, jointly with the staged contrasts if there are any. The two
    /// losses read different observations, so their backward passes are apart and cost what one
    /// would. Returns the norm of the joint gradient.
    ///
    /// # Errors
    /// [`AgentError::NotFinite`] if a loss or gradient is NaN or infinite.
    pub fn minimize(
        &mut self,
        (network, online): (&dyn DecisionNetwork, &mut Trainable),
        (decision_loss, detail): (&Tensor, bool),
        step: AdamStep,
    ) -> Result<(f64, ContrastReport), AgentError> {
        let decision = online.gradient(decision_loss)?; // [P]
        let shared = shared_len(network.layout());
        let decision_shared = decision.narrow(0, 0, shared);
        let mut report =
            ContrastReport { last_gain: self.gain(&decision_shared), ..ContrastReport::default() };
        let norm = match self.staged.take() {
            None => online.apply(&decision, decision_loss, step)?,
            Some(staged) => {
                let gated =
                    gate::gate(&decision, &staged.gradient, 0..shared, self.config.gate);
                let joint = &decision + &gated.gradient;
                self.last = Some((decision_shared.copy(), joint.narrow(0, 0, shared).copy()));
                if detail {
                    report.metrics = vec![
                        ("aux/gradient_cosine", gated.cosine),
                        ("aux/decision_gradient_norm", gated.decision_norm),
                        ("aux/auxiliary_gradient_norm", gated.auxiliary_norm),
                        ("aux/gradient_dropped", f64::from(u8::from(gated.dropped))),
                    ];
                }
                online.apply(&joint, &(decision_loss.detach() + staged.loss), step)?
            }
        };
        self.teacher.track(online.params(), self.config.teacher_ema_rate);
        Ok((norm, report))
    }

    /// One step on contrasts alone.
    ///
    /// # Errors
    /// [`AgentError::NotFinite`] if the loss or gradient is NaN or infinite.
    pub fn minimize_contrast(
        &mut self,
        (network, online): (&dyn DecisionNetwork, &mut Trainable),
        (task, detail, rng): (ContrastTask<'_>, bool, &mut dyn Rng),
        step: AdamStep,
    ) -> Result<Vec<(&'static str, f64)>, AgentError> {
        let loss = self.loss((network, online.params()), task.batch, Some(rng))?;
        online.minimize(&(&loss.total * task.weight), step)?;
        self.teacher.track(online.params(), self.config.teacher_ema_rate);
        Ok(if detail { self.metrics(&loss, task.batch) } else { Vec::new() })
    }

    /// Share of contrasts whose positive is closer than every negative.
    ///
    /// # Errors
    /// If the contrasts do not belong to the network.
    pub fn accuracy(
        &self,
        network: &dyn DecisionNetwork,
        online: &Params,
        batch: &ContrastBatch,
    ) -> Result<f64, AgentError> {
        let loss = no_grad(|| self.loss((network, online), batch, None))?;
        Ok(scalar::double(&loss.accuracy.mean(Kind::Float)))
    }

    /// Teacher's tokens and action readings of observations, as bytes.
    #[must_use]
    pub fn code(&self, network: &dyn DecisionNetwork, obs: &ObsBatch) -> CodedObs {
        let (reading, actions) = no_grad(|| {
            let x = obs_tensor(obs, network.obs(), self.teacher.device());
            let reading = network.trunk().read(&self.teacher, &x, &mut Noise::Off);
            let actions = network.action_reading(&self.teacher, &reading); // [N, A]
            (reading, actions)
        });
        let unit = if network.contrast_heads().is_some_and(|heads| heads.discrete) {
            (actions / self.config.policy_temperature).softmax(-1, Kind::Float)
        } else {
            (actions + 1.0) / 2.0
        };
        let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        let policies = scalar::floats(&unit).into_iter().map(byte).collect();
        let codes = reading.tokens.as_ref().map(tokens::code_bytes).unwrap_or_default();
        CodedObs { codes, policies }
    }

    /// How much the last contrast turned the step towards `decision`; forgets it.
    fn gain(&mut self, decision: &Tensor) -> Option<f64> {
        let (before, joint) = self.last.take()?;
        let dots = [
            decision.dot(&joint),
            decision.dot(&before),
            decision.dot(decision),
            joint.dot(&joint),
            before.dot(&before),
        ];
        let numbers = scalar::floats(&Tensor::stack(&dots, 0));
        let [joint_dot, before_dot, own, joint_norm, before_norm] = numbers[..] else {
            unreachable!("five numbers were stacked")
        };
        let cosine = |dot: f32, norm: f32| {
            let scale = (f64::from(own) * f64::from(norm)).sqrt();
            if scale > 0.0 { f64::from(dot) / scale } else { 0.0 }
        };
        Some(cosine(joint_dot, joint_norm) - cosine(before_dot, before_norm))
    }

    /// The student's view is augmented, if the config says so, by numbers of `rng`.
    fn loss(
        &self,
        (network, student): (&dyn DecisionNetwork, &Params),
        batch: &ContrastBatch,
        rng: Option<&mut dyn Rng>,
    ) -> Result<ContrastLoss, AgentError> {
        let Some(heads) = network.contrast_heads() else {
            return Err(AgentError::Unsuitable("the network has no contrast heads".into()));
        };
        let device = student.device();
        let x = obs_tensor(&batch.obs, network.obs(), device); // [N, obs...]
        let rows = |indices: &[i64]| Tensor::from_slice(indices).to_device(device);
        let anchor_rows = rows(&batch.anchors); // [B]
        let view = match rng {
            Some(rng) => self.config.augmentation.apply(&x, rng),
            None => x.shallow_clone(),
        };
        let float = |values: &[f32]| Tensor::from_slice(values).to_device(device);
        let trunk = network.trunk();
        let (mut outcome, mut outcome_value) = (Tensor::from(0.0f32).to_device(device), 0.0);
        let (anchors, anchor_reading, keys) = if batch.relation == Relation::Predictive {
            let all = trunk.read(student, &view, &mut Noise::Off);
            let h = all.h.index_select(0, &anchor_rows);
            let actions = heads.knowledge.actions(&batch.actions, device)?;
            let expected = heads.knowledge.expected(student, &h, &actions);
            outcome = expected
                .outcome_loss(&float(&batch.rewards), &float(&batch.continues))
                .mean(Kind::Float);
            outcome_value = scalar::double(&outcome);
            let anchors = heads.views(student, &trunk.reading(student, expected.h));
            (anchors, trunk.reading(student, h), heads.views(student, &all))
        } else {
            let reading = trunk.read(student, &view.index_select(0, &anchor_rows), &mut Noise::Off);
            let keys = no_grad(|| {
                let taught = trunk.read(&self.teacher, &x, &mut Noise::Off);
                heads.views(&self.teacher, &taught)
            });
            (heads.views(student, &reading), reading, keys)
        };
        let indices = Indices::new(batch, device);
        let mut per_anchor = Vec::new();
        let mut accuracy = Vec::new();
        for (anchor, key) in anchors.iter().zip(&keys) {
            let (loss, right) = self.contrast(anchor, key, &indices);
            per_anchor.push(loss);
            accuracy.push(right);
        }
        let readings = per_anchor.len() as f64;
        let per_anchor =
            per_anchor.into_iter().reduce(|a, b| a + b).unwrap_or(outcome.copy()) / readings;
        let first_positive = keys[0].index_select(0, &indices.positives.select(1, 0));
        let alignment = no_grad(|| losses::alignment(&anchors[0], &first_positive));
        let uniformity = no_grad(|| losses::uniformity(&keys[0]));
        let distilled = self.distillation(network, (student, &anchor_reading), (&x, batch));
        let total = per_anchor.mean(Kind::Float)
            + outcome * self.config.outcome_weight
            + &distilled * self.config.distillation_weight;
        let accuracy = accuracy.swap_remove(0);
        let distillation = scalar::double(&distilled);
        Ok(ContrastLoss {
            total,
            per_anchor: per_anchor.detach(),
            accuracy,
            alignment,
            uniformity,
            outcome: outcome_value,
            distillation,
        })
    }

    /// Loss and correctness `[B]` of one reading: anchors `[B, D]` against keys `[N, D]`.
    fn contrast(&self, anchors: &Tensor, keys: &Tensor, indices: &Indices) -> (Tensor, Tensor) {
        let unit =
            |t: &Tensor| t / t.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true).clamp_min(1e-8);
        let cosines = unit(anchors).matmul(&unit(keys).transpose(0, 1)); // [B, N]
        let positive = cosines.gather(1, &indices.positives, false); // [B, P]
        let negative = cosines.gather(1, &indices.negatives, false); // [B, K]
        let logits = ContrastLogits {
            positive: &positive,
            positive_weight: &indices.positive_weights,
            negative: &negative,
            negative_weight: &indices.negative_weights,
        };
        let loss = match self.config.objective {
            Objective::Contrast => {
                losses::debiased(&logits, self.config.temperature, &self.config.debias)
            }
            // 2 - 2 cos, weighted over the positives.
            Objective::SquaredError => {
                let distance: Tensor = (1.0 - &positive) * 2.0;
                (distance * &indices.positive_weights).sum_dim_intlist(
                    [-1i64].as_slice(),
                    false,
                    Kind::Float,
                )
            }
        };
        (loss, no_grad(|| losses::contrast_accuracy(&logits)))
    }

    /// Mean KL(teacher || student), or squared distance of continuous actions, over anchors from
    /// memory that are not of the current subspaces. A scalar.
    fn distillation(
        &self,
        network: &dyn DecisionNetwork,
        (student, reading): (&Params, &Reading),
        (x, batch): (&Tensor, &ContrastBatch),
    ) -> Tensor {
        let device = student.device();
        let zero = || Tensor::from(0.0f32).to_device(device);
        let of_old = |(memory, subspace): (&f32, &u32)| {
            if self.current_subspaces.contains(subspace) { 0.0 } else { *memory }
        };
        let weights: Vec<f32> =
            batch.from_memory.iter().zip(&batch.subspaces).map(of_old).collect();
        let total: f32 = weights.iter().sum();
        if total == 0.0 || self.distillation_gate * self.config.distillation_weight == 0.0 {
            return zero();
        }
        let rows = Tensor::from_slice(&batch.anchors).to_device(device);
        let taught = no_grad(|| {
            let reading =
                network.trunk().read(&self.teacher, &x.index_select(0, &rows), &mut Noise::Off);
            network.action_reading(&self.teacher, &reading)
        });
        let own = network.action_reading(student, reading);
        let discrete = network.contrast_heads().is_some_and(|heads| heads.discrete);
        let distance = if discrete {
            let temperature = self.config.policy_temperature;
            let taught = (taught / temperature).softmax(-1, Kind::Float);
            losses::distillation_kl(&taught, &(own / temperature))
        } else {
            (taught - own).square().mean_dim([-1i64].as_slice(), false, Kind::Float)
        };
        let weights = Tensor::from_slice(&weights).to_device(device);
        (distance * weights).sum(Kind::Float) / f64::from(total) * self.distillation_gate
    }

    fn metrics(&self, loss: &ContrastLoss, batch: &ContrastBatch) -> Vec<(&'static str, f64)> {
        let per_anchor = scalar::floats(&loss.per_anchor);
        let accuracy = scalar::floats(&loss.accuracy);
        let negatives = f64::from(batch.negative_weights.iter().sum::<f32>()) / batch.len() as f64;
        let mean = |values: &[f32], current: Option<bool>| {
            let chosen = values.iter().zip(&batch.subspaces).filter(|(_, subspace)| {
                current.is_none_or(|c| self.current_subspaces.contains(subspace) == c)
            });
            let (sum, count) =
                chosen.fold((0.0, 0u32), |(sum, count), (v, _)| (sum + f64::from(*v), count + 1));
            (count > 0).then(|| sum / f64::from(count))
        };
        let mut metrics = vec![
            ("aux/loss", scalar::double(&loss.total)),
            ("aux/negatives", negatives),
            ("aux/alignment", scalar::double(&loss.alignment)),
            ("aux/uniformity", scalar::double(&loss.uniformity)),
            ("aux/outcome_loss", loss.outcome),
            ("aux/distillation", loss.distillation),
        ];
        let bound = |loss| losses::information_bound(loss, negatives);
        let named = [
            ("aux/accuracy", mean(&accuracy, None)),
            ("aux/bound", mean(&per_anchor, None).map(bound)),
            ("aux/bound_current", mean(&per_anchor, Some(true)).map(bound)),
            ("aux/bound_earlier", mean(&per_anchor, Some(false)).map(bound)),
        ];
        metrics.extend(named.into_iter().filter_map(|(name, value)| Some((name, value?))));
        metrics
    }

    /// Settings.
    #[must_use]
    pub fn config(&self) -> &ContrastConfig {
        &self.config
    }

    /// Sets the factor of the KL term, 0 to 1, and the subspaces that it leaves out.
    pub fn set_phase(&mut self, distillation_gate: f64, current_subspaces: Vec<u32>) {
        self.distillation_gate = distillation_gate.clamp(0.0, 1.0);
        self.current_subspaces = current_subspaces;
    }

    /// Puts a copy of the teacher into the pool, the oldest leaving a full one.
    pub fn freeze_teacher(&mut self) {
        if self.pool.len() == self.config.teacher_pool.max(1) {
            self.pool.pop_front();
        }
        self.pool.push_back(self.teacher.read());
    }

    /// The teacher starts anew from these parameters.
    pub fn set_teacher(&mut self, values: &[f32]) {
        self.teacher.write(values);
    }

    /// The teacher's parameters.
    #[must_use]
    pub fn teacher_values(&self) -> Vec<f32> {
        self.teacher.read()
    }

    /// Appends teacher, pool and phase to `state`.
    pub fn save(&self, state: &mut AgentState) {
        state.arrays.push(NamedArray::vector("teacher".into(), self.teacher.read()));
        for (i, values) in self.pool.iter().enumerate() {
            state.arrays.push(NamedArray::vector(format!("teacher_pool/{i}"), values.clone()));
        }
        state.counters.push(("teacher_pool".into(), self.pool.len() as u64));
        let subspaces = self.current_subspaces.iter().map(|s| *s as f32).collect();
        state.arrays.push(NamedArray::vector("current_subspaces".into(), subspaces));
        let gate = vec![self.distillation_gate as f32];
        state.arrays.push(NamedArray::vector("distillation_gate".into(), gate));
        if let Some((before, joint)) = &self.last {
            let mut push = |name: &str, t: &Tensor| {
                state.arrays.push(NamedArray::vector(name.into(), scalar::floats(t)));
            };
            push("last_direction/decision", before);
            push("last_direction/joint", joint);
        }
    }
}

impl Distillation {
    /// Takes back what [`Distillation::save`] wrote.
    ///
    /// # Errors
    /// [`AgentError::BadState`] for a missing array or one of another shape.
    pub fn restore(&mut self, layout: &Layout, state: &AgentState) -> Result<(), AgentError> {
        let len = [layout.len() as i64];
        self.teacher.write(state.array("teacher", &len)?);
        let frozen = 0..state.counter("teacher_pool")?;
        let frozen = frozen.map(|i| Ok(state.array(&format!("teacher_pool/{i}"), &len)?.to_vec()));
        self.pool = frozen.collect::<Result<_, AgentError>>()?;
        self.distillation_gate = f64::from(state.array("distillation_gate", &[1])?[0]);
        let subspaces = state.arrays.iter().find(|a| a.name == "current_subspaces");
        self.current_subspaces =
            subspaces.map_or(Vec::new(), |a| a.values.iter().map(|v| *v as u32).collect());
        let shared = [shared_len(layout)];
        let direction = |name: &str| {
            let values = state.array(name, &shared).ok()?;
            Some(Tensor::from_slice(values).to_device(self.teacher.device()))
        };
        self.last = direction("last_direction/decision").zip(direction("last_direction/joint"));
        Ok(())
    }
}

/// A student with everything that distils it: what the runtime works on at a shift and between
/// decision updates.
pub struct Distiller<'a> {
    /// Structure of the network.
    pub network: &'a dyn DecisionNetwork,
    /// The student.
    pub online: &'a mut Trainable,
    /// Teacher and books.
    pub distillation: &'a mut Distillation,
    /// How a step is taken.
    pub step: AdamStep,
}

impl Distiller<'_> {
    /// Computes the gradient of contrasts, for the agent's next update to join. Returns names and
    /// values of curves if asked for.
    ///
    /// # Errors
    /// If the contrasts do not belong to the network.
    pub fn stage(
        &mut self,
        task: ContrastTask<'_>,
        detail: bool,
        rng: &mut dyn Rng,
    ) -> Result<Vec<(&'static str, f64)>, AgentError> {
        self.distillation.stage((self.network, self.online), (task, detail), rng)
    }

    /// One step on contrasts alone. Returns names and values of curves if asked for.
    ///
    /// # Errors
    /// [`AgentError::NotFinite`] if the loss or gradient is NaN or infinite.
    pub fn update(
        &mut self,
        task: ContrastTask<'_>,
        detail: bool,
        rng: &mut dyn Rng,
    ) -> Result<Vec<(&'static str, f64)>, AgentError> {
        let student = (self.network, &mut *self.online);
        self.distillation.minimize_contrast(student, (task, detail, rng), self.step)
    }

    /// Share of contrasts whose positive is closer than every negative.
    ///
    /// # Errors
    /// If the contrasts do not belong to the network.
    pub fn accuracy(&self, batch: &ContrastBatch) -> Result<f64, AgentError> {
        self.distillation.accuracy(self.network, self.online.params(), batch)
    }

    /// Teacher's tokens and action readings of observations.
    #[must_use]
    pub fn code(&self, obs: &ObsBatch) -> CodedObs {
        self.distillation.code(self.network, obs)
    }

    /// Leaves a part, or all but a part, out of further updates; [`Part::None`] frozen: all learn.
    pub fn freeze(&mut self, frozen: Frozen) {
        let layout = self.network.layout();
        self.online.freeze(layout, |name| match frozen {
            Frozen::Nothing => false,
            Frozen::Knowledge => name.starts_with("dynamics/") || name.starts_with("outcome/"),
            Frozen::AllBut(part) => !part.holds(layout, name),
        });
    }

    /// Gives a part fresh values and forgets its moments.
    pub fn renew(&mut self, part: Part, rng: &mut dyn Rng) {
        let layout = self.network.layout();
        let fresh = layout.init(rng);
        self.online.renew(layout, &fresh, |name| part.holds(layout, name));
    }

    /// The student's parameters.
    #[must_use]
    pub fn values(&self) -> Vec<f32> {
        self.online.values()
    }

    /// Overwrites the student, whose moments are forgotten.
    pub fn start_from(&mut self, values: &[f32]) {
        self.online.renew(self.network.layout(), values, |_| true);
    }
}

/// What updates leave alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// Nothing.
    Nothing,
    /// Latent dynamics and outcome heads: what was learned of the world on the sources.
    Knowledge,
    /// Everything but a part.
    AllBut(Part),
}

/// Who is compared with whom, as tensors.
struct Indices {
    positives: Tensor,        // [B, P] i64
    positive_weights: Tensor, // [B, P]
    negatives: Tensor,        // [B, K] i64
    negative_weights: Tensor, // [B, K]
}

impl Indices {
    fn new(batch: &ContrastBatch, device: Device) -> Self {
        let shape = [batch.len() as i64, -1];
        let rows = |v: &[i64]| Tensor::from_slice(v).to_device(device).view(shape);
        let weights = |v: &[f32]| Tensor::from_slice(v).to_device(device).view(shape);
        Self {
            positives: rows(&batch.positives),
            positive_weights: weights(&batch.positive_weights),
            negatives: rows(&batch.negatives),
            negative_weights: weights(&batch.negative_weights),
        }
    }
}

/// Elements of encoder and shared layers, which a layout has first.
fn shared_len(layout: &Layout) -> i64 {
    let own = layout.entries().iter().take_while(|entry| {
        ["encoder/", "shared/"].iter().any(|part| entry.name.starts_with(part))
    });
    own.map(|entry| entry.len as i64).sum()
}
