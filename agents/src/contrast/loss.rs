//! The loss of a batch of contrasts, and of what the teacher does.

use super::Distillation;
use super::indices::{Cosines, Indices};
use super::measured::{ContrastLoss, Measured};
use super::{ContrastHeads, DecisionNetwork, DistillOn, Objective};
use crate::nn::{Noise, obs_tensor};
use crate::params::Params;
use crate::trunk::Reading;
use crate::{AgentError, ContrastBatch, Relation, losses, scalar};
use rand::Rng;
use tch::{Kind, Tensor, no_grad};

/// How a student looks at a batch.
pub(super) struct View<'a> {
    /// Whether gradients stop at the embedding.
    pub(super) detach: bool,
    /// Numbers for the augmentation; none for no augmentation.
    pub(super) rng: Option<&'a mut dyn Rng>,
}

/// Who is compared with whom, as read.
struct Read {
    /// `[B, ...]` each reading of the anchors, or of what is expected after them.
    anchors: Vec<Tensor>,
    /// The student's reading of the anchors.
    anchor: Reading,
    /// `[N, ...]` each reading of what they are compared with.
    keys: Vec<Tensor>,
    /// Loss of reward and continuation, a scalar.
    outcome: Option<Tensor>,
}

impl Distillation {
    /// The student's view is augmented, if the config says so, by numbers of `rng`; where views are
    /// what is contrasted, so is the teacher's, by other numbers.
    pub(super) fn loss(
        &self,
        (network, student): (&dyn DecisionNetwork, &Params),
        (batch, detail): (&ContrastBatch, bool),
        view: View<'_>,
    ) -> Result<ContrastLoss, AgentError> {
        let Some(heads) = network.contrast_heads() else {
            return Err(AgentError::Unsuitable("the network has no contrast heads".into()));
        };
        let device = student.device();
        let x = obs_tensor(&batch.obs, network.obs(), device); // [N, obs...]
        let rows = |indices: &[i64]| Tensor::from_slice(indices).to_device(device);
        let anchor_rows = rows(&batch.anchors); // [B]
        let View { detach, mut rng } = view;
        let mut varied = || match &mut rng {
            Some(rng) => self.config.augmentation.apply(&x, *rng),
            None => x.shallow_clone(),
        };
        let view = varied();
        let shown =
            if batch.relation == Relation::MultiView { varied() } else { x.shallow_clone() };
        let trunk = network.trunk();
        let read = if batch.relation == Relation::Predictive {
            let all = self.read((network, student), &view, detach);
            self.expected((network, heads, student), (&all, &anchor_rows), batch)?
        } else {
            let seen = view.index_select(0, &anchor_rows);
            let anchor = self.read((network, student), &seen, detach);
            let keys = no_grad(|| {
                let taught = trunk.read(&self.teacher, &shown, &mut Noise::Off);
                heads.views(&self.teacher, &taught)
            });
            Read { anchors: heads.views(student, &anchor), anchor, keys, outcome: None }
        };
        let Read { anchors, anchor: anchor_reading, keys, outcome } = read;
        let indices = Indices::new(batch, device);
        let cosines: Vec<Cosines> =
            anchors.iter().zip(&keys).map(|(a, k)| Cosines::of(a, k, &indices)).collect();
        let losses = cosines.iter().map(|cosines| self.contrast(cosines, &indices));
        let per_anchor = losses.reduce(|a, b| a + b).unwrap_or(Tensor::from(0.0f32));
        let per_anchor = per_anchor / cosines.len() as f64; // mean over readings, [B]
        let distilled = self.distillation(network, (student, &anchor_reading), (&x, batch));
        let mut total = per_anchor.mean(Kind::Float);
        if let Some(outcome) = &outcome {
            total += outcome * self.config.outcome_weight;
        }
        if let Some(distilled) = &distilled {
            total += distilled * self.config.distillation_weight;
        }
        let measured = detail.then(|| {
            let first_positive = keys[0].index_select(0, &indices.positives.select(1, 0));
            no_grad(|| Measured {
                accuracy: losses::contrast_accuracy(&cosines[0].logits(&indices)),
                alignment: losses::alignment(&anchors[0], &first_positive),
                uniformity: losses::uniformity(&keys[0]),
                outcome: outcome.as_ref().map_or(0.0, scalar::double),
                distillation: distilled.as_ref().map_or(0.0, scalar::double),
            })
        });
        Ok(ContrastLoss { total, per_anchor: per_anchor.detach(), measured })
    }

