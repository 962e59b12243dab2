"""Optuna's searches over one learning rate, as its tutorials call them: peers of `find`."""

from __future__ import annotations

import functools

import numpy as np
import optuna
from finder_regret_trials import HIGH, LOW, SLOW, Peer, Train, Trial, room

optuna.logging.set_verbosity(optuna.logging.ERROR)


def tpe(root: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=root)


def gp(root: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.GPSampler(seed=root)


def search(train: Train, root: int, budget: float, each: int, *, sampler, pruner) -> list[Trial]:
    """A study, asked and told; every evaluation is reported where there is a pruner. The name of
    the study says which bracket of Hyperband a trial is in, so it has the root."""
    study = optuna.create_study(
        sampler=sampler(root), pruner=pruner(), study_name=f"root {root}", direction="minimize"
    )
    trials: list[Trial] = []
    while room(trials, budget, each):
        trial = study.ask()
        lr = trial.suggest_float("lr", 10**LOW, 10**HIGH, log=True)
        lanes = train(lr, len(trials))
        pruned = None
        for number, (loss, share) in enumerate(zip(lanes.losses, lanes.shares, strict=True), 1):
            if not np.isfinite(loss):
                break  # diverged: reported below as its initial loss
            trial.report(loss, number)
            if trial.should_prune():
                pruned = float(share), loss
                break
        if pruned is None or pruned[0] >= 1:  # at the last evaluation nothing is left to save
            study.tell(trial, lanes.value)
            trials.append(Trial(lr, lanes.value, lanes.cost))
        else:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            trials.append(Trial(lr, pruned[1], pruned[0], complete=False))
    return trials


def hyperband() -> optuna.pruners.BasePruner:
    """From one evaluation to all 20 of a full run; the reduction factor is Optuna's own, 3."""
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=20)


PLAIN = optuna.pruners.NopPruner
MEDIAN = optuna.pruners.MedianPruner
FRESH = ("fresh",)
PEERS = {
    "Optuna TPE": Peer(functools.partial(search, sampler=tpe, pruner=PLAIN)),
    "Optuna GP": Peer(
        functools.partial(search, sampler=gp, pruner=PLAIN), habits=("fresh", "two"), budgets=SLOW
    ),
    "Optuna TPE, median": Peer(functools.partial(search, sampler=tpe, pruner=MEDIAN), habits=FRESH),
    "Optuna TPE, Hyperband": Peer(
        functools.partial(search, sampler=tpe, pruner=hyperband), habits=FRESH
    ),
}
