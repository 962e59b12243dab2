"""The machine as JAX sees it: one XLA device per CPU core, and the precision a run computes in."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

import jax

from lrlab.core.errors import FieldError
from lrlab.core.jax_settings import usual
from lrlab.core.text import counted
from lrlab.types import Device


def setting(name: str) -> Any:
    """The value of one of JAX's settings."""
    return getattr(jax.config, name)


def cores() -> int:
    """The CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare(devices: int | None = None) -> int:
    """Asks XLA for a CPU device per core, so that lrlab can use them all; gives their number.

    For scripts that use JAX before their first sweep and want a device per core (for
    `plan.model_devices`, say): the devices of a process are fixed at its first JAX operation.
    Everywhere else lrlab does this by itself; where it is too late, the tiles of several cores
    share the devices that there are. `JAX_NUM_CPU_DEVICES` in the environment does the same.
    Computes nothing, and leaves accelerators alone.

    Args:
        devices: the number of devices wanted; None for one per core, or what JAX's setting
            `jax_num_cpu_devices` says where somebody set it.

    Returns:
        How many CPU devices the process will have, or has where JAX was used before.

    Raises:
        ValueError: `devices` is below 1.

    >>> import lrlab
    >>> lrlab.prepare() >= 1
    True
    """
    if devices is not None and devices < 1:
        raise ValueError(f"devices must be at least 1, got {devices}")
    wanted = devices or _configured() or cores()
    return wanted if _ask_for(wanted) else len(jax.devices("cpu"))


def _configured() -> int:
    """The number of CPU devices that somebody asked for (0: nobody)."""
    return max(0, setting("jax_num_cpu_devices"))


def forced() -> int:
    """The number of CPU devices that somebody asked for, by JAX's setting or by XLA's flag
    `--xla_force_host_platform_device_count` (0: nobody).

    >>> forced() >= 0
    True
    """
    flags = re.findall(r"host_platform_device_count=(\d+)", os.environ.get("XLA_FLAGS", ""))
    return _configured() or int(flags[-1] if flags else 0)


def _ask_for(count: int) -> bool:
    """Asks XLA for at least so many CPU devices; False where it is too late."""
    try:
        now = setting("jax_num_cpu_devices")
        jax.config.update("jax_num_cpu_devices", max(now, count))
    except RuntimeError:
        return False
    return True


def prepare_devices(count: int | None = None, model_devices: int = 1) -> tuple[list[Device], str]:
    """The devices to train on, and a sentence that says why these; one for each tile that trains at
    a time, or for each part of a lane.

    On a machine without an accelerator this asks XLA for one CPU device per core, which must happen
    before the first JAX operation of the process: a wide `vmap` on one device streams every lane's
    weights through the cache at each step, while a narrow tile per core keeps them there. Where JAX
    already ran, the devices that exist are named more than once: tiles then share them (see
    `engine.places.Share`), unless somebody set their number.

    Args:
        count: the number of devices wanted; None for all (one per core on CPU).
        model_devices: how many share a lane; where it is above 1, no device is named twice.

    Raises:
        ValueError: `count` is below 1, or more than an accelerator machine has; or the process was
            forked after JAX was used.
    """
    if count is not None and count < 1:
        raise FieldError("plan.devices", f"plan.devices must be at least 1, got {count}")
    configured = _configured()
    wanted = count or configured or cores()
    late = not _ask_for(wanted)
    if _forked() and _used():
        raise ValueError(
            "this process was forked after JAX was used, and JAX's threads do not exist in it: "
            'start it with multiprocessing.get_context("spawn"), or fork before JAX is used'
        )
    devices = jax.devices()
    if devices[0].platform != "cpu":
        if count is not None and count > len(devices):
            raise FieldError(
                "plan.devices", f"plan.devices = {count}, but there are {len(devices)}: {devices}"
            )
        chosen = devices[: count or len(devices)]
        return chosen, counted(len(chosen), f"{devices[0].device_kind} device")
    chosen = devices[: min(wanted, count or cores())]
    if len(chosen) < (count or cores()):
        if late and model_devices == 1 and (count is not None or not forced()):
            shared = [devices[number % len(devices)] for number in range(wanted)]
            return shared, (
                f"{counted(len(shared), 'tile')} at a time on "
                f"{counted(len(devices), 'CPU device')}: JAX was already used in this process, "
                "and that fixes its devices"
            )
        why = "JAX was already used in this process" if late else "XLA was set so"
        return chosen, f"{counted(len(chosen), 'CPU device')} instead of {count or cores()}: {why}"
    return chosen, f"{counted(len(chosen), 'CPU device')}, one per core"


def _used() -> bool:
    """Whether JAX has its devices already: then it takes no other number of them."""
    now = setting("jax_num_cpu_devices")
    if not _ask_for(max(now, 0) + 1):
        return True
    jax.config.update("jax_num_cpu_devices", now)
    return False


def _forked() -> bool:
    """Whether a parent's devices are all there is: their threads are not in this process, which
    then has no thread that Python does not know. False where the system does not say."""
    try:
        return len(os.listdir("/proc/self/task")) <= threading.active_count()
    except OSError:
        return False


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Everything inside computes in `dtype`, "float32" or "float64"; thread-local, never global."""
    if dtype not in ("float32", "float64"):
        raise ValueError(f'precision must be "float32" or "float64", got {dtype!r}')
    with usual(), jax.enable_x64(dtype == "float64"):
        yield
