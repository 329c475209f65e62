//! A schedule made concrete: from the number of an environment and of its episode, and the time,
//! to a subspace and a context.

use crate::config::{Config, Drift, Schedule};
use contrail_envs::{Context, ContextSpec, EnvError, Prng, SeedStream, Subspace};
use rand::RngExt;
use rand_distr::{Distribution as _, Gamma};
use serde::{Deserialize, Serialize};

/// Where an episode takes place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// Number of the source subspace.
    pub subspace: u32,
    /// Its context, drawn from the subspace.
    pub context: Context,
}

/// A stretch of time in which all environments play in one subspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Env steps of all actors at which it begins.
    pub from_env_steps: u64,
    /// Number of the subspace.
    pub subspace: u32,
}

/// Which subspace and context every episode of a run gets.
///
/// It is a pure function of the root seed, the number of the environment (its stream), the number
/// of its episode, and, for schedules in time, the env steps of all actors when the episode
/// begins. So there is nothing to save: a resumed run goes on with the same assignment. A shift
/// never cuts an episode; each environment follows it at its next `reset`.
#[derive(Clone, Debug)]
pub struct SubspacePlan {
    spec: ContextSpec,
    subspaces: Vec<Subspace>,
    streams: u64,
    law: Law,
    drift: Option<(usize, Drift)>,
    seeds: SeedStream,
}

#[derive(Clone, Debug)]
enum Law {
    /// `[streams]` the subspace of each environment.
    Pinned(Vec<u32>),
    /// `[streams][subspaces]` shares, each row with the sum 1.
    Shares(Vec<Vec<f64>>),
    /// In the order of time; the first begins at 0.
    Phases(Vec<Phase>),
}

impl SubspacePlan {
    /// The plan of `config` for an environment with the context values `spec`.
    ///
    /// # Errors
    /// If the schedule moves a context value that `spec` does not have, or beyond its bounds.
    pub fn new(config: &Config, spec: &ContextSpec) -> Result<Self, EnvError> {
        let (subspaces, seeds) = (config.sources(), SeedStream::root(config.run.seed));
        let seeds = seeds.stream("schedule");
        let (streams, count) = (config.actors.total_envs(), subspaces.len());
        let law = match &config.schedule {
            Schedule::Pinned | Schedule::Drifting(_) => Law::Pinned(dealt(streams, count)),
            Schedule::Iid { weights } => {
                let sum: f64 = weights.iter().sum();
                Law::Shares(vec![weights.iter().map(|w| w / sum).collect(); streams])
            }
            Schedule::Dirichlet { alpha } => {
                let row = |stream| {
                    dirichlet(*alpha, count, &mut seeds.stream("shares").index(stream).rng())
                };
                Law::Shares((0..streams as u64).map(row).collect())
            }
            Schedule::Sequential { phase_env_steps, order } => {
                Law::Phases(phases(order.iter().copied(), *phase_env_steps))
            }
            Schedule::Cyclic { phase_env_steps, order } => {
                let turns = config.run.env_steps.div_ceil(*phase_env_steps) as usize;
                let order = order.iter().copied().cycle().take(turns);
                Law::Phases(phases(order, *phase_env_steps))
            }
            Schedule::Recurring { phase_env_steps } => {
                let turns = config.run.env_steps.div_ceil(*phase_env_steps) as usize;
                let mut rng = seeds.stream("phases").rng();
                let order = recurring(count, &mut rng).take(turns).collect::<Vec<_>>();
                Law::Phases(phases(order.into_iter(), *phase_env_steps))
            }
        };
        let drift = match &config.schedule {
            Schedule::Drifting(drift) => Some((spec.index(&drift.value)?, drift.clone())),
            _ => None,
        };
        Ok(Self { spec: spec.clone(), subspaces, streams: streams as u64, law, drift, seeds })
    }

    /// Environments of all actors.
    #[must_use]
    pub fn streams(&self) -> u64 {
        self.streams
    }

    /// Where episode `episode` of environment `stream` takes place, if its first step comes after
    /// `env_steps` of all actors.
    #[must_use]
    pub fn assign(&self, stream: u32, episode: u64, env_steps: u64) -> Assigned {
        let seeds = self.seeds.stream("episode").index(u64::from(stream)).index(episode);
        let subspace = match &self.law {
            Law::Pinned(all) => all[stream as usize],
            Law::Shares(rows) => draw(&rows[stream as usize], &mut seeds.stream("subspace").rng()),
            Law::Phases(phases) => current(phases, env_steps).subspace,
        };
        let mut rng = seeds.stream("context").rng();
        let mut context = self.subspaces[subspace as usize].sample(&self.spec, &mut rng);
        if let Some((index, drift)) = &self.drift {
            context.values[*index] = drift.at(env_steps);
        }
        Assigned { subspace, context }
    }

