"""Tables from CSV files: every cell a number, or an error with its row and column."""

from __future__ import annotations

import csv as reader
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lrlab.data.cells import has_comma, is_whole, label_number, number_of, with_point
from lrlab.data.checks import targets
from lrlab.data.classes import classes, unclassed
from lrlab.data.dataset import DataError, Raw
from lrlab.data.naming import TARGETS, kept
from lrlab.data.textfile import beginning, decoded
from lrlab.data.values import EXACT

MAX_BYTES = 1 << 30
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ \t]*(?:\r\n?|\n)', re.IGNORECASE)
LOOKED_AT = 20
"""Rows that say whether the first one is a header."""

HEAD = 100
"""Lines that `header_of` looks at: the header, comments apart, stands in the first ones."""

Rows = Sequence[tuple[int, list[str]]]
"""(line in the file, cells) of every row."""


class _Cells(NamedTuple):
    """A table of text: the names of its columns, from its `header` or from their numbers, and the
    rows below."""

    names: list[str]
    header: bool
    rows: Rows


def csv(
    path: Path,
    *,
    target: str | int | None = None,
    kind: str | None = None,
    num_classes: int | None = None,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str = ".",
    ignore: Sequence[str] = (),
    max_bytes: int = MAX_BYTES,
) -> Raw:
    """CSV table, plain or gzip: one example a row; the target is the last column or `target`.

    `target` is a column's name or its number from 0; `ignore` lists columns that are left out. A
    first row that is not all numbers is taken for the header unless `header` says otherwise.
    Columns are separated by commas; by semicolons, tabs, bars or spaces where the first line has
    none; or by `delimiter`, or as Excel's first line `sep=;` says. `decimal = ","` reads 1,5 as
    1.5. Inputs are numbers, true and false count as 1 and 0. Integer targets are labels unless
    `kind` says "regression"; words are too, in the order of the alphabet. Inputs are standardized
    by the training split.
    """
    text, sha256 = decoded(path, max_bytes)
    text, delimiter = _separated(text, delimiter)
    if len(delimiter) != 1:
        raise DataError(f"{path}: delimiter must be one character, got {delimiter!r}", "delimiter")
    if decimal not in (".", ",") or decimal == delimiter:
        raise DataError(
            f"{path}: decimal must be '.' or ',', and another one than the delimiter "
            f"({delimiter!r}), got {decimal!r}",
            "decimal",
        )
    table = _cells(text, delimiter, decimal, header, path)
    columns = _columns(table, ignore, path)
    at = _target_column(path, target, table, columns)
    found = None if kind == "regression" else classes([r[at] for _, r in table.rows], label_number)
    if found is None:
        _check_target(table, at, kind, path)
    if found is not None:
        numbered = zip(table.rows, found[0], strict=True)
        rows = [(line, [*r[:at], str(label), *r[at + 1 :]]) for (line, r), label in numbered]
        table = table._replace(rows=rows)
    values = _values(table, columns, at, path)
    place = columns.index(at)
    y, kind = targets(values[:, place], f"{path}, column {table.names[at]!r}", kind, num_classes)
    x = np.delete(values, place, axis=1)
    if kind == "classification":
        num_classes = num_classes or int(y.max()) + 1
    return Raw(
        splits={"train": (x, y)},
        kind=kind,
        license="not stated by the file",
        origin={"path": str(path), "target": table.names[at], "delimiter": delimiter}
        | ({"classes": found[1]} if found else {}),
        sha256=sha256,
        num_classes=num_classes if kind == "classification" else None,
        scale="standard",
    )


def header_of(
    path: Path, delimiter: str | None = None, header: bool | None = None
) -> tuple[list[str], bool]:
    """The columns of a table, from the beginning of its file: their names, or their numbers where
    it has no header; and whether it has one.

    Raises:
        DataError: no such file, or not a table.
    """
    text, delimiter = _separated(beginning(path), delimiter)
    table = _cells("\n".join(text.splitlines()[:HEAD]), delimiter, ".", header, path)
    return table.names, table.header


def _separated(text: str, delimiter: str | None) -> tuple[str, str]:
    """The text below a first line that only names the delimiter, and the delimiter."""
    if said := _SEPARATOR_LINE.match(text):
        text = "\n" + text[said.end() :]  # the line still counts
        delimiter = delimiter or said[1]
    return text, _delimiter(text) if delimiter is None else delimiter


