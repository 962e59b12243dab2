"""Which schedule is best, if every step's rate is found by differentiating through training?

Hypothesis: gradient descent on all learning rates of a run, through the unrolled run itself, finds
a schedule that beats the best constant, cosine, WSD and linear one, and it ends in a decay to zero.
Command: python experiments/optimal_schedule.py [--full] [--out optimal_schedule]
Cost: 80 gradients through 16 runs of 100 steps, and 4 x 13 rates x 16 seeds to compare with, about
1 minute on 2 CPU cores.
Result: the found schedule holds 0.7 for 70 steps and falls to 0.13 over the last 30; validation
loss 0.209 on fresh seeds. The best WSD, much like it, has 0.215, linear 0.257, cosine 0.274.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from unrolled import descend, final_loss

import lrlab
from lrlab.report.figures.style import figure, log_axis, use

SHAPES = {
    "constant": ({}, "#9aa4af"),
    "cosine": ({}, "#c2410c"),
    "wsd": ({"cooldown": 0.2, "warmup": 0.0}, "#2a7f8e"),
    "linear": ({}, "#6d4aa8"),
}
FRESH = 1000
"""The first of the seeds on which schedules are compared; none of them was optimized on."""


def sweep(task, lrs, steps: int, seeds: int, schedule, options=None):
    """Mean validation loss at the end, f64[LRs], over fresh seeds."""
    result = lrlab.sweep(
        task,
        optimizer="sgd",
        lr=lrs,
        seeds=list(range(FRESH, FRESH + seeds)),
        steps=steps,
        batch_size=16,
        schedule=schedule,
        schedule_args=options or {},
        eval_every=steps,
        progress=False,
    )
    losses = result.final["valid_loss"]
    return np.where(np.isfinite(losses), losses, np.inf).mean(1)


def found_by_descent(task, steps: int, knots: int, iterations: int, seeds: int, start: float):
    """The rates of a run, f64[steps]: log-linear between `knots`, descended on together."""
    import jax.numpy as jnp

    loss = final_loss(task, steps, 16, list(range(seeds)))
    at, whole = np.linspace(0, steps - 1, knots), np.arange(steps)

    def spread(values):
        return jnp.exp(jnp.interp(whole, at, jnp.log(values)))

    points, values = descend(lambda v: loss(spread(v)), np.full(knots, start), iterations, 0.05)
    best = int(np.nanargmin(np.where(np.isfinite(values), values, np.inf)))
    return np.asarray(spread(points[best])), values


def draw(found, values, shapes, losses, path: Path) -> None:
    with use("light") as colors:
        made = figure(10.4, 3.8)
        left, right = made.subplots(1, 2)
        for name, rates in shapes.items():
            label = f"{name}: {losses[name]:.4f}"
            left.plot(rates, color=SHAPES[name][1], label=label)
        left.plot(found, color=colors.ink, linewidth=2.2, label=f"found: {losses['found']:.4f}")
        left.set(xlabel="step", ylabel="learning rate", title="Schedules at their best peak",
                 ylim=(0, None))  # fmt: skip
        left.legend(title="validation loss, fresh seeds", title_fontsize=8.5)
        right.plot(values, color=colors.ink)
        right.set(xlabel="gradient step on the schedule", title="Descent on the schedule",
                  ylabel="validation loss after training")  # fmt: skip
        log_axis(right, "y")
        made.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="400 steps, 300 gradients, 32 seeds.")
    parser.add_argument("--out", type=Path, default=Path("optimal_schedule"))
    arguments = parser.parse_args()
    steps, iterations, seeds, fresh = (400, 300, 32, 64) if arguments.full else (100, 80, 16, 16)
    task = lrlab.tasks.load("digits-mlp", width=32, depth=1)
    lrs = np.geomspace(0.05, 3, 13)
    shapes, losses = {}, {}
    for name, (options, _) in SHAPES.items():
        tried = sweep(task, lrs, steps, fresh, name, options)
        peak = float(lrs[np.argmin(tried)])
        made = lrlab.schedules.make(name, peak=peak, steps=steps, **options)
        shapes[name], losses[name] = [float(made(step)) for step in range(steps)], tried.min()
        print(f"{name:9} best peak {peak:6.3f}: validation loss {losses[name]:.4f}")
    start = float(np.mean(shapes["constant"])) / 2
    found, values = found_by_descent(task, steps, 12, iterations, seeds, start)

    import jax.numpy as jnp

    table = jnp.asarray(found)
    losses["found"] = sweep(task, [1.0], steps, fresh, lambda step: table[step])[0]
    print(f"found     by {iterations} gradients: validation loss {losses['found']:.4f}; rates "
          + ", ".join(f"{rate:.3f}" for rate in found[:: max(1, steps // 10)]))  # fmt: skip
    path = arguments.out.with_suffix(".png")
    draw(found, values, shapes, losses, path)
    print(f"figure: {path}")


if __name__ == "__main__":
    main()
