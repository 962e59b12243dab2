"""One lane, one update: `(state, batch, hyper) -> (state, metrics)`. No lanes are known here."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jax import Array

from lrlab.engine.state import LaneState, scheduled, transformation
from lrlab.types import Hyper, Params, Problem, PyTree


def lane_step(
    problem: Problem,
    state: LaneState,
    batch: PyTree,
    hyper: Hyper,
    step: Array,
    key: Array,
    keep: bool = True,
) -> tuple[LaneState, dict[str, Array]]:
    """One update of one lane, and what it measured before the update.

    A lane diverges at the first update whose loss or updated parameters are not finite. It then
    keeps the state from before that update for ever and its later metrics are nan; with
    `stop_diverged=False` it only gets the label. `keep=False` leaves the state that diverged, for
    callers that go back by themselves (see `programs`).
    """
    now = scheduled(problem, hyper, step)

    def loss_of(params: Params) -> tuple[Array, tuple[PyTree, dict[str, Array]]]:
        loss, rest = problem.task.loss(params, state.model, batch, key)
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

    finite = jnp.isfinite(loss) & all_finite(params)
    alive = state.alive & finite
    metrics = {"train_loss": loss, **{f"train_{name}": value for name, value in extra.items()}}
    if problem.optimizer.effective_lr is not None:
        used = problem.optimizer.effective_lr(optimizer)
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


def conjugated(grads: Params) -> Params:
    """Gradients as optimizers want them: JAX's of a real loss by complex parameters point along the
    conjugate of the steepest ascent. Real ones are as they were.
    """
    return jax.tree.map(lambda g: jnp.conj(g) if jnp.iscomplexobj(g) else g, grads)


def _in(dtype: str, value: Array | float) -> Array:
    value = jnp.asarray(value)
    return value if value.dtype == dtype else value.astype(dtype)


def all_finite(tree: PyTree) -> Array:
    """Whether every number of `tree` is finite; a bool scalar.

    A sum of zeros, which only nan and infinities spoil (inf - inf is nan): XLA adds floats far
    faster than it joins bools. `leaf * 0` would do as well, but its zeros are read from memory.
    """
    zeros = [jnp.sum(leaf - leaf) for leaf in jax.tree.leaves(tree)]
    return jnp.isfinite(sum(zeros[1:], zeros[0])) if zeros else jnp.ones((), bool)
