"""What runs in a process of Ray's: the group, which comes with the first piece, and its pieces."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax

from lrlab.cluster.packing import Packed, unpacked
from lrlab.cluster.pieces import Held, Piece, Setting, trained
from lrlab.cluster.tally import By, by
from lrlab.core import own_code
from lrlab.core.own_sources import home
from lrlab.engine.devices import cores, forced, prepare

FLAGS = ("XLA_FLAGS", "JAX_PLATFORMS")
"""Variables of the environment that change what XLA compiles."""

THREADS = "NPROC"
"""The variable that says among how many threads XLA splits a large operation on CPU; without it, as
many as the process may use cores, and at least one for each device. The last bits of long sums
depend on it, so workers have the driver's number, whatever their node has.
"""

PRECISION = "jax_default_matmul_precision"
"""The one setting of JAX's that is the user's (see `core.jax_settings`) and changes numbers."""

GROUPS = 2
"""Groups that a process keeps: the one that trains, and the one before, whose last piece may be
begun again."""


class Shipment(NamedTuple):
    """A group on its way. `key` tells it from others; `own`: (module:function, folder) of own code
    in a configuration, which is imported from there; `environment`: see `environment`;
    `precision`: its setting `PRECISION`; `devices`: of a worker."""

    key: str
    content: Packed
    own: Sequence[tuple[str, str]]
    environment: Mapping[str, str]
    precision: str | None
    devices: int


def work(shipment: Shipment, content: bytes, *sources: Held) -> tuple[bytes, Held]:
    """Trains the piece that is pickled in `content`, and pickles what it gives. Ray calls this with
    what `sources` refer to."""
    piece: Piece = pickle.loads(content)
    try:
        setting, folders = _opened(shipment)
        with contextlib.ExitStack() as stack:
            for folder in folders:
                stack.enter_context(own_code.inside(folder))
            result, held = trained(setting, piece, sources)
    except Exception as error:
        if travels(error):
            raise
        text = f"{type(error).__name__}: {error}"
        raise RuntimeError(text).with_traceback(error.__traceback__) from None
    result = result._replace(by=this_process())
    return pickle.dumps(result, pickle.HIGHEST_PROTOCOL), held


def environment() -> dict[str, str]:
    """What of this process's environment its workers need to compute what it would."""
    threads = os.environ.get(THREADS) or str(max(cores(), forced()))
    return {name: os.environ[name] for name in FLAGS if name in os.environ} | {THREADS: threads}


def settle(variables: Mapping[str, str], devices: int) -> None:
    """Makes this process a worker with so many devices; what it has in its environment stays.
    Counts before the process uses JAX."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    prepare(devices)


def travels(error: Exception) -> bool:
    """Whether an error can be had as it is in another process.

    >>> travels(ValueError("one"))
    True
    """
    try:
        return isinstance(pickle.loads(pickle.dumps(error)), Exception)
    except Exception:  # whatever its own pickling raises
        return False


def this_process() -> By:
    """The worker's process, for the driver's books."""
    import ray

    # How often Ray has begun a task again it tells in no public place; without it that is unknown.
    private = importlib.import_module("ray._private.worker")
    core = getattr(getattr(private, "global_worker", None), "core_worker", None)
    attempt = getattr(core, "get_current_task_attempt_number", lambda: None)()
    return by(ray.util.get_node_ip_address(), attempt)


def _opened(shipment: Shipment) -> tuple[Setting, list[Path]]:
    """The group and the folders of its own code; read once in a process."""
    groups = _groups()
    if shipment.key not in groups:
        jax.config.update(PRECISION, shipment.precision)
        settle(shipment.environment, shipment.devices)
        folders = []
        with contextlib.ExitStack() as stack:
            for place, folder in shipment.own:
                own_code.loaded(place, Path(folder))
                folders.append(home(place.partition(":")[0], Path(folder)))
                stack.enter_context(own_code.inside(folders[-1]))
            setting = unpacked(shipment.content)
        while len(groups) >= GROUPS:
            groups.pop(next(iter(groups)))
        groups[shipment.key] = setting, folders
    return groups[shipment.key]


@functools.cache
def _groups() -> dict[str, tuple[Setting, list[Path]]]:
    """What was opened, for the life of the process."""
    return {}
