"""Statistics of small studies: interquartile means, bootstrap intervals, paired differences.

Definitions follow rliable (Agarwal et al. 2021, arXiv 2108.13264): the interquartile mean leaves
out a quarter of the values at either end, intervals are 95 % percentile bootstrap intervals, and
what is pooled over tasks is resampled within each task.

A *pair* is the values of two methods for the same seed. Each statistic of pairs gives a value and
its interval.
"""

import random

RESAMPLES = 2000
# Below, an interval is too narrow too often to be told.
SEEDS_FOR_INTERVAL = 5


def mean(values):
    return sum(values) / len(values)


def interquartile_mean(values):
    """Mean of what is left when int(n / 4) values are taken off at either end."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    return mean(ordered[cut : len(ordered) - cut])


def interval(rows, statistic):
    """Bootstrap interval of `statistic` over resampled rows (one row a seed)."""
    return stratified_interval([rows], lambda strata: statistic(strata[0]))


def stratified_interval(strata, statistic):
    """Bootstrap interval of `statistic` over strata, each of them resampled by itself."""
    generator = random.Random(0)
    resample = lambda rows: [rows[generator.randrange(len(rows))] for _ in rows]
    drawn = sorted(statistic([resample(rows) for rows in strata]) for _ in range(RESAMPLES))
    return drawn[int(0.025 * RESAMPLES)], drawn[int(0.975 * RESAMPLES) - 1]


def paired_difference(games, center=interquartile_mean):
    """Center of a - b over the pairs of all games; the interquartile mean unless told otherwise."""
    statistic = lambda strata: center([a - b for pairs in strata for a, b in pairs])
    return statistic(games), stratified_interval(games, statistic)


def ratio_of_means(games):
    """mean(a) / mean(b), mean over games."""
    ratio = lambda pairs: mean([a for a, _ in pairs]) / mean([b for _, b in pairs])
    statistic = lambda strata: mean([ratio(pairs) for pairs in strata])
    return statistic(games), stratified_interval(games, statistic)


def improvement(games):
    """Probability that a run of a is better than one of b, mean over games.

    As in rliable the runs of either are resampled by themselves: it compares any run of the one
    with any of the other, not those of the same seed.
    """
    strata = [list(runs) for pairs in games for runs in zip(*pairs)]
    statistic = lambda s: mean([probability_of_improvement(a, b) for a, b in zip(s[::2], s[1::2])])
    return statistic(strata), stratified_interval(strata, statistic)


def probability_of_improvement(first, second):
    """Share of pairs (one of each) where the first is larger; a tie counts half."""
    wins = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in first for b in second)
    return wins / (len(first) * len(second))
