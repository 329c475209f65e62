//! Subspaces: named distributions over contexts.

mod distribution;
mod region;
mod written;

pub use distribution::Distribution;
pub use written::WrittenSubspace;

use crate::{Context, ContextSpec, ContextValue, EnvError, Prng, SeedStream};
use rand::RngExt;
use region::same;
pub(crate) use region::{Patch, Support};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Contexts, equal ones counted each time, up to which a subspace is enumerated.
const MAX_CONTEXTS: usize = 100_000;
/// Least share of the draws that `except` must leave.
const MIN_KEPT: f64 = 0.01;
/// Draws in a row that `except` may refuse. Where it leaves a hundredth, so many are refused with
/// a probability of 0.99^10000 = 10^-44.
const MAX_DRAWS: u32 = 10_000;

/// A named distribution over contexts. Values that it does not name keep their default.
///
/// [`WrittenSubspace`] is its form in a config, where `except` is a list of names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Subspace {
    /// Name, as users and curves call it.
    pub name: String,
    /// How context values that are independent of all others are drawn.
    pub values: BTreeMap<String, Distribution>,
    /// Values that are drawn together: one of these, each as likely as the others; empty = none.
    /// A name is in here or in `values`, not in both. Who does not name a value that another names
    /// has its default.
    pub contexts: Vec<BTreeMap<String, f64>>,
    /// Subspaces whose contexts are never drawn; they have no `except` themselves.
    pub except: Vec<Subspace>,
}

impl Subspace {
    /// Refuses names that `spec` does not have, distributions that make no sense, values beyond the
    /// bounds of `spec`, names that are in `values` and in `contexts`, and an `except` that leaves
    /// less than a hundredth of the draws: counted where no value can be any of an interval,
    /// estimated with 10,000 draws elsewhere.
    ///
    /// # Errors
    /// [`EnvError::InvalidContext`], naming the subspace, the value and what is allowed.
    pub fn check(&self, spec: &ContextSpec) -> Result<(), EnvError> {
        let fault = self.fault(spec)?.or_else(|| self.contexts_fault(spec));
        if let Some(fault) = fault {
            return Err(self.refusal(&fault));
        }
        for other in &self.except {
            if !other.except.is_empty() {
                let fault = "which has an except of its own, allowed are subspaces without one";
                return Err(self.refusal(&format!("except has {:?}, {fault}", other.name)));
            }
            other.check(spec)?;
        }
        if self.except.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.except.iter().map(|other| other.name.as_str()).collect();
        let left = region::without(self.patches(spec), &self.cuts(spec));
        if left.is_empty() {
            let fault = format!("except {names:?} leaves nothing: all its contexts are in there");
            return Err(self.refusal(&fault));
        }
        let (kept, how) = self.kept(spec, &left);
        if kept < MIN_KEPT {
            let percent = kept * 100.0;
            return Err(self.refusal(&format!(
                "except {names:?} leaves {percent:.2} % of the draws ({how}), allowed 1 % and more"
            )));
        }
        Ok(())
    }

    /// Draws a context. `self` must have passed [`Subspace::check`] with `spec`; a name that
    /// `spec` does not have is ignored.
    ///
    /// One of `contexts` is drawn first, then values in the order of `spec`; a fixed one takes no
    /// random number.
    ///
    /// # Panics
    /// If `except` refuses 10,000 draws in a row, which does not happen after the check.
    #[must_use]
    pub fn sample(&self, spec: &ContextSpec, rng: &mut Prng) -> Context {
        for _ in 0..MAX_DRAWS {
            let context = self.draw(spec, rng);
            if !self.excepts(spec, &context) {
                return context;
            }
        }
        panic!("subspace {}: except refused {MAX_DRAWS} draws in a row", self.name);
    }

    /// Whether `context` can be drawn, up to rounding. Both ends of an interval can.
    #[must_use]
    pub fn contains(&self, spec: &ContextSpec, context: &Context) -> bool {
        context.values.len() == spec.values.len()
            && self.may_draw(spec, context)
            && !self.excepts(spec, context)
    }

    /// Every context that can be drawn, once, in the order of `contexts` and, within each, in
    /// the order of the values of `spec`, the last of which varies fastest. `None` if a value can
    /// be any of an interval, or if there are more than 100,000 combinations.
    #[must_use]
    pub fn enumerate(&self, spec: &ContextSpec) -> Option<Vec<Context>> {
        let mut known = BTreeSet::new();
        let contexts = self.points(spec)?.into_iter().map(|values| Context { values });
        let mut is_new = |context: &Context| {
            // 0 and -0 are one value.
            known.insert(context.values.iter().map(|v| (v + 0.0).to_bits()).collect::<Vec<_>>())
        };
        let kept = contexts.filter(|context| !self.excepts(spec, context) && is_new(context));
        Some(kept.collect())
    }

    /// Every context that can be drawn, as often as it counts in a draw: each entry is as likely as
    /// the others. `None` where [`Subspace::enumerate`] has none.
    #[must_use]
    pub fn equally_likely(&self, spec: &ContextSpec) -> Option<Vec<Context>> {
        let contexts = self.points(spec)?.into_iter().map(|values| Context { values });
        Some(contexts.filter(|context| !self.excepts(spec, context)).collect())
    }

    fn refusal(&self, fault: &str) -> EnvError {
        EnvError::InvalidContext(format!("subspace {}: {fault}", self.name))
    }

