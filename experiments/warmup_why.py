"""Why does warmup help? Because training starts where the loss is too sharp for the peak rate?

Hypothesis: a net that starts sharp is thrown out by a large learning rate at once. Warmup lets the
first small steps lower the sharpness, so that larger peak rates train; where the start is flat,
warmup changes little (Gilmer et al. 2021, arXiv 2110.04369; Kalra and Barkeshli 2024, 2406.09405).
Command: python experiments/warmup_why.py [--full] [--out warmup_why]
Cost: 2 starts x 2 warmups x 12 rates x 3 seeds x 150 steps of full-batch gradient descent, about
30 s on 2 CPU cores.
Result: from the usual start (sharpness 2) warmup changes nothing: 0.81 is the largest rate that
trains with it and without. From the sharp start (95) it is 0.43 without and 0.81 with warmup, and
the best loss is 2.5 times lower.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import lrlab
from lrlab.report.figures.style import figure, log_axis, use

STARTS = {"usual start": 1.0, "sharp start: weights x 3": 3.0}
WARMUPS = {"no warmup": (0.0, "#c2410c"), "warmup 20 %": (0.2, "#2a7f8e")}


def train(scale: float, warmup: float, lrs: np.ndarray, seeds: int, steps: int):
    return lrlab.sweep(
        lrlab.tasks.load("digits-mlp", width=32, max_train=256),
        optimizer="sgd",
        lr=lrs,
        seeds=seeds,
        steps=steps,
        batch_size="full",
        schedule="constant",
        schedule_args={"warmup": warmup},
        init_scale=[scale],
        eval_every=10,
        probes=["sharpness"],
        progress=False,
    )


def largest(lrs: np.ndarray, losses: np.ndarray) -> float:
    """The largest rate whose final loss is below half of that at initialization."""
    good = lrs[losses < 0.5 * np.log(10)]
    return float(good.max()) if len(good) else np.nan


def draw(results, lrs: np.ndarray, path: Path) -> None:
    with use("light") as colors:
        made = figure(10.4, 6.6)
        for row, start in zip(made.subplots(2, 2), STARTS, strict=True):
            left, right = row
            top = max(largest(lrs, final(results[start, name])) for name in WARMUPS)
            shown = int(np.argmin(abs(lrs - top)))
            for name, (_, color) in WARMUPS.items():
                result = results[start, name]
                left.plot(lrs, final(result), color=color, marker="o", markersize=3.5, label=name)
                sharp = np.nanmedian(result.history["sharpness"][:, shown, 0], -1)
                right.plot(result.eval_steps, sharp, color=color)
                rate = np.median(result.history["learning_rate"][:, shown, 0], -1)
                at = result.eval_steps.clip(max=len(rate) - 1)
                right.plot(result.eval_steps, 2 / rate[at], color=color, linewidth=1,
                           linestyle=(0, (4, 3)))  # fmt: skip
            left.axvline(lrs[shown], color=colors.soft, linewidth=0.8, linestyle=":")
            left.set(title=f"Final loss, {start}", ylabel="training loss after the last step")
            right.set(
                title=f"Sharpness at LR {lrs[shown]:.2g}", ylabel="sharpness (dashed: 2 / LR)"
            )
            log_axis(left)
            log_axis(left, "y")
            log_axis(right, "y")
        left.set_xlabel("peak learning rate")
        right.set_xlabel("step")
        made.axes[0].legend()
        made.savefig(path, dpi=150)


def final(result) -> np.ndarray:
    """Median over seeds of the last training loss, where a lane that diverged counts as ln 10."""
    loss = result.history["train_loss"][-1, :, 0]
    return np.median(np.where(np.isfinite(loss), np.minimum(loss, 1e3), np.log(10)), -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="1,000 steps, 29 rates, 8 seeds.")
    parser.add_argument("--out", type=Path, default=Path("warmup_why"))
    arguments = parser.parse_args()
    steps, count, seeds = (1000, 29, 8) if arguments.full else (150, 12, 3)
    lrs = np.geomspace(0.01, 10, count)
    results = {
        (start, name): train(scale, warmup, lrs, seeds, steps)
        for start, scale in STARTS.items()
        for name, (warmup, _) in WARMUPS.items()
    }
    print("start                     warmup        sharpness at step 0   largest LR that trains")
    for (start, name), result in results.items():
        sharp = float(np.nanmedian(result.initial["sharpness"]))
        print(f"{start:25} {name:13} {sharp:19.1f} {largest(lrs, final(result)):24.3g}")
    path = arguments.out.with_suffix(".png")
    draw(results, lrs, path)
    print(f"figure: {path}")


if __name__ == "__main__":
    main()
