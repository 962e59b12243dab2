"""How a network uses each of its parameters: read from the program that JAX traces.

Shapes do not say it: `(heads, head_dim)` is a bias, `(width, classes)` a readout, and a kernel may
be used transposed. The program does: an axis of a tensor that is summed over against the data
counts the tensor's inputs (fan-in), an axis that the result keeps counts its outputs (fan-out).

What depends on parameters and constants alone is followed through reshapings, transpositions, sums
and products (`Seen.forms`) up to where it meets data (`Seen.data`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax

from lrlab.models.conv_primitive import convolve_p
from lrlab.models.dense import dense_p
from lrlab.scaling.axes import MOVES, fits, gathered, only_summed
from lrlab.scaling.rules import APART, FREE, LOST, SUMMED
from lrlab.types import PyTree

Mark = frozenset[int] | str
"""Where an axis of a parameter is now: axes of a value, or its role once that is decided."""

Form = tuple[int, tuple[Mark, ...]]
"""The parameter's number, and a mark for each of its axes."""

Role = Callable[[int], str]


class Seen(NamedTuple):
    """A value of the program: whether it depends on data; which parameters it is a form of; whether
    it came out of a product of values without data, like a learned query."""

    data: bool = False
    forms: frozenset[Form] = frozenset()
    flows: bool = False


class Uses(NamedTuple):
    """(parameter, roles of its axes) where it meets data; `aside`: where it meets constants, as in
    a power iteration, which counts where nothing else is known."""

    met: set[tuple[int, tuple[str, ...]]]
    aside: set[tuple[int, tuple[str, ...]]]


def uses(
    function: Callable[..., Any],
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
    found = Uses(set(), set())
    for value in _run(closed.jaxpr, values, found):
        _meet(value, found, lambda axis: FREE)
    axes = [range(len(leaf.shape)) for leaf in leaves] if looked_at is None else looked_at
    return [_settled(i, kept, found) for i, kept in enumerate(axes)]


def _settled(number: int, axes: Sequence[int], found: Uses) -> set[tuple[str, ...]]:
    """What is known best: complete uses, else complete ones beside, else incomplete ones."""
    met = {tuple(roles[a] for a in axes) for i, roles in found.met if i == number}
    aside = {tuple(roles[a] for a in axes) for i, roles in found.aside if i == number}
    for known in (met, aside):
        complete = {roles for roles in known if LOST not in roles}
        if complete:
            return complete
    return met | aside


def _run(jaxpr: Any, values: Sequence[Seen], found: Uses) -> list[Seen]:
    """The outputs of a program for these inputs; what it uses goes into `found`."""
    known: dict[Any, Seen] = dict(zip(jaxpr.invars, values, strict=True))
    sums = only_summed(jaxpr)

    def read(atom: Any) -> Seen:
        return Seen() if hasattr(atom, "val") else known.get(atom, Seen())

    for equation in jaxpr.eqns:
        given = [read(atom) for atom in equation.invars]
        if any(value != Seen() for value in given):
            results = _apply(equation, given, found, sums)
            known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, given: list[Seen], found: Uses, sums: Any) -> list[Seen]:
    name, count = equation.primitive.name, len(equation.outvars)
    if name in _CONTROL:
        return _CONTROL[name](equation, given, found)
    inner = _inner(equation)
    if inner is not None:
        return _run(inner, given, found)
    if any(value.data for value in given):
        for place, value in enumerate(given):
            if value.forms and not value.data:
                _meet(value, found, _role(equation, place, sums))
        return [Seen(True)] * count
    return _moved(equation, given, found)


def _meet(value: Seen, found: Uses, role: Role, aside: bool = False) -> None:
    """Notes that a value met data, axis by axis."""
    for number, marks in value.forms:
        roles = tuple(mark if isinstance(mark, str) else _one(map(role, mark)) for mark in marks)
        (found.aside if aside else found.met).add((number, roles))