    /// What is wrong with `values`, as the rest of a sentence.
    fn fault(&self, spec: &ContextSpec) -> Result<Option<String>, EnvError> {
        for (name, distribution) in &self.values {
            let index = spec.index(name).map_err(|error| self.refusal(&error.to_string()))?;
            let fault = distribution.fault().or_else(|| distribution.escape(&spec.values[index]));
            if let Some(fault) = fault {
                return Ok(Some(format!("context value {name} {fault}")));
            }
        }
        Ok(None)
    }

    /// What is wrong with `contexts`, as the rest of a sentence.
    fn contexts_fault(&self, spec: &ContextSpec) -> Option<String> {
        for (place, context) in self.contexts.iter().enumerate() {
            for (name, value) in context {
                if self.values.contains_key(name) {
                    return Some(format!(
                        "context value {name} is in contexts and has a distribution of its own, \
                         allowed is one of them"
                    ));
                }
                let fault = spec.with(&[(name, *value)]).err();
                if let Some(fault) = fault {
                    return Some(format!("number {} of contexts: {fault}", place + 1));
                }
            }
        }
        None
    }

    /// A context before `except` has its say.
    fn draw(&self, spec: &ContextSpec, rng: &mut Prng) -> Context {
        let joint = match self.contexts.len() {
            0 => None,
            count => self.contexts.get(rng.random_range(0..count)),
        };
        let draw = |value: &ContextValue| match self.values.get(&value.name) {
            Some(distribution) => distribution.sample(rng),
            None => {
                joint.and_then(|context| context.get(&value.name)).map_or(value.default, |v| *v)
            }
        };
        Context { values: spec.values.iter().map(draw).collect() }
    }

    /// Whether `except` refuses `context`.
    fn excepts(&self, spec: &ContextSpec, context: &Context) -> bool {
        self.except.iter().any(|other| other.may_draw(spec, context))
    }

    /// [`Subspace::contains`] before `except` has its say.
    fn may_draw(&self, spec: &ContextSpec, context: &Context) -> bool {
        let named = |value: &ContextValue| self.values.get(&value.name);
        let pairs = || spec.values.iter().zip(&context.values);
        let independent = pairs()
            .filter_map(|(value, got)| Some((named(value)?, got)))
            .all(|(distribution, got)| Support::of(distribution).contains(*got));
        let is_joint = |joint: Option<&BTreeMap<String, f64>>| {
            pairs().filter(|(value, _)| named(value).is_none()).all(|(value, got)| {
                let expected = joint.and_then(|joint| joint.get(&value.name));
                same(*expected.unwrap_or(&value.default), *got)
            })
        };
        let joint = || match &self.contexts[..] {
            [] => is_joint(None),
            contexts => contexts.iter().any(|joint| is_joint(Some(joint))),
        };
        independent && joint()
    }

    /// What can be drawn before `except` has its say: one product for each of `contexts`.
    fn patches(&self, spec: &ContextSpec) -> Vec<Patch> {
        let patch = |joint: Option<&BTreeMap<String, f64>>| {
            let support = |value: &ContextValue| match self.values.get(&value.name) {
                Some(distribution) => Support::of(distribution),
                None => {
                    let fixed = joint.and_then(|context| context.get(&value.name));
                    Support::Points(vec![*fixed.unwrap_or(&value.default)])
                }
            };
            Patch(spec.values.iter().map(support).collect())
        };
        match &self.contexts[..] {
            [] => vec![patch(None)],
            contexts => contexts.iter().map(|context| patch(Some(context))).collect(),
        }
    }

    /// What `except` takes out.
    fn cuts(&self, spec: &ContextSpec) -> Vec<Patch> {
        self.except.iter().flat_map(|other| other.patches(spec)).collect()
    }

    /// What both can draw; empty if they never draw the same context.
    pub(crate) fn shared(&self, other: &Self, spec: &ContextSpec) -> Vec<Patch> {
        let theirs = other.patches(spec);
        let mut common: Vec<Patch> = Vec::new();
        for own in self.patches(spec) {
            for patch in theirs.iter().filter_map(|their| own.intersection(their)) {
                if !common.contains(&patch) {
                    common.push(patch);
                }
            }
        }
        region::without(region::without(common, &self.cuts(spec)), &other.cuts(spec))
    }

    /// Whether it says anything about the context value `name`.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.values.contains_key(name) || self.contexts.iter().any(|c| c.contains_key(name))
    }

    /// Every draw before `except` has its say, each as likely as the others.
    fn points(&self, spec: &ContextSpec) -> Option<Vec<Vec<f64>>> {
        let mut points = Vec::new();
        for patch in self.patches(spec) {
            points.extend(patch.points(MAX_CONTEXTS - points.len())?);
        }
        Some(points)
    }

    /// Share of the draws that `except` leaves, which is what is in `left`, and how it was found.
    fn kept(&self, spec: &ContextSpec, left: &[Patch]) -> (f64, &'static str) {
        let count = |patches: &[Patch]| patches.iter().map(Patch::draws).sum::<Option<f64>>();
        if let (Some(left), Some(all)) = (count(left), count(&self.patches(spec))) {
            return (left / all, "counted");
        }
        let mut rng = SeedStream::root(0).stream("subspace/except").rng();
        let draws = (0..MAX_DRAWS).map(|_| self.draw(spec, &mut rng));
        let kept = draws.filter(|context| !self.excepts(spec, context)).count();
        (kept as f64 / f64::from(MAX_DRAWS), "estimated")
    }
}

#[cfg(test)]
mod tests;
