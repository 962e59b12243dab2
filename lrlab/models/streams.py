"""The random streams of a Linen module, all from one key."""

from __future__ import annotations

from collections.abc import Sequence

from lrlab.models.modes import ModelError
from lrlab.rng import key as key_of
from lrlab.types import Array


def further(rngs: object) -> tuple[str, ...]:
    """The streams beside "dropout", which is always there.

    Raises:
        ModelError: not names.

    >>> further(("dropout", "sample")), further("sample")
    (('sample',), ('sample',))
    """
    names = (rngs,) if isinstance(rngs, str) else rngs
    if not isinstance(names, (tuple, list)) or not all(isinstance(one, str) for one in names):
        raise ModelError(
            f'rngs must be names of random streams, as in ("dropout", "sample"), got {rngs!r}',
            "rngs",
        )
    return tuple(name for name in dict.fromkeys(names) if name != "dropout")


def streams(key: Array, names: Sequence[str]) -> dict[str, Array]:
    """Stream -> key: "dropout" has `key` itself, any other `lrlab.rng.key(key, name)`."""
    return {"dropout": key, **{name: key_of(key, name) for name in names}}
