"""A run's numbers as CSV, NumPy archive or NetCDF."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.core.errors import ConfigError, Problem

FORMATS = {
    "csv": "export.csv",
    "curves": "curves.csv",
    "npz": "export.npz",
    "nc": "export.nc",
}
"""Format -> the file's name in the run folder."""


def write(folder: Path, format: str, target: str) -> int | None:
    """Write `folder`'s numbers to `target` ("-": standard output, CSV only); rows written, if any.

    Raises:
        ConfigError: NetCDF without xarray.
    """
    from lrlab.report import read

    if format == "nc":
        if importlib.util.find_spec("xarray") is None:
            message = 'needs xarray: pip install "lrlab[xarray]"'
            raise ConfigError([Problem("--format", None, "nc", message)])
        from lrlab import runs

        dataset = runs.dataset(folder)
        for name, variable in dataset.data_vars.items():
            if variable.dtype.kind in "UO":
                dataset[name] = variable.astype(str).astype("S")
            elif variable.dtype == np.int64:
                dataset[name] = variable.astype(np.int32)
        dataset.to_netcdf(target, engine="scipy")
        return None
    data = read(folder)
    if format == "npz":
        named: dict[str, Any] = arrays(data)
        np.savez_compressed(target, **named)
        return None
    header, rows = lanes(data) if format == "csv" else curves(data)
    count = 0
    with contextlib.ExitStack() as stack:
        if target == "-":
            file: Any = sys.__stdout__
        else:
            file = stack.enter_context(open(target, "w", newline="", encoding="utf-8"))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def arrays(data: Any) -> dict[str, np.ndarray]:
    """Every array of a run by name, the coordinates among them."""
    named = {
        "lr": data.lr,
        **data.extra,
        "seed": data.seeds,
        "step": data.steps,
        "eval_step": data.eval_steps,
        "train_loss": data.train_loss,
        "learning_rate": data.learning_rate,
        "outcome": data.outcome,
        "diverged_at": data.diverged_at,
        **data.history,
        **data.evaluated,
        **{f"initial_{name}": values for name, values in data.initial.items()},
    }
    return {name: np.asarray(values) for name, values in named.items() if values is not None}


def lanes(data: Any) -> tuple[list[str], Iterator[list[Any]]]:
    """One row per lane: axes, outcome, last evaluated metrics (empty: did not finish)."""
    metrics = {name: values for name, values in data.evaluated.items() if len(values)}
    header = [*_axes(data), "outcome", "diverged_at", *(f"final_{name}" for name in metrics)]

    def rows() -> Iterator[list[Any]]:
        for index, place in _places(data):
            final = [_cell(values[(-1, *index)]) for values in metrics.values()]
            yield [*place, data.outcome[index], int(data.diverged_at[index]), *final]

    return header, rows()


def curves(data: Any) -> tuple[list[str], Iterator[list[Any]]]:
    """Long form: one row per lane, metric and step that the lane reached."""
    header = [*_axes(data), "metric", "step", "value"]
    tables = [
        (data.steps, {"train_loss": data.train_loss, "learning_rate": data.learning_rate}),
        (data.steps, data.history),
        (data.eval_steps, data.evaluated),
    ]

    def rows() -> Iterator[list[Any]]:
        for index, place in _places(data):
            for steps, metrics in tables:
                for name, values in metrics.items():
                    for step, value in zip(steps, values[(slice(None), *index)], strict=True):
                        if np.isfinite(value):
                            yield [*place, name, int(step), float(value)]

    return header, rows()


def _axes(data: Any) -> list[str]:
    return ["lr", *data.extra, "seed"]


def _places(data: Any) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    axes = [data.lr, *data.extra.values(), data.seeds]
    for index in itertools.product(*(range(len(axis)) for axis in axes)):
        yield index, [axis[i].item() for axis, i in zip(axes, index, strict=True)]


def _cell(value: Any) -> float | str:
    return float(value) if np.isfinite(value) else ""
