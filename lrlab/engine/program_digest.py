"""What a group's numbers follow from besides its data: the program text of everything that runs."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.core import ClosedJaxpr, Jaxpr

from lrlab.engine.binding import bound, by_name, follows
from lrlab.engine.devices import precision
from lrlab.engine.jaxprs import inner_programs, opened
from lrlab.engine.state import LaneState, frozen_shapes, lane_shapes, with_fixed
from lrlab.engine.step import lane_step
from lrlab.rng import key
from lrlab.types import Hyper, Params, Problem, PyTree

_ADDRESS = re.compile(r"0x[0-9a-f]+")


def program_digest(
    problem: Problem, data: Mapping[str, PyTree], hyper_names: tuple[str, ...]
) -> str:
    """SHA-256 of how a lane starts, trains a step and is evaluated: traced, not compiled.

    The same functions on the same shapes give the same digest in another process, and another
    model, loss, optimizer or schedule, wherever it is defined, gives another. Constants that the
    functions close over count. Other versions of JAX may write the same program differently.

    Args:
        data: split name -> pytree of arrays; only shapes and dtypes matter.
    """
    total = hashlib.sha256()
    with precision(problem.dtype):
        struct = functools.partial(_struct, floating=problem.dtype)
        train = data.get("train")
        batch = jax.tree.map(functools.partial(struct, rows=problem.batch_size), train)
        example = jax.tree.map(functools.partial(struct, rows=1), train)
        state = lane_shapes(problem, data, hyper_names)
        hyper = dict.fromkeys(hyper_names, jax.ShapeDtypeStruct((), problem.dtype))
        step, frozen = jax.ShapeDtypeStruct((), np.int32), frozen_shapes(problem, data)
        parts = [
            _beginning(problem, example, hyper),
            jax.make_jaxpr(
                lambda state, batch, hyper, step, frozen: lane_step(
                    problem, state, batch, hyper, step, key(0), frozen=frozen
                )
            )(state, batch, hyper, step, frozen),
        ]
        for split in problem.splits:
            rows = jax.tree.map(struct, data.get(split))
            parts.append(_evaluation(problem, state, rows, hyper, frozen))
    for part in parts:
        total.update(_ADDRESS.sub("", str(part)).encode())
        for constant in _constants(part):
            array = np.asarray(constant)
            total.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
    return total.hexdigest()


def _beginning(problem: Problem, example: PyTree, hyper: Hyper) -> ClosedJaxpr:
    task, start = problem.task, problem.task.start
    if start is not None:

        def begin(hyper: Hyper) -> PyTree:
            return start(key(0, "init"), by_name(problem, with_fixed(problem, hyper)))

        return jax.make_jaxpr(begin)(hyper)
    return jax.make_jaxpr(lambda example: task.init(key(0, "init"), example))(example)


def _evaluation(
    problem: Problem, state: LaneState, rows: PyTree, hyper: Hyper, frozen: PyTree
) -> ClosedJaxpr:
    def evaluate(
        params: Params, model: PyTree, rows: PyTree, hyper: Hyper, frozen: PyTree
    ) -> dict[str, Array]:
        functions = bound(problem, with_fixed(problem, hyper), frozen)
        assert functions.evaluate is not None, "no split is evaluated where nothing is"
        return functions.evaluate(params, model, rows, key(0))

    task = problem.task
    if problem.compute is None and task.trains is None and not follows(task):
        # Without arguments that nothing reads, so that runs of before have the same text.
        return jax.make_jaxpr(lambda params, model, rows: evaluate(params, model, rows, {}, ()))(
            state.params, state.model, rows
        )
    return jax.make_jaxpr(evaluate)(state.params, state.model, rows, hyper, frozen)


def _struct(leaf: np.ndarray, floating: str, rows: int | None = None) -> jax.ShapeDtypeStruct:
    """The shape and dtype of an array, cut to so many rows (None: all)."""
    dtype = leaf.dtype
    dtype = np.dtype(floating) if np.issubdtype(dtype, np.floating) else dtype
    shape = np.shape(leaf) if rows is None else (rows, *np.shape(leaf)[1:])
    return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype))


def _constants(program: ClosedJaxpr | Jaxpr) -> Iterator[Array | np.ndarray]:
    """Arrays that a program and those inside it hold; random keys as their bits."""
    for constant in program.consts if isinstance(program, ClosedJaxpr) else ():
        is_key = isinstance(constant, Array) and jnp.issubdtype(constant.dtype, jax.dtypes.prng_key)
        yield jax.random.key_data(constant) if is_key else constant
    for equation in opened(program).eqns:
        for inner in inner_programs(equation):
            yield from _constants(inner)
