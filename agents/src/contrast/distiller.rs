//! A student with everything that distils it.

use super::{CodedObs, ContrastTask, DecisionNetwork, Distillation, Frozen, Part};
use crate::nn::{Noise, obs_tensor};
use crate::optim::{AdamStep, Trainable};
use crate::params::Layout;
use crate::tokens::{self, DORMANT_THRESHOLD, TokenStats};
use crate::trunk::Reading;
use crate::{AgentError, ContrastBatch, ObsBatch, scalar};
use rand::Rng;
use tch::no_grad;

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

    /// One step on contrasts alone, beside the decision updates: with `contrast.gate = "detach"`
    /// encoder and shared layers stay as they are. Returns names and values of curves if asked for.
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
        self.distillation.minimize_contrast(student, (task, detail, true, rng), self.step)
    }

    /// One step of an alignment: contrasts alone, whatever else is distilled meanwhile and whatever
    /// the gate, for there is no decision to protect.
    ///
    /// # Errors
    /// As [`Distiller::update`].
    pub fn align(&mut self, batch: &ContrastBatch, rng: &mut dyn Rng) -> Result<(), AgentError> {
        let task = ContrastTask { batch, weight: 1.0, apart: false };
        let gate = std::mem::take(&mut self.distillation.distillation_gate);
        let student = (self.network, &mut *self.online);
        let done =
            self.distillation.minimize_contrast(student, (task, false, false, rng), self.step);
        self.distillation.distillation_gate = gate;
        done.map(|_| ())
    }

    /// Share of contrasts whose positive is closer than every negative.
    ///
    /// # Errors
    /// If the contrasts do not belong to the network.
    pub fn accuracy(&self, batch: &ContrastBatch) -> Result<f64, AgentError> {
        self.distillation.accuracy(self.network, self.online.params(), batch)
    }

    /// The same of the teacher.
    ///
    /// # Errors
    /// As [`Distiller::accuracy`].
    pub fn teacher_accuracy(&self, batch: &ContrastBatch) -> Result<f64, AgentError> {
        self.distillation.teacher_accuracy(self.network, batch)
    }

    /// What the teachers read in observations of these subspaces; see [`Distillation::code`].
    #[must_use]
    pub fn code(&self, obs: &ObsBatch, subspaces: &[u32]) -> CodedObs {
        self.distillation.code(self.network, obs, subspaces)
    }

    /// Leaves a part out of further updates.
    pub fn freeze(&mut self, frozen: Frozen) {
        let layout = self.network.layout();
        self.online.freeze(layout, |name| frozen.holds(layout, name));
    }

    /// Gives a part of the student fresh values. Networks that no contrast reaches, critics say,
    /// stay as they are.
    pub fn renew(&mut self, part: Part, rng: &mut dyn Rng) {
        let layout = self.network.layout();
        self.online.renew(layout, &layout.init(rng), |name| part.holds(layout, name));
    }

    /// The teacher goes into the pool, for the subspaces of the phase that ends.
    pub fn freeze_teacher(&mut self) {
        self.distillation.freeze_teacher(self.network.layout());
    }

    /// How much of its space the student's representation of `obs` uses.
    #[must_use]
    pub fn stats(&self, obs: &ObsBatch) -> RepresentationStats {
        let reading = self.reading(obs);
        let tokens = reading.tokens.as_ref().and_then(|tokens| {
            let groups = tokens.levels.size()[1] as usize;
            TokenStats::of(&tokens::code_bytes(tokens), groups, tokens.num_levels as usize)
        });
        RepresentationStats {
            tokens,
            effective_rank: tokens::effective_rank(&reading.h),
            dormant_units: tokens::dormant_units(&reading.h, DORMANT_THRESHOLD),
        }
    }

    fn reading(&self, obs: &ObsBatch) -> Reading {
        let params = self.online.params();
        no_grad(|| {
            let x = obs_tensor(obs, self.network.obs(), params.device());
            self.network.trunk().read(params, &x, &mut Noise::Off)
        })
    }

    /// Renews the dormant units of the embedding, by their activations on `obs`: fresh incoming
    /// weights, outgoing ones 0, moments forgotten. Returns how many there were. Without hidden
    /// layers below the embedding there is nothing to renew.
    ///
    /// # Source
    /// ReDo: Sokar et al. 2023 (arXiv 2302.12902), algorithm 1.
    ///
    /// # Differs
    /// The embedding layer alone, which is what the heads and the tokens read. Without tokens the
    /// decision stays as it is; with them a code can change, for tokens are of the normalised
    /// embedding, whose scale a unit that wakes up moves.
    pub fn renew_dormant(&mut self, obs: &ObsBatch, rng: &mut dyn Rng) -> usize {
        let mask = tokens::dormant_mask(&self.reading(obs).h, DORMANT_THRESHOLD);
        let dormant: Vec<bool> = scalar::floats(&mask).iter().map(|v| *v > 0.0).collect();
        let count = dormant.iter().filter(|d| **d).count();
        if count > 0 {
            renew_units(self.network.layout(), self.online, &dormant, rng);
        }
        count
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

/// How much of its space a representation uses.
#[derive(Clone, Debug, PartialEq)]
pub struct RepresentationStats {
    /// Of the codes; none without tokens.
    pub tokens: Option<TokenStats>,
    /// Effective rank of the embeddings, 1 to D.
    pub effective_rank: f64,
    /// Share of dormant units of the embedding, 0 to 1.
    pub dormant_units: f64,
}

impl RepresentationStats {
    /// Names and values of curves.
    #[must_use]
    pub fn curves(&self) -> Vec<(&'static str, f64)> {
        let mut curves = vec![
            ("tokens/effective_rank", self.effective_rank),
            ("tokens/dormant_units", self.dormant_units),
        ];
        if let Some(tokens) = &self.tokens {
            curves.extend([
                ("tokens/usage", tokens.usage),
                ("tokens/codes", tokens.codes as f64),
                ("tokens/perplexity", tokens.perplexity),
                ("tokens/group_perplexity", tokens.group_perplexity),
                ("tokens/dormant_groups", tokens.dormant),
            ]);
        }
        curves
    }
}

/// Renews units of the last shared layer. What reads the embedding has it in its first columns.
fn renew_units(layout: &Layout, online: &mut Trainable, dormant: &[bool], rng: &mut dyn Rng) {
    let shared = |name: &str| name.starts_with("shared/");
    let mut weights = layout.entries().iter().filter(|e| shared(&e.name) && e.shape.len() == 2);
    let Some(last) = weights.next_back().and_then(|e| e.name.rsplit_once('/')) else { return };
    let last = format!("{}/", last.0);
    let fresh = layout.init(rng);
    let mut elements = Vec::new(); // (element, new value)
    for entry in layout.entries() {
        let own = entry.name.starts_with(&last);
        // Below the embedding, or of the code, which can be as wide as the embedding.
        let elsewhere = ["encoder/", "shared/", "tokens_embedding/"];
        let reads = !elsewhere.iter().any(|part| entry.name.starts_with(part))
            && entry.name.contains("/0/")
            && entry.shape.len() == 2
            && entry.shape[1] as usize >= dormant.len();
        if !own && !reads {
            continue;
        }
        let columns = entry.shape.get(1).map_or(1, |c| *c as usize);
        for (unit, _) in dormant.iter().enumerate().filter(|(_, dormant)| **dormant) {
            if own {
                let row = entry.offset + unit * columns;
                elements.extend((row..row + columns).map(|i| (i, fresh[i])));
            } else {
                let rows = 0..entry.shape[0] as usize;
                elements.extend(rows.map(|row| (entry.offset + row * columns + unit, 0.0)));
            }
        }
    }
    online.renew_elements(&elements);
}
