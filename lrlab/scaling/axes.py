"""Where the axes of an array are after an operation of a JAX program."""

from __future__ import annotations

from collections.abc import Callable

from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var

Atom = Var | Literal
"""What an equation reads: a variable or a constant."""


def shape_of(atom: Atom) -> tuple[int, ...]:
    """The shape of an array in a program."""
    return getattr(atom.aval, "shape", ())


def fits(shape: tuple[int, ...], result: tuple[int, ...]) -> bool:
    """Whether an operand goes number by number, or is repeated along axes of length 1."""
    pairs = zip(shape, result, strict=True) if len(shape) == len(result) else ()
    return not shape or (len(shape) == len(result) and all(a in (1, b) for a, b in pairs))


def only_summed(jaxpr: Jaxpr) -> dict[Var, tuple[int, ...]]:
    """Variables that nothing reads but one sum -> the axes that it sums over: `(h * w).sum(-1)` is
    a product with a matrix.
    """
    readers: dict[Var, list[JaxprEqn | None]] = {}
    for equation in jaxpr.eqns:
        for atom in equation.invars:
            if not isinstance(atom, Literal):
                readers.setdefault(atom, []).append(equation)
    for atom in jaxpr.outvars:
        if not isinstance(atom, Literal):
            readers.setdefault(atom, []).append(None)
    return {
        variable: tuple(by[0].params["axes"])
        for variable, by in readers.items()
        if len(by) == 1 and by[0] is not None and by[0].primitive.name == "reduce_sum"
    }


def _transposed(equation: JaxprEqn) -> dict[int, frozenset[int]]:
    return {old: frozenset({new}) for new, old in enumerate(equation.params["permutation"])}


def _broadcast(equation: JaxprEqn) -> dict[int, frozenset[int]]:
    return {a: frozenset({b}) for a, b in enumerate(equation.params["broadcast_dimensions"])}


def _squeezed(equation: JaxprEqn) -> dict[int, frozenset[int]]:
    rank, gone = len(shape_of(equation.invars[0])), equation.params["dimensions"]
    kept = [axis for axis in range(rank) if axis not in gone]
    return {axis: frozenset({i}) for i, axis in enumerate(kept)}


def gathered(equation: JaxprEqn) -> dict[int, frozenset[int]]:
    """Axes of a table that a look-up keeps -> where they are in the result."""
    numbers = equation.params["dimension_numbers"]
    gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    rank = len(shape_of(equation.invars[0]))
    kept = [axis for axis in range(rank) if axis not in gone]
    return {axis: frozenset({i}) for axis, i in zip(kept, numbers.offset_dims, strict=True)}


def _reshaped(equation: JaxprEqn) -> dict[int, frozenset[int]]:
    return axes_after(shape_of(equation.invars[0]), shape_of(equation.outvars[0]))


def axes_after(old: tuple[int, ...], new: tuple[int, ...]) -> dict[int, frozenset[int]]:
    """Where the axes of an array are after a reshape; empty where it cannot be said.

    >>> axes_after((6, 4), (2, 3, 4))
    {0: frozenset({0, 1}), 1: frozenset({2})}
    """
    moves: dict[int, frozenset[int]] = {}
    i = j = 0
    while i < len(old) and j < len(new):
        first, other, left, right = i, j, old[i], new[j]
        while left != right:
            if left < right and i + 1 < len(old):
                i += 1
                left *= old[i]
            elif right < left and j + 1 < len(new):
                j += 1
                right *= new[j]
            else:
                return {}
        i, j = i + 1, j + 1
        # Of a group, axes of length 1 say nothing; where all are, the first will do.
        into = [axis for axis in range(other, j) if new[axis] != 1] or [other]
        moves |= {axis: frozenset(into) for axis in range(first, i)}
    for axis in range(i, len(old)):  # of length 1, left over at the end
        moves[axis] = frozenset({max(len(new) - 1, 0)})
    return moves


MOVES: dict[str, Callable[[JaxprEqn], dict[int, frozenset[int]]]] = {
    "transpose": _transposed,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshaped,
    "squeeze": _squeezed,
    "gather": gathered,
}
"""Operation -> (equation -> axis -> where it is in the result)."""
