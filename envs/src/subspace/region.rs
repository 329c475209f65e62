//! Which contexts a subspace can draw, as products of points and intervals.

use super::Distribution;
use super::distribution::grid_point;
use std::fmt;

/// Values that a distribution can give.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Support {
    Points(Vec<f64>),
    Interval(f64, f64),
}

impl Support {
    pub(super) fn of(distribution: &Distribution) -> Self {
        match distribution {
            Distribution::Fixed(value) => Self::Points(vec![*value]),
            Distribution::Choice(values) => Self::Points(values.clone()),
            Distribution::Grid { low, high, count } => {
                let point = |index| grid_point((*low, *high), (index, *count));
                Self::Points((0..*count).map(point).collect())
            }
            Distribution::Uniform(low, high)
            | Distribution::LogUniform(low, high)
            | Distribution::Normal { low, high, .. }
                if low < high =>
            {
                Self::Interval(*low, *high)
            }
            Distribution::Uniform(value, _)
            | Distribution::LogUniform(value, _)
            | Distribution::Normal { low: value, .. } => Self::Points(vec![*value]),
        }
    }

    /// Intervals that only touch share nothing: the point has no probability.
    fn intersection(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Points(points), other) | (other, Self::Points(points)) => {
                let common: Vec<f64> =
                    points.iter().copied().filter(|point| other.contains(*point)).collect();
                (!common.is_empty()).then_some(Self::Points(common))
            }
            (Self::Interval(a, b), Self::Interval(c, d)) => {
                let (low, high) = (a.max(*c), b.min(*d));
                (low < high).then_some(Self::Interval(low, high))
            }
        }
    }

    /// What is left of it outside `cut`. Points cut nothing out of an interval: they have no
    /// probability there.
    fn without(&self, cut: &Self) -> Vec<Self> {
        match (self, cut) {
            (Self::Points(points), cut) => {
                let kept: Vec<f64> =
                    points.iter().copied().filter(|point| !cut.contains(*point)).collect();
                if kept.is_empty() { vec![] } else { vec![Self::Points(kept)] }
            }
            (Self::Interval(..), Self::Points(_)) => vec![self.clone()],
            (Self::Interval(a, b), Self::Interval(c, d)) => {
                let sides = [(*a, b.min(*c)), (a.max(*d), *b)];
                let kept = sides.into_iter().filter(|(low, high)| low < high);
                kept.map(|(low, high)| Self::Interval(low, high)).collect()
            }
        }
    }

    /// Up to rounding: two grids may reach the same point by different sums.
    pub(super) fn contains(&self, value: f64) -> bool {
        match self {
            Self::Points(points) => points.iter().any(|point| same(*point, value)),
            Self::Interval(low, high) => (*low..=*high).contains(&value),
        }
    }
}

/// Whether two values are the same up to rounding.
pub(super) fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1.0)
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Points(points) => {
                let points: Vec<String> = points.iter().map(ToString::to_string).collect();
                write!(f, "{}", points.join(" or "))
            }
            Self::Interval(low, high) => write!(f, "{low} to {high}"),
        }
    }
}

/// A product: all contexts whose values lie in these supports, one a value of the spec.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Patch(pub(super) Vec<Support>);

impl Patch {
    /// What it holds of value `index`.
    pub(crate) fn support(&self, index: usize) -> &Support {
        &self.0[index]
    }

    pub(super) fn intersection(&self, other: &Self) -> Option<Self> {
        let common = self.0.iter().zip(&other.0).map(|(a, b)| a.intersection(b));
        common.collect::<Option<_>>().map(Self)
    }

    /// What is left of it outside `cut`, as products without a context in common.
    pub(super) fn without(&self, cut: &Self) -> Vec<Self> {
        let Some(common) = self.intersection(cut) else { return vec![self.clone()] };
        let is_thinner = |(own, common): (&Support, &Support)| {
            matches!((own, common), (Support::Interval(..), Support::Points(_)))
        };
        if self.0.iter().zip(&common.0).any(is_thinner) {
            return vec![self.clone()]; // the cut has no probability here
        }
        let (mut pieces, mut rest) = (Vec::new(), self.clone());
        for (index, inside) in common.0.into_iter().enumerate() {
            for outside in rest.0[index].without(&cut.0[index]) {
                let mut piece = rest.clone();
                piece.0[index] = outside;
                pieces.push(piece);
            }
            rest.0[index] = inside;
        }
        pieces
    }

    /// Number of its contexts as often as they are drawn relative to each other; `None` if there is
    /// no end of them.
    pub(super) fn draws(&self) -> Option<f64> {
        let count = |support: &Support| match support {
            Support::Points(points) => Some(points.len() as f64),
            Support::Interval(..) => None,
        };
        self.0.iter().map(count).product()
    }

    /// Its contexts as often as they are drawn relative to each other, the last value varying
    /// fastest; `None` if there are more than `limit`, or no end of them.
    pub(super) fn points(&self, limit: usize) -> Option<Vec<Vec<f64>>> {
        let mut axes = Vec::new();
        let mut count = 1_usize;
        for support in &self.0 {
            let Support::Points(points) = support else { return None };
            count = count.checked_mul(points.len()).filter(|count| *count <= limit)?;
            axes.push(points);
        }
        let point = |index: usize| {
            let mut rest = index;
            let mut values: Vec<f64> = Vec::with_capacity(axes.len());
            for axis in axes.iter().rev() {
                values.push(axis[rest % axis.len()]);
                rest /= axis.len();
            }
            values.reverse();
            values
        };
        Some((0..count).map(point).collect())
    }
}

/// What is left of `patches` outside all of `cuts`.
pub(super) fn without(patches: Vec<Patch>, cuts: &[Patch]) -> Vec<Patch> {
    cuts.iter().fold(patches, |patches, cut| {
        patches.into_iter().flat_map(|patch| patch.without(cut)).collect()
    })
}
