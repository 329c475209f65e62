//! Variants of a game: how an agent sees it, and how often its move is played.

use super::{CELLS, SIZE};
use crate::{Context, ContextSpec, ContextValue, EnvError};
use serde::{Deserialize, Serialize};

/// Planes of the game with the most.
const MAX_PLANES: usize = 10;
/// Most frames a decision.
const MAX_SPEED: u32 = 4;

/// Positions in [`Context::values`].
pub(super) const STICKY_ACTION_PROB: usize = 0;
pub(super) const DIFFICULTY_RAMPING: usize = 1;
const MIRROR: usize = 2;
const CHANNEL_PERMUTATION: usize = 3;
const SPEED: usize = 4;
const GAME: usize = 5;

/// The context values of a game with `planes` planes, or of several `games` in one environment.
pub(super) fn context_spec(planes: usize, games: &[&str]) -> ContextSpec {
    let value = |name, default, (low, high): (u32, u32), doc: &str| {
        ContextValue::new(name, "1", default, (f64::from(low), f64::from(high)), doc)
    };
    let sticky = "probability that the move before is repeated instead of the chosen one";
    let ramping = "1: the game gets harder as it goes on; 0: it does not (on from 0.5)";
    let mirror = "1: the view is mirrored left to right, the moves are not (on from 0.5)";
    let permutation = "which order the planes come in, 0 = the published one; a whole number";
    let mut speed = value(
        "speed",
        1.0,
        (1, MAX_SPEED),
        "frames for which the chosen move is played, rewards summed; a whole number",
    );
    speed.unit = "frames".into();
    let mut values = vec![
        value("sticky_action_prob", 0.1, (0, 1), sticky),
        value("difficulty_ramping", 1.0, (0, 1), ramping),
        value("mirror", 0.0, (0, 1), mirror),
        value("channel_permutation", 0.0, (0, factorial(planes) - 1), permutation),
        speed,
    ];
    if let Some(last) = games.len().checked_sub(1) {
        let named = games.iter().enumerate().map(|(index, name)| format!("{index} {name}"));
        let doc = format!("{}; a whole number", named.collect::<Vec<_>>().join(", "));
        values.push(value("game", 0.0, (0, last as u32), &doc));
    }
    ContextSpec { values }
}

/// Which of several games `context` asks for, where there are several.
pub(super) fn game(spec: &ContextSpec, context: &Context) -> Result<Option<usize>, EnvError> {
    if spec.values.len() <= GAME {
        return Ok(None);
    }
    whole(spec, context, GAME).map(|index| Some(index as usize))
}

/// What a saved state holds of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Variant {
    mirrored: bool,
    permutation: u32,
    speed_frames: u32,
}

impl Default for Variant {
    fn default() -> Self {
        Self { mirrored: false, permutation: 0, speed_frames: 1 }
    }
}

impl Variant {
    /// What `context` asks for.
    ///
    /// # Errors
    /// [`EnvError::InvalidContext`] for a number that must be whole and is not.
    pub(super) fn of(spec: &ContextSpec, context: &Context) -> Result<Self, EnvError> {
        Ok(Self {
            mirrored: context.values[MIRROR] >= 0.5,
            permutation: whole(spec, context, CHANNEL_PERMUTATION)?,
            speed_frames: whole(spec, context, SPEED)?,
        })
    }

    /// What no context can ask for, in a state that was read back.
    pub(super) fn fault(self, planes: usize) -> Option<String> {
        let Self { permutation, speed_frames, .. } = self;
        if permutation >= factorial(planes) {
            return Some(format!("it has channel permutation {permutation} of {planes} planes"));
        }
        let allowed = (1..=MAX_SPEED).contains(&speed_frames);
        (!allowed).then(|| format!("it has a speed of {speed_frames} frames, allowed 1 to 4"))
    }

    /// Frames for which a chosen move is played.
    pub(super) fn speed_frames(self) -> u32 {
        self.speed_frames
    }

    /// How an agent sees `planes` planes.
    pub(super) fn view(self, planes: usize) -> View {
        let order = permutation(self.permutation, planes);
        View { mirrored: self.mirrored, order: (self.permutation != 0).then_some(order) }
    }
}

/// Value `index`, which must be whole and within bounds that `u32` holds.
fn whole(spec: &ContextSpec, context: &Context, index: usize) -> Result<u32, EnvError> {
    let value = context.values[index];
    if value.fract() == 0.0 {
        return Ok(value as u32);
    }
    let ContextValue { name, low, high, .. } = &spec.values[index];
    Err(EnvError::InvalidContext(format!(
        "context value {name} is {value}, allowed are whole numbers from {low} to {high}"
    )))
}

/// What is done to an observation before an agent sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct View {
    mirrored: bool,
    /// For each place the plane of the game that is shown there.
    order: Option<[usize; MAX_PLANES]>,
}

impl View {
    /// Changes `obs`, `[C, 10, 10]`, from the game's view to the agent's.
    pub(super) fn apply(&self, obs: &mut [u8]) {
        if self.mirrored {
            obs.chunks_exact_mut(SIZE).for_each(<[u8]>::reverse);
        }
        if let Some(order) = self.order {
            let mut planes = [0; MAX_PLANES * CELLS];
            let planes = &mut planes[..obs.len()];
            planes.copy_from_slice(obs);
            for (place, plane) in obs.chunks_exact_mut(CELLS).zip(order) {
                place.copy_from_slice(&planes[plane * CELLS..(plane + 1) * CELLS]);
            }
        }
    }
}

/// Permutation `number` of `0..planes` in the order of the dictionary: its digits to the bases
/// `planes`, `planes - 1`, ..., 1 say which of the elements left over comes next (Laisant 1888, the
/// factorial number system). 0 is the order itself, `planes! - 1` its reverse.
fn permutation(number: u32, planes: usize) -> [usize; MAX_PLANES] {
    let mut order: [usize; MAX_PLANES] = std::array::from_fn(|plane| plane);
    let mut rest = number;
    for place in 0..planes {
        let weight = factorial(planes - 1 - place);
        let next = place + (rest / weight) as usize;
        rest %= weight;
        // The chosen element comes to the front of those left over, which keep their order.
        order[place..=next].rotate_right(1);
    }
    order
}

/// `n!` for `n` up to 12.
fn factorial(n: usize) -> u32 {
    (1..=n as u32).product()
}

#[cfg(test)]
#[path = "variant_tests.rs"]
mod tests;
