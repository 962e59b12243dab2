"""A run's data: cast once on the host, and laid so that CPU devices read it where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.aligned import aligned
from lrlab.types import Device, PyTree


def on_host(data: Mapping[str, PyTree], dtype: str) -> dict[str, PyTree]:
    """The splits as NumPy arrays in the dtype of the run; int64 becomes int32, as JAX does it.

    >>> on_host({"train": [1.5, 2]}, "float32")["train"][0].dtype
    dtype('float32')
    """

    def cast(leaf: Any) -> np.ndarray:
        return aligned(np.asarray(leaf), dtype_on_host(leaf, dtype))

    return jax.tree.map(cast, dict(data))


def dtype_on_host(leaf: Any, dtype: str) -> np.dtype:
    """The dtype that `on_host` gives an array.

    >>> dtype_on_host(np.zeros(2, np.int64), "float32"), dtype_on_host(np.zeros(2), "float32")
    (dtype('int32'), dtype('float32'))
    """
    found = np.asarray(leaf).dtype
    if jnp.issubdtype(found, np.floating):
        return np.dtype(dtype)
    if jnp.issubdtype(found, np.complexfloating):
        return np.dtype(jnp.promote_types(dtype, np.complex64))
    return np.dtype(np.int32) if found == np.int64 else found


def on_devices(
    data: Mapping[str, PyTree], dtype: str, devices: Sequence[Device]
) -> dict[Device, dict[str, PyTree]]:
    """The splits on every device. CPU devices share one copy: the one on the host."""
    host = on_host(data, dtype)
    return {device: jax.device_put(host, device) for device in devices}
