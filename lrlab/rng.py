"""The only place that derives random keys: a key is a function of (root, names) alone."""

from __future__ import annotations

import zlib

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def key(root: ArrayLike, *names: str | ArrayLike) -> jax.Array:
    """The key that (root, names) stands for: `fold_in` over the names, from `jax.random.key(root)`.

    Args:
        root: an int (a seed, traced or not) or a key.
        names: strings (hashed with CRC-32) and non-negative ints (traced or not), in order.

    Returns:
        A scalar typed key array. The same arguments give the same key on every machine.

    >>> import jax
    >>> bool(key(3, "init") == key(3, "init")), bool(key(3, "init") == key(3, "batches", 0))
    (True, False)
    """
    if isinstance(root, jax.Array) and jnp.issubdtype(root.dtype, jax.dtypes.prng_key):
        result = root
    else:
        result = jax.random.key(root)
    for name in names:
        result = jax.random.fold_in(result, _number(name))
    return result


def _number(name: str | ArrayLike) -> ArrayLike:
    return zlib.crc32(name.encode()) if isinstance(name, str) else name
