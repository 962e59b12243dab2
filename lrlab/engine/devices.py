"""The machine as JAX sees it: one XLA device per CPU core, and the precision a run computes in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import jax

from lrlab.types import Device


def setting(name: str) -> Any:
    """The value of one of JAX's settings."""
    return getattr(jax.config, name)


def cores() -> int:
    """The CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_devices(count: int | None = None) -> tuple[list[Device], str]:
    """The devices to train on, and a sentence that says why these.

    On a machine without an accelerator this asks XLA for one CPU device per core, which must happen
    before the first JAX operation of the process: a wide `vmap` on one device streams every lane's
    weights through the cache at each step, while a narrow tile per core keeps them there. Where JAX
    already ran, the devices that exist are used and the sentence says what was lost.

    Args:
        count: the number of devices wanted; None for all (one per core on CPU).

    Raises:
        ValueError: `count` is below 1, or more than an accelerator machine has.
    """
    if count is not None and count < 1:
        raise ValueError(f"plan.devices must be at least 1, got {count}")
    wanted = count or cores()
    late = False
    try:
        if setting("jax_num_cpu_devices") < wanted:
            jax.config.update("jax_num_cpu_devices", wanted)
    except RuntimeError:
        late = True
    devices = jax.devices()
    if devices[0].platform != "cpu":
        if count is not None and count > len(devices):
            raise ValueError(f"plan.devices = {count}, but there are {len(devices)}: {devices}")
        chosen = devices[: count or len(devices)]
        return chosen, f"{len(chosen)} {devices[0].device_kind} device(s)"
    chosen = devices[:wanted]
    if len(chosen) < wanted:
        why = "JAX was already used in this process" if late else "XLA was told so"
        return chosen, (
            f"{len(chosen)} CPU device(s) instead of {wanted}: {why}; "
            f"start lrlab before other JAX code to use every core"
        )
    return chosen, f"{len(chosen)} CPU device(s), one per core"


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Everything inside computes in `dtype`, "float32" or "float64"; thread-local, never global."""
    if dtype not in ("float32", "float64"):
        raise ValueError(f'precision must be "float32" or "float64", got {dtype!r}')
    with jax.enable_x64(dtype == "float64"):
        yield
