"""Reading run folders: arrays by name, one grid for all stages, or an xarray.Dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lrlab.core.errors import RunError
from lrlab.core.paths import resolved, shown
from lrlab.runs import zarr_arrays
from lrlab.runs.checkpoint import load_checkpoint
from lrlab.runs.folder import read_info
from lrlab.runs.integrity import check_files, discard
from lrlab.runs.seals import inner_runs, read_sealed
from lrlab.types import OUTCOMES


class StoredStage(NamedTuple):
    """One stage as recorded. Axes: lr, further lane axes, seed.

    `axes` name -> values; `steps` int[T], `eval_steps` int[E]; `history` [T, axes...] and
    `evaluated` [E, axes...] by metric; `initial` [axes...]; `outcome` str[axes...];
    `diverged_at`, `steps_trained` int[axes...]; `last_loss` [axes...].
    """

    axes: dict[str, np.ndarray]
    steps: np.ndarray
    eval_steps: np.ndarray
    history: dict[str, np.ndarray]
    evaluated: dict[str, np.ndarray]
    initial: dict[str, np.ndarray]
    outcome: np.ndarray
    diverged_at: np.ndarray
    steps_trained: np.ndarray
    last_loss: np.ndarray


def stages(path: str | Path) -> list[str]:
    """The stages of a run that hold anything, in the order they were made."""
    folder = resolved(path)
    later = sorted(
        (p.parent.name for p in folder.glob("stages/*/commit.json")),
        key=lambda name: (len(name), name),
    )
    return ([""] if (folder / "commit.json").exists() else []) + later


def read_stage(path: str | Path, name: str = "") -> StoredStage:
    """One stage of a run folder, up to its last commit: what a crash left after it is nan.

    Raises:
        RunError: nothing recorded, or something damaged; names the file.
    """
    folder = resolved(path) / "stages" / name if name else resolved(path)
    if not (folder / "commit.json").exists():
        raise RunError(folder, "nothing is recorded here yet")
    commit = read_sealed(folder / "commit.json")
    store = folder / "history.zarr"
    check_files(store, commit)
    present = zarr_arrays.names(store)
    metrics = [metric for metric in commit["metrics"] if metric in present]
    if missing := sorted(set(commit["metrics"]) - set(present)):
        raise RunError(store, f"missing arrays: {', '.join(missing)}")
    steps, eval_steps = (zarr_arrays.read(store, axis) for axis in ("step", "eval_step"))
    dims = zarr_arrays.dims(store, metrics[0])[1:] if metrics else []
    axes = {dim: zarr_arrays.read(store, dim) for dim in dims}
    shape = tuple(len(values) for values in axes.values())
    tables = {metric: zarr_arrays.read(store, metric) for metric in metrics}
    blank: dict[str, Any] = {
        "outcome": np.full(shape, 3, np.int8),
        "diverged_at": np.full(shape, -1),
        "steps_trained": np.zeros(shape, np.int64),
        "last_loss": np.full(shape, np.nan),
    }
    complete = bool(commit.get("complete"))
    lanes = {
        name: zarr_arrays.read(store, name) if complete and name in present else value
        for name, value in blank.items()
    }
    if not complete:
        _up_to_commit(folder, commit, tables, {True: steps + 1, False: eval_steps})
    initial = {
        name.removeprefix("initial_"): zarr_arrays.read(store, name)
        for name in present
        if name.startswith("initial_") and complete
    }
    return StoredStage(
        axes=axes,
        steps=steps,
        eval_steps=eval_steps,
        history={m: values for m, values in tables.items() if zarr_arrays.on_steps(m)},
        evaluated={m: values for m, values in tables.items() if not zarr_arrays.on_steps(m)},
        initial=initial,
        outcome=np.asarray(OUTCOMES)[lanes["outcome"]],
        diverged_at=lanes["diverged_at"],
        steps_trained=lanes["steps_trained"],
        last_loss=lanes["last_loss"],
    )


def _up_to_commit(
    folder: Path,
    commit: dict[str, Any],
    tables: dict[str, np.ndarray],
    ends: dict[bool, np.ndarray],
) -> None:
    """Discards rows after the last commit: by lane as the checkpoint counts them, or by row where
    the checkpoint is damaged."""
    try:
        trained = load_checkpoint(folder, commit)["steps_trained"]
    except RunError:
        trained = None
    for name, values in tables.items():
        end = int(commit["rows"][name][1]) if name in commit.get("rows", {}) else len(values)
        values[end:] = np.nan
        # Lanes are in C order of the grid where they fill it; a search's stage need not.
        if trained is not None and trained.size == values[0].size:
            discard(values, ends[zarr_arrays.on_steps(name)], trained.reshape(values.shape[1:]))


def open_run(path: str | Path) -> tuple[dict[str, Any], StoredStage]:
    """`run.json` and all stages of a run on one grid: a search's later rates and seeds included.

    Cells that no stage trained are "not_run"; where two stages trained a cell, the longer counts.

    Raises:
        RunError: no run folder, nothing recorded, or something damaged.
    """
    path = resolved(path)
    info = read_info(path)
    if (path / "longer.json").exists():
        raise RunError(
            path, f"its steps were being raised; `lrlab resume {shown(path)}` completes that"
        )
    parts = [read_stage(path, name) for name in stages(path)]
    if not parts and info.get("command") == "study":
        raise RunError(
            path, f"a study holds no lanes itself; its runs are in {shown(path / 'groups')}"
        )
    if not parts and info.get("command") == "compare":
        names = ", ".join(shown(place.parent) for place in inner_runs(path))
        raise RunError(path, f"a comparison holds no lanes itself; its runs are {names}")
    if not parts:
        raise RunError(path, "nothing is recorded here yet")
    return info, parts[0] if len(parts) == 1 else _merged(parts)


def _snapped(parts: list[StoredStage]) -> list[StoredStage]:
    """Rates that differ in their last bits only, as one: a search comes to a rate on two ways."""
    known: list[float] = []
    made = []
    for part in parts:
        name, values = next(iter(part.axes.items()))
        near = [
            next((k for k in known if np.isclose(k, v, rtol=1e-12, atol=0)), v)
            for v in values.tolist()
        ]
        if len(set(near)) == len(near):
            part = part._replace(axes={**part.axes, name: np.array(near, values.dtype)})
        known += [value for value in part.axes[name].tolist() if value not in known]
        made.append(part)
    return made


def _merged(parts: list[StoredStage]) -> StoredStage:
    parts = _snapped(parts)
    axes = {
        name: np.unique(np.concatenate([part.axes[name] for part in parts]))
        for name in parts[0].axes
    }
    shape = tuple(len(values) for values in axes.values())
    first = parts[0]

    def blank(template: np.ndarray, lead: int, fill: Any) -> np.ndarray:
        return np.full((*template.shape[:lead], *shape), fill, template.dtype)

    history = {name: blank(values, 1, np.nan) for name, values in first.history.items()}
    evaluated = {name: blank(values, 1, np.nan) for name, values in first.evaluated.items()}
    initial = {name: blank(values, 0, np.nan) for name, values in first.initial.items()}
    merged = first._replace(
        axes=axes,
        history=history,
        evaluated=evaluated,
        initial=initial,
        outcome=np.full(shape, "not_run", first.outcome.dtype),
        diverged_at=blank(first.diverged_at, 0, -1),
        steps_trained=blank(first.steps_trained, 0, 0),
        last_loss=blank(first.last_loss, 0, np.nan),
    )
    for part in parts:
        places = np.ix_(*(np.searchsorted(axes[name], part.axes[name]) for name in axes))
        take = part.steps_trained > merged.steps_trained[places]
        for name in ("outcome", "diverged_at", "steps_trained", "last_loss"):
            whole = getattr(merged, name)
            whole[places] = np.where(take, getattr(part, name), whole[places])
        for ours, theirs in ((merged.history, part.history), (merged.evaluated, part.evaluated)):
            for name, values in theirs.items():
                for row, whole in zip(values, ours[name], strict=True):
                    whole[places] = np.where(take, row, whole[places])
        for name, values in part.initial.items():
            whole = merged.initial[name]
            whole[places] = np.where(take, values, whole[places])
    return merged


def dataset(path: str | Path) -> Any:
    """A run as an `xarray.Dataset` with dims step, eval_step, lr, further axes, seed.

    Raises:
        RunError: see `open_run`.
        ImportError: xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError("this needs xarray: pip install xarray") from error
    info, stage = open_run(path)
    lanes = tuple(stage.axes)
    variables: dict[str, Any] = {
        **{name: (("step", *lanes), values) for name, values in stage.history.items()},
        **{name: (("eval_step", *lanes), values) for name, values in stage.evaluated.items()},
        **{f"initial_{name}": (lanes, values) for name, values in stage.initial.items()},
        **{
            name: (lanes, getattr(stage, name))
            for name in ("outcome", "diverged_at", "steps_trained", "last_loss")
        },
    }
    coordinates = {"step": stage.steps, "eval_step": stage.eval_steps, **stage.axes}
    return xarray.Dataset(variables, coordinates, {"name": str(info.get("name", ""))})
