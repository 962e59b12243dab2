"""Run folders from the API's side: opened for a job, closed whatever happens, saved and loaded."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lrlab import config, runs
from lrlab.config import Experiment
from lrlab.core.errors import Interrupted
from lrlab.core.paths import resolved, shown
from lrlab.results.sweep import Result
from lrlab.runs.seals import read_sealed, write_sealed
from lrlab.training.continuation import permitted
from lrlab.training.fingerprint import data_digest, fingerprint, identity, moved, same, versions
from lrlab.training.group import Setup
from lrlab.training.progress import USUAL, Control
from lrlab.types import OUTCOMES, Plan


def out_of(out: str | os.PathLike[str] | None) -> str | None:
    """The run folder of a call: from here on one path, whatever it is called later.

    Raises:
        ConfigError: no path.
    """
    try:
        return None if out is None else str(resolved(out))
    except (TypeError, ValueError):
        message = f"must be the path of a folder, got {config.show(out)}"
        raise config.ConfigError([config.Problem(config.PYTHON, None, "out", message)]) from None


@contextlib.contextmanager
def recorded(
    command: str,
    experiment: Experiment,
    setup: Setup | None,
    out: str | None,
    record: bool | None,
    control: Control = USUAL,
    *,
    before: tuple[Experiment, Setup] | None = None,
    made_with: Mapping[str, Any] | None = None,
) -> Iterator[runs.Run | None]:
    """The run folder of a job, or None where nothing is to be written.

    An unfinished run of the same experiment that the folder holds is continued.

    Args:
        setup: the group; None for a job that only gathers others (a comparison).
        record: None: only where `out` is given.
        control: how often the run commits, and what is called where it stays unfinished.
        before: the run as it began, where its steps are raised.
        made_with: what a new run's `run.json` says beside its configuration.

    Raises:
        RunError: the folder is in use, done, of another experiment, or cannot be written.
    """
    if record is False or (record is None and out is None):
        yield None
        return
    parts = identity(command, experiment, setup)
    if out is not None and (Path(out) / "run.json").is_file():
        interval = control.commit_every
        run = _reopened(command, experiment, setup, Path(out), parts, before, interval)
    else:
        manifest = {
            "fingerprint": fingerprint(parts),
            "identity": parts,
            **manifest_of(experiment, setup),
            **(made_with or {}),
        }
        name = name_of(experiment)
        text = config.dumps(experiment)
        run = runs.create(out, name, command, text, manifest, control.commit_every)
    try:
        yield run
    except BaseException as error:
        stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
        with contextlib.suppress(runs.RunError):
            run.close("interrupted" if stopped else "failed")
        if not runs.finished(run.info):
            if not control.part:
                error.add_note(
                    f"The run in {shown(run.path)} is unfinished; {runs.onward(run.path)}"
                )
                if control.unfinished is not None:
                    control.unfinished(run.path)
        raise
    run.close()


def _reopened(
    command: str,
    experiment: Experiment,
    setup: Setup | None,
    path: Path,
    parts: dict[str, str],
    before: tuple[Experiment, Setup] | None,
    interval: float | None,
) -> runs.Run:
    """The run in a folder, made longer where `before` says so."""
    info = runs.read_info(path)
    runs.available(path)
    device = {} if setup is None else device_of(setup)
    changes = moved(info, device) if device else []
    text = config.dumps(experiment)
    if before is None or setup is None:
        if "identity" in info:
            same(path, info, parts, changes, text)
        run = runs.resume(path, interval=interval)
    else:
        shorter, old = before
        same(path, info, identity(command, shorter, old), changes, config.dumps(shorter))
        permitted(path, old, setup, experiment.precision)
        run = runs.resume(path, interval=interval, ended=True)
        fields = {"fingerprint": fingerprint(parts), "identity": parts}
        try:
            runs.lengthen(run, setup.problem.steps, setup.eval_steps, text, fields)
        except BaseException:
            run.close()
            raise
    if changes and not runs.finished(run.info):
        # Another machine or version rounds differently: from here on bits may not be the same.
        run.update(claim="tolerance", went_on_with=[*run.info.get("went_on_with", ()), *changes])
    return run


def name_of(experiment: Experiment) -> str:
    """What to call a run: its own name, the task's, or data and model."""
    task = experiment.task
    parts = [str(part.name) for part in (task.data, task.model) if part is not None]
    return experiment.name or task.name or "-".join(parts) or "run"


def device_of(setup: Setup) -> dict[str, Any]:
    """The kind of device that trains, and how many of them."""
    import jax

    device = jax.devices()[0]
    return {
        "platform": device.platform,
        "kind": device.device_kind,
        "used": setup.plan.devices,
    }


def manifest_of(experiment: Experiment, setup: Setup | None) -> dict[str, Any]:
    """The fields of `run.json` that say how a run was made."""
    made = {
        "config_hash": config.digest(experiment),
        "versions": versions(),
        "git_commit": git_commit(),
        "machine": platform.platform(),
        "metric": experiment.metric,
    }
    if setup is None:
        return made
    return made | {
        "device": device_of(setup),
        "plan": setup.plan._asdict(),
        "data": setup.source,
        "data_sha256": data_digest(setup),
        "modes": setup.directions,
    }


def git_commit() -> str | None:
    """The commit of the working folder, with "+" where files differ from it; None outside git."""
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "describe", "--always", "--abbrev=40",
             "--dirty=+"],
            capture_output=True,
            text=True,
            timeout=5,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # look, write nothing
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def readings_of(folder: Path) -> list[float]:
    """The clock readings that a run has kept, in seconds; empty where it decided nothing by time.

    Raises:
        RunError: damaged.
    """
    place = folder / "clock.json"
    return [float(value) for value in read_sealed(place)["seconds"]] if place.exists() else []


def clock_of(run: runs.Run | None, given: Sequence[float] = ()) -> Callable[[], float]:
    """A monotonic clock whose readings a run keeps, so that a search that goes on after a crash
    decides as it did: the readings there are come again, then time goes on from the last one.

    `given`: the readings of another run, which a new one is to repeat.
    """
    if run is None:
        return time.monotonic
    place = run.path / "clock.json"
    if given and not place.exists():
        write_sealed(place, {"format": runs.FORMAT, "seconds": list(given)})
    readings = readings_of(run.path)
    again = list(readings)
    began = time.monotonic() - (readings[-1] if readings else 0.0)

    def clock() -> float:
        if again:
            return again.pop(0)
        readings.append(time.monotonic() - began)
        if not runs.finished(run.info):
            write_sealed(place, {"format": runs.FORMAT, "seconds": readings})
        return readings[-1]

    return clock


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
            axis = "eval_step" if name in result.evaluated else "step"
            stage.rows(name, axis, 0, lanes, values.reshape(len(values), -1))
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


def _config_text(folder: Path, info: dict[str, Any]) -> str:
    if not (folder / "config.toml").exists():
        return ""
    return runs.config_of(folder, info)


def load_result(folder: Path) -> Result:
    """A sweep's result from its run folder (of a search: the lanes of all its stages)."""
    info, stage = runs.open_run(folder)
    axes = {name: values for name, values in stage.axes.items() if name != "seed"}
    evaluated = stage.evaluated
    final = {name: values[-1] for name, values in evaluated.items()}
    final["train_loss"] = stage.history["train_loss"][-1]
    plan = dict(info.get("plan") or {})
    plan["reasons"] = tuple(plan.get("reasons") or ())
    commit = read_sealed(folder / "commit.json")
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
        config=_config_text(folder, info),
        run=str(folder),
    )
