//! Splits: which subspaces an agent learns in, and which it is judged in.

use crate::{ContextSpec, Distribution, EnvError, Subspace};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a split asks of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitKind {
    /// Targets lie between sources.
    Interpolation,
    /// Targets lie beyond sources.
    Extrapolation,
    /// Targets look different and behave alike.
    Appearance,
    /// Targets ask for something else in the same world.
    Goal,
}

/// Source and target subspaces, without a context in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// What it asks of an agent.
    pub kind: SplitKind,
    /// Subspaces that are learned in.
    pub source: Vec<Subspace>,
    /// Subspaces that are judged in.
    pub target: Vec<Subspace>,
}

impl Split {
    /// Refuses a split without sources or targets, one of whose subspaces does not suit `spec`,
    /// and one that could draw the same context as a source and as a target.
    ///
    /// # Errors
    /// [`EnvError::InvalidContext`]; for an overlap it names both subspaces and, for each context
    /// value that either of them names, what they share.
    pub fn check(&self, spec: &ContextSpec) -> Result<(), EnvError> {
        for (name, side) in [("source", &self.source), ("target", &self.target)] {
            if side.is_empty() {
                let text = format!("the split has no {name} subspace, it needs at least one");
                return Err(EnvError::InvalidContext(text));
            }
            side.iter().try_for_each(|subspace| subspace.check(spec))?;
        }
        for source in &self.source {
            for target in &self.target {
                if let Some(shared) = shared(spec, source, target) {
                    return Err(EnvError::InvalidContext(format!(
                        "source subspace {} and target subspace {} share contexts: {shared}",
                        source.name, target.name
                    )));
                }
            }
        }
        Ok(())
    }
}

/// What two subspaces share, value by value; `None` if they never draw the same context. Values
/// are drawn independently, so that is so if and only if one value is never the same in both.
fn shared(spec: &ContextSpec, a: &Subspace, b: &Subspace) -> Option<String> {
    let mut parts = Vec::new();
    for value in &spec.values {
        let support = |subspace: &Subspace| match subspace.values.get(&value.name) {
            Some(distribution) => Support::of(distribution),
            None => Support::Points(vec![value.default]),
        };
        let common = support(a).intersection(&support(b))?;
        let named = |subspace: &Subspace| subspace.values.contains_key(&value.name);
        if named(a) || named(b) {
            parts.push(format!("{} {common}", value.name));
        }
    }
    Some(if parts.is_empty() { "the default context".to_owned() } else { parts.join(", ") })
}

/// Values that a distribution can give.
#[derive(Clone, Debug, PartialEq)]
enum Support {
    Points(Vec<f64>),
    Interval(f64, f64),
}

impl Support {
    fn of(distribution: &Distribution) -> Self {
        match distribution {
            Distribution::Fixed(value) => Self::Points(vec![*value]),
            Distribution::Choice(values) => Self::Points(values.clone()),
            Distribution::Grid { low, high, count } => {
                let share = |point: u32| f64::from(point) / f64::from(*count - 1);
                Self::Points((0..*count).map(|point| low + (high - low) * share(point)).collect())
            }
            Distribution::Uniform(low, high)
            | Distribution::LogUniform(low, high)
            | Distribution::Normal { low, high, .. } => Self::Interval(*low, *high),
        }
    }

