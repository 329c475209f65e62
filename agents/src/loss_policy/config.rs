//! Section `[loss_policy]` of a config.

use super::arm::{Arm, arms};
use crate::{AgentError, Relation};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Arms beyond this are never tried often enough to be told apart.
const MAX_ARMS: usize = 256;

/// Who chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossPolicyKind {
    /// The only arm.
    Fixed,
    /// Every arm alike.
    Uniform,
    /// Discounted upper confidence bounds (Garivier and Moulines 2011).
    DiscountedUcb,
    /// Exponential weights that follow a changing best arm (Auer et al. 2002).
    #[serde(rename = "exp3_s")]
    Exp3S,
    /// Softmax preferences, by default of the state (Sutton and Barto 2018, section 2.8).
    GradientBandit,
}

impl LossPolicyKind {
    /// Whether what an arm is worth is of interest: there is more than one.
    #[must_use]
    pub const fn compares(self) -> bool {
        !matches!(self, Self::Fixed)
    }
}

/// Which contrasts there are to choose from, and who chooses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossPolicyConfig {
    /// Who chooses.
    pub kind: LossPolicyKind,
    /// Relations of the arms, none twice.
    pub relations: Vec<Relation>,
    /// Hardnesses of the negatives of the arms, 0 to 100, none twice; 0 is random negatives.
    pub betas: Vec<f64>,
    /// Weights of the contrastive loss of the arms (lambda), above 0 and up to 1000, none twice.
    pub weights: Vec<f64>,
    /// Whether one more arm is no contrast.
    pub with_none: bool,
    /// Auxiliary updates for which an arm is kept, 1 to 1e6. These are one round.
    pub period_updates: u64,
    /// What is left of an old reward after each round, above 0 and up to 1: of discounted UCB, of
    /// the baseline of the gradient bandit, and of the discounted figures in the curves.
    pub discount: f64,
    /// Factor of discounted UCB's bonus for doubt (2 B √ξ in the paper), 0 to 100. About the
    /// difference between good and bad arms, in units of `reward_scale`.
    pub exploration: f64,
    /// Step size of the gradient bandit, above 0 and up to 100.
    pub learning_rate: f64,
    /// Whether the gradient bandit sees the state of the run.
    pub state_features: bool,
    /// Share of choices that are uniform, in EXP3.S (gamma; above 0) and in the gradient bandit,
    /// 0 to 1.
    pub uniform_share: f64,
    /// What arms share of their weights each round in EXP3.S (alpha), 0 to 1; about one over the
    /// rounds of a run.
    pub weight_sharing: f64,
    /// Size of a large reward, above 0 and up to 1e6: the learner sees reward / scale cut to
    /// -1 ... 1.
    pub reward_scale: f64,
    /// What is left of the old value in a moving average of each arm's rewards, which the learner
    /// then sees in place of the rewards, 0 to below 1; 0 is off.
    pub reward_smoothing: f64,
}

impl Default for LossPolicyConfig {
    fn default() -> Self {
        Self {
            kind: LossPolicyKind::DiscountedUcb,
            relations: Relation::DEFAULT.to_vec(),
            betas: vec![0.0, 1.0],
            weights: vec![0.1],
            with_none: true,
            period_updates: 8,
            discount: 0.98,
            exploration: 0.3,
            learning_rate: 0.5,
            state_features: true,
            uniform_share: 0.2,
            weight_sharing: 1e-3,
            reward_scale: 1.0,
            reward_smoothing: 0.0,
        }
    }
}

