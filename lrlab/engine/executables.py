"""One program in several places: compiled once, loaded in all, kept between processes.

`shard_map` would also give one program for all devices, but XLA simplifies a partitioned program in
another order than a plain one, so that a lane's last bits would depend on whether the machine has
one device or two. Here every device runs the plain single-device program, unless a lane is asked
to be shared by several (see `places`): then their program is partitioned, one for each row of them.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.metadata
import io
import os
import pickle
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

import jax
import numpy as np
from jax import Array
from jax.extend.core import jaxpr_as_fun
from jax.sharding import Mesh

from lrlab.core import compiling
from lrlab.engine import cache, inline, threads
from lrlab.engine.constants import Constants, named, placed, split
from lrlab.engine.devices import setting
from lrlab.engine.places import Place, Share, devices_of, home_of
from lrlab.types import Device, PyTree

P = ParamSpec("P")
R = TypeVar("R")


class Loaded(NamedTuple):
    """A program in a place, and the arrays there that it takes after its other arguments."""

    program: jax.stages.Compiled
    constants: tuple[Array, ...]


class Replicated(Generic[P, R]):
    """`function` as a program for any place: `(place, *args) -> outputs`, every array in `args`
    there; arguments numbered in `donate` give up their memory.

    Returns at once: devices work through what they get side by side. A class because it holds the
    executables: it compiles once per set of shapes and dtypes, whatever the number of places, and
    not at all where the cache folder holds the same program from an earlier process.
    """

    def __init__(self, function: Callable[P, R], donate: tuple[int, ...] = ()) -> None:
        self._jitted = jax.jit(function, donate_argnums=donate)
        self._donate = donate
        self._programs: dict[Signature, dict[Device | Mesh, Loaded]] = {}
        self._payloads: dict[Signature, _Payload] = {}

    def __call__(self, place: Place, *args: P.args, **none: P.kwargs) -> R:
        """What the function gives for `args`, computed in `place`."""
        program, constants = self._loaded(place, args)
        all_args = (*args, constants) if constants else args
        return place.call(program, *all_args) if isinstance(place, Share) else program(*all_args)

    def program(self, place: Place, *args: PyTree) -> jax.stages.Compiled:
        """The executable itself; `args` may be `jax.ShapeDtypeStruct`s."""
        return self._loaded(place, args).program

    def _loaded(self, place: Place, args: tuple[PyTree, ...]) -> Loaded:
        shapes, payloads, home = _signature(args), self._payloads, home_of(place)
        by_place = self._programs.setdefault(shapes, {})
        if home not in by_place:
            program = None
            if shapes in payloads:
                program = _load_in(payloads[shapes].content, payloads[shapes].trees, place)
            if program is None:
                with compiling.under_way():
                    program, payloads[shapes] = _compile(self._jitted, self._donate, place, args)
            by_place[home] = Loaded(program, placed(payloads[shapes].constants, place))
        if payloads[shapes].calls and devices_of(place)[0].platform == "cpu":
            threads.one_each()
        return by_place[home]


class _Payload(NamedTuple):
    """What a program is loaded from in further places (None: it is compiled for each), the large
    arrays that it takes, and its library calls."""

    content: bytes | None
    constants: Constants
    calls: tuple[str, ...]
    trees: Trees


Signature = tuple[jax.tree_util.PyTreeDef, tuple[tuple[tuple[int, ...], np.dtype], ...]]
"""The tree of a program's arguments, and the shape and dtype of each leaf."""

Trees = tuple[jax.tree_util.PyTreeDef, jax.tree_util.PyTreeDef]
"""Those of a program's arguments and results in this process. What comes out of a pickle may not be
them: the static parts of somebody's modules (Equinox's) are compared by identity."""


def _signature(args: Sequence[PyTree]) -> Signature:
    leaves, tree = jax.tree.flatten(args)
    return tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves)


