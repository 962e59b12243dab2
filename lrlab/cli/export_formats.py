"""The formats of `lrlab export`. A new one is a function (folder, file) and a line in `FORMATS`."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import lrlab
from lrlab import runs
from lrlab.core import frames
from lrlab.core.errors import ConfigError, Problem, RunError
from lrlab.core.extras import install
from lrlab.core.files import jsonable, read_json
from lrlab.core.text import JsonObject

if TYPE_CHECKING:
    from lrlab.report import ReportData

STDOUT = "-"
"""As the name of a file: standard output."""


class Format(NamedTuple):
    """Where a run's numbers go, and how.

    `file`: the name in the run folder. `write(folder, target, per)` writes there, or to `STDOUT`
    where the format is text; it gives the number of rows, None where there are none. `table`:
    whether it has rows, of which `per` says what one is (see `ROWS`).
    """

    file: str
    write: Callable[[Path, str, str], int | None]
    table: bool = False


def write_csv(folder: Path, target: str, per: str) -> int:
    """One row per lane (or lane and step): axes, outcome, metrics (empty: no number)."""
    tables = _tables(folder, per)
    first = next(tables)

    def rows() -> Iterator[list[object]]:
        for columns in itertools.chain([first], tables):
            cells = [
                [("" if one != one else one) for one in values.tolist()]
                for values in columns.values()
            ]
            yield from map(list, zip(*cells, strict=True))

    return _write_rows(target, list(first), rows())


def write_parquet(folder: Path, target: str, per: str) -> int:
    """The rows of the CSV table, with the types of its columns; null: no number.

    Raises:
        ConfigError: without pyarrow.
    """
    _needs("pyarrow", "pandas", "parquet")
    return frames.write_parquet(_tables(folder, per), target)


def write_curves(folder: Path, target: str, per: str) -> int:
    """Long form: one row per lane, metric and step that the lane reached."""
    data = lrlab.report.read(folder, every_lane=True)
    header = [*_axes(data), "metric", "step", "value"]
    record = data.record
    names = dict.fromkeys(["train_loss", "learning_rate", *record.history, *record.evaluated])

    def rows() -> Iterator[list[object]]:
        for part in _parts(data):
            for index, place in _lanes(part):
                for name in names:
                    values, axis, _ = part.record.metrics[name]
                    steps = record.steps if axis == "step" else record.eval_steps
                    for step, value in zip(steps, values[(slice(None), *index)], strict=True):
                        if np.isfinite(value):
                            yield [*place, name, int(step), float(value)]

    return _write_rows(target, header, rows())


def write_npz(folder: Path, target: str, per: str) -> None:
    """Every array of a run by name, the coordinates among them."""
    arrays = _arrays(lrlab.report.read(folder, every_lane=True))
    with open(target, "wb") as file:  # NumPy would add an ending to a name
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def write_json(folder: Path, target: str, per: str) -> None:
    """One object: the arrays of a run by name, nested; null: no number; `answer` beside them. Of a
    comparison or a study what it came to."""
    content = json.dumps(jsonable(_object(folder)), allow_nan=False)
    if target == STDOUT:
        assert sys.__stdout__ is not None
        sys.__stdout__.write(content + "\n")
    else:
        Path(target).write_text(content + "\n", encoding="utf-8")


def _object(folder: Path) -> JsonObject:
    if kind_of(folder):
        return _payload(folder)
    data = lrlab.report.read(folder, every_lane=True)
    answer = {} if data.answer is None else {"answer": dict(data.answer)}
    arrays = {name: values.tolist() for name, values in _arrays(data).items()}
    return {"name": data.title, **arrays, **answer}


def _arrays(data: ReportData) -> dict[str, np.ndarray]:
    """Every array of a run by name."""
    record = data.record
    return {
        "lr": data.lr,
        **data.extra,
        "seed": data.seeds,
        "step": record.steps,
        "eval_step": record.eval_steps,
        "outcome": data.outcome,
        "diverged_at": record.diverged_at,
        **{name: metric.values for name, metric in record.metrics.items()},
        **{f"initial_{name}": values for name, values in record.initial.items()},
    }


def write_netcdf(folder: Path, target: str, per: str) -> None:
    """NetCDF 3, which has neither text of any length nor whole numbers of 64 bits.

    Raises:
        ConfigError: without xarray.
    """
    _needs("xarray", "xarray", "nc")
    dataset = runs.dataset(folder)
    for name, variable in dataset.data_vars.items():
        if variable.dtype.kind in "UO":
            dataset[name] = variable.astype(str).astype("S")
        elif variable.dtype == np.int64:
            dataset[name] = variable.astype(np.int32)
    dataset.to_netcdf(target, engine="scipy")


FORMATS = {
    "csv": Format("export.csv", write_csv, table=True),
    "parquet": Format("export.parquet", write_parquet, table=True),
    "curves": Format("curves.csv", write_curves),
    "npz": Format("export.npz", write_npz),
    "nc": Format("export.nc", write_netcdf),
    "json": Format("export.json", write_json),
}


ROWS: Mapping[str, Sequence[str]] = {
    "compare": ("setting",), "study": ("group", "rate"), "": ("lane", "step")
}  # fmt: skip
"""What a row of a table is for, by command ("": every other); the first where nobody says."""

WHOLE = ("csv", "parquet", "json")
"""Formats of a comparison and a study, which have a table and no arrays."""

TEXT = ("csv", "curves", "json")
"""Formats that standard output takes."""


PART_VALUES = 1 << 21
"""Recorded values that are held at once where a run's curves become rows of text: a value takes
some 100 bytes on the way."""


def _needs(package: str, extra: str, format: str) -> None:
    """Refuses a format whose optional package is not installed."""
    if importlib.util.find_spec(package) is None:
        message = f"needs the package {package}: {install(extra)}"
        raise ConfigError([Problem("--format", None, format, message)])


def kind_of(folder: Path) -> str:
    """Which of `ROWS` a run folder is.

    Raises:
        RunError: its record is damaged, or a comparison or a study is not finished.
    """
    if not (folder / "run.json").is_file():
        return "compare"  # of an early lrlab
    command = str(read_json(folder / "run.json").get("command"))
    if command not in ROWS:
        return ""
    if not (folder / "summary.json").is_file():
        raise RunError(folder, f"not finished; {runs.onward(folder)}")
    return command


def _payload(folder: Path) -> JsonObject:
    return runs.read_summary(folder).payload(folder)


def _parts(data: ReportData) -> Iterator[ReportData]:
    """The run, or of a large one some rates at a time, so that few numbers are in memory."""
    values = sum(metric.values.size for metric in data.record.metrics.values())
    count = len(data.lr)
    at_once = max(1, PART_VALUES * count // max(1, values))
    if at_once >= count:
        yield data
        return
    for start in range(0, count, at_once):
        rates = np.arange(start, min(start + at_once, count))
        yield lrlab.report.with_rates(data, rates)


def _tables(folder: Path, per: str) -> Iterator[frames.Columns]:
    """The table of a run, a large one in parts with the same columns; of a comparison or a study
    what it came to."""
    if per == ROWS["compare"][0]:
        yield lrlab.report.tidy.settings(_payload(folder))
        return
    if per in ROWS["study"]:
        yield lrlab.report.tidy.groups(_payload(folder), per)
        return
    data = lrlab.report.read(folder, every_lane=True)
    tidy, whole = lrlab.report.tidy, len(data.lr)
    for part in [data] if per == tidy.PER_LANE else _parts(data):
        axes = {"lr": part.lr, **part.extra, "seed": part.seeds}
        if per == tidy.PER_LANE or len(part.lr) == whole:
            yield tidy.table(part.record, axes, per)
        else:
            yield tidy.steps(part.record, axes, every=True)


def _write_rows(target: str, header: list[str], rows: Iterable[list[object]]) -> int:
    """A CSV table; the number of its rows."""
    count = 0
    with contextlib.ExitStack() as stack:
        if target == STDOUT:
            file = sys.__stdout__
        else:
            file = stack.enter_context(open(target, "w", newline="", encoding="utf-8"))
        assert file is not None
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _axes(data: ReportData) -> list[str]:
    return ["lr", *data.extra, "seed"]


def _lanes(data: ReportData) -> Iterator[tuple[tuple[int, ...], list[float]]]:
    """(index in the arrays, values of the axes) of every lane."""
    axes = [data.lr, *data.extra.values(), data.seeds]
    for index in itertools.product(*(range(len(axis)) for axis in axes)):
        yield index, [axis[i].item() for axis, i in zip(axes, index, strict=True)]
