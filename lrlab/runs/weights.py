"""The weights that a run folder holds: from its checkpoints, as trees, without the task's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lrlab.core.errors import RunError, Unwritable
from lrlab.core.files import why
from lrlab.core.paths import resolved
from lrlab.core.text import JsonObject, Table
from lrlab.core.weights import KEPT_LEAF, Weights
from lrlab.runs.checkpoint import load_checkpoint, save_checkpoint
from lrlab.runs.folder import read_info
from lrlab.runs.onward import refuse_untrained
from lrlab.runs.orbax_logging import reported_once
from lrlab.runs.reader import stages
from lrlab.runs.seals import read_sealed, write_sealed

Place: TypeAlias = Sequence[str | int]
"""Where an array is in a tree: names, and places in lists and tuples."""

NOTHING = (
    'holds no weights: they are kept with keep = "last" or keep = "best", from the beginning of a '
    "run on; train in another folder"
)
FROZEN = "frozen"
"""The folder of what is not trained, with `frozen.json` beside it."""


def tree_of(paths: Sequence[Place], leaves: Sequence[Any]) -> Any:
    """Arrays put to their places: dicts by name, lists where the places are numbers.

    >>> tree_of([["a", 0], ["a", 1], ["b"]], [1, 2, 3])
    {'a': [1, 2], 'b': 3}
    """
    if len(paths) == 1 and not len(paths[0]):
        return leaves[0]
    nested: dict[str | int, list[tuple[Place, Any]]] = {}
    for path, leaf in zip(paths, leaves, strict=True):
        nested.setdefault(path[0], []).append((path[1:], leaf))
    parts = {key: tree_of(*zip(*inside, strict=True)) for key, inside in nested.items()}
    if parts and all(isinstance(key, int) for key in parts):
        return [parts[key] for key in sorted(parts, key=int)]
    return parts


def read_weights(folder: str | Path) -> list[Weights]:
    """The kept weights of every stage of a run that ended.

    Raises:
        RunError: no run, or something damaged; a run in which nothing was kept.
    """
    path = resolved(folder)
    refuse_untrained(path, read_info(path), "asked for weights")
    parts = []
    for name in stages(path):
        place = path / "stages" / name if name else path
        commit = read_sealed(place / "commit.json")
        if not commit.get("complete"):
            raise RunError(path, "is unfinished, so that it has no weights to give yet")
        arrays = load_checkpoint(place, commit)
        if "kept_lanes" in arrays:
            parts.append(_kept(arrays))
    if not parts:
        raise RunError(path, NOTHING)
    return parts


def _kept(arrays: dict[str, np.ndarray]) -> Weights:
    columns = {
        name.removeprefix("kept_at_"): values
        for name, values in arrays.items()
        if name.startswith("kept_at_")
    }
    axes = {name: values for name, values in columns.items() if name != "seed"}
    lanes = arrays["kept_lanes"]
    leaves = [arrays[name] for name in sorted(arrays) if KEPT_LEAF.fullmatch(name)]
    if not leaves:  # the final states hold them
        rows = {int(lane): row for row, lane in enumerate(arrays["lanes"])}
        own = [rows[int(lane)] for lane in lanes]
        leaves = [arrays[name][own] for name in sorted(arrays) if name.startswith("state_")]
    return Weights({**axes, "seed": columns["seed"]}, leaves)


def save_params(target: Path, trees: Table) -> None:
    """Writes trees of arrays as one orbax checkpoint, which appears by one rename.

    Raises:
        Unwritable: it cannot be written.
    """
    import orbax.checkpoint as orbax

    try:
        with reported_once(), orbax.PyTreeCheckpointer() as checkpointer:
            checkpointer.save(target.absolute(), dict(trees))
    except OSError as error:
        raise Unwritable(target, f"cannot be written ({why(error, target)})") from error


def layout(folder: Path) -> JsonObject:
    """Where the arrays of a lane belong: `params`, `state` and `frozen`, each a list of `Place`;
    `own`: the state is a task's own.

    Raises:
        RunError: a run that holds no weights by name.
    """
    info = read_info(folder)
    if "weights" not in info:
        raise RunError(folder, NOTHING)
    return dict(info["weights"])


def write_frozen(folder: Path, leaves: Mapping[str, Sequence[np.ndarray]], given: bool) -> None:
    """Writes what is not trained into a run, once: seed -> arrays in tree order; `given`: those of
    one seed are those of all. Durable on return, and whole or absent after a crash."""
    if (folder / f"{FROZEN}.json").exists():
        return
    arrays = {
        f"seed{seed}_{index:04d}": leaf
        for seed, some in leaves.items()
        for index, leaf in enumerate(some)
    }
    commit = {"format": 2, "checkpoint": FROZEN, "seeds": list(leaves), "given": given}
    commit["dtypes"] = {name: np.asarray(leaf).dtype.name for name, leaf in arrays.items()}
    commit["checksums"] = save_checkpoint(folder, FROZEN, arrays)
    write_sealed(folder / f"{FROZEN}.json", commit)


def frozen_of_seed(folder: Path, seed: int) -> list[np.ndarray]:
    """What is not trained of a seed, in tree order.

    Raises:
        RunError: missing or damaged.
    """
    commit = read_sealed(folder / f"{FROZEN}.json")
    arrays = load_checkpoint(folder, commit)
    own = commit["seeds"][0] if commit["given"] else str(seed)
    return [arrays[name] for name in sorted(arrays) if name.startswith(f"seed{own}_")]