def _compile(
    jitted: jax.stages.Wrapped, donate: tuple[int, ...], place: Place, args: tuple[PyTree, ...]
) -> tuple[jax.stages.Compiled, _Payload]:
    """The program in a place, and what the others need."""
    traced = jitted.trace(*args)
    calls = inline.calls(traced.jaxpr)
    closed, large = split(traced.jaxpr)
    if devices_of(place)[0].platform == "cpu":
        closed = inline.inlined(closed)
    if closed is not traced.jaxpr:
        named(large)
        if large:  # what dead tasks closed over goes before more comes
            gc.collect()
        flat, out_tree = jaxpr_as_fun(closed), traced.out_tree

        def function(*args: PyTree) -> PyTree:
            args, constants = (args[:-1], args[-1]) if large else (args, ())
            return jax.tree.unflatten(out_tree, flat(*constants, *jax.tree.leaves(args)))

        args = (*args, placed(large, place)) if large else args
        traced = jax.jit(function, donate_argnums=donate).trace(*args)
    lowered = traced.lower()
    program, content = _compiled(lowered, place, args)
    return program, _Payload(content, large, calls, (lowered.in_tree, lowered.out_tree))


def _compiled(
    lowered: jax.stages.Lowered, place: Place, args: tuple[PyTree, ...]
) -> tuple[jax.stages.Compiled, bytes | None]:
    """The program in a place, and what to load it from in the others (None: nothing)."""
    if setting("jax_compilation_cache_dir") is not None:
        # An executable out of JAX's own cache cannot be serialized again (jax 0.10): its functions
        # are lost. Whoever set that cache up keeps it; each device then compiles through it.
        return lowered.compile(), None
    name = _name(lowered, place, str(_signature(args)))
    kept = cache.kept_program(name)
    if kept is not None:
        loaded = _load_in(kept, (lowered.in_tree, lowered.out_tree), place)
        if loaded is not None:
            return loaded, kept
    compiled = lowered.compile()
    payload = _serialized(compiled, place)
    if payload is not None:
        cache.keep_program(name, payload)
    return compiled, payload


def _name(lowered: jax.stages.Lowered, place: Place, arguments: str) -> str:
    """What a compiled program follows from: its text, the versions, the machine, XLA's flags; its
    arguments, since XLA drops those that it does not use; and the tree of its results, since two
    optimizers that begin with equal arrays in unequal states have one text."""
    parts = (
        lowered.as_text(),
        arguments,
        str(lowered.out_tree),
        jax.__version__,
        importlib.metadata.version("jaxlib"),
        cache.machine_name(),
        cache.instructions(),
        devices_of(place)[0].device_kind,
        os.environ.get("XLA_FLAGS", ""),
        str(setting("jax_default_matmul_precision")),
        str(jax.config.values.get("jax_disable_most_optimizations")),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


# What follows leans on JAX's internals, hence the wide excepts: the answer to any surprise is to
# compile.


def _serialized(compiled: jax.stages.Compiled, place: Place) -> bytes | None:
    try:
        from jax.experimental import serialize_executable

        parts, devices = serialize_executable.serialize(compiled), devices_of(place)
        numbers = () if len(devices) == 1 else (tuple(device.id for device in devices),)
        return pickle.dumps((*parts, *numbers))
    except Exception:
        return None


def _load_in(payload: bytes | None, trees: Trees, place: Place) -> jax.stages.Compiled | None:
    """A serialized program in a place; JAX itself loads only where the program was compiled."""
    if payload is None:
        return None
    try:
        from jax._src import compiler
        from jax._src.lib import xla_client  # pyright: ignore

        content, _, _, *written = pickle.loads(payload)
        in_tree, out_tree = trees
        devices = devices_of(place)
        client = devices[0].client
        # A row's devices by the numbers of those that it was written on, in their order.
        numbers = written[0] if written else None
        by_number = None if numbers is None else dict(zip(numbers, devices, strict=True))
        options = compiler.get_compile_options(
            num_replicas=1,
            num_partitions=len(devices),
            device_assignment=np.array([[device.id for device in devices]]),
        )

        class Loader(pickle.Unpickler):
            def persistent_load(self, pid: Any) -> Any:
                if pid[0] == "exec":
                    there = xla_client.DeviceList(tuple(devices))
                    return client.deserialize_executable(pid[1], there, options)
                if pid[0] != "device":
                    return client
                return devices[0] if by_number is None else by_number[pid[1]]

        unloaded, info, no_kwargs = Loader(io.BytesIO(content)).load()
        return jax.stages.Compiled(
            unloaded.load(), [], in_tree.unflatten(info), out_tree, no_kwargs=no_kwargs
        )
    except Exception:
        return None
