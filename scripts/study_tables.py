"""Markdown tables of the studies."""

import study_stats as stats


def by_seed(rows, method, variant, measure):
    return {r["seed"]: r[measure] for r in rows if (r["method"], r["variant"]) == (method, variant)}


def in_order(rows, key):
    return list(dict.fromkeys(row[key] for row in rows))


def pairs(first, second):
    return [(first[seed], second[seed]) for seed in sorted(first) if seed in second]


def span(found, seeds, digits=2):
    """A value with its interval, which is left out below five seeds, where it would be wrong."""
    value, (low, high) = found
    return f"{value:.{digits}f}" + (f" [{low:.{digits}f}, {high:.{digits}f}]" if seeds >= 5 else "")


def minatar(rows):
    """Target AUC by method; differences and ratios are of the same seeds."""
    lines = []
    for variant in sorted(in_order(rows, "variant")):
        own = [row for row in rows if row["variant"] == variant]
        lines += [f"**{variant}**, target AUC", ""]
        lines.append("| method | seeds | mean | IQM [95 %] | less scratch | less fine-tuning | ratio to fine-tuning | every seed |")
        lines.append("|---|---|---|---|---|---|---|---|")
        baselines = {m: by_seed(own, m, variant, "target_auc") for m in ("scratch", "fine_tune")}
        for method in sorted(in_order(own, "method")):
            found = by_seed(own, method, variant, "target_auc")
            values = [found[seed] for seed in sorted(found)]
            interval = (stats.interquartile_mean(values), stats.interval(values, stats.interquartile_mean))
            cells = [method, str(len(values)), f"{stats.mean(values):.2f}", span(interval, len(values))]
            for baseline in ("scratch", "fine_tune"):
                both = pairs(found, baselines[baseline])
                cells.append(span(stats.paired_difference(both), len(both)) if both and method != baseline else "")
            both = pairs(found, baselines["fine_tune"])
            cells.append(span(stats.ratio_of_means(both), len(both)) if both and method != "fine_tune" else "")
            cells.append(", ".join(f"{value:.2f}" for value in values))
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def jumping(rows):
    """Percent of unseen tasks that are solved: mean with its interval over seeds."""
    grids = [grid for grid in ("wide", "narrow", "random") if grid in in_order(rows, "variant")]
    lines = ["| method | " + " | ".join(grids) + " |", "|---" * (len(grids) + 1) + "|"]
    for method in in_order(rows, "method"):
        cells = [method]
        for grid in grids:
            values = [100 * v for v in by_seed(rows, method, grid, "unseen_solved").values()]
            if values:
                cells.append(span((stats.mean(values), stats.interval(values, stats.mean)), len(values), 1) + f" ({len(values)})")
            else:
                cells.append("")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def negatives(rows):
    """Percent of unseen tasks solved against K, and the least K whose mean is random's best."""
    counts = sorted(in_order(rows, "variant"), key=int)
    scores = {
        law: {c: v for c in counts if (v := [100 * x for x in by_seed(rows, law, c, "unseen_solved").values()])}
        for law in in_order(rows, "method")
    }
    best = max((stats.mean(values) for values in scores.get("random", {}).values()), default=None)
    lines = ["| negatives | " + " | ".join(f"K = {c}" for c in counts) + " | least K with random's best mean |"]
    lines.append("|---" * (len(counts) + 2) + "|")
    for law, by_count in scores.items():
        cells = [law]
        for count in counts:
            values = by_count.get(count)
            cells.append(span((stats.mean(values), stats.interval(values, stats.mean)), len(values), 1) + f" ({len(values)})" if values else "")
        reached = (c for c, values in by_count.items() if best is not None and stats.mean(values) >= best)
        cells.append(next(reached, "none"))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


TABLES = {"minatar": minatar, "jumping": jumping, "k": negatives}
