#!/usr/bin/env python3
"""Runs the studies of docs/results.md, resumably, and prints their tables.

    cargo build --release
    python3 scripts/study.py run minatar --seeds 11-20 --jobs 2     # what is not recorded yet
    python3 scripts/study.py run jumping --variants wide --methods plain,ours --seeds 1-20
    python3 scripts/study.py table minatar
    python3 scripts/study.py docs                                   # every table into docs/results.md

A finished run is one line of docs/results/<study>.jsonl; its folder is then removed. Runs are
serial and on the CPU, one process a core, seeds before variants, so that whatever is there is
balanced. Each line tells the checksum of the binary that made it, and the commit that the sources
were at when the study began: the binary must stay as it is while a study runs, so let $CONTRAIL
name a copy where building goes on. Needs Python 3.11 and nothing but the standard library.

In the study on MinAtar the methods that begin alike share their source phase: it is trained once
for each seed and game and saved, and each method continues a copy of it, with its own settings
from the shift on. After a failure it stays for the next call.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import threading
import tomllib

import study_tables

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("CONTRAIL", ROOT / "target" / "release" / "contrail"))
RUNS = ROOT / "runs" / "studies"
RESULTS = ROOT / "docs" / "results"
DOCS = ROOT / "docs" / "results.md"
METHODS = ROOT / "configs" / "methods"

JUMPING = ["plain", "random_shift", "pse", "ours", "random_conv", "random_conv_pse", "ours_random_conv", "ours_random_shift"]
GRIDS = ["wide", "narrow", "random"]
# game: (id, channels)
GAMES = {
    "breakout": ("MinAtar/Breakout-v1", 4),
    "space_invaders": ("MinAtar/SpaceInvaders-v1", 6),
    "asterix": ("MinAtar/Asterix-v1", 4),
}
# method: the method whose source phase it shares; none where a run is whole
MINATAR = {
    "scratch": None,
    "no_shift": None,
    "fine_tune": "fine_tune",
    "fine_tune_soon": "fine_tune",
    "renewed_stem": "fine_tune",
    "random_start": "fine_tune",
    "ours": "ours",
    "ours_no_alignment": "ours",
    "ours_squared_error": "ours",
    "ours_shuffled": "ours",
}
SOURCE_ENV_STEPS = 200_000
TARGET_ENV_STEPS = 120_000
# The pair where dynamics change: the move before is repeated more often, and at twice the speed.
DYNAMICS = ["subspaces.target.channel_permutation=0", "subspaces.target.sticky_action_prob=0.3", "subspaces.target.speed=2"]
DYNAMICS_METHODS = ["scratch", "fine_tune", "ours", "ours_choose"]
# claim C6: how negatives are chosen, and how many there are
NEGATIVES = {
    "random": ["loss_policy.kind=fixed", "loss_policy.betas=[0.0]", "loss_policy.with_none=false"],
    "hardest": ["loss_policy.kind=fixed", "loss_policy.betas=[0.0]", "loss_policy.with_none=false", "contrast.negative_law=hardest"],
    "weighted": ["loss_policy.kind=fixed", "loss_policy.betas=[1.0]", "loss_policy.with_none=false"],
    "chosen": ["loss_policy.kind=discounted_ucb", "loss_policy.betas=[0.0, 0.5, 1.0, 2.0]", "loss_policy.with_none=false"],
}
COUNTS = [1, 4, 16, 64]
# The same for every K, because positives come from a pool of this size too; and several times the
# largest K, because masks take a part of the pool and who is left with no more than K takes them all,
# whatever the law.
CANDIDATES = 256
lock = threading.Lock()


def commit(root):
    """Of the sources as they are now, `-dirty` if a tracked file has changed; docs change as results come."""
    git = lambda *words: subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)docs")
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def made_by():
    """What all lines of a study have in common, as it was when the study began."""
    return {"commit": commit(ROOT), "binary": sha256(BINARY)[:12]}


def train(folder, words, settings):
    """One call of `contrail train`; raises with its last words if it fails."""
    sets = [word for setting in settings for word in ("--set", setting)]
    command = [str(BINARY), "train", *words, "--run-dir", str(folder), "--quiet", *sets]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")


def rows_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def record(study, method, variant, seed, folder, found):
    """Appends one line; whole or not at all."""
    result = json.loads((folder / "result.json").read_text())
    line = {
        "study": study,
        "method": method,
        "variant": variant,
        "seed": seed,
        **found,
        "env_steps": result["counters"]["env_steps"],
        "updates": result["counters"]["updates"],
        "time_s": round(result["time_s"], 1),
        **made_by(),
    }
    RESULTS.mkdir(exist_ok=True)
    append(RESULTS / f"{study}.jsonl", line)


def append(path, line):
    """A part that was written before an error, of a full disk say, is taken back."""
    with lock, open(path, "ab", buffering=0) as file:
        before, text = file.tell(), (json.dumps(line) + "\n").encode()
        try:
            if file.write(text) != len(text):
                raise OSError(f"{path}: only a part of a line could be written")
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, before)
            raise


def lines_of(study):
    path = RESULTS / f"{study}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def recorded(study):
    return {(row["method"], row["variant"], row["seed"]) for row in lines_of(study)}


# --- the jumping task ---------------------------------------------------------------------------


def grid_toml(method_file, grid, seed):
    """A config that extends a method with the subspaces of a grid. The wide one is the method's own."""
    if grid == "wide":
        return f'extends = "{method_file}"\n'
    if grid == "narrow":
        own = (
            "obstacle_position = { grid = { low = 28, high = 38, count = 6 } }\n"
            "floor_height = { grid = { low = 13, high = 17, count = 3 } }\n"
        )
    else:
        tasks = list(itertools.product(range(20, 46), range(10, 21)))
        drawn = sorted(random.Random(1000 + seed).sample(tasks, 18))
        cells = (f"{{ obstacle_position = {p}, floor_height = {h} }}" for p, h in drawn)
        own = "contexts = [" + ", ".join(cells) + "]\n"
    return (
        f'extends = "{method_file}"\n\n[subspaces.{grid}]\n{own}\n'
        f'[subspaces.unseen]\nexcept = ["{grid}"]\n\n[split]\nsource = ["{grid}"]\n'
    )


