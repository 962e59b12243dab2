"""The orders of a run's batches, by a program that is kept between processes like all others."""

from __future__ import annotations

import jax
import numpy as np
from jax import Array

from lrlab.core.memo import remembered
from lrlab.data.batches import Mode, Permute, permutations
from lrlab.engine.executables import Replicated


@remembered(64)
def kept_permutations(num_examples: int, mode: Mode) -> Permute:
    """`lrlab.data.batches.permutations` as a program: compiled once per machine, where compiling
    took a third of what a small search computes. `mode`: what it is traced under.

    >>> orders = kept_permutations(5, (True, "threefry2x32"))(np.uint32(0), np.arange(2))
    >>> np.sort(np.asarray(orders)).tolist()
    [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    """
    program = Replicated(permutations(num_examples))

    def permute(seed: np.uint32, epochs: np.ndarray) -> Array:
        return program(jax.local_devices()[0], seed, epochs)

    return permute
