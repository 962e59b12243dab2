"""Does training sharpen the loss until the optimizer is at the edge of its own stability?

Hypothesis: full-batch training raises the sharpness (the top Hessian eigenvalue, under the
optimizer's preconditioner) until it stands at the threshold of a quadratic: 2/LR for gradient
descent, 3.8/LR for heavy ball, 1.36/LR for Nesterov (momentum 0.9), 38/LR for Adam (Cohen et al.
2021, arXiv 2103.00065; 2022, arXiv 2207.14484).
Command: python experiments/edge_of_stability.py [--full] [--out edge_of_stability]
Cost: 24 runs of 20,000 steps with 266 looks at the sharpness each, about 20 s on 2 CPU cores.
Result: all four settle there. Over the last half, sharpness over threshold is 1.00 to 1.01 for
gradient descent, 0.98 to 0.99 for heavy ball (0.88 at the smallest rate, which arrives late),
0.99 to 1.00 for Nesterov (0.93 at the smallest) and 0.98 to 0.99 for Adam.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lrlab.report.figures.style import figure, log_axis, lr_scale, use
from lrlab.verify.edge_of_stability import trained

OPTIMIZERS = {
    "sgd": ("Gradient descent: 2 / LR", [0.1, 0.2, 0.4]),
    "momentum": ("Heavy ball 0.9: 3.8 / LR", [0.07, 0.09, 0.12]),
    "nesterov": ("Nesterov 0.9: 1.36 / LR", [0.03, 0.05, 0.08]),
    "adam": ("Adam: 38 / LR", [0.002, 0.004, 0.008]),
}


def settled(result) -> np.ndarray:
    """Mean of sharpness over threshold in the last half of training, f64[LRs], over seeds too."""
    late = result.eval_steps > result.eval_steps[-1] // 2
    return result.history["stability"][late].mean((0, 2))


def draw(results, path: Path) -> None:
    with use("light") as colors:
        made = figure(9.6, 6.4)
        panels = made.subplots(2, 2, sharey=True)
        for axes, (name, (title, lrs)) in zip(panels.flat, OPTIMIZERS.items(), strict=True):
            result = results[name]
            cmap, norm = lr_scale(np.array([lrs[0] / 1.5, lrs[-1] * 1.5]), colors)
            means = settled(result)
            for i, lr in enumerate(lrs):
                axes.plot(
                    result.eval_steps,
                    result.history["stability"][:, i, 0],
                    color=cmap(norm(lr)),
                    label=f"LR {lr:g}: {means[i]:.3f}",
                )
            axes.axhline(1, color=colors.soft, linestyle=(0, (4, 3)), linewidth=1, zorder=1)
            log_axis(axes)
            axes.set(title=title, ylim=(0, 1.6))
            axes.legend(loc="lower right", title="mean, last half", title_fontsize=8.5)
        for axes in panels[:, 0]:
            axes.set_ylabel("sharpness / threshold")
        for axes in panels[1]:
            axes.set_xlabel("step")
        made.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="100,000 steps.")
    parser.add_argument("--out", type=Path, default=Path("edge_of_stability"))
    arguments = parser.parse_args()
    steps = 40_000 if arguments.full else 20_000
    results = {name: trained(name, lrs, steps, 75) for name, (_, lrs) in OPTIMIZERS.items()}
    for name, result in results.items():
        shown = ", ".join(
            f"{value:.3f} at LR {lr:g}"
            for lr, value in zip(result.lr, settled(result), strict=True)
        )
        print(f"{name:9} sharpness / threshold over the last half: {shown}")
    path = arguments.out.with_suffix(".png")
    draw(results, path)
    print(f"figure: {path}")


if __name__ == "__main__":
    main()
