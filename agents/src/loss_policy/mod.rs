//! The loss policy: which contrast to draw, how hard, how much. Plain numbers, no tensors.
//!
//! [`LossPolicy`] chooses an [`Arm`] for each auxiliary update, is told later what that update was
//! worth for the decision loss, and learns. How it learns is a [`Bandit`]. Equations and advice
//! are in `docs/algorithms/loss-policy.md`.

mod arm;
mod bandit;
mod books;
mod config;
mod exp3s;
mod gradient;
mod policy;
mod regret;
mod state;
#[cfg(test)]
mod tests;
mod ucb;

pub use arm::{Arm, arms};
pub use bandit::{Bandit, Choice, Fixed, Uniform};
pub use config::{LossPolicyConfig, LossPolicyKind};
pub use exp3s::Exp3S;
pub use gradient::{GradientBandit, GradientRates};
pub use policy::LossPolicy;
pub use state::PolicyState;
pub use ucb::DiscountedUcb;
