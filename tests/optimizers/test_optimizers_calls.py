"""How optimizers are called, all alike, and that the step size they record is the one they used."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few

from lrlab import optimizers
from lrlab.optimizers.states import nodes
from lrlab.optimizers.toy import bowl

START, STEPS = jnp.array([1.0, 0.7]), 5
ALIASES = optimizers.REGISTRY.aliases


def given(value: float, grads: jax.Array) -> dict:
    return {"value": value, "grad": grads, "value_fn": bowl}


def abstract(optimizer, **extra):
    """Traces one update: no program is compiled."""

    def update(params):
        value, grads = jax.value_and_grad(bowl)(params)
        known = {**given(value, grads), **extra}
        named = {key: value for key, value in known.items() if value is not None}
        return optimizer.update(grads, optimizer.init(params), params, **named)[0]

    return jax.eval_shape(update, START)


@pytest.mark.parametrize("name", few([*sorted(optimizers.names()), *sorted(ALIASES)], 25))
def test_one_calling_convention(name) -> None:
    """Every optimizer takes the loss, its gradient and its function; what it needs it asks for."""
    for options in ({}, {"clip_norm": 1.0}, {"ema": 0.9}):
        if options and optimizers.method(name).own_iterates:
            continue
        optimizer = optimizers.make(name, 0.1, **options)
        assert isinstance(optimizer, optax.GradientTransformationExtraArgs)
        assert abstract(optimizer).shape == START.shape
    optimizer = optimizers.make(name, 0.1)
    needs = optimizers.method(name).needs
    absent = dict.fromkeys({"value", "grad", "value_fn"} - set(needs))
    assert abstract(optimizer, **absent).shape == START.shape
    for need in needs:
        with pytest.raises(ValueError, match=f"optimizer {name!r} needs {need}: call update"):
            abstract(optimizer, **{need: None})


def test_needs_are_asked_for_under_options_schedules_and_other_optimizers() -> None:
    for optimizer in (
        optimizers.make("polyak", lambda step: 0.1),
        optimizers.make("polyak", 0.1, clip_norm=1.0, average_from=2),
        optimizers.make("lookahead", 0.1, base="polyak"),
        optimizers.engine_optimizer("polyak").make({"lr": 0.1}),
    ):
        assert abstract(optimizer).shape == START.shape
        with pytest.raises(ValueError, match="'polyak' needs value"):
            abstract(optimizer, value=None)
    several = optimizers.make("armijo", 0.1)
    with pytest.raises(ValueError, match=r"needs value and value_fn: .*value=..., value_fn=..."):
        abstract(several, value=None, value_fn=None)


def run(name: str, lr=None, *, steps: int = STEPS, **options):
    """Of each update: gradient, update, step size recorded, state before and after; float64."""
    with jax.enable_x64(True):
        optimizer = optimizers.make(name, lr, **options)
        params = jnp.asarray(START, jnp.float64)

        def body(carry, _):
            params, state = carry
            value, grads = jax.value_and_grad(bowl)(params)
            updates, new = optimizer.update(grads, state, params, **given(value, grads))
            used = optimizers.effective_lr(new)
            return (params + updates, new), (grads, updates, used, state, new)

        start = (params, optimizer.init(params))
        rows = jax.jit(lambda carry: jax.lax.scan(body, carry, None, steps)[1])(start)
        return jax.tree.map(np.asarray, rows)


ALONG_THE_GRADIENT = {
    "dog": (None, {"init_step": 0.1, "average": False}),
    "dowg": (None, {"init_estim_sq_dist": 0.01}),
    "polyak": (None, {}),
    "sps": (None, {}),
    "armijo": (None, {}),
    "stochastic_line_search": (None, {}),
    "zoom_line_search": (0.1, {}),
    "exact_line_search": (None, {}),
    "bb1": (0.02, {}),
    "bb2": (0.02, {}),
    "adagrad_norm": (None, {}),
    "greedy": (0.01, {"every": 1}),
    "reduce_on_plateau": (0.15, {"base": "sgd", "patience": 0}),
    "hypergradient_sgd": (0.02, {}),
    "dadapt_sgd": (None, {"estim_lr0": 0.01}),
}
"""Methods whose update is the step size times the gradient."""


@pytest.mark.parametrize("name", ALONG_THE_GRADIENT)
def test_recorded_times_gradient_is_the_update(name) -> None:
    lr, options = ALONG_THE_GRADIENT[name]
    grads, updates, used, _, _ = run(name, lr, **options)
    assert used.shape == (STEPS,) and (used > 0).all()
    np.testing.assert_allclose(updates, -used[:, None] * grads, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [("l_dog", {"init_step": 0.1}), ("cocob", {}), ("momo", {}), ("momo_adam", {}),
     ("momo", {"weight_decay": 0.1})],
)  # fmt: skip
def test_recorded_is_the_length_of_the_update_over_the_gradients(name, options) -> None:
    grads, updates, used, _, _ = run(name, **options)
    lengths = np.linalg.norm(updates, axis=1) / np.linalg.norm(grads, axis=1)
    np.testing.assert_allclose(used, lengths, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("corrected", [True, False])
def test_prodigy_records_the_distance_that_it_stepped_with(corrected) -> None:
    """w <- w - lr d m / (sqrt(v) + d' eps), with d from before the update and d' from after it."""
    lr, options = 0.5, {"estim_lr0": 1e-3, "use_bias_correction": corrected}
    _, updates, used, before, after = run("prodigy", lr, steps=30, **options)
    (old,), (new,) = nodes(before, "estim_lr"), nodes(after, "estim_lr")
    np.testing.assert_allclose(used, lr * old.estim_lr, rtol=1e-12, atol=1e-15)
    assert new.estim_lr[-1] > 1.01 * old.estim_lr[0]
    t = np.arange(1, 31)
    correction = (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) if corrected else np.ones(30)
    direction = new.exp_avg / (np.sqrt(new.exp_avg_sq) + new.estim_lr[:, None] * 1e-8)
    expected = -(used * correction)[:, None] * direction
    np.testing.assert_allclose(updates, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("corrected", [True, False])
def test_dadapt_adam_records_the_distance_that_it_stepped_with(corrected) -> None:
    """m <- b1 m + (1 - b1) lr d g; w <- w - m / (sqrt(v) + eps)."""
    lr, options = 0.5, {"estim_lr0": 1e-3, "use_bias_correction": corrected}
    grads, updates, used, before, after = run("dadapt_adam", lr, steps=30, **options)
    (old,), (new,) = nodes(before, "estim_lr"), nodes(after, "estim_lr")
    assert new.estim_lr[-1] > 1.01 * old.estim_lr[0]
    t = np.arange(1, 31)
    correction = (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) if corrected else np.ones(30)
    moment = 0.9 * old.exp_avg + 0.1 * (used * correction)[:, None] * grads
    np.testing.assert_allclose(new.exp_avg, moment, rtol=1e-9, atol=1e-12)
    expected = -moment / (np.sqrt(new.exp_avg_sq) + 1e-8)
    np.testing.assert_allclose(updates, expected, rtol=1e-9, atol=1e-12)


def test_dadapt_lion_records_the_size_of_every_coordinates_step() -> None:
    _, updates, used, _, _ = run("dadapt_lion", 1.0, steps=30, estim_lr0=1e-3)
    np.testing.assert_allclose(np.abs(updates), used[:, None] * np.ones(2), rtol=1e-12, atol=1e-15)
    assert used[-1] > 1.01 * used[0] == pytest.approx(1.01e-3)


def test_mechanic_and_schedule_free_record_the_step_of_their_own_sums() -> None:
    for form in ("optax", "package"):
        grads, updates, used, _, _ = run("mechanic", 0.5, base="sgd", s_init=0.1, form=form)
        moved = np.cumsum(updates, 0)
        expected = -used[:, None] * np.cumsum(grads, 0)
        np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-5)
    grads, _, used, before, after = run("schedule_free_sgd", 0.05)
    (old,), (new,) = nodes(before, "max_lr"), nodes(after, "max_lr")
    np.testing.assert_allclose(new.z - old.z, -used[:, None] * grads, rtol=1e-9, atol=1e-12)
    for name in ("schedule_free_adamw", "schedule_free_radam"):
        grads, _, used, before, after = run(name, 0.05)
        (old,), (new,) = nodes(before, "max_lr"), nodes(after, "max_lr")
        second = new.inner[0].nu / (1 - 0.999 ** np.arange(1, STEPS + 1))[:, None]
        expected = -used[:, None] * grads / (np.sqrt(second) + 1e-8)
        np.testing.assert_allclose(new.z - old.z, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["hypergradient_nesterov", "hypergradient_adam"])
def test_hypergradients_record_the_rate_of_their_direction(name) -> None:
    _, updates, used, _, after = run(name, 0.02)
    (new,) = nodes(after, "direction")
    np.testing.assert_allclose(updates, used[:, None] * new.direction, rtol=1e-9, atol=1e-12)


def test_every_method_that_records_a_step_size_is_looked_at() -> None:
    others = {
        "l_dog", "cocob", "momo", "momo_adam", "prodigy", "dadapt_adam", "dadapt_lion", "mechanic",
        "schedule_free_sgd", "schedule_free_adamw", "schedule_free_radam",
        "hypergradient_nesterov", "hypergradient_adam",
    }  # fmt: skip
    own = {name for kind in ("learning-rate-free", "controller") for name in optimizers.names(kind)}
    assert others | set(ALONG_THE_GRADIENT) == own
