//! An evaluation subspace by subspace: who was learned in, who was not, and what that cost.

use crate::config::Config;
use crate::roles::Evaluation;
use crate::stats::{Sample, gap_interval, mean, mean_interval};
use contrail_envs::Subspace;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Which side of the split a subspace is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Learned in.
    Source,
    /// Judged in, and never learned in.
    Target,
}

/// The subspaces that an evaluator plays in: the sources, then the targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// All, in the order of their numbers.
    pub subspaces: Vec<Subspace>,
    /// How many of them are sources.
    pub sources: usize,
    /// Return from which an episode counts as solved, if there is such a one.
    pub success_return: Option<f64>,
}

impl Judged {
    /// Sources, then targets.
    #[must_use]
    pub fn new(sources: Vec<Subspace>, targets: Vec<Subspace>) -> Self {
        let count = sources.len();
        let subspaces = sources.into_iter().chain(targets).collect();
        Self { subspaces, sources: count, success_return: None }
    }

    /// Those of `config`.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let success_return = config.evaluation.success_return;
        Self { success_return, ..Self::new(config.judged_sources(), config.targets()) }
    }

    /// Which side subspace `number` is on.
    #[must_use]
    pub fn side(&self, number: u32) -> Side {
        if (number as usize) < self.sources { Side::Source } else { Side::Target }
    }

    /// The part of `evaluation` that was played in sources.
    #[must_use]
    pub fn on_sources(&self, evaluation: &Evaluation) -> Evaluation {
        evaluation.part(|number| self.side(number) == Side::Source)
    }
}

/// One subspace of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubspaceReturn {
    /// Name.
    pub name: String,
    /// Whether it was learned in.
    pub side: Side,
    /// Episodes.
    pub episodes: usize,
    /// Mean return.
    pub mean_return: f64,
    /// 95 % bootstrap interval of the mean over episodes; absent with fewer than two, or where
    /// contexts were gone through in order and each was met only once.
    pub interval: Option<[f64; 2]>,
    /// Standard deviation of the returns over episodes.
    pub std_return: f64,
    /// Mean length of an episode in env steps.
    pub mean_length_env_steps: f64,
    /// Share of solved episodes, if the config says what solved is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solved_share: Option<f64>,
}

/// An evaluation subspace by subspace. Intervals speak of the episodes of this one policy, not of
/// other seeds of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BySubspace {
    /// Sources, then targets.
    pub subspaces: Vec<SubspaceReturn>,
    /// Name of the subspace with the lowest mean return.
    pub worst: String,
    /// Mean over sources of their mean returns.
    pub source_mean_return: f64,
    /// Mean over targets of their mean returns; absent without targets.
    pub target_mean_return: Option<f64>,
    /// Generalisation gap: source less target mean return; absent without targets.
    pub gap: Option<f64>,
    /// 95 % stratified-bootstrap interval of the gap.
    pub gap_interval: Option<[f64; 2]>,
}

impl BySubspace {
    /// The figures of `evaluation`; `None` where there is only one subspace to speak of, or no
    /// episode.
    #[must_use]
    pub fn new(judged: &Judged, evaluation: &Evaluation) -> Option<Self> {
        if judged.subspaces.len() < 2 {
            return None;
        }
        let part = |number: usize| evaluation.part(|n| n as usize == number);
        let parts: Vec<Evaluation> = (0..judged.subspaces.len()).map(part).collect();
        let sample = |number: usize| Sample {
            values: &parts[number].returns,
            strata: evaluation.cycles.get(number).copied().unwrap_or(0).max(1),
        };
        let row = |(number, subspace): (u32, &Subspace)| {
            let part = &parts[number as usize];
            SubspaceReturn {
                name: subspace.name.clone(),
                side: judged.side(number),
                episodes: part.returns.len(),
                mean_return: part.mean_return(),
                interval: mean_interval(sample(number as usize)),
                std_return: part.std_return(),
                mean_length_env_steps: part.mean_length(),
                solved_share: judged.success_return.map(|least| {
                    let solved = part.returns.iter().filter(|r| **r >= least).count();
                    solved as f64 / part.returns.len() as f64
                }),
            }
        };
        let subspaces: Vec<_> = (0..).zip(&judged.subspaces).map(row).collect();
        let worst = subspaces.iter().min_by(|a, b| a.mean_return.total_cmp(&b.mean_return))?;
        let samples: Vec<Sample<'_>> = (0..parts.len()).map(sample).collect();
        let (source, target) = samples.split_at(judged.sources);
        let side_mean = |side: &[Sample<'_>]| {
            mean(&side.iter().map(|sample| mean(sample.values)).collect::<Vec<_>>())
        };
        let source_mean_return = side_mean(source);
        let target_mean_return = (!target.is_empty()).then(|| side_mean(target));
        Some(Self {
            worst: worst.name.clone(),
            source_mean_return,
            target_mean_return,
            gap: target_mean_return.map(|target| source_mean_return - target),
            gap_interval: gap_interval(source, target),
            subspaces,
        })
    }

