//! The loss policy: arms, a learner, books.

use super::arm::Arm;
use super::bandit::{Bandit, Choice, Fixed, Uniform};
use super::books::Books;
use super::config::{LossPolicyConfig, LossPolicyKind};
use super::exp3s::Exp3S;
use super::gradient::{GradientBandit, GradientRates};
use super::regret::Regret;
use super::state::PolicyState;
use super::ucb::DiscountedUcb;
use crate::AgentError;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Chooses the contrast of each auxiliary update and learns from what it was worth.
///
/// Serialized and read back, it goes on as if nothing had happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossPolicy {
    config: LossPolicyConfig,
    arms: Vec<Arm>,
    learner: Learner,
    /// The choice of this round; none before the first.
    current: Option<Choice>,
    /// Updates left in this round.
    updates_left: u64,
    /// `[A]` moving averages of rewards, if smoothed.
    smoothed: Vec<Option<f64>>,
    books: Books,
}

/// The learners, as one type that can be saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Learner {
    Fixed(Fixed),
    Uniform(Uniform),
    DiscountedUcb(DiscountedUcb),
    Exp3S(Exp3S),
    GradientBandit(GradientBandit),
}

impl Learner {
    fn new(config: &LossPolicyConfig, arms: usize) -> Self {
        match config.kind {
            LossPolicyKind::Fixed => Self::Fixed(Fixed::new(arms)),
            LossPolicyKind::Uniform => Self::Uniform(Uniform::new(arms)),
            LossPolicyKind::DiscountedUcb => {
                Self::DiscountedUcb(DiscountedUcb::new(arms, config.discount, config.exploration))
            }
            LossPolicyKind::Exp3S => {
                Self::Exp3S(Exp3S::new(arms, config.uniform_share, config.weight_sharing))
            }
            LossPolicyKind::GradientBandit => {
                let (learning_rate, uniform_share) = (config.learning_rate, config.uniform_share);
                let discount = config.discount;
                let rates = GradientRates { learning_rate, uniform_share, discount };
                Self::GradientBandit(GradientBandit::new(arms, num_features(config), rates))
            }
        }
    }

    fn bandit(&self) -> &dyn Bandit {
        match self {
            Self::Fixed(bandit) => bandit,
            Self::Uniform(bandit) => bandit,
            Self::DiscountedUcb(bandit) => bandit,
            Self::Exp3S(bandit) => bandit,
            Self::GradientBandit(bandit) => bandit,
        }
    }

    fn bandit_mut(&mut self) -> &mut dyn Bandit {
        match self {
            Self::Fixed(bandit) => bandit,
            Self::Uniform(bandit) => bandit,
            Self::DiscountedUcb(bandit) => bandit,
            Self::Exp3S(bandit) => bandit,
            Self::GradientBandit(bandit) => bandit,
        }
    }
}

/// Length of the states that the learner sees: all features, or the constant alone.
fn num_features(config: &LossPolicyConfig) -> usize {
    if config.state_features { PolicyState::FEATURES } else { 1 }
}

impl LossPolicy {
    /// A policy that has chosen nothing yet.
    ///
    /// # Errors
    /// As [`LossPolicyConfig::check`].
    pub fn new(config: &LossPolicyConfig) -> Result<Self, AgentError> {
        config.check()?;
        let arms = config.arms();
        let regret = match config.kind {
            LossPolicyKind::DiscountedUcb => {
                // As long as the learner remembers, and never so short that arms are missing.
                let memory = 1.0 / (1.0 - config.discount).max(1e-3);
                let rounds = memory.max(2.0 * arms.len() as f64);
                Regret::windowed(arms.len(), rounds * config.period_updates as f64)
            }
            _ => Regret::weighted(arms.len()),
        };
        Ok(Self {
            config: config.clone(),
            learner: Learner::new(config, arms.len()),
            current: None,
            updates_left: 0,
            smoothed: vec![None; arms.len()],
            books: Books::new(arms.len(), config.discount, regret),
            arms,
        })
    }

    /// The arms, in the order of their indices.
    #[must_use]
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// The settings it was made with.
    #[must_use]
    pub fn config(&self) -> &LossPolicyConfig {
        &self.config
    }

    /// Chooses for one auxiliary update. An arm is kept for `period_updates` calls, whatever the
    /// state; only the first of them may take numbers from `rng`.
    pub fn choose(&mut self, state: &PolicyState, rng: &mut dyn Rng) -> Choice {
        let choice = match self.current.take() {
            Some(choice) if self.updates_left > 0 => choice,
            _ => {
                let features = self.features(state);
                let choice = self.learner.bandit_mut().choose(&features, rng);
                self.books.open_round(choice.arm);
                self.updates_left = self.config.period_updates;
                choice
            }
        };
        self.updates_left -= 1;
        self.books.hand_out(choice.arm);
        self.current = Some(choice.clone());
        choice
    }

    /// Learns what one update with `choice` was worth. Rewards may come late, in any order, or
    /// never; the arm without contrast is paid too, or it could not be compared.
    ///
    /// # Errors
    /// For a reward that is not finite, and a choice that this policy cannot have made.
    pub fn reward(&mut self, choice: &Choice, reward: f64) -> Result<(), AgentError> {
        self.pay(choice, reward, 1)
    }

    /// The same for a whole round at once: `reward` is the mean of its updates.
    ///
    /// # Errors
    /// As [`Self::reward`].
    pub fn reward_round(&mut self, choice: &Choice, reward: f64) -> Result<(), AgentError> {
        self.pay(choice, reward, self.config.period_updates)
    }

