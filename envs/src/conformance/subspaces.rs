//! Whether declared subspaces make a difference.

use super::Rule;
use super::checker::Checker;
use super::player::Player;
use super::report::SubspaceComparison;
use super::two_sample::{Features, holm, two_sample};
use crate::{Context, ObsBuffer, SeedStream, Subspace};

/// Episodes in each subspace: at least so many.
const MIN_EPISODES: u32 = 32;
/// And at most so many: where episodes are short, each says little.
const MAX_EPISODES: u32 = 128;
/// Steps in the first subspace after which, from the least number on, no further episode begins.
const ENOUGH_ENV_STEPS: u32 = 20_000;
/// Steps after which such an episode is abandoned.
const MAX_ENV_STEPS: u32 = 500;
/// Probability of telling apart any two subspaces that are the same.
const LEVEL: f64 = 0.05;
/// Seeds of these episodes begin here, beyond those of all other parts of the check.
const FIRST_EPISODE: u32 = 1 << 30;

/// Episodes of one subspace.
struct Played<'a> {
    subspace: &'a Subspace,
    features: Vec<Features>,
    mean_return: f64,
}

/// Plays in every subspace, with the same seeds of environment and actions in each, and tests
/// whether the episodes differ.
pub(super) fn differ(c: &mut Checker<'_>) -> Option<()> {
    c.wants(Rule::SubspacesDiffer)?;
    let declared = &c.options.subspaces;
    let default = Subspace { name: "default context".into(), ..Subspace::default() };
    let compared: Vec<&Subspace> = match &declared[..] {
        [] => return None,
        [only] => vec![&default, only],
        several => several.iter().collect(),
    };
    for subspace in &compared {
        if let Err(error) = subspace.check(&c.spec.context) {
            let declaration = (Rule::SubspacesDiffer, "the declaration");
            c.report.record(declaration, false, || error.to_string());
            return None;
        }
    }
    let mut played = Vec::new();
    let mut episodes = None;
    for subspace in compared {
        let next = play(c, subspace, episodes)?;
        episodes = Some(next.features.len());
        played.push(next);
    }
    let mut rng = SeedStream::root(c.options.seed).stream("subspaces/permutations").rng();
    let mut comparisons = Vec::new();
    for (index, left) in played.iter().enumerate() {
        for right in &played[index + 1..] {
            let test = two_sample(&left.features, &right.features, &mut rng);
            comparisons.push(SubspaceComparison {
                left: left.subspace.name.clone(),
                right: right.subspace.name.clone(),
                p_value: test.p_value,
                coefficient: test.coefficient,
                mean_returns: [left.mean_return, right.mean_return],
                differ: false,
            });
        }
    }
    let p_values: Vec<f64> = comparisons.iter().map(|comparison| comparison.p_value).collect();
    for (comparison, differ) in comparisons.iter_mut().zip(holm(&p_values, LEVEL)) {
        comparison.differ = differ;
        c.report.record((Rule::SubspacesDiffer, "random play"), differ, || {
            format!(
                "{} episodes each of {:?} and {:?} look alike (p = {:.4}): the environment ignores \
                 these context values, or they are too close to matter in random play",
                episodes.unwrap_or_default(),
                comparison.left,
                comparison.right,
                comparison.p_value
            )
        });
    }
    c.report.subspaces = comparisons;
    Some(())
}

/// As many episodes as `episodes` says; without that, as many as are enough.
fn play<'a>(
    c: &mut Checker<'_>,
    subspace: &'a Subspace,
    episodes: Option<usize>,
) -> Option<Played<'a>> {
    let mut player = c.fresh()?;
    let contexts = SeedStream::root(c.options.seed).stream("subspaces").stream(&subspace.name);
    let mut features = Vec::new();
    let (mut sum_of_returns, mut env_steps) = (0.0, 0);
    for index in 0..MAX_EPISODES {
        let enough = index >= MIN_EPISODES && env_steps >= ENOUGH_ENV_STEPS;
        if episodes.map_or(enough, |episodes| features.len() == episodes) {
            break;
        }
        let mut rng = contexts.index(u64::from(index)).rng();
        let context = subspace.sample(&c.spec.context, &mut rng);
        let (next, episode_return, length_env_steps) = episode(c, &mut player, (index, context))?;
        features.push(next);
        sum_of_returns += episode_return;
        env_steps += length_env_steps;
    }
    let mean_return = sum_of_returns / features.len() as f64;
    Some(Played { subspace, features, mean_return })
}

/// Features of an episode (return; length; mean and standard deviation of every element of the
/// observation), its return and its length.
fn episode(
    c: &mut Checker<'_>,
    player: &mut Player,
    (index, context): (u32, Context),
) -> Option<(Features, f64, u32)> {
    let mut start = c.start(FIRST_EPISODE + index);
    start.context = context;
    c.reset(player, &start)?;
    let mut moments = Moments::new(player.obs.len());
    moments.add(&player.obs);
    let (mut episode_return, mut length_env_steps) = (0.0, 0);
    while length_env_steps < MAX_ENV_STEPS {
        let action = start.chooser.next();
        let step = c.step(player, &action)?;
        moments.add(&player.obs);
        episode_return += f64::from(step.reward);
        length_env_steps += 1;
        if step.outcome.ends_episode() {
            break;
        }
    }
    let (mean, std) = moments.finish();
    let groups = vec![vec![episode_return], vec![f64::from(length_env_steps)], mean, std];
    Some((Features { groups }, episode_return, length_env_steps))
}

/// Sums over the observations of an episode.
struct Moments {
    count: f64,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn new(len: usize) -> Self {
        Self { count: 0.0, sums: vec![0.0; len], squares: vec![0.0; len] }
    }

    fn add(&mut self, obs: &ObsBuffer) {
        self.count += 1.0;
        for (index, (sum, square)) in self.sums.iter_mut().zip(&mut self.squares).enumerate() {
            let value = f64::from(obs.as_ref().get(index));
            *sum += value;
            *square += value * value;
        }
    }

    /// Mean and standard deviation of every element.
    fn finish(self) -> (Vec<f64>, Vec<f64>) {
        let mean: Vec<f64> = self.sums.iter().map(|sum| sum / self.count).collect();
        let std = |(square, mean): (&f64, &f64)| {
            let variance = square / self.count - mean * mean;
            // Below this it is rounding.
            if variance > 1e-12 * mean * mean { variance.sqrt() } else { 0.0 }
        };
        let std = self.squares.iter().zip(&mean).map(std).collect();
        (mean, std)
    }
}
