//! Section `[split]`, and what it and `[schedule]` must not say: which subspaces are learned in,
//! and which are judged in.

use super::error::{ConfigError, Problem};
use super::raw::RawConfig;
use super::replay::SubspaceLawName;
use super::schedule::{RawSchedule, Schedule, ScheduleName};
use super::valid::Config;
use contrail_envs::{ContextSpec, Split, SplitKind, Subspace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Name of the one subspace of a run without `[subspaces]`: the published environment.
pub const DEFAULT_SUBSPACE: &str = "default";

/// Section `[split]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// What it asks of an agent.
    pub kind: SplitKind,
    /// Names of the subspaces that are learned in, in the order in which schedules take them;
    /// empty = no split: every subspace is learned in, in alphabetical order.
    pub source: Vec<String>,
    /// Names of the subspaces that are judged in.
    pub target: Vec<String>,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self { kind: SplitKind::Interpolation, source: Vec::new(), target: Vec::new() }
    }
}

/// Names of the source subspaces in their order.
pub(super) fn sources(raw: &RawConfig) -> Vec<String> {
    match &raw.split {
        Some(split) if !split.source.is_empty() => split.source.clone(),
        _ if raw.subspaces.is_empty() => vec![DEFAULT_SUBSPACE.to_owned()],
        _ => raw.subspaces.keys().cloned().collect(),
    }
}

/// Everything that is wrong with `[split]` and `[schedule]`, as far as the environment is not
/// needed to see it.
pub(super) fn problems(raw: &RawConfig) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(split) = &raw.split {
        self::split(split, raw, &mut found);
    }
    schedule(raw, &mut found);
    quota(raw, &mut found);
    found
}

/// Phases of one run.
const MAX_PHASES: u64 = 1_000_000;
/// Largest weight or share, so that sums stay finite.
const MAX_WEIGHT: f64 = 1e9;

/// A name goes into curves (`subspace/<name>/...`) and on the command line.
fn name_fault(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let begins = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = name.len() <= 64 && name.starts_with(begins) && name.chars().all(plain);
    (!fits).then(|| {
        format!("is called {name:?}, allowed: 1 to 64 letters, digits, \"_\", \"-\" and \".\", the first a letter, a digit or \"_\"")
    })
}

