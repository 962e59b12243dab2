"""MoMo: momentum with a model-based cap on the step size. Needs the loss (`value`)."""

from __future__ import annotations

import jax
import optax

from lrlab.core.errors import FieldError
from lrlab.optimizers.transforms import recorded, with_extra_args
from lrlab.types import Array, Params, PyTree, Scalar

FORMS = ("package", "optax")


def momo(
    lr: Scalar = 1.0,
    *,
    beta: float = 0.9,
    lower_bound: float = 0.0,
    weight_decay: float = 0.0,
    adapt_lower_bound: bool = False,
    form: str = "package",
) -> optax.GradientTransformation:
    """MoMo: momentum SGD whose step is the smaller of `lr` and the model's Polyak step.

    With f, m and c the averages of the loss, of g and of <g, w>: w <- w - min(lr, max(f -
    lower_bound - c + <m, w>, 0) / |m|^2) m (Schaipp et al. 2024, arXiv 2305.07583). `lower_bound`
    is a loss below all losses (give it where they are negative: at losses below it no step is
    taken); `lr`, a cap, in the parameters' unit over the gradient's. Weight decay is a proximal
    step, w <- (w - tau m) / (1 + lr weight_decay), as in the paper and in the authors' package;
    `form` "optax": w / (1 + lr weight_decay) - tau m, Optax's. The step size recorded is the norm
    of the update over that of the gradient.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(momo())
    [-0.0545, -0.5446]
    """
    inner = optax.contrib.momo(lr, beta, lower_bound, weight_decay, adapt_lower_bound)
    return recorded(_decayed(inner, "momo", form, lr, weight_decay))


def momo_adam(
    lr: Scalar = 0.01,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    lower_bound: float = 0.0,
    weight_decay: float = 0.0,
    adapt_lower_bound: bool = False,
    form: str = "package",
) -> optax.GradientTransformation:
    """MoMo-Adam: Adam whose step is the smaller of `lr` and the model's Polyak step.

    MoMo's formula with |m|^2 in the metric D = eps + sqrt(v^), and w <- w - tau m / D,
    tau = min(lr / (1 - b1^t), ...) (Schaipp et al. 2024, arXiv 2305.07583). `lr`, a cap, is in the
    parameters' unit. Weight decay and `form` as for `momo`. The step size recorded is the norm of
    the update over that of the gradient.

    >>> from lrlab.optimizers.toy import first_update
    >>> first_update(momo_adam())
    [-0.01, -0.01]
    """
    inner = optax.contrib.momo_adam(lr, b1, b2, eps, lower_bound, weight_decay, adapt_lower_bound)
    return recorded(_decayed(inner, "momo_adam", form, lr, weight_decay))


def _decayed(
    transformation: optax.GradientTransformationExtraArgs,
    name: str,
    form: str,
    lr: Scalar,
    weight_decay: Scalar,
) -> optax.GradientTransformationExtraArgs:
    """Optax's update u = w / c - w - step, c = 1 + lr weight_decay, in the form asked for: the
    package's is (w - step) / c - w = (u - w (1 - c) / c) / c + w (1 - c) / c.

    Raises:
        ValueError: another form.
    """
    if form not in FORMS:
        raise FieldError("form", f"{name}: form must be package or optax, got {form!r}")
    if form == "optax" or (isinstance(weight_decay, (int, float)) and weight_decay == 0):
        return transformation

    def update(
        grads: Params, state: PyTree, params: Params, **extra: object
    ) -> tuple[Params, PyTree]:
        updates, new = transformation.update(grads, state, params, **extra)
        c = 1 + lr * weight_decay
        shrunk = (1 - c) / c

        def proximal(u: Array, w: Array) -> Array:
            return ((u - shrunk * w) / c + shrunk * w).astype(u.dtype)

        return jax.tree.map(proximal, updates, params), new

    return with_extra_args(transformation.init, update)
