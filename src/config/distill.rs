//! Sections of contrastive distillation: `[contrast]`, `[tokens]`, `[teacher]`, `[memory]`,
//! `[shift]`; `[loss_policy]` is `contrail_agents::loss_policy::LossPolicyConfig`.

use crate::contrast::{AfterEnd, BehaviorOf};
use contrail_agents::Augmentation;
use contrail_agents::contrast::{
    ContrastConfig, DistillOn, Frozen, Objective, Part, Representation,
};
use contrail_agents::gate::GateRule;
use contrail_agents::loss_policy::LossPolicyConfig;
use contrail_agents::losses::Debias;
use contrail_agents::tokens::TokenConfig;
use serde::{Deserialize, Serialize};

/// Section `[contrast]`: what a contrast is and what is made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContrastSection {
    /// Whether there is contrastive distillation at all.
    pub enabled: bool,
    /// Contrast updates for each decision update; a fraction skips updates, more than 1 adds
    /// updates on contrasts alone.
    pub updates_per_update: f64,
    /// Updates before the first contrast.
    pub warmup_updates: u64,
    /// B: anchors of a contrast batch.
    pub anchors: usize,
    /// P: positives of an anchor, at most.
    pub positives: usize,
    /// K: negatives of an anchor, at most.
    pub negatives: usize,
    /// Candidates for negatives, shared by the anchors of a batch.
    pub candidates: usize,
    /// How negatives are chosen from the candidates.
    pub negative_law: NegativeLawName,
    /// Share of anchors from memory; the others come from the current stream.
    pub memory_share: f64,
    /// Share of the anchors from memory that are drawn by return, and by surprise; the rest
    /// uniformly.
    pub memory_by_return: f64,
    /// See `memory_by_return`.
    pub memory_by_surprise: f64,
    /// Whether an anchor is drawn again, up to 64 times, until an action follows that was chosen
    /// uniformly: for rare ones.
    pub balance_actions: bool,
    /// Most env steps between an anchor and its temporal positive; also within which the same
    /// episode gives no negative.
    pub temporal_max_env_steps: usize,
    /// Env steps that behavior is compared over.
    pub distance_horizon_env_steps: usize,
    /// Discount factor of an env step in the behavioral distance.
    pub distance_gamma: f64,
    /// Factor on the difference of rewards in the behavioral distance.
    pub distance_reward_weight: f64,
    /// Whose behavior it compares.
    pub distance_behavior: BehaviorOf,
    /// What it compares an episode by that has ended.
    pub distance_after_end: AfterEnd,
    /// Width of the weights of soft positives, exp(-d / width).
    pub positive_width: f64,
    /// Behavioral positives are at most this far.
    pub positive_distance: f64,
    /// delta: negatives are farther than this in behavioral distance.
    pub negative_distance: f64,
    /// Divides cosines.
    pub temperature: f64,
    /// Units of a linear projection before cosines are taken; 0 = none.
    pub projection_units: i64,
    /// What a contrast is made into.
    pub objective: Objective,
    /// Assumed share of false negatives among negatives, 0 to below 1.
    pub false_negative_share: f64,
    /// Exponent of the importance weights of hard negatives within the loss; 0 = none.
    pub loss_hardness: f64,
    /// Units of the hidden layer of latent dynamics and outcome heads.
    pub dynamics_units: i64,
    /// Factor on the loss of reward and continuation in predictive contrasts.
    pub outcome_weight: f64,
    /// What happens to an auxiliary gradient that opposes the decision gradient.
    pub gate: GateRule,
    /// How the student's view is varied.
    pub augmentation: Augmentation,
    /// Ablation: positives are exchanged among the anchors, which keeps the compute and kills the
    /// information.
    pub shuffled: bool,
}

/// How negatives are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NegativeLawName {
    /// With probability proportional to exp(beta * token similarity), beta by the loss policy.
    Weighted,
    /// The most alike in tokens.
    Hardest,
}

