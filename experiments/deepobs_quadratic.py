"""Which learning rates do SGD, momentum and Adam need on DeepOBS's noisy quadratic?

Hypothesis: with 10 of 100 curvatures between 30 and 60, SGD and heavy ball break down at their
thresholds, 2 and 3.8 over the largest curvature, and Adam trains over the widest range (Schneider
et al. 2019, arXiv 1903.05499, problem quadratic_deep).
Command: python experiments/deepobs_quadratic.py [--full] [--out deepobs_quadratic]
Cost: 3 optimizers x 36 rates x 2 orders x 700 steps, about 10 s on 2 CPU cores.
Result: SGD's final losses agree with the published ones to 0.3 %. Within 10 % of the best are
0.001 to 0.025 (SGD), 0.00016 to 0.04 (heavy ball) and 0.004 to 1.6 (Adam); SGD is worse than at the
start from 0.04 on, heavy ball from 0.1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lrlab.report.figures.style import figure, log_axis, use
from lrlab.theory import max_lr
from lrlab.verify.deepobs import hessian, trained
from lrlab.verify.verdict import data

OPTIMIZERS = {"sgd": "#2a7f8e", "momentum": "#6d4aa8", "adam": "#c2410c"}


def draw(lrs, curves, start: float, sharpest: float, path: Path) -> None:
    published = data("deepobs")
    at = [*(10.0 ** float(key) for key in published["final"]), 10.0 ** published["best_exponent"]]
    values = [*published["final"].values(), published["best"]]
    with use("light") as colors:
        made = figure(8.4, 4.4)
        axes = made.subplots()
        for name, color in OPTIMIZERS.items():
            shown = np.where(curves[name] < 2 * start, curves[name], np.nan)
            axes.plot(lrs, shown, color=color, marker="o", markersize=3, label=name)
            if name != "adam":
                limit = max_lr(name, sharpest)
                axes.axvline(limit, color=color, linestyle=(0, (4, 3)), linewidth=1)
        axes.plot(at, values, "o", markersize=9, markerfacecolor="none", color=colors.ink,
                  label="published, sgd")  # fmt: skip
        axes.axhline(start, color=colors.soft, linestyle=":", linewidth=1)
        axes.annotate("at the start", (lrs[-1], start), (0, 4), textcoords="offset points",
                      ha="right", color=colors.soft, fontsize=8.5)  # fmt: skip
        log_axis(axes)
        log_axis(axes, "y")
        axes.set(xlabel="learning rate (dashed: threshold of the largest curvature)",
                 ylabel="test loss after 100 epochs", title="DeepOBS quadratic_deep")  # fmt: skip
        axes.legend()
        made.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="32 shuffled orders, 141 rates.")
    parser.add_argument("--out", type=Path, default=Path("deepobs_quadratic"))
    arguments = parser.parse_args()
    count, orders = (141, 32) if arguments.full else (36, 2)
    lrs = 10.0 ** np.linspace(-5, 2, count)
    sharpest = float(np.linalg.eigvalsh(hessian()).max())
    curves = {}
    for name in OPTIMIZERS:
        result = trained(name, lrs, orders)
        start = float(result.initial["valid_loss"][0, 0])
        final = result.final["valid_loss"].mean(1)
        curves[name] = final = np.where(np.isfinite(final), final, np.inf)
        near = lrs[final < 1.1 * final.min()]
        bad = lrs[final > start]
        print(f"{name:9} best {final.min():.3f} at LR {lrs[final.argmin()]:.3g}; within 10 % from "
              f"{near[0]:.3g} to {near[-1]:.3g}; worse than at the start from "
              f"{bad[0] if len(bad) else np.nan:.3g}")  # fmt: skip
    print(f"largest curvature {sharpest:.2f}: threshold of sgd {2 / sharpest:.4f}")
    path = arguments.out.with_suffix(".png")
    draw(lrs, curves, start, sharpest, path)
    print(f"figure: {path}")


if __name__ == "__main__":
    main()
