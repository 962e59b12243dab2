"""Walking through a traced program: its equations, and the programs inside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from jax.core import ShapedArray
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var


def inner_programs(equation: JaxprEqn) -> Iterator[ClosedJaxpr | Jaxpr]:
    """The programs inside an equation (of a loop, a branch, a call), as its parameters hold them.

    >>> import jax
    >>> loop = jax.make_jaxpr(lambda x: jax.lax.fori_loop(0, x, lambda i, y: y + i, 0))(3)
    >>> [len(list(inner_programs(equation))) for equation in loop.eqns]
    [2]
    """
    for value in equation.params.values():
        for inner in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(inner, (ClosedJaxpr, Jaxpr)):
                yield inner


def with_inner(value: Any, change: Callable[[Jaxpr], Jaxpr]) -> Any:
    """A parameter of an equation, with the programs inside changed.

    >>> import jax
    >>> program = jax.make_jaxpr(lambda x: x + 1)(3)
    >>> len(with_inner([program], lambda jaxpr: jaxpr.replace(eqns=[]))[0].eqns)
    0
    """
    if isinstance(value, ClosedJaxpr):
        return value.replace(jaxpr=change(value.jaxpr))
    if isinstance(value, Jaxpr):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(with_inner(part, change) for part in value))
    if isinstance(value, (tuple, list)):
        return type(value)(with_inner(part, change) for part in value)
    return value


def opened(program: ClosedJaxpr | Jaxpr) -> Jaxpr:
    """A program without its constants."""
    return program.jaxpr if isinstance(program, ClosedJaxpr) else program


def of_scan(equation: JaxprEqn) -> tuple[int, int]:
    """How many of a scan's inputs are the same at every turn, and how many it carries on; the rest
    it goes through.

    >>> import jax
    >>> loop = jax.make_jaxpr(lambda a, x: jax.lax.scan(lambda y, b: (y + a * b, y), a, x))
    >>> of_scan(loop(2.0, jax.numpy.ones(3)).eqns[-1])
    (1, 1)
    """
    params = equation.params
    if "ft_in" in params:  # jax 0.12
        same, carried, _ = (len(part) for part in params["ft_in"].unpack())
        return same, carried
    return params["num_consts"], params["num_carry"]


def array_of(variable: Var | Literal) -> ShapedArray:
    """Shape and dtype of a variable that holds an array."""
    assert isinstance(variable.aval, ShapedArray)
    return variable.aval


def shape_of(variable: Var | Literal) -> tuple[int, ...]:
    """The shape of a variable; () of what has none (a token)."""
    return getattr(variable.aval, "shape", ())