def _one(roles: Iterable[str]) -> str:
    """The role of an axis that is in several places: of a number of heads times a head size."""
    different = set(roles) - {APART} or {APART}
    return different.pop() if len(different) == 1 else LOST


def _role(equation: Any, place: int, sums: Any) -> Role:
    """What becomes of each axis of the operand at `place`, which meets data."""
    name, params = equation.primitive.name, equation.params
    shape = equation.invars[place].aval.shape
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
    same = any(fits(shape, out.aval.shape) for out in equation.outvars)
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


def _moved(equation: Any, given: list[Seen], found: Uses) -> list[Seen]:
    """An operation on parameters and constants alone: where their axes go."""
    name, params = equation.primitive.name, equation.params
    operands = [atom.aval.shape for atom in equation.invars]
    shapes = [out.aval.shape for out in equation.outvars]
    if name == "dot_general":
        return [_product(equation, given, found)]
    if name in MOVES:
        moves = MOVES[name](equation)
        return [_after(given[0], lambda axis: moves.get(axis, frozenset()), name)]
    if name in ("concatenate", "pad", "slice", "dynamic_slice", "dynamic_update_slice"):
        alike = [
            value for value, s in zip(given, operands, strict=True) if len(s) == len(shapes[0])
        ]
        return [_union(alike)]
    if name in _REDUCING:
        axes = set(params["axes"])
        kept = [axis for axis in range(len(operands[0])) if axis not in axes]
        reduced = {axis: frozenset({i}) for i, axis in enumerate(kept)}
        return [_after(given[0], lambda axis: reduced.get(axis, frozenset()), name)] * len(shapes)
    results = []
    for shape in shapes:
        parts = [
            value if fits(operand, shape) else _after(value, lambda axis: frozenset(), name)
            for value, operand in zip(given, operands, strict=True)
        ]
        if any(value.flows for value in parts):  # biases and scales of what flows
            parts = [v if v.flows else _without_vectors(v, len(shape), found) for v in parts]
        results.append(_union(parts))
    return results


def _without_vectors(value: Seen, rank: int, found: Uses) -> Seen:
    """A value less those of its forms that do not have all its axes: they have met what flows."""

    def covers(form: Form) -> bool:
        axes = frozenset().union(*(mark for mark in form[1] if not isinstance(mark, str)))
        return len(axes) == rank

    vectors = frozenset(form for form in value.forms if not covers(form))
    _meet(Seen(False, vectors), found, lambda axis: FREE)
    return value._replace(forms=value.forms - vectors)


def _after(value: Seen, moved: Callable[[int], frozenset[int]], name: str = "") -> Seen:
    """A value whose axes went elsewhere; an axis that went nowhere is lost, or was looked up."""
    gone = APART if name in ("gather", "squeeze") else LOST

    def mark(old: Mark) -> Mark:
        if isinstance(old, str):
            return old
        new = frozenset().union(*map(moved, old))
        return new or gone

    forms = frozenset((i, tuple(map(mark, marks))) for i, marks in value.forms)
    return value._replace(forms=forms)


def _union(values: Sequence[Seen]) -> Seen:
    """All forms; those that lost an axis (norms that divide a kernel) only where no other is."""
    forms = frozenset().union(*(value.forms for value in values))
    whole = {number for number, marks in forms if LOST not in marks}
    kept = frozenset(form for form in forms if LOST not in form[1] or form[0] not in whole)
    return Seen(any(value.data for value in values), kept, any(value.flows for value in values))


