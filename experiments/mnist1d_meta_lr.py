"""Does the gradient of the final loss by the learning rate lead to the rate that a sweep finds?

Hypothesis: differentiating the validation loss after training by the learning rate, through the
whole unrolled run, and descending on it, ends at the bottom of the U-curve of a sweep from wherever
it starts (Greydanus 2020, arXiv 2011.14439, section 3; Maclaurin et al. 2015, arXiv 1502.03492).
Command: python experiments/mnist1d_meta_lr.py [--full] [--out mnist1d_meta_lr]
Cost: 3 x 30 gradients through 4 runs of 100 steps, and a sweep of 33 rates, about 40 s on 2 cores.
Result: from 0.003, 0.03 and 1 the descent ends at 0.84, 0.76 and 0.80, where the loss is 1.463 to
1.471; the sweep's lowest is 1.467 at 0.96: the bottom is that flat.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from unrolled import descend, final_loss

import lrlab
from lrlab.report.figures.style import figure, log_axis, use

STARTS = {0.003: "#2a7f8e", 0.03: "#6d4aa8", 1.0: "#c2410c"}


def draw(lrs, losses, paths, best: float, path: Path) -> None:
    with use("light") as colors:
        made = figure(10.4, 3.8)
        left, right = made.subplots(1, 2)
        left.plot(lrs, losses, color=colors.soft, marker="o", markersize=3, label="sweep")
        for start, (points, values) in paths.items():
            rates = np.array(points)[:, 0]
            color = STARTS[start]
            left.plot(rates, values, color=color, linewidth=1, marker=".", markersize=4)
            left.plot(rates[-1], values[-1], "o", color=color, markersize=7,
                      label=f"descent from {start:g}")  # fmt: skip
            right.plot(rates, color=color)
        right.axhline(best, color=colors.soft, linestyle=(0, (4, 3)), linewidth=1)
        right.annotate(f"best of the sweep: {best:.3g}", (1, best), (-4, 5), ha="right",
                       xycoords=("axes fraction", "data"), textcoords="offset points",
                       color=colors.soft, fontsize=8.5)  # fmt: skip
        left.set(xlabel="learning rate", ylabel="validation loss after training",
                 title="Down the curve of the sweep", ylim=(1.4, 2.6))  # fmt: skip
        right.set(xlabel="gradient step", ylabel="learning rate", title="From three starts")
        log_axis(left)
        log_axis(right, "y")
        left.legend()
        made.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="400 steps, 16 seeds, 60 gradients.")
    parser.add_argument("--out", type=Path, default=Path("mnist1d_meta_lr"))
    arguments = parser.parse_args()
    steps, seeds, iterations = (400, 16, 60) if arguments.full else (100, 4, 30)
    task = lrlab.tasks.load("mnist1d-mlp", width=64, depth=1)
    lrs = np.geomspace(0.002, 4, 33)
    result = lrlab.sweep(
        task,
        optimizer="sgd",
        lr=lrs,
        seeds=seeds,
        steps=steps,
        batch_size=64,
        schedule="constant",
        eval_every=steps,
        progress=False,
    )
    final = result.final["valid_loss"]
    losses = np.where(np.isfinite(final), final, np.nan).mean(1)
    best = float(lrs[np.nanargmin(losses)])
    loss = final_loss(task, steps, 64, list(range(seeds)))
    ones = np.ones(steps)
    paths = {
        start: descend(lambda v: loss(v[0] * ones), [start], iterations, 0.5) for start in STARTS
    }
    print(f"sweep: best LR {best:.3g}, validation loss {np.nanmin(losses):.4f}")
    for start, (points, values) in paths.items():
        print(f"descent from {start:g}: LR {points[-1][0]:.3g}, validation loss {values[-1]:.4f}")
    path = arguments.out.with_suffix(".png")
    draw(lrs, losses, paths, best, path)
    print(f"figure: {path}")


if __name__ == "__main__":
    main()
