"""Library calls that wait for the pool of threads they occupy, made so small that they do not.

jaxlib 0.10 to 0.11.1 spreads a batched LAPACK call over XLA's pool of threads, and XLA does so with
a Fourier transform of many rows. The thread that makes the call belongs to that pool, and waits.
As many such calls at once as the pool has threads (on other devices, or side by side in one
program) wait for ever. A call that is not worth a second thread computes in its own: programs on
CPU devices make these calls matrix by matrix, and row by row.

Source: `GetLapackBatchChunkSize` in jaxlib/cpu/lapack_kernels.cc; `thread_count` in ducc0's fft.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Primitive

from lrlab.core.text import Table
from lrlab.engine.jaxprs import inner_programs, opened, shape_of, with_inner
from lrlab.types import PyTree

LAPACK = {
    "cholesky": 2, "eig": 2, "eigh": 2, "geqp3": 2, "geqrf": 2, "hessenberg": 2,
    "householder_product": 2, "lu": 2, "ormqr": 2, "qr": 2, "schur": 2, "svd": 2,
    "triangular_solve": 2, "tridiagonal": 2, "tridiagonal_solve": 1,
}  # fmt: skip
"""Primitives of `jax.lax.linalg` that call LAPACK on CPU, and the rank of their first operand
without a batch."""

CALLS = frozenset({*LAPACK, "fft"})

FLOPS_PER_THREAD, MOST_FLOPS = 200_000, 40
"""jaxlib leaves a batch of less than the first to one thread; no routine counts a matrix of size n
as more than the second times n^3 operations."""

LONG_ROW, SHORT_ROWS = 1000, 4
"""A transform of this length takes a thread for every row, a shorter one for this many."""


def calls(closed: ClosedJaxpr) -> tuple[str, ...]:
    """The primitives in a program that call LAPACK (or `fft`) on CPU, each once, sorted.

    >>> calls(jax.make_jaxpr(jnp.linalg.cholesky)(jnp.eye(2)))
    ('cholesky',)
    """
    names = {equation.primitive.name for equation in _equations(closed.jaxpr)}
    return tuple(sorted(names & CALLS))


def waits(closed: ClosedJaxpr) -> bool:
    """Whether a program makes calls that may wait for the pool they occupy."""
    return any(_spread(equation) for equation in _equations(closed.jaxpr))


def inlined(closed: ClosedJaxpr) -> ClosedJaxpr:
    """A program whose library calls each stay in one thread.

    Each matrix is a call of its own, with the bits that it has in a batch.
    """
    return closed.replace(jaxpr=_rewritten(closed.jaxpr)) if waits(closed) else closed


def _rewritten(jaxpr: Jaxpr) -> Jaxpr:
    return jaxpr.replace(eqns=[_equation(equation) for equation in jaxpr.eqns])


def _equation(equation: JaxprEqn) -> JaxprEqn:
    if _spread(equation):
        part = _fourier if equation.primitive.name == "fft" else _matrix_by_matrix
        function = jax.jit(functools.partial(part, equation.primitive, equation.params))
        call = jax.make_jaxpr(function)(*(variable.aval for variable in equation.invars))
        return equation.replace(
            primitive=call.eqns[0].primitive, params=call.eqns[0].params, effects=call.effects
        )
    inside = (opened(program) for program in inner_programs(equation))
    if not any(_spread(inner) for program in inside for inner in _equations(program)):
        return equation
    return equation.replace(
        params={k: with_inner(v, _rewritten) for k, v in equation.params.items()}
    )


def _equations(jaxpr: Jaxpr) -> Iterator[JaxprEqn]:
    for equation in jaxpr.eqns:
        yield equation
        for program in inner_programs(equation):
            yield from _equations(opened(program))


def _spread(equation: JaxprEqn) -> bool:
    """Whether a call's batch may be spread over threads."""
    if equation.primitive.name not in CALLS:
        return False
    shapes = [shape_of(variable) for variable in equation.invars]
    shape = shapes[0]
    if equation.primitive.name == "fft":
        size, lengths = math.prod(shape), equation.params["fft_lengths"]
        return any(size // length > _rows(length) for length in lengths if length)
    axes = len(shape) - LAPACK[equation.primitive.name]
    return math.prod(shape[:axes]) > _together(shapes, axes)


def _rows(length: int) -> int:
    return 1 if length >= LONG_ROW else SHORT_ROWS


def _together(shapes: Sequence[tuple[int, ...]], batch: int) -> int:
    """How many matrices jaxlib leaves to one thread, at least; `batch` axes come before them."""
    size = max(1, *(max(shape[batch:], default=1) for shape in shapes))
    return max(1, (FLOPS_PER_THREAD - 1) // (MOST_FLOPS * size**3))


def _matrix_by_matrix(primitive: Primitive, params: Table, *operands: Array) -> PyTree:
    """A batched call as a scan of calls that each have as many matrices as one thread takes."""
    axes = operands[0].ndim - LAPACK[primitive.name]
    batch = operands[0].shape[:axes]
    rows = [operand.reshape(-1, *operand.shape[axes:]) for operand in operands]
    values = _mapped(
        lambda row: primitive.bind(*row, **params),
        rows,
        _together([operand.shape for operand in operands], axes),
    )
    return jax.tree.map(lambda leaf: leaf.reshape(*batch, *leaf.shape[1:]), values)


def _fourier(primitive: Primitive, params: Table, x: Array) -> Array:
    """A transform as transforms along one axis after the other, a few rows at a time."""
    kinds = jax.lax.FftType
    kind, lengths = params["fft_type"], params["fft_lengths"]
    axes = list(range(x.ndim - len(lengths), x.ndim))
    complex_kind = {kinds.RFFT: kinds.FFT, kinds.IRFFT: kinds.IFFT}.get(kind, kind)
    passes = [(axis, complex_kind) for axis in axes[:-1]]
    passes.insert(0 if kind == kinds.RFFT else len(passes), (axes[-1], kind))

    for axis, of in passes:
        length = lengths[axis - axes[0]]
        rows = jnp.moveaxis(x, axis, -1)
        one = functools.partial(primitive.bind, fft_type=of, fft_lengths=(length,))
        done = _mapped(one, rows.reshape(-1, rows.shape[-1]), _rows(length))
        x = jnp.moveaxis(done.reshape(*rows.shape[:-1], -1), -1, axis)
    return x


def _mapped(function: Callable[[PyTree], PyTree], rows: PyTree, together: int) -> PyTree:
    return jax.lax.map(function, rows, batch_size=together if together > 1 else None)
