//! The guard: short evaluations in the subspace that begins, whose env steps count, choose what a
//! student starts from.

use super::Run;
use crate::roles::{Budget, BudgetedReturn, mean_and_std_error};
use anyhow::Result;
use contrail_agents::AgentState;
use contrail_agents::contrast::Part;
use contrail_envs::SeedStream;
use serde::Serialize;

/// Starts that the guard compares.
pub(super) const STARTS: u64 = 3;
/// Draws of fresh parameters that it plays. One draw is one deterministic policy, which may earn
/// anything; a start from fresh parameters is whatever is drawn.
const FRESH_DRAWS: u64 = 4;
/// Environments that a start is played in side by side, few, so that episodes get far: as many as
/// there are fresh draws, so that theirs get as far.
pub(super) const LANES: usize = FRESH_DRAWS as usize;

/// What a start earned within the guard's budget.
#[derive(Serialize)]
pub(super) struct Tried {
    start: &'static str,
    mean_return: f64,
    std_error: f64,
    episodes: usize,
}

impl Run<'_> {
    /// Keeps what is there `now`, if that is not the source as it was, or else the source, unless
    /// another of these and of fresh parameters earns clearly more.
    pub(super) fn guard(
        &mut self,
        source: AgentState,
        now: Option<&'static str>,
    ) -> Result<(&'static str, Vec<Tried>)> {
        let mut starts: Vec<(&'static str, AgentState)> = Vec::new();
        starts.extend(now.map(|name| (name, self.roles.learner.agent_state())));
        starts.push(("source", source));
        let env_steps = self.rules().guard_env_steps / STARTS;
        let mut tried: Vec<Tried> = Vec::new();
        for (start, state) in &starts {
            self.roles.learner.set_agent_state(state)?;
            let found = self.try_start(start, (env_steps, LANES), 0)?;
            tried.push(found);
        }
        let mut draws: Vec<Tried> = Vec::new();
        for draw in 0..FRESH_DRAWS {
            self.roles.learner.renew(Part::Whole);
            draws.push(self.try_start("fresh", (env_steps / FRESH_DRAWS, 1), draw)?);
        }
        tried.push(over_draws(&draws));
        starts.push(("fresh", self.roles.learner.agent_state()));
        let (start, state) = &starts[chosen(&tried)];
        self.roles.learner.set_agent_state(state)?;
        Ok((start, tried))
    }

    /// What the present parameters earn as a start.
    fn try_start(
        &mut self,
        start: &'static str,
        (env_steps, lanes): (u64, usize),
        draw: u64,
    ) -> Result<Tried> {
        let params = self.roles.learner.snapshot().params;
        let seeds = self.shift_seeds().stream("guard").index(draw);
        let found = self.play((&params, seeds), (env_steps, lanes))?;
        let BudgetedReturn { mean_return, std_error, episodes, .. } = found;
        Ok(Tried { start, mean_return, std_error, episodes })
    }

    /// Episodes of `params` within so many env steps of the present subspace, in so many lanes. The
    /// env steps count.
    pub(super) fn play(
        &mut self,
        (params, seeds): (&[f32], SeedStream),
        (env_steps, lanes): (u64, usize),
    ) -> Result<BudgetedReturn> {
        self.refresh_evaluator()?;
        let subspace = self.recorder.phase_subspace().unwrap_or(0);
        let budget = Budget { subspace, env_steps, lanes };
        let found = self.roles.evaluator.evaluate_within(params, budget, seeds)?;
        self.recorder.survived(&found.faults)?;
        self.recorder.charge(found.env_steps);
        self.ledger.counters = self.recorder.counters();
        Ok(found)
    }
}

/// The start that earns most, but another than the first only if it earns more by two standard
/// errors of the difference: short evaluations are noisy.
fn chosen(tried: &[Tried]) -> usize {
    let better = |n: &usize| {
        let (first, other) = (&tried[0], &tried[*n]);
        let error = (first.std_error.powi(2) + other.std_error.powi(2)).sqrt();
        other.mean_return > first.mean_return + 2.0 * error
    };
    let earned = |n: &usize, m: &usize| tried[*n].mean_return.total_cmp(&tried[*m].mean_return);
    (1..tried.len()).filter(better).max_by(earned).unwrap_or(0)
}

/// The mean over draws, each of which is one observation, with its standard error.
fn over_draws(draws: &[Tried]) -> Tried {
    let returns: Vec<f64> = draws.iter().map(|draw| draw.mean_return).collect();
    let (mean_return, std_error) = mean_and_std_error(&returns);
    let episodes = draws.iter().map(|draw| draw.episodes).sum();
    Tried { start: "fresh", mean_return, std_error, episodes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_parameters_are_as_many_observations_as_draws() {
        // One draw that earns 3 in each of seven episodes is one of four: mean 1, deviations
        // -1, -1, 2, 0 and so sqrt(6 / 3 / 4) = sqrt(1/2).
        let draw = |mean_return| Tried { start: "fresh", mean_return, std_error: 0.0, episodes: 7 };
        let all = over_draws(&[0.0, 0.0, 3.0, 1.0].map(draw));
        assert!((all.mean_return - 1.0).abs() < 1e-12 && all.episodes == 28);
        assert!((all.std_error - 0.5f64.sqrt()).abs() < 1e-12, "{}", all.std_error);
    }

    #[test]
    fn another_start_is_chosen_only_for_what_cannot_be_noise() {
        let of = |returns: [(f64, f64); 3]| {
            let start =
                |(mean_return, std_error)| Tried { start: "", mean_return, std_error, episodes: 9 };
            chosen(&returns.map(start))
        };
        // 0.105 with a standard error of 0.07 is no more than 0 in any sense that matters.
        assert_eq!(of([(0.0, 0.0), (0.0, 0.0), (0.105, 0.07)]), 0);
        // 5 - 3 = 2 > 2 sqrt(0.6^2 + 0.8^2) = 2 is not so; 5.1 is.
        assert_eq!(of([(3.0, 0.6), (5.0, 0.8), (0.0, 0.1)]), 0);
        assert_eq!(of([(3.0, 0.6), (5.1, 0.8), (0.0, 0.1)]), 1);
        assert_eq!(of([(1.0, 0.1), (3.0, 0.1), (4.0, 0.1)]), 2);
    }
}
