"""BoTorch's Gaussian process over one learning rate, as its first tutorial does: peers of `find`.

Once with the best run as the pick, as for all others; once with the rate whose fitted mean is least
of those that were tried, which luck misleads less.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from botorch.acquisition import qLogNoisyExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from finder_regret_trials import HIGH, LOW, SLOW, Peer, Train, Trial, asked, best
from gpytorch.mlls import ExactMarginalLogLikelihood

START = 5
"""Rates of a Sobol sequence before the first fit: twice the dimension and a few, as is usual."""

GRID = torch.linspace(0, 1, 211, dtype=torch.float64)
"""Where the acquisition is compared, parts of the range: over one number a grid of 30 rates a
decade finds its maximum, and faster than the gradients that more numbers need."""

torch.set_num_threads(1)


def fitted(trials: list[Trial]) -> SingleTaskGP:
    """Its default model: a Matern kernel, noise that is inferred, standardized outcomes."""
    x = torch.tensor([[(np.log10(trial.lr) - LOW) / (HIGH - LOW)] for trial in trials])
    y = torch.tensor([[-trial.value] for trial in trials], dtype=torch.float64)
    model = SingleTaskGP(x.double(), y)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


def search(train: Train, root: int, budget: float, each: int) -> list[Trial]:
    torch.manual_seed(root)
    sobol = torch.quasirandom.SobolEngine(1, scramble=True, seed=root).draw(START).flatten()

    def ask(trials: list[Trial]) -> float:
        place = float(sobol[len(trials)]) if len(trials) < START else proposed(trials)
        return 10 ** (LOW + place * (HIGH - LOW))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the fit's own retries
        return asked(train, budget, each, ask)


def proposed(trials: list[Trial]) -> float:
    model = fitted(trials)
    acquisition = qLogNoisyExpectedImprovement(model, model.train_inputs[0])
    with torch.no_grad():
        return float(GRID[acquisition(GRID[:, None, None]).argmax()])


def best_mean(trials: list[Trial]) -> float | None:
    if len(trials) < 2:
        return trials[0].lr if trials else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = fitted(trials)
    with torch.no_grad():
        mean = model.posterior(model.train_inputs[0]).mean.flatten()
    return trials[int(mean.argmax())].lr


RULES = ("", best), (", fitted mean", best_mean)
PEERS = {"BoTorch GP": Peer(search, rules=RULES, habits=("fresh",), budgets=SLOW)}