    /// A predictive contrast: what the latent dynamics expect is the anchor, what the student reads
    /// are the keys.
    fn expected(
        &self,
        (network, heads, student): (&dyn DecisionNetwork, &ContrastHeads, &Params),
        (all, anchor_rows): (&Reading, &Tensor),
        batch: &ContrastBatch,
    ) -> Result<Read, AgentError> {
        let (trunk, device) = (network.trunk(), student.device());
        let float = |values: &[f32]| Tensor::from_slice(values).to_device(device);
        let h = all.h.index_select(0, anchor_rows);
        let actions = heads.knowledge.actions(&batch.actions, device)?;
        let expected = heads.knowledge.expected(student, &h, &actions);
        let loss = expected.outcome_loss(&float(&batch.rewards), &float(&batch.continues));
        let mut keys = heads.views(student, all);
        if self.config.objective == Objective::SquaredError {
            // Without negatives, a gradient through both sides would pull everything to one point.
            keys = keys.iter().map(Tensor::detach).collect();
        }
        Ok(Read {
            anchors: heads.views(student, &trunk.reading(student, expected.h)),
            anchor: trunk.reading(student, h),
            keys,
            outcome: Some(loss.mean(Kind::Float)),
        })
    }

    /// The student's reading. Detached, no gradient goes below the embedding, nor is it computed.
    fn read(
        &self,
        (network, student): (&dyn DecisionNetwork, &Params),
        x: &Tensor,
        detach: bool,
    ) -> Reading {
        let trunk = network.trunk();
        if detach {
            let h = no_grad(|| trunk.embed(student, x, &mut Noise::Off));
            trunk.reading(student, h)
        } else {
            trunk.read(student, x, &mut Noise::Off)
        }
    }

    /// Loss `[B]` of one reading.
    fn contrast(&self, cosines: &Cosines, indices: &Indices) -> Tensor {
        match self.config.objective {
            Objective::Contrast => {
                let logits = cosines.logits(indices);
                losses::debiased(&logits, self.config.temperature, &self.config.debias)
            }
            Objective::SquaredError => {
                losses::squared_error(&cosines.positive, &indices.positive_weights)
            }
            Objective::None => cosines.positive.select(1, 0) * 0.0,
        }
    }

    /// What a teacher does at `x` `[B, obs...]`, `[B, A]`: that of each anchor's own subspace where
    /// what the teachers of earlier phases knew is kept, else the present one.
    fn taught(&self, network: &dyn DecisionNetwork, x: &Tensor, subspaces: &[u32]) -> Tensor {
        let reading = network.trunk().read(&self.teacher, x, &mut Noise::Off);
        let actions = network.action_reading(&self.teacher, &reading);
        match self.config.distill_on {
            DistillOn::Earlier => self.with_frozen(network, x, (subspaces, actions)),
            DistillOn::Current | DistillOn::All => actions,
        }
    }

    /// Mean KL(teacher || student), or squared distance of continuous actions, over the anchors that
    /// `distill_on` names. A scalar; none where nothing is distilled.
    fn distillation(
        &self,
        network: &dyn DecisionNetwork,
        (student, reading): (&Params, &Reading),
        (x, batch): (&Tensor, &ContrastBatch),
    ) -> Option<Tensor> {
        if self.distillation_gate * self.config.distillation_weight == 0.0 {
            return None;
        }
        let device = student.device();
        let of_old = |(memory, subspace): (&f32, &u32)| match self.config.distill_on {
            DistillOn::Earlier if self.current_subspaces.contains(subspace) => 0.0,
            DistillOn::Earlier => *memory,
            DistillOn::Current => 1.0 - memory,
            DistillOn::All => 1.0,
        };
        let weights: Vec<f32> =
            batch.from_memory.iter().zip(&batch.subspaces).map(of_old).collect();
        let total: f32 = weights.iter().sum();
        if total == 0.0 {
            return None;
        }
        let rows = Tensor::from_slice(&batch.anchors).to_device(device);
        let taught = no_grad(|| self.taught(network, &x.index_select(0, &rows), &batch.subspaces));
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
        Some((distance * weights).sum(Kind::Float) / f64::from(total) * self.distillation_gate)
    }
}
