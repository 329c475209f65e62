"""Markdown tables of the studies."""

import study_stats as stats

# Baselines first, then ours, then what is left out of ours; others follow.
ORDER = ["scratch", "fine_tune", "fine_tune_soon", "renewed_stem", "random_start", "no_shift"]
ORDER += ["ours", "ours_choose", "ours_no_alignment", "ours_squared_error", "ours_shuffled"]
# column: (baseline, statistic of the pairs of each game)
DIFFERENCES = {
    "less scratch": ("scratch", stats.paired_difference),
    "less fine_tune": ("fine_tune", stats.paired_difference),
    "P(> scratch)": ("scratch", stats.improvement),
    "P(> fine_tune)": ("fine_tune", stats.improvement),
}
RATIOS = {
    "/ fine_tune": ("fine_tune", stats.ratio_of_means),
    "/ random_start": ("random_start", stats.ratio_of_means),
}
MINATAR_LEGEND = (
    "IQM: interquartile mean. *less x*: IQM of the differences to x of the same seeds. *P(> x)*: "
    "probability that a run has a larger AUC than a run of x. */ x*: ratio of the mean to that of x. "
    f"In brackets 95 % bootstrap intervals, from {stats.SEEDS_FOR_INTERVAL} seeds on."
)


def by_seed(rows, method, variant, measure):
    return {r["seed"]: r[measure] for r in rows if (r["method"], r["variant"]) == (method, variant)}


def in_order(rows, key):
    return list(dict.fromkeys(row[key] for row in rows))


def shared_seeds(scores):
    """The seeds that all have; `scores` is a list of values by seed."""
    return sorted(set.intersection(*map(set, scores))) if scores else []


def pairs(first, second, seeds=None):
    seeds = shared_seeds([first, second]) if seeds is None else seeds
    return [(first[seed], second[seed]) for seed in seeds]


def span(found, seeds, digits=2):
    """A value with its interval, which is left out where seeds are too few for one."""
    value, (low, high) = found
    enough = seeds >= stats.SEEDS_FOR_INTERVAL
    # z: what rounds to 0 has no sign.
    return f"{value:z.{digits}f}" + (f" [{low:z.{digits}f}, {high:z.{digits}f}]" if enough else "")


def table(header, rows):
    lines = ["| " + " | ".join(cells) + " |" for cells in [header, *rows]]
    return [lines[0], "|---" * len(header) + "|", *lines[1:]]


# --- MinAtar ------------------------------------------------------------------------------------


def minatar(rows):
    """Target AUC by variant, and what methods have over others in all games."""
    scores = {}
    for variant in sorted(in_order(rows, "variant")):
        own = [row for row in rows if row["variant"] == variant]
        methods = sorted(in_order(own, "method"), key=lambda m: ORDER.index(m) if m in ORDER else len(ORDER))
        scores[variant] = {method: by_seed(own, method, variant, "target_auc") for method in methods}
    lines = [MINATAR_LEGEND, ""]
    for variant, by_method in scores.items():
        lines += one_variant(variant, by_method)
    return "\n".join(lines + all_games({v: s for v, s in scores.items() if not v.endswith("_dynamics")}))


def one_variant(variant, scores):
    """Two tables: what methods have, and what they have over others."""
    seeds = shared_seeds(list(scores.values()))
    listed = ", ".join(map(str, seeds)) or "none"
    lines = [f"**{variant}**, target AUC; seeds that all methods have: {len(seeds)} ({listed})", ""]
    cells = []
    for method, found in scores.items():
        values = [found[seed] for seed in seeds]
        center = (f"{stats.mean(values):.2f}", span(with_interval(values, stats.interquartile_mean), len(seeds))) if seeds else ("", "")
        cells.append([method, *center, ", ".join(f"{seed}: {found[seed]:.2f}" for seed in sorted(found))])
    lines += [*table(["method", "mean", "IQM", "every seed"], cells), ""]
    if seeds:
        columns = {name: column for name, column in {**DIFFERENCES, **RATIOS}.items() if column[0] in scores}
        lines += [*comparisons(list(scores), columns, lambda a, b: [pairs(scores[a], scores[b], seeds)]), ""]
    return lines


def with_interval(values, statistic):
    return statistic(values), stats.interval(values, statistic)


def comparisons(methods, columns, pairs_of):
    """A table of methods against baselines; `pairs_of` gives the pairs of both in each game."""
    cells = [[method] for method in methods]
    for baseline, statistic in columns.values():
        for row, method in zip(cells, methods):
            games = pairs_of(method, baseline)
            row.append(span(statistic(games), min(map(len, games))) if method != baseline else "")
    return table(["method", *columns], cells)


