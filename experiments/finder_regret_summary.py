"""The table and the figure of `finder_regret.py`, from its rows; trains nothing.

Command: python experiments/finder_regret_summary.py finder_regret/rows.json
Where the folder has rows of `finder_regret_peers.py` of the same pairs, they stand beside.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from finder_regret_peers_summary import peer_panels, peer_rows, peer_table, with_find


def summaries(rows: list[dict]) -> None:
    """Prints the tables of each set of pairs by itself; rows without a set are of one."""
    of = {pair_of(row): row["set"] for row in rows if "set" in row}  # peers' rows have none
    sets = by([{"set": of.get(pair_of(row), ""), **row} for row in rows], "set")
    for name, mine in sets.items():
        count = len({pair_of(row) for row in mine})
        summary(mine, f": {name}, {count} pairs" if name else "")


def pair_of(row: dict) -> tuple[str, str]:
    return row["problem"], row["optimizer"]


def summary(rows: list[dict], of: str = "") -> None:
    """Prints regret by way, what find's intervals are worth, and how well its picks repeat."""
    from rich.console import Console
    from rich.table import Table

    beside, rows = apart(rows)
    table = Table(title=f"Normalized regret of the learning rate picked{of}")
    for head in ("way", "cost (runs)", "median", "90 %", "worst"):
        table.add_column(head, justify="left" if head == "way" else "right")
    for way, mine in by(rows, "way").items():
        values = np.array([row["regret"] for row in mine])
        parts = (np.median(values), np.percentile(values, 90), values.max())
        cost = np.median([row["cost"] for row in mine])
        table.add_row(way, f"{cost:.2f}", *(f"{100 * part:.2f} %" for part in parts))
    console = Console()
    console.print(table)
    table = Table(title=f"What find says of its answer{of}")
    for head in ("way", "right", "sound", "covers half", "width (interior)", "said 0.9, within",
                 "bias", "repeats", "verdicts", "verdicts right"):  # fmt: skip
        table.add_column(head, justify="left" if head in ("way", "verdicts") else "right")
    for way, mine in by(rows, "way").items():
        if "verdict" not in mine[0]:
            continue
        stated = [row for row in mine if "right" in row]
        widths = [row["width"] for row in stated if row["verdict"] == "interior"]
        sure = [row for row in mine if (row["confidence"] or 0) >= 0.9]
        biases = np.concatenate([row["bias"] for row in mine])
        kinds = {kind: len(some) for kind, some in by(mine, "verdict").items()}
        table.add_row(
            way, *(share([row[name] for row in stated]) for name in ("right", "sound")),
            share([row["cover"] >= 0.5 for row in stated]),
            f"{np.median(widths) if widths else np.nan:.2f}",
            f"{share([row['within'] for row in sure])} of {len(sure)}",
            f"{biases.mean():+.2f} ({len(biases)})" if len(biases) else "-",
            f"{repeats(mine):.0%}", ", ".join(f"{kind} {count}" for kind, count in kinds.items()),
            share([right(row) for row in mine]),
        )  # fmt: skip
    console.print(table)
    if beside:
        peer_table(with_find(rows) + beside)


def apart(rows: list[dict]) -> tuple[list[dict], list[dict]]:
    """(rows of peers, all others)."""
    return [row for row in rows if "peer" in row], [row for row in rows if "peer" not in row]


def share(hits: list[bool]) -> str:
    return f"{np.mean(hits):.0%}" if hits else "-"


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
    """Nearly all pairs have their best inside the range: "interior" is right where the pick's
    regret is at most 5 %, "noisy" where it is not, "edge" where the best stands at an end of the
    truth's range, the others never."""
    fine = row["regret"] <= 0.05
    edge = fine and row.get("at_end", False)
    return {"interior": fine, "noisy": not fine, "edge": edge}.get(row["verdict"], False)


def figure(rows: list[dict], path: Path) -> None:
    """Left: regret of every way, cheapest on top; right: what the interval of find is worth, and
    at which cost. Below, where there are peers: regret over cost, beside theirs."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    beside, rows = apart(rows)
    shown = plt.figure(figsize=(10, 8.8 if beside else 4.6), layout="constrained")
    top, *below = shown.subfigures(1 + bool(beside), 1, squeeze=False).flat
    left, right = top.subplots(1, 2, width_ratios=(1.7, 1))
    for part in below:
        peer_panels(part, with_find(rows) + beside)
    ways = by(rows, "way")
    cost = {way: float(np.mean([row["cost"] for row in mine])) for way, mine in ways.items()}
    middle = {way: float(np.median([row["regret"] for row in mine])) for way, mine in ways.items()}
    order = sorted(ways, key=lambda way: (round(cost[way], 1), -middle[way]))
    for place, way in enumerate(order):
        values = np.clip(100 * np.array([row["regret"] for row in ways[way]]), 0.01, None)
        parts = np.median(values), np.percentile(values, 90), values.max()
        color = "#35618f" if "verdict" in ways[way][0] else "0.45"
        left.plot(parts[:2], [place, place], color=color, lw=2.5, alpha=0.5)
        left.plot(parts[0], place, "o", color=color, ms=6)
        left.plot(parts[2], place, "|", color=color, ms=9, mew=1.5)
    names = [way.replace("_", " ").replace("2 5 3", "2.5.3") for way in order]
    left.set_yticks(
        range(len(order)),
        [f"{name}  ({cost[way]:.2g})" for name, way in zip(names, order, strict=True)],
    )
    left.invert_yaxis()
    left.set(xscale="log", xlim=(0.008, 160), xlabel="normalized regret: median, bar to the 90th "
             "percentile, worst (|)", title="way (cost in full-length runs)")  # fmt: skip
    left.set_xticks([0.01, 0.1, 1, 10, 100], ["0.01 %", "0.1 %", "1 %", "10 %", "100 %"])
    finds = [way for way in order if "verdict" in ways[way][0]]
    for label, mark, judge in (
        ("interval right", "o-", lambda row: row.get("right", False)),
        ("holds half of the good rates", "s:", lambda row: row.get("cover", 0) >= 0.5),
        ("pick within the tolerance", "^:", lambda row: row["within"]),
    ):
        shares = [100 * np.mean([judge(row) for row in ways[way]]) for way in finds]
        dark = "#35618f" if label == "interval right" else "#8aa8c8"
        right.plot([cost[way] for way in finds], shares, mark, color=dark, ms=5, label=label)
    right.axhline(90, color="0.8", lw=0.8, zorder=0)
    right.set(xscale="log", ylim=(0, 103), xlabel="cost in full-length runs", ylabel="% of cases",
              title="what find says of its interval")  # fmt: skip
    right.set_xticks([5, 10, 20, 40], ["5", "10", "20", "40"])
    right.minorticks_off()
    right.legend(frameon=False, loc="lower right", fontsize=9)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(10)
    shown.savefig(path, dpi=130)


if __name__ == "__main__":
    loaded = json.loads(Path(sys.argv[1]).read_text())
    there = dict.fromkeys(f"{row['problem']}-{row['optimizer']}" for row in loaded)
    loaded += peer_rows(Path(sys.argv[1]).parent, list(there))
    summaries(loaded)
    figure(loaded, Path(sys.argv[1]).with_name("finder_regret.png"))
