"""Sums over a split, part by part: exact means of whatever is measured, however parts are cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.tasks.values import Sums, count_of, ratio
from lrlab.types import Array, PyTree

Totals = tuple[dict[str, Array], dict[str, Array]]
"""Metric -> sum over examples, metric -> weight: dicts of scalars with the same names."""

Part = Callable[[PyTree, Array], Totals]
"""`(part of a split, key) -> (sums, weights)`."""


def over_parts(
    measure: Part, data: PyTree, size: int | None, key: Array, first: int | Array = 0
) -> Totals:
    """Sums and weights over a split, in parts of `size` examples; the last part has the rest.

    The first part gets `key` itself, part i gets `fold_in(key, i)`, so that a split of one part is
    measured as `measure(data, key)` would be. Parts are counted from the beginning of the split,
    whose blocks may come one after the other.

    Args:
        data: a pytree of arrays [N, ...], or None, which is measured once.
        size: examples of a part; None: all.
        first: examples of the split that lie before `data`, whole parts.
    """
    if data is None:
        return measure(None, key)
    count = count_of(data)
    done = first // (size or 1)
    size = count if size is None else min(size, count)

    def key_of(number: int | Array) -> Array:
        if isinstance(done, int) and isinstance(number, int):
            return key if done + number == 0 else jax.random.fold_in(key, done + number)
        place = done + number
        return jnp.where(place == 0, key, jax.random.fold_in(key, place))

    full, rest = divmod(count, size)
    total = measure(_rows(data, 0, size), key_of(0))
    if full > 1:
        others = jax.tree.map(
            lambda leaf: leaf[size : full * size].reshape(full - 1, size, *leaf.shape[1:]), data
        )

        def body(total: Totals, item: tuple[Array, PyTree]) -> tuple[Totals, None]:
            number, part = item
            return _added(total, measure(part, key_of(number))), None

        total, _ = jax.lax.scan(body, total, (jnp.arange(1, full), others))
    if rest:
        last = measure(_rows(data, full * size, count), key_of(full))
        total = _added(total, last)
    return total


def means_of(totals: Totals) -> dict[str, Array]:
    """sum / weight of every metric; 0 where a weight is 0.

    >>> means_of(({"loss": jnp.float32(6)}, {"loss": jnp.float32(4)}))["loss"].item()
    1.5
    """
    sums, weights = totals
    return {name: ratio(Sums(value, weights[name])) for name, value in sums.items()}


def checked_totals(what: str, given: object, dtype: str) -> Totals:
    """What a function of the user's gave as (sums, weights), in one dtype.

    Raises:
        FieldError: something else; says what.
    """
    if not isinstance(given, tuple) or len(given) != 2:
        raise FieldError(
            "task", f"{what} gave {type(given).__name__}, expected two dicts: (sums, weights)"
        )
    sums, weights = (scalars(what, part, dtype) for part in given)
    if sums.keys() != weights.keys():
        different = ", ".join(sorted(sums.keys() ^ weights.keys()))
        raise FieldError("task", f"{what} gave sums and weights of different metrics: {different}")
    return sums, weights


def scalars(what: str, given: object, dtype: str) -> dict[str, Array]:
    """A dict of scalars by name, in one dtype.

    Raises:
        FieldError: no dict, names that are no names, or values that are no real scalars.
    """
    if not isinstance(given, Mapping):
        raise FieldError(
            "task", f"{what} gave {type(given).__name__}, expected a dict of scalars by name"
        )
    result = {}
    for name, value in given.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise FieldError(
                "task",
                f"{what} gave a metric named {name!r}; a name has letters, digits and underscores",
            )
        result[name] = scalar(f"{what} gave {name!r}", value, dtype)
    return result


def scalar(what: str, value: object, dtype: str) -> Array:
    """A real number as a scalar of `dtype`.

    Raises:
        FieldError: it is none.
    """
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise FieldError("task", f"{what} as {type(value).__name__}, expected a number") from error
    if array.shape != () or jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise FieldError(
            "task",
            f"{what} as {array.dtype}{list(array.shape)}, expected one real number, of shape []",
        )
    return array if array.dtype == dtype else array.astype(dtype)


def _rows(data: PyTree, first: int, end: int) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[first:end], data)


def _added(total: Totals, more: Totals) -> Totals:
    return jax.tree.map(lambda a, b: a + b, total, more)
