"""Tables from CSV files: every cell a number, or an error with its row and column."""

from __future__ import annotations

import csv as reader
import hashlib
import math
from pathlib import Path

import numpy as np

from lrlab.data.checks import targets
from lrlab.data.dataset import DataError, Raw

MAX_BYTES = 1 << 30


def csv(
    path: Path,
    *,
    target: str | int | None = None,
    kind: str | None = None,
    num_classes: int | None = None,
    header: bool | None = None,
    delimiter: str = ",",
    max_bytes: int = MAX_BYTES,
) -> Raw:
    """CSV table: one example a row, numbers only; the target is the last column or `target`.

    `target` is a column's name or its number from 0. A first row that is not all numbers is taken
    for the header unless `header` says otherwise. Integer targets are labels unless `kind` says
    "regression". Inputs are standardized by the training split.
    """
    text, sha256 = _read(path, max_bytes)
    if len(delimiter) != 1:
        raise DataError(f"{path}: delimiter must be one character, got {delimiter!r}")
    try:
        rows = [
            (line, row)
            for line, row in _numbered(text, delimiter)
            if any(cell.strip() for cell in row)
        ]
    except reader.Error as error:
        raise DataError(f"{path}: not a CSV file ({error})") from error
    if not rows:
        raise DataError(f"{path}: is empty")
    first = [cell.strip() for cell in rows[0][1]]
    if header is None:
        # A header is words; one bad cell among numbers is a mistake to be named, not a header.
        words = sum(_number(cell) is None for cell in first)
        header = words > len(first) / 2 or words == len(first)
    names = first if header else [str(index) for index in range(len(first))]
    rows = rows[1:] if header else rows
    if not rows:
        raise DataError(f"{path}: has a header but no rows")
    if len(names) < 2:
        raise DataError(f"{path}: has one column; it needs inputs and a target (delimiter?)")
    values = np.empty((len(rows), len(names)))
    for index, (line, row) in enumerate(rows):
        if len(row) != len(names):
            raise DataError(f"{path}:{line}: {len(row)} cells where the table has {len(names)}")
        for column, cell in enumerate(row):
            number = _number(cell)
            if number is None or not math.isfinite(number):
                shown = f"{cell.strip()!r} is not a " + ("finite " if number is not None else "")
                raise DataError(
                    f"{path}:{line}: column {names[column]!r} (number {column}): {shown}number; "
                    "encode words as numbers, and remove or impute missing values"
                )
            values[index, column] = number
    at = _target_column(path, target, names, header)
    y, kind = targets(values[:, at], f"{path}, column {names[at]!r}", kind, num_classes)
    x = np.delete(values, at, axis=1)
    if kind == "classification":
        num_classes = num_classes or int(y.max()) + 1
    return Raw(
        splits={"train": (x, y)},
        kind=kind,
        license="not stated by the file",
        origin={"path": str(path), "target": names[at]},
        sha256=sha256,
        num_classes=num_classes if kind == "classification" else None,
        scale="standard",
    )


def _read(path: Path, max_bytes: int) -> tuple[str, str]:
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    size = path.stat().st_size
    if size > max_bytes:
        raise DataError(
            f"{path}: {size:,} bytes, above the limit of {max_bytes:,} (option max_bytes)"
        )
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig"), hashlib.sha256(content).hexdigest()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}); is it a CSV file?") from None


def _numbered(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    lines = reader.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    return [(lines.line_num, row) for row in lines]


def _number(cell: str) -> float | None:
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


def _target_column(path: Path, target: str | int | None, names: list[str], header: bool) -> int:
    if target is None:
        return len(names) - 1
    if isinstance(target, str) and target in names:
        return names.index(target)
    if isinstance(target, int) and -len(names) <= target < len(names):
        return target % len(names)
    known = ", ".join(names) if header else f"numbers 0 to {len(names) - 1}, for want of a header"
    raise DataError(f"{path}: there is no column {target!r} for the target; it has {known}")
