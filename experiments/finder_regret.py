"""How good are learning-rate finders? Regret against cost, for lrlab's find and every rule.

Hypothesis: rules that read one short curve are often good and sometimes useless; a search that
trains the rates themselves is never far off, at a cost of a few runs.
Command: python experiments/finder_regret.py [--problems digits,wine] [--roots 4] [--out regret]
Cost: about 6 minutes on 2 CPU cores for four problems, two optimizers, four root seeds.
Result: see experiments/README.md. The truth is a sweep of 49 rates from 1e-5 to 10; its best rate
is chosen on 12 seeds and all scores are read on 12 others, so that luck does not count. Regret:
(score at the pick - score of the best) / (initial loss - score of the best).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import lrlab
from lrlab.search import from_result, lane_scores, rules

PROBLEMS = {
    "digits": {"model": {"name": "mlp", "width": 64}, "data": {"name": "digits"}},
    "mnist1d": {"model": {"name": "mlp", "width": [64, 64]}, "data": {"name": "mnist1d"}},
    "breast_cancer": {"model": {"name": "linear"}, "data": {"name": "breast_cancer"}},
    "wine": {"model": {"name": "mlp", "width": 32}, "data": {"name": "wine"}},
}
OPTIMIZERS = ("momentum", "adam")
COMMON = {"schedule": "cosine", "steps": 400, "batch_size": 32, "progress": False}
BUDGETS = (5, 10, 20, 40)


def truth(task: lrlab.Task, optimizer: str, rates: int, seeds: int):
    """(log10 of the rates, mean score on held-out seeds, index of the best, initial loss)."""
    grid = lrlab.log_grid(1e-5, 10.0, rates)
    result = lrlab.sweep(
        task, lr=grid, optimizer=optimizer, seeds=range(1000, 1000 + seeds), **COMMON
    )
    scores = lane_scores(from_result(result, "valid_loss")).reshape(rates, seeds)
    best = int(np.argmin(scores[:, : seeds // 2].mean(1)))
    return (
        np.log10(grid),
        scores[:, seeds // 2 :].mean(1),
        best,
        float(result.initial["valid_loss"].mean()),
    )


def regret(lr: float | None, true) -> float:
    """Normalized regret of a pick; no pick, and picks outside the grid, count as no training."""
    x, score, best, initial = true
    if lr is None or not np.isfinite(lr) or lr <= 0:
        return 1.0
    value = float(np.interp(np.log10(lr), x, score)) if lr >= 10 ** x[0] else initial
    return max(0.0, (min(value, initial) - score[best]) / (initial - score[best]))


def one(name: str, optimizer: str, roots: int, rates: int, seeds: int) -> list[dict]:
    task = lrlab.tasks.build(**PROBLEMS[name])
    true = truth(task, optimizer, rates, seeds)
    rows = []

    def add(way: str, cost: float, lr: float | None, **more) -> None:
        rows.append({"problem": name, "optimizer": optimizer, "way": way, "cost": cost, "lr": lr,
                     "regret": regret(lr, true), **more})  # fmt: skip

    for root in range(roots):
        for budget in BUDGETS:
            answer = lrlab.find(
                task, optimizer=optimizer, budget=budget, seed=10 * root, seeds=3,
                lr_range=(1e-6, 10.0), **COMMON,
            )  # fmt: skip
            worst = width = None
            if answer.interval is not None:
                low, high = answer.interval
                width = high / low
                worst = max(regret(float(lr), true) for lr in np.geomspace(low, high, 9))
            more = {"verdict": answer.verdict, "worst": worst, "width": width}
            add(f"find {budget}", answer.cost, answer.lr, **more)
    test = lrlab.range_test(task, optimizer=optimizer, seeds=16, num_steps=100, batch_size=32)
    for rule in rules.NAMES:
        for lr in test.suggest(rule):
            add(rule, 100 / 400, float(lr))
    return rows


def summary(rows: list[dict]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Normalized regret of the learning rate picked")
    for head in ("way", "cost (runs)", "median", "90 %", "worst"):
        table.add_column(head, justify="left" if head == "way" else "right")
    for way in dict.fromkeys(row["way"] for row in rows):
        mine = [row for row in rows if row["way"] == way]
        values = np.array([row["regret"] for row in mine])
        cost = np.mean([row["cost"] for row in mine])
        parts = (np.median(values), np.percentile(values, 90), values.max())
        table.add_row(way, f"{cost:.1f}", *(f"{100 * part:.2f} %" for part in parts))
    Console().print(table)
    found = [row for row in rows if row["way"] == "find 20" and row.get("worst") is not None]
    if found:
        inside = np.array([row["worst"] for row in found])
        widths = np.median([row["width"] for row in found])
        share = f"{(inside <= 0.05).mean():.0%}"
        print(f"find 20: the worst regret inside the interval is at most 5 % in {share} of cases")
        print(f"find 20: median width of the interval: a factor of {widths:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--roots", type=int, default=4)
    parser.add_argument("--rates", type=int, default=49)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--out", type=Path, default=Path("finder_regret.json"))
    arguments = parser.parse_args()
    rows: list[dict] = []
    for name in arguments.problems.split(","):
        for optimizer in OPTIMIZERS:
            rows += one(name, optimizer, arguments.roots, arguments.rates, arguments.seeds)
            arguments.out.write_text(json.dumps(rows))
            print(f"{name}, {optimizer}: done", flush=True)
    summary(rows)


if __name__ == "__main__":
    main()