def all_games(games):
    """Differences and probabilities over the games, of the methods that every game has.

    AUC is in units of the mean of scratch in the game, which resampling leaves as it is.
    """
    seeds = {game: shared_seeds(list(scores.values())) for game, scores in games.items() if "scratch" in scores}
    games = {game: games[game] for game in seeds if seeds[game]}
    if len(games) < 2:
        return []
    units = {game: stats.mean([scores["scratch"][seed] for seed in seeds[game]]) for game, scores in games.items()}
    methods = [method for method in next(iter(games.values())) if all(method in scores for scores in games.values())]
    columns = {name: column for name, column in DIFFERENCES.items() if column[0] in methods}

    def pairs_of(method, baseline):
        return [
            [(a / units[game], b / units[game]) for a, b in pairs(scores[method], scores[baseline], seeds[game])]
            for game, scores in games.items()
        ]

    counts = ", ".join(f"{game} {len(seeds[game])}" for game in games)
    heading = (
        f"**all games**, target AUC divided by the mean AUC of scratch in the game; seeds that all methods have: {counts}; "
        "*less x* is of the seeds of all games, *P(> x)* the mean over games, resampled game by game"
    )
    return [heading, "", *comparisons(methods, columns, pairs_of), ""]


# --- the jumping task ---------------------------------------------------------------------------


def jumping(rows):
    """Percent of unseen tasks that are solved, and what methods have over others."""
    grids = [grid for grid in ("wide", "narrow", "random") if grid in in_order(rows, "variant")]
    methods = in_order(rows, "method")
    scores = {(m, g): percents(rows, m, g) for m in methods for g in grids}
    lines = ["Mean over seeds, in brackets their number.", ""]
    lines += [*table(["method", *grids], [[m, *(mean_cell(scores[m, g]) for g in grids)] for m in methods]), ""]
    cells = []
    for method in methods:
        baselines = ["pse", "random_shift"] + (["random_conv"] if "random_conv" in method else [])
        for baseline in baselines:
            own = [difference_cell(scores[method, g], scores.get((baseline, g), {})) for g in grids]
            if method != baseline and any(own):
                cells.append([method, baseline, *own])
    lines += [f"Mean of the differences of the same seeds, from {stats.SEEDS_FOR_INTERVAL} on, in brackets their number.", ""]
    lines += [*(table(["method", "less", *grids], cells) if cells else ["None yet."]), ""]
    return "\n".join(lines + every_seed("grid", scores))


def every_seed(column, scores):
    """Each run; `scores` is percents by seed, by method and what `column` names."""
    cells = [[*key, ", ".join(f"{seed}: {found[seed]:.1f}" for seed in sorted(found))] for key, found in scores.items() if found]
    return ["Every seed.", "", *table(["method", column, "seed: percent"], cells)]


def percents(rows, method, variant):
    return {seed: 100 * share for seed, share in by_seed(rows, method, variant, "unseen_solved").items()}


def mean_cell(found, beside=""):
    values = list(found.values())
    return f"{span(with_interval(values, stats.mean), len(values), 1)} ({len(values)}{beside})" if values else ""


def difference_cell(first, second):
    both = pairs(first, second)
    if len(both) < stats.SEEDS_FOR_INTERVAL:
        return ""
    return f"{span(stats.paired_difference([both], stats.mean), len(both), 1)} ({len(both)})"


# --- negatives ----------------------------------------------------------------------------------


def negatives(rows):
    """Percent of unseen tasks solved against K: by law, and what laws have over random at the same K."""
    counts = sorted(in_order(rows, "variant"), key=int)
    laws = in_order(rows, "method")
    scores = {law: {c: v for c in counts if (v := percents(rows, law, c))} for law in laws}
    seeds = shared_seeds([found for by_count in scores.values() for found in by_count.values()])
    lines = [
        "Mean over seeds; in brackets their number, and how many of K negatives an anchor really had. The least K "
        f"whose mean is as good as random's best is of the {len(seeds)} seeds that every law and K has.",
        "",
    ]
    cells = []
    for law, by_count in scores.items():
        own = [mean_cell(by_count.get(c, {}), really_had(rows, law, c)) for c in counts]
        cells.append([law, *own, least_count(by_count, scores.get("random", {}), seeds)])
    lines += [*table(["negatives", *(f"K = {c}" for c in counts), "least K"], cells), ""]
    lines += ["IQM of the differences to random at the same K, of the same seeds, in brackets their number.", ""]
    cells = []
    for law, by_count in scores.items():
        both = {c: pairs(by_count.get(c, {}), scores.get("random", {}).get(c, {})) for c in counts}
        if law != "random":
            cells.append([law, *(f"{span(stats.paired_difference([b]), len(b), 1)} ({len(b)})" if b else "" for b in both.values())])
    lines += [*table(["less random", *(f"K = {c}" for c in counts)], cells), ""]
    return "\n".join(lines + every_seed("K", {(law, c): found for law, by_count in scores.items() for c, found in by_count.items()}))


def really_had(rows, law, count):
    """Such as "; 61.3 of 64"."""
    had = [r["negatives"] for r in rows if (r["method"], r["variant"]) == (law, count) and "negatives" in r]
    return f"; {stats.mean(had):.1f} of {count}" if had else ""


def least_count(by_count, of_random, seeds):
    """The least K whose mean is at least the best of random; nothing if there is none to compare."""
    if not seeds or not of_random:
        return ""
    mean = lambda found: stats.mean([found[seed] for seed in seeds])
    best = max(map(mean, of_random.values()))
    return next((count for count, found in by_count.items() if mean(found) >= best), "none")


TABLES = {"minatar": minatar, "jumping": jumping, "k": negatives}
