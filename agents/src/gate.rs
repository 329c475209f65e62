//! What happens to an auxiliary gradient that opposes the decision gradient.

use crate::scalar;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use tch::Tensor;

/// What happens to an auxiliary gradient a on the parameters it shares with the decision gradient
/// d, where c is their cosine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateRule {
    /// Nothing.
    #[default]
    Off,
    /// 0 if c < 0: Du et al. 2018 (arXiv 1812.02224), unweighted variant.
    Drop,
    /// a − (a·d / d·d) d if c < 0: PCGrad, Yu et al. 2020 (arXiv 2001.06782).
    Project,
    /// max(0, c) a: Du et al. 2018, weighted variant.
    Scale,
    /// a min(1, |d| / |a|): the auxiliary gradient is never the larger one.
    Clip,
    /// 0: contrasts teach their own heads and leave encoder and shared layers to the decision.
    Detach,
}

/// An auxiliary gradient behind a gate.
#[derive(Debug)]
pub struct Gated {
    /// `[P]`; outside the shared parameters as it was.
    pub gradient: Tensor,
    /// Cosine of the two gradients on the shared parameters, -1 to 1; 0 if one of them is 0 there.
    pub cosine: f64,
    /// Norm of the decision gradient on the shared parameters.
    pub decision_norm: f64,
    /// Norm of the auxiliary gradient there, before the gate.
    pub auxiliary_norm: f64,
    /// Whether the rule took a part of it, or all of it, away.
    pub dropped: bool,
}

