//! Whether what the targets ask was seen in the sources: initial states, and what follows on
//! random actions, compared by checksum.

use contrail_envs::conformance::RandomActions;
use contrail_envs::{
    Context, ContextSpec, EnvError, Environment, ObsBuffer, ObsRef, SeedStream, Subspace,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Episodes that are begun in each subspace, as near as whole turns come.
const EPISODES: usize = 200;
/// Contexts of a subspace that has too many to take all.
const CONTEXTS: usize = 20;
/// Random steps after which episodes that went alike count as alike.
const ENV_STEPS: u32 = 30;

/// What the comparison of sources and targets found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeakReport {
    /// Pairs of a source and a target with episodes in common.
    pub leaks: Vec<Leak>,
    /// Whether states could be compared; environments in Python may have none to save.
    pub states_compared: bool,
    /// Share of the targets' first observations that are also a source's, bit for bit, under
    /// another seed. Expected where the split is about what cannot be seen at once (physics, say);
    /// elsewhere the agent has met the target before.
    pub shared_first_obs: f64,
}

/// A source and a target that are, in part or as far as one can see, the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// The source.
    pub source: String,
    /// The target.
    pub target: String,
    /// What they have in common.
    pub kind: LeakKind,
    /// Episodes of the target that the source has too.
    pub episodes: usize,
    /// Episodes of the target that were compared.
    pub compared: usize,
    /// A context of the source, and one of the target, that cannot be told apart.
    pub contexts: (Context, Context),
}

/// What a source and a target have in common under the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakKind {
    /// The full initial state, in at least one episode: the very same episode is in both.
    State,
    /// All observations, rewards and ends of 30 random steps, in every episode: the contexts seem
    /// to make no difference, or one that shows later.
    Behavior,
}

impl LeakReport {
    /// Leaks as sentences, with the names of the context values of `spec`.
    #[must_use]
    pub fn warnings(&self, spec: &ContextSpec) -> Vec<String> {
        let named = |context: &Context| {
            let all = spec.values.iter().zip(&context.values);
            all.map(|(v, value)| format!("{} {value}", v.name)).collect::<Vec<_>>().join(", ")
        };
        let sentence = |leak: &Leak| {
            let Leak { source, target, episodes, compared, contexts: (a, b), .. } = leak;
            let (a, b) = (named(a), named(b));
            match leak.kind {
                LeakKind::State => format!(
                    "{episodes} of {compared} episodes of target {target} begin in the very state of \
                     one of source {source}: the environment does not tell ({a}) from ({b})"
                ),
                LeakKind::Behavior => format!(
                    "all {compared} episodes of target {target} go like one of source {source} for \
                     {ENV_STEPS} random steps: ({a}) and ({b}) differ in nothing that shows by then"
                ),
            }
        };
        self.leaks.iter().map(sentence).collect()
    }
}

/// Checksums of one episode's beginning.
struct Beginning {
    seed: u64,
    context: Context,
    state: Option<blake3::Hash>,
    obs: blake3::Hash,
    behavior: blake3::Hash,
}

/// Begins about 200 episodes in each subspace, with the same seeds and random actions, and compares
/// them.
///
/// Two different contexts with the same initial state under the same seed are the same to the
/// environment: a context value that it ignores or rounds, say. A state may also hold the value
/// without using it; then the episodes go alike. Either is a leak, since contexts of sources and
/// targets differ by construction of the split.
///
/// # Errors
/// If an environment cannot be reset or stepped.
pub fn check(
    env: &mut dyn Environment,
    (source, target): (&[Subspace], &[Subspace]),
    seeds: SeedStream,
) -> Result<LeakReport, EnvError> {
    let seeds = seeds.stream("leak");
    let mut begin = |side: &[Subspace]| {
        side.iter().map(|s| beginnings(env, s, seeds)).collect::<Result<Vec<_>, _>>()
    };
    let (of_sources, of_targets) = (begin(source)?, begin(target)?);
    let mut leaks = Vec::new();
    for (source, begun) in source.iter().zip(&of_sources) {
        for (target, others) in target.iter().zip(&of_targets) {
            leaks.extend(leak((source, begun), (target, others)));
        }
    }
    let targets = || of_targets.iter().flatten();
    Ok(LeakReport {
        leaks,
        states_compared: targets().all(|b| b.state.is_some()),
        shared_first_obs: shared_first_obs(&of_sources, &of_targets),
    })
}

