"""Whatever holds numbers becomes a plain NumPy array, or an error says where it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np

from lrlab.core.arrays import is_mapped, parts
from lrlab.data.dataset import DataError

EXACT = 1 << 53
"""Up to here float64 holds every integer."""
LEVELS = 64
"""A column that rounding leaves with fewer steps between its ends than this has lost digits."""
NOISE = 1e-12
"""Differences below this share of a column's numbers are rounding of whoever made them."""

_HINTS = {
    "O": "make it an array of one type of number, as .astype(float) does",
    "U": "encode words as numbers, as numpy.unique(words, return_inverse=True)[1] does",
    "T": "encode words as numbers, as numpy.unique(words, return_inverse=True)[1] does",
    "S": "encode words as numbers, as numpy.unique(words, return_inverse=True)[1] does",
    "M": "encode dates as numbers, such as days since the first one",
    "m": "encode times as numbers, such as seconds",
    "c": "give real and imaginary parts as two columns",
    "V": "bytes that say no number type; save bfloat16 arrays as float32",
}


def numbers(values: object, place: str, complex_too: bool = False) -> np.ndarray:
    """`values` as an array of finite numbers, in the byte order of this machine.

    Takes anything that NumPy reads: lists, data frames, arrays of other libraries, arrays of number
    objects. bool becomes int8, longdouble float64, bfloat16 and other small floats float32. An
    array in a file (`np.memmap`) is looked at part by part, and stays where and as it is. Complex
    numbers are taken where `complex_too` says so.

    Raises:
        DataError: not numbers; masked, missing, nan or inf (with the count); empty; integers that
            float64 does not hold exactly.

    >>> numbers([True, False], "mine").dtype, numbers(np.arange(3, dtype=">i4"), "mine").dtype
    (dtype('int8'), dtype('int32'))
    """
    array = _array(values, place)
    if complex_too and array.dtype.kind == "c" and array.dtype.itemsize <= 16:
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    else:
        array = native(array, place)
    if array.ndim == 0:
        raise DataError(f"{place}: is a single number, expected an array [N, ...] of examples")
    if array.size == 0:
        raise DataError(f"{place}: is empty (shape {array.shape})")
    if array.dtype.kind in "fc":
        _check_finite(array, place)
    _exact(array, place)
    return array


def _check_finite(array: np.ndarray, place: str) -> None:
    bad, where = 0, list[int]()
    for first, rows in parts(array):
        finite = np.isfinite(rows)
        if not finite.all():
            if not bad:
                row, *rest = np.argwhere(~finite)[0].tolist()
                where = [first + row, *rest]
            bad += finite.size - int(finite.sum())
    if bad:
        column = f", position {where[1:]}" if len(where) > 1 else ""
        raise DataError(
            f"{place}: {array[tuple(where)]} at row {where[0]}{column} (counted from 0), "
            f"{bad:,} of {array.size:,} numbers are not finite; "
            "remove or impute such values first"
        )


def as_inputs(array: np.ndarray, divisor: float = 1) -> np.ndarray:
    """Floats as they are; integers as float32 where that holds them exactly, else as float64;
    divided in that dtype.

    >>> as_inputs(np.array([1_700_000_001])).dtype, as_inputs(np.array([255]), 255)
    (dtype('float64'), array([1.], dtype=float32))
    """
    if array.dtype.kind != "f":
        array = array.astype(np.float64 if _largest(array) > 1 << 24 else np.float32)
    return array if divisor == 1 else array / array.dtype.type(divisor)


def merged(array: np.ndarray, dtype: np.dtype) -> tuple[list[int], int, int] | None:
    """A column whose numbers become equal when rounded to `dtype`: (its position in an example, how
    many different numbers it has, how many are left); None: there is none.

    Ordinary rounding is no loss: what counts is a column that keeps fewer than `LEVELS` steps from
    its least to its greatest number.

    >>> merged(1_700_000_000.0 + np.arange(40.0), np.dtype("float32"))
    ([], 40, 1)
    >>> merged(np.linspace(0.0, 1.0, 1_000_000), np.dtype("float32"))
    """
    narrow = np.finfo(dtype)
    kind, bits = array.dtype.kind, array.dtype.itemsize * 8
    if kind not in "iuf" or (bits <= narrow.bits if kind == "f" else bits <= narrow.nmant):
        return None
    wide = array.dtype if kind == "f" else np.dtype(np.float64)
    low, high = (np.asarray(edge(axis=0), wide) for edge in (array.min, array.max))
    level = np.maximum(abs(low), abs(high))
    # Halves, so that the ends of float64 have a distance.
    spread = high / 2 - low / 2
    coarse = (spread < LEVELS / 2 * float(narrow.eps) * level) | (level < narrow.smallest_normal)
    noise = NOISE / 2 * level if kind == "f" else 0
    for place in np.argwhere(coarse & (spread > noise)).tolist():
        column = array[(slice(None), *place)]
        rounded = column.astype(dtype)
        # Devices take what is below the smallest normal number for 0.
        rounded = np.where(abs(rounded) < narrow.smallest_normal, 0, rounded)
        before, after = len(np.unique(column)), len(np.unique(rounded))
        if after < before:
            return place, before, after
    return None


