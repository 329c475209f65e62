//! What a loss policy chooses from.

use crate::Relation;
use serde::{Deserialize, Serialize};

/// One choice: which contrast, how hard, how much; or no contrast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// What makes positives; none is no contrast.
    pub relation: Option<Relation>,
    /// Hardness of the negatives: they are drawn in proportion to exp(beta * similarity to the
    /// anchor); 0 is random.
    pub beta: f64,
    /// Weight of the contrastive loss beside the decision loss (lambda).
    pub weight: f64,
}

impl Arm {
    /// The arm without contrast.
    pub const NONE: Self = Self { relation: None, beta: 0.0, weight: 0.0 };

    /// The name in curves and errors, such as `temporal/beta1/weight0.5`, or `none`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.relation {
            None => "none".to_owned(),
            Some(relation) => {
                format!("{}/beta{}/weight{}", relation.as_str(), self.beta, self.weight)
            }
        }
    }
}

/// The grid relation x beta x weight, weights running fastest; the arm without contrast, if
/// wanted, comes first.
#[must_use]
pub fn arms(relations: &[Relation], betas: &[f64], weights: &[f64], with_none: bool) -> Vec<Arm> {
    let mut arms: Vec<Arm> = with_none.then_some(Arm::NONE).into_iter().collect();
    for &relation in relations {
        for &beta in betas {
            let row = weights.iter().map(|&weight| Arm { relation: Some(relation), beta, weight });
            arms.extend(row);
        }
    }
    arms
}
