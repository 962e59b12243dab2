"""Does the theory of convex optimization predict how schedules behave on a real network?

Hypothesis: the last-iterate bound for convex problems (Schaipp et al. 2025, arXiv 2501.18965) tells
which schedule needs the larger base learning rate (cosine 1.9 times WSD's), and why WSD's loss
falls in the cooldown.
Command: python experiments/schedule_theory.py [--full] [--out schedule_theory]
Cost: 4 schedules x 13 rates x 3 seeds x 600 steps, about 40 s on 2 CPU cores.
Result: the order of the best rates is the predicted one (constant, WSD, cosine, linear: 0.34, 0.40,
0.50, 0.57), the factor is not (cosine over WSD 1.26, not 1.90). WSD's drop in the cooldown is
there; its training loss ends lowest, where the bound puts linear decay first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import lrlab
from lrlab.report.figures.style import figure, log_axis, use
from lrlab.theory import last_iterate_bound, optimal_base_lr

SHAPES = {
    "constant": ("constant", {}, "#9aa4af"),
    "cosine": ("cosine", {}, "#c2410c"),
    "WSD, 20 % cooldown": ("wsd", {"cooldown": 0.2, "warmup": 0.0}, "#2a7f8e"),
    "linear": ("linear", {}, "#6d4aa8"),
}


def shape(name: str, steps: int) -> np.ndarray:
    """The schedule's factors at the steps of a run, f64[steps], as lrlab trains with them."""
    kind, options, _ = SHAPES[name]
    made = lrlab.schedules.make(kind, peak=1.0, steps=steps, **options)
    return np.array([float(made(step)) for step in range(steps)])


def train(name: str, lrs: np.ndarray, seeds: int, steps: int):
    kind, options, _ = SHAPES[name]
    return lrlab.sweep(
        "digits-mlp",
        optimizer="sgd",
        lr=lrs,
        seeds=seeds,
        steps=steps,
        batch_size=16,
        schedule=kind,
        schedule_args=options,
        eval_every=steps // 60,
        progress=False,
    )


def best_lr(lrs: np.ndarray, losses: np.ndarray) -> float:
    """The bottom of a parabola through the three lowest points, in log LR."""
    i = int(np.clip(np.nanargmin(losses), 1, len(lrs) - 2))
    part = slice(i - 1, i + 2)
    a, b, _ = np.polyfit(np.log(lrs[part]), np.log(losses[part]), 2)
    return float(np.exp(np.clip(-b / (2 * a), *np.log(lrs[[i - 1, i + 1]]))))


def draw(bounds, results, lrs, factors, steps, path: Path) -> None:
    with use("light") as colors:
        made = figure(10.4, 6.6)
        (a, b), (c, d) = made.subplots(2, 2)
        marks = np.unique(np.linspace(5, steps, 80).astype(int))
        for name, (_, _, color) in SHAPES.items():
            eta, best = bounds[name]
            a.plot(factors, [last_iterate_bound(eta, base_lr=f) for f in factors], color=color,
                   label=name)  # fmt: skip
            a.plot(best.lr, best.bound, "o", color=color, markersize=6)
            path_ = [last_iterate_bound(np.maximum(eta[:t], 1e-9), base_lr=best.lr) for t in marks]
            c.plot(marks, path_, color=color)
            result = results[name]
            final = result.final["train_loss_end"]
            b.plot(lrs, final, color=color, marker="o", markersize=3.5)
            where = int(np.nanargmin(final))
            b.plot(lrs[where], final[where], "o", color=color, markersize=7)
            d.plot(result.eval_steps, result.history["valid_loss"][:, where].mean(-1), color=color)
        for axes, title in (
            (a, "Theory: bound against base LR"),
            (b, "Practice: training loss"),
            (c, "Theory: bound over the run"),
            (d, "Practice: validation loss"),
        ):
            axes.set_title(title)  # fmt: skip
        for axes in (a, b):
            log_axis(axes)
            log_axis(axes, "y")
            axes.set_xlabel("base learning rate")
        a.set(ylabel="bound", ylim=(0.07, 0.6))
        b.set(ylabel="mean of the last 5 % of steps")
        c.set(xlabel="step", ylabel="bound at this step", ylim=(0.07, 0.6))
        d.set(xlabel="step", ylabel="validation loss, at each one's best LR")
        for axes in (c, d):
            log_axis(axes, "y")
            axes.axvline(0.8 * steps, color=colors.soft, linestyle=(0, (4, 3)), linewidth=1)
        c.annotate("WSD's cooldown", (0.8 * steps, 0.5), (-6, 0), textcoords="offset points",
                   ha="right", color=colors.soft, fontsize=8.5)  # fmt: skip
        a.legend()
        made.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="3,000 steps, 25 rates, 8 seeds.")
    parser.add_argument("--out", type=Path, default=Path("schedule_theory"))
    arguments = parser.parse_args()
    steps, count, seeds = (3000, 25, 8) if arguments.full else (600, 13, 3)
    lrs = np.geomspace(0.01, 1.0, count)
    bounds, results, rows = {}, {}, []
    for name in SHAPES:
        eta = shape(name, steps)
        bounds[name] = eta, optimal_base_lr(eta)
        results[name] = result = train(name, lrs, seeds, steps)
        ends = result.history["train_loss"][-steps // 20 :].mean((0, 2))
        result.final["train_loss_end"] = ends
        rows.append((name, bounds[name][1].lr, bounds[name][1].bound, best_lr(lrs, ends),
                     np.nanmin(ends)))  # fmt: skip
    print("schedule             best LR: theory  practice   at its best: bound  training loss")
    for name, lr, bound, found, loss in rows:
        print(f"{name:20} {lr:14.4f} {found:9.3f} {bound:20.4f} {loss:14.4f}")
    lr = {name: (theory, found) for name, theory, _, found, _ in rows}
    ratio = np.divide(lr["cosine"], lr["WSD, 20 % cooldown"])
    print(f"cosine's best LR over WSD's: {ratio[0]:.2f} in theory, {ratio[1]:.2f} in practice")
    path = arguments.out.with_suffix(".png")
    draw(bounds, results, lrs, np.geomspace(0.004, 0.3, 60), steps, path)
    print(f"figure: {path}")


if __name__ == "__main__":
    main()
