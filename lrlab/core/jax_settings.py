"""JAX's settings as lrlab's own functions need them, whatever a user has set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def usual() -> Iterator[None]:
    """JAX's defaults for what would stop or change a run; thread-local; decorates functions, too.

    A lane that diverges makes nan, which is a result (`debug_nans`, `debug_infs`). Flax's layers,
    Optax and lrlab promote ranks and dtypes. Programs are compiled ahead of time (`disable_jit`),
    and move data themselves (`transfer_guard`). The random bits of a seed are the same for everyone
    (`threefry_partitionable`). The precision of matrix products and the default device stay the
    user's.

    >>> import jax
    >>> with jax.disable_jit(), usual():
    ...     jax.config.jax_disable_jit
    False
    """
    import jax

    with (
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        jax.disable_jit(False),
        jax.transfer_guard("allow"),
        jax.threefry_partitionable(True),
    ):
        yield
