"""What a function makes of a training batch, by shapes alone."""

from __future__ import annotations

from collections.abc import Callable

import jax

from lrlab.core.errors import FieldError
from lrlab.core.hyper import any_hyper, with_hyper
from lrlab.rng import key as key_of
from lrlab.tasks.arrays import differing_parts
from lrlab.types import PyTree


def augmented(name: str, augment: Callable[..., PyTree], batch: PyTree) -> PyTree:
    """The shapes and dtypes of an augmented batch; nothing is computed.

    Args:
        augment: `augment(batch, key)`, perhaps with `hyper`.
        batch: shapes and dtypes of a batch.

    Raises:
        FieldError: the function fails, or its batch has other parts or another size.

    >>> shapes = {"x": jax.ShapeDtypeStruct((7, 4), "float32")}
    >>> augmented("mine", lambda batch, key: {"x": batch["x"][:, :2]}, shapes)["x"].shape
    (7, 2)
    """

    def run(batch: PyTree, value: jax.Array) -> PyTree:
        return with_hyper(augment, any_hyper(value))(batch, key_of(0, "augment"))

    if not callable(augment):
        raise FieldError(
            "augment", f"{name}: augment must be a function (batch, key) -> batch, got {augment!r}"
        )
    try:
        result = jax.eval_shape(run, batch, jax.ShapeDtypeStruct((), "float32"))
    except (TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        raise FieldError(
            "augment",
            f"{name}: augment fails on a batch of {_shapes(batch)}: {type(error).__name__}: "
            f"{error}; it must be a function (batch, key) -> batch",
        ) from error
    if jax.tree.structure(result) != jax.tree.structure(batch):
        raise FieldError(
            "augment",
            f"{name}: augment gives a batch of other parts: it {differing_parts(result, batch)} "
            "of the batch that it got",
        )
    leaves = zip(jax.tree_util.tree_leaves_with_path(result), jax.tree.leaves(batch), strict=True)
    for (path, now), before in leaves:
        if now.shape[:1] != before.shape[:1]:
            place = jax.tree_util.keystr(path)
            raise FieldError(
                "augment",
                f"{name}: augment makes batch{place} {now.shape} of {before.shape}; it must leave "
                f"the number of examples (here {before.shape[0]}) as it is",
            )
    return result


def _shapes(batch: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: tuple(leaf.shape), batch)
