"""One program on several devices: compiled once, loaded on the others, the same bits on each.

`shard_map` would also give one program for all devices, but XLA simplifies a partitioned program in
another order than a plain one, so that a lane's last bits would depend on whether the machine has
one device or two. Here every device runs the plain single-device program.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np


class Replicated(NamedTuple):
    """A program for any device: `(device, *args) -> outputs`, every array in `args` on `device`.

    Returns at once: devices work through what they were given side by side. `program(device,
    *args)` is the executable itself; its arguments may be `jax.ShapeDtypeStruct`s.
    """

    program: Callable[..., jax.stages.Compiled]

    def __call__(self, device: jax.Device, *args: Any) -> Any:
        return self.program(device, *args)(*args)


def replicated(function: Callable[..., Any], donate: tuple[int, ...] = ()) -> Replicated:
    """`function` as a program for any device; arguments numbered in `donate` give up their memory.

    Compiles once per set of shapes and dtypes, whatever the number of devices.
    """
    jitted = jax.jit(function, donate_argnums=donate)
    programs: dict[Any, dict[jax.Device, jax.stages.Compiled]] = {}

    def program(device: jax.Device, *args: Any) -> jax.stages.Compiled:
        by_device = programs.setdefault(_signature(args), {})
        if device not in by_device:
            first = next(iter(by_device.values()), None)
            copy = None if first is None else _load_on(first, device)
            by_device[device] = copy or jitted.lower(*args).compile()
        return by_device[device]

    return Replicated(program)


def _signature(args: Any) -> Any:
    leaves, tree = jax.tree.flatten(args)
    return tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves)


def _load_on(compiled: jax.stages.Compiled, device: jax.Device) -> jax.stages.Compiled | None:
    """`compiled` for another device without compiling again; None where JAX cannot do that.

    JAX serializes executables but loads them only on the devices that they were compiled for. This
    names the other device while loading. It leans on JAX's internals, hence the wide except: the
    answer to any surprise is to compile.
    """
    try:
        from jax._src import compiler
        from jax._src.lib import xla_client
        from jax.experimental import serialize_executable

        payload, in_tree, out_tree = serialize_executable.serialize(compiled)
        options = compiler.get_compile_options(
            num_replicas=1, num_partitions=1, device_assignment=np.array([[device.id]])
        )

        class Loader(pickle.Unpickler):
            def persistent_load(self, pid: Any) -> Any:
                if pid[0] == "exec":
                    places = xla_client.DeviceList((device,))
                    return device.client.deserialize_executable(pid[1], places, options)
                return device if pid[0] == "device" else device.client

        unloaded, info, no_kwargs = Loader(io.BytesIO(payload)).load()
        return jax.stages.Compiled(
            unloaded.load(), [], in_tree.unflatten(info), out_tree, no_kwargs=no_kwargs
        )
    except Exception:  # noqa: BLE001
        return None
