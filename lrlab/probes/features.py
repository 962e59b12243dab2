"""The coordinate check: how large each layer's features are, and how far they moved."""

from __future__ import annotations

import jax.numpy as jnp

from lrlab.probes.lane import first_examples
from lrlab.types import Array, LaneView


def feature_change(lane: LaneView, *, examples: int = 128) -> dict[str, Array]:
    """Mean size of each layer's outputs, and of their change since initialization; no gradient
    evaluation.

    `feature_size.<layer>` = mean |h| and `feature_change.<layer>` = mean |h - h at initialization|
    over the coordinates of the first `examples`, in evaluation mode. In muP neither grows or falls
    with width in any layer. Models that do not tell their layers (NNX, `Model(init, apply)`) give
    `output` alone.

    Source: Yang et al. 2022 (Tensor Programs V, arXiv 2203.03466), appendix D.1.

    Raises:
        ValueError: the task is an objective, which has no features.
    """
    features = lane.task.features
    if features is None:
        raise ValueError(
            "an objective has no layers whose features could change; the probe needs a model on "
            "data"
        )
    batch = first_examples(lane, examples)
    now = features(lane.params, lane.model, batch, lane.fixed_key)
    then = features(*lane.initial(), batch, lane.fixed_key)
    sizes = {f"feature_size.{layer}": jnp.mean(jnp.abs(h)) for layer, h in now.items()}
    moves = {
        f"feature_change.{layer}": jnp.mean(jnp.abs(h - then[layer])) for layer, h in now.items()
    }
    return sizes | moves
