"""Do methods without a learning rate reach what a tuned one reaches, and at what step size?

Hypothesis: at its default no single method is near the tuned optimum everywhere; those that end
near it use the step sizes that the sweep prefers, those that fail stay below or shoot above them.
Command: python experiments/lr_free_vs_tuned.py [--tasks digits,wine] [--full] [--out lr_free]
Cost: 10 minutes of CPU, mostly compiling 28 methods; 9 minutes on 2 cores that did other work too.
Result: see experiments/README.md; the table is printed and written with the figures to --out.

Tuned: the best of SGD with momentum and Adam over 17 rates, under a constant and a cosine schedule,
chosen on half of the seeds; everything is scored on the other half. Regret: (final validation loss
- tuned) / (initial - tuned). Each method runs at its defaults under the same two schedules.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import lrlab
from lrlab import optimizers

WIDTHS = {"digits": 64, "breast_cancer": 32, "wine": 32, "mnist1d": [64, 64], "fashion_mnist": 64}
GRIDS = {"momentum": lrlab.log_grid(1e-4, 1.0, 17), "adam": lrlab.log_grid(1e-5, 0.1, 17)}
SCHEDULES = ["constant", "cosine"]
START = {"reduce_on_plateau": 0.01, "hypergradient_sgd": 0.01, "hypergradient_nesterov": 0.01,
         "hypergradient_adam": 1e-3, "greedy": 0.01}  # fmt: skip
"""Customary rates for the controllers that start from one."""
METHODS = (*optimizers.names("learning-rate-free"), *optimizers.names("controller"))
DRAWN = {
    "momentum": ("dog", "dowg", "dadapt_sgd", "adagrad_norm", "momo", "sps", "bb1",
                 "stochastic_line_search", "hypergradient_sgd"),
    "adam": ("prodigy", "dadapt_adam", "mechanic", "schedule_free_adamw", "hypergradient_adam"),
}  # fmt: skip
"""Methods whose step size is in the unit of the sweep's: SGD's lr / (1 - 0.9), or Adam's."""


def train(task: lrlab.Task, optimizer: str, lr, seeds, steps: int, plan=None) -> lrlab.Result:
    """Twice, so that the seconds of the second time hold no compilation."""
    for _ in range(2):
        result = lrlab.sweep(
            task, optimizer=optimizer, lr=lr, schedule=SCHEDULES, seeds=seeds, steps=steps,
            batch_size=64, progress=False, plan=plan,
        )  # fmt: skip
    return result


def finals(result: lrlab.Result, seeds: slice) -> np.ndarray:
    """Mean final validation loss [rate, schedule]; a diverged run counts as its initial loss."""
    final, initial = result.final["valid_loss"], result.initial["valid_loss"]
    return np.where(np.isfinite(final), np.minimum(final, initial), initial)[..., seeds].mean(-1)


def one(name: str, full: bool) -> dict:
    """Everything measured on one task."""
    model = {"name": "mlp", "width": WIDTHS[name]}
    task = lrlab.tasks.build(model=model, data={"name": name})
    half, steps = (4, 1600) if full else (2, 400)
    choose, score = slice(0, half), slice(half, 2 * half)
    sweeps = {o: train(task, o, grid, 2 * half, steps) for o, grid in GRIDS.items()}
    best = {}
    for optimizer, result in sweeps.items():
        at = np.unravel_index(np.argmin(finals(result, choose)), finals(result, choose).shape)
        best[optimizer] = {"lr": float(result.lr[at[0]]), "schedule": SCHEDULES[at[1]],
                           "loss": float(finals(result, score)[at])}  # fmt: skip
    tuned = min(entry["loss"] for entry in best.values())
    initial = float(sweeps["adam"].initial["valid_loss"].mean())
    seconds = sum(result.seconds for result in sweeps.values()) / 2  # choosing needs half the seeds
    rows, paths = {}, {}
    for method in METHODS:
        lanes = (START.get(method), range(half, 2 * half), steps, lrlab.Plan(2))
        result = train(task, method, *lanes)
        loss = (finals(result, slice(None))[0] - tuned) / (initial - tuned)
        rows[method] = dict(zip(SCHEDULES, map(float, loss), strict=True))
        rows[method] |= {"cost": result.seconds / seconds,
                         "diverged": int((result.outcome == "diverged").sum())}  # fmt: skip
        paths[method] = result.history["effective_lr"][:, 0, 0].mean(-1)  # constant; nan: diverged
    print(f"{name}: tuned {best}", flush=True)
    return {"task": name, "best": best, "rows": rows, "paths": paths, "sweeps": sweeps}


