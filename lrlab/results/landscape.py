"""What a cut of the loss gives back: the plane of a lane's own trajectory, and where it went."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lrlab.core.brief import fields_of


class Slice(NamedTuple):
    """The training loss on the plane that holds most of a lane's way.

    `steps` int[T]: updates made at the points of the way; `way` f64[T, 2]: where they lie on the
    plane; `explained`: the share of the squared way to the last point that lies in it. `u` f64[A],
    `v` f64[B]: distances from the last point along the plane's axes (units of the parameters);
    `loss` f64[B, A], nan where it is not finite.
    """

    lane: dict[str, float]
    steps: np.ndarray
    way: np.ndarray
    explained: float
    u: np.ndarray
    v: np.ndarray
    loss: np.ndarray

    def __repr__(self) -> str:
        return fields_of(self)
