"""Shapes of steps. `step` and `steps` as in `decay`; lengths are in steps, or fractions below 1."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from lrlab.core.errors import FieldError
from lrlab.schedules.lengths import length
from lrlab.types import Scalar


def step(
    step: Scalar, steps: Scalar, *, rate: Scalar = 0.1, every: Scalar = 0.3333333333333333
) -> Scalar:
    """rate^floor(step / every): a drop by `rate` each `every` steps.

    `every` in steps or as a fraction; not zero at the end (PyTorch's StepLR; Krizhevsky et al.
    2012, NeurIPS 25).

    >>> [round(float(step(k, 9, rate=0.5, every=3)), 6) for k in (0, 2, 3, 8)]
    [1.0, 1.0, 0.5, 0.25]
    """
    drops = jnp.floor(step / jnp.maximum(length(every, steps), 1))
    return jnp.asarray(rate, jnp.result_type(float)) ** drops


def multistep(
    step: Scalar, steps: Scalar, *, rate: Scalar = 0.1, milestones: Sequence[float] = (0.5, 0.75)
) -> Scalar:
    """rate^(number of milestones reached), milestones in steps or fractions (PyTorch's MultiStepLR;
    the schedule of He et al. 2016, arXiv 1512.03385).
    Not zero at the end.

    >>> [round(float(multistep(k, 10, milestones=(2, 5), rate=0.5)), 6) for k in (1, 2, 5)]
    [1.0, 0.5, 0.25]
    """
    reached = sum(jnp.where(step >= length(mark, steps), 1, 0) for mark in milestones)
    return jnp.asarray(rate, jnp.result_type(float)) ** reached


def piecewise(
    step: Scalar,
    steps: Scalar,
    *,
    boundaries: Sequence[float] = (0.5, 0.75),
    factors: Sequence[float] = (1.0, 0.1, 0.01),
) -> Scalar:
    """factors[i] between boundary i - 1 and boundary i: any staircase.

    One factor more than there are boundaries, which are lengths in steps or fractions; factors have
    no unit (Optax's piecewise_constant_schedule; by hand in He et al. 2016, arXiv 1512.03385).

    >>> [round(float(piecewise(k, 10)), 6) for k in (4, 5, 8)]
    [1.0, 0.1, 0.01]
    """
    if len(factors) != len(boundaries) + 1:
        raise FieldError(
            "boundaries",
            f"schedule 'piecewise': {len(boundaries)} boundaries need {len(boundaries) + 1} "
            f"factors, got {len(factors)}",
            also="factors",
        )
    value = jnp.full(jnp.shape(step), factors[0], jnp.result_type(float))
    for mark, factor in zip(boundaries, factors[1:], strict=True):
        value = jnp.where(step >= length(mark, steps), factor, value)
    return value
