"""A run's data: cast once on the host, and laid so that CPU devices read it where it is."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.core.arrays import aligned
from lrlab.data.dataset import DataError
from lrlab.data.streams import Column
from lrlab.data.values import merged
from lrlab.engine.binding import GIVEN
from lrlab.engine.places import Place, everywhere, home_of, parted
from lrlab.types import Array, PyTree


def on_host(data: Mapping[str, PyTree], dtype: str) -> dict[str, PyTree]:
    """The splits as NumPy arrays in the dtype of the run; 64-bit integers become int32, JAX's own.

    Raises:
        DataError: an integer that int32 cannot hold, with its split.

    >>> on_host({"train": [1.5, 2]}, "float32")["train"][0].dtype
    dtype('float32')
    """

    def cast(split: str, leaf: Array) -> np.ndarray:
        array = np.asarray(leaf)
        wanted = held_dtype(split, array, dtype)
        if array.dtype.kind in "iu" and array.dtype.itemsize > wanted.itemsize and array.size:
            for number in (int(array.max()), int(array.min())):
                if not np.iinfo(wanted).min <= number <= np.iinfo(wanted).max:
                    raise DataError(
                        f"the {split} split holds the integer {number}, beyond int32; "
                        "give it as a float",
                        "task.data",
                    )
        return aligned(array, wanted)

    return {
        split: jax.tree.map(functools.partial(cast, split), parts) for split, parts in data.items()
    }


def held_dtype(split: str, leaf: Array, dtype: str) -> np.dtype:
    """The dtype in which the engine holds an array of a split, or one of the parameters that were
    given: theirs are kept, where JAX has them in a run of this precision, as frozen ones are cast
    where they are used.

    >>> short = np.zeros(2, np.float16)
    >>> held_dtype("train", short, "float32"), held_dtype(GIVEN, short, "float32")
    (dtype('float32'), dtype('float16'))
    >>> held_dtype(GIVEN, np.zeros(2, np.complex128), "float32")
    dtype('complex64')
    """
    own = np.dtype(leaf.dtype)
    if split == GIVEN and (own.itemsize < 8 or dtype == "float64"):
        return own
    return dtype_on_host(leaf, dtype)


def dtype_on_host(leaf: Array, dtype: str) -> np.dtype:
    """The dtype that `on_host` gives an array.

    >>> dtype_on_host(np.zeros(2, np.int64), "float32"), dtype_on_host(np.zeros(2), "float32")
    (dtype('int32'), dtype('float32'))
    """
    own = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    own = own if own.isnative else own.newbyteorder("=")
    if jnp.issubdtype(own, np.floating):
        return np.dtype(dtype)
    if jnp.issubdtype(own, np.complexfloating):
        return np.dtype(jnp.promote_types(dtype, np.complex64))
    return np.dtype(np.int32) if own in (np.int64, np.uint64) else own


def check_representable(data: Mapping[str, PyTree], dtype: str) -> None:
    """Refuses data whose numbers the run's precision would turn into infinities or into each other.

    Raises:
        DataError: names the split and the number, or the column.
    """
    for split, parts in data.items():
        if split == GIVEN:
            continue
        pair = isinstance(parts, tuple) and len(parts) == 2
        named = zip(("inputs", "targets"), parts, strict=True) if pair else [("data", parts)]
        for part, leaves in named:
            for leaf in jax.tree.leaves(leaves):
                if isinstance(leaf, Column):  # looked at batch by batch
                    continue
                values, place = np.asarray(leaf), f"{split} {part}"
                _check_range(values, place, np.dtype(dtype))
                if split == "train":  # a few held-out examples may well lie close together
                    _check_digits(values, place, np.dtype(dtype))


def _check_range(values: np.ndarray, place: str, dtype: np.dtype) -> None:
    if values.dtype.kind != "f" or values.dtype.itemsize <= dtype.itemsize:
        return
    largest = float(max(abs(values.max(initial=0)), abs(values.min(initial=0))))
    most = float(np.finfo(dtype).max)
    if largest > most:
        raise DataError(
            f"the array of {place} holds {largest:.3g}, and {dtype} ends at {most:.3g}; "
            'scale the data, or train with precision = "float64"',
            "task.data",
        )


def _check_digits(values: np.ndarray, place: str, dtype: np.dtype) -> None:
    if (column := merged(values, dtype)) is None:
        return
    position, before, after = column
    of = f", position {position}," if position else ""
    raise DataError(
        f"{before:,} different numbers of the {place}{of} become {after:,} in {dtype}, "
        f"as they differ by little beside their size (the first is {values[(0, *position)]!s}); "
        'subtract their mean or scale them, or train with precision = "float64"',
        "task.data",
    )


def on_devices(
    data: Mapping[str, PyTree], dtype: str, places: Sequence[Place]
) -> dict[Place, dict[str, PyTree]]:
    """The splits on every device. CPU devices share one copy: the one on the host. Parameters that
    were given are cut over the devices of a place (see `places`)."""
    host = on_host(data, dtype)

    def there(place: Place) -> dict[str, PyTree]:
        whole = everywhere(place)
        return {
            name: jax.device_put(tree, parted(place, tree, lanes=False) if name == GIVEN else whole)
            for name, tree in host.items()
        }

    at_home = {home_of(place): there(place) for place in places}
    return {place: at_home[home_of(place)] for place in places}
