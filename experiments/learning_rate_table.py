"""What does accuracy look like from a learning rate of 1e-5 to 0.1, and on to 10?

Hypothesis: accuracy after 50 epochs rises with the learning rate over four decades, is flat near
the best, and falls where training becomes unstable; the reasons differ on the two sides.
Command: python experiments/learning_rate_table.py [--config configs/learning_rate_table.toml]
Cost: 21 runs of 50 epochs, about 10 s on 2 CPU cores, in one compiled program.
Result: see experiments/README.md; the table is printed, and written with the figure to --out.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

import lrlab
from lrlab import api, config, report

CONFIG = Path(__file__).parent.parent / "configs" / "learning_rate_table.toml"
COLORS = {"too small": "cyan", "good": "green", "too large": "yellow", "diverged": "red"}


def percent(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{100 * value:.1f} %"


def show(rows, epochs: int) -> None:
    from rich.console import Console
    from rich.table import Table

    points = list(rows[0].train)
    table = Table(title="Accuracy by learning rate (mean over seeds)")
    table.add_column("rate", justify="right")
    for step in points:
        table.add_column(
            f"train\nepoch {max(1, round(step / points[-1] * epochs))}", justify="right"
        )
    table.add_column(f"valid\nepoch {epochs}", justify="right")
    table.add_column("verdict")
    for row in rows:
        cells = [percent(row.train[step]) for step in points]
        table.add_row(f"{row.lr:g}", *cells, percent(row.valid), row.label,
                      style=COLORS.get(row.label))  # fmt: skip
    console = Console()
    console.print(table)
    for row in rows:
        console.print(f"{row.lr:g}: {row.label}, {row.reason}", style=COLORS.get(row.label))


def save(rows, path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        points = [f"train_accuracy_step_{step}" for step in rows[0].train]
        writer.writerow(["lr", *points, "valid_accuracy", "verdict", "why"])
        for row in rows:
            writer.writerow([row.lr, *row.train.values(), row.valid, row.label, row.reason])


def draw(result: lrlab.Result, rows, path: Path) -> None:
    """Training accuracy over the process, one line per rate; validation accuracy at the end."""
    import matplotlib.pyplot as plt

    from lrlab.report.figures.style import log_axis, use

    with use("light"):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
        shades = plt.get_cmap("viridis")(np.linspace(0, 0.93, len(result.lr)))
        width = max(1, len(result.steps) // 60)
        for index, color in zip(np.argsort(result.lr), shades, strict=True):
            curve = result.history["train_accuracy"][:, index].mean(-1)
            kept = len(curve) // width * width
            smooth = curve[:kept].reshape(-1, width).mean(1)
            steps = result.steps[:kept:width]
            left.plot(steps, smooth, color=color, label=f"{result.lr[index]:g}")
        left.set(
            xlabel="step", ylabel="training accuracy", title="Over the process", ylim=(0, 1.02)
        )
        left.legend(title="learning rate", fontsize=8, frameon=False, ncols=2)
        marks = {"too small": "#2a7f8e", "good": "#1a7f4b", "too large": "#c2410c"}
        for row in rows:
            color = marks.get(row.label, "#b42318")
            right.scatter(row.lr, row.valid, s=60, color=color, zorder=3)
            right.annotate(row.label, (row.lr, row.valid), (0, 9), textcoords="offset points",
                           ha="center", fontsize=8, color=color)  # fmt: skip
        right.plot([row.lr for row in rows], [row.valid for row in rows], color="#c9ced6", zorder=1)
        right.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy",
                  title="At the last epoch", ylim=(0, 1.08))  # fmt: skip
        log_axis(right)
        figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default=str(CONFIG))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="A.B=VALUE")
    parser.add_argument("--out", type=Path, default=Path("learning_rate_table"))
    arguments = parser.parse_args()
    experiment = config.load(arguments.config, tuple(arguments.settings), command="sweep")
    result = api.run("sweep", experiment, record=False).value
    rows = report.table(report.from_result(result), at=(0.02, 0.2, 0.5, 1.0))
    show(rows, round(experiment.epochs or 1))
    arguments.out.mkdir(parents=True, exist_ok=True)
    save(rows, arguments.out / "table.csv")
    draw(result, rows, arguments.out / "table.png")
    print(result.best())
    print(f"Table and figure: {arguments.out}/table.csv, {arguments.out}/table.png")


if __name__ == "__main__":
    main()