fn split(split: &SplitConfig, raw: &RawConfig, found: &mut Vec<Problem>) {
    let mut refuse = |key, text| found.push(Problem { key, text });
    for name in raw.subspaces.keys() {
        if let Some(fault) = name_fault(name) {
            refuse("subspaces", format!("a subspace {fault}"));
        }
    }
    match (split.source.is_empty(), split.target.is_empty()) {
        (true, false) => refuse(
            "split.source",
            "split.target is set and split.source is not; name at least one subspace to learn in".into(),
        ),
        (false, true) => refuse(
            "split.target",
            "split.source is set and split.target is not; name at least one subspace to judge in, or leave out [split]".into(),
        ),
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for (key, names) in [("split.source", &split.source), ("split.target", &split.target)] {
        for name in names {
            if !raw.subspaces.contains_key(name) {
                refuse(key, format!("{key} has {name:?}, {}", known(raw.subspaces.keys())));
            } else if !seen.insert(name) {
                refuse(key, format!("{key} has {name:?}, which [split] names already"));
            }
        }
    }
}

/// A drift sets its value whatever a source says of it, so a source must not say anything; and an
/// `except` could not hold it back.
fn drift(raw: &RawConfig, sources: &[String], refuse: &mut dyn FnMut(&'static str, String)) {
    let value = raw.schedule.drift_value.as_deref().unwrap_or_default();
    if value.is_empty() {
        let text = "schedule.kind is \"drifting\", which needs schedule.drift_value, the name of a \
                    context value";
        refuse("schedule.drift_value", text.to_owned());
    }
    for (name, subspace) in sources.iter().filter_map(|name| raw.subspaces.get_key_value(name)) {
        let named = subspace.values.contains_key(value)
            || subspace.contexts.iter().any(|context| context.contains_key(value));
        if named || !subspace.except.is_empty() {
            let what = if named { format!("{value:?} itself") } else { "an except".to_owned() };
            let text = format!(
                "schedule.drift_value {value:?} moves in every source subspace, but {name} has \
                 {what}; leave it out there"
            );
            refuse("schedule.drift_value", text);
        }
    }
}

fn known<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(|name| format!("{name:?}")).collect();
    if names.is_empty() {
        "but there is no [subspaces.NAME] at all".to_owned()
    } else {
        format!("expected one of {}", names.join(", "))
    }
}

/// Every source needs a share: one without would be stored and never drawn.
fn quota(raw: &RawConfig, found: &mut Vec<Problem>) {
    let (quota, sources) = (&raw.replay.subspace_quota, sources(raw));
    let key = "replay.subspace_quota";
    let mut refuse = |text| found.push(Problem { key, text });
    for (name, share) in quota {
        if !sources.contains(name) {
            refuse(format!("{key} has {name:?}, {}", known(sources.iter())));
        } else if !(*share > 0.0 && *share <= MAX_WEIGHT) {
            refuse(format!("{key}.{name} is {share:?}, allowed above 0 and up to {MAX_WEIGHT:?}"));
        }
    }
    if raw.replay.subspace_law == SubspaceLawName::Quota {
        for name in sources.iter().filter(|name| !quota.contains_key(*name)) {
            refuse(format!("{key} has no share for {name:?}, every source subspace needs one"));
        }
    }
}

fn schedule(raw: &RawConfig, found: &mut Vec<Problem>) {
    let (schedule, sources) = (&raw.schedule, sources(raw));
    let mut refuse = |key, text| found.push(Problem { key, text });
    for (name, weight) in &schedule.weights {
        if !sources.contains(name) {
            let text = format!("schedule.weights has {name:?}, {}", known(sources.iter()));
            refuse("schedule.weights", text);
        } else if !(*weight > 0.0 && *weight <= MAX_WEIGHT) {
            let text = format!(
                "schedule.weights.{name} is {weight:?}, allowed above 0 and up to {MAX_WEIGHT:?}"
            );
            refuse("schedule.weights", text);
        }
    }
    let order = schedule.order.as_deref().unwrap_or_default();
    for name in sources.iter().filter(|name| !order.is_empty() && !order.contains(name)) {
        let text = format!("schedule.order leaves out {name:?}, which would never be learned in");
        refuse("schedule.order", text);
    }
    for name in schedule.order.iter().flatten().filter(|name| !sources.contains(name)) {
        refuse("schedule.order", format!("schedule.order has {name:?}, {}", known(sources.iter())));
    }
    between_keys(raw, &sources, &mut refuse);
}

fn between_keys(raw: &RawConfig, sources: &[String], refuse: &mut dyn FnMut(&'static str, String)) {
    let (schedule, envs) = (&raw.schedule, raw.actors.total_envs());
    match schedule.kind {
        ScheduleName::Pinned | ScheduleName::Drifting if envs < sources.len() => {
            let text = format!(
                "schedule.kind pins every environment to one of {} source subspaces, but actors.count times \
                 actors.envs_per_actor is {envs}; allowed at least {}",
                sources.len(),
                sources.len()
            );
            refuse("schedule.kind", text);
        }
        ScheduleName::Recurring if sources.len() < 2 => {
            let text = "schedule.kind is \"recurring\", which needs at least 2 source subspaces, \
                        there is 1"
                .to_owned();
            refuse("schedule.kind", text);
        }
        ScheduleName::Drifting => drift(raw, sources, refuse),
        ScheduleName::Cyclic | ScheduleName::Recurring
            if raw.run.env_steps / schedule.phase_env_steps.unwrap_or(1).max(1) > MAX_PHASES =>
        {
            let text = format!(
                "schedule.phase_env_steps is {}, allowed at least {} for run.env_steps {}: at most \
                 {MAX_PHASES} phases",
                schedule.phase_env_steps.unwrap_or(1),
                raw.run.env_steps / MAX_PHASES,
                raw.run.env_steps
            );
            refuse("schedule.phase_env_steps", text);
        }
        _ => {}
    }
}

impl Config {
    /// Names of the subspaces that are learned in, in the order of their numbers.
    #[must_use]
    pub fn source_names(&self) -> Vec<String> {
        match &self.split {
            Some(split) => split.source.clone(),
            None if self.subspaces.is_empty() => vec![DEFAULT_SUBSPACE.to_owned()],
            None => self.subspaces.iter().map(|subspace| subspace.name.clone()).collect(),
        }
    }

    /// The subspaces that are learned in, as an evaluation plays them: a value that drifts is
    /// anywhere on its way.
    #[must_use]
    pub fn judged_sources(&self) -> Vec<Subspace> {
        match &self.schedule {
            Schedule::Drifting(drift) => self.sources().iter().map(|s| drift.over(s)).collect(),
            _ => self.sources(),
        }
    }

    /// The subspaces that are learned in, in the order of their numbers: those of the split, or
    /// all, or the published environment alone.
    #[must_use]
    pub fn sources(&self) -> Vec<Subspace> {
        if self.subspaces.is_empty() {
            let name = DEFAULT_SUBSPACE.to_owned();
            return vec![Subspace { name, ..Subspace::default() }];
        }
        self.named(&self.source_names())
    }

    /// The subspaces that are judged in and never learned in.
    #[must_use]
    pub fn targets(&self) -> Vec<Subspace> {
        self.split.as_ref().map_or_else(Vec::new, |split| self.named(&split.target))
    }

    /// The same config with the subspaces and the split of `other`, to be judged there.
    #[must_use]
    pub fn with_split_of(&self, other: &Self) -> Self {
        let (split, subspaces) = (other.split.clone(), other.subspaces.clone());
        let mut config = Self { split, subspaces, ..self.clone() };
        config.schedule = Schedule::of(RawSchedule::default(), &config.source_names());
        config
    }

    fn named(&self, names: &[String]) -> Vec<Subspace> {
        let find =
            |name: &String| self.subspaces.iter().find(|subspace| subspace.name == *name).cloned();
        names.iter().filter_map(find).collect()
    }

    /// Refuses subspaces that the environment does not have, and a split whose targets could be
    /// met while learning, the way of a drift included.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the sentence of [`Split::check`].
    pub fn check_subspaces(&self, spec: &ContextSpec) -> Result<(), ConfigError> {
        let mut source = self.judged_sources();
        if let Schedule::Drifting(drift) = &self.schedule {
            // Ends of intervals do not count as shared; but a drift stays at its end.
            source.extend(self.sources().iter().map(|s| drift.beyond(s)));
        }
        let target = self.targets();
        let checked = match &self.split {
            Some(split) => Split { kind: split.kind, source, target }.check(spec),
            None => source.iter().try_for_each(|subspace| subspace.check(spec)),
        };
        let unused = self.subspaces.iter().try_for_each(|subspace| subspace.check(spec));
        checked.and(unused).map_err(|error| ConfigError::Invalid(vec![error.to_string()]))
    }
}
