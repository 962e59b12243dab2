"""Products of an input and a kernel as JAX primitives, whose gradients are written by hand.

A dense layer or a convolution y = F(x, w) is two thirds of a trilinear form T(x, w, g) =
sum(F(x, w) * g), and so are its gradients: X(w, g) by the input, W(x, g) by the kernel. Each of the
three is linear in both of its factors, and its derivatives are the other two; so one primitive that
leaves out one factor of T covers forward, backward, and every higher order, and each of the three
can be computed in the way that is fastest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import jax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from lrlab.types import Array

GIVEN = {"y": ("x", "w"), "x": ("w", "y"), "w": ("x", "y")}
"""By the factor of T that is left out: the two that are given, in order (g stands at y's place)."""

Form = TypeVar("Form", bound=Hashable)
"""What describes a form T beside its factors."""

Compute = Callable[[Array, Array, Form], Array]
Batched = Callable[..., tuple[Array, int]]
"""`(args, axes, gives=, form=) -> (result, its axis)`."""


def trilinear(name: str, compute: Mapping[str, Compute[Form]], batched: Batched) -> Primitive:
    """The primitive of a form T: `bind(a, b, gives=, form=)` is `compute[gives](a, b, form)`, where
    a and b are as in `GIVEN`.

    Args:
        compute: "y" -> F(x, w), "x" -> X(w, g), "w" -> W(x, g); `form`, hashable, describes T.
        batched: the rule for `vmap`.

    >>> import jax.numpy as jnp
    >>> multiply = {gives: lambda a, b, form: a * b for gives in "yxw"}
    >>> times = trilinear("times", multiply, batched=lambda args, axes, **_: (args[0] * args[1], 0))
    >>> float(jax.grad(lambda x: times.bind(x, jnp.float32(3.0), gives="y", form=None))(2.0))
    3.0
    """

    def computed(a: Array, b: Array, *, gives: str, form: Form) -> Array:
        return compute[gives](a, b, form)

    def shape(a: ShapedArray, b: ShapedArray, **options: object) -> ShapedArray:
        result = jax.eval_shape(functools.partial(computed, **options), a, b)
        return ShapedArray(result.shape, result.dtype)

    def transposed(place: int, cotangent: Array, a: Array, b: Array, *, gives: str,
                   form: Form) -> Array:  # fmt: skip
        # The cotangent of the factor at `place`: T with what was left out given, and it left out.
        missing = GIVEN[gives][place]
        factors = {gives: cotangent, GIVEN[gives][1 - place]: b if place == 0 else a}
        value = (factors[name] for name in GIVEN[missing])
        return primitive.bind(*value, gives=missing, form=form)

    primitive = Primitive(name)
    primitive.def_impl(jax.jit(computed, static_argnames=("gives", "form")))
    primitive.def_abstract_eval(shape)
    mlir.register_lowering(primitive, mlir.lower_fun(computed, multiple_results=False))
    ad.defbilinear(primitive, functools.partial(transposed, 0), functools.partial(transposed, 1))
    batching.primitive_batchers[primitive] = batched
    return primitive
