"""`jit` for programs that run once: what XLA would spend on their speed is lost."""

from __future__ import annotations

import functools

import jax

jit = functools.partial(
    jax.jit,
    compiler_options={
        "xla_backend_optimization_level": 0,
        "xla_llvm_disable_expensive_passes": True,
    },
)
