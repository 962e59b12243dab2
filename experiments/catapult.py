"""What happens between the largest stable learning rate and the largest that trains?

Hypothesis: a learning rate of up to 2 / curvature trains at once (lazy); between that and 4 /
curvature the loss first grows, throws the weights to a place of lower curvature, and then falls
(catapult); above, it diverges (Lewkowycz et al. 2020, arXiv 2003.02218). The recurrence of the
two-layer net gives the final curvature exactly.
Command: python experiments/catapult.py [--full] [--out catapult]
Cost: 120 learning rates x 600 steps of a net of width 512, about 5 s on 2 CPU cores.
Result: trains up to LR x curvature 4.00. The final curvature is 1.74 to 1.78 (lazy), 0.02 to 1.71
(catapult), as the recurrence says, and always below 2 / LR.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import lrlab
from lrlab.report.figures.style import figure, log_axis, use
from lrlab.theory import catapult, catapult_phase
from lrlab.verify.catapult import start, two_layer

SHOWN = {1.5: "#2a7f8e", 2.5: "#6d4aa8", 3.7: "#c2410c", 4.1: "#9a6700"}
SHADES = {"lazy": "#2a7f8e", "catapult": "#c2410c", "divergent": "#9aa4af"}


def train(products: np.ndarray, curvature: float, width: int, steps: int):
    return lrlab.sweep(
        two_layer(width),
        optimizer="sgd",
        lr=products / curvature,
        seeds=1,
        steps=steps,
        schedule="constant",
        eval_every=steps,
        precision="float64",
        probes=["sharpness"],
        progress=False,
    )


def draw(products, result, curvature, output, width, path: Path) -> None:
    final = result.history["sharpness"][-1, :, 0]
    steps = len(result.steps)
    with use("light") as colors:
        made = figure(10.4, 3.9)
        left, right = made.subplots(1, 2)
        for product, color in SHOWN.items():
            at = int(np.argmin(abs(products - product)))
            sizes = np.sqrt(2 * result.history["train_loss"][:, at, 0])
            left.plot(np.where(sizes < 1e5, sizes, np.nan)[:60], color=color,
                      label=f"LR x curvature {products[at]:.1f}")  # fmt: skip
        log_axis(left, "y")
        left.set(xlabel="step", ylabel="|f|", title="The output", ylim=(1e-6, 1e5))
        left.legend(loc="upper right")
        with np.errstate(all="ignore"):
            theory = [
                catapult(output, curvature, p / curvature, width, steps)[1][-1] for p in products
            ]
        theory = np.where(products < 4, theory, np.nan)
        right.plot(products, theory, color=colors.soft, linewidth=1, label="recurrence")
        for phase, color in SHADES.items():
            mine = np.array([catapult_phase(p / curvature, curvature) == phase for p in products])
            if phase != "divergent":
                right.plot(products[mine], final[mine], ".", color=color, label=f"{phase}, trained")
        right.plot(products, 2 * curvature / products, color=colors.ink, linewidth=1,
                   linestyle=(0, (4, 3)), label="2 / LR")  # fmt: skip
        right.axvspan(4, products[-1], color=colors.grid, zorder=0)
        right.annotate("diverges", (4.05, 0.2), color=colors.soft, fontsize=8.5)
        right.set(xlabel="LR x initial curvature", ylabel="curvature at the end", ylim=(0, 3.2),
                  xlim=(products[0], products[-1]), title="Where it ends")  # fmt: skip
        right.legend(loc="upper right")
        made.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="Width 4,096, 1,000 learning rates.")
    parser.add_argument("--out", type=Path, default=Path("catapult"))
    arguments = parser.parse_args()
    width, count, steps = (4096, 1000, 2000) if arguments.full else (512, 120, 600)
    u, v = start(0, width)
    curvature, output = float(u @ u + v @ v) / width, float(u @ v) / width**0.5
    products = np.linspace(0.5, 4.5, count)
    result = train(products, curvature, width, steps)
    final = result.history["sharpness"][-1, :, 0]
    trained = result.outcome[:, 0] == "ok"
    caught = trained & (products > 2)
    lazy = final[products < 2]
    print(
        f"initial curvature {curvature:.3f}; trains to LR x curvature {products[trained][-1]:.2f}"
    )
    print(f"final curvature: lazy {lazy.min():.3f} to {lazy.max():.3f}, "
          f"catapult {final[caught].min():.3f} to {final[caught].max():.3f}")  # fmt: skip
    share = (final * products / curvature / 2)[caught].max()
    print(f"largest final LR x curvature / 2 after a catapult: {share:.3f} (1: unstable)")
    path = arguments.out.with_suffix(".png")
    draw(products, result, curvature, output, width, path)
    print(f"figure: {path}")


if __name__ == "__main__":
    main()
