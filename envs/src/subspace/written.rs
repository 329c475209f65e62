//! Subspaces as they are written, where they call each other by name.

use super::{Distribution, Subspace};
use crate::EnvError;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Reserved key: whole contexts, of which one is drawn.
const CONTEXTS: &str = "contexts";
/// Reserved key: names of subspaces whose contexts are never drawn.
const EXCEPT: &str = "except";

/// A [`Subspace`] as a config holds it, under its name. [`resolve`](Self::resolve) makes subspaces
/// of all that a config holds.
///
/// Every key but two is the name of a context value, with its [`Distribution`]:
///
/// ```toml
/// [subspaces.train]
/// contexts = [ { obstacle_position = 21, floor_height = 14 }, { obstacle_position = 40, floor_height = 11 } ]
/// [subspaces.unseen]
/// obstacle_position = { grid = { low = 20, high = 45, count = 26 } }
/// floor_height = { grid = { low = 10, high = 20, count = 11 } }
/// except = ["train"]
/// ```
///
/// - `contexts`: one of these is drawn, each as likely, together with the values that have a key of
///   their own. A context need not name the same values as the others: what it does not name keeps
///   its default.
/// - `except`: a draw that a subspace of this list could have given is drawn again.
///
/// So a context value with one of these two names cannot be drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenSubspace {
    /// How each named context value is drawn.
    pub values: BTreeMap<String, Distribution>,
    /// Whole contexts, of which one is drawn; empty = none is written.
    pub contexts: Vec<BTreeMap<String, f64>>,
    /// Names of subspaces whose contexts are never drawn.
    pub except: Vec<String>,
}

impl WrittenSubspace {
    /// The subspaces of a config, with those that they except in place of their names.
    ///
    /// # Errors
    /// [`EnvError::InvalidContext`] for an `except` with an unknown name (with the nearest known
    /// one), with the subspace itself, or with one that has an `except` of its own.
    pub fn resolve(written: &BTreeMap<String, Self>) -> Result<Vec<Subspace>, EnvError> {
        let subspace = |(name, own): (&String, &Self)| {
            let mut subspace = own.without_except(name);
            for other in &own.except {
                let found = written.get(other).ok_or_else(|| unknown((name, other), written));
                subspace.except.push(found?.excepted((name, other))?);
            }
            Ok(subspace)
        };
        written.iter().map(subspace).collect()
    }

    fn without_except(&self, name: &str) -> Subspace {
        let (values, contexts) = (self.values.clone(), self.contexts.clone());
        Subspace { name: name.to_owned(), values, contexts, except: Vec::new() }
    }

    /// `self`, which is called `own`, as what `heir` excepts.
    fn excepted(&self, (heir, own): (&String, &String)) -> Result<Subspace, EnvError> {
        let refuse = |fault: &str| {
            Err(EnvError::InvalidContext(format!("subspace {heir}: except has {own:?}, {fault}")))
        };
        if heir == own {
            return refuse("the subspace itself, which would leave nothing");
        }
        if !self.except.is_empty() {
            return refuse("which has an except of its own, allowed are subspaces without one");
        }
        Ok(self.without_except(own))
    }
}

fn unknown(
    (name, other): (&String, &String),
    written: &BTreeMap<String, WrittenSubspace>,
) -> EnvError {
    let similarity = |known: &String| strsim::jaro_winkler(known, other);
    let known = written.keys().filter(|known| *known != name);
    let nearest = known.max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    let hint = nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest:?}?"));
    EnvError::InvalidContext(format!(
        "subspace {name}: except has {other:?}, and there is no such subspace{hint}"
    ))
}

impl From<Subspace> for WrittenSubspace {
    fn from(subspace: Subspace) -> Self {
        let Subspace { values, contexts, except, .. } = subspace;
        let except = except.into_iter().map(|subspace| subspace.name).collect();
        Self { values, contexts, except }
    }
}

impl Serialize for WrittenSubspace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, distribution) in &self.values {
            map.serialize_entry(name, distribution)?;
        }
        if !self.contexts.is_empty() {
            map.serialize_entry(CONTEXTS, &self.contexts)?;
        }
        if !self.except.is_empty() {
            map.serialize_entry(EXCEPT, &self.except)?;
        }
        map.end()
    }
}

/// By hand: serde's own `flatten` forgets where in a file a value stands.
impl<'de> Deserialize<'de> for WrittenSubspace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = WrittenSubspace;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of context values, which may have contexts and except")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WrittenSubspace, A::Error> {
                let mut written = WrittenSubspace::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        CONTEXTS => written.contexts = nonempty(map.next_value()?)?,
                        EXCEPT => written.except = map.next_value()?,
                        _ => {
                            written.values.insert(key, map.next_value()?);
                        }
                    }
                }
                Ok(written)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

fn nonempty<T, E: Error>(contexts: Vec<T>) -> Result<Vec<T>, E> {
    if contexts.is_empty() {
        return Err(E::custom("contexts is a choice of nothing, it needs at least one context"));
    }
    Ok(contexts)
}
