#!/usr/bin/env python3
"""Time of an update with contrastive distillation at default settings over that without.

    cargo build --release
    python3 benches/overhead.py            # three pairs of runs, in turn

Whole serial runs of configs/minatar_breakout_dqn.toml, one thread; the time of an update is the
learner's (contrasts and what the teacher reads for the memory included), and with it the drawing
of minibatches and contrasts. The median of the rows after the first third of each run. Beside it
the ratio of whole runs over the same rows: acting, environments and the filling of the memory too.
"""

import json
import os
import pathlib
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("CONTRAIL", ROOT / "target" / "release" / "contrail")
PAIRS = 3


def update_ms(distilled):
    """Milliseconds of an update with its preparation, and of the run for each update."""
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        settings = ["run.env_steps=30000", "log.period_env_steps=1000", "evaluation.final_episodes=0", f"contrast.enabled={str(distilled).lower()}"]
        command = [str(BINARY), "train", "configs/minatar_breakout_dqn.toml", "--mode", "serial", "--device", "cpu", "--quiet", "--run-dir", str(run)]
        command += [word for setting in settings for word in ("--set", setting)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row.get("learner/updates_per_s")][10:]
    share = lambda row: row["perf/update_time_share"] + row["perf/sample_time_share"]
    update = statistics.median(1000 * share(row) / row["learner/updates_per_s"] for row in rows)
    return update, statistics.median(1000 / row["learner/updates_per_s"] for row in rows)


def main():
    ratios = []
    for pair in range(PAIRS):
        (plain, plain_run), (distilled, distilled_run) = update_ms(False), update_ms(True)
        ratios.append(distilled / plain)
        print(f"pair {pair + 1}: {plain:.2f} ms without, {distilled:.2f} ms with, ratio {ratios[-1]:.2f}; whole runs {distilled_run / plain_run:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
