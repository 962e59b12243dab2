"""The machine as JAX sees it: one XLA device per CPU core, and the precision a run computes in."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
import warnings
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

    For scripts that use JAX before their first sweep (to load a checkpoint, say): the devices of a
    process are fixed at its first JAX operation. Everywhere else lrlab does this by itself, and a
    second call changes nothing. `JAX_NUM_CPU_DEVICES` in the environment does the same. Computes
    nothing, and leaves accelerators alone.

    Args:
        devices: the number of devices wanted; None for one per core, or what JAX's setting
            `jax_num_cpu_devices` says where somebody set it.

    Warns:
        UserWarning: it is too late, and there are fewer devices than wanted.

    Raises:
        ValueError: `devices` is below 1.

    >>> import lrlab
    >>> lrlab.prepare() >= 1
    True
    """
    if devices is not None and devices < 1:
        raise ValueError(f"devices must be at least 1, got {devices}")
    wanted = devices or _configured() or cores()
    if not _ask_for(wanted):
        there = len(jax.devices("cpu"))
        if there < wanted and jax.default_backend() == "cpu":
            _warn(there, wanted)
        return there
    return wanted


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


@functools.cache
def _warn(there: int, wanted: int) -> None:
    """Once per process, whatever filters do with warnings that were seen."""
    warnings.warn(
        f"lrlab trains on {there} of {wanted} CPU cores: JAX was used before it in this process, "
        "and that fixes the devices. Call lrlab.prepare() before other JAX code, or set "
        f"JAX_NUM_CPU_DEVICES={wanted} in the environment; plan = lrlab.Plan(devices={there}) says "
        "that this is meant",
        UserWarning,
        stacklevel=3,
    )


def prepare_devices(count: int | None = None) -> tuple[list[Device], str]:
    """The devices to train on, and a sentence that says why these.

    On a machine without an accelerator this asks XLA for one CPU device per core, which must happen
    before the first JAX operation of the process: a wide `vmap` on one device streams every lane's
    weights through the cache at each step, while a narrow tile per core keeps them there. Where JAX
    already ran, the devices that exist are used, and a warning says once what was lost.

    Args:
        count: the number of devices wanted; None for all (one per core on CPU).

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
        meant = configured > 0 or "host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
        why = "JAX was already used in this process" if late else "XLA was set so"
        if late and count is None and not meant:
            _warn(len(chosen), wanted)
        return chosen, (
            f"{counted(len(chosen), 'CPU device')} instead of {count or cores()}: {why}; "
            f"start lrlab before other JAX code, or call lrlab.prepare(), to use every core"
        )
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
