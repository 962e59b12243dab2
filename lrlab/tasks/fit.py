"""Whether a loss and metrics of one's own fit the model's outputs, and of which kind they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lrlab.core.errors import within
from lrlab.core.hyper import any_hyper, with_hyper
from lrlab.core.user_code import TRACED, fault
from lrlab.engine.devices import prepare_devices
from lrlab.tasks.coupling import broadcasts, is_coupled, is_of_own_token, one_axis_apart
from lrlab.tasks.losses import PerExample, is_built_in
from lrlab.tasks.shapes import ALL_TOGETHER, Outputs, struct
from lrlab.tasks.values import Measured, batch_value, described, loss_values, metric_values
from lrlab.types import Array, PyTree

TRIED = 0.5
"""What every lane axis is where a function that reads one is tried on a few examples."""


class Fit(NamedTuple):
    """A task's name, its loss with a name, its metrics by name, whether the loss is of a batch."""

    task: str
    loss_name: str
    loss: PerExample
    metrics: Mapping[str, PerExample]
    batch_loss: bool


class Kinds(NamedTuple):
    """`whole`: the metrics that are one number for all examples. `own_tokens`: whether the loss of
    a token follows from its own outputs."""

    whole: tuple[str, ...]
    own_tokens: bool


def check_fit(fit: Fit, outputs: Outputs, targets: PyTree, training: PyTree) -> Kinds:
    """Tries loss and metrics by shapes, and those of one's own on a few examples.

    Args:
        targets: all training targets; the whole split where batches are dicts.
        training: shapes and dtypes of a training batch's.

    Raises:
        ValueError: values of another shape, that follow from other examples, or a broadcast.
    """
    name, what, own_tokens = fit.task, f"loss {fit.loss_name!r}", False
    batch = jax.tree.map(struct, targets)
    with within("task", "loss"):
        if fit.batch_loss:
            both = ((outputs.valid, batch), (outputs.train, training))
            for given in both:
                _shape(fit, what, fit.loss, batch_value, fit.loss_name, *given)
        else:
            measured = _checked(fit, what, fit.loss, loss_values, fit.loss_name, outputs, targets)
            _shape(fit, what, fit.loss, loss_values, fit.loss_name, outputs.train, training)
            if measured.weights is not None and measured.values.ndim == 2:
                values = _counted(fit.loss, loss_values, fit.loss_name)
                own_tokens = is_built_in(fit.loss) or is_of_own_token(
                    values, outputs.valid, targets
                )
    whole = []
    with within("task", "metrics"):
        for metric, function in fit.metrics.items():
            what = f"metric {metric!r}"
            measured = _checked(fit, what, function, metric_values, metric, outputs, targets)
            if measured.values.ndim == 0:
                whole.append(metric)
                _check_rows(name, what, outputs.valid, batch)
            else:
                _shape(fit, what, function, metric_values, metric, outputs.train, training)
    return Kinds(tuple(whole), own_tokens)


def _check_rows(name: str, what: str, outputs: PyTree, batch: PyTree) -> None:
    """Whether the outputs of all examples can be put together."""
    count = jax.tree.leaves(batch)[0].shape[0]
    if any(leaf.shape[:1] != (count,) for leaf in jax.tree.leaves(outputs)):
        raise ValueError(
            f"{name}: {what} is one number for all examples, and the model's outputs are not one "
            f"per example ({described(outputs, batch)}); give a metric of each example"
        )


ValuesOf = Callable[[str, PerExample, PyTree, PyTree], "Measured | Array"]


def _shape(
    fit: Fit,
    what: str,
    function: PerExample,
    values_of: ValuesOf,
    label: str,
    outputs: PyTree,
    targets: PyTree,
) -> PyTree:
    """Shapes and dtypes of what a loss or a metric gives."""

    def values(outputs: PyTree, targets: PyTree, value: Array) -> PyTree:
        return values_of(label, with_hyper(function, any_hyper(value)), outputs, targets)

    scalar = jax.ShapeDtypeStruct((), jnp.float32)
    try:
        return jax.eval_shape(values, outputs, targets, scalar)
    except ValueError as error:
        raise ValueError(f"{fit.task}: {error}") from error
    except KeyError as error:
        shapes = described(outputs, targets)
        raise ValueError(f"{fit.task}: {what} fails on {shapes}: there is no {error}") from error
    except TRACED as error:
        raise ValueError(f"{fit.task}: {fault(what, error)}") from error
    except (TypeError, AttributeError, IndexError) as error:
        shapes = described(outputs, targets)
        raise ValueError(f"{fit.task}: {what} fails on {shapes}: {error}") from error


def _counted(
    function: PerExample, values_of: Callable[..., Measured], label: str
) -> Callable[[PyTree, PyTree], Array]:
    """Values, 0 where their weight is."""
    tried = with_hyper(function, any_hyper(jnp.float32(TRIED)))

    def counted(outputs: PyTree, targets: PyTree) -> Array:
        values, weights = values_of(label, tried, outputs, targets)
        return values if weights is None else jnp.where(weights != 0, values, 0)

    return counted


def _checked(
    fit: Fit,
    what: str,
    function: PerExample,
    values_of: Callable[..., Measured],
    label: str,
    outputs: Outputs,
    targets: PyTree,
) -> Measured:
    """Whether a loss or metric gives values of the right shape, each of its own example."""
    name, batch = fit.task, jax.tree.map(struct, targets)
    result: Measured = _shape(fit, what, function, values_of, label, outputs.valid, batch)
    if is_built_in(function) or fit.batch_loss:
        return result
    prepare_devices()  # what follows is computed, after which the devices are fixed
    shapes = f"({described(outputs.valid, batch)})"
    counted = _counted(function, values_of, label)
    if result.values.ndim == 0:
        if broadcasts(counted, outputs.valid, targets):
            raise ValueError(
                f"{name}: {what} broadcasts outputs with targets {shapes}, so that it is over all "
                f"pairs: bring them to one shape first, as in outputs.reshape(targets.shape)"
            )
        return result

    def both(outputs: PyTree, targets: PyTree) -> Array:
        """Weights must be an example's own, too: they are summed over parts of a split."""
        values = counted(outputs, targets)
        if result.weights is None:
            return values
        tried = with_hyper(function, any_hyper(jnp.float32(TRIED)))
        weights = values_of(label, tried, outputs, targets).weights
        assert weights is not None
        return jnp.concatenate([v.reshape(len(v), -1) for v in (values, weights)], 1)

    if not is_coupled(both, outputs.valid, targets):
        return result
    pairs = ""
    if one_axis_apart(outputs.valid, targets):
        pairs = (
            "Where outputs [N, 1] meet targets [N] they broadcast to [N, N]: bring them to one "
            "shape first, as in outputs.reshape(targets.shape). "
        )
    rest = ALL_TOGETHER
    if values_of is metric_values:
        rest = "A metric of all examples together gives one number (its mean), not one per example."
    raise ValueError(
        f"{name}: {what} gives an example another value when the other examples of the batch "
        f"change {shapes}, expected one value per example that is its own. {pairs}{rest}"
    )