def run_jumping(method, grid, seed):
    folder = RUNS / "jumping" / method / grid / str(seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = METHODS / "jumping" / f"{method}.toml"
    file = folder / "method.toml"
    file.write_text(grid_toml(source, grid, seed))
    train(folder / "run", [str(file), "--seed", str(seed)], [])
    record("jumping", method, grid, seed, folder / "run", solved(folder / "run"))
    shutil.rmtree(folder)


def solved(folder):
    """Shares of tasks solved, and with contrasts how many negatives an anchor really had."""
    result = json.loads((folder / "result.json").read_text())
    shares = {s["side"]: s["solved_share"] for s in result["last"]["by_subspace"]["subspaces"]}
    found = {"unseen_solved": shares["target"], "seen_solved": shares["source"]}
    negatives = [row["aux/negatives"] for row in rows_of(folder) if "aux/negatives" in row]
    if negatives:
        found["negatives"] = sum(negatives) / len(negatives)
    return found


def units_jumping(seeds, variants, methods):
    for seed, grid, method in itertools.product(seeds, variants or GRIDS, methods or JUMPING):
        yield [(method, grid, seed)], lambda m=method, g=grid, s=seed: run_jumping(m, g, s)


def units_k(seeds, variants, methods):
    for seed, law, count in itertools.product(seeds, methods or NEGATIVES, variants or COUNTS):
        settings = [*NEGATIVES[law], f"contrast.negatives={count}", f"contrast.candidates={CANDIDATES}"]
        key = (law, str(count), seed)
        yield [key], lambda l=law, c=count, s=seed, x=settings: run_jumping_k(l, c, s, x)


def run_jumping_k(law, count, seed, settings):
    """`ours` on the narrow grid, where nothing is near a ceiling, under the name of K."""
    folder = RUNS / "k" / law / str(count) / str(seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = folder / "method.toml"
    file.write_text(grid_toml(METHODS / "jumping" / "ours.toml", "narrow", seed))
    train(folder / "run", [str(file), "--seed", str(seed)], settings)
    record("k", law, str(count), seed, folder / "run", solved(folder / "run"))
    shutil.rmtree(folder)


# --- MinAtar ------------------------------------------------------------------------------------


def derangement(channels, seed):
    """Number of a permutation without fixed points, in lexicographic order."""
    all_orders = enumerate(itertools.permutations(range(channels)))
    free = [number for number, order in all_orders if all(at != place for place, at in enumerate(order))]
    return random.Random(2000 + seed).choice(free)


def own_settings(method):
    """What a method's file says itself, as settings for a run that is continued."""
    table = tomllib.loads((METHODS / "minatar" / f"{method}.toml").read_text())
    for section, keys in table.items():
        if section in ("extends", "run"):
            continue
        for key, value in keys.items():
            yield f"{section}.{key}={json.dumps(value)}"


def world(variant, seed):
    """Settings of a variant: the game and what its target is."""
    game = variant.removesuffix("_dynamics")
    env, channels = GAMES[game]
    if variant.endswith("_dynamics"):
        return [f"env.id={env}", *DYNAMICS]
    return [f"env.id={env}", f"subspaces.target.channel_permutation={derangement(channels, seed)}"]


def measured(folder, target_from):
    """Area under the curve of the target phase, early and late returns, and what the shift chose."""
    rows = rows_of(folder)
    phase = [row for row in rows if "phase/auc" in row and row["env_steps"] > target_from]
    at = lambda steps: next(r for r in phase if r["env_steps"] >= target_from + steps).get("phase/ep_rew_mean_50")
    events = [row for row in rows if row.get("event", "").startswith("shift_")]
    keep = ("event", "teacher", "alignment", "guard", "chosen_start")
    return {
        "target_auc": phase[-1]["phase/auc"],
        "return_at_20k": at(20_000),
        "return_at_end": phase[-1]["phase/ep_rew_mean_50"],
        "shift": [{k: event[k] for k in keep if k in event} for event in events],
    }


def files_of(file):
    """A config and what it extends, the file itself first."""
    base = tomllib.loads(file.read_text()).get("extends")
    return [file, *(files_of(file.parent / base) if base else [])]


def is_whole(folder, origin):
    """Whether a source phase that was left here ended by itself, and comes from where one would now."""
    try:
        result = json.loads((folder / "result.json").read_text())
        left = json.loads((folder / "origin.json").read_text())
    except (OSError, ValueError):
        return False
    return left == origin and result["end"] == "finished" and result["counters"]["env_steps"] >= SOURCE_ENV_STEPS


def source_phase(start, source, seed, common):
    """Trains it, unless a call before has left it whole."""
    file = METHODS / "minatar" / f"{source}.toml"
    settings = [*common, f"run.env_steps={SOURCE_ENV_STEPS}", "evaluation.final_episodes=0"]
    origin = {"binary": sha256(BINARY), "configs": [sha256(own) for own in files_of(file)], "settings": settings}
    if not is_whole(start, origin):
        shutil.rmtree(start, ignore_errors=True)
        train(start, [str(file), "--seed", str(seed)], settings)
        (start / "origin.json").write_text(json.dumps(origin))


def run_minatar(variant, seed, source, methods):
    """The source phase of `source`, and every method that continues it."""
    base = RUNS / "minatar" / variant / str(seed)
    common = world(variant, seed)
    if source is None:
        for method in methods:
            folder = base / method
            shutil.rmtree(folder, ignore_errors=True)
            settings = common if method == "scratch" else [*common, "subspaces.target.channel_permutation=0"]
            train(folder, [str(METHODS / "minatar" / f"{method}.toml"), "--seed", str(seed)], settings)
            target_from = 0 if method == "scratch" else SOURCE_ENV_STEPS
            record("minatar", method, variant, seed, folder, measured(folder, target_from))
            shutil.rmtree(folder)
        return
    start = base / f"source_{source}"
    source_phase(start, source, seed, common)
    for method in methods:
        folder = base / method
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(start, folder)
        train(folder, ["--resume"], [f"run.env_steps={SOURCE_ENV_STEPS + TARGET_ENV_STEPS}", *own_settings(method)])
        record("minatar", method, variant, seed, folder, measured(folder, SOURCE_ENV_STEPS))
        shutil.rmtree(folder)
    shutil.rmtree(start)


def units_minatar(seeds, variants, methods):
    done = recorded("minatar")
    for seed, variant in itertools.product(seeds, variants or GAMES):
        # What no shift earns is asked where the goal is near it.
        games = [method for method in MINATAR if method != "no_shift" or variant == "breakout"]
        wanted = DYNAMICS_METHODS if variant.endswith("_dynamics") else games
        wanted = [m for m in methods or wanted if (m, variant, seed) not in done]
        sources = {"ours_choose": "ours", **MINATAR}
        for source in dict.fromkeys(sources[m] for m in wanted):
            own = [m for m in wanted if sources[m] == source]
            keys = [(m, variant, seed) for m in own]
            yield keys, lambda v=variant, s=seed, o=source, m=own: run_minatar(v, s, o, m)


STUDIES = {"jumping": units_jumping, "k": units_k, "minatar": units_minatar}
# Those of docs/results.md.
SEEDS = {"jumping": "1-20", "k": "1-5", "minatar": "11-20"}


def filled(text, lines_of=lines_of):
    """`text` with every table in it as the results are now."""
    for study in sorted(STUDIES):
        begin, end = f"<!-- table {study}: scripts/study.py docs -->\n", f"<!-- end {study} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if found and not closed:
            raise ValueError(f"{begin.strip()} has no {end}")
        if found:
            text = f"{before}{begin}\n{study_tables.TABLES[study](lines_of(study)).strip()}\n\n{end}{after}"
    return text


def attempt(keys, work):
    try:
        work()
        return f"{keys}: done"
    except (RuntimeError, OSError, StopIteration, KeyError) as error:
        return f"{keys}: FAILED: {error}"


def parse_seeds(text):
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "table", "docs"])
    parser.add_argument("study", choices=sorted(STUDIES), nargs="?", help="needed but for docs")
    parser.add_argument("--seeds", type=parse_seeds, help=f"such as 1-10; default: {SEEDS}")
    parser.add_argument("--variants", type=lambda text: text.split(","))
    parser.add_argument("--methods", type=lambda text: text.split(","))
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    args = parser.parse_args()
    if args.command == "docs":
        DOCS.write_text(filled(DOCS.read_text()))
        return 0
    if args.study is None:
        parser.error(f"{args.command} needs a study: {', '.join(sorted(STUDIES))}")
    if args.command == "table":
        print(study_tables.TABLES[args.study](lines_of(args.study)))
        return 0
    if not BINARY.exists():
        sys.exit(f"{BINARY} does not exist: run `cargo build --release` first")
    made_by()
    done = recorded(args.study)
    units = STUDIES[args.study](args.seeds or parse_seeds(SEEDS[args.study]), args.variants, args.methods)
    units = [(keys, work) for keys, work in units if any(key not in done for key in keys)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for line in pool.map(lambda unit: attempt(*unit), units):
            failed += "FAILED" in line
            print(line, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