def _delimiter(text: str) -> str:
    """The comma, unless the first line has none outside of quotes and one of the others."""
    first = re.split(r"[\r\n]", text.strip())[0]
    bare = re.sub(r'"[^"]*"', "", first)
    return next((sign for sign in DELIMITERS if sign in bare), ",")


def _split(text: str, delimiter: str, path: Path) -> Rows:
    """Every row; lines without a character are none."""
    lines = io.StringIO(text, newline="")
    spaces = delimiter == " "
    source = (line.strip() + "\n" for line in lines) if spaces else lines
    cells = reader.reader(source, delimiter=delimiter, skipinitialspace=spaces, strict=True)
    try:
        return [(cells.line_num, row) for row in cells if len(row) > 1 or (row and row[0].strip())]
    except reader.Error as error:
        raise DataError(
            f"{path}: not a CSV file ({error}); columns separated by another character? say "
            f"delimiter = ... (it was {delimiter!r})",
            "delimiter",
            also="path",
        ) from error


def _cells(text: str, delimiter: str, decimal: str, header: bool | None, path: Path) -> _Cells:
    rows = _split(text, delimiter, path)
    if decimal == ",":
        rows = [(line, [with_point(cell) for cell in row]) for line, row in rows]
    if not rows:
        raise DataError(f"{path}: is empty")
    first = [cell.strip() for cell in rows[0][1]]
    if header is None:
        header = _is_header(first, [row for _, row in rows[1 : LOOKED_AT + 1]], path)
    names = first if header else [str(index) for index in range(len(first))]
    rows = rows[1:] if header else rows
    if not rows:
        raise DataError(f"{path}: has a header but no rows")
    if len(names) < 2:
        accepted = ", ".join(f"{sign!r} ({word})" for sign, word in DELIMITERS.items())
        raise DataError(
            f"{path}: has one column; it needs inputs and a target (delimiter? known: {accepted})"
        )
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(f"{path}:{line}: {len(row)} cells where the table has {len(names)}")
    return _Cells(names, header, rows)


def _is_header(first: Sequence[str], below: Sequence[Sequence[str]], path: Path) -> bool:
    """A header is words; one bad cell among numbers is a mistake to be named, not a header.

    Raises:
        DataError: numbers that may be names, such as 0,1,2 over columns of decimals.
    """
    words = sum(number_of(cell) is None for cell in first)
    if first[0] == "" and _counts(first[1:]):  # pandas' index, and columns without names
        return True
    if words:
        return words > len(first) / 2 or words == len(first)
    decimals = [
        is_whole(cell)
        for cell, *column in zip(first, *below, strict=False)
        if len(column) > 1 and not any(map(is_whole, column))
    ]
    if _counts(first) or (len(decimals) > 1 and all(decimals)):
        shown = ",".join(first[:6]) + (",..." if len(first) > 6 else "")
        raise DataError(
            f"{path}: the first row, {shown}, may be the names of the columns or an example; "
            "say header = true or header = false"
        )
    return False


def _counts(cells: Sequence[str]) -> bool:
    """Whether the cells are whole numbers, each one more than the one before, from 0 or 1 on (three
    cells or more: from anywhere)."""
    if not cells or not all(map(is_whole, cells)):
        return False
    numbers = [int(cell) for cell in cells]
    start = numbers[0] in (0, 1) or len(numbers) > 2
    return start and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _columns(table: _Cells, ignore: Sequence[str], path: Path) -> list[int]:
    """The numbers of the columns that are used.

    Raises:
        DataError: a column without a name.
    """
    listed = [ignore] if isinstance(ignore, (str, int)) else list(ignore)
    numbers = [at for at in listed if isinstance(at, int) and not isinstance(at, bool)]
    if wrong := [at for at in numbers if not -len(table.names) <= at < len(table.names)]:
        raise DataError(
            f"{path}: ignore names column {wrong[0]}, of {len(table.names)} (from 0)", "ignore"
        )
    left_out = {at % len(table.names) for at in numbers}
    patterns = [name for name in listed if isinstance(name, str)]
    stay = set(kept(table.names, patterns, str(path)))
    columns = [at for at, name in enumerate(table.names) if name in stay and at not in left_out]
    for at in columns:
        if table.header and _unnamed(table.names[at]):
            raise DataError(
                f"{path}: column number {at} has no name, as the index that pandas writes; leave "
                f"it out with ignore = [{at}], or name it"
            )
    if len(columns) < 2:
        raise DataError(
            f"{path}: one column is left; it needs inputs and a target", "ignore", also="path"
        )
    return columns


