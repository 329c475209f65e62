//! The teacher, its pool, and how a step joins contrasts with the decision.

use super::indices::shared_len;
use super::loss::View;
use super::measured::gradient_metrics;
use super::{CodedObs, ContrastConfig, ContrastReport, ContrastTask, DecisionNetwork};
use crate::gate::{self, GateRule};
use crate::nn::{Noise, obs_tensor};
use crate::optim::{AdamStep, Trainable};
use crate::params::{Layout, Params};
use crate::{AgentError, ContrastBatch, ObsBatch, scalar, tokens};
use rand::Rng;
use std::collections::VecDeque;
use tch::{Device, Kind, Tensor, no_grad};

/// Teacher, pool and books of contrastive distillation; the student is the agent's own.
#[derive(Debug)]
pub struct Distillation {
    pub(super) config: ContrastConfig,
    pub(super) teacher: Params,
    /// Teachers frozen at shifts, the oldest first; each teaches its own subspaces.
    pub(super) pool: VecDeque<FrozenTeacher>,
    pub(super) teacher_fixed: bool,
    /// Weight of the KL term, 0 to 1: return-gated by the runtime.
    pub(super) distillation_gate: f64,
    /// Subspaces of the current phase; none where there are no phases.
    pub(super) current_subspaces: Vec<u32>,
    /// Contrasts that wait for the next decision update.
    pub(super) staged: Option<Staged>,
    /// Decision direction and joint direction of the last joint update, on the shared parameters.
    pub(super) last: Option<(Tensor, Tensor)>,
}

/// A teacher as it was when its phase ended.
#[derive(Debug)]
pub(super) struct FrozenTeacher {
    /// What it taught in.
    pub(super) subspaces: Vec<u32>,
    pub(super) params: Params,
}