impl Default for ContrastSection {
    fn default() -> Self {
        Self {
            enabled: false,
            updates_per_update: 0.125,
            warmup_updates: 0,
            anchors: 32,
            positives: 1,
            negatives: 16,
            candidates: 32,
            negative_law: NegativeLawName::Weighted,
            memory_share: 0.5,
            memory_by_return: 0.25,
            memory_by_surprise: 0.25,
            balance_actions: false,
            temporal_max_env_steps: 3,
            distance_horizon_env_steps: 4,
            distance_gamma: 0.9,
            distance_reward_weight: 1.0,
            distance_behavior: BehaviorOf::Teacher,
            distance_after_end: AfterEnd::Unlike,
            positive_width: 0.25,
            positive_distance: f64::INFINITY,
            negative_distance: 0.25,
            temperature: 0.1,
            projection_units: 0,
            objective: Objective::Contrast,
            false_negative_share: 0.0,
            loss_hardness: 0.0,
            dynamics_units: 128,
            outcome_weight: 1.0,
            gate: GateRule::Drop,
            augmentation: Augmentation::None,
            shuffled: false,
        }
    }
}

/// Section `[teacher]`: who is distilled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TeacherSection {
    /// Fraction of the student mixed into the teacher after every update; 0 = the teacher stays as
    /// it began (the random teacher of the ablation), 1 = the student itself.
    pub ema_rate: f64,
    /// Teachers frozen at shifts that are kept.
    pub pool: usize,
    /// eta: factor on KL(teacher || student) of action readings, on the anchors of `distill_on`.
    pub distillation_weight: f64,
    /// Which anchors that is for: those of earlier subspaces, those of the current stream, or all.
    pub distill_on: DistillOn,
    /// Whether the teacher stays as it is after a shift.
    pub fixed_after_shift: bool,
    /// Divides Q-values or logits in action readings.
    pub policy_temperature: f64,
    /// Whether the KL fades as the student's return comes up to the teacher's.
    pub gate_by_return: bool,
}

impl Default for TeacherSection {
    fn default() -> Self {
        Self {
            ema_rate: 0.01,
            pool: 4,
            distillation_weight: 0.0,
            distill_on: DistillOn::Earlier,
            fixed_after_shift: false,
            policy_temperature: 0.5,
            gate_by_return: true,
        }
    }
}

/// Section `[memory]`: the episodic memory that contrasts are drawn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemorySection {
    /// Segments of all subspaces together, an equal share each.
    pub segments: usize,
    /// Newest segments that count as the current stream.
    pub recent_segments: usize,
    /// Env steps of a segment.
    pub segment_env_steps: usize,
    /// Segments that the teacher reads, new ones or anew, for each decision update; they are read
    /// together with the next contrast.
    pub coded_per_update: f64,
    /// Updates after which what the teacher read of a segment is old and is read again.
    pub readings_age_updates: u64,
}

impl Default for MemorySection {
    fn default() -> Self {
        Self {
            segments: 10_000,
            recent_segments: 512,
            segment_env_steps: 8,
            coded_per_update: 1.0,
            readings_age_updates: 2000,
        }
    }
}

/// Section `[shift]`: what happens when the subspace shifts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShiftSection {
    /// What counts as a shift.
    pub detect: Detect,
    /// Whether the replay begins anew; learning then waits for `learner.learning_starts_env_steps`.
    pub clear_replay: bool,
    /// What the student starts from.
    pub start: Start,
    /// Env steps of the target that the guard may spend on comparing starts.
    pub guard_env_steps: u64,
    /// Env steps with uniformly random actions before learning goes on; an expert's actions where
    /// `actors.behavior` is "expert".
    pub random_env_steps: u64,
    /// The part that is aligned by contrasts alone before joint learning; "none" = no alignment.
    pub align: Align,
    /// Contrast updates of the alignment, at most.
    pub align_updates: u64,
    /// Contrast updates without a gain of the held-out accuracy after which the alignment ends;
    /// 0 = none do.
    pub align_patience_updates: u64,
    /// B: anchors of an alignment batch.
    pub align_anchors: usize,
    /// Adam's step size of the alignment.
    pub align_learning_rate: f64,
    /// What stays as the sources taught it: nothing, the knowledge (latent dynamics and outcome
    /// heads), or the encoder with the shared layers.
    pub freeze: Frozen,
    /// Factor on half the squared distance to the parameters at the shift; 0 = none.
    pub l2_to_start: f64,
    /// Episodes of the subspace that ends by which student and teacher are compared; the better
    /// one is the next teacher. 0 = the teacher stays.
    pub judge_episodes: u32,
    /// Whether dormant units of the embedding are renewed.
    pub renew_dormant: bool,
    /// Share of the contrast accuracy above chance whose loss counts as a shift, where shifts are
    /// detected.
    pub accuracy_drop: f64,
}

