"""Checkpoints: flat dicts of arrays in orbax folders, every file with its checksum."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lrlab.core.errors import RunError
from lrlab.core.files import sync_tree
from lrlab.core.text import Table, first_line
from lrlab.runs.orbax_logging import reported_once
from lrlab.runs.seals import checksums

HALF_WRITTEN = ".orbax-checkpoint-tmp"
"""What orbax adds to the name of a checkpoint that it is writing."""


def save_checkpoint(folder: Path, name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Writes an orbax checkpoint of a flat dict, durable on return; gives its files' checksums.

    Arrays without elements, which orbax would drop, are left out; `load_checkpoint` adds them.
    """
    import orbax.checkpoint as orbax

    target = (folder / name).absolute()
    # Left by a crash in the middle of this commit; a folder of a user's may begin alike.
    for left in (target, *target.parent.glob(f"{target.name}{HALF_WRITTEN}*")):
        shutil.rmtree(left, ignore_errors=True)
    kept = {key: np.asarray(value) for key, value in arrays.items() if np.size(value)}
    with reported_once(), orbax.PyTreeCheckpointer() as checkpointer:
        checkpointer.save(target, kept)
    sync_tree(target)
    return checksums(target)


def load_checkpoint(folder: Path, commit: Table) -> dict[str, np.ndarray]:
    """The arrays of a commit, each with the dtype it had.

    Raises:
        RunError: a file of the checkpoint is missing, cut or changed.
    """
    import orbax.checkpoint as orbax

    target = (folder / str(commit["checkpoint"])).absolute()
    try:
        digests = checksums(target)
    except OSError as error:
        raise RunError(target, f"cannot be read ({error.strerror or error})") from None
    expected = dict(commit["checksums"])
    if not digests or digests != expected:
        names = sorted(name for name in expected if digests.get(name) != expected[name])
        what = names[0] if names else sorted(set(digests) - set(expected))[0] if digests else ""
        state = "missing" if what not in digests else "damaged" if what in expected else "foreign"
        raise RunError(target / what, f"{state}, so the checkpoint cannot be used")
    with orbax.PyTreeCheckpointer() as checkpointer:
        restored = checkpointer.restore(target)
    arrays = {name: np.asarray(value) for name, value in restored.items()}
    for name, dtype in commit["dtypes"].items():
        arrays.setdefault(name, np.empty(0, dtype))
        if arrays[name].dtype.name != dtype:
            raise RunError(target, f"{name} has dtype {arrays[name].dtype}, expected {dtype}")
    return arrays


def some_arrays(folder: Path, commit: Table, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Some arrays of a commit, read without orbax (which imports jax) and without the others, which
    may be large; those without elements are left out.

    Nothing is compared with the checksums: this is for showing a run while it is written.

    Raises:
        RunError: one is missing, or cannot be read.
    """
    import tensorstore

    base = {"driver": "file", "path": f"{(folder / str(commit['checkpoint'])).absolute()}/"}
    arrays = {}
    for name in names:
        place = {"driver": "ocdbt", "base": base, "path": f"{name}/"}
        try:
            array = tensorstore.open({"driver": "zarr", "kvstore": place}, open=True).result()
            arrays[name] = np.asarray(array.read().result())
        except (ValueError, OSError, RuntimeError) as error:
            where = folder / str(commit["checkpoint"])
            raise RunError(where, f"{name} cannot be read ({first_line(error)})") from None
    return arrays
