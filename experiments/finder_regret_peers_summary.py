"""The table and the figure of find beside its peers, from their rows; trains nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

FIND = "lrlab.find"
STYLES = {
    FIND: ("#1f5fa8", "o-"),
    "Optuna TPE": ("#c8553d", "o-"),
    "Optuna TPE, median": ("#c8553d", "v:"),
    "Optuna TPE, Hyperband": ("#c8553d", "s--"),
    "Optuna GP": ("#e39b3b", "D-"),
    "scikit-optimize GP": ("#5b8c5a", "D-"),
    "BoTorch GP": ("#7d5ba6", "D-"),
    "BoTorch GP, fitted mean": ("#7d5ba6", "o:"),
    "hyperoptax": ("#a58a75", "D-"),
    "hyperoptax, log10": ("#a58a75", "o:"),
    "random search": ("0.6", "o-"),
    "two-stage grid": ("0.25", "s--"),
}
"""Color by package, marks by search; other habits of seeds are in the table alone."""


def peer_rows(folder: Path, pairs: list[str]) -> list[dict]:
    """The rows of all peers that a folder has of some pairs, `problem-optimizer`."""
    files = (folder / f"{pair}.peers.json" for pair in pairs)
    kept = [json.loads(path.read_text()) for path in files if path.exists()]
    return [row for part in kept for peer in part.values() for row in peer["rows"]]


def find_rows(folder: Path, pairs: list[str]) -> list[dict]:
    """The rows of `find` with a budget to spend, of the same pairs."""
    files = (folder / f"{pair}.rows.json" for pair in pairs)
    kept = [row for path in files if path.exists() for row in json.loads(path.read_text())["rows"]]
    return with_find(row for row in kept if row["way"].startswith("find "))


def with_find(rows) -> list[dict]:
    """Rows of `find` with a budget ("find 20") as a peer's; the others as they are."""
    budgets = ((row, row["way"].removeprefix("find ")) for row in rows)
    return [
        {**row, "peer": FIND, "budget": int(rest)} if rest.isdigit() else row
        for row, rest in budgets
    ]


def shares(rows: list[dict]) -> dict[str, dict[int, np.ndarray]]:
    """Peer -> budget -> regrets of all its cases."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        if "peer" in row:
            found.setdefault(row["peer"], {}).setdefault(row["budget"], []).append(row["regret"])
    return {
        peer: {budget: np.array(values) for budget, values in sorted(mine.items())}
        for peer, mine in found.items()
    }


def peer_table(rows: list[dict]) -> None:
    """Prints regret at each budget: median / 90 % / worst, in percent."""
    from rich.console import Console
    from rich.table import Table

    found = shares(rows)
    budgets = sorted({budget for mine in found.values() for budget in mine})
    table = Table(title="Regret at equal cost, %: median / 90 % / worst")
    for head in ("search", "cases", *(f"{budget} runs" for budget in budgets)):
        table.add_column(head, justify="left" if head == "search" else "right")
    for peer, mine in found.items():
        cells = [cell(mine[budget]) if budget in mine else "" for budget in budgets]
        table.add_row(peer, str(min(map(len, mine.values()))), *cells)
    Console(width=140).print(table)


def whole(rows: list[dict]) -> list[dict]:
    """The rows of the searches that ran on as many pairs as any: a part of them is another set."""
    pairs: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        if "peer" in row:
            pairs.setdefault(row["peer"], set()).add((row["problem"], row["optimizer"]))
    most = max(map(len, pairs.values()), default=0)
    return [row for row in rows if "peer" in row and len(pairs[row["peer"]]) == most]


def cell(values: np.ndarray) -> str:
    parts = *np.percentile(values, (50, 90)), values.max()
    return " / ".join(f"{100 * part:.2f}" for part in parts)


def peer_panels(part, rows: list[dict]) -> None:
    """Regret over cost, one line for each search: the median, and nine of ten cases."""
    found = {peer: mine for peer, mine in shares(whole(rows)).items() if peer in STYLES}
    panels = part.subplots(1, 2, sharey=True)
    for axes, percent, title in zip(
        panels, (50, 90), ("half of all cases are within", "nine of ten cases are within"),
        strict=True,
    ):  # fmt: skip
        for peer in sorted(found, key=lambda peer: peer == FIND):  # find on top
            color, mark = STYLES[peer]
            own = peer == FIND
            points = [max(100 * np.percentile(v, percent), 0.01) for v in found[peer].values()]
            axes.plot(
                list(found[peer]), points, mark, color=color, label=peer, ms=6.5 if own else 4.5,
                lw=3 if own else 1.4, mew=0, clip_on=False, zorder=5 if own else 3,
            )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="budget in full-length runs", xlim=(4.6, 43))
        axes.set(ylim=(0.01, 100))
        axes.set_title(title, fontsize=10)
        axes.set_xticks([5, 10, 20, 40], ["5", "10", "20", "40"])
        axes.set_yticks([0.01, 0.1, 1, 10, 100], ["0.01 %", "0.1 %", "1 %", "10 %", "100 %"])
        axes.minorticks_off()
        axes.grid(axis="y", color="0.92", lw=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("normalized regret")
    lines, names = panels[1].get_legend_handles_labels()
    at = {peer: np.percentile(found[peer].get(20, [1.0]), 90) for peer in found}
    order = sorted(range(len(names)), key=lambda place: -at[names[place]])
    panels[1].legend(
        [lines[place] for place in order], [names[place] for place in order], frameon=False,
        loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=9, handlelength=2.6,
    )  # fmt: skip


def peer_figure(rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shown = plt.figure(figsize=(10, 4.2), layout="constrained")
    peer_panels(shown, rows)
    shown.savefig(path, dpi=130)
    plt.close(shown)
