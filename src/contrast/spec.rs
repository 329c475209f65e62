//! What a batch of contrasts should be like.

use super::ContrastError;
use contrail_agents::Relation;
use serde::{Deserialize, Serialize};

/// How the negatives of an anchor are chosen from the candidates that its masks leave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NegativeLaw {
    /// With probability proportional to `exp(beta · number of equal token groups)`, without
    /// replacement: after each draw the rest is drawn from in the same proportions (successive
    /// sampling). With `beta` 0 the candidates themselves are drawn uniformly too, so that it is
    /// random sampling.
    Weighted {
        /// At least 0. One more equal group makes a candidate `exp(beta)` times as probable.
        beta: f64,
    },
    /// Those with most equal groups; equally many at random.
    Hardest,
}

impl NegativeLaw {
    /// Whether candidates are to be found by code.
    pub(super) fn looks_up(self) -> bool {
        self != Self::Weighted { beta: 0.0 }
    }
}

/// Shares of the anchors from memory; the rest is drawn uniformly. Anchors from the current stream
/// are always uniform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnchorMix {
    /// By [`crate::memory::SegmentLaw::Return`].
    pub by_return: f64,
    /// By [`crate::memory::SegmentLaw::Surprise`].
    pub by_surprise: f64,
}

/// Whose behavior a distance compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BehaviorOf {
    /// The teacher's, as it read the observations.
    #[default]
    Teacher,
    /// The actor's: the actions that were taken, each with probability 1.
    Actor,
}

/// What an episode is compared by after it has terminated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterEnd {
    /// Nothing is more unlike an episode that goes on: TV is 1. Where both have ended it is 0.
    #[default]
    Unlike,
    /// It stays where it acted last, and acts as it did there, without reward.
    Stays,
}

/// Behavioral distance of two observations,
/// `d(x, y) = Σ_{j<h} g^j ( TV(π(·|x_j), π(·|y_j)) + c |r_j(x) − r_j(y)| )`:
/// would the teacher act alike (or did the actor), and did the same happen, over the next h env
/// steps.
///
/// `TV` is total variation of the probabilities of discrete actions, and the mean absolute
/// difference over their dimensions, as a share of their bounds, of continuous ones; 0 to 1 both.
/// [`AfterEnd`] says what it is where an episode has terminated.
///
/// # Source
/// The policy similarity metric of Agarwal et al. 2021 (arXiv 2101.05265), equation 2.
///
/// # Differs
/// Over h env steps that happened and not in expectation to the end; rewards are compared too.
/// Where only the first steps are known, because the rest of an episode is not stored, each of the
/// two sums is scaled up by the weights `g^j` of all steps over those of the known ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistanceConfig {
    /// h, at least 1.
    pub horizon_env_steps: usize,
    /// g, 0 to 1.
    pub gamma: f64,
    /// c, at least 0.
    pub reward_coefficient: f64,
    /// Whose pi.
    pub behavior: BehaviorOf,
    /// What follows the end of an episode.
    pub after_end: AfterEnd,
    /// Width of the weights of soft positives: `w_p` is proportional to `exp(−d / width)`.
    pub width: f64,
}

/// What a batch of contrasts should be like.
///
/// `log(K + 1)` less the loss bounds mutual information only where negatives are drawn as positives
/// are: with [`NegativeLaw::Weighted`] of `beta` 0, `delta` below 0, and uniform anchors. Otherwise
/// it is a number to watch and no bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContrastSpec {
    /// What makes a positive.
    pub relation: Relation,
    /// How negatives are chosen from the candidates.
    pub law: NegativeLaw,
    /// B, at least 1.
    pub anchors: usize,
    /// P, at least 1. A predictive contrast has one positive.
    pub positives: usize,
    /// K, at least 1.
    pub negatives: usize,
    /// Candidates for behavioral positives, shared by all anchors; at least 1.
    pub positive_candidates: usize,
    /// Candidates for negatives, at least K: of the batch, or of each anchor.
    pub negative_candidates: usize,
    /// Whether all anchors share one pool of candidates. It costs the encoder at most so many
    /// observations, rather than B·K. The probabilities of [`NegativeLaw`] hold for each anchor
    /// over the pool.
    pub shared_negatives: bool,
    /// Share of anchors from memory, rounded to whole ones, and probability that a candidate comes
    /// from memory; the others come from the newest segments.
    pub memory_share: f64,
    /// How anchors from memory are drawn.
    pub anchors_from: AnchorMix,
    /// Whether an action is drawn first, each discrete one with the same probability, and then an
    /// anchor that it followed, if one of 64 draws is. Continuous actions are not balanced.
    pub balance_actions: bool,
    /// Behavioral positives are at most this far; who has none so near is no anchor. Infinity lets
    /// the nearest candidates be positives, however far they are.
    pub reach: f64,
    /// Candidates for negatives are masked at a distance of at most this; below 0, none is.
    pub delta: f64,
    /// k: temporal positives are 1 to k env steps later; candidates of the same episode within k
    /// are masked. At least 1.
    pub temporal_max_env_steps: usize,
    /// Behavioral distance.
    pub distance: DistanceConfig,
    /// Ablation: positives are exchanged among the anchors, none keeps its own. That keeps the
    /// compute and kills the information.
    pub shuffled: bool,
    /// Whether the stored actions are an expert's, so that it can be counted how many negatives are
    /// false: those that the expert treats like the anchor over the horizon of the distance.
    pub expert: bool,
}

