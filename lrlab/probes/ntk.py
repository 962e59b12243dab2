"""The neural tangent kernel's top eigenvalue, and the largest stable LR of the lazy regime."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from lrlab.probes.curvature import top_eigenvalues
from lrlab.probes.lane import count_of, first_examples
from lrlab.types import Array, LaneView


def ntk(lane: LaneView, *, examples: int = 128, iterations: int = 16) -> dict[str, Array]:
    """Top eigenvalue of the neural tangent kernel, and the largest LR that its linear model bears;
    64 gradient evaluations.

    With J the Jacobian of the outputs f (N examples): `ntk_top`, the top eigenvalue of J J' / N,
    and `lazy_max_lr` = 2 / top eigenvalue of the Gauss-Newton matrix J' (d2 loss / df2) J: where
    the network moves like its linearization, gradient descent above it leaves the minimum. For a
    loss of (f - y)^2 / 2 the two say the same, lazy_max_lr = 2 / ntk_top. Outputs are those of
    training with a fixed dropout mask. Unit of J J': output^2 / parameter^2.

    Source: Jacot et al. 2018 (arXiv 1806.07572); Lee et al. 2019 (arXiv 1902.06720).

    Raises:
        ValueError: the task is an objective, which has no outputs.
    """
    outputs, output_loss = lane.task.outputs, lane.task.output_loss
    if outputs is None or output_loss is None:
        raise ValueError(
            "an objective has no outputs, so no tangent kernel; the probe needs a model on data"
        )
    batch = first_examples(lane, examples)
    count = count_of(batch)
    flat, unravel = ravel_pytree(lane.params)
    shape = jax.eval_shape(outputs, lane.params, lane.model, batch, lane.fixed_key)

    def function(vector: Array) -> Array:
        values = outputs(unravel(vector), lane.model, batch, lane.fixed_key)
        return values.astype(flat.dtype).ravel()

    values, pull = jax.vjp(function, flat)

    def push(vector: Array) -> Array:
        return jax.jvp(function, (flat,), (vector,))[1]

    def curved(direction: Array) -> Array:
        slope = jax.grad(lambda f: output_loss(f.reshape(shape.shape), batch))
        return jax.jvp(slope, (values,), (direction,))[1]

    # J J' and J' J have the same top: the smaller of the two spaces is the one to look in.
    if values.size <= flat.size:
        kernel = top_eigenvalues(lambda u: push(pull(u)[0]) / count, values, iterations=iterations)
    else:
        kernel = top_eigenvalues(lambda v: pull(push(v))[0] / count, flat, iterations=iterations)
    newton = top_eigenvalues(lambda v: pull(curved(push(v)))[0], flat, iterations=iterations)[0]
    limit = jnp.where(newton > 0, 2 / jnp.where(newton > 0, newton, 1), jnp.inf)
    return {"ntk_top": kernel[0], "lazy_max_lr": jnp.where(jnp.isnan(newton), jnp.nan, limit)}
