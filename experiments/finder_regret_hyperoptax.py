"""hyperoptax's Bayesian search over one learning rate, with its own settings: peers of `find`.

Its `LogSpace` draws candidates evenly in the logarithm, but its Gaussian process sees the rate
itself; so it is run a second time on a linear space of log10 of the rate.
"""

from __future__ import annotations

import functools

import jax
import numpy as np
from finder_regret_trials import HIGH, LOW, SLOW, Peer, Train, Trial, room, trained
from hyperoptax import BayesianSearch, LinearSpace, LogSpace

SPACES = {"rate": LogSpace(10**LOW, 10**HIGH), "log10": LinearSpace(LOW, HIGH)}


SIZE = 3 * max(SLOW)
"""Trials that there is room for: three for each full-length run, as some diverge early."""


@functools.cache
def compiled(scale: str, size: int):
    """(start, ask, tell) of a search with room for `size` trials, one at a time."""
    start, optimizer = BayesianSearch.init(
        {"lr": SPACES[scale]}, n_max=size, n_parallel=1, maximize=False
    )
    return start, jax.jit(optimizer.get_next_params), jax.jit(optimizer.update_state)


def search(train: Train, root: int, budget: float, each: int, *, scale: str) -> list[Trial]:
    """`BayesianSearch.optimize`, asked and told, so that a trial can have a cost. Ends where its
    rate is not a number, as one that a script would get."""
    state, ask, tell = compiled(scale, SIZE)
    key, trials = jax.random.key(root), []
    while room(trials, budget, each) and len(trials) < SIZE:
        key, choice, update = jax.random.split(key, 3)
        params = ask(state, choice)
        place = float(params["lr"][0])
        if not np.isfinite(place):
            break
        trials.append(trained(train, 10**place if scale == "log10" else place, len(trials)))
        state = tell(state, update, np.float32([trials[-1].value]), params)
    return trials


PEERS = {
    name: Peer(functools.partial(search, scale=scale), habits=("fresh",), budgets=SLOW)
    for name, scale in (("hyperoptax", "rate"), ("hyperoptax, log10", "log10"))
}