impl Default for ContrastSpec {
    fn default() -> Self {
        let distance = DistanceConfig {
            horizon_env_steps: 4,
            gamma: 0.9,
            reward_coefficient: 1.0,
            behavior: BehaviorOf::Teacher,
            after_end: AfterEnd::Unlike,
            width: 0.25,
        };
        Self {
            relation: Relation::Predictive,
            law: NegativeLaw::Weighted { beta: 1.0 },
            anchors: 32,
            positives: 1,
            negatives: 16,
            positive_candidates: 128,
            negative_candidates: 64,
            shared_negatives: true,
            memory_share: 0.5,
            anchors_from: AnchorMix { by_return: 0.25, by_surprise: 0.25 },
            balance_actions: false,
            reach: f64::INFINITY,
            delta: 0.25,
            temporal_max_env_steps: 3,
            distance,
            shuffled: false,
            expert: false,
        }
    }
}

impl ContrastSpec {
    /// Refuses what cannot be.
    ///
    /// # Errors
    /// [`ContrastError::BadSpec`], naming the value and what is allowed.
    pub fn check(&self) -> Result<(), ContrastError> {
        let counts = [
            ("anchors", self.anchors),
            ("positives", self.positives),
            ("negatives", self.negatives),
            ("positive_candidates", self.positive_candidates),
            ("temporal_max_env_steps", self.temporal_max_env_steps),
            ("distance.horizon_env_steps", self.distance.horizon_env_steps),
        ];
        if let Some((what, count)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(ContrastError::bad_spec(what, count, "at least 1"));
        }
        if self.negative_candidates < self.negatives {
            let allowed = format!("at least the {} negatives", self.negatives);
            let what = "negative_candidates";
            return Err(ContrastError::bad_spec(what, self.negative_candidates, &allowed));
        }
        let AnchorMix { by_return, by_surprise } = self.anchors_from;
        let shares = [
            ("memory_share", self.memory_share),
            ("anchors_from.by_return", by_return),
            ("anchors_from.by_surprise", by_surprise),
            ("anchors_from, all together,", by_return + by_surprise),
            ("distance.gamma", self.distance.gamma),
        ];
        if let Some((what, share)) = shares.into_iter().find(|(_, s)| !(0.0..=1.0).contains(s)) {
            return Err(ContrastError::bad_spec(what, share, "0 to 1"));
        }
        let beta = if let NegativeLaw::Weighted { beta } = self.law { beta } else { 0.0 };
        for (what, value) in
            [("beta", beta), ("distance.reward_coefficient", self.distance.reward_coefficient)]
        {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(ContrastError::bad_spec(what, value, "a finite number, at least 0"));
            }
        }
        if !(self.distance.width > 0.0 && self.distance.width.is_finite()) {
            let width = self.distance.width;
            return Err(ContrastError::bad_spec(
                "distance.width",
                width,
                "a finite number above 0",
            ));
        }
        if self.reach.is_nan() || self.reach < 0.0 {
            return Err(ContrastError::bad_spec("reach", self.reach, "a number, at least 0"));
        }
        if !self.delta.is_finite() {
            return Err(ContrastError::bad_spec("delta", self.delta, "a finite number"));
        }
        Ok(())
    }
}
