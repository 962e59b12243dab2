"""Floating-point operations of a training step, counted in its program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from jax.extend.core import Jaxpr, JaxprEqn
from jax.tree_util import PyTreeDef

from lrlab.core.memo import kept_with
from lrlab.engine.devices import precision
from lrlab.engine.inline import calls
from lrlab.engine.state import lane_shapes, tree_bytes
from lrlab.engine.step import lane_step
from lrlab.rng import key
from lrlab.types import Problem, PyTree

Shape = tuple[tuple[int, ...], str]
"""The shape and dtype of an array."""


class StepCost(NamedTuple):
    """One lane's update: `flops` in matrix products and convolutions, the bytes of its state,
    `program`, the text of its program (the same for the same step), and the `calls` of libraries
    that CPU devices make one at a time (see `engine.inline`).
    """

    flops: float
    state_bytes: int
    program: str
    calls: tuple[str, ...]


def step_cost(
    problem: Problem, data: Mapping[str, PyTree], hyper_names: tuple[str, ...]
) -> StepCost:
    """What one update of one lane costs; nothing is computed, only traced, once per problem."""
    batch = data.get("train")
    if batch is not None:
        size = problem.batch_size
        batch = jax.tree.map(
            lambda leaf: (
                (*((size,) if size else np.shape(leaf)[:1]), *np.shape(leaf)[1:]),
                str(np.asarray(leaf).dtype),
            ),
            batch,
        )
    leaves, structure = jax.tree.flatten(batch, is_leaf=_is_shape)
    return _step_cost(problem, tuple(leaves), structure, hyper_names)


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str)


@kept_with(lambda problem, *rest: problem.task.init)
def _step_cost(
    problem: Problem, shapes: tuple[Shape, ...], structure: PyTreeDef, hyper_names: tuple[str, ...]
) -> StepCost:
    with precision(problem.dtype):
        structs = [_struct(shape, dtype, problem.dtype) for shape, dtype in shapes]
        batch = jax.tree.unflatten(structure, structs)
        state = lane_shapes(problem, {} if batch is None else {"train": batch}, hyper_names)
        scalar = jax.ShapeDtypeStruct((), problem.dtype)
        traced = jax.make_jaxpr(
            lambda state, batch, hyper: lane_step(problem, state, batch, hyper, 0, key(0))  # type: ignore[arg-type]
        )(state, batch, dict.fromkeys(hyper_names, scalar))
    return StepCost(count(traced.jaxpr), tree_bytes(state), str(traced), calls(traced))


def _struct(shape: tuple[int, ...], dtype: str, floating: str) -> jax.ShapeDtypeStruct:
    kind = np.dtype(dtype)
    if np.issubdtype(kind, np.floating):
        kind = np.dtype(floating)
    return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(kind))


def count(jaxpr: Jaxpr) -> float:
    """2 x multiply-adds of every matrix product and convolution, scans multiplied.

    >>> import jax, jax.numpy as jnp
    >>> count(jax.make_jaxpr(jnp.dot)(jnp.ones((3, 4)), jnp.ones((4, 5))).jaxpr)
    120.0
    """
    total = 0.0
    for equation in jaxpr.eqns:
        name, options = equation.primitive.name, equation.params
        if name == "dot_general":
            (contracted, _), _ = options["dimension_numbers"]
            left = equation.invars[0].aval.shape
            depth = math.prod(left[axis] for axis in contracted)
            total += 2.0 * math.prod(equation.outvars[0].aval.shape) * depth
        elif name == "conv_general_dilated":
            total += _convolution(equation)
        elif name in ("lrlab_convolve", "lrlab_dense"):  # what is inside is not counted again
            total += _own_product(equation)
            continue
        repeated = options.get("length", 1) if name == "scan" else 1
        for value in options.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    total += repeated * count(inner)
    return total


def _convolution(equation: JaxprEqn) -> float:
    """The products that meet data, not the zeros of dilated gradients: each of a layer's three
    convolutions (forward, by input, by kernel) costs what the forward one does.
    """
    options = equation.params
    numbers = options["dimension_numbers"]
    left, right = (variable.aval.shape for variable in equation.invars[:2])
    out = equation.outvars[0].aval.shape
    inner = math.prod(right[axis] for axis in numbers.rhs_spec[1:])
    outputs = math.prod(out)
    if any(step > 1 for step in options["lhs_dilation"] or ()):
        outputs = math.prod(left) // left[numbers.lhs_spec[1]] * out[numbers.out_spec[1]]
    return 2.0 * outputs * inner / options["batch_group_count"]


def _own_product(equation: JaxprEqn) -> float:
    """Of a primitive of `lrlab.models.trilinear`: forward and both gradients share the products
    of an output [N, *out, O] and a kernel [*taps, C, O]; which variables these are says `gives`.
    """
    first, second, out = (v.aval.shape for v in (*equation.invars, *equation.outvars))
    kernel, output = {"y": (second, out), "x": (first, second), "w": (out, second)}[
        equation.params["gives"]
    ]
    return 2.0 * math.prod(output) * math.prod(kernel[:-1])
