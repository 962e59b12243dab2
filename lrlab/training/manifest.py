"""What `run.json` says of how a run was made."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import jax

from lrlab.config import Experiment, Resolved
from lrlab.config.checks import FILE_SOURCES
from lrlab.config.schema import DataSpec, ModelSpec
from lrlab.core.score import LAST
from lrlab.core.text import JsonObject
from lrlab.core.tolerance import TOLERANCE
from lrlab.engine.devices import setting
from lrlab.training.fingerprint import fingerprint, versions
from lrlab.training.group import TrainingGroup
from lrlab.training.own_code import source, specs


def name_of(experiment: Experiment) -> str:
    """What to call a run: its own name, the task's, or data and model."""
    task = experiment.task
    own = task.python.rpartition(":")[2] if task.python else ""
    parts = [_word(part) for part in (task.data, task.model) if part is not None]
    return experiment.name or task.name or own or "-".join(filter(None, parts)) or "run"


def _word(part: DataSpec | ModelSpec) -> str:
    """A part of a task in a word: of data in a file the file's name, of own code the function's.

    >>> _word(DataSpec(name="csv", path="/data/prices.csv.gz")), _word(ModelSpec(name="mlp"))
    ('prices', 'mlp')
    >>> _word(ModelSpec(python="my_project.nets:Net"))
    'Net'
    """
    name = str(part.name or "")
    if isinstance(part, ModelSpec):
        return part.python.rpartition(":")[2] if part.python else name
    source, _, path = name.partition(":")
    path = part.path or path
    if source not in FILE_SOURCES or not path:
        return name
    return Path(path).name.partition(".")[0] or source


def device_of(group: TrainingGroup) -> JsonObject:
    """The kind of device that trains, and how many of them."""
    device = jax.devices()[0]
    return {"platform": device.platform, "kind": device.device_kind, "used": group.plan.devices}


def manifest_of(
    resolved: Resolved, group: TrainingGroup | None, identity: Mapping[str, str]
) -> JsonObject:
    """The fields of `run.json` that say how a run was made; `group` None: it gathers others."""
    fields = {
        "fingerprint": fingerprint(identity),
        "identity": dict(identity),
        "config_hash": resolved.digest,
        "versions": versions(),
        "matmul_precision": str(setting("jax_default_matmul_precision") or "default"),
        "git_commit": git_commit(),
        "machine": platform.platform(),
        "metric": resolved.experiment.metric,
    }
    own = {table: source(spec) for table, spec in specs(resolved.experiment)}
    if own:
        fields["own_code"] = {
            table: {
                "python": one.python,
                "sha256": one.sha256,
                "git_commit": git_commit(one.root),
                "files": dict(one.files),
            }
            for table, one in own.items()
        }
    if resolved.experiment.score != LAST:
        fields["score"] = resolved.experiment.score
    if resolved.experiment.tolerance != TOLERANCE:
        fields["tolerance"] = resolved.experiment.tolerance
    if group is None:
        return fields
    if group.plan.model_devices > 1:  # sums over a cut axis are taken in another order
        fields["claim"] = "tolerance"
    return fields | {
        "device": device_of(group),
        "plan": group.plan._asdict(),
        "data": group.source,
        "data_sha256": identity["data"],
        "modes": group.directions,
        "metric": group.metric,
    }


def git_commit(folder: Path | None = None) -> str | None:
    """The commit of a folder (None: the working folder), with "+" where files differ from it; None
    outside git."""
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "describe", "--always", "--abbrev=40",
             "--dirty=+"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # look, write nothing
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
