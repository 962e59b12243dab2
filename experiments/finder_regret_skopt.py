"""scikit-optimize's Gaussian process over one learning rate, with its own settings."""

from __future__ import annotations

import warnings

from finder_regret_trials import HIGH, LOW, SLOW, Peer, Train, Trial, room, trained
from skopt import Optimizer
from skopt.space import Real


def search(train: Train, root: int, budget: float, each: int) -> list[Trial]:
    """`gp_minimize`, asked and told: 10 random rates first, then what its portfolio of three
    acquisition functions proposes."""
    space = [Real(10**LOW, 10**HIGH, prior="log-uniform")]
    optimizer = Optimizer(space, "GP", random_state=root)
    trials: list[Trial] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a rate was proposed before: it has a new seed
        while room(trials, budget, each):
            lr = optimizer.ask()
            trials.append(trained(train, lr[0], len(trials)))
            optimizer.tell(lr, trials[-1].value)
    return trials


PEERS = {"scikit-optimize GP": Peer(search, habits=("fresh",), budgets=SLOW)}
