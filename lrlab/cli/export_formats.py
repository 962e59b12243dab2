"""The formats of `lrlab export`. A new one is a function (folder, file) and a line in `FORMATS`."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import lrlab
from lrlab import runs
from lrlab.core.errors import ConfigError, Problem
from lrlab.core.extras import install

if TYPE_CHECKING:
    from lrlab.report import ReportData

STDOUT = "-"
"""As the name of a file: standard output."""


class Format(NamedTuple):
    """Where a run's numbers go, and how.

    `file`: the name in the run folder. `write(folder, target)` writes there, or to `STDOUT` where
    the format is text; it gives the number of rows, None where there are none.
    """

    file: str
    write: Callable[[Path, str], int | None]


def write_csv(folder: Path, target: str) -> int:
    """One row per lane: axes, outcome, last evaluated metrics (empty: did not finish)."""
    data = lrlab.report.read(folder)
    record, outcome = data.record, data.outcome
    metrics = {name: values for name, values in record.evaluated.items() if len(values)}
    header = [*_axes(data), "outcome", "diverged_at", *(f"final_{name}" for name in metrics)]

    def rows() -> Iterator[list[object]]:
        for index, place in _lanes(data):
            final = [_cell(values[(-1, *index)]) for values in metrics.values()]
            yield [*place, outcome[index], int(record.diverged_at[index]), *final]

    return _write_rows(target, header, rows())


def write_curves(folder: Path, target: str) -> int:
    """Long form: one row per lane, metric and step that the lane reached."""
    data = lrlab.report.read(folder)
    header = [*_axes(data), "metric", "step", "value"]
    record = data.record
    names = dict.fromkeys(["train_loss", "learning_rate", *record.history, *record.evaluated])

    def rows() -> Iterator[list[object]]:
        for index, place in _lanes(data):
            for name in names:
                values, axis, _ = record.metrics[name]
                steps = record.steps if axis == "step" else record.eval_steps
                for step, value in zip(steps, values[(slice(None), *index)], strict=True):
                    if np.isfinite(value):
                        yield [*place, name, int(step), float(value)]

    return _write_rows(target, header, rows())


def write_npz(folder: Path, target: str) -> None:
    """Every array of a run by name, the coordinates among them."""
    data = lrlab.report.read(folder)
    record = data.record
    arrays = {
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
    np.savez_compressed(target, **arrays)  # type: ignore[arg-type]


def write_netcdf(folder: Path, target: str) -> None:
    """NetCDF 3, which has neither text of any length nor whole numbers of 64 bits.

    Raises:
        ConfigError: without xarray.
    """
    if importlib.util.find_spec("xarray") is None:
        message = f"needs the package xarray: {install('xarray')}"
        raise ConfigError([Problem("--format", None, "nc", message)])
    dataset = runs.dataset(folder)
    for name, variable in dataset.data_vars.items():
        if variable.dtype.kind in "UO":
            dataset[name] = variable.astype(str).astype("S")
        elif variable.dtype == np.int64:
            dataset[name] = variable.astype(np.int32)
    dataset.to_netcdf(target, engine="scipy")


FORMATS = {
    "csv": Format("export.csv", write_csv),
    "curves": Format("curves.csv", write_curves),
    "npz": Format("export.npz", write_npz),
    "nc": Format("export.nc", write_netcdf),
}


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


def _cell(value: np.floating) -> float | str:
    return float(value) if np.isfinite(value) else ""
