#!/usr/bin/env python3
"""Draws percent of unseen tasks solved against K, the number of negatives, for each way to choose
them: docs/images/negatives.svg from docs/results/k.jsonl. Bands are drawn from five seeds on.

    python3 -m venv .venv-plots && .venv-plots/bin/pip install matplotlib==3.11.2
    .venv-plots/bin/python scripts/plot_negatives.py
"""

import json
import pathlib

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "negatives"  # the same results give the same file

import matplotlib.pyplot as plt
import study_stats as stats
import study_tables

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    rows = [json.loads(line) for line in (ROOT / "docs" / "results" / "k.jsonl").read_text().splitlines()]
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for law in study_tables.in_order(rows, "method"):
        counts = sorted(study_tables.in_order(rows, "variant"), key=int)
        points = {int(c): [100 * v for v in study_tables.by_seed(rows, law, c, "unseen_solved").values()] for c in counts}
        points = {count: values for count, values in points.items() if values}
        means = [stats.mean(values) for values in points.values()]
        line = axes.plot(list(points), means, marker="o", label=law)[0]
        spans = {k: stats.interval(v, stats.mean) for k, v in points.items() if len(v) >= stats.SEEDS_FOR_INTERVAL}
        if spans:
            low, high = zip(*spans.values())
            axes.fill_between(list(spans), low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted({int(row["variant"]) for row in rows}))
    axes.xaxis.set_major_formatter(matplotlib.ticker.ScalarFormatter())
    axes.set_xlabel("K, negatives of an anchor")
    axes.set_ylabel("unseen tasks solved, percent")
    axes.set_title("Jumping task, narrow grid: mean and 95 % interval over seeds", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(title="negatives")
    target = ROOT / "docs" / "images" / "negatives.svg"
    figure.savefig(target, metadata={"Date": None})
    print(f"wrote {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
