//! Splits: which subspaces an agent learns in, and which it is judged in.

use crate::subspace::Patch;
use crate::{ContextSpec, EnvError, Subspace};
use serde::{Deserialize, Serialize};

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

/// Products of shared contexts that an error lists.
const MAX_LISTED: usize = 3;

/// What two subspaces share, value by value; `None` if they never draw the same context.
fn shared(spec: &ContextSpec, a: &Subspace, b: &Subspace) -> Option<String> {
    let patches = a.shared(b, spec);
    let list = |patch: &Patch| {
        let values = spec.values.iter().enumerate();
        let named = values.filter(|(_, value)| a.names(&value.name) || b.names(&value.name));
        let parts = named.map(|(index, value)| format!("{} {}", value.name, patch.support(index)));
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() { "the default context".to_owned() } else { parts.join(", ") }
    };
    let listed: Vec<String> = patches.iter().take(MAX_LISTED).map(list).collect();
    let more = match patches.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!listed.is_empty()).then(|| listed.join("; ") + &more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ContextValue, Distribution, WrittenSubspace};

    fn spec() -> ContextSpec {
        let value = |name: &str| ContextValue::new(name, "1", 5.0, (0.0, 10.0), "");
        ContextSpec { values: vec![value("g"), value("m")] }
    }

    fn subspace(name: &str, values: &[(&str, Distribution)]) -> Subspace {
        let values = values.iter().map(|(name, d)| ((*name).to_owned(), d.clone())).collect();
        Subspace { name: name.into(), values, ..Subspace::default() }
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
        let table: [(Values<'_>, Values<'_>, Option<&str>); 14] = [
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
            // An interval of one point is that point.
            (&[("g", Uniform(3.0, 3.0))], &[("g", Uniform(2.0, 4.0))], Some("g 3")),
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

    /// Both subspaces as a config writes them, called s and t.
    fn written_refusal(source: &str, target: &str) -> Option<String> {
        let json = format!(r#"{{"s":{source},"t":{target}}}"#);
        let written = serde_json::from_str(&json).unwrap();
        let [s, t] = WrittenSubspace::resolve(&written).unwrap().try_into().unwrap();
        let split = Split { kind: SplitKind::Goal, source: vec![s], target: vec![t] };
        split.check(&spec()).err().map(|error| error.to_string())
    }

    #[test]
    fn whole_contexts_and_exceptions_are_compared_exactly() {
        // Both values have the default 5.
        let table = [
            (r#"{"g":{"uniform":[1,4]}}"#, r#"{"g":{"uniform":[0,9]},"except":["s"]}"#, None),
            (r#"{"g":{"choice":[1,2]}}"#, r#"{"g":{"choice":[2,3]},"except":["s"]}"#, None),
            (r#"{"g":{"uniform":[1,4]},"except":["t"]}"#, r#"{"g":2}"#, None),
            (
                r#"{"contexts":[{"g":1,"m":2},{"g":2,"m":1}]}"#,
                r#"{"contexts":[{"g":1,"m":1},{"g":2,"m":2}]}"#,
                None, // though each value alone agrees
            ),
            (
                r#"{"contexts":[{"g":1,"m":2},{"g":2,"m":1}]}"#,
                r#"{"g":{"choice":[1,2,3]},"m":{"uniform":[0.5,1.5]}}"#,
                Some("g 2, m 1"),
            ),
            (
                r#"{"contexts":[{"g":1,"m":2},{"g":2}]}"#,
                r#"{"contexts":[{"g":2,"m":5},{"m":2,"g":1}]}"#,
                Some("g 1, m 2; g 2, m 5"),
            ),
            (
                r#"{"contexts":[{"g":1},{"g":2},{"g":3},{"g":4},{"g":5}]}"#,
                r#"{"g":{"uniform":[0,9]}}"#,
                Some("g 1; g 2; g 3; and 2 more"),
            ),
            (
                r#"{"contexts":[{"g":1},{"g":2}],"m":{"uniform":[1,3]}}"#,
                r#"{"g":2,"m":{"uniform":[2,6]}}"#,
                Some("g 2, m 2 to 3"),
            ),
        ];
        for (source, target, shared) in table {
            let expected = shared.map(|shared| {
                format!("source subspace s and target subspace t share contexts: {shared}")
            });
            assert_eq!(written_refusal(source, target), expected, "{source} {target}");
        }
    }

    /// The target excepts another part of the source than all of it.
    #[test]
    fn what_an_exception_leaves_is_named() {
        let table = [
            // The source is 1 to 4 by m = 5, the target 0 to 9 without 2 to 3.
            (r#"{"g":{"uniform":[2,3]}}"#, Some("g 1 to 2; g 3 to 4")),
            (r#"{"g":{"uniform":[0,3]}}"#, Some("g 3 to 4")),
            (r#"{"g":{"choice":[2,3]}}"#, Some("g 1 to 4")), // points of an interval
            (r#"{"g":{"uniform":[0,4]},"m":{"uniform":[5.5,6]}}"#, Some("g 1 to 4")),
            (r#"{"g":{"uniform":[0,4]},"m":{"uniform":[4,6]}}"#, None),
        ];
        for (hole, shared) in table {
            let json = format!(
                r#"{{"hole":{hole},"s":{{"g":{{"uniform":[1,4]}}}},
                     "t":{{"g":{{"uniform":[0,9]}},"except":["hole"]}}}}"#
            );
            let written = serde_json::from_str(&json).unwrap();
            let [_, s, t] = WrittenSubspace::resolve(&written).unwrap().try_into().unwrap();
            let split = Split { kind: SplitKind::Goal, source: vec![s], target: vec![t] };
            let text = split.check(&spec()).err().map(|error| error.to_string());
            let expected = shared.map(|shared| {
                format!("source subspace s and target subspace t share contexts: {shared}")
            });
            assert_eq!(text, expected, "{hole}");
        }
    }

    #[test]
    fn sources_may_overlap_each_other() {
        use Distribution::Fixed;
        let source = vec![subspace("a", &[("g", Fixed(1.0))]), subspace("b", &[("g", Fixed(1.0))])];
        let target = vec![subspace("t", &[("g", Fixed(2.0))])];
        assert!(Split { kind: SplitKind::Goal, source, target }.check(&spec()).is_ok());
    }
}
