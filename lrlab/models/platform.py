"""Where a model will run, asked without waking the devices up."""

from __future__ import annotations

import jax


def on_cpu() -> bool:
    """Whether JAX computes on the CPU.

    Before JAX's first operation the answer is yes and nothing is started: asking JAX itself would
    fix the devices, and a task that is only checked would cost the run its other cores.

    >>> on_cpu() in (True, False)
    True
    """
    try:
        from jax._src import xla_bridge

        started = xla_bridge.backends_are_initialized()
    except (ImportError, AttributeError):  # JAX's internals moved: ask, whatever that starts
        started = True
    return not started or jax.default_backend() == "cpu"