def _unnamed(name: str) -> bool:
    """Without a name, or with the one that pandas gives such a column."""
    return not name or name.partition(": ")[0] == "Unnamed"


def _target_column(
    path: Path, target: str | int | None, table: _Cells, columns: Sequence[int]
) -> int:
    names = table.names
    at = columns[-1]
    if isinstance(target, str) and target in names:
        at = names.index(target)
    elif isinstance(target, int) and not isinstance(target, bool):
        at = target % len(names) if -len(names) <= target < len(names) else len(names)
    elif target is not None:
        at = len(names)
    if at not in columns:
        accepted = ", ".join(names[index] for index in columns)
        accepted = (
            accepted if table.header else f"numbers 0 to {len(names) - 1}, as it has no header"
        )
        raise DataError(
            f"{path}: there is no column {target!r} for the target; it has {accepted}", "target"
        )
    alike = [index for index in columns if names[index] == names[at]]
    if len(alike) > 1 and not isinstance(target, int):
        raise DataError(
            f"{path}: columns {' and '.join(map(str, alike))} (from 0) are both named "
            f"{names[at]!r}; give the target as a number, and leave the other out with ignore",
            "target",
        )
    meant = [index for index in columns if names[index].lower() in TARGETS[1:]]
    if target is None and len(meant) == 1 and meant[0] != at:
        raise DataError(
            f"{path}: the last column, {names[at]!r}, would be the target, though one is named "
            f"{names[meant[0]]!r}; say target = {names[meant[0]]!r} or target = {names[at]!r}"
        )
    return at


def _check_target(table: _Cells, at: int, kind: str | None, path: Path) -> None:
    """Raises DataError where a column of words is no target as a whole, or lacks some."""
    cells = [row[at] for _, row in table.rows]
    wrong = unclassed(cells, label_number, kind != "regression")
    if wrong is not None:
        row, words = wrong
        line = "" if row is None else f":{table.rows[row][0]}"
        column = f"column {table.names[at]!r} (number {at})"
        raise DataError(f"{path}{line}: {column}: {words}", "target", also="path")


def _values(table: _Cells, columns: Sequence[int], target: int, path: Path) -> np.ndarray:
    """The cells of `columns` as numbers; f64[rows, columns]. `target`: the target's column.

    Raises:
        DataError: a cell that is no finite number, or has more digits than float64 holds.
    """
    values = np.empty((len(table.rows), len(columns)))
    wrong: list[tuple[int, int, str]] = []
    for index, (line, row) in enumerate(table.rows):
        for place, column in enumerate(columns):
            number = number_of(row[column])
            if number is None or not math.isfinite(number):
                wrong.append((line, column, row[column].strip()))
                continue
            if abs(number) >= EXACT and is_whole(row[column]) and int(row[column]) != number:
                raise DataError(
                    f"{path}:{line}: column {table.names[column]!r} (number {column}): "
                    f"{row[column].strip()} has more digits than float64 holds; subtract an offset"
                )
            values[index, place] = number
    if wrong:
        line, column, cell = wrong[0]
        finite = "" if number_of(cell) is None else "finite "
        inputs = sorted({at for _, at, _ in wrong} - {target})
        several = f" in {len(inputs):,} columns" if len(inputs) > 1 else ""
        others = f" (one of {len(wrong):,} such cells{several})" if len(wrong) > 1 else ""
        first = line == table.rows[0][0] and not table.header
        hint = "; if this row is the header, say header = true" if first else ""
        if has_comma(cell):
            advice = 'for numbers with a decimal comma say decimal = ","'
        elif column == target:
            advice = (
                "encode the target's words as labels 0, 1, ..., leave out rows without a target, "
                "or name another column with target = ..."
            )
        else:
            advice = (
                "encode words as numbers, remove or impute missing values, or leave the "
                f"{'columns' if several else 'column'} out with "
                f"ignore = [{', '.join(_quoted(table, at) for at in inputs)}]"
            )
        raise DataError(
            f"{path}:{line}: column {table.names[column]!r} (number {column}): {cell!r} is not a "
            f"{finite}number{others}; {advice}{hint}"
        )
    return values


def _quoted(table: _Cells, column: int) -> str:
    return f"{table.names[column]!r}" if table.header else str(column)
