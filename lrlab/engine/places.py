"""Where a tile trains: on one device, on several that share the arrays of each lane, or beside
other tiles on a device that serves several cores.

With `plan.model_devices` = N the D devices are a grid of D / N rows. Tiles are dealt to the rows,
which never talk to each other; inside a row each array of a lane is cut along its largest axis that
N divides, so that a device holds 1/N of it (fully sharded data parallelism). Batches are cut along
their examples, so that activations are, too. XLA's partitioner adds what the devices of a row tell
each other; sums over a cut axis are then taken in another order than on one device.

Sources: Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models"
(2020, arXiv:1910.02054), stage 3; Xu et al., "GSPMD" (2021, arXiv:2105.04663).
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import jax
import numpy as np
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from lrlab.core.errors import FieldError
from lrlab.core.jax_settings import usual
from lrlab.types import Device, PyTree

R = TypeVar("R")


class Share(NamedTuple):
    """One of several places of a CPU device that has the threads of several cores, as it has where
    JAX was used before lrlab.

    XLA works through the programs that one thread hands it one after another, and through those of
    several threads at the same time, on one device too.
    """

    device: Device
    number: int

    def call(self, program: Callable[..., R], *args: PyTree) -> R:
        """The program's result, called from this place's own thread; returns at once."""
        return _caller(self.number).submit(_called, program, *args).result()


@usual()
def _called(program: Callable[..., R], *args: PyTree) -> R:
    """The program's result; JAX's settings are each thread's own."""
    return program(*args)


@functools.cache
def _caller(number: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, f"lrlab-place-{number}")


Place = Device | Mesh | Share
"""One device, the devices of a row, or a share of a device."""

AXIS = "model"
"""The name of the axis of a row."""

WHOLE_NUMBERS = 1024
"""Arrays of fewer numbers (biases, scales) stay whole on every device: to exchange them costs a
device more than the few KiB are worth."""


def places(devices: Sequence[Device], model_devices: int) -> list[Place]:
    """The devices as places of so many each. One that is named several times is shared, unless
    devices share lanes.

    >>> len(places(jax.devices()[:1], 1)), len(places(jax.devices()[:1] * 2, 1))
    (1, 2)
    """
    if model_devices == 1:
        times = Counter(devices)
        return [
            Share(device, number) if times[device] > 1 else device
            for number, device in enumerate(devices)
        ]
    rows = np.array(devices, object).reshape(-1, model_devices)
    return [Mesh(row, (AXIS,)) for row in rows]


def check_rows(devices: int, model_devices: int) -> None:
    """Whether so many devices are whole rows.

    Raises:
        FieldError: they are not; names both numbers.

    >>> check_rows(8, 2)
    """
    name = "plan.model_devices"
    if model_devices < 1:
        raise FieldError(name, f"{name} must be at least 1, got {model_devices}")
    if model_devices > devices:
        raise FieldError(
            name,
            f"{name} = {model_devices}, but there are {devices} devices to train on; use at most "
            "that many, or give plan.devices",
        )
    if devices % model_devices:
        raise FieldError(
            name,
            f"{name} = {model_devices} does not divide the {devices} devices to train on; use a "
            "divisor, or set plan.devices to a multiple",
        )


def devices_of(place: Place) -> list[Device]:
    """The devices of a place."""
    home = home_of(place)
    return list(home.devices.flat) if isinstance(home, Mesh) else [home]


def home_of(place: Place) -> Device | Mesh:
    """Where the arrays of a place are: shares of a device have them in common."""
    return place.device if isinstance(place, Share) else place


def everywhere(place: Place) -> Device | NamedSharding:
    """For `jax.device_put`: whole on every device of a place."""
    home = home_of(place)
    return NamedSharding(home, PartitionSpec()) if isinstance(home, Mesh) else home


def parted(place: Place, tree: PyTree, lanes: bool) -> PyTree:
    """For `jax.device_put`: how the arrays of a lane, or of a tile of `lanes` [T, ...], are cut
    over the devices of a place; a tree like `tree`."""
    home = home_of(place)
    if not isinstance(home, Mesh):
        return home
    count = home.size
    return jax.tree.map(lambda leaf: NamedSharding(home, _spec(np.shape(leaf), count, lanes)), tree)


