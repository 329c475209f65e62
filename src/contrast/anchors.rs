//! Who is contrasted.

use super::store::{Store, Stores};
use super::table::Spot;
use super::{ContrastSpec, Missing};
use crate::memory::{Among, EpisodicMemory, Place, SegmentLaw};
use contrail_envs::{ActionSpace, Prng};
use rand::RngExt;

/// Draws of an anchor before it may be followed by another action than the one that was wanted.
const DRAWS: usize = 64;

/// Anchors of each store: memory, current stream.
pub(super) fn counts(spec: &ContrastSpec) -> [(Store, usize); 2] {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of B")]
    let memory = (spec.anchors as f64 * spec.memory_share).round() as usize;
    [(Store::Memory, memory), (Store::Recent, spec.anchors - memory)]
}

/// Refuses stores that hold too little to draw anchors and negatives from.
///
/// Needed are two segments in each store that anchors come from, and in memory as many as hold
/// twice the observations of one contrast.
pub(super) fn check_held(stores: &Stores, spec: &ContrastSpec) -> Result<(), Missing> {
    let horizon = stores.memory.config().horizon_env_steps;
    let contrast = (1 + spec.positives + spec.negatives).saturating_mul(2).div_ceil(horizon);
    for (store, count) in counts(spec) {
        let needed = match store {
            Store::Memory => contrast.min(stores.memory.config().segments_a_stratum()).max(2),
            Store::Recent => contrast.min(stores.recent.config().capacity_segments).max(2),
        };
        let held = stores.of(store).len();
        if count > 0 && held < needed {
            return Err(Missing::Segments { store, held, needed });
        }
    }
    Ok(())
}

/// Draws one anchor of a store that is not empty: an observation that an action followed.
pub(super) fn draw(
    stores: &Stores,
    store: Store,
    spec: &ContrastSpec,
    rng: &mut Prng,
) -> Option<Spot> {
    let wanted = match stores.memory.config().action {
        ActionSpace::Discrete(actions) if spec.balance_actions => rng.random_range(0..actions),
        _ => return draw_any(stores, store, spec, rng),
    };
    let held = stores.of(store);
    let fits = |spot: &Spot| held.discrete_action(spot.place) == Some(wanted);
    let mut last = None;
    for _ in 0..DRAWS {
        last = draw_any(stores, store, spec, rng);
        if last.as_ref().is_none_or(fits) {
            break;
        }
    }
    last
}

fn draw_any(stores: &Stores, store: Store, spec: &ContrastSpec, rng: &mut Prng) -> Option<Spot> {
    let held = stores.of(store);
    let place = match law(store, spec, rng) {
        SegmentLaw::Uniform => held.random_step(Among::All, rng),
        law => by_law(held, law, rng),
    };
    place.and_then(|place| Spot::of(stores, store, place))
}

fn by_law(held: &EpisodicMemory, law: SegmentLaw, rng: &mut Prng) -> Option<Place> {
    let segment = *held.sample(1, law, None, rng).ok()?.first()?;
    let len = held.view(segment)?.len();
    Some(Place { segment, position: rng.random_range(0..len) })
}

fn law(store: Store, spec: &ContrastSpec, rng: &mut Prng) -> SegmentLaw {
    if store == Store::Recent {
        return SegmentLaw::Uniform;
    }
    let (mix, at) = (spec.anchors_from, rng.random::<f64>());
    if at < mix.by_return {
        SegmentLaw::Return
    } else if at < mix.by_return + mix.by_surprise {
        SegmentLaw::Surprise
    } else {
        SegmentLaw::Uniform
    }
}