/// Same seed, same state; or all the same for as long as we look.
fn leak(
    (source, begun): (&Subspace, &[Beginning]),
    (target, others): (&Subspace, &[Beginning]),
) -> Option<Leak> {
    let state = common(begun, others, |b| b.state);
    let behavior = common(begun, others, |b| Some(b.behavior));
    let (kind, (episodes, contexts)) = match (state, behavior) {
        (Some(found), _) => (LeakKind::State, found),
        (None, Some(found)) if found.0 == others.len() => (LeakKind::Behavior, found),
        (None, _) => return None,
    };
    let (source, target) = (source.name.clone(), target.name.clone());
    Some(Leak { source, target, kind, episodes, compared: others.len(), contexts })
}

/// How many of `others` have the checksum of one of `begun` under the same seed, and the contexts
/// of the first such pair; `None` if none has.
fn common(
    begun: &[Beginning],
    others: &[Beginning],
    checksum: impl Fn(&Beginning) -> Option<blake3::Hash>,
) -> Option<(usize, (Context, Context))> {
    let key = |b: &Beginning| checksum(b).map(|sum| (b.seed, *sum.as_bytes()));
    let known: BTreeMap<_, _> = begun.iter().filter_map(|b| Some((key(b)?, &b.context))).collect();
    let mut pairs = others.iter().filter_map(|b| Some((*known.get(&key(b)?)?, &b.context)));
    let (a, b) = pairs.next()?;
    Some((1 + pairs.count(), (a.clone(), b.clone())))
}

fn shared_first_obs(of_sources: &[Vec<Beginning>], of_targets: &[Vec<Beginning>]) -> f64 {
    let mut seeds_of = BTreeMap::<[u8; 32], BTreeSet<u64>>::new();
    for b in of_sources.iter().flatten() {
        seeds_of.entry(*b.obs.as_bytes()).or_default().insert(b.seed);
    }
    let elsewhere = |b: &&Beginning| {
        let seeds = seeds_of.get(b.obs.as_bytes());
        seeds.is_some_and(|seeds| seeds.iter().any(|seed| *seed != b.seed))
    };
    let targets = || of_targets.iter().flatten();
    targets().filter(elsewhere).count() as f64 / targets().count().max(1) as f64
}

/// All contexts of a subspace that has few, some of one that has many, each with the same seeds.
fn beginnings(
    env: &mut dyn Environment,
    subspace: &Subspace,
    seeds: SeedStream,
) -> Result<Vec<Beginning>, EnvError> {
    let spec = env.spec().context.clone();
    let few = subspace.enumerate(&spec).filter(|all| all.len() <= 2 * EPISODES);
    let mut rng = seeds.stream(&subspace.name).rng();
    let contexts =
        few.unwrap_or_else(|| (0..CONTEXTS).map(|_| subspace.sample(&spec, &mut rng)).collect());
    let turns = (EPISODES / contexts.len().max(1)).max(2);
    let mut found = Vec::new();
    for context in &contexts {
        for seed in 0..turns as u64 {
            found.push(beginning(env, context, (seed, seeds.index(seed)))?);
        }
    }
    Ok(found)
}

fn beginning(
    env: &mut dyn Environment,
    context: &Context,
    (seed, seeds): (u64, SeedStream),
) -> Result<Beginning, EnvError> {
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    env.reset(seeds.seed(), context, obs.as_mut())?;
    let mut bytes = Vec::new();
    let state = match env.save_state(&mut bytes) {
        Ok(()) => Some(blake3::hash(&bytes)),
        Err(EnvError::Unsavable { .. }) => None,
        Err(error) => return Err(error),
    };
    let mut behavior = blake3::Hasher::new();
    read(&mut behavior, obs.as_ref());
    let first = behavior.finalize();
    let mut actions = RandomActions::new(&env.spec().action, seeds.stream("actions").seed());
    for _ in 0..ENV_STEPS {
        let step = actions.step(env, obs.as_mut())?;
        behavior.update(&step.reward.to_le_bytes());
        behavior.update(&[step.outcome as u8]);
        read(&mut behavior, obs.as_ref());
        if step.outcome.ends_episode() {
            break;
        }
    }
    let (context, behavior) = (context.clone(), behavior.finalize());
    Ok(Beginning { seed, context, state, obs: first, behavior })
}

fn read(hasher: &mut blake3::Hasher, obs: ObsRef<'_>) {
    match obs {
        ObsRef::U8(bytes) => {
            hasher.update(bytes);
        }
        ObsRef::F32(values) => {
            for value in values {
                hasher.update(&value.to_le_bytes());
            }
        }
    }
}