def as_parted(tree: PyTree, model_devices: int, lanes: bool) -> PyTree:
    """The same inside of a program: arrays of a lane, or of a tile of `lanes`, cut so."""
    if model_devices == 1:
        return tree
    return jax.tree.map(
        lambda leaf: _cut(leaf, model_devices, _spec(leaf.shape, model_devices, lanes)), tree
    )


def as_whole(tree: PyTree, model_devices: int) -> PyTree:
    """Inside of a program: arrays that every device has whole."""
    if model_devices == 1:
        return tree
    return jax.tree.map(lambda leaf: _cut(leaf, model_devices, PartitionSpec()), tree)


def by_examples(batch: PyTree, model_devices: int) -> PyTree:
    """Inside of a program: a batch [B, ...] cut along its examples, where N divides them."""
    if model_devices == 1:
        return batch

    def cut(leaf: jax.Array) -> jax.Array:
        divides = leaf.ndim > 0 and leaf.shape[0] % model_devices == 0
        spec = PartitionSpec(AXIS) if divides else PartitionSpec()
        return _cut(leaf, model_devices, spec)

    return jax.tree.map(cut, batch)


def _cut(leaf: jax.Array, count: int, spec: PartitionSpec) -> jax.Array:
    return jax.lax.with_sharding_constraint(leaf, NamedSharding(_row(count), spec))


@functools.cache
def _row(count: int) -> AbstractMesh:
    return AbstractMesh((count,), (AXIS,))


def _spec(shape: Sequence[int], count: int, lanes: bool) -> PartitionSpec:
    axis = cut_axis(shape[1:] if lanes else shape, count)
    if axis is None:
        return PartitionSpec()
    return PartitionSpec(*[None] * (axis + lanes), AXIS)


def cut_axis(shape: Sequence[int], count: int) -> int | None:
    """The axis along which an array of a lane is cut in so many parts: the largest that they
    divide, the last one of equals; None where it stays whole.

    >>> cut_axis((64, 256), 2), cut_axis((4096, 255), 4), cut_axis((10,), 2)
    (1, 0, None)
    """
    divisible = [axis for axis, size in enumerate(shape) if size % count == 0 and size]
    if count == 1 or math.prod(shape) < WHOLE_NUMBERS or not divisible:
        return None
    return max(divisible, key=lambda axis: (shape[axis], axis))


def device_bytes(tree: PyTree, model_devices: int) -> int:
    """Bytes of a lane's arrays, or of their shapes, on each device of a row.

    >>> device_bytes([np.zeros((64, 256), np.float32), np.zeros(10, np.float32)], 2)
    32808
    """
    return sum(
        leaf.size * leaf.dtype.itemsize
        // (1 if cut_axis(leaf.shape, model_devices) is None else model_devices)
        for leaf in jax.tree.leaves(tree)
    )  # fmt: skip


def in_words(tree: PyTree, model_devices: int) -> str:
    """What of a lane's arrays is cut, and how much a device holds; a sentence.

    >>> in_words([np.zeros((64, 256), np.float32), np.zeros(10, np.float32)], 2)
    '2 devices for each lane: 1 of its 2 arrays is cut along its largest axis, 65,536 of 65,576 \
bytes; a device holds 32,808 bytes of each lane'
    """
    leaves = jax.tree.leaves(tree)
    cut = [leaf for leaf in leaves if cut_axis(leaf.shape, model_devices) is not None]
    sizes = [sum(leaf.size * leaf.dtype.itemsize for leaf in some) for some in (cut, leaves)]
    are = "is cut along its" if len(cut) == 1 else "are cut along their"
    return (
        f"{model_devices} devices for each lane: {len(cut)} of its {len(leaves)} arrays {are} "
        f"largest axis, {sizes[0]:,} of {sizes[1]:,} bytes; a device holds "
        f"{device_bytes(tree, model_devices):,} bytes of each lane"
    )