def _product(equation: Any, given: list[Seen], found: Uses) -> Seen:
    """A product of parameters or of one with constants. As everywhere, the left factor is taken for
    what flows, the right one for the kernel, whose use is decided with that; beside a constant
    (features of positions, a power iteration) it is nearly."""
    contracted, batched = equation.params["dimension_numbers"]
    rank = len(equation.invars[0].aval.shape)
    kept = [a for a in range(rank) if a not in (*contracted[0], *batched[0])]
    moves = {axis: i for i, axis in enumerate([*batched[0], *kept])}
    alone = [not (value.forms or value.flows) for value in given]
    for place in (0, 1):
        if place == 1 or alone[1]:
            summed = contracted[place]
            role = lambda axis, summed=summed: SUMMED if axis in summed else FREE  # noqa: E731
            _meet(given[place], found, role, aside=any(alone))

    def mark(old: Mark) -> Mark:
        if isinstance(old, str):
            return old
        new = frozenset(moves[axis] for axis in old if axis in moves)
        return new or FREE

    forms = frozenset() if any(alone) else given[0].forms
    return Seen(False, frozenset((i, tuple(map(mark, marks))) for i, marks in forms), True)


def _inner(equation: Any) -> Any:
    """The program inside an operation that does nothing but run it (jit, checkpoint, custom
    derivatives); None for any other."""
    for value in equation.params.values():
        jaxpr = getattr(value, "jaxpr", value)
        if hasattr(jaxpr, "eqns") and len(jaxpr.invars) == len(equation.invars):
            if len(jaxpr.outvars) == len(equation.outvars):
                return jaxpr
    return None


def _joined(values: Sequence[Seen], found: Uses) -> Seen:
    """One of several values: where one is data, the others meet it as they are."""
    if any(value.data for value in values):
        for value in values:
            if not value.data:
                _meet(value, found, lambda axis: FREE)
        return Seen(True)
    return _union(values)


def _looped(
    jaxpr: Any, before: list[Seen], carry: list[Seen], after: list[Seen], found: Uses
) -> Any:
    """(carry, other results) of a loop's body, once another round changes nothing."""
    while True:
        results = _run(jaxpr, [*before, *carry, *after], Uses(set(), set()))
        new = [
            _joined([a, b], Uses(set(), set()))
            for a, b in zip(carry, results[: len(carry)], strict=True)
        ]
        if new == carry:
            break
        carry = new
    results = _run(jaxpr, [*before, *carry, *after], found)
    return carry, results[len(carry) :]


def _scan(equation: Any, given: list[Seen], found: Uses) -> list[Seen]:
    params = equation.params
    if "ft_in" in params:  # jax 0.12
        consts, carries, _ = (len(part) for part in params["ft_in"].unpack())
    else:
        consts, carries = params["num_consts"], params["num_carry"]
    before, carry = given[:consts], given[consts : consts + carries]
    down = lambda axis: frozenset({axis - 1}) if axis else frozenset()  # noqa: E731
    each = [_after(value, down, "gather") for value in given[consts + carries :]]
    end, outputs = _looped(params["jaxpr"].jaxpr, before, carry, each, found)
    _starts(carry, end, found)
    return [*end, *(_after(value, lambda axis: frozenset({axis + 1})) for value in outputs)]


def _while(equation: Any, given: list[Seen], found: Uses) -> list[Seen]:
    params = equation.params
    first, second = params["cond_nconsts"], params["body_nconsts"]
    before, carry = given[first : first + second], given[first + second :]
    end, _ = _looped(params["body_jaxpr"].jaxpr, before, carry, [], found)
    _run(params["cond_jaxpr"].jaxpr, [*given[:first], *end], found)
    _starts(carry, end, found)
    return end


def _starts(carry: list[Seen], end: list[Seen], found: Uses) -> None:
    """A parameter that a loop starts from becomes data as it is."""
    for start, last in zip(carry, end, strict=True):
        if last.data and not start.data:
            _meet(start, found, lambda axis: FREE)


def _cond(equation: Any, given: list[Seen], found: Uses) -> list[Seen]:
    chosen = Seen(given[0].data)
    branches = [_run(b.jaxpr, given[1:], found) for b in equation.params["branches"]]
    return [_joined([chosen, *values], found) for values in zip(*branches, strict=True)]


_CONTROL: dict[str, Callable[[Any, list[Seen], Uses], list[Seen]]] = {
    "scan": _scan,
    "while": _while,
    "cond": _cond,
}
