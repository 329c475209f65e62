//! Whether what the targets ask was seen in the sources: initial states compared by checksum.

use contrail_envs::{
    Context, ContextSpec, EnvError, Environment, ObsBuffer, ObsRef, SeedStream, Subspace,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Seeds that episodes are begun with, the same in every subspace.
const SEEDS: u64 = 10;
/// Contexts that are drawn from each subspace; each meets every seed.
const CONTEXTS: u64 = 20;

/// What the comparison of initial states found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeakReport {
    /// Episodes begun in each subspace: 20 contexts with the same 10 seeds each.
    pub episodes: u64,
    /// Targets with initial states that are also a source's.
    pub leaks: Vec<Leak>,
    /// Whether states could be compared; environments in Python may have none to save.
    pub states_compared: bool,
    /// Share of the targets' first observations that are also a source's, bit for bit, under
    /// another seed. Expected where the split is about what cannot be seen (physics, say); elsewhere the
    /// agent has met the target before.
    pub shared_first_obs: f64,
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
            let Leak { source, target, episodes, contexts: (a, b) } = leak;
            let all = self.episodes;
            format!(
                "{episodes} of {all} episodes of target {target} begin in the very state of one of \
                 source {source}: the environment does not tell ({}) from ({})",
                named(a),
                named(b)
            )
        };
        self.leaks.iter().map(sentence).collect()
    }
}

/// A target subspace whose contexts have initial states of a source subspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// The source.
    pub source: String,
    /// The target.
    pub target: String,
    /// Episodes of the target whose initial state the source has too.
    pub episodes: u64,
    /// A context of the source, and one of the target, that begin alike.
    pub contexts: (Context, Context),
}

/// Checksums of one beginning.
struct Beginning {
    seed: u64,
    context: Context,
    state: Option<blake3::Hash>,
    obs: blake3::Hash,
}

/// Begins 200 episodes in each subspace and compares them.
///
/// Two different contexts with the same initial state under the same seed are the same to the
/// environment: a context value that it ignores or rounds, say. That is a leak, since contexts of
/// sources and targets differ by construction of the split.
///
/// # Errors
/// If an environment cannot be reset.
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
        episodes: SEEDS * CONTEXTS,
        leaks,
        states_compared: targets().all(|b| b.state.is_some()),
        shared_first_obs: shared_first_obs(&of_sources, &of_targets),
    })
}

/// Same seed, same state.
fn leak(
    (source, begun): (&Subspace, &[Beginning]),
    (target, others): (&Subspace, &[Beginning]),
) -> Option<Leak> {
    let key = |b: &Beginning| b.state.map(|state| (b.seed, *state.as_bytes()));
    let known: BTreeMap<_, _> = begun.iter().filter_map(|b| Some((key(b)?, &b.context))).collect();
    let mut pairs = others.iter().filter_map(|b| Some((*known.get(&key(b)?)?, &b.context)));
    let (a, b) = pairs.next()?;
    Some(Leak {
        source: source.name.clone(),
        target: target.name.clone(),
        episodes: 1 + pairs.count() as u64,
        contexts: (a.clone(), b.clone()),
    })
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

fn beginnings(
    env: &mut dyn Environment,
    subspace: &Subspace,
    seeds: SeedStream,
) -> Result<Vec<Beginning>, EnvError> {
    let spec = env.spec().context.clone();
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    let (mut state, mut found) = (Vec::new(), Vec::new());
    let mut rng = seeds.stream(&subspace.name).rng();
    for _ in 0..CONTEXTS {
        let context = subspace.sample(&spec, &mut rng);
        for seed in 0..SEEDS {
            env.reset(seeds.index(seed).seed(), &context, obs.as_mut())?;
            state.clear();
            let saved = match env.save_state(&mut state) {
                Ok(()) => Some(blake3::hash(&state)),
                Err(EnvError::Unsavable { .. }) => None,
                Err(error) => return Err(error),
            };
            let obs = checksum(obs.as_ref());
            found.push(Beginning { seed, context: context.clone(), state: saved, obs });
        }
    }
    Ok(found)
}

fn checksum(obs: ObsRef<'_>) -> blake3::Hash {
    match obs {
        ObsRef::U8(bytes) => blake3::hash(bytes),
        ObsRef::F32(values) => {
            let mut hasher = blake3::Hasher::new();
            for value in values {
                hasher.update(&value.to_le_bytes());
            }
            hasher.finalize()
        }
    }
}