impl LossPolicyConfig {
    /// The grid of arms.
    #[must_use]
    pub fn arms(&self) -> Vec<Arm> {
        arms(&self.relations, &self.betas, &self.weights, self.with_none)
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// All faults, a sentence each with key, value and what is allowed.
    pub fn check(&self) -> Result<(), AgentError> {
        let mut faults = Faults(Vec::new());
        self.check_lists(&mut faults);
        let period = self.period_updates;
        faults.unless((1..=1_000_000).contains(&period), "period_updates", period, "1 to 1000000");
        faults.above_zero("discount", self.discount, 1.0);
        faults.within("exploration", self.exploration, 0.0..=100.0);
        faults.above_zero("learning_rate", self.learning_rate, 100.0);
        if self.kind == LossPolicyKind::Exp3S {
            faults.above_zero("uniform_share", self.uniform_share, 1.0);
        } else {
            faults.within("uniform_share", self.uniform_share, 0.0..=1.0);
        }
        faults.within("weight_sharing", self.weight_sharing, 0.0..=1.0);
        faults.above_zero("reward_scale", self.reward_scale, 1e6);
        let smoothing = self.reward_smoothing;
        let fits = (0.0..1.0).contains(&smoothing);
        faults.unless(fits, "reward_smoothing", smoothing, "0 to below 1");
        if faults.0.is_empty() { Ok(()) } else { Err(AgentError::Unsuitable(faults.0.join("; "))) }
    }

    fn check_lists(&self, faults: &mut Faults) {
        let repeated = |i: usize| self.relations[..i].contains(&self.relations[i]);
        if let Some(i) = (0..self.relations.len()).find(|&i| repeated(i)) {
            let name = self.relations[i].as_str();
            faults.add("relations", format!("names \"{name}\" twice; each may be there once"));
        }
        faults.list("betas", &self.betas, |beta| (0.0..=100.0).contains(&beta), "0 to 100");
        let fits = |weight: f64| weight > 0.0 && weight <= 1000.0;
        faults.list("weights", &self.weights, fits, "above 0 and up to 1000");
        let grid = self.relations.len().saturating_mul(self.betas.len());
        let arms = grid.saturating_mul(self.weights.len()) + usize::from(self.with_none);
        let (relations, betas, weights) =
            (self.relations.len(), self.betas.len(), self.weights.len());
        if relations > 0 && (grid == 0 || weights == 0) {
            let lists = format!("betas has {betas} values and weights {weights}");
            faults.add("relations", format!("has no arms because {lists}; each needs one or more"));
        } else if arms == 0 {
            let text = "is empty while with_none is false; name a relation or allow none";
            faults.add("relations", text.to_owned());
        } else if arms > MAX_ARMS {
            let grid = format!("{relations} relations x {betas} betas x {weights} weights");
            faults.add("relations", format!("gives {arms} arms ({grid}); at most {MAX_ARMS}"));
        } else if self.kind == LossPolicyKind::Fixed && arms > 1 {
            faults.add("kind", format!("is \"fixed\" with {arms} arms; it needs exactly 1"));
        }
    }
}

/// Sentences about keys of the section.
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, key: &str, text: String) {
        self.0.push(format!("loss_policy.{key} {text}"));
    }

    fn unless(&mut self, fits: bool, key: &str, value: impl std::fmt::Display, allowed: &str) {
        if !fits {
            self.add(key, format!("is {value}; allowed is {allowed}"));
        }
    }

    /// `contains` is false for NaN.
    fn within(&mut self, key: &str, value: f64, range: RangeInclusive<f64>) {
        let allowed = format!("{} to {}", range.start(), range.end());
        self.unless(range.contains(&value), key, value, &allowed);
    }

    fn above_zero(&mut self, key: &str, value: f64, most: f64) {
        let allowed = format!("above 0 and up to {most}");
        self.unless(value > 0.0 && value <= most, key, value, &allowed);
    }

    fn list(&mut self, key: &str, values: &[f64], fits: impl Fn(f64) -> bool, allowed: &str) {
        for (i, &value) in values.iter().enumerate() {
            self.unless(fits(value), &format!("{key}[{i}]"), value, allowed);
            if values[..i].contains(&value) {
                self.add(key, format!("names {value} twice; each may be there once"));
            }
        }
    }
}
