//! The alarm for codes or embeddings that become all alike.

use serde::{Deserialize, Serialize};

/// When a representation counts as collapsed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CollapseLimits {
    /// Smallest mean perplexity of a token group; 1 is one level everywhere.
    pub group_perplexity: f64,
    /// Smallest effective rank of embeddings; 1 is one direction.
    pub effective_rank: f64,
    /// Measurements in a row below a limit before the alarm is raised, at least 1.
    pub patience: u32,
}

impl Default for CollapseLimits {
    fn default() -> Self {
        Self { group_perplexity: 1.1, effective_rank: 2.0, patience: 3 }
    }
}

/// Watches for a collapse: each quantity raises the alarm once when it has been below its limit
/// for some measurements in a row, and can again after it was at or above it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollapseAlarm {
    limits: CollapseLimits,
    /// Measurements in a row below the limit.
    low_group_perplexity: u32,
    low_effective_rank: u32,
}

impl CollapseAlarm {
    /// An alarm that has seen nothing.
    #[must_use]
    pub fn new(limits: CollapseLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes a measurement of what there is to measure: nothing is said of a quantity without
    /// one. Returns the sentence of an alarm that this measurement raised. NaN is below any limit.
    pub fn observe(
        &mut self,
        group_perplexity: Option<f64>,
        effective_rank: Option<f64>,
    ) -> Option<String> {
        let CollapseLimits { patience, .. } = self.limits;
        let tokens = Watched {
            name: "the mean perplexity of a token group",
            hint: "tokens are almost the same for every observation",
            value: group_perplexity,
            limit: self.limits.group_perplexity,
        };
        let embedding = Watched {
            name: "the effective rank of the embeddings",
            hint: "embeddings lie almost on one line",
            value: effective_rank,
            limit: self.limits.effective_rank,
        };
        let sentences = [
            tokens.check(&mut self.low_group_perplexity, patience),
            embedding.check(&mut self.low_effective_rank, patience),
        ];
        let sentences: Vec<String> = sentences.into_iter().flatten().collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

/// One quantity of a measurement.
struct Watched {
    name: &'static str,
    hint: &'static str,
    value: Option<f64>,
    limit: f64,
}

impl Watched {
    /// Counts measurements below the limit; a sentence when the count reaches `patience`.
    fn check(&self, low: &mut u32, patience: u32) -> Option<String> {
        let value = self.value?;
        if value >= self.limit {
            *low = 0;
            return None;
        }
        *low = low.saturating_add(1);
        (*low == patience.max(1)).then(|| {
            let Self { name, hint, limit, .. } = self;
            format!(
                "Collapse: {name} is {value:.3}, below {limit} for {low} measurement{} in a row: \
                 {hint}.",
                if *low == 1 { "" } else { "s" }
            )
        })
    }
}