/// What counts as a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detect {
    /// Nothing.
    Off,
    /// What the schedule declares.
    Declared,
    /// A drop of the contrast accuracy on the current stream.
    Accuracy,
}

/// What a student starts from after a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Where it is.
    Keep,
    /// Fresh parameters.
    Fresh,
    /// Where it is, with a fresh input stem.
    RenewStem,
    /// Where it is, with fresh decision heads.
    NewHead,
    /// The aligned start (or a renewed stem), the source as it was, or fresh parameters, by short
    /// evaluations.
    Guard,
}

/// Which part is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// None.
    None,
    /// The layers that touch the observation, renewed.
    Stem,
    /// The latent dynamics.
    Dynamics,
    /// Everything but the decision heads.
    All,
    /// The smallest part whose held-out contrast accuracy is near the best.
    Choose,
}

impl Align {
    /// The part, if it is declared.
    #[must_use]
    pub fn part(self) -> Option<Part> {
        match self {
            Self::None => Some(Part::None),
            Self::Stem => Some(Part::Stem),
            Self::Dynamics => Some(Part::Dynamics),
            Self::All => Some(Part::All),
            Self::Choose => None,
        }
    }
}

impl Default for ShiftSection {
    fn default() -> Self {
        Self {
            detect: Detect::Off,
            clear_replay: false,
            start: Start::Keep,
            guard_env_steps: 0,
            random_env_steps: 0,
            align: Align::None,
            align_updates: 3000,
            align_patience_updates: 2000,
            align_anchors: 128,
            align_learning_rate: 1e-3,
            freeze: Frozen::Knowledge,
            l2_to_start: 0.0,
            judge_episodes: 10,
            renew_dormant: false,
            accuracy_drop: 0.5,
        }
    }
}

/// Everything about contrastive distillation; a run without it has none of this.
#[derive(Clone, Debug, PartialEq)]
pub struct DistillConfig {
    /// What a contrast is.
    pub contrast: ContrastSection,
    /// The token head.
    pub tokens: TokenConfig,
    /// Who is distilled.
    pub teacher: TeacherSection,
    /// What contrasts are drawn from.
    pub memory: MemorySection,
    /// Who chooses them.
    pub loss_policy: LossPolicyConfig,
}

impl DistillConfig {
    /// What the network is built with.
    #[must_use]
    pub fn representation(&self) -> Representation {
        let contrast = &self.contrast;
        Representation {
            tokens: self.tokens.enabled.then(|| self.tokens.clone()),
            contrast: ContrastConfig {
                temperature: contrast.temperature,
                projection_units: contrast.projection_units,
                dynamics_units: contrast.dynamics_units,
                objective: contrast.objective,
                debias: Debias {
                    tau_plus: contrast.false_negative_share,
                    hardness: contrast.loss_hardness,
                },
                distillation_weight: self.teacher.distillation_weight,
                distill_on: self.teacher.distill_on,
                policy_temperature: self.teacher.policy_temperature,
                outcome_weight: contrast.outcome_weight,
                augmentation: contrast.augmentation,
                gate: contrast.gate,
                teacher_ema_rate: self.teacher.ema_rate,
                teacher_pool: self.teacher.pool,
            },
        }
    }
}
