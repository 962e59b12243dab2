"""Arrays from outside become labels and targets, or a DataError says where they are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lrlab.core.arrays import parts
from lrlab.data.dataset import DataError, Split
from lrlab.data.values import numbers

MAX_GUESSED_CLASSES = 1000


def labels(values: object, place: str, num_classes: int | None = None) -> np.ndarray:
    """`values` as int32 labels from 0 to `num_classes` - 1.

    Raises:
        DataError: not integers, negative, or not below `num_classes`; with the first row.
    """
    array = numbers(values, place)
    if array.dtype.kind == "f":
        bad = np.argwhere(array != np.floor(array))
        if len(bad):
            row = tuple(int(i) for i in bad[0])
            raise DataError(
                f"{place}: label {array[row]} at row {row[0]} (counted from 0) is not an integer; "
                'for a numeric target say kind = "regression"'
            )
    bad = np.argwhere((array < 0) | (array >= (num_classes or np.iinfo(np.int32).max)))
    if len(bad):
        row = tuple(int(i) for i in bad[0])
        last = f" to {num_classes - 1}" if num_classes else ""
        raise DataError(
            f"{place}: label {int(array[row])} at row {row[0]} (counted from 0) is out of range; "
            f"labels count from 0{last}",
            "num_classes" if num_classes else "",
        )
    return array.astype(np.int32)


def targets(
    values: object, place: str, kind: str | None, num_classes: int | None = None
) -> tuple[np.ndarray, str]:
    """The targets, and their kind: the one given, else classification where they are integers.

    Raises:
        DataError: see `labels`; and more classes than can be meant when the kind was guessed.
    """
    array = numbers(values, place)
    if kind not in (None, "classification", "regression"):
        raise DataError(
            f'{place}: kind must be "classification" or "regression", got {kind!r}', "kind"
        )
    if kind != "regression" and _is_one_hot(array):
        raise DataError(
            f"{place}: are one-hot rows of {array.shape[1]} classes; give labels (y.argmax(-1)), "
            'or say kind = "regression" if they are numbers'
        )
    if kind is None:
        several = array.ndim > 1 and array.shape[1:] != (1,)
        kind = "regression" if array.dtype.kind == "f" and several else "classification"
        if array.dtype.kind == "f" and (array != np.floor(array)).any():
            kind = "regression"
        elif (
            kind == "classification"
            and num_classes is None
            and array.max() >= min(MAX_GUESSED_CLASSES, len(array))
        ):
            raise DataError(
                f"{place}: {len(array)} labels go up to {int(array.max())}; "
                'say kind = "regression" if the target is a number, else give num_classes'
            )
    if kind == "regression":
        return array.astype(np.float64), kind
    column = array.ndim == 2 and array.shape[1] == 1
    return labels(array[:, 0] if column else array, place, num_classes), kind


def _is_one_hot(array: np.ndarray) -> bool:
    """Whether every row has one 1 among zeros, in two columns or more."""
    if array.ndim != 2 or array.shape[1] < 2:
        return False
    return bool(((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all())


def varied(splits: Mapping[str, Split], place: str) -> None:
    """Raises DataError where every target of every split is the same: there is nothing to learn."""
    ys = [y for _, y in splits.values()]
    first = ys[0][:1]
    alike = (y for y in ys if y.shape[1:] == first.shape[1:])
    if all(bool((rows == first).all()) for y in alike for _, rows in parts(y)):
        raise DataError(
            f"{place}: every target is {first[0]}; there is nothing to learn (another target?)"
        )


def no_file(path: Path) -> str:
    """What is wrong with the path of a file that is none."""
    return "is a folder, not a file" if path.is_dir() else "there is no such file"


def same_length(x: np.ndarray, y: np.ndarray, place: str) -> None:
    """Raises DataError where inputs and targets differ in length."""
    if len(x) != len(y):
        raise DataError(f"{place}: {len(x)} inputs but {len(y)} targets; they must pair up")
