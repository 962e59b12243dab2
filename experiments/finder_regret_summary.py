"""The table and the figure of `finder_regret.py`, from its rows; trains nothing.

Command: python experiments/finder_regret_summary.py finder_regret/rows.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def summary(rows: list[dict]) -> None:
    """Prints regret by way, what find's intervals are worth, and how well its picks repeat."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Normalized regret of the learning rate picked")
    for head in ("way", "cost (runs)", "median", "90 %", "worst"):
        table.add_column(head, justify="left" if head == "way" else "right")
    for way, mine in by(rows, "way").items():
        values = np.array([row["regret"] for row in mine])
        parts = (np.median(values), np.percentile(values, 90), values.max())
        cost = np.mean([row["cost"] for row in mine])
        table.add_row(way, f"{cost:.2f}", *(f"{100 * part:.2f} %" for part in parts))
    console = Console()
    console.print(table)
    table = Table(title="What find says of its answer")
    for head in ("way", "covers half", "inside <= 5 %", "both", "width (interior)", "repeats",
                 "verdicts", "verdicts right"):  # fmt: skip
        table.add_column(head, justify="left" if head in ("way", "verdicts") else "right")
    for way, mine in by(rows, "way").items():
        if not way.startswith("find"):
            continue
        stated = [row for row in mine if "inside" in row]
        covers = np.array([row["cover"] >= 0.5 for row in stated])
        inside = np.array([row["inside"] <= 0.05 for row in stated])
        widths = [row["width"] for row in stated if row["verdict"] == "interior"]
        kinds = {kind: len(some) for kind, some in by(mine, "verdict").items()}
        table.add_row(
            way, f"{covers.mean():.0%}", f"{inside.mean():.0%}", f"{(covers & inside).mean():.0%}",
            f"{np.median(widths) if widths else np.nan:.1f}", f"{repeats(mine):.0%}",
            ", ".join(f"{kind} {count}" for kind, count in kinds.items()),
            f"{np.mean([right(row) for row in mine]):.0%}",
        )  # fmt: skip
    console.print(table)


def by(rows: list[dict], field: str) -> dict[str, list[dict]]:
    """Rows by the value of a field, in order of appearance."""
    return {
        value: [row for row in rows if row[field] == value]
        for value in dict.fromkeys(row[field] for row in rows)
    }


def repeats(rows: list[dict]) -> float:
    """The share of picks within a factor of 2 of the (geometric) median pick of their pair."""
    hits: list[bool] = []
    for pair in dict.fromkeys((row["problem"], row["optimizer"]) for row in rows):
        picks = [r["lr"] or np.nan for r in rows if (r["problem"], r["optimizer"]) == pair]
        logs = np.log(np.array(picks, float))
        hits += list(np.abs(logs - np.nanmedian(logs)) <= np.log(2) + 1e-9)
    return float(np.mean(hits))


def right(row: dict) -> bool:
    """All pairs here have their best inside the range: "interior" is right where the pick's regret
    is at most 5 %, "noisy" where it is not, the others never."""
    fine = row["regret"] <= 0.05
    return {"interior": fine, "noisy": not fine}.get(row["verdict"], False)


def figure(rows: list[dict], path: Path) -> None:
    """Regret against cost: median, with bars to the 90th percentile."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shown, axes = plt.subplots(figsize=(7, 4.2), constrained_layout=True)
    finds: list[tuple[float, float, float]] = []
    places: list[float] = []
    for way, mine in by(rows, "way").items():
        values = 100 * np.array([row["regret"] for row in mine])
        cost = float(np.mean([row["cost"] for row in mine]))
        middle, most = max(np.median(values), 0.01), max(np.percentile(values, 90), 0.01)
        if way.startswith("find"):
            finds.append((cost, middle, most))
            continue
        place = cost * 1.13 ** (len(places) - 4)
        places.append(place)
        axes.plot([place, place], [middle, most], color="0.7", lw=1.5, zorder=1)
        axes.plot(place, middle, "o", color="0.35", ms=4)
        axes.annotate(way.replace("_", " "), (place, most), rotation=60, fontsize=7, color="0.3",
                      xytext=(0, 3), textcoords="offset points")  # fmt: skip
    cost, middle, most = (np.array(column) for column in zip(*finds, strict=True))
    axes.vlines(cost, middle, most, color="#35618f", lw=2.5, alpha=0.5)
    axes.plot(
        cost, middle, "o-", color="#35618f", label="find: median (bar: to the 90th percentile)"
    )
    axes.axhline(0.5, color="0.8", lw=0.8, zorder=0)
    axes.set(xscale="log", yscale="log", xlabel="cost in full-length runs", ylim=(0.008, 900),
             ylabel="normalized regret, %")  # fmt: skip
    axes.set_yticks([0.01, 0.1, 1, 10, 100], ["<= 0.01", "0.1", "1", "10", "100"])
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right", fontsize=8)
    shown.savefig(path, dpi=150)


if __name__ == "__main__":
    loaded = json.loads(Path(sys.argv[1]).read_text())
    summary(loaded)
    figure(loaded, Path(sys.argv[1]).with_name("finder_regret.png"))
