"""How a network uses each of its parameters: read from the program that JAX traces.

Shapes do not say it: `(heads, head_dim)` is a bias, `(width, classes)` a readout, and a kernel may
be used transposed. The program does: an axis of a tensor that is summed over against the data
counts the tensor's inputs (fan-in), an axis that the result keeps counts its outputs (fan-out).

What depends on parameters and constants alone is followed through reshapings, transpositions, sums
and products (`Seen.forms`) up to where it meets data (`Seen.data`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import jax
from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var

from lrlab.engine.jaxprs import of_scan
from lrlab.models.conv_primitive import convolve_p
from lrlab.models.dense import dense_p
from lrlab.scaling.axes import MOVES, Atom, fits, gathered, only_summed, shape_of
from lrlab.scaling.marks import (
    Mark,
    Role,
    Seen,
    Uses,
    after,
    joined,
    meet,
    settled,
    union,
    without_vectors,
)
from lrlab.scaling.rules import APART, FREE, LOST, SUMMED
from lrlab.types import PyTree

Sums = Mapping[Var, tuple[int, ...]]
"""Variables that nothing reads but one sum -> the axes that it sums over."""


def uses(
    function: Callable[..., PyTree],
    params: PyTree,
    rest: PyTree,
    data: PyTree,
    looked_at: Sequence[Sequence[int]] | None = None,
) -> list[set[tuple[str, ...]]]:
    """The ways in which `function(params, rest, data)` uses each parameter.

    Args:
        params, rest, data: arrays or their shapes; `rest`: what is neither parameter nor data.
        looked_at: for each leaf of `params` the axes whose roles matter; None for all.

    Returns:
        For each leaf of `params` a set of tuples: for each axis looked at one of the roles above.

    >>> import jax.numpy as jnp
    >>> w = jnp.ones((3, 5))
    >>> uses(lambda p, rest, x: x @ p, w, (), jnp.ones((2, 3)))
    [{('summed', 'free')}]
    >>> uses(lambda p, rest, x: x @ p.T, w, (), jnp.ones((2, 5)))
    [{('free', 'summed')}]
    """
    closed = jax.make_jaxpr(function)(params, rest, data)
    leaves = jax.tree.leaves(params)
    values = [
        Seen(False, frozenset({(i, tuple(frozenset({a}) for a in range(len(leaf.shape))))}))
        for i, leaf in enumerate(leaves)
    ]
    values += [Seen()] * len(jax.tree.leaves(rest))
    values += [Seen(True)] * len(jax.tree.leaves(data))
    record = Uses(set(), set())
    for value in _run(closed.jaxpr, values, record):
        meet(value, record, lambda axis: FREE)
    axes = [range(len(leaf.shape)) for leaf in leaves] if looked_at is None else looked_at
    return [settled(i, kept, record) for i, kept in enumerate(axes)]


def _run(jaxpr: Jaxpr, values: Sequence[Seen], record: Uses) -> list[Seen]:
    """The outputs of a program for these inputs; what it uses goes into `record`."""
    seen: dict[Var, Seen] = dict(zip(jaxpr.invars, values, strict=True))
    sums = only_summed(jaxpr)

    def read(atom: Atom) -> Seen:
        return Seen() if isinstance(atom, Literal) else seen.get(atom, Seen())

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        if any(value != Seen() for value in inputs):
            results = _apply(equation, inputs, record, sums)
            seen.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: JaxprEqn, inputs: list[Seen], record: Uses, sums: Sums) -> list[Seen]:
    name, count = equation.primitive.name, len(equation.outvars)
    if name in _CONTROL:
        return _CONTROL[name](equation, inputs, record)
    inner = _inner(equation)
    if inner is not None:
        return _run(inner, inputs, record)
    if any(value.data for value in inputs):
        for place, value in enumerate(inputs):
            if value.forms and not value.data:
                meet(value, record, _role(equation, place, sums))
        return [Seen(True)] * count
    return _moved(equation, inputs, record)


def _role(equation: JaxprEqn, place: int, sums: Sums) -> Role:
    """What becomes of each axis of the operand at `place`, which meets data."""
    name, params = equation.primitive.name, equation.params
    shape = shape_of(equation.invars[place])
    if name == "dot_general":
        contracted = params["dimension_numbers"][0][place]
        return lambda axis: SUMMED if axis in contracted else FREE
    if name == "conv_general_dilated" and place == 1:
        out = params["dimension_numbers"].rhs_spec[0]
        return lambda axis: FREE if axis == out else SUMMED
    if name in _KERNELS and place == 1 and params["gives"] == "y":
        return lambda axis: FREE if axis == len(shape) - 1 else SUMMED
    if name == "gather" and place == 0:
        moves = gathered(equation)
        return lambda axis: FREE if axis in moves else APART
    same = any(fits(shape, shape_of(out)) for out in equation.outvars)
    if name == "mul" and equation.outvars[0] in sums:
        summed = sums[equation.outvars[0]]
        return lambda axis: SUMMED if axis in summed else FREE
    return lambda axis: FREE if same or name in _KEEPING else LOST


_KERNELS = (dense_p.name, convolve_p.name)
"""lrlab's own layers (`models.trilinear`), whose kernels hold outputs last."""

_KEEPING = (
    "concatenate", "pad", "scatter", "scatter-add", "scatter_add", "dynamic_slice",
    "dynamic_update_slice", "gather", "broadcast_in_dim",
)  # fmt: skip
"""Operations that keep the axes of what they are given, whatever the shape of the result."""


_REDUCING = (
    "reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or", "argmax",
    "argmin",
)  # fmt: skip
"""Operations that take axes away."""


