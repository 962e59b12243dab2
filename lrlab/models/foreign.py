"""Models of other libraries: what to write so that they train here."""

from __future__ import annotations

import inspect
import sys

import jax
import numpy as np

from lrlab.models.modes import ModelError

EQUINOX = """\
static = eqx.partition(make(jax.random.key(0)), eqx.is_inexact_array)[1]
model = lrlab.Model(lambda key, x: eqx.filter(make(key), eqx.is_inexact_array), \
lambda params, x, train, key: (jax.vmap(eqx.combine(params, static))(x), params))"""
"""For a function `make(key) -> Equinox module` of one example, every seed with its own weights."""

HAIKU = """\
model = lrlab.Model(lambda key, x: net.init(key, x), \
lambda params, x, train, key: (net.apply(params, key, x), params))"""

HAIKU_STATE = """\
model = lrlab.Model(lambda key, x: dict(zip(("params", "state"), net.init(key, x))), \
lambda v, x, train, key: (lambda out, state: (out, {"params": v["params"], "state": state}))\
(*net.apply(v["params"], v["state"], key, x)))"""

PLAIN = """\
model = lrlab.Model(lambda key, x: params_of(key), \
lambda params, x, train, key: (f(params, x), params))"""


def wrapped() -> str:
    """How functions of parameters and inputs become a model."""
    return f"a function f(params, inputs) is wrapped:\n{PLAIN}"


def check_foreign(network: object) -> None:
    """Whether `network` belongs to a library whose models have to be wrapped.

    Raises:
        ModelError: it does; the message holds the lines to write.
    """
    kind = type(network).__name__
    if _is(network, "torch", "nn.Module"):
        raise ModelError(
            f"model is the PyTorch module {kind}, which JAX cannot differentiate; write it as a "
            "Flax module (flax.linen or flax.nnx), its layers have nearly the same names"
        )
    if _is(network, "sklearn.base", "BaseEstimator"):
        raise ModelError(
            f"model is the scikit-learn estimator {kind}, which is not trained by gradient steps: "
            "it has no learning rate that lrlab could set; give a Flax module, such as "
            'flax.linen.Dense(outputs) for a linear model, or "mlp" by lrlab.tasks.load'
        )
    if _is(network, "equinox", "Module") or _holds_arrays(network):
        raise ModelError(
            f"model is {kind}, a callable tree of arrays as Equinox has them; wrap it, with "
            "make(key) the function that makes it, so that every seed has its own weights:\n"
            f"{EQUINOX}"
        )
    init, apply = getattr(network, "init", None), getattr(network, "apply", None)
    if callable(init) and callable(apply) and not isinstance(network, type):
        parameters = list(inspect.signature(apply).parameters)
        lines = HAIKU_STATE if "state" in parameters[:2] else HAIKU
        raise ModelError(
            f"model is {kind}, a pair of functions init and apply as Haiku has them; wrap it, with "
            f"net the {kind}:\n{lines}"
        )
    if isinstance(network, (tuple, list)) and len(network) == 2 and all(map(callable, network)):
        raise ModelError(
            "model is a pair of functions; if they are init(key, inputs) -> params and "
            "apply(params, inputs), wrap them:\nmodel = lrlab.Model(init, lambda params, x, train, "
            "key: (apply(params, x), params))"
        )


def _is(network: object, module: str, path: str) -> bool:
    """Whether it is an instance of a class of a library; one that was never imported has none."""
    result: object = sys.modules.get(module)
    for part in path.split("."):
        result = getattr(result, part, None)
    return isinstance(result, type) and isinstance(network, result)


def _holds_arrays(network: object) -> bool:
    """Whether it is a tree of JAX's with arrays in it, rather than a leaf."""
    if isinstance(network, (tuple, list, dict)):
        return False
    leaves = jax.tree.leaves(network)
    return any(leaf is not network and isinstance(leaf, (jax.Array, np.ndarray)) for leaf in leaves)
