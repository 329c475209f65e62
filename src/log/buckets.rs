//! Buckets of a histogram.

/// Buckets of a histogram, as many as TensorFlow 2 writes.
const BUCKETS: usize = 30;

/// Right edges and counts of equally wide buckets from the smallest to the largest value; one
/// bucket if they are equal. `finite` is sorted and not empty.
///
/// TensorBoard takes the smallest value as the left edge of the first bucket; a value on an edge
/// belongs to the bucket on its left.
pub(super) fn buckets(finite: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (min, max) = (finite[0], finite[finite.len() - 1]);
    // Halved before they are subtracted: the range of two finite numbers may not be finite.
    let half_width = (max / 2.0 - min / 2.0) / BUCKETS as f64;
    let mut limits: Vec<f64> =
        (1..BUCKETS).map(|i| min + half_width * i as f64 + half_width * i as f64).collect();
    limits.retain(|limit| *limit > min && *limit < max);
    limits.dedup(); // a range of a few representable numbers has fewer than 30 buckets
    limits.push(max);
    let mut before = 0;
    let counts = limits.iter().map(|limit| {
        let up_to = finite.partition_point(|value| value <= limit);
        let count = up_to - before;
        before = up_to;
        count as f64
    });
    let counts = counts.collect();
    (limits, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_every_value_once() {
        // Thirty buckets of width 1 over 0..=30; the values on edges count to the left.
        let values: Vec<f64> = (0..=30).map(f64::from).collect();
        let (limits, counts) = buckets(&values);
        let edges: Vec<f64> = (1..=30).map(f64::from).collect();
        assert_eq!(limits, edges);
        assert_eq!(counts[0], 2.0); // 0 and 1
        assert!(counts[1..].iter().all(|count| *count == 1.0), "{counts:?}");
    }

    #[test]
    fn buckets_of_unusual_ranges() {
        assert_eq!(buckets(&[2.5, 2.5]), (vec![2.5], vec![2.0]));
        let wide = buckets(&[f64::MIN, 0.0, f64::MAX]);
        assert!(wide.0.iter().all(|limit| limit.is_finite()), "{:?}", wide.0);
        assert_eq!(wide.1.iter().sum::<f64>(), 3.0);
        let next = f64::from_bits(1.0_f64.to_bits() + 1);
        assert_eq!(buckets(&[1.0, next]).1.iter().sum::<f64>(), 2.0);
    }
}