    fn pay(&mut self, choice: &Choice, reward: f64, updates: u64) -> Result<(), AgentError> {
        self.check(choice)?;
        if !reward.is_finite() {
            let name = self.arms[choice.arm].name();
            return Err(AgentError::Unsuitable(format!(
                "the reward of the loss policy's arm {name} is {reward}; it must be a finite number"
            )));
        }
        self.books.pay(choice, reward, updates as f64);
        let left = self.config.reward_smoothing;
        let smoothed = &mut self.smoothed[choice.arm];
        let reward = smoothed.map_or(reward, |old| left * old + (1.0 - left) * reward);
        *smoothed = Some(reward);
        let scaled = reward / self.config.reward_scale;
        self.books.cut += u64::from(scaled.abs() > 1.0);
        let share = updates as f64 / self.config.period_updates as f64;
        self.learner.bandit_mut().reward(choice, scaled.clamp(-1.0, 1.0), share);
        Ok(())
    }

    /// Whether a ticket can be ours: a checkpoint of another config would have others.
    fn check(&self, choice: &Choice) -> Result<(), AgentError> {
        let (arms, features) = (self.arms.len(), num_features(&self.config));
        let fault = if choice.arm >= arms {
            format!("is of arm {}; there are {arms} arms", choice.arm)
        } else if !(choice.probability > 0.0 && choice.probability <= 1.0) {
            format!("has probability {}; it must be above 0 and up to 1", choice.probability)
        } else if choice.state.len() != features || !choice.state.iter().all(|x| x.is_finite()) {
            format!("has the state {:?}; it must be {features} finite numbers", choice.state)
        } else {
            return Ok(());
        };
        Err(AgentError::Unsuitable(format!("a choice handed back to the loss policy {fault}")))
    }

    fn features(&self, state: &PolicyState) -> Vec<f64> {
        // The constant is last.
        state.features()[PolicyState::FEATURES - num_features(&self.config)..].to_vec()
    }

    /// `[A]` probabilities of the arms in the next round, were it opened in `state`.
    #[must_use]
    pub fn probabilities(&self, state: &PolicyState) -> Vec<f64> {
        self.learner.bandit().probabilities(&self.features(state))
    }

    /// `[A]` updates for which each arm was chosen.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.books.updates
    }

    /// `[A]` mean reward of all updates with each arm; none before the first.
    #[must_use]
    pub fn mean_rewards(&self) -> Vec<Option<f64>> {
        (0..self.arms.len()).map(|arm| self.books.mean(arm)).collect()
    }

    /// `[A]` the same, discounted once a round.
    #[must_use]
    pub fn discounted_mean_rewards(&self) -> Vec<Option<f64>> {
        (0..self.arms.len()).map(|arm| self.books.recent_mean(arm)).collect()
    }

    /// `[A]` estimate of what each arm, held from the start, would have earned in the updates that
    /// were paid.
    ///
    /// From learners that draw: sum of reward / probability, which is without bias for each arm.
    /// From discounted UCB, whose choices have no probability: mean reward of the arm in each
    /// window of time, times the updates of the window; biased as far as rewards change within a
    /// window or depend on when the arm was chosen. Windows are as long as the learner's memory.
    #[must_use]
    pub fn fixed_arm_rewards(&self) -> Vec<f64> {
        self.books.regret.fixed_arms()
    }

    /// Index of the best fixed arm in hindsight, by [`Self::fixed_arm_rewards`].
    #[must_use]
    pub fn best_fixed_arm(&self) -> usize {
        self.books.regret.best_arm()
    }

    /// Estimated reward of the best fixed arm less the sum of the rewards that came. The largest
    /// of noisy sums is too large on average, so regret is estimated too high rather than too low.
    #[must_use]
    pub fn regret(&self) -> f64 {
        self.books.regret.total()
    }

    /// Entropy of the discounted shares of the arms in the choices, nats, 0 to ln A.
    #[must_use]
    pub fn choice_entropy(&self) -> f64 {
        self.books.entropy()
    }

    /// Curves: name and value. A mean that nothing was paid for yet is left out.
    #[must_use]
    pub fn metrics(&self) -> Vec<(String, f64)> {
        let books = &self.books;
        let cut = (books.rewards > 0).then(|| books.cut as f64 / books.rewards as f64);
        let whole = [
            ("updates", Some(books.updates.iter().sum::<u64>() as f64)),
            ("rewards", Some(books.rewards as f64)),
            ("reward_mean", books.recent_overall()),
            ("reward_cut_share", cut),
            ("choice_entropy", Some(books.entropy())),
            ("regret", Some(books.regret.total())),
            ("regret_mean", books.regret.mean()),
            ("best_fixed_arm", (books.rewards > 0).then(|| books.regret.best_arm() as f64)),
        ];
        let mut metrics: Vec<(String, Option<f64>)> =
            whole.map(|(name, value)| (format!("loss_policy/{name}"), value)).into();
        let shares = books.shares();
        let current = self.current.as_ref().map(|choice| choice.state.as_slice());
        let next = current.map(|state| self.learner.bandit().probabilities(state));
        for (i, arm) in self.arms.iter().enumerate() {
            let of_arm = [
                ("share", Some(shares[i])),
                ("probability", next.as_ref().map(|next| next[i])),
                ("reward_mean", books.recent_mean(i)),
                ("reward_mean_total", books.mean(i)),
            ];
            let name = arm.name();
            metrics.extend(of_arm.map(|(part, v)| (format!("loss_policy/{name}/{part}"), v)));
        }
        metrics.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Indices of the arms of all updates since the last call, ascending: values for a histogram.
    pub fn choice_histogram(&mut self) -> Vec<f64> {
        let counts = self.books.unread.iter_mut().map(std::mem::take).enumerate();
        counts.flat_map(|(arm, n)| (0..n).map(move |_| arm as f64)).collect()
    }
}
