"""Reading run folders: arrays by name, one grid for all stages, or an xarray.Dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core import frames
from lrlab.core.errors import RunError
from lrlab.core.paths import resolved, shown
from lrlab.core.records import Direction, LaneRecord, Metric, blank_record
from lrlab.core.text import JsonObject, Table
from lrlab.runs import extend, zarr_arrays
from lrlab.runs.checkpoint import load_checkpoint
from lrlab.runs.folder import read_info
from lrlab.runs.integrity import check_files, discard
from lrlab.runs.seals import inner_runs, read_sealed
from lrlab.runs.stored import LARGE

if TYPE_CHECKING:
    import xarray

INITIAL = "initial_"
"""In front of a metric's name: its values before the first update."""


def blank_grid(
    axes: Mapping[str, np.ndarray], steps: np.ndarray, eval_steps: np.ndarray
) -> LaneRecord:
    """A grid of lanes that were not run; `axes` hold each axis's own values."""
    count = int(np.prod([len(values) for values in axes.values()]))
    blank = blank_record({"cell": np.arange(count)}, len(steps), eval_steps.tolist())
    return blank.grid(axes)._replace(steps=steps, eval_steps=eval_steps)


def stages(path: str | Path) -> list[str]:
    """The stages of a run that hold anything, in the order they were made."""
    folder = resolved(path)
    later = sorted(
        (p.parent.name for p in folder.glob("stages/*/commit.json")),
        key=lambda name: (len(name), name),
    )
    return ([""] if (folder / "commit.json").exists() else []) + later


def read_stage(path: str | Path, name: str = "", lazy: bool = False) -> LaneRecord:
    """One stage of a run folder, a grid of (lr, further lane axes, seed), up to its last commit:
    what a crash left after it is nan. `lazy`: large arrays of a stage that is complete are read
    where they are looked at.

    Raises:
        RunError: nothing recorded, or something damaged; names the file.
    """
    folder = stage_folder(resolved(path), name)
    if not (folder / "commit.json").exists():
        raise RunError(folder, "nothing is recorded here yet")
    commit = read_sealed(folder / "commit.json")
    trained = lambda: load_checkpoint(folder, commit)["steps_trained"]  # noqa: E731
    return committed(folder, commit, trained, lazy)


def read_where_it_lies(record: LaneRecord, path: Path) -> LaneRecord:
    """A flat record of the only stage of a run, complete: its large arrays are those of the folder
    from here on, and the memory that they took is free."""
    if all(one.values.nbytes < LARGE for one in record.metrics.values()):
        return record
    whole = read_stage(path, lazy=True)
    metrics = {
        name: one._replace(values=whole.metrics[name].values.reshape(one.values.shape))
        if name in whole.metrics and one.values.nbytes >= LARGE
        else one
        for name, one in record.metrics.items()
    }
    return record._replace(metrics=metrics)


def stage_folder(path: Path, name: str) -> Path:
    """Where a stage of a run lies; "" is the first."""
    return path / "stages" / name if name else path


def committed(
    folder: Path, commit: JsonObject, trained: Callable[[], np.ndarray], lazy: bool = False
) -> LaneRecord:
    """What a stage's commit holds, a grid. `trained` gives the updates of each lane, int[N], where
    the stage is not complete.

    Raises:
        RunError: something is damaged or missing; names the file.
    """
    store = folder / "history.zarr"
    check_files(store, commit)
    present = zarr_arrays.names(store)
    if missing := sorted(set(commit["metrics"]) - set(present)):
        raise RunError(store, f"missing arrays: {', '.join(missing)}")
    lazy = lazy and bool(commit.get("complete"))
    steps, eval_steps = (zarr_arrays.read(store, axis) for axis in ("step", "eval_step"))
    metrics = {
        name: Metric(zarr_arrays.read(store, name, lazy), zarr_arrays.time_axis(store, name))
        for name in commit["metrics"]
    }
    dims = zarr_arrays.dims(store, commit["metrics"][0])[1:] if metrics else []
    axes = {dim: zarr_arrays.read(store, dim) for dim in dims}
    record = blank_grid(axes, steps, eval_steps)
    if not commit.get("complete"):
        _up_to_commit(commit, metrics, {"step": steps + 1, "eval_step": eval_steps}, trained)
        return record._replace(metrics=metrics, seconds=float(commit["info"]["seconds"]))
    lanes = {
        field: zarr_arrays.read(store, field)
        for field in ("outcome", "diverged_at", "steps_trained", "last_loss")
        if field in present
    }
    initial = {
        name: zarr_arrays.read(store, f"{INITIAL}{name}")
        for name in metrics
        if f"{INITIAL}{name}" in present
    }
    seconds = float(commit["info"]["seconds"])
    return record._replace(metrics=metrics, initial=initial, seconds=seconds, **lanes)


def _up_to_commit(
    commit: JsonObject,
    metrics: dict[str, Metric],
    ends: dict[str, np.ndarray],
    trained_of: Callable[[], np.ndarray],
) -> None:
    """Discards rows after the last commit: by lane as the checkpoint counts them, or by row where
    the checkpoint is damaged."""
    try:
        trained = trained_of()
    except RunError:
        trained = None
    for name, metric in metrics.items():
        values = metric.values
        end = int(commit["rows"][name][1]) if name in commit.get("rows", {}) else len(values)
        values[end:] = np.nan
        if trained is not None and (places := cells_of(commit, values[0].size, trained.size)).size:
            full = np.zeros(values[0].size, np.int64)
            full[places] = trained
            discard(values, ends[metric.axis], full.reshape(values.shape[1:]))


