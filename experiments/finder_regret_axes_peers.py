"""What Optuna's TPE and random search pick on the pairs of `finder_regret_axes.py`, at equal cost.

Command: python experiments/finder_regret_axes_peers.py FOLDER, in which finder_regret_axes.py was
run; needs numpy and Optuna (5.0), not lrlab. Both search the rate on a log scale over the same
range and the further axis as a category, with one full-length run a trial, all of one seed, the
first that `find` sees too; the best trial is the pick. They get 24 trials, and as many as the
search that stops when it is sure paid for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import optuna
from finder_regret_axes_replay import order_of, score_at

RANGE = (1e-5, 10.0)


def pick(lanes: dict[str, np.ndarray], sampler, trials: int, root: int) -> tuple[float, int]:
    """(rate, place of the value) of the best trial."""
    seed, values = int(order_of(root)[0]), list(range(len(lanes["values"])))

    def objective(trial: optuna.Trial) -> float:
        lr = trial.suggest_float("lr", *RANGE, log=True)
        return score_at(lanes, lr, trial.suggest_categorical("value", values), seed)

    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return study.best_params["lr"], study.best_params["value"]


def write_picks(folder: Path) -> None:
    """`peers.json`, from the searches in `rows.json`."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = {
        "TPE": lambda root: optuna.samplers.TPESampler(seed=root),
        "random": lambda root: optuna.samplers.RandomSampler(seed=root),
    }
    rows = []
    for mine in json.loads((folder / "rows.json").read_text()):
        name, root = mine["pair"], mine["root"]
        lanes = dict(np.load(folder / f"{name.replace(', ', '-')}.npz"))
        fixed = mine["way"] == "find 24"
        trials = 24 if fixed else max(1, round(mine["cost"]))
        for sampler, make in samplers.items():
            lr, value = pick(lanes, make(root), trials, root)
            way = f"{sampler}, 24 trials" if fixed else f"{sampler}, cost of until sure"
            rows.append(
                {"pair": name, "way": way, "cost": trials, "root": root, "lr": lr, "value": value}
            )
    (folder / "peers.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    write_picks(Path(sys.argv[1]))
