"""Lanes and the grids they lie on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lrlab.types import Lanes


def grid_lanes(axes: Mapping[str, np.ndarray], seeds: Sequence[int] | np.ndarray) -> Lanes:
    """A lane for every combination, seeds fastest: flat numbers in C order of (axes..., seed).

    >>> lanes = grid_lanes({"lr": np.array([0.1, 0.2])}, [5, 6])
    >>> lanes.hyper["lr"].tolist(), lanes.seed.tolist()
    ([0.1, 0.1, 0.2, 0.2], [5, 6, 5, 6])
    """
    columns = np.meshgrid(*axes.values(), np.asarray(seeds, np.float64), indexing="ij")
    hyper = {name: column.ravel() for name, column in zip(axes, columns[:-1], strict=True)}
    return Lanes(hyper, columns[-1].ravel().astype(np.int64))


def grid_of(lanes: Lanes) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The smallest grid that holds the lanes: axis name -> values in order of appearance (seed
    last), and the flat C-order cell of each lane.

    >>> axes, cells = grid_of(Lanes({"lr": np.array([0.1, 0.1, 0.2])}, np.array([5, 6, 5])))
    >>> axes["lr"].tolist(), axes["seed"].tolist(), cells.tolist()
    ([0.1, 0.2], [5, 6], [0, 1, 2])
    """
    columns = {**lanes.hyper, "seed": lanes.seed}
    axes: dict[str, np.ndarray] = {}
    places = []
    for name, column in columns.items():
        values, first, inverse = np.unique(column, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        axes[name] = values[order]
        places.append(rank[inverse])
    shape = tuple(len(values) for values in axes.values())
    return axes, np.asarray(np.ravel_multi_index(tuple(places), shape))
