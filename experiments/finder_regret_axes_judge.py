"""How `finder_regret_axes.py` judges an answer: the truth at each value of the axis, and tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from finder_regret_axes_replay import SEEDS, scores_of
from finder_regret_judge import ERRORS, FINE, TOLERANCE, Truth, judged, regret_at
from finder_regret_summary import by, share
from rich.console import Console
from rich.table import Table


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
        stated = [one["right"] for one in every if "right" in one]
        table.add_row(
            way, str(len(every)), f"{share(high)} of {len(high)}", f"{share(low)} of {len(low)}",
            str(len(every) - len(high) - len(low)), str(len(stated)), share(stated),
        )  # fmt: skip
    console.print(table)