def _moved(equation: JaxprEqn, inputs: list[Seen], record: Uses) -> list[Seen]:
    """An operation on parameters and constants alone: where their axes go."""
    name, params = equation.primitive.name, equation.params
    operands = [shape_of(atom) for atom in equation.invars]
    shapes = [shape_of(out) for out in equation.outvars]
    if name == "dot_general":
        return [_product(equation, inputs, record)]
    if name in MOVES:
        moves = MOVES[name](equation)
        return [after(inputs[0], lambda axis: moves.get(axis, frozenset()), name)]
    if name in ("concatenate", "pad", "slice", "dynamic_slice", "dynamic_update_slice"):
        alike = [
            value for value, s in zip(inputs, operands, strict=True) if len(s) == len(shapes[0])
        ]
        return [union(alike)]
    if name in _REDUCING:
        axes = set(params["axes"])
        kept = [axis for axis in range(len(operands[0])) if axis not in axes]
        reduced = {axis: frozenset({i}) for i, axis in enumerate(kept)}
        return [after(inputs[0], lambda axis: reduced.get(axis, frozenset()), name)] * len(shapes)
    results = []
    for shape in shapes:
        parts = [
            value if fits(operand, shape) else after(value, lambda axis: frozenset(), name)
            for value, operand in zip(inputs, operands, strict=True)
        ]
        if any(value.flows for value in parts):  # biases and scales of what flows
            parts = [v if v.flows else without_vectors(v, len(shape), record) for v in parts]
        results.append(union(parts))
    return results


def _product(equation: JaxprEqn, inputs: list[Seen], record: Uses) -> Seen:
    """A product of parameters or of one with constants. As everywhere, the left factor is taken for
    what flows, the right one for the kernel, whose use is decided with that; beside a constant
    (features of positions, a power iteration) it is nearly."""
    contracted, batched = equation.params["dimension_numbers"]
    rank = len(shape_of(equation.invars[0]))
    kept = [a for a in range(rank) if a not in (*contracted[0], *batched[0])]
    moves = {axis: i for i, axis in enumerate([*batched[0], *kept])}
    alone = [not (value.forms or value.flows) for value in inputs]
    for place in (0, 1):
        if place == 1 or alone[1]:
            summed = contracted[place]
            role = lambda axis, summed=summed: SUMMED if axis in summed else FREE  # noqa: E731
            meet(inputs[place], record, role, aside=any(alone))

    def mark(old: Mark) -> Mark:
        if isinstance(old, str):
            return old
        new = frozenset(moves[axis] for axis in old if axis in moves)
        return new or FREE

    forms = frozenset() if any(alone) else inputs[0].forms
    return Seen(False, frozenset((i, tuple(map(mark, marks))) for i, marks in forms), True)


def _inner(equation: JaxprEqn) -> Jaxpr | None:
    """The program inside an operation that does nothing but run it (jit, checkpoint, custom
    derivatives); None for any other."""
    for value in equation.params.values():
        jaxpr = getattr(value, "jaxpr", value)
        if not hasattr(jaxpr, "eqns") or len(jaxpr.invars) != len(equation.invars):
            continue
        if len(jaxpr.outvars) == len(equation.outvars):
            return jaxpr
    return None


def _looped(
    jaxpr: Jaxpr, before: list[Seen], carry: list[Seen], each: list[Seen], record: Uses
) -> tuple[list[Seen], list[Seen]]:
    """(carry, other results) of a loop's body, once another round changes nothing."""
    while True:
        results = _run(jaxpr, [*before, *carry, *each], Uses(set(), set()))
        new = [
            joined([a, b], Uses(set(), set()))
            for a, b in zip(carry, results[: len(carry)], strict=True)
        ]
        if new == carry:
            break
        carry = new
    results = _run(jaxpr, [*before, *carry, *each], record)
    return carry, results[len(carry) :]


def _scan(equation: JaxprEqn, inputs: list[Seen], record: Uses) -> list[Seen]:
    params = equation.params
    consts, carries = of_scan(equation)
    before, carry = inputs[:consts], inputs[consts : consts + carries]
    down = lambda axis: frozenset({axis - 1}) if axis else frozenset()  # noqa: E731
    each = [after(value, down, "gather") for value in inputs[consts + carries :]]
    end, outputs = _looped(params["jaxpr"].jaxpr, before, carry, each, record)
    _starts(carry, end, record)
    return [*end, *(after(value, lambda axis: frozenset({axis + 1})) for value in outputs)]


def _while(equation: JaxprEqn, inputs: list[Seen], record: Uses) -> list[Seen]:
    params = equation.params
    first, second = params["cond_nconsts"], params["body_nconsts"]
    before, carry = inputs[first : first + second], inputs[first + second :]
    end, _ = _looped(params["body_jaxpr"].jaxpr, before, carry, [], record)
    _run(params["cond_jaxpr"].jaxpr, [*inputs[:first], *end], record)
    _starts(carry, end, record)
    return end


def _starts(carry: list[Seen], end: list[Seen], record: Uses) -> None:
    """A parameter that a loop starts from becomes data as it is."""
    for start, last in zip(carry, end, strict=True):
        if last.data and not start.data:
            meet(start, record, lambda axis: FREE)


def _cond(equation: JaxprEqn, inputs: list[Seen], record: Uses) -> list[Seen]:
    chosen = Seen(inputs[0].data)
    branches = [_run(b.jaxpr, inputs[1:], record) for b in equation.params["branches"]]
    return [joined([chosen, *values], record) for values in zip(*branches, strict=True)]


_CONTROL: dict[str, Callable[[JaxprEqn, list[Seen], Uses], list[Seen]]] = {
    "scan": _scan,
    "while": _while,
    "cond": _cond,
}