def cells_of(commit: Table, size: int, lanes: int) -> np.ndarray:
    """The place of each of a stage's lanes in its grid of `size`, int[lanes]; none, int[0], where
    the commit does not say (older ones do not, unless the lanes fill the grid)."""
    cells = np.asarray(commit.get("cells", np.arange(size)), np.int64)
    return cells if len(cells) == lanes else np.empty(0, np.int64)


def open_run(path: str | Path, lazy: bool = False) -> tuple[JsonObject, LaneRecord]:
    """`run.json` and all stages of a run on one grid: a search's later rates and seeds included.

    Cells that no stage trained are "not_run"; where two stages trained a cell, the longer counts.

    Raises:
        RunError: no run folder, nothing recorded, or something damaged.
    """
    path = resolved(path)
    info = read_info(path)
    return info, whole_record(path, info, lazy)


def whole_record(path: Path, info: Table, lazy: bool = False) -> LaneRecord:
    """What all stages of a run recorded, on one grid; see `open_run`. `lazy`: large arrays of a run
    with one stage are read where they are looked at."""
    if extend.pending(path):
        raise RunError(
            path, f"its steps were being raised; `lrlab resume {shown(path)}` completes that"
        )
    names = stages(path)
    parts = [read_stage(path, name, lazy and len(names) == 1) for name in names]
    if not parts and info.get("command") == "study":
        raise RunError(
            path, f"a study holds no lanes itself; its runs are in {shown(path / 'groups')}"
        )
    if not parts and info.get("command") == "compare":
        names = ", ".join(shown(place.parent) for place in inner_runs(path))
        raise RunError(path, f"a comparison holds no lanes itself; its runs are {names}")
    if not parts:
        raise RunError(path, "nothing is recorded here yet")
    record = parts[0] if len(parts) == 1 else merged(parts)
    return record.directed(dict(info.get("modes") or {}))


def _snapped(parts: list[LaneRecord]) -> list[LaneRecord]:
    """Rates that differ in their last bits only, as one: a search comes to a rate on two ways."""
    rates: list[float] = []
    snapped = []
    for part in parts:
        name, values = next(iter(part.axes.items()))
        near = [
            next((k for k in rates if np.isclose(k, v, rtol=1e-12, atol=0)), v)
            for v in values.tolist()
        ]
        if len(set(near)) == len(near):
            part = part._replace(axes={**part.axes, name: np.array(near, values.dtype)})
        rates += [value for value in part.axes[name].tolist() if value not in rates]
        snapped.append(part)
    return snapped


def merged(parts: list[LaneRecord]) -> LaneRecord:
    """The records of several stages on one grid; a metric that only later stages have is left out,
    as the first stage's lanes lack it."""
    parts = _snapped(parts)
    axes = {
        name: np.unique(np.concatenate([part.axes[name] for part in parts]))
        for name in parts[0].axes
    }
    first = parts[0]
    places = [
        np.ravel_multi_index(
            np.ix_(*(np.searchsorted(axes[name], part.axes[name]) for name in axes)),
            tuple(len(values) for values in axes.values()),
        ).ravel()
        for part in parts
    ]
    whole = first.flat().grid(axes, places[0]).flat()
    for part, cells in zip(parts[1:], places[1:], strict=True):
        flat = part.flat()
        longer = flat.steps_trained > whole.steps_trained[cells]
        cells, lanes = cells[longer], np.flatnonzero(longer)
        for field in ("outcome", "diverged_at", "steps_trained", "last_loss"):
            getattr(whole, field)[cells] = getattr(flat, field)[lanes]
        for name, metric in whole.metrics.items():
            if name in flat.metrics:
                metric.values[:, cells] = flat.metrics[name].values[:, lanes]
        for name, values in whole.initial.items():
            if name in flat.initial:
                values[cells] = flat.initial[name][lanes]
    return whole.grid(axes)


def dataset(path: str | Path) -> xarray.Dataset:
    """A run as an `xarray.Dataset` with dims step, eval_step, lr, further axes, seed.

    Raises:
        RunError: see `open_run`.
        ImportError: xarray is not installed.
    """
    info, record = open_run(path)
    return dataset_of(record, {"name": str(info.get("name", ""))})


def dataset_of(record: LaneRecord, attributes: Mapping[str, str]) -> xarray.Dataset:
    """A grid of lanes as an `xarray.Dataset`.

    Raises:
        ImportError: xarray is not installed.
    """
    lanes = tuple(record.axes)
    variables: JsonObject = {
        **{
            name: ((one.axis, *lanes), one.values, _better(one.direction))
            for name, one in record.metrics.items()
        },
        **{f"{INITIAL}{name}": (lanes, values) for name, values in record.initial.items()},
        "outcome": (lanes, record.outcome_names),
        **{
            name: (lanes, getattr(record, name))
            for name in ("diverged_at", "last_loss", "steps_trained")
        },
    }
    coordinates = {"step": record.steps, "eval_step": record.eval_steps, **record.axes}
    return frames.dataset(variables, coordinates, attributes)


def _better(direction: Direction | None) -> dict[str, str]:
    """A metric's direction as attributes of its array."""
    return {} if direction is None else {"direction": direction}
