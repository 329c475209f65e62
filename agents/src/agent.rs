//! What the runtime knows of any algorithm.

use crate::contrast::{ContrastReport, Distiller, Frozen, Part};
use crate::{ActionBatch, AgentError, AgentState, Minibatch, ObsBatch};
use rand::Rng;

/// What the learner tells an algorithm at each update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateSettings {
    /// Share of the run that is done, 0 to 1, for schedules.
    pub progress: f64,
    /// Whether metrics and histograms are wanted; they cost a little.
    pub detail: bool,
}

/// What came of an update.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateReport {
    /// `[B]` new priorities of the minibatch's transitions, at least 0.
    pub priorities: Vec<f32>,
    /// Metric names as they appear in the curves, with values. Empty without `detail`.
    pub metrics: Vec<(&'static str, f64)>,
    /// Samples for histograms. Empty without `detail`.
    pub histograms: Vec<(&'static str, Vec<f64>)>,
    /// What came of the contrasts; default without contrastive distillation.
    pub contrast: ContrastReport,
}

/// A learner's algorithm: turns minibatches into better parameters.
pub trait Agent: Send {
    /// One gradient step on every part of the algorithm, jointly with contrasts that were staged
    /// in its [`Agent::distiller`].
    ///
    /// # Errors
    /// [`AgentError::NotFinite`] if a loss or gradient is NaN or infinite.
    fn update(
        &mut self,
        batch: &Minibatch,
        settings: UpdateSettings,
        rng: &mut dyn Rng,
    ) -> Result<UpdateReport, AgentError>;

    /// The student and what distils it; none if the agent was built without.
    fn distiller(&mut self) -> Option<Distiller<'_>> {
        None
    }

    /// The same with the step size of an update when `progress` of the run is done, 0 to 1.
    fn distiller_at(&mut self, progress: f64) -> Option<Distiller<'_>> {
        let _ = progress;
        self.distiller()
    }

    /// Gives a part of every network fresh values and forgets its moments. What follows the online
    /// networks does not: see [`Agent::settle`].
    fn renew(&mut self, part: Part, rng: &mut dyn Rng);

    /// Leaves parameters out of further updates.
    fn freeze(&mut self, frozen: Frozen);

    /// From now on all parameters are pulled to where they are; 0 lets them go. The loss gets half of
    /// `coefficient` times the squared distance.
    fn pull_to_here(&mut self, coefficient: f64);

    /// Makes everything that follows the online network catch up with it: after a shift, the
    /// bootstrap must not come from what the start left behind.
    fn settle(&mut self) {}

    /// Updates done.
    fn updates(&self) -> u64;

    /// A policy on the CPU with the current parameters, for an actor or evaluator to own.
    fn policy(&self) -> Box<dyn Policy>;

    /// Flat parameters for [`Policy::load`].
    fn policy_params(&self) -> Vec<f32>;

    /// Number of parameters, targets not counted.
    fn num_params(&self) -> usize;

    /// Everything needed to continue.
    fn save(&self) -> AgentState;

    /// Continues from what [`Agent::save`] gave.
    ///
    /// # Errors
    /// [`AgentError::BadState`] if `state` belongs to another network or algorithm.
    fn restore(&mut self, state: &AgentState) -> Result<(), AgentError>;
}

/// How a policy chooses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActMode {
    /// The best action.
    Greedy,
    /// As the algorithm explores; a discrete action is uniform with this probability.
    Explore {
        /// Probability of a uniform action, 0 to 1; not read by continuous policies.
        epsilon: f64,
    },
    /// Uniform over the action space.
    Uniform,
}

/// An actor's copy of the policy network.
pub trait Policy: Send {
    /// Takes parameters from [`Agent::policy_params`].
    ///
    /// # Panics
    /// If `params` belongs to another network: a bug.
    fn load(&mut self, params: &[f32]);

    /// Chooses one action for each of the observations `[N, obs...]`.
    ///
    /// # Errors
    /// [`AgentError::NotFinite`] if the network's output is NaN or infinite.
    fn act(
        &mut self,
        obs: &ObsBatch,
        mode: ActMode,
        rng: &mut dyn Rng,
    ) -> Result<ActionBatch, AgentError>;
}
