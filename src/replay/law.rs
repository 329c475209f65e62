//! How often each subspace is drawn.

use serde::{Deserialize, Serialize};

/// The share of each subspace in the minibatches. Whatever the law, a subspace without a sampleable
/// transition is never drawn, and within a subspace [`super::Sampling`] decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum SubspaceLaw {
    /// Every stored transition alike: a subspace in proportion to what is stored of it.
    #[default]
    Uniform,
    /// In proportion to `size ^ (1 / temperature)`, size being the sampleable transitions: 1 is as
    /// stored, infinity is all subspaces alike. Above 0.
    Temperature(f64),
    /// Shares, one a subspace and above 0, in proportion among the subspaces that can be sampled.
    Quota(Vec<f64>),
}

impl SubspaceLaw {
    /// Refuses what cannot be drawn from: the offending value, and what is allowed.
    pub(super) fn check(&self, subspaces: usize) -> Result<(), (String, String)> {
        match self {
            Self::Temperature(t) if t.is_nan() || *t <= 0.0 => {
                Err((format!("temperature {t}"), "a number above 0, infinity included".into()))
            }
            Self::Quota(shares)
                if shares.len() != subspaces
                    || !shares.iter().sum::<f64>().is_finite()
                    || !shares.iter().all(|share| *share > 0.0) =>
            {
                let allowed =
                    format!("a number above 0 for each of {subspaces} subspaces, a finite sum");
                Err((format!("quota {shares:?}"), allowed))
            }
            _ => Ok(()),
        }
    }

    /// Weight of each subspace, from its number of sampleable transitions; 0 where there is none.
    pub(super) fn weights(&self, sizes: impl Iterator<Item = usize> + Clone) -> Vec<f64> {
        let most = sizes.clone().max().unwrap_or(0) as f64;
        let weight = |(subspace, size): (usize, usize)| match self {
            _ if size == 0 => 0.0,
            Self::Uniform => size as f64,
            // Relative to the largest, so that no power overflows.
            Self::Temperature(t) => (size as f64 / most).powf(1.0 / t),
            Self::Quota(shares) => shares[subspace],
        };
        sizes.enumerate().map(weight).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::SubspaceLaw::{Quota, Temperature, Uniform};
    use super::*;

    fn weights(law: &SubspaceLaw, sizes: &[usize]) -> Vec<f64> {
        law.weights(sizes.iter().copied())
    }

    #[test]
    fn weights_by_hand() {
        let sizes = [100, 0, 25, 400];
        assert_eq!(weights(&Uniform, &sizes), [100.0, 0.0, 25.0, 400.0]);
        assert_eq!(weights(&Temperature(1.0), &sizes), [0.25, 0.0, 0.0625, 1.0]);
        assert_eq!(weights(&Temperature(2.0), &sizes), [0.5, 0.0, 0.25, 1.0]); // square roots
        assert_eq!(weights(&Temperature(0.5), &sizes), [0.0625, 0.0, 0.003_906_25, 1.0]);
        assert_eq!(weights(&Temperature(f64::INFINITY), &sizes), [1.0, 0.0, 1.0, 1.0]);
        let quota = Quota(vec![0.5, 0.3, 0.1, 0.1]);
        assert_eq!(weights(&quota, &sizes), [0.5, 0.0, 0.1, 0.1]);
        assert_eq!(weights(&Temperature(1e-3), &[1, 1_000_000]), [0.0, 1.0]);
    }

    #[test]
    fn refuses_what_cannot_be_drawn_from() {
        for t in [0.0, -1.0, f64::NAN] {
            let (value, allowed) = Temperature(t).check(2).unwrap_err();
            assert_eq!(value, format!("temperature {t}"));
            assert_eq!(allowed, "a number above 0, infinity included");
        }
        let (huge, nan) = (vec![1e308, 1e308], vec![1.0, f64::NAN]);
        for shares in [vec![1.0], vec![1.0, 0.0], nan, vec![f64::INFINITY, 1.0], huge] {
            let (value, allowed) = Quota(shares.clone()).check(2).unwrap_err();
            assert_eq!(value, format!("quota {shares:?}"));
            assert_eq!(allowed, "a number above 0 for each of 2 subspaces, a finite sum");
        }
        for law in [Uniform, Temperature(0.1), Temperature(f64::INFINITY), Quota(vec![0.1, 9.0])] {
            assert_eq!(law.check(2), Ok(()));
        }
    }
}