    /// The source subspaces, in the order of their numbers.
    #[must_use]
    pub fn subspaces(&self) -> &[Subspace] {
        &self.subspaces
    }

    /// The context values of the environment.
    #[must_use]
    pub fn spec(&self) -> &ContextSpec {
        &self.spec
    }

    /// The phases of all environments together; empty where the schedule has none.
    #[must_use]
    pub fn phases(&self) -> &[Phase] {
        match &self.law {
            Law::Phases(phases) => phases,
            Law::Pinned(_) | Law::Shares(_) => &[],
        }
    }

    /// `[streams][subspaces]` declared shares of the episodes of each environment, where the
    /// schedule declares some that do not change with time.
    #[must_use]
    pub fn shares(&self) -> Option<Vec<Vec<f64>>> {
        let one = |subspace: &u32| {
            let share = |n: usize| if n == *subspace as usize { 1.0 } else { 0.0 };
            (0..self.subspaces.len()).map(share).collect()
        };
        match &self.law {
            Law::Pinned(all) => Some(all.iter().map(one).collect()),
            Law::Shares(rows) => Some(rows.clone()),
            Law::Phases(_) => None,
        }
    }

    /// Name and value of the context value that moves, after `env_steps` of all actors.
    #[must_use]
    pub fn drifted(&self, env_steps: u64) -> Option<(&str, f64)> {
        self.drift.as_ref().map(|(_, drift)| (drift.value.as_str(), drift.at(env_steps)))
    }
}

/// `streams` environments dealt out to `count` subspaces in contiguous groups whose sizes differ
/// by at most one.
pub(super) fn dealt(streams: usize, count: usize) -> Vec<u32> {
    (0..streams).map(|stream| (stream * count / streams) as u32).collect()
}

/// Phases of equal length in this order.
fn phases(order: impl Iterator<Item = u32>, phase_env_steps: u64) -> Vec<Phase> {
    let phase =
        |(number, subspace)| Phase { from_env_steps: number as u64 * phase_env_steps, subspace };
    order.enumerate().map(phase).collect()
}

/// Subspaces at random, never the same twice in a row. Needs at least two.
pub(super) fn recurring(count: usize, rng: &mut Prng) -> impl Iterator<Item = u32> {
    let mut last: Option<usize> = None;
    std::iter::repeat_with(move || {
        let next = match last {
            None => rng.random_range(0..count),
            // One of the others, each as likely.
            Some(last) => (last + rng.random_range(1..count)) % count,
        };
        last = Some(next);
        next as u32
    })
}

/// The phase that `env_steps` lies in.
fn current(phases: &[Phase], env_steps: u64) -> Phase {
    let begun = phases.partition_point(|phase| phase.from_env_steps <= env_steps);
    phases[begun.saturating_sub(1)]
}

/// A draw from a symmetric Dirichlet distribution, as normalised Gamma variates.
///
/// With a small `alpha` all variates may underflow to 0; then one subspace, drawn evenly, gets
/// everything, which is the limit of the distribution.
pub(super) fn dirichlet(alpha: f64, count: usize, rng: &mut Prng) -> Vec<f64> {
    let mut shares: Vec<f64> = match Gamma::new(alpha, 1.0) {
        Ok(gamma) => (0..count).map(|_| gamma.sample(rng)).collect(),
        Err(_) => vec![0.0; count],
    };
    let sum: f64 = shares.iter().sum();
    if sum > 0.0 {
        shares.iter_mut().for_each(|share| *share /= sum);
    } else {
        shares.fill(0.0);
        shares[rng.random_range(0..count)] = 1.0;
    }
    shares
}

/// A number drawn in proportion to `shares`, whose sum is 1. One of share 0 is never drawn.
fn draw(shares: &[f64], rng: &mut Prng) -> u32 {
    let mut left: f64 = rng.random();
    let mut drawn = 0;
    for (number, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        drawn = number as u32; // the last one takes what rounding leaves
        if left < *share {
            break;
        }
        left -= share;
    }
    drawn
}
