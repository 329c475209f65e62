//! A binary tree of sums: draw an index in proportion to its value, in logarithmic time.

use std::collections::TryReserveError;

/// Non-negative values with their total, for proportional sampling.
///
/// Node 1 is the root, the children of node `i` are `2i` and `2i + 1`, and the values are the
/// leaves, padded with zeros to a power of two. A parent is always the rounded sum of its two
/// children, computed anew at each change and never adjusted by a difference. So rounding errors
/// do not pile up, and the tree is a function of its leaves alone, whatever the order in which
/// they were set: saving the leaves saves the tree.
///
/// f64 and not f32: with a million values the total is about 2²⁰ times one of them, and f32 would
/// leave 4 bits to tell the neighbors of a drawn position apart.
///
/// # Source
/// Schaul et al., Prioritized Experience Replay (2016), appendix B.2.1.
#[derive(Clone, Debug, PartialEq)]
pub struct SumTree {
    /// `[2 * leaves]`; node 0 is not used.
    nodes: Vec<f64>,
}

impl SumTree {
    /// A tree of at least `count` zeros.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn new(count: usize) -> Result<Self, TryReserveError> {
        let len = Self::node_count(count);
        let mut nodes = Vec::new();
        nodes.try_reserve_exact(len)?;
        nodes.resize(len, 0.0);
        Ok(Self { nodes })
    }

    /// Nodes of a tree for `count` values.
    pub(crate) fn node_count(count: usize) -> usize {
        count.max(1).next_power_of_two().saturating_mul(2)
    }

    fn leaves(&self) -> usize {
        self.nodes.len() / 2
    }

    /// Replaces value `index`.
    ///
    /// # Panics
    /// If `index` is out of range, or `value` is negative or not finite: a bug of the caller.
    pub fn set(&mut self, index: usize, value: f64) {
        assert!(value >= 0.0 && value.is_finite(), "value {index} would be {value}");
        assert!(index < self.leaves(), "index {index} of {}", self.leaves());
        let mut node = self.leaves() + index;
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// Value `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> f64 {
        self.nodes[self.leaves() + index]
    }

    /// Sum of all values.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.nodes[1]
    }

    /// The index `i` whose share of the number line, from `Σ_{j<i} value_j` to
    /// `Σ_{j<=i} value_j`, holds `position`; for a position at or past the total, the last index
    /// with a value above 0.
    ///
    /// Never an index with value 0, even where rounding misplaces the position a little, unless
    /// all values are 0.
    #[must_use]
    pub fn find(&self, position: f64) -> usize {
        let mut at = (1, position);
        while at.0 < self.leaves() {
            at = self.descend(at);
        }
        at.0 - self.leaves()
    }

    /// [`Self::find`] of each position. All paths go down together, level by level: they do not
    /// depend on each other, so the processor waits for their cache misses at the same time.
    #[must_use]
    pub fn find_each(&self, positions: impl Iterator<Item = f64>) -> Vec<usize> {
        let mut paths: Vec<_> = positions.map(|position| (1, position)).collect();
        for _ in 0..self.leaves().ilog2() {
            paths.iter_mut().for_each(|at| *at = self.descend(*at));
        }
        paths.into_iter().map(|(node, _)| node - self.leaves()).collect()
    }

    /// From a node and a position within its share to the child that holds it.
    fn descend(&self, (node, position): (usize, f64)) -> (usize, f64) {
        let (left, right) = (self.nodes[2 * node], self.nodes[2 * node + 1]);
        if position < left || right <= 0.0 {
            (2 * node, position)
        } else {
            (2 * node + 1, position - left)
        }
    }

    /// The first `count` values.
    pub(super) fn values(&self, count: usize) -> &[f64] {
        &self.nodes[self.leaves()..][..count]
    }

    /// Replaces all values at once by what `fill` writes into the first `count`, zeros beyond.
    pub(super) fn refill<E>(
        &mut self,
        count: usize,
        fill: impl FnOnce(&mut [f64]) -> Result<(), E>,
    ) -> Result<(), E> {
        let leaves = self.leaves();
        self.nodes.fill(0.0);
        fill(&mut self.nodes[leaves..][..count])?;
        for node in (1..leaves).rev() {
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
        Ok(())
    }

    /// Replaces the first `count` values at once, zeros beyond.
    pub(crate) fn fill(&mut self, count: usize, value: impl Fn(usize) -> f64) {
        let Ok(()) = self.refill(count, |values| {
            values.iter_mut().enumerate().for_each(|(index, to)| *to = value(index));
            Ok::<(), std::convert::Infallible>(())
        });
    }

    /// Whether every parent is the sum of its children.
    pub(crate) fn check_valid(&self) -> Result<(), String> {
        for node in 1..self.leaves() {
            let (sum, left, right) =
                (self.nodes[node], self.nodes[2 * node], self.nodes[2 * node + 1]);
            if sum.to_bits() != (left + right).to_bits() {
                return Err(format!(
                    "sum tree node {node} is {sum}, its children {left} + {right}"
                ));
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(values: &[f64]) -> SumTree {
        let mut tree = SumTree::new(values.len()).unwrap();
        for (index, value) in values.iter().enumerate() {
            tree.set(index, *value);
        }
        tree
    }

    #[test]
    fn finds_the_share_that_holds_a_position() {
        // Shares on the number line: 0 has [0, 3), 1 has none, 2 has [3, 4), 3 has [4, 6), and
        // 4 has [6, 6.5); five values pad to eight leaves.
        let tree = tree(&[3.0, 0.0, 1.0, 2.0, 0.5]);
        assert_eq!(tree.total(), 6.5);
        let cases = [
            (0.0, 0),
            (2.9, 0),
            (3.0, 2),
            (3.9, 2),
            (4.0, 3),
            (5.9, 3),
            (6.0, 4),
            (6.4, 4),
            (6.5, 4), // at the total and past it: the last value above 0, not the padding
            (99.0, 4),
        ];
        for (position, index) in cases {
            assert_eq!(tree.find(position), index, "position {position}");
        }
        let found = tree.find_each(cases.iter().map(|case| case.0));
        assert_eq!(found, cases.map(|case| case.1));
    }

    #[test]
    fn set_replaces_and_nodes_are_sums() {
        let mut tree = tree(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(tree.nodes, [0.0, 10.0, 3.0, 7.0, 1.0, 2.0, 3.0, 4.0]);
        tree.set(2, 0.5);
        assert_eq!(tree.nodes, [0.0, 7.5, 3.0, 4.5, 1.0, 2.0, 0.5, 4.0]);
        assert_eq!((tree.get(2), tree.get(3)), (0.5, 4.0));
    }

    #[test]
    fn one_value_is_a_tree() {
        assert_eq!(tree(&[2.0]).find(1.0), 0);
        assert_eq!(tree(&[2.0]).find_each([1.0, 5.0].into_iter()), [0, 0]);
        assert_eq!(tree(&[2.0]).total(), 2.0);
    }

    #[test]
    #[should_panic(expected = "value 1 would be NaN")]
    fn nan_is_refused() {
        tree(&[1.0, f64::NAN]);
    }

    #[test]
    fn small_changes_do_not_pile_up() {
        // A tree that added differences would keep the error of 1e9 + 0.1 - 1e9.
        let mut tree = tree(&[0.1, 0.2]);
        for _ in 0..1000 {
            tree.set(0, 1e9);
            tree.set(0, 0.1);
        }
        assert_eq!(tree.total(), 0.1 + 0.2);
    }

    proptest! {
        #[test]
        fn sums_and_finds_agree_with_a_scan(
            sets in prop::collection::vec((0_usize..13, 0_u32..5), 1..60),
            position in 0_u32..80,
        ) {
            let mut values = [0_u32; 13];
            let mut tree = SumTree::new(13).unwrap();
            for (index, value) in sets {
                values[index] = value;
                tree.set(index, f64::from(value));
            }
            prop_assert_eq!(tree.check_valid(), Ok(()));
            let total: u32 = values.iter().sum();
            prop_assert_eq!(tree.total(), f64::from(total)); // small integers: exact
            if total > 0 {
                let mut left = position.min(total - 1);
                let expected = values.iter().position(|value| {
                    let found = left < *value;
                    if !found {
                        left -= value;
                    }
                    found
                });
                prop_assert_eq!(Some(tree.find(f64::from(position))), expected);
            }
            let mut again = SumTree::new(13).unwrap();
            again.refill(13, |to| {
                to.copy_from_slice(tree.values(13));
                Ok::<(), ()>(())
            }).unwrap();
            prop_assert_eq!(again, tree);
        }

        #[test]
        fn a_zero_is_never_found(
            sets in prop::collection::vec((0_usize..16, prop_oneof![Just(0.0), 1e-9..1e9]), 1..60),
            fraction in 0.0..1.0,
        ) {
            let mut tree = SumTree::new(16).unwrap();
            for (index, value) in sets {
                tree.set(index, value);
            }
            if tree.total() > 0.0 {
                prop_assert!(tree.get(tree.find(fraction * tree.total())) > 0.0);
            }
        }
    }
}
