//! Whether a config fits an environment: its algorithm the actions, its torso the observations.

use super::error::ConfigError;
use super::valid::{Algorithm, Config};
use contrail_agents::{Relation, Torso};
use contrail_envs::{ActionSpace, ObsSpace};

/// Smallest height and width for [`Torso::Minatar`]: its one 3x3 convolution has no padding.
const MINATAR_MIN_PIXELS: usize = 3;
/// Smallest height and width for [`Torso::Nature`]: kernels 8, 4, 3 with strides 4, 2, 1 leave
/// one pixel of (36 - 8) / 4 + 1 = 8, (8 - 4) / 2 + 1 = 3, 3 - 3 + 1 = 1.
const NATURE_MIN_PIXELS: usize = 36;
/// Smallest height and width for [`Torso::Impala`]: three max-pools halve the image.
const IMPALA_MIN_PIXELS: usize = 8;

impl Config {
    /// Refuses an algorithm that cannot choose from `action`, and a torso that cannot read `obs`.
    /// Both spaces are those that the agent sees, after the wrappers.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with a sentence for each misfit.
    pub fn check_against(&self, obs: &ObsSpace, action: &ActionSpace) -> Result<(), ConfigError> {
        let misfits: Vec<String> =
            [self.action_misfit(action), self.obs_misfit(obs), self.views_misfit(obs)]
                .into_iter()
                .flatten()
                .collect();
        if misfits.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(misfits)) }
    }

    fn action_misfit(&self, action: &ActionSpace) -> Option<String> {
        let id = &self.env.id;
        match (&self.algorithm, action) {
            (Algorithm::Dqn(_) | Algorithm::Imitation(_), ActionSpace::Discrete(0)) => {
                Some(format!(
                    "{id} has Discrete(0), a space without actions; \
                     algorithm.name {:?} needs at least one",
                    self.algorithm.name().as_str()
                ))
            }
            (Algorithm::Dqn(_) | Algorithm::Imitation(_), ActionSpace::Discrete(_)) => None,
            (Algorithm::Dqn(_) | Algorithm::Imitation(_), ActionSpace::Box { low, .. }) => {
                Some(format!(
                    "algorithm.name is {:?}, which needs discrete actions; \
                     {id} has Box([{}]); use \"sac\"",
                    self.algorithm.name().as_str(),
                    low.len()
                ))
            }
            (Algorithm::Sac(_), ActionSpace::Discrete(n)) => Some(format!(
                "algorithm.name is \"sac\", which needs continuous actions; \
                 {id} has Discrete({n}); use \"dqn\""
            )),
            (Algorithm::Sac(_), ActionSpace::Box { low, high }) => {
                let scalable =
                    |(low, high): (&f32, &f32)| low.is_finite() && high.is_finite() && low < high;
                let fits = !low.is_empty()
                    && low.len() == high.len()
                    && low.iter().zip(high).all(scalable);
                (!fits).then(|| {
                    format!(
                        "algorithm.name is \"sac\", which needs actions with finite \
                     bounds, low below high; \
                     {id} has low {low:?}, high {high:?}"
                    )
                })
            }
        }
    }

    /// Only images are augmented.
    fn views_misfit(&self, obs: &ObsSpace) -> Option<String> {
        let wanted = self.distill.as_ref()?.loss_policy.relations.contains(&Relation::MultiView);
        (wanted && obs.shape.len() != 3).then(|| {
            format!(
                "loss_policy.relations has \"multi_view\", which needs images of shape \
                 [C, H, W]; {} has observations of shape {:?}",
                self.env.id, obs.shape
            )
        })
    }

    fn obs_misfit(&self, obs: &ObsSpace) -> Option<String> {
        let id = &self.env.id;
        if obs.is_empty() {
            return Some(format!(
                "{id} has observations of shape {:?}, which hold nothing",
                obs.shape
            ));
        }
        let (torso, min_pixels) = match self.network.torso {
            Torso::Mlp => return None, // flattens anything
            Torso::Minatar => ("minatar", MINATAR_MIN_PIXELS),
            Torso::Nature => ("nature", NATURE_MIN_PIXELS),
            Torso::Impala => ("impala", IMPALA_MIN_PIXELS),
        };
        match obs.shape[..] {
            [_, height, width] if height >= min_pixels && width >= min_pixels => None,
            [_, _, _] => Some(format!(
                "network.torso is \"{torso}\", which needs images of at least \
                 {min_pixels}x{min_pixels} pixels; \
                 {id} has observations of shape {:?} ([C, H, W])",
                obs.shape
            )),
            _ => Some(format!(
                "network.torso is \"{torso}\", which needs images of shape [C, H, W]; \
                 {id} has observations of shape {:?}; use \"mlp\"",
                obs.shape
            )),
        }
    }
}
