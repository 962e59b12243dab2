"""Weights of lanes on the host, and how one lane of them is found by its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

KEPT_LEAF = re.compile(r"kept_[0-9]{4,}")
"""The arrays of kept weights in a checkpoint; their order is that of the tree."""

NEAR = 1e-6
"""How far, relatively, a value may be from that of the lane that is meant: it may have been typed
from a table, or have come through float32."""


class Weights(NamedTuple):
    """What is kept of n lanes.

    `axes`: name -> values [n] of every lane axis, the seeds last; `leaves` [n, ...] each: arrays in
    the order of the tree (parameters, what is not trained by gradients).
    """

    axes: Mapping[str, np.ndarray]
    leaves: Sequence[np.ndarray]

    def lane(self, number: int) -> list[np.ndarray]:
        """The arrays of one lane."""
        return [np.array(leaf[number]) for leaf in self.leaves]


def some(weights: Weights, places: Sequence[int]) -> Weights:
    """Copies of some of the lanes."""
    axes = {name: np.asarray(values)[places] for name, values in weights.axes.items()}
    return Weights(axes, [leaf[places] for leaf in weights.leaves])


def place_of(axes: Mapping[str, np.ndarray], wanted: Mapping[str, float]) -> int:
    """The number of the lane that has these values.

    Args:
        axes: name -> values [n], as in `Weights`.
        wanted: name -> value; an axis may be left out where all lanes have one value of it.

    Raises:
        KeyError: no such axis, no value within `NEAR` of the one asked for (seeds are whole), or
            several lanes: says which values there are.

    >>> axes = {"lr": np.array([0.1, 0.1, 0.3]), "seed": np.array([0, 1, 0])}
    >>> place_of(axes, {"lr": 0.10000001, "seed": 1})
    1
    """
    if unknown := [name for name in wanted if name not in axes]:
        raise KeyError(f"there is no axis {unknown[0]!r}; there are {', '.join(axes)}")
    match = np.ones(len(next(iter(axes.values()), ())), bool)
    if not match.size:
        raise KeyError(
            "no lane's weights are kept: only those of lanes that finish are, and none did"
        )
    for name, value in wanted.items():
        rtol = 0 if name == "seed" else NEAR
        near = np.isclose(np.asarray(axes[name], np.float64), value, rtol=rtol, atol=0)
        if not near.any():
            raise KeyError(f"no lane has {name} = {value:.10g}; there are {_listed(axes[name])}")
        if not (match & near).any():
            others = ", ".join(f"{k} = {wanted[k]:.10g}" for k in wanted if k != name)
            raise KeyError(
                f"no lane with {others} has {name} = {value:.10g}; there are "
                f"{_listed(np.asarray(axes[name])[match])}"
            )
        match &= near
    # A rate may be listed twice: those lanes are the same to the bit.
    for name, values in axes.items():
        several = np.unique(np.asarray(values)[match])
        if len(several) > 1:
            raise KeyError(f"several lanes: say which {name}; there are {_listed(several)}")
    return int(np.argmax(match))


def _listed(values: np.ndarray, most: int = 40) -> str:
    """Values in words, each with the digits that tell it from all others."""
    listed = [f"{value:.10g}" for value in np.unique(values)]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
