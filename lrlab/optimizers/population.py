"""Population-based training: lanes that copy better lanes and vary their hyper-parameters.

What happens between two segments of lanes trained side by side (`jax.vmap`), as pure functions of
a key: the same key, scores and hyper-parameters give the same population on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lrlab.rng import key
from lrlab.types import Array, PyTree


class Generation(NamedTuple):
    """Where every lane continues from: `source` int32[n] (a lane number, its own where it stays),
    and the hyper-parameters of the next segment, name -> [n]."""

    source: Array
    hyper: dict[str, Array]


def exploit_explore(
    random_key: Array,
    scores: Array,
    hyper: Mapping[str, Array],
    *,
    fraction: float = 0.2,
    factors: tuple[float, ...] = (0.8, 1.2),
    resample: float = 0.0,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Generation:
    """One generation: the worst lanes take over state and hyper-parameters of the best, varied.

    The `fraction` of lanes with the highest score (nan: worst of all) each draw one of the best
    `fraction` and multiply each of its hyper-parameters by one of `factors`; with probability
    `resample` a hyper-parameter is drawn again, log-uniform in `ranges[name]` (truncation
    selection, Jaderberg et al. 2017, arXiv 1711.09846).

    Args:
        random_key: a key; scores: f[n], lower is better; hyper: name -> f[n], positive values.

    Raises:
        ValueError: `fraction` outside (0, 0.5], or `resample` without a range for a name.

    >>> import jax, jax.numpy as jnp
    >>> g = exploit_explore(jax.random.key(0), jnp.array([3.0, 1.0, 2.0, 9.0]),
    ...                     {"lr": jnp.array([0.1, 0.2, 0.3, 0.4])}, fraction=0.25, factors=(0.5,))
    >>> g.source.tolist(), [round(float(value), 3) for value in g.hyper["lr"]]
    ([0, 1, 2, 1], [0.1, 0.2, 0.3, 0.1])
    """
    if not 0 < fraction <= 0.5:
        raise ValueError(f"fraction must lie in (0, 0.5], got {fraction!r}")
    missing = [name for name in hyper if resample > 0 and name not in (ranges or {})]
    if missing:
        raise ValueError(f"resample needs a range for {', '.join(missing)}")
    n = len(scores)
    moved = max(1, int(n * fraction))
    order = jnp.argsort(jnp.where(jnp.isnan(scores), jnp.inf, scores))
    best, worst = order[:moved], order[n - moved :]
    drawn = best[jax.random.randint(key(random_key, "source"), (moved,), 0, moved)]
    source = jnp.arange(n, dtype=jnp.int32).at[worst].set(drawn.astype(jnp.int32))
    new = {}
    for name, column in hyper.items():
        values = jnp.asarray(column)
        own = key(random_key, "explore", name)
        factor = jax.random.choice(key(own, "factor"), jnp.asarray(factors), (moved,))
        varied = values[drawn] * factor.astype(values.dtype)
        if resample > 0:
            low, high = (ranges or {})[name]
            draw = jax.random.uniform(key(own, "draw"), (moved,), values.dtype)
            fresh = jnp.exp(jnp.log(low) + draw * (jnp.log(high) - jnp.log(low)))
            again = jax.random.uniform(key(own, "again"), (moved,)) < resample
            varied = jnp.where(again, fresh.astype(values.dtype), varied)
        new[name] = values.at[worst].set(varied)
    return Generation(source, new)


def copy_lanes(state: PyTree, source: Array) -> PyTree:
    """The state (leaves [n, ...]) with each lane replaced by lane `source[i]`.

    >>> import jax.numpy as jnp
    >>> copy_lanes(jnp.array([1.0, 2.0]), jnp.array([1, 1])).tolist()
    [2.0, 2.0]
    """
    return jax.tree.map(lambda leaf: leaf[source], state)


def train(
    segment: Callable[[PyTree, Mapping[str, Array], int], tuple[PyTree, Array]],
    state: PyTree,
    hyper: Mapping[str, Array],
    seed: int,
    generations: int,
    **options: Any,
) -> tuple[PyTree, dict[str, Array], list[dict[str, Array | Mapping[str, Array]]]]:
    """Trains a population: `generations` segments with an exchange between each two.

    Args:
        segment: `(state, hyper, number) -> (state, scores f[n])`, vmapped over the lanes.
        state: leaves [n, ...]; hyper: name -> f[n]; options: those of `exploit_explore`.

    Returns:
        The final state, the hyper-parameters of the last segment, and for each segment a dict of
        its `hyper`, `scores` and (but for the last) `source`.

    >>> import jax.numpy as jnp
    >>> def segment(w, hyper, number):
    ...     w = w * (1 - hyper["lr"])
    ...     return w, w**2
    >>> w, hyper, rows = train(segment, jnp.ones(4), {"lr": jnp.array([0.1, 0.5, 0.7, 2.5])}, 0, 6)
    >>> bool(jnp.max(jnp.abs(w)) < 1), len(rows)
    (True, 6)
    """
    current, rows = dict(hyper), []
    for number in range(generations):
        state, scores = segment(state, current, number)
        rows.append({"hyper": current, "scores": scores})
        if number < generations - 1:
            generation = exploit_explore(key(seed, "pbt", number), scores, current, **options)
            state = copy_lanes(state, generation.source)
            rows[-1]["source"], current = generation.source, generation.hyper
    return state, current, rows