    /// Names and values for the curves of an evaluation.
    #[must_use]
    pub fn curves(&self) -> Vec<(String, f64)> {
        let mut curves: Vec<_> = (self.subspaces.iter())
            .map(|s| (format!("subspace/{}/eval_mean_reward", s.name), s.mean_return))
            .collect();
        let solved = |s: &SubspaceReturn| {
            s.solved_share.map(|share| (format!("subspace/{}/eval_solved_share", s.name), share))
        };
        curves.extend(self.subspaces.iter().filter_map(solved));
        let worst = self.subspaces.iter().map(|s| s.mean_return).fold(f64::INFINITY, f64::min);
        curves.push(("eval/worst_subspace_reward".to_owned(), worst));
        curves.extend(self.target_mean_return.map(|r| ("eval/target_mean_reward".to_owned(), r)));
        curves.extend(self.gap.map(|gap| ("eval/generalization_gap".to_owned(), gap)));
        curves
    }

    /// A table for the terminal, with the percentage of solved episodes in the place of the
    /// deviation where there is one; at most 80 columns wide for names of up to 19 letters.
    #[must_use]
    pub fn table(&self) -> String {
        let width = self.subspaces.iter().map(|s| s.name.len()).max().unwrap_or(0).max(8);
        let mut text = format!(
            "  {:<width$}  {:<6} {:>8} {:>20} {:>7} {:>7} {:>4}\n",
            "subspace",
            "side",
            "return",
            "95% interval",
            if self.subspaces.iter().any(|s| s.solved_share.is_some()) { "solved%" } else { "std" },
            "length",
            "n"
        );
        for s in &self.subspaces {
            let side = if s.side == Side::Source { "source" } else { "target" };
            // A text cannot fail to be written.
            let _ = writeln!(
                text,
                "  {:<width$}  {side:<6} {:>8.2} {:>20} {:>7.2} {:>7.1} {:>4}",
                s.name,
                s.mean_return,
                written(s.interval),
                s.solved_share.map_or(s.std_return, |share| 100.0 * share),
                s.mean_length_env_steps,
                s.episodes
            );
        }
        let _ = writeln!(text, "  worst subspace: {}", self.worst);
        if let (Some(target), Some(gap)) = (self.target_mean_return, self.gap) {
            let _ = writeln!(
                text,
                "  source {:.2}, target {target:.2}, generalization gap {gap:.2} {}",
                self.source_mean_return,
                written(self.gap_interval)
            );
        }
        text
    }
}

fn written(interval: Option<[f64; 2]>) -> String {
    interval.map_or_else(|| "-".to_owned(), |[low, high]| format!("[{low:.2}, {high:.2}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(sources: &[&str], targets: &[&str]) -> Judged {
        let named = |names: &[&str]| {
            names.iter().map(|n| Subspace { name: (*n).into(), ..Subspace::default() }).collect()
        };
        Judged::new(named(sources), named(targets))
    }

    /// Two episodes a subspace with these returns.
    fn evaluation(returns: &[[f64; 2]]) -> Evaluation {
        Evaluation {
            subspaces: (0..returns.len() as u32).flat_map(|s| [s, s]).collect(),
            returns: returns.iter().flatten().copied().collect(),
            lengths_env_steps: vec![5; 2 * returns.len()],
            cycles: vec![0; returns.len()],
            faults: Vec::new(),
        }
    }

    #[test]
    fn figures_by_hand() {
        let (judged, played) =
            (judged(&["a", "b"], &["c"]), evaluation(&[[1.0, 3.0], [4.0, 6.0], [0.0, 1.0]]));
        let by = BySubspace::new(&judged, &played).unwrap();
        let means: Vec<f64> = by.subspaces.iter().map(|s| s.mean_return).collect();
        assert_eq!(means, [2.0, 5.0, 0.5]);
        assert_eq!((by.worst.as_str(), by.source_mean_return), ("c", 3.5));
        assert_eq!((by.target_mean_return, by.gap), (Some(0.5), Some(3.0)));
        // Resampled means of two values are the lower, the middle or the upper one.
        assert_eq!(by.subspaces[0].interval, Some([1.0, 3.0]));
        assert_eq!(judged.on_sources(&played).returns, [1.0, 3.0, 4.0, 6.0]);
        let names: Vec<String> = by.curves().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "subspace/a/eval_mean_reward",
                "subspace/b/eval_mean_reward",
                "subspace/c/eval_mean_reward",
                "eval/worst_subspace_reward",
                "eval/target_mean_reward",
                "eval/generalization_gap"
            ]
        );
        let table = by.table();
        assert!(table.lines().all(|line| line.len() <= 80), "{table}");
        assert!(table.contains("c         target     0.50"), "{table}");
    }

    #[test]
    fn solved_episodes_are_counted_where_solved_is_defined() {
        // Returns of 1 and 3, least 2: one of two.
        let judged = Judged { success_return: Some(2.0), ..judged(&["a", "b"], &[]) };
        let by = BySubspace::new(&judged, &evaluation(&[[1.0, 3.0], [2.0, 6.0]])).unwrap();
        let shares: Vec<_> = by.subspaces.iter().map(|s| s.solved_share).collect();
        assert_eq!(shares, [Some(0.5), Some(1.0)]);
        assert!(by.curves().contains(&("subspace/a/eval_solved_share".into(), 0.5)));
        assert!(by.table().contains("solved%") && by.table().contains("  50.00"), "{}", by.table());
    }

    #[test]
    fn one_subspace_has_no_table_and_no_targets_no_gap() {
        assert_eq!(BySubspace::new(&judged(&["a"], &[]), &evaluation(&[[1.0, 2.0]])), None);
        let by = BySubspace::new(&judged(&["a", "b"], &[]), &evaluation(&[[1.0; 2], [2.0; 2]]));
        let by = by.unwrap();
        assert_eq!((by.target_mean_return, by.gap, by.gap_interval), (None, None, None));
    }
}
