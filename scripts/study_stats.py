"""Statistics of small studies: interquartile means, bootstrap intervals, paired differences.

Definitions follow rliable (Agarwal et al. 2021, arXiv 2108.13264): the interquartile mean leaves
out a quarter of the values at either end, intervals are 95 % percentile bootstrap intervals.
"""

import random

RESAMPLES = 2000


def mean(values):
    return sum(values) / len(values)


def interquartile_mean(values):
    """Mean of what is left when int(n / 4) values are taken off at either end."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    return mean(ordered[cut : len(ordered) - cut])


def interval(rows, statistic, resamples=RESAMPLES):
    """95 % percentile bootstrap interval of `statistic` over resampled rows (one row a seed)."""
    generator = random.Random(0)
    drawn = sorted(
        statistic([rows[generator.randrange(len(rows))] for _ in rows]) for _ in range(resamples)
    )
    return drawn[int(0.025 * resamples)], drawn[int(0.975 * resamples) - 1]


def paired_difference(pairs):
    """Interquartile mean of a - b over seeds, with its interval."""
    statistic = lambda rows: interquartile_mean([a - b for a, b in rows])
    return statistic(pairs), interval(pairs, statistic)


def ratio_of_means(pairs):
    """mean(a) / mean(b) over seeds, with its interval."""
    statistic = lambda rows: mean([a for a, _ in rows]) / mean([b for _, b in rows])
    return statistic(pairs), interval(pairs, statistic)


def probability_of_improvement(first, second):
    """Share of pairs (one of each) where the first is larger; a tie counts half."""
    wins = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in first for b in second)
    return wins / (len(first) * len(second))
