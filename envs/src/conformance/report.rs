//! What the check found.

use super::Rule;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// A way in which a rule is broken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What was done when it broke, for example "a NaN in the action".
    pub case: &'static str,
    /// The first time it happened: what was asked, what came back.
    pub detail: String,
    /// How often it happened.
    pub times: u32,
}

/// Random play in two subspaces, compared by the energy distance of its returns, lengths and
/// observations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubspaceComparison {
    /// Name of a subspace, or "default context".
    pub left: String,
    /// Name of the other.
    pub right: String,
    /// Probability of such a distance if the two were the same.
    pub p_value: f64,
    /// The distance itself, from 0 (the same) to 1 (each a point of its own).
    pub coefficient: f64,
    /// Mean return in each.
    pub mean_returns: [f64; 2],
    /// Whether the two are told apart, at 5 % for all comparisons together (Holm's method).
    pub differ: bool,
}

/// What [`super::check`] found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Environment id; empty if the constructor fails.
    pub id: String,
    /// One for each way in which a rule is broken.
    pub violations: Vec<Violation>,
    /// Rules that were put to the test at least once.
    pub checked: BTreeSet<Rule>,
    /// Rules that the options skip, and [`Rule::SaveRestore`] if a state cannot be saved.
    pub skipped: BTreeSet<Rule>,
    /// Which declared subspaces were compared, and what came out.
    pub subspaces: Vec<SubspaceComparison>,
    /// What limits this report, a sentence each.
    pub notes: Vec<String>,
    /// Episodes played with the default context.
    pub episodes: u32,
    /// Those that terminated.
    pub terminated: u32,
    /// Those that were truncated.
    pub truncated: u32,
    /// Steps in those episodes.
    pub env_steps: u64,
}

impl Report {
    pub(super) fn new(id: &str, skip: &[Rule]) -> Self {
        Self {
            id: id.to_owned(),
            violations: Vec::new(),
            checked: BTreeSet::new(),
            skipped: skip.iter().copied().collect(),
            subspaces: Vec::new(),
            notes: Vec::new(),
            episodes: 0,
            terminated: 0,
            truncated: 0,
            env_steps: 0,
        }
    }

    /// Whether no rule is broken.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.violations.is_empty()
    }

    /// The broken rules.
    #[must_use]
    pub fn broken_rules(&self) -> BTreeSet<Rule> {
        self.violations.iter().map(|violation| violation.rule).collect()
    }

    /// Notes that `rule` was put to the test and, unless `holds`, how it broke.
    pub(super) fn record(
        &mut self,
        (rule, case): (Rule, &'static str),
        holds: bool,
        detail: impl FnOnce() -> String,
    ) {
        if self.skipped.contains(&rule) {
            return;
        }
        self.checked.insert(rule);
        if holds {
            return;
        }
        let known = self.violations.iter_mut().find(|v| (v.rule, v.case) == (rule, case));
        match known {
            Some(violation) => violation.times += 1,
            None => self.violations.push(Violation { rule, case, detail: detail(), times: 1 }),
        }
    }
}

/// Columns of the report; longer words stick out.
const COLUMNS: usize = 80;

/// One line a rule, the violations below it, and a verdict at the end.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = if self.id.is_empty() { "(no environment)" } else { &self.id };
        writeln!(
            f,
            "{id}: {} episodes ({} terminated, {} truncated), {} env steps",
            self.episodes, self.terminated, self.truncated, self.env_steps
        )?;
        let broken = self.broken_rules();
        for rule in Rule::ALL {
            let verdict = match rule {
                rule if broken.contains(&rule) => "BROKEN",
                rule if self.skipped.contains(&rule) => "skipped",
                rule if self.checked.contains(&rule) => "ok",
                _ => "not seen",
            };
            let head = format!("  {verdict:<8}  {:<17}  ", rule.name());
            write_wrapped(f, &head, rule.sentence())?;
            for violation in self.violations.iter().filter(|v| v.rule == rule) {
                let times = match violation.times {
                    1 => String::new(),
                    times => format!(" (first of {times} times)"),
                };
                let text = format!("{}: {}{times}", violation.case, violation.detail);
                write_wrapped(f, "            - ", &text)?;
            }
            if rule == Rule::SubspacesDiffer {
                self.subspaces
                    .iter()
                    .try_for_each(|c| write_wrapped(f, "            - ", &c.to_string()))?;
            }
        }
        for note in &self.notes {
            write_wrapped(f, "  note: ", note)?;
        }
        match broken.len() {
            0 => write!(f, "{id} conforms."),
            n => write!(f, "{id} breaks {n} of {} rules.", Rule::ALL.len()),
        }
    }
}

impl fmt::Display for SubspaceComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [left, right] = self.mean_returns;
        write!(
            f,
            "{} / {}: p = {:.4}, energy coefficient {:.3}, mean return {left:.2} / {right:.2}",
            self.left, self.right, self.p_value, self.coefficient
        )
    }
}

/// Writes `head`, then `text` below each other. The first line is broken between words; further
/// lines are those of a traceback and stay as they are.
fn write_wrapped(f: &mut fmt::Formatter<'_>, head: &str, text: &str) -> fmt::Result {
    f.write_str(head)?;
    let indent = head.chars().count();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut column = indent;
    for word in first.split(' ') {
        let length = word.chars().count();
        if column > indent && column + 1 + length > COLUMNS {
            write!(f, "\n{:indent$}", "")?;
            column = indent;
        } else if column > indent {
            f.write_str(" ")?;
            column += 1;
        }
        f.write_str(word)?;
        column += length;
    }
    writeln!(f)?;
    rest.lines().try_for_each(|line| writeln!(f, "{:indent$}{line}", ""))
}
