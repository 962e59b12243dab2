"""One lane, one update: `(state, batch, hyper) -> (state, metrics)`. No lanes are known here."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from lrlab.engine.binding import bound, by_name
from lrlab.engine.shapes import Flag, RandomKey, Scalar, Step
from lrlab.engine.state import LaneState, floats_of, scheduled, transformation
from lrlab.engine.turning import Turned, turned
from lrlab.types import Hyper, Params, Problem, PyTree


def lane_step(
    problem: Problem,
    state: LaneState,
    batch: PyTree,
    hyper: Hyper,
    step: Step,
    key: RandomKey,
    keep: bool = True,
    frozen: PyTree = (),
    carried: Turned | None = None,
) -> tuple[LaneState, dict[str, Scalar]]:
    """One update of one lane, and what it measured before the update.

    A lane diverges at the first update whose loss or updated parameters (of a step of one's own,
    the arrays of its state that were finite at the start) are not finite. It then
    keeps the state from before that update for ever and its later metrics are nan; with
    `stop_diverged=False` it only gets the label. `keep=False` leaves the state that diverged, for
    callers that go back by themselves (see `programs`). `carried`: arrays of the state that come
    turned and are given back so (see `turning`).
    """
    now = scheduled(problem, hyper, step)
    if problem.task.step is None:
        new, loss, extra = _descended(problem, turned(state, carried), batch, now, key, frozen)
    else:
        new, loss, extra = _stepped(problem, state, batch, now, key)
    params, model, optimizer = turned(new, carried)[:3]

    if problem.task.step is None:
        finite = jnp.isfinite(loss) & all_finite(params)
    else:
        finite = jnp.isfinite(loss) & all_finite(model, optimizer if problem.task.start else None)
    alive = state.alive & finite
    metrics = {"train_loss": loss, **{f"train_{name}": value for name, value in extra.items()}}
    if problem.optimizer.effective_lr is not None:
        used = problem.optimizer.effective_lr(new.optimizer)
        metrics |= {} if used is None else {"effective_lr": used}
    if problem.stop_diverged and keep:
        params, model, optimizer = jax.tree.map(
            lambda new, old: jnp.where(alive, new, old),
            (params, model, optimizer),
            (state.params, state.model, state.optimizer),
        )
    metrics |= {f"learning_rate{name[2:]}": now[name] for name in problem.rates if name in now}
    # A loss or a schedule of one's own may compute in a shorter dtype than the run's.
    metrics = {name: _in(problem.dtype, value) for name, value in metrics.items()}
    if problem.stop_diverged:
        metrics = {name: jnp.where(state.alive, value, jnp.nan) for name, value in metrics.items()}
    new = LaneState(
        params=params,
        model=model,
        optimizer=optimizer,
        alive=alive,
        diverged_at=jnp.where(state.alive & ~finite, step, state.diverged_at),
        last_loss=jnp.where(state.alive & jnp.isfinite(loss), loss, state.last_loss),
    )
    return new, metrics


Advanced = tuple[LaneState, Scalar, dict[str, ArrayLike]]
"""The state with parameters, model and optimizer after an update, the loss before it, further
metrics."""


def _descended(
    problem: Problem,
    state: LaneState,
    batch: PyTree,
    now: Hyper,
    key: RandomKey,
    frozen: PyTree,
) -> Advanced:
    """An update by the gradient of the task's loss and the optimizer."""
    task = bound(problem, now, frozen)

    def loss_of(params: Params) -> tuple[Scalar, tuple[PyTree, dict[str, ArrayLike]]]:
        loss, rest = task.loss(params, state.model, batch, key)
        return _in(problem.dtype, loss), rest

    (loss, (model, extra)), grads = jax.value_and_grad(loss_of, has_aux=True)(state.params)
    grads = conjugated(grads)
    updates, optimizer = transformation(problem, now).update(
        grads,
        state.optimizer,
        state.params,
        value=loss,
        grad=grads,
        value_fn=lambda params: loss_of(params)[0],
    )
    params = optax.apply_updates(state.params, updates)
    if problem.parameters is not None:  # scalars of the run are wider than what they multiply
        optimizer = _alike(optimizer, state.optimizer)
    return state._replace(params=params, model=model, optimizer=optimizer), loss, extra


def _stepped(
    problem: Problem, state: LaneState, batch: PyTree, now: Hyper, key: RandomKey
) -> Advanced:
    """An update by the task's own step."""
    assert problem.task.step is not None
    model, metrics = problem.task.step(state.model, batch, by_name(problem, now), key)
    extra = {name: value for name, value in metrics.items() if name != "loss"}
    return state._replace(model=model), _in(problem.dtype, metrics["loss"]), extra


def _alike(tree: PyTree, before: PyTree) -> PyTree:
    """`tree` with every array in the dtype that it had before."""
    return jax.tree.map(lambda leaf, old: _in(jnp.asarray(old).dtype, leaf), tree, before)


def conjugated(grads: Params) -> Params:
    """Gradients as optimizers want them: JAX's of a real loss by complex parameters point along the
    conjugate of the steepest ascent. Real ones are as they were."""
    return jax.tree.map(lambda g: jnp.conj(g) if jnp.iscomplexobj(g) else g, grads)


def _in(dtype: DTypeLike, value: ArrayLike) -> Array:
    value = jnp.asarray(value)
    return value if value.dtype == dtype else value.astype(dtype)


def all_finite(tree: PyTree, counts: Sequence[Flag] | None = None) -> Flag:
    """Whether every number of `tree` is finite; a bool scalar.

    Args:
        counts: for each array of floats, in order, whether it is looked at; None: all are.

    A sum of zeros, which only nan and infinities spoil (inf - inf is nan): XLA adds floats far
    faster than it joins bools. `leaf * 0` would do as well, but its zeros are read from memory.
    """
    zeros = [jnp.sum(leaf - leaf) for leaf in floats_of(tree)]
    if counts is not None:
        zeros = [jnp.where(flag, zero, 0) for flag, zero in zip(counts, zeros, strict=True)]
    return jnp.isfinite(sum(zeros[1:], zeros[0])) if zeros else jnp.ones((), bool)
