"""Whether a run folder holds the experiment that is about to be trained, and if not, why not."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import tomllib
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from lrlab import runs
from lrlab.config import Resolved
from lrlab.core.text import Table, flattened
from lrlab.data.dataset import hash_bytes
from lrlab.data.streams import stream_of
from lrlab.engine.binding import GIVEN
from lrlab.engine.program_digest import program_digest
from lrlab.runs import RunFolder
from lrlab.training.group import TrainingGroup
from lrlab.types import PyTree

PACKAGES = ("lrlab", "jax", "jaxlib", "flax", "optax", "chex", "numpy", "orbax-checkpoint")

PARTS = {
    "command": "the command",
    "config": "the configuration",
    "task": "the task",
    "data": "the data",
    "params": "the weights to start from",
    "program": "the code of the model, loss, optimizer, schedule or metrics",
}
"""What a run's numbers follow from, in words."""


def identity(resolved: Resolved, group: TrainingGroup | None) -> dict[str, str]:
    """A digest of each of `PARTS`. `group` None (a comparison): command and configuration alone,
    its entries have identities of their own."""
    parts = {"command": resolved.command, "config": resolved.digest}
    if group is None:
        return parts
    splits = {name: part for name, part in group.data.items() if name != GIVEN}
    if GIVEN in group.data:
        parts["params"] = data_digest({GIVEN: group.data[GIVEN]})
    return parts | {
        "task": str(group.source.get("name")),
        "data": data_digest(splits),
        "program": program_digest(group.problem, group.data, tuple(group.axes)),
    }


def fingerprint(parts: Mapping[str, str]) -> str:
    """One digest of an identity."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def data_digest(data: Mapping[str, PyTree]) -> str:
    """SHA-256 over every split's arrays; of one that streams, what `Stream.digest` says."""
    total = hashlib.sha256()
    for name in sorted(data):
        if (source := stream_of(data[name])) is not None:
            total.update(f"{name}{source.digest}".encode())
            continue
        for values in jax.tree.leaves(data[name]):
            array = np.asarray(values)
            total.update(f"{name}{array.shape}{array.dtype}".encode())
            hash_bytes(total, array)
    return total.hexdigest()


def versions() -> dict[str, str]:
    """Of Python and of every package that numbers depend on."""
    result = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            result[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return result


def changed_machine(info: Table, device: Table) -> list[str]:
    """What is not as it was when a run began and may change last bits: versions, the device."""
    old, new = dict(info.get("versions") or {}), versions()
    changes = [
        f"{name} {old.get(name)} -> {new.get(name)}"
        for name in ("jax", "jaxlib", "flax", "optax")
        if old.get(name) != new.get(name)
    ]
    before = dict(info.get("device") or {})
    changes += [
        f"device {part} {before.get(part)} -> {device.get(part)}"
        for part in ("platform", "kind")
        if before.get(part) != device.get(part)
    ]
    return changes


def same(
    folder: RunFolder,
    now: Mapping[str, str],
    changes: Sequence[str],
    text: str,
    sources: Sequence[str] = (),
) -> None:
    """Compares what a folder holds with what is to be trained.

    Args:
        changes: what `changed_machine` says: another JAX may write the same program differently.
        text: the configuration of what is to be trained, TOML.
        sources: what differs in the text of own code, for the message.

    Raises:
        RunError: another experiment; says in what it differs.
    """
    before = dict(folder.info.get("identity") or {})
    apart = [part for part in PARTS if part in now and before.get(part) != now[part]]
    if apart == ["program"] and any(not change.startswith("device") for change in changes):
        return
    if not apart:
        return
    fields = different(folder.config, text) if "config" in apart else []
    if "config" in apart and not fields:
        # Only the description of objects made in Python differs: it follows from code or data.
        implied = ("config", "program") if {"data", "params"} & {*apart} else ("config",)
        apart = [part for part in apart if part not in implied]
    words = [PARTS[part] for part in apart] or ["the description of the task"]
    if "config" in apart:
        words[apart.index("config")] += f" ({'; '.join(fields)})" if fields else ""
        if "program" in apart:  # follows from the configuration
            words.remove(PARTS["program"])
    if apart == ["data"]:
        words = [f"the data changed since the run began (SHA-256 {before['data'][:12]}..., now "
                 f"{now['data'][:12]}...)"]  # fmt: skip
    raise runs.RunError(
        folder.path,
        f"holds a run of another experiment: {', '.join(words)}"
        + ("" if apart == ["data"] else " differ" if len(words) > 1 else " differs")
        + (f" (own code has changed: {'; '.join(sources)})" if sources else "")
        + "; choose another folder, or restore what was changed",
    )


def different(before: str, after: str, most: int = 4) -> list[str]:
    r"""The fields in which two configurations differ, each as `steps: 60 -> 61`.

    >>> different("steps = 60\n[task]\nname = 'a'\n", "steps = 61\n[task]\nname = 'a'\n")
    ['steps: 60 -> 61']
    """
    old, new = (flattened(tomllib.loads(text)) for text in (before, after))
    skipped = ("name", "out", "figures", "plan.devices", "plan.segment_steps", "plan.memory_bytes")
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    result = [
        f"{name}: {_shown(old.get(name))} -> {_shown(new.get(name))}"
        for name in names
        if name not in skipped
        and name.partition(".")[0] not in ("on", "log")
        and not name.startswith("task.source.")
        and name.rpartition(".")[2] != "folder"
    ]
    return result[:most] + ([f"and {len(result) - most} more"] if len(result) > most else [])


def _shown(value: object) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
