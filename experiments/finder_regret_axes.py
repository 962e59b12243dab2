"""How good is find with a further axis? Regret against cost, beside Optuna's TPE and random search.

Hypothesis: the learning rate together with a weight decay or a momentum is found as surely as the
rate alone, at a few runs more for each value, and its probabilities are true.
Command: python experiments/finder_regret_axes.py [--roots 12] [--out finder_regret_axes]
For the others, in an environment of its own with Optuna and numpy, after it: python
experiments/finder_regret_axes_peers.py finder_regret_axes; then the first command with --read.
Cost: 8 minutes on 2 CPU cores to train the 8 pairs, once; minutes for the searches.
Result: experiments/README.md, "How good is find with a further axis?".

Every pair is trained once at 31 rates x 4 or 5 values x 48 seeds; searches get their lanes from
that record, linear in log LR between two rates. The truth is the 25 rates from 1e-5 to 10 with the
first 24 seeds: 12 choose the best rate and value of the whole table, all scores are read on the
other 12. An interval is judged at the value that was chosen, against the best rate there
(`finder_regret_judge.py`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from finder_regret_axes_record import PAIRS, SEEDS, recorded
from finder_regret_axes_replay import order_of, replayed, scores_of
from finder_regret_judge import ERRORS, FINE, TOLERANCE, Truth, judged, regret_at
from finder_regret_summary import by, share
from rich.console import Console
from rich.table import Table

from lrlab.search import SearchSettings, find_axes

RANGE = (1e-5, 10.0)
WAYS = (("find 24", 24.0, None), ("until sure", None, 0.9))
"""(name, budget in full-length runs, None for the default, confidence at which it stops)."""


def truths_of(lanes: dict[str, np.ndarray]) -> tuple[list[Truth], list[Truth]]:
    """Per value of the axis the truth against the best of the table, and against the best rate at
    that value."""
    x = np.log10(lanes["lr"])
    swept = (x > -5.01) & (x < 1.01)
    x, score = x[swept], scores_of(lanes)[swept][..., : SEEDS // 2]
    half = score.shape[-1] // 2
    chosen, held = score[..., :half].mean(-1), score[..., half:]
    best = np.unravel_index(int(chosen.argmin()), chosen.shape)
    start = float(lanes["initial"][..., : SEEDS // 2].mean())
    gap = start - float(held[best].mean())
    everywhere = [truth(x, held[:, k], held[best], gap, x[best[0]]) for k in range(held.shape[1])]
    places = chosen.argmin(0)
    here = [
        truth(x, held[:, k], held[place, k], gap, x[place]) for k, place in enumerate(places)
    ]  # fmt: skip
    return everywhere, here


def truth(x: np.ndarray, held: np.ndarray, best: np.ndarray, gap: float, at: float) -> Truth:
    regret = np.maximum((held.mean(1) - best.mean()) / gap, 0)
    error = (held - best).std(1, ddof=1) / np.sqrt(len(best)) / gap
    fine = np.linspace(x[0], x[-1], int((x[-1] - x[0]) * FINE) + 1)
    return Truth(fine, np.interp(fine, x, regret), np.interp(fine, x, error), at, x[1] - x[0])


def measure(name: str, lanes: dict[str, np.ndarray], roots: int) -> list[dict]:
    axis, values = PAIRS[name][2], lanes["values"].tolist()
    everywhere, here = truths_of(lanes)
    rows = []
    for root in range(roots):
        for way, budget, confidence in WAYS:
            answer = find_axes(
                replayed(lanes, axis, order_of(root)), axes={axis: values}, lr_range=RANGE,
                seeds=[0, 1, 2], steps=int(lanes["eval_steps"][-1]),
                eval_steps=lanes["eval_steps"].tolist(), metric="valid_loss", budget_runs=budget,
                settings=SearchSettings(confidence=confidence),
            )  # fmt: skip
            details = answer.details
            place = values.index(details["at"][axis])
            row = {"way": way, "cost": answer.cost, "verdict": answer.verdict, "root": root}
            row |= picked(everywhere, place, answer.lr)
            row |= {"confidence": answer.confidence, "resolved": answer.resolved}
            if answer.interval is not None:
                row |= judged(here[place], answer.interval, max(TOLERANCE, answer.resolved))
            row["ridge"] = [
                ridge_row(everywhere[k], here[k], said) for k, said in enumerate(details["ridge"])
            ]
            rows.append({"pair": name, **row})
    return rows


def picked(truths: Sequence[Truth], place: int, lr: float | None) -> dict:
    regret, error = regret_at(truths[place], lr)
    return {
        "value": place, "lr": lr, "regret": regret, "within": regret <= TOLERANCE + ERRORS * error,
    }  # fmt: skip


def ridge_row(everywhere: Truth, here: Truth, said: dict) -> dict:
    """A row of the ridge beside the truth: whether that value's best is within the tolerance (two
    standard errors allowed either way), and its interval judged."""
    at = int(np.abs(everywhere.x - here.best).argmin())
    slack = ERRORS * everywhere.error[at]
    row = {
        "said": said["within"], "regret": said["regret"], "true": float(everywhere.regret[at]),
        "good": bool(everywhere.regret[at] <= TOLERANCE + slack),
        "bad": bool(everywhere.regret[at] > TOLERANCE - slack),
    }  # fmt: skip
    return row | (judged(here, said["interval"], TOLERANCE) if said["interval"] else {})


def peers(out: Path, name: str, lanes: dict[str, np.ndarray]) -> list[dict]:
    """What others picked (`finder_regret_axes_peers.py`), judged."""
    path = out / "peers.json"
    picks = json.loads(path.read_text()) if path.exists() else []
    everywhere, _ = truths_of(lanes)
    return [
        {**pick, **picked(everywhere, pick["value"], pick["lr"])}
        for pick in picks
        if pick["pair"] == name
    ]


def summary(rows: list[dict]) -> None:
    console = Console(width=140)
    table = Table(title="Regret of the rate and value picked")
    for head in ("way", "cost", "median", "90 %", "worst", "within 1 %", "interval right",
                 "width", "said 0.9: within"):  # fmt: skip
        table.add_column(head, justify="left" if head == "way" else "right")
    for way, mine in by(rows, "way").items():
        values = 100 * np.array([row["regret"] for row in mine])
        stated = [row for row in mine if "right" in row]
        sure = [row for row in mine if (row.get("confidence") or 0) >= 0.9]
        table.add_row(
            way, f"{np.median([row['cost'] for row in mine]):.1f}",
            *(f"{v:.2f} %" for v in (np.median(values), np.percentile(values, 90), values.max())),
            share([row["within"] for row in mine]), share([row["right"] for row in stated]),
            f"{np.median([row['width'] for row in stated]):.2f}" if stated else "-",
            f"{share([row['within'] for row in sure])} of {len(sure)}" if stated else "-",
        )  # fmt: skip
    console.print(table)
    table = Table(title="The ridge")
    for head in ("way", "rows", "said >= 0.9: as good", "said <= 0.1: worse", "between",
                 "intervals", "right"):  # fmt: skip
        table.add_column(head, justify="left" if head == "way" else "right")
    for way, mine in by([row for row in rows if "ridge" in row], "way").items():
        every = [one for row in mine for one in row["ridge"] if one["said"] is not None]
        high = [one["good"] for one in every if one["said"] >= 0.9]
        low = [one["bad"] for one in every if one["said"] <= 0.1]
        told = [one["right"] for one in every if "right" in one]
        table.add_row(
            way, str(len(every)), f"{share(high)} of {len(high)}", f"{share(low)} of {len(low)}",
            str(len(every) - len(high) - len(low)), str(len(told)), share(told),
        )  # fmt: skip
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--roots", type=int, default=12)
    parser.add_argument("--pairs", help="some of them, separated by ;")
    parser.add_argument("--each", action="store_true", help="a table for each pair")
    parser.add_argument("--read", action="store_true", help="the searches as they were measured")
    parser.add_argument("--out", type=Path, default=Path("finder_regret_axes"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    kept, rows = given.out / "rows.json", []
    before = json.loads(kept.read_text()) if given.read else []
    for name in given.pairs.split(";") if given.pairs else PAIRS:
        lanes = recorded(given.out, name)
        mine = [row for row in before if row["pair"] == name]
        rows += mine or measure(name, lanes, given.roots)
        if given.each:
            print(name, flush=True)
            summary([row for row in rows if row["pair"] == name])
    kept.write_text(json.dumps(rows))
    for name in by(rows, "pair"):
        rows = rows + peers(given.out, name, recorded(given.out, name))
    summary(rows)


if __name__ == "__main__":
    main()