def table(found: list[dict]) -> str:
    """Every method's regret on every task, in Markdown, best median first; *: a seed diverged."""
    heads = ("method", *(one["task"] for one in found), "median", "worst", "median, cosine", "cost")
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]

    def middle(method: str, schedule: str) -> float:
        return float(np.median([one["rows"][method][schedule] for one in found]))

    for method in sorted(METHODS, key=lambda m: middle(m, "constant")):
        rows = [one["rows"][method] for one in found]
        cells = [f"{row['constant']:.1%}" + "\\*" * bool(row["diverged"]) for row in rows]
        worst, cost = max(row["constant"] for row in rows), np.median([row["cost"] for row in rows])
        shares = (middle(method, "constant"), worst, middle(method, "cosine"), cost)
        lines.append("| " + " | ".join([method, *cells, *(f"{v:.1%}" for v in shares)]) + " |")
    return "\n".join(lines) + "\n"


def draw(found: list[dict], path: Path) -> None:
    """One row per task: SGD's sweep and Adam's, with the step sizes that the methods used."""
    from lrlab.report.figures import style
    from lrlab.report.figures.paths import paths_over_sweep

    with style.use("light"):
        figure = style.figure(12.0, 2.9 * len(found))
        grid = figure.subplots(len(found), 2, squeeze=False)
        for axes, one in zip(grid, found, strict=True):
            results = [one["sweeps"][optimizer] for optimizer in DRAWN]
            losses = [result.history["valid_loss"][:, :, 0].mean(-1) for result in results]
            scale = (float(np.nanmin([np.nanmin(loss) for loss in losses])),
                     float(results[0].initial["valid_loss"].mean()))  # fmt: skip
            for ax, result, loss, name in zip(axes, results, losses, DRAWN, strict=True):
                unit = 10.0 if name == "momentum" else 1.0  # what a momentum of 0.9 adds up to
                paths = {method: one["paths"][method] for method in DRAWN[name]}
                best = one["best"][name]["lr"] * unit
                shown = paths_over_sweep(
                    ax, result.eval_steps, result.lr * unit, loss, paths, best, scale
                )
                said = "SGD with momentum, lr / (1 - 0.9)" if unit > 1 else "Adam, lr"
                ax.set(title=f"{one['task']}: {said}", ylabel="step size")
            bar = figure.colorbar(shown, ax=axes, pad=0.01, aspect=22, fraction=0.02)
            bar.set_label("validation loss", size=8.5)
            bar.outline.set_visible(False)
            style.log_axis(bar.ax, "y")
        figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default=",".join(WIDTHS))
    parser.add_argument("--full", action="store_true", help="four times the steps, twice the seeds")
    parser.add_argument("--out", type=Path, default=Path("lr_free_vs_tuned"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    found: list[dict] = []
    for name in arguments.tasks.split(","):  # what is measured is written at once
        found.append(one(name, arguments.full))
        rows = {one["task"]: {"best": one["best"], "methods": one["rows"]} for one in found}
        (arguments.out / "table.json").write_text(json.dumps(rows, indent=1))
        (arguments.out / "table.md").write_text(table(found))
        draw(found, arguments.out / "figure.png")
    print(table(found))


if __name__ == "__main__":
    main()
