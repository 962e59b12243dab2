"""More updates for a run that has its final states: recorded first, then done, so that a crash in
between is repaired by doing it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lrlab.core.errors import RunError
from lrlab.core.files import sha256, write_text
from lrlab.core.text import JsonObject, Table
from lrlab.runs import zarr_arrays
from lrlab.runs.checkpoint import load_checkpoint, save_checkpoint
from lrlab.runs.folder import Run
from lrlab.runs.lock import Lock
from lrlab.runs.seals import read_sealed, write_sealed

INTENT = "longer.json"
"""Holds what is to be done while it is being done."""


def lengthen(
    run: Run,
    steps: int,
    eval_steps: Sequence[int],
    config_text: str,
    fields: Table,
) -> None:
    """Makes room for `steps` updates in a run of one stage; its lanes continue from their last
    states.

    `eval_steps` begins with the run's own; `fields` replace those of `run.json`.

    Raises:
        RunError: the final states were not kept, or something is damaged; nothing was changed.
    """
    commit_path = run.path / "commit.json"
    if commit_path.exists():
        commit = read_sealed(commit_path)
        arrays = load_checkpoint(run.path, commit)
        if not set(np.flatnonzero(arrays["outcome"] == 0)) <= set(arrays["lanes"].tolist()):
            raise RunError(
                run.path,
                "its final states were not kept (they are too large to be held at "
                "once), so no lane can continue; start a new run with more steps",
            )
    store = run.path / "history.zarr"
    before = zarr_arrays.read(store, "eval_step").tolist() if commit_path.exists() else []
    if list(eval_steps)[: len(before)] != before:
        raise RunError(run.path, f"was evaluated after {before[:3]}... updates, not as asked")
    intent = {
        "format": 2,
        "steps": int(steps),
        "eval_steps": [int(step) for step in eval_steps],
        "config": config_text,
        "fields": dict(fields),
    }
    write_sealed(run.path / INTENT, intent)
    _settle(run)


def pending(path: Path) -> bool:
    """Whether a crash came while a run was made longer."""
    return (path / INTENT).exists()


def settle(path: Path, info: Table, lock: Lock) -> JsonObject:
    """Does again what `longer.json` says, in a folder whose lock the caller keeps.

    Returns:
        `run.json` as it is then.

    Raises:
        RunError: something is damaged.
    """
    run = Run(path, info, lock)
    _settle(run)
    run.update(status="interrupted")
    return run.info


def _settle(run: Run) -> None:
    place = run.path / INTENT
    intent = read_sealed(place)
    store = run.path / "history.zarr"
    commit_path = run.path / "commit.json"
    commit = read_sealed(commit_path) if commit_path.exists() else None
    lengths = {"step": int(intent["steps"]), "eval_step": len(intent["eval_steps"])}
    axes = {"step": np.arange(lengths["step"]), "eval_step": np.asarray(intent["eval_steps"])}
    for name, values in axes.items() if commit is not None else ():
        zarr_arrays.resize(store, name, len(values))
        zarr_arrays.write(store, name, values.astype(np.int64), [name])
    for name in (commit or {}).get("metrics", []):
        zarr_arrays.resize(store, name, lengths[zarr_arrays.time_axis(store, name)])
    if commit is not None:
        write_sealed(commit_path, _reopened(run.path, commit, store))
    (run.path / "checksums.json").unlink(missing_ok=True)
    (run.path / "summary.json").unlink(missing_ok=True)
    write_text(run.path / "config.toml", intent["config"])
    run.update(**intent["fields"], config_sha256=sha256(run.path / "config.toml"), status="running")
    place.unlink()


def _reopened(folder: Path, commit: JsonObject, store: Path) -> JsonObject:
    """The commit with its finished lanes as lanes that train on, and the layout as it is now."""
    lanes = set(commit.get("lanes", ()))
    axes = [name.split("/")[0] for name in commit["fixed"] if "/c/" in name]
    fixed = zarr_arrays.fixed_files(store, sorted(set(axes)))
    left = {k: v for k, v in fixed.items() if k.split("/")[0] not in lanes}
    commit = {**commit, "fixed": left, "complete": False}
    commit.pop("lanes", None)
    arrays = load_checkpoint(folder, commit)
    if int(commit["info"]["cohort"]) == 0 or not len(arrays["lanes"]):
        return commit
    ended = arrays["outcome"] == 0
    arrays["outcome"] = np.where(ended, 3, arrays["outcome"]).astype(np.int8)
    at = int(arrays["steps_trained"][arrays["lanes"]].max())
    number = int(commit["number"]) + 1
    name = f"checkpoint/{number:06d}"
    info = {**commit["info"], "cohort": 0, "step": at}
    checks = save_checkpoint(folder, name, arrays)
    return {**commit, "number": number, "checkpoint": name, "info": info, "checksums": checks}