    /// Intervals that only touch share nothing: the point has no probability.
    fn intersection(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Points(points), other) | (other, Self::Points(points)) => {
                let common: Vec<f64> =
                    points.iter().copied().filter(|point| other.contains(*point)).collect();
                (!common.is_empty()).then_some(Self::Points(common))
            }
            (Self::Interval(a, b), Self::Interval(c, d)) => {
                let (low, high) = (a.max(*c), b.min(*d));
                (low < high).then_some(Self::Interval(low, high))
            }
        }
    }

    fn contains(&self, value: f64) -> bool {
        match self {
            Self::Points(points) => points.iter().any(|point| (point - value).abs() < 1e-12),
            Self::Interval(low, high) => (*low..=*high).contains(&value),
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Points(points) => {
                let points: Vec<String> = points.iter().map(ToString::to_string).collect();
                write!(f, "{}", points.join(" or "))
            }
            Self::Interval(low, high) => write!(f, "{low} to {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContextValue;

    fn spec() -> ContextSpec {
        let value = |name: &str| ContextValue::new(name, "1", 5.0, (0.0, 10.0), "");
        ContextSpec { values: vec![value("g"), value("m")] }
    }

    fn subspace(name: &str, values: &[(&str, Distribution)]) -> Subspace {
        let values = values.iter().map(|(name, d)| ((*name).to_owned(), d.clone())).collect();
        Subspace { name: name.into(), values }
    }

    fn refusal(source: &[(&str, Distribution)], target: &[(&str, Distribution)]) -> Option<String> {
        let (source, target) = (vec![subspace("s", source)], vec![subspace("t", target)]);
        let split = Split { kind: SplitKind::Interpolation, source, target };
        split.check(&spec()).err().map(|error| error.to_string())
    }

    #[test]
    fn overlaps_are_found_and_named() {
        use Distribution::{Choice, Fixed, Grid, Uniform};
        let grid = |low, high, count| Grid { low, high, count };
        type Values<'a> = &'a [(&'a str, Distribution)];
        let table: [(Values<'_>, Values<'_>, Option<&str>); 13] = [
            (&[("g", Uniform(1.0, 3.0))], &[("g", Uniform(4.0, 6.0))], None),
            (&[("g", Uniform(1.0, 3.0))], &[("g", Uniform(3.0, 6.0))], None), // they touch
            (&[("g", Uniform(1.0, 4.0))], &[("g", Uniform(3.0, 6.0))], Some("g 3 to 4")),
            (&[("g", Uniform(1.0, 4.0))], &[("g", Fixed(4.0))], Some("g 4")),
            (&[("g", Choice(vec![1.0, 2.0]))], &[("g", Choice(vec![3.0]))], None),
            (
                &[("g", Choice(vec![1.0, 2.0, 3.0]))],
                &[("g", Choice(vec![3.0, 2.0]))],
                Some("g 2 or 3"),
            ),
            (&[("g", grid(0.0, 10.0, 6))], &[("g", grid(1.0, 9.0, 5))], None), // even and odd
            (&[("g", grid(0.0, 10.0, 6))], &[("g", grid(2.0, 3.0, 2))], Some("g 2")),
            // One value that never agrees is enough.
            (
                &[("g", Uniform(1.0, 4.0)), ("m", Fixed(1.0))],
                &[("g", Uniform(1.0, 4.0)), ("m", Fixed(2.0))],
                None,
            ),
            // Who does not name a value has its default, 5.
            (&[("g", Fixed(5.0))], &[("m", Fixed(5.0))], Some("g 5, m 5")),
            (&[("g", Fixed(4.0))], &[("m", Fixed(5.0))], None),
            (&[("g", Uniform(4.0, 6.0))], &[], Some("g 5")),
            (&[], &[], Some("the default context")),
        ];
        for (source, target, shared) in table {
            let expected = shared.map(|shared| {
                format!("source subspace s and target subspace t share contexts: {shared}")
            });
            assert_eq!(refusal(source, target), expected, "{source:?} {target:?}");
            let swapped = refusal(target, source);
            assert_eq!(swapped.is_some(), shared.is_some(), "{source:?} {target:?}");
        }
    }

    #[test]
    fn both_sides_are_needed_and_must_suit_the_environment() {
        let split = |source: Vec<Subspace>, target| {
            let split = Split { kind: SplitKind::Goal, source, target };
            split.check(&spec()).unwrap_err().to_string()
        };
        let one = |name| subspace("a", &[(name, Distribution::Fixed(1.0))]);
        assert!(split(vec![], vec![one("g")]).contains("no source subspace"));
        assert!(split(vec![one("g")], vec![]).contains("no target subspace"));
        let text = split(vec![one("g")], vec![one("mm")]);
        assert!(text.contains("subspace a") && text.contains("\"mm\""), "{text}");
    }
}
