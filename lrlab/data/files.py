"""Anyone's arrays: npz and csv files."""

from __future__ import annotations

import csv as csv_reader
import zipfile
import zlib
from pathlib import Path

import numpy as np

from lrlab.data.dataset import DataError, Raw

MAX_BYTES = 8 << 30
"""A file that declares more than this, unpacked, is refused before it is read."""


def npz(path: str, kind: str | None = None, classes: int | None = None) -> Raw:
    """Arrays `x` and `y` of an npz file, and `x_valid`, `y_valid`, `x_test`, `y_test` if there.

    Whole-number targets make a classification, others a regression, unless `kind` says so.
    """
    _exists(path)
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise DataError(f"{path}: unpacks to {size:,} bytes; refused above {MAX_BYTES:,}")
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except DataError:
        raise
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error,
            NotImplementedError, MemoryError, RuntimeError, SyntaxError) as error:  # fmt: skip
        raise DataError(
            f"{path}: not an npz file of plain numbers ({error}); arrays of objects are never read"
        ) from None
    for name in ("x", "y"):
        if name not in found:
            raise DataError(f"{path}: no array {name!r}; it holds {', '.join(found) or 'nothing'}")
    splits = {}
    for split in ("valid", "test"):
        pair = (found.get(f"x_{split}"), found.get(f"y_{split}"))
        if (pair[0] is None) != (pair[1] is None):
            raise DataError(f"{path}: x_{split} and y_{split} must come together")
        splits[split] = None if pair[0] is None else pair
    return _raw(path, (found["x"], found["y"]), kind, classes, splits["valid"], splits["test"])


def csv(path: str, target: str | None = None, kind: str | None = None, delimiter: str = ",") -> Raw:
    """A table with a header line; `target` names the column to predict, by default the last.

    Columns are standardized. Text in the target column makes classes, in order of the alphabet;
    text elsewhere is an error.
    """
    _exists(path)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv_reader.reader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv_reader.Error) as error:
        raise DataError(f"{path}: cannot be read as a CSV table ({error})") from None
    if len(rows) < 2:
        raise DataError(f"{path}: needs a header line and at least one line of data")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if len(header) < 2:
        raise DataError(f"{path}:1: one column only; check the delimiter {delimiter!r}")
    if target is not None and target not in header:
        raise DataError(f"{path}:1: no column {target!r}; columns: {', '.join(header)}")
    column = header.index(target) if target is not None else len(header) - 1
    x = np.empty((len(body), len(header) - 1))
    labels = []
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            raise DataError(f"{path}:{number}: {len(row)} cells, the header has {len(header)}")
        place = 0
        for index, cell in enumerate(row):
            if index == column:
                labels.append(cell.strip())
                continue
            try:
                x[number - 2, place] = float(cell)
            except ValueError:
                raise DataError(
                    f"{path}:{number}: column {header[index]!r} holds {cell!r}, not a number"
                ) from None
            place += 1
    y, classes = _targets(path, header[column], labels)
    raw = _raw(path, (x, y), kind, classes, None, None)
    return raw._replace(tabular=True)


def _targets(path: str, name: str, labels: list[str]) -> tuple[np.ndarray, int | None]:
    empty = [number for number, label in enumerate(labels, 2) if not label]
    if empty:
        raise DataError(f"{path}:{empty[0]}: the target column {name!r} is empty")
    try:
        return np.array([float(label) for label in labels]), None
    except ValueError:
        classes = sorted(set(labels))
        if len(classes) > max(2, len(labels) // 2):
            raise DataError(
                f"{path}: the target column {name!r} holds {len(classes)} different texts in "
                f"{len(labels)} lines; is it the right column? Name another as `target`"
            ) from None
        return np.array([classes.index(label) for label in labels]), len(classes)


def _raw(
    path: str,
    train: tuple[np.ndarray, np.ndarray],
    kind: str | None,
    classes: int | None,
    valid: object,
    test: object,
) -> Raw:
    y = np.asarray(train[1])
    if kind not in (None, "classification", "regression"):
        raise DataError(f'{path}: kind must be "classification" or "regression", got {kind!r}')
    whole = y.dtype.kind in "iub" or (
        y.dtype.kind == "f" and bool(np.isfinite(y).all()) and bool((y == np.round(y)).all())
    )
    few = y.size > 0 and len(np.unique(y)) <= max(20, len(y) // 10) if whole else False
    kind = kind or ("classification" if whole and few else "regression")
    if kind == "regression":
        return Raw(train, kind, 1 if y.ndim < 2 else y.shape[-1], "the user's", path, valid, test)  # type: ignore[arg-type]
    count = classes or (int(y.max()) + 1 if y.size and y.dtype.kind in "iubf" else 1)
    return Raw(train, kind, count, "the user's", path, valid, test)  # type: ignore[arg-type]


def _exists(path: str) -> None:
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file (looked in {Path.cwd()})")
