//! How one context value is drawn.

use crate::{ContextValue, Prng};
use rand::RngExt;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::f64::consts::TAU;
use std::fmt;

/// How one context value is drawn, once an episode.
///
/// In TOML, with the value's name as the key:
///
/// ```toml
/// gravity = 9.8
/// gravity = { uniform = [4.0, 6.0] }
/// gravity = { log_uniform = [0.1, 10.0] }
/// gravity = { normal = { mean = 9.8, std = 1.0, low = 8.0, high = 12.0 } }
/// gravity = { choice = [4.0, 9.8] }
/// gravity = { grid = { low = 4.0, high = 6.0, count = 5 } }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Uniform between two bounds.
    Uniform(f64, f64),
    /// The logarithm is uniform between those of two positive bounds.
    LogUniform(f64, f64),
    /// Normal, cut at two bounds: a draw outside them is drawn again.
    Normal {
        /// Mean before the cut; within the bounds.
        mean: f64,
        /// Standard deviation before the cut.
        std: f64,
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// One of these, each as likely as the others.
    Choice(Vec<f64>),
    /// One of `count` points at equal distances, both bounds included, each as likely.
    Grid {
        /// First point.
        low: f64,
        /// Last point.
        high: f64,
        /// Number of points; at least 2.
        count: u32,
    },
    /// Always this value.
    #[serde(untagged)]
    Fixed(f64),
}

/// Draws of a normal after which its mean is taken. Each is kept with a probability of at least
/// 0.49 (see [`normal`]), so this happens once in 10^18 draws.
const MAX_TRIES: u32 = 64;

impl Distribution {
    /// Smallest and largest value; `None` if there is none.
    #[must_use]
    pub fn bounds(&self) -> Option<(f64, f64)> {
        match self {
            Self::Fixed(value) => Some((*value, *value)),
            Self::Uniform(low, high) | Self::LogUniform(low, high) => Some((*low, *high)),
            Self::Normal { low, high, .. } | Self::Grid { low, high, .. } => Some((*low, *high)),
            Self::Choice(values) => {
                let low = values.iter().copied().reduce(f64::min)?;
                Some((low, values.iter().copied().reduce(f64::max)?))
            }
        }
    }

    pub(super) fn sample(&self, rng: &mut Prng) -> f64 {
        match self {
            Self::Fixed(value) => *value,
            Self::Uniform(low, high) => between(*low, *high, rng.random()),
            Self::LogUniform(low, high) => {
                between(low.ln(), high.ln(), rng.random()).exp().clamp(*low, *high)
            }
            Self::Normal { mean, std, low, high } => normal((*mean, *std), (*low, *high), rng),
            Self::Choice(values) => values[rng.random_range(0..values.len())],
            Self::Grid { low, high, count } => {
                grid_point((*low, *high), (rng.random_range(0..*count), *count))
            }
        }
    }

    /// What makes no sense about it, as the rest of a sentence.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::Choice(values) if values.is_empty() => {
                return Some("has a choice of nothing, it needs at least one value".into());
            }
            Self::Choice(values) => {
                return values
                    .iter()
                    .find(|value| !value.is_finite())
                    .map(|value| format!("may be {value}, allowed are finite values"));
            }
            _ => {}
        }
        let (low, high) = self.bounds()?;
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Some(format!("goes from {low} to {high}, allowed are finite bounds in order"));
        }
        match self {
            Self::LogUniform(low, _) if *low <= 0.0 => {
                Some(format!("is log_uniform from {low}, allowed are bounds above 0"))
            }
            Self::Normal { std, .. } if !(std.is_finite() && *std > 0.0) => {
                Some(format!("has the standard deviation {std}, allowed is a number above 0"))
            }
            Self::Normal { mean, .. } if !(low <= *mean && *mean <= high) => {
                Some(format!("has the mean {mean}, allowed is {low} to {high}, its bounds"))
            }
            Self::Grid { count, .. } if *count < 2 => {
                Some(format!("is a grid of {count} points, allowed are 2 and more"))
            }
            _ => None,
        }
    }

    /// How it leaves the bounds of `value`, as the rest of a sentence.
    pub(super) fn escape(&self, value: &ContextValue) -> Option<String> {
        let (low, high) = self.bounds()?;
        let ContextValue { unit, low: least, high: most, .. } = value;
        if *least <= low && high <= *most {
            return None;
        }
        let got = if low == high { format!("is {low}") } else { format!("is {low} to {high}") };
        Some(format!("{got} {unit}, allowed {least} to {most}"))
    }
}

/// Point `index` of `count` at equal distances, 0 = `low`. Between whole numbers a whole distance
/// away from each other, every point is exact.
pub(super) fn grid_point((low, high): (f64, f64), (index, count): (u32, u32)) -> f64 {
    match index + 1 {
        last if last == count => high,
        _ => low + (high - low) * f64::from(index) / f64::from(count - 1),
    }
}

/// The point at `fraction` of the way, never beyond the ends.
pub(super) fn between(low: f64, high: f64, fraction: f64) -> f64 {
    (low + (high - low) * fraction).clamp(low, high)
}

/// A normal cut at its bounds, which hold its mean, by rejection.
///
/// Where the bounds are less than √(2π) standard deviations apart, proposals are uniform between
/// them and kept with the density relative to that of the mean; elsewhere they are normal, by Box
/// and Muller (1958), and kept if inside. Either way the worst case is a mean at a bound and a
/// proposal is kept with a probability of at least 0.49.
fn normal((mean, std): (f64, f64), (low, high): (f64, f64), rng: &mut Prng) -> f64 {
    let narrow = high - low < TAU.sqrt() * std;
    for _ in 0..MAX_TRIES {
        let (first, second): (f64, f64) = (rng.random(), rng.random());
        let (value, kept) = if narrow {
            let value = between(low, high, first);
            let z = (value - mean) / std;
            (value, second < (-0.5 * z * z).exp())
        } else {
            // 1 - first is never 0.
            let z = (-2.0 * (1.0 - first).ln()).sqrt() * (TAU * second).cos();
            let value = mean + std * z;
            (value, low <= value && value <= high)
        };
        if kept {
            return value;
        }
    }
    mean
}

/// The forms that have a name.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Named {
    Uniform(f64, f64),
    LogUniform(f64, f64),
    Normal { mean: f64, std: f64, low: f64, high: f64 },
    Choice(Vec<f64>),
    Grid { low: f64, high: f64, count: u32 },
}

impl From<Named> for Distribution {
    fn from(named: Named) -> Self {
        match named {
            Named::Uniform(low, high) => Self::Uniform(low, high),
            Named::LogUniform(low, high) => Self::LogUniform(low, high),
            Named::Normal { mean, std, low, high } => Self::Normal { mean, std, low, high },
            Named::Choice(values) => Self::Choice(values),
            Named::Grid { low, high, count } => Self::Grid { low, high, count },
        }
    }
}

/// By hand, since serde's own untagged enums forget why a form did not fit.
impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = Distribution;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a number, or a table with one of uniform, log_uniform, normal, choice, grid",
                )
            }
            fn visit_f64<E>(self, value: f64) -> Result<Distribution, E> {
                Ok(Distribution::Fixed(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Distribution, E> {
                Ok(Distribution::Fixed(value as f64))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Distribution, E> {
                Ok(Distribution::Fixed(value as f64))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Distribution, A::Error> {
                Named::deserialize(MapAccessDeserializer::new(map)).map(Distribution::from)
            }
        }
        deserializer.deserialize_any(Forms)
    }
}
