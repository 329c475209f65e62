"""Statistics by hand: python3 -m unittest discover -s scripts"""

import unittest

import study_stats as stats


class Statistics(unittest.TestCase):
    def test_interquartile_mean_leaves_a_quarter_at_either_end(self):
        self.assertEqual(stats.interquartile_mean([8, 1, 7, 2, 6, 3, 5, 4]), 4.5)
        # Five values: one off at either end.
        self.assertEqual(stats.interquartile_mean([100, 1, 2, 3, -100]), 2.0)
        # Three values: none.
        self.assertEqual(stats.interquartile_mean([1, 2, 6]), 3.0)

    def test_interval_of_equal_values_is_a_point(self):
        self.assertEqual(stats.interval([3.0] * 5, stats.mean), (3.0, 3.0))

    def test_interval_holds_the_statistic_and_stays_within_the_values(self):
        low, high = stats.interval([1.0, 2.0, 3.0, 4.0], stats.mean)
        self.assertTrue(1.0 <= low < 2.5 < high <= 4.0)

    def test_strata_are_resampled_each_by_itself(self):
        # Five of each game in every resample, so that nothing varies.
        pooled = lambda strata: stats.mean([value for rows in strata for value in rows])
        self.assertEqual(stats.stratified_interval([[1.0] * 5, [3.0] * 5], pooled), (2.0, 2.0))

    def test_paired_difference_is_of_seeds(self):
        found, (low, high) = stats.paired_difference([[(3.0, 1.0), (13.0, 11.0)]])
        self.assertEqual((found, low, high), (2.0, 2.0, 2.0))

    def test_center_of_differences(self):
        # Differences 0, 0, 0, 8: without one at either end 0, mean 2.
        games = [[(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (12.0, 4.0)]]
        self.assertEqual(stats.paired_difference(games)[0], 0.0)
        self.assertEqual(stats.paired_difference(games, stats.mean)[0], 2.0)

    def test_differences_of_two_games_are_pooled(self):
        # Five times 1 and five times 3; two off at either end leave 1, 1, 1, 3, 3, 3.
        games = [[(2.0, 1.0)] * 5, [(4.0, 1.0)] * 5]
        self.assertEqual(stats.paired_difference(games), (2.0, (2.0, 2.0)))

    def test_ratio_is_of_means(self):
        self.assertEqual(stats.ratio_of_means([[(4.0, 1.0), (2.0, 2.0)]])[0], 2.0)

    def test_improvement_is_a_mean_over_games(self):
        # Always better in the first game, always equal in the second.
        games = [[(2.0, 1.0)] * 5, [(1.0, 1.0)] * 3]
        self.assertEqual(stats.improvement(games), (0.75, (0.75, 0.75)))

    def test_improvement_resamples_runs_of_either_by_themselves(self):
        # With 1 in 16 the one draws 2, 2 and the other 1, 1: more than a fortieth, so the interval
        # reaches 1, and 0 the other way round. Resampled in pairs it would be 0.5 always.
        self.assertEqual(stats.improvement([[(1.0, 1.0), (2.0, 2.0)]]), (0.5, (0.0, 1.0)))

    def test_probability_of_improvement_counts_ties_half(self):
        # (1,1) tie, (1,2) loss, (3,1) win, (3,2) win.
        self.assertEqual(stats.probability_of_improvement([1, 3], [1, 2]), 0.625)


if __name__ == "__main__":
    unittest.main()
