"""What a group's numbers follow from besides its data: the program text of everything that runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.engine.devices import precision
from lrlab.engine.state import lane_shapes
from lrlab.engine.step import lane_step
from lrlab.rng import key
from lrlab.types import Problem, PyTree

_ADDRESS = re.compile(r"0x[0-9a-f]+")


def program_digest(problem: Problem, data: PyTree, hyper_names: tuple[str, ...]) -> str:
    """SHA-256 of how a lane starts, trains a step and is evaluated: traced, not compiled.

    The same functions on the same shapes give the same digest in another process, and another
    model, loss, optimizer or schedule, wherever it is defined, gives another. Constants that the
    functions close over count. Other versions of JAX may write the same program differently.

    Args:
        data: split name -> pytree of arrays; only shapes and dtypes matter.
    """
    total = hashlib.sha256()
    with precision(problem.dtype):
        splits = {name: jax.tree.map(_struct(problem.dtype), split) for name, split in data.items()}
        size = problem.batch_size

        def cut(leaf: Any, rows: int | None) -> Any:
            return (
                leaf if rows is None else jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), leaf.dtype)
            )

        batch = jax.tree.map(lambda leaf: cut(leaf, size), splits.get("train"))
        example = jax.tree.map(lambda leaf: cut(leaf, 1), splits.get("train"))
        state = lane_shapes(problem, data, hyper_names)
        scalar = jax.ShapeDtypeStruct((), problem.dtype)
        hyper = dict.fromkeys(hyper_names, scalar)
        step = jax.ShapeDtypeStruct((), np.int32)
        parts: list[Any] = [
            jax.make_jaxpr(lambda example: problem.task.init(key(0, "init"), example))(example),
            jax.make_jaxpr(
                lambda state, batch, hyper, step: lane_step(
                    problem, state, batch, hyper, step, key(0)
                )
            )(state, batch, hyper, step),
        ]
        for split in problem.splits:
            parts.append(
                jax.make_jaxpr(
                    lambda params, model, rows: problem.task.evaluate(params, model, rows, key(0))
                )(state.params, state.model, splits.get(split))
            )
    for part in parts:
        total.update(_ADDRESS.sub("", str(part)).encode())
        for constant in _constants(part):
            array = np.asarray(constant)
            total.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
    return total.hexdigest()


def _struct(floating: str) -> Any:
    def of(leaf: Any) -> jax.ShapeDtypeStruct:
        kind = np.asarray(leaf).dtype
        kind = np.dtype(floating) if np.issubdtype(kind, np.floating) else kind
        return jax.ShapeDtypeStruct(np.shape(leaf), jax.dtypes.canonicalize_dtype(kind))

    return of


def _constants(closed: Any) -> Iterator[Any]:
    """Arrays that a closed jaxpr and those inside it hold; random keys as their bits."""
    for constant in getattr(closed, "consts", ()):
        kind: Any = getattr(constant, "dtype", np.dtype(float))
        is_key = jnp.issubdtype(kind, jax.dtypes.prng_key)
        yield jax.random.key_data(constant) if is_key else constant
    for equation in getattr(closed, "jaxpr", closed).eqns:
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                    yield from _constants(inner)