def _array(values: object, place: str) -> np.ndarray:
    _unmasked(values, place)
    try:
        result = np.asanyarray(values)
    except Exception as error:
        words = str(error).partition("\n")[0]
        raise DataError(
            f"{place}: cannot be read as one array of numbers ({type(error).__name__}: {words})"
        ) from error
    _unmasked(result, place)
    array = np.asarray(result)
    return _of_objects(array, place) if array.dtype.kind == "O" else array


def _unmasked(values: object, place: str) -> None:
    if masked := _masked(values):
        size = sum(np.size(leaf) for leaf in _leaves(values))
        raise DataError(
            f"{place}: {masked:,} of {size:,} values are masked; "
            "fill them (values.filled(...)) or leave their rows out first"
        )


def _masked(values: object) -> int:
    """How many values are masked; NumPy itself drops the masks of arrays in a list."""
    if isinstance(values, np.ma.MaskedArray):
        return int(np.ma.count_masked(values))
    return sum(map(_masked, values)) if isinstance(values, (list, tuple)) else 0


def _leaves(values: object) -> Iterator[Any]:
    if isinstance(values, (list, tuple)):
        for value in values:
            yield from _leaves(value)
    else:
        yield values


def _of_objects(array: np.ndarray, place: str) -> np.ndarray:
    """Python's and NumPy's real numbers, as a data frame with columns of several dtypes gives them,
    in the one dtype that holds them all.

    Raises:
        DataError: other objects, or values that are missing.
    """
    missing = sum(map(_missing, array.flat))
    if missing:
        raise DataError(
            f"{place}: {missing:,} of {array.size:,} values are missing (None, nan or NA); "
            "remove or impute them first"
        )
    if all(isinstance(value, (Real, np.bool_)) for value in array.flat):
        plain = np.array(array.tolist())
        written = [value.item() if isinstance(value, np.generic) else value for value in array.flat]
        if plain.dtype.kind in "biuf" and plain.ravel().tolist() == written:
            return plain
        raise DataError(f"{place}: no dtype holds all of its numbers exactly; make it float")
    words = any(isinstance(value, str) for value in array.flat)
    hint = _HINTS["U" if words else "O"]
    raise DataError(f"{place}: needs numbers, got dtype object; {hint}")


def _missing(value: object) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA answers neither yes nor no, nor does an array
        return not hasattr(value, "__len__")


def native(array: np.ndarray, place: str) -> np.ndarray:
    """A dtype that NumPy has of its own, in native byte order (in a file: in any).

    Raises:
        DataError: no numbers, or in a file, in a dtype that only a copy of the whole could change.
    """
    dtype = array.dtype
    if dtype.kind == "b":
        return array.view(np.int8)
    if is_mapped(array) and dtype.kind in "iuf" and dtype.itemsize <= 8:
        return array
    if is_mapped(array) and dtype.kind in "fV":
        raise DataError(
            f"{place}: an array of dtype {dtype} in a file cannot be read as it is; save it as "
            f"{'float64' if dtype.kind == 'f' else 'float32'}"
        )
    if dtype.kind == "V" and dtype.names is None:  # the types of ml_dtypes, or bytes
        for wider in (np.int8, np.float32):
            if np.can_cast(dtype, wider):
                return array.astype(wider)
    if dtype.kind not in "iuf":
        raise DataError(f"{place}: needs numbers, got dtype {dtype}; {_HINTS[dtype.kind]}")
    if dtype.kind == "f" and dtype.itemsize > 8:
        return _from_longdouble(array, place)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _from_longdouble(array: np.ndarray, place: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        result = array.astype(np.float64)
    lost = np.isfinite(array) & ~np.isfinite(result)
    if lost.any():
        raise DataError(f"{place}: {array[lost][0]} is beyond float64; scale the numbers first")
    checked = array.ndim and array.size and np.isfinite(result).all()
    if checked and (column := merged(array, np.dtype(np.float64))) is not None:
        raise DataError(
            f"{place}: {column[1]:,} different numbers become {column[2]:,} in float64; "
            "subtract an offset first"
        )
    return result


def _largest(array: np.ndarray) -> int:
    """The largest magnitude among integers."""
    return max(abs(int(array.max(initial=0))), abs(int(array.min(initial=0))))


def _exact(array: np.ndarray, place: str) -> None:
    """Raises DataError where float64 rounds an integer."""
    if array.dtype.kind not in "iu" or _largest(array) <= EXACT:
        return
    size = array.astype(np.uint64)
    size = np.where(array < 0, ~size + np.uint64(1), size)
    lowest_bit = size & (~size + np.uint64(1))
    inexact = np.argwhere(size // np.maximum(lowest_bit, np.uint64(1)) >= EXACT)
    if len(inexact):
        where = inexact[0].tolist()
        raise DataError(
            f"{place}: {array[tuple(where)]} at row {where[0]} (counted from 0) has more digits "
            "than float64 holds; subtract an offset, or divide, in integers first"
        )
