"""How good are learning-rate finders? Regret against cost, for lrlab's find and every rule.

Hypothesis: rules that read one short curve are often good and sometimes useless; a search that
trains the rates themselves is never far off, at a cost of a few runs, and knows how sure it is.
Command: python experiments/finder_regret.py [--full] [--problems wine,digits] [--optimizers adam]
Cost: about 3 minutes on 2 CPU cores for the default; `--full` hours. A pair of problem and
optimizer whose lanes lie in `--out` already is not trained again, so that it can be run in parts.
Result: see experiments/README.md.

Every pair is trained once, at 12 rates a decade from 1e-6 to 31.6, with many seeds. `find` then
gets its lanes from that record (the nearest rate; the seeds 24 and up, in another order for each
root seed): what it would have trained, a hundred times cheaper. The truth is in the first 24 seeds:
12 choose the best rate, all scores are read on the 12 others, so that luck does not count. Regret:
(score at the pick - score of the best) / (initial loss - score of the best). An interval covers
where it holds at least half (in log) of the rates that a paired t test on the truth does not tell
from the best, and no rate in it has a regret above 5 %.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from finder_regret_replay import TRUTH, replayed
from scipy import stats

import lrlab
from lrlab.search import find, rules

MLP = {"name": "mlp", "width": 64}
TEXT = {"name": "transformer", "width": 32, "depth": 1, "heads": 2}
BYTES = {"name": "stdlib", "context": 32, "max_valid": 64}
FASHION = {"name": "fashion_mnist", "max_valid": 1000}
PROBLEMS = {  # task, lane-steps per lane, seeds
    "wine": ({"model": {"name": "mlp", "width": 32}, "data": {"name": "wine"}}, 400, 60),
    "breast_cancer": ({"model": {"name": "linear"}, "data": {"name": "breast_cancer"}}, 400, 60),
    "digits": ({"model": MLP, "data": {"name": "digits"}}, 400, 60),
    "mnist1d": ({"model": {**MLP, "width": [64, 64]}, "data": {"name": "mnist1d"}}, 400, 60),
    "diabetes": ({"model": MLP, "data": {"name": "diabetes"}}, 400, 60),
    "fashion_mnist": ({"model": MLP, "data": FASHION}, 400, 32),
    "text": ({"model": TEXT, "data": BYTES}, 200, 32),
}
DEFAULT = ("wine", "breast_cancer"), ("momentum", "adam")
OPTIMIZERS = ("momentum", "adam", "sgd", "adamw", "lion")
BUDGETS = (5, 10, 20, 40)


def recorded(folder: Path, name: str, optimizer: str) -> dict[str, np.ndarray]:
    """The lanes of a pair, trained now or read; and what each rule picks from 16 ramps."""
    path = folder / f"{name}-{optimizer}.npz"
    spec, steps, seeds = PROBLEMS[name]
    common = {"optimizer": optimizer, "batch_size": 32}
    if not path.exists():
        result = lrlab.sweep(
            lrlab.tasks.build(**spec), lr=10 ** np.linspace(-6, 1.5, 91), seeds=range(seeds),
            schedule="cosine", steps=steps, progress=False, **common,
        )  # fmt: skip
        np.savez_compressed(
            path, lr=result.lr, metric=result.history["valid_loss"], eval_steps=result.eval_steps,
            initial=result.initial["valid_loss"], outcome=result.outcome,
            diverged_at=result.diverged_at, steps_trained=result.steps_trained,
        )  # fmt: skip
    picks = path.with_suffix(".json")
    if not picks.exists():
        test = lrlab.range_test(lrlab.tasks.build(**spec), seeds=16, num_steps=100, **common)
        found = {rule: np.asarray(test.suggest(rule)).tolist() for rule in rules.NAMES}
        picks.write_text(json.dumps(found))
    return {**np.load(path), "picks": json.loads(picks.read_text())}


def measure(name: str, optimizer: str, lanes: dict, roots: int) -> list[dict]:
    start, final, x = lanes["initial"], lanes["metric"][-1], np.log10(lanes["lr"])
    good = (lanes["outcome"] == "ok") & np.isfinite(final)
    score = np.where(good, np.minimum(final, start), start)[:, :TRUTH].astype(float)
    best = int(score[:, : TRUTH // 2].mean(1).argmin())
    held = score[:, TRUTH // 2 :]
    initial, mean = float(start[:, :TRUTH].mean()), held.mean(1)
    with np.errstate(all="ignore"):
        p = np.nan_to_num(stats.ttest_rel(held, held[[best]], axis=1).pvalue, nan=1.0)
    half = (x[1] - x[0]) / 2

    def regret(lr) -> float:
        if lr is None or not np.isfinite(lr) or lr <= 0:
            return 1.0
        value = float(np.interp(np.log10(lr), x, mean)) if lr >= 10 ** x[0] else initial
        return max(0.0, (min(value, initial) - mean[best]) / (initial - mean[best]))

    rows = []
    for root, budget in ((root, budget) for root in range(roots) for budget in BUDGETS):
        answer = find(
            replayed(lanes, root), lr_range=(1e-6, 10.0), seeds=[0, 1, 2], metric="valid_loss",
            steps=int(lanes["eval_steps"][-1]), eval_steps=lanes["eval_steps"], budget_runs=budget,
        )  # fmt: skip
        row = {"way": f"find {budget}", "cost": answer.cost, "verdict": answer.verdict}
        if answer.interval is not None:
            low, high = np.log10(answer.interval)
            inside = max(regret(10**place) for place in np.linspace(low, high, 33))
            over = np.clip(np.minimum(x + half, high) - np.maximum(x - half, low), 0, None)
            cover = over[p > 0.05].sum() / (2 * half * (p > 0.05).sum())
            row |= {"inside": inside, "cover": cover, "width": 10 ** (high - low)}
        rows.append({**row, "lr": answer.lr, "regret": regret(answer.lr)})
    for rule, picks in lanes["picks"].items():
        # A ramp of 100 updates; find's cost counts full-length runs in the same unit.
        cost = 100 / int(lanes["eval_steps"][-1])
        rows += [{"way": rule, "cost": cost, "lr": lr, "regret": regret(lr)} for lr in picks]
    return [{"problem": name, "optimizer": optimizer, **row} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="every problem and optimizer")
    parser.add_argument("--problems")
    parser.add_argument("--optimizers")
    parser.add_argument("--roots", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("finder_regret"))
    given = parser.parse_args()
    problems, optimizers = (tuple(PROBLEMS), OPTIMIZERS) if given.full else DEFAULT
    problems = given.problems.split(",") if given.problems else problems
    optimizers = given.optimizers.split(",") if given.optimizers else optimizers
    given.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict] = []
    for name, optimizer in ((name, optimizer) for name in problems for optimizer in optimizers):
        lanes = recorded(given.out, name, optimizer)
        rows += measure(name, optimizer, lanes, given.roots)
        (given.out / "rows.json").write_text(json.dumps(rows))
        print(f"{name}, {optimizer}: done", flush=True)
    from finder_regret_summary import figure, summary

    summary(rows)
    figure(rows, given.out / "finder_regret.png")


if __name__ == "__main__":
    main()
