"""Walking through a traced program: its equations, and the programs inside them."""

from __future__ import annotations

from collections.abc import Iterator

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


def opened(program: ClosedJaxpr | Jaxpr) -> Jaxpr:
    """A program without its constants."""
    return program.jaxpr if isinstance(program, ClosedJaxpr) else program


def shape_of(variable: Var | Literal) -> tuple[int, ...]:
    """The shape of a variable; () of what has none (a token)."""
    return getattr(variable.aval, "shape", ())
