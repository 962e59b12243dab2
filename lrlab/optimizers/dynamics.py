"""What is known of the optimizers on a quadratic: family, momentum, preconditioner (for probes).

P is the preconditioner of the update that led to the state: that update was along P^-1 g, where
momentum is a sum, or P^-1 (1 - b) g, where it is an average. Weight decay and clipping are not
counted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from lrlab.core.text import Table
from lrlab.optimizers.method import Preconditioner, Quadratic
from lrlab.optimizers.states import nodes
from lrlab.types import Array, Dynamics, Hyper, Params, PyTree, Scalar

Read = Callable[[str], Scalar]
"""`name -> value` of a hyper-parameter: the lane's where it is swept."""


def dynamics(quadratic: Quadratic | None, values: Table) -> Dynamics | None:
    """The dynamics of a method, given all its hyper-parameters; None: not known.

    Families: `sgd`, heavy ball, Nesterov; Adam and its like with `b1`; RMSProp; Adagrad (as sgd).
    Source: Cohen et al. 2022 (arXiv 2207.14484) for Adam's P = (1 - b1^t)(sqrt(v^) + eps).

    >>> from lrlab.optimizers import hyperparameters, method
    >>> dynamics(method("adam").dynamics, hyperparameters("adam")).family
    'adam'
    """
    if quadratic is None:
        return None
    family, momentum = quadratic.family, quadratic.momentum
    preconditioner = quadratic.preconditioner and PRECONDITIONERS[quadratic.preconditioner]
    if values.get("nesterov"):
        family = "nesterov_ema" if family == "adam" else "nesterov"
    if momentum is not None and values[momentum] is None:
        family, momentum = "sgd", None

    def read(hyper: Hyper) -> Read:
        return lambda key: hyper.get(key, values[key])

    def of_state(state: PyTree, hyper: Hyper) -> Params:
        assert preconditioner is not None
        return preconditioner(state, read(hyper))

    def momentum_of(hyper: Hyper) -> Scalar:
        return 0.0 if momentum is None else read(hyper)(momentum)

    def pace(hyper: Hyper, step: Array) -> Array:
        b, every = momentum_of(hyper), values["accumulate"]
        ahead = 2 if family == "nesterov" else 1
        return (1 - jnp.asarray(b) ** (step // every + ahead)) / (1 - b) / every

    return Dynamics(
        family,
        momentum_of,
        None if preconditioner is None else of_state,
        pace if preconditioner is None else None,
    )


def _state(state: PyTree, field: str) -> PyTree:
    return nodes(state, field)[0]


def _unbiased(b: Scalar, count: Array) -> jax.Array:
    return 1 - jnp.asarray(b) ** count


def _adam(state: PyTree, read: Read, *, root: str | None = "eps_root") -> Params:
    """(1 - b1^t) (sqrt(v / (1 - b2^t) + eps_root) + eps)."""
    own = _state(state, "nu")
    correction, inside = _unbiased(read("b2"), own.count), 0.0 if root is None else read(root)
    return jax.tree.map(
        lambda v: (
            _unbiased(read("b1"), own.count) * (jnp.sqrt(v / correction + inside) + read("eps"))
        ),
        own.nu,
    )


def _amsgrad(state: PyTree, read: Read) -> Params:
    """The second moment is corrected before its maximum is taken."""
    own = _state(state, "nu_max")
    first = _unbiased(read("b1"), own.count) if read("bias_correction_mu") else 1.0
    return jax.tree.map(
        lambda v: first * (jnp.sqrt(v + read("eps_root")) + read("eps")), own.nu_max
    )


def _adamax(state: PyTree, read: Read) -> Params:
    own = _state(state, "nu")
    return jax.tree.map(lambda u: _unbiased(read("b1"), own.count) * u, own.nu)


def _radam(state: PyTree, read: Read) -> Params:
    """Adam's P over the rectification r; 1 - b1^t while the average of v is too short."""
    count, b2 = _state(state, "nu").count, jnp.asarray(read("b2"))
    longest = 2 / (1 - b2) - 1
    length = longest - 2 * count * b2**count / _unbiased(b2, count)
    squared = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    rectified = length >= read("threshold")
    r = jnp.sqrt(jnp.where(rectified, squared, 1))
    return jax.tree.map(
        lambda p: jnp.where(rectified, p / r, _unbiased(read("b1"), count)), _adam(state, read)
    )


def _rmsprop(state: PyTree, read: Read) -> Params:
    own = _state(state, "nu")
    correction = _unbiased(read("decay"), own.count) if read("bias_correction") else 1.0
    mean = own.mu if read("centered") else jax.tree.map(jnp.zeros_like, own.nu)

    def scale(v: jax.Array, m: jax.Array) -> jax.Array:
        variance = v / correction - (m / correction) ** 2
        if read("eps_in_sqrt"):
            return jnp.sqrt(variance + read("eps"))
        return jnp.sqrt(variance) + read("eps")

    return jax.tree.map(scale, own.nu, mean)


def _adagrad(state: PyTree, read: Read) -> Params:
    sums = _state(state, "sum_of_squares").sum_of_squares
    return jax.tree.map(lambda s: jnp.where(s > 0, jnp.sqrt(s + read("eps")), jnp.inf), sums)


PRECONDITIONERS: dict[Preconditioner, Callable[[PyTree, Read], Params]] = {
    "adam": _adam,
    "adam_without_root": functools.partial(_adam, root=None),
    "adamax": _adamax,
    "amsgrad": _amsgrad,
    "radam": _radam,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
}
"""Name -> P of a state, a pytree like the parameters."""
