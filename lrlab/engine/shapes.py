"""Shapes and dtypes of the engine's arrays by name; the tests check them at every call.

`updates` counts those of a segment, `tile` the places of a tile (no axis at all where a lone lane
is traced), `lanes` any lanes by their flat numbers.
"""

from __future__ import annotations

import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int, Int32, Integer, Key, Shaped

Scalar = Float[Array, ""]
Flag = Bool[Array, ""]
Step = Int[Array | int, ""]
Seed = Integer[Array | int, ""]
RandomKey = Key[Array, ""]

PerLane = Float[Array, "*tile"]
PerUpdate = Float[Array, "updates *tile"]

Hypers = dict[str, PerLane]
"""The hyper-parameters of a tile's lanes by name."""

Rows = dict[str, PerUpdate]
"""What every update of a segment recorded, by name."""

Batches = Int32[Array, "updates batch"]
"""Which examples each update of a segment reads; rows past its end are never read."""

LaneNumbers = Int[np.ndarray, "lanes"]
Seeds = Int[np.ndarray, "lanes"]
TileNumbers = Int[np.ndarray, "tiles width"]
Block = Float[np.ndarray, "times lanes"]
LaneValues = Float[np.ndarray, "lanes"]
Leaves = Shaped[np.ndarray, "lanes ..."]