/// Applies `rule` to the elements `shared` of an auxiliary gradient.
///
/// # Shapes
/// decision: `[P]`, no grad · auxiliary: `[P]`, no grad, left as it is.
///
/// # Source
/// See [`GateRule`].
///
/// # Differs
/// Du et al. and Yu et al. compare gradients of all parameters, or of those that two tasks share;
/// here a range of them. PCGrad projects both gradients of a pair; here the decision gradient is
/// never changed.
///
/// # Panics
/// If the gradients differ in shape, or `shared` is no range of their elements: a bug.
pub fn gate(decision: &Tensor, auxiliary: &Tensor, shared: Range<i64>, rule: GateRule) -> Gated {
    let &[len] = decision.size().as_slice() else {
        panic!("the decision gradient has shape {:?}, not [P]", decision.size())
    };
    assert!(auxiliary.size() == [len], "gradients are {:?} and [{len}]", auxiliary.size());
    assert!(
        0 <= shared.start && shared.start <= shared.end && shared.end <= len,
        "{shared:?} is no range of {len} parameters"
    );
    let part = |t: &Tensor| t.narrow(0, shared.start, shared.end - shared.start);
    let (d, a) = (part(decision), part(auxiliary));
    // Norms, not squares: those of gradients below 1e-19 would be 0 in f32.
    let numbers = scalar::floats(&Tensor::stack(&[d.dot(&a), d.norm(), a.norm()], 0));
    let [dot, decision_norm, auxiliary_norm] = [0, 1, 2].map(|i| f64::from(numbers[i]));
    let product = decision_norm * auxiliary_norm;
    let cosine = if product > 0.0 { (dot / product).clamp(-1.0, 1.0) } else { 0.0 };
    let opposes = cosine < 0.0;
    let changed = match rule {
        GateRule::Off => None,
        GateRule::Drop => opposes.then(|| a.zeros_like()),
        GateRule::Project => opposes.then(|| &a - &d * (dot / decision_norm / decision_norm)),
        GateRule::Scale => Some(&a * cosine.max(0.0)),
        GateRule::Clip => {
            (auxiliary_norm > decision_norm).then(|| &a * (decision_norm / auxiliary_norm))
        }
        GateRule::Detach => Some(a.zeros_like()),
    };
    let gradient = match &changed {
        None => auxiliary.shallow_clone(),
        Some(changed) => {
            let gradient = auxiliary.copy();
            part(&gradient).copy_(changed);
            gradient
        }
    };
    let dropped = changed.is_some() && auxiliary_norm > 0.0;
    Gated { gradient, cosine, decision_norm, auxiliary_norm, dropped }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gate of (decision, auxiliary) with the first two of three elements shared.
    fn gated(decision: [f32; 3], auxiliary: [f32; 3], rule: GateRule) -> (Gated, Vec<f32>) {
        let auxiliary = Tensor::from_slice(&auxiliary);
        let before = scalar::floats(&auxiliary);
        let gated = gate(&Tensor::from_slice(&decision), &auxiliary, 0..2, rule);
        assert_eq!(scalar::floats(&auxiliary), before, "the input is left as it is");
        let gradient = scalar::floats(&gated.gradient);
        (gated, gradient)
    }

    const RULES: [GateRule; 4] =
        [GateRule::Off, GateRule::Drop, GateRule::Project, GateRule::Scale];

    #[test]
    fn clip_bounds_by_the_decisions_norm_and_detach_leaves_nothing_shared() {
        // d = (4, 0), a = (-3, 4) of norm 5: a 4/5. A smaller a = (0.6, 0.8) stays.
        let (_, found) = gated([4.0, 0.0, 1.0], [-3.0, 4.0, 7.0], GateRule::Clip);
        for (found, expected) in found.iter().zip([-2.4, 3.2, 7.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
        }
        assert_eq!(gated([4.0, 0.0, 1.0], [0.6, 0.8, 7.0], GateRule::Clip).1, [0.6, 0.8, 7.0]);
        assert_eq!(gated([4.0, 0.0, 1.0], [-3.0, 4.0, 7.0], GateRule::Detach).1, [0.0, 0.0, 7.0]);
    }

    #[test]
    fn opposing_gradient_is_dropped_projected_or_scaled_away() {
        // d = (4, 0), a = (-3, 4): d·a = -12, norms 4 and 5, cosine -12/20 = -0.6.
        // Projection: a - (-12/16) d = (-3 + 3, 4) = (0, 4). The third element is never touched.
        let expected = [
            (GateRule::Off, [-3.0, 4.0, 7.0], false),
            (GateRule::Drop, [0.0, 0.0, 7.0], true),
            (GateRule::Project, [0.0, 4.0, 7.0], true),
            (GateRule::Scale, [0.0, 0.0, 7.0], true),
        ];
        for (rule, gradient, dropped) in expected {
            let (gated, found) = gated([4.0, 0.0, -9.0], [-3.0, 4.0, 7.0], rule);
            assert_eq!(found, gradient, "{rule:?}");
            assert_eq!(gated.dropped, dropped, "{rule:?}");
            assert!((gated.cosine + 0.6).abs() < 1e-6, "{rule:?}: {}", gated.cosine);
            assert_eq!((gated.decision_norm, gated.auxiliary_norm), (4.0, 5.0));
        }
    }

    #[test]
    fn agreeing_gradient_is_untouched_or_scaled_by_the_cosine() {
        // d = (4, 0), a = (3, 4): cosine 12/20 = 0.6. The unshared third elements oppose, which
        // no rule looks at.
        for rule in RULES {
            let (gated, found) = gated([4.0, 0.0, -9.0], [3.0, 4.0, 7.0], rule);
            let shared = if rule == GateRule::Scale { [1.8, 2.4] } else { [3.0, 4.0] };
            for (found, expected) in found.iter().zip([shared[0], shared[1], 7.0]) {
                assert!((found - expected).abs() < 1e-6, "{rule:?}: {found} for {expected}");
            }
            assert_eq!(gated.dropped, rule == GateRule::Scale);
            assert!((gated.cosine - 0.6).abs() < 1e-6);
        }
    }

    #[test]
    fn orthogonal_gradients_do_not_oppose() {
        for rule in [GateRule::Drop, GateRule::Project] {
            let (gated, found) = gated([4.0, 0.0, 0.0], [0.0, 5.0, 1.0], rule);
            assert_eq!(found, [0.0, 5.0, 1.0]);
            assert!(gated.cosine == 0.0 && !gated.dropped);
        }
    }

    #[test]
    fn zero_gradients_have_cosine_zero() {
        for rule in RULES {
            for (d, a) in [([0.0; 3], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [0.0; 3])] {
                let (gated, found) = gated(d, a, rule);
                // A cosine of 0 scales by 0.
                let scaled_away = rule == GateRule::Scale && a != [0.0; 3];
                assert!(gated.cosine == 0.0 && gated.dropped == scaled_away, "{rule:?}");
                let shared = if rule == GateRule::Scale { [0.0; 2] } else { [a[0], a[1]] };
                assert_eq!(found, [shared[0], shared[1], a[2]], "{rule:?}");
            }
        }
    }

    #[test]
    fn nothing_shared_is_nothing_gated() {
        let d = Tensor::from_slice(&[1.0f32, 2.0]);
        for rule in RULES {
            let gated = gate(&d, &-&d, 1..1, rule);
            assert_eq!(scalar::floats(&gated.gradient), [-1.0, -2.0]);
            assert!(gated.cosine == 0.0 && gated.decision_norm == 0.0 && !gated.dropped);
        }
    }

    #[test]
    fn large_opposing_gradients_become_orthogonal() {
        // d_i and a_i run through fixed patterns of mean product below 0.
        let pattern = |step: i64| (Tensor::arange(10_000, tch::kind::FLOAT_CPU) * step).sin();
        let (d, a) = (pattern(1), pattern(2) - pattern(1) * 0.5);
        let gated = gate(&d, &a, 0..10_000, GateRule::Project);
        assert!(gated.dropped && gated.cosine < -0.3, "{}", gated.cosine);
        let after = gate(&d, &gated.gradient, 0..10_000, GateRule::Off);
        assert!(after.cosine.abs() < 1e-6, "{}", after.cosine);
        // What was orthogonal is still there: |a|² (1 - cos²).
        let kept = gated.auxiliary_norm * (1.0 - gated.cosine.powi(2)).sqrt();
        assert!((after.auxiliary_norm / kept - 1.0).abs() < 1e-5);
    }

    #[test]
    fn rules_have_the_names_of_configs() {
        let names = RULES.map(|rule| serde_json::to_string(&rule).unwrap());
        assert_eq!(names, ["\"off\"", "\"drop\"", "\"project\"", "\"scale\""]);
    }
}
