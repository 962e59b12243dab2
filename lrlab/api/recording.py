"""Run folders from the API's side: opened for a job, closed whatever happens, saved and loaded."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lrlab import config, runs
from lrlab.api.assemble import Setup
from lrlab.api.result import Result
from lrlab.config import Experiment
from lrlab.engine.loop import Interrupted
from lrlab.runs.files import read_json
from lrlab.types import OUTCOMES, Plan

PACKAGES = ("lrlab", "jax", "jaxlib", "flax", "optax", "chex", "numpy", "orbax-checkpoint")


@contextlib.contextmanager
def recorded(
    command: str,
    experiment: Experiment,
    setup: Setup,
    source: dict[str, Any],
    out: str | None,
    record: bool | None,
) -> Iterator[runs.Run | None]:
    """The run folder of a job, or None where nothing is to be written.

    `record` None: only where `out` is given. A folder that holds an unfinished run of the same
    experiment is gone on with.

    Raises:
        RunError: the folder is in use, done, of another experiment, or cannot be written.
    """
    if record is False or (record is None and out is None):
        yield None
        return
    mark = fingerprint(command, experiment, setup, source)
    if out is not None and (Path(out) / "run.json").exists():
        run = runs.resume(out, mark)
    else:
        manifest = {"fingerprint": mark, **manifest_of(experiment, setup, source)}
        name = name_of(experiment)
        run = runs.create(out, name, command, config.dumps(experiment), manifest)
    try:
        yield run
    except Interrupted as stop:
        run.close("interrupted")
        stop.run = str(run.path)  # type: ignore[attr-defined]
        raise
    except BaseException as error:
        with contextlib.suppress(runs.RunError):
            run.close("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    run.close()


def name_of(experiment: Experiment) -> str:
    """What to call a run: its own name, the task's, or data and model."""
    task = experiment.task
    parts = [str(part.name) for part in (task.data, task.model) if part is not None]
    return experiment.name or task.name or "-".join(parts) or "run"


def fingerprint(command: str, experiment: Experiment, setup: Setup, source: dict[str, Any]) -> str:
    """What a run's numbers follow from: command, config, data, code of the group, tile width."""
    content = {
        "command": command,
        "config": config.digest(experiment),
        "data": source.get("sha256") or data_digest(setup),
        "task": str(source.get("name")),
        "tile_width": setup.plan.tile_width,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def data_digest(setup: Setup) -> str:
    """SHA-256 over every split's arrays."""
    import jax

    total = hashlib.sha256()
    for name in sorted(setup.data):
        for values in jax.tree.leaves(setup.data[name]):
            array = np.ascontiguousarray(values)
            total.update(f"{name}{array.shape}{array.dtype}".encode())
            total.update(array.tobytes())
    return total.hexdigest()


def manifest_of(experiment: Experiment, setup: Setup, source: dict[str, Any]) -> dict[str, Any]:
    """The fields of `run.json` that say how a run was made."""
    import jax

    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    plan = setup.plan
    device = jax.devices()[0]
    return {
        "config_hash": config.digest(experiment),
        "versions": versions,
        "git_commit": git_commit(),
        "device": {"platform": device.platform, "kind": device.device_kind, "used": plan.devices},
        "machine": platform.platform(),
        "plan": plan._asdict(),
        "data": source,
        "data_sha256": data_digest(setup),
        "metric": experiment.metric,
        "modes": setup.directions,
    }


def git_commit() -> str | None:
    """The commit of the working folder, with "+" where files differ from it; None outside git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+"],
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def save_result(result: Result, folder: Path) -> Path:
    """Writes a finished sweep as a run folder."""
    manifest = {"plan": result.plan._asdict(), "metric": result.metric, "modes": result.directions}
    run = runs.create(folder, result.name, "sweep", result.config, manifest)
    try:
        axes = {**result.axes, "seed": result.seeds}
        count = result.outcome.size
        stage = run.stage("", len(result.steps), result.eval_steps.tolist(), axes, np.arange(count))
        lanes = np.arange(count)
        for name, values in result.history.items():
            stage.rows(name, 0, lanes, values.reshape(len(values), -1))
        arrays = {
            "outcome": np.array([OUTCOMES.index(name) for name in result.outcome.ravel()], np.int8),
            **{
                name: getattr(result, name).ravel()
                for name in ("diverged_at", "last_loss", "steps_trained")
            },
            **{f"initial_{name}": values.ravel() for name, values in result.initial.items()},
            "lanes": np.empty(0, np.int64),
        }
        stage.commit(arrays, {"cohort": 1, "step": 0, "seconds": result.seconds})
        stage.finish()
        answer = result.best()
        run.finish({**answer._asdict(), "seconds": result.seconds})
    finally:
        run.close()
    return folder


def load_result(folder: Path) -> Result:
    """A sweep's result from its run folder (of a search: the lanes of all its stages)."""
    info, stage = runs.open_run(folder)
    axes = {name: values for name, values in stage.axes.items() if name != "seed"}
    text = folder / "config.toml"
    evaluated = stage.evaluated
    final = {name: values[-1] for name, values in evaluated.items()}
    final["train_loss"] = stage.history["train_loss"][-1]
    plan = dict(info.get("plan") or {})
    plan["reasons"] = tuple(plan.get("reasons") or ())
    commit = read_json(folder / "commit.json")
    return Result(
        name=str(info.get("name", folder.name)),
        axes=axes,
        seeds=stage.axes["seed"],
        steps=stage.steps,
        eval_steps=stage.eval_steps,
        history={**stage.history, **evaluated},
        initial=stage.initial,
        final=final,
        outcome=stage.outcome,
        diverged_at=stage.diverged_at,
        last_loss=stage.last_loss,
        steps_trained=stage.steps_trained,
        metric=str(info.get("metric", "valid_loss")),
        directions=dict(info.get("modes") or {}),
        plan=Plan(**plan),
        seconds=float(commit["info"]["seconds"]),
        config=text.read_text(encoding="utf-8") if text.exists() else "",
        run=str(folder),
    )