/// Contrasts that wait for a decision update.
#[derive(Debug)]
pub(super) struct Staged {
    loss: Tensor,             // scalar; with its graph, if there is no gradient yet
    gradient: Option<Tensor>, // [P]
    per_anchor: Tensor,       // [B]
    /// Whether curves are asked for.
    detail: bool,
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
            teacher_fixed: false,
            distillation_gate: 1.0,
            current_subspaces: Vec::new(),
            staged: None,
            last: None,
        }
    }

    /// Computes the loss of contrasts, and its gradient if that is wanted apart, for the next
    /// [`Distillation::minimize`] to join.
    ///
    /// # Errors
    /// If the contrasts do not belong to the network.
    pub fn stage(
        &mut self,
        (network, online): (&dyn DecisionNetwork, &Trainable),
        (task, detail): (ContrastTask<'_>, bool),
        rng: &mut dyn Rng,
    ) -> Result<Vec<(&'static str, f64)>, AgentError> {
        let detach = self.config.gate == GateRule::Detach;
        let view = View { detach, rng: Some(rng) };
        let loss = self.loss((network, online.params()), (task.batch, detail), view)?;
        let weighted = &loss.total * task.weight;
        let gated = !matches!(self.config.gate, GateRule::Off | GateRule::Detach);
        let gradient = (task.apart || gated).then(|| online.gradient(&weighted)).transpose()?;
        let metrics = self.metrics(&loss, task.batch);
        let per_anchor = loss.per_anchor;
        self.staged = Some(Staged { loss: weighted, gradient, per_anchor, detail });
        Ok(metrics)
    }

    /// Loss of each anchor that is staged, `[B]`.
    #[must_use]
    pub fn staged_losses(&self) -> Vec<f32> {
        self.staged.as_ref().map(|staged| scalar::floats(&staged.per_anchor)).unwrap_or_default()
    }

    /// One step on the decision loss, jointly with the staged contrasts if there are any: in one
    /// backward pass, or in two where the gradients are compared. Returns the norm of the joint
    /// gradient.
    ///
    /// # Errors
    /// [`AgentError::NotFinite`] if a loss or gradient is NaN or infinite.
    pub fn minimize(
        &mut self,
        (network, online): (&dyn DecisionNetwork, &mut Trainable),
        decision_loss: &Tensor,
        step: AdamStep,
    ) -> Result<(f64, ContrastReport), AgentError> {
        let shared = shared_len(network.layout());
        let staged = self.staged.take();
        let measured = staged.as_ref().is_some_and(|staged| staged.gradient.is_some());
        let (norm, report) = if measured || self.last.is_some() {
            self.minimize_apart((online, shared), (decision_loss, staged), step)?
        } else {
            minimize_at_once((online, shared), (decision_loss, staged), step)?
        };
        self.track(online.params());
        Ok((norm, report))
    }

    /// Two backward passes.
    fn minimize_apart(
        &mut self,
        (online, shared): (&mut Trainable, i64),
        (decision_loss, staged): (&Tensor, Option<Staged>),
        step: AdamStep,
    ) -> Result<(f64, ContrastReport), AgentError> {
        let decision = online.gradient(decision_loss)?; // [P]
        let decision_shared = decision.narrow(0, 0, shared);
        let mut report =
            ContrastReport { last_gain: self.gain(&decision_shared), ..ContrastReport::default() };
        let Some(Staged { loss, gradient, detail, .. }) = staged else {
            let norm = online.apply(&decision, decision_loss, step)?;
            self.last = None;
            return Ok((norm, report));
        };
        let is_measured = gradient.is_some();
        let auxiliary = match gradient {
            Some(gradient) => gradient,
            None => online.gradient(&loss)?,
        };
        let gated = gate::gate(&decision, &auxiliary, 0..shared, self.config.gate);
        let joint = &decision + &gated.gradient;
        if detail {
            report.metrics = gradient_metrics(&gated);
        }
        let loss = decision_loss.detach() + loss.detach();
        let norm = online.apply(&joint, &loss, step)?;
        // Not before: an update that is refused leaves what the one before has to tell.
        self.last = is_measured.then(|| (decision_shared, joint.narrow(0, 0, shared)));
        Ok((norm, report))
    }

    /// One step on contrasts alone. Of the gates it keeps to `detach`, if `is_gated`; the others
    /// compare with a decision gradient, and there is none.
    ///
    /// # Errors
    /// [`AgentError::NotFinite`] if the loss or gradient is NaN or infinite.
    pub fn minimize_contrast(
        &mut self,
        (network, online): (&dyn DecisionNetwork, &mut Trainable),
        (task, detail, is_gated, rng): (ContrastTask<'_>, bool, bool, &mut dyn Rng),
        step: AdamStep,
    ) -> Result<Vec<(&'static str, f64)>, AgentError> {
        let detach = is_gated && self.config.gate == GateRule::Detach;
        let view = View { detach, rng: Some(rng) };
        let loss = self.loss((network, online.params()), (task.batch, detail), view)?;
        online.minimize_reached(&(&loss.total * task.weight), step)?;
        self.track(online.params());
        Ok(self.metrics(&loss, task.batch))
    }

    /// The teacher follows the student, unless it is fixed.
    fn track(&mut self, student: &Params) {
        if !self.teacher_fixed {
            self.teacher.track(student, self.config.teacher_ema_rate);
        }
    }

    /// Whether the teacher stays as it is from now on.
    pub fn fix_teacher(&mut self, fixed: bool) {
        self.teacher_fixed = fixed;
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
        let view = View { detach: false, rng: None };
        let loss = no_grad(|| self.loss((network, online), (batch, true), view))?;
        let accuracy = loss.measured.map(|m| scalar::double(&m.accuracy.mean(Kind::Float)));
        Ok(accuracy.unwrap_or_default())
    }

    /// The same of the teacher.
    ///
    /// # Errors
    /// If the contrasts do not belong to the network.
    pub fn teacher_accuracy(
        &self,
        network: &dyn DecisionNetwork,
        batch: &ContrastBatch,
    ) -> Result<f64, AgentError> {
        self.accuracy(network, &self.teacher, batch)
    }

    /// Tokens and action readings of observations of these subspaces, `[N]`, as bytes. Tokens are
    /// compared with each other, so the present teacher reads all of them; how to act is known by
    /// the teacher of each subspace.
    #[must_use]
    pub fn code(
        &self,
        network: &dyn DecisionNetwork,
        obs: &ObsBatch,
        subspaces: &[u32],
    ) -> CodedObs {
        let (reading, actions) = no_grad(|| {
            let x = obs_tensor(obs, network.obs(), self.teacher.device());
            let reading = network.trunk().read(&self.teacher, &x, &mut Noise::Off);
            let actions = network.action_reading(&self.teacher, &reading); // [N, A]
            let actions = self.with_frozen(network, &x, (subspaces, actions));
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

    /// How much the last contrast turned the step towards `decision`.
    fn gain(&self, decision: &Tensor) -> Option<f64> {
        let (before, joint) = self.last.as_ref()?;
        let dots = [
            decision.dot(joint),
            decision.dot(before),
            decision.dot(decision),
            joint.dot(joint),
            before.dot(before),
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

    /// Settings.
    #[must_use]
    pub fn config(&self) -> &ContrastConfig {
        &self.config
    }

    /// Sets the factor of the KL term, 0 to 1, and the subspaces of the phase that begins.
    pub fn set_phase(&mut self, distillation_gate: f64, current_subspaces: Vec<u32>) {
        self.distillation_gate = distillation_gate.clamp(0.0, 1.0);
        self.current_subspaces = current_subspaces;
    }

    /// Puts a copy of the teacher into the pool, for the subspaces of the phase that ends; the
    /// oldest leaves a full one.
    pub fn freeze_teacher(&mut self, layout: &Layout) {
        // An older one for these subspaces alone would never be asked again.
        let current = &self.current_subspaces;
        self.pool.retain(|frozen| !frozen.subspaces.iter().all(|own| current.contains(own)));
        if self.pool.len() == self.config.teacher_pool.max(1) {
            self.pool.pop_front();
        }
        let params = Params::new(layout, &self.teacher.read(), self.teacher.device(), false);
        self.pool.push_back(FrozenTeacher { subspaces: self.current_subspaces.clone(), params });
    }

    /// Who teaches in `subspace` in place of the present teacher: the newest that was frozen there,
    /// unless the subspace is current again.
    fn frozen_in(&self, subspace: u32) -> Option<&FrozenTeacher> {
        if self.current_subspaces.contains(&subspace) {
            return None;
        }
        self.pool.iter().rev().find(|frozen| frozen.subspaces.contains(&subspace))
    }

    /// The present teacher's action readings `[N, A]` of x `[N, obs...]`, those in subspaces of a
    /// frozen teacher replaced by what that one reads.
    pub(super) fn with_frozen(
        &self,
        network: &dyn DecisionNetwork,
        x: &Tensor,
        (subspaces, mut actions): (&[u32], Tensor),
    ) -> Tensor {
        for frozen in &self.pool {
            let is_own = |subspace: &u32| {
                self.frozen_in(*subspace).is_some_and(|own| std::ptr::eq(own, frozen))
            };
            let rows = (0i64..).zip(subspaces).filter(|(_, subspace)| is_own(subspace));
            let rows: Vec<i64> = rows.map(|(row, _)| row).collect();
            if rows.is_empty() {
                continue;
            }
            let rows = Tensor::from_slice(&rows).to_device(x.device());
            let seen = x.index_select(0, &rows);
            let reading = network.trunk().read(&frozen.params, &seen, &mut Noise::Off);
            let own = network.action_reading(&frozen.params, &reading);
            actions = actions.index_copy(0, &rows, &own);
        }
        actions
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
}

/// One backward pass. What curves need is computed beside it and changes nothing.
fn minimize_at_once(
    (online, shared): (&mut Trainable, i64),
    (decision_loss, staged): (&Tensor, Option<Staged>),
    step: AdamStep,
) -> Result<(f64, ContrastReport), AgentError> {
    let mut report = ContrastReport::default();
    let Some(Staged { loss, detail, .. }) = staged else {
        return Ok((online.minimize(decision_loss, step)?, report));
    };
    if detail {
        let decision = online.gradient_of_many(decision_loss)?;
        let auxiliary = online.gradient_of_many(&loss)?;
        report.metrics =
            gradient_metrics(&gate::gate(&decision, &auxiliary, 0..shared, GateRule::Off));
    }
    Ok((online.minimize(&(decision_loss + loss), step)?, report))
}
