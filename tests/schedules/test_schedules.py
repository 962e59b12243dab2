"""The contract of every registered schedule, and the laws of single ones."""

from __future__ import annotations

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from few import few

from lrlab import schedules
from lrlab.core import registry
from lrlab.schedules import bounds, compose, splines, table, warmups
from lrlab.schedules.acceleration import largest_step

NAMES = sorted(schedules.NAMES)
STEPS = 24
WITHOUT_WARMUP = {"chebyshev", "refined"}  # their length is fixed: a swept warmup is an error


def numbers(name):
    """The parameters of the shape that may be lane axes: those with a float as default."""
    found = schedules.parameters(name)
    return {
        key: value
        for key, value in found.items()
        if isinstance(value, float) and not key.startswith("warmup")
    }


@pytest.mark.parametrize("name", few(NAMES, 16))
def test_shapes_dtypes_and_finite_values(name):
    schedule = schedules.make(name, 0.1, STEPS)
    ks = np.arange(STEPS + 1)
    rates = jax.jit(schedule)(ks)
    assert rates.shape == (STEPS + 1,) and rates.dtype == jnp.float32
    assert np.isfinite(rates).all() and (rates >= -1e-7).all() and rates.max() > 0
    with jax.enable_x64(True):
        wide = jax.jit(schedule)(ks)
        assert wide.dtype == jnp.float64
    np.testing.assert_allclose(rates, wide, rtol=2e-4, atol=1e-6)
    values = schedules.values(name, 0.1, STEPS)
    assert values.dtype == np.float64 and np.array_equal(values, wide[:-1])


@pytest.mark.parametrize("name", few(NAMES, 16))
def test_every_number_is_traceable_and_nothing_compiles_twice(name):
    if name == "refined":
        with pytest.raises(ValueError, match="cannot be lane axes"):
            jax.jit(lambda power: schedules.make(name, 0.1, STEPS, power=power)(3))(1.5)
        return
    keys = list(numbers(name))
    swept = {} if name in WITHOUT_WARMUP else {"warmup": 0.125, "warmup_start": 0.01}
    traces = []

    @jax.jit
    def at(peak, shape, k):
        traces.append(1)
        return schedules.make(name, peak, STEPS, **shape)(k)

    base = {key: np.float32(value) for key, value in {**numbers(name), **swept}.items()}
    first = at(np.float32(0.1), base, 7)
    for key in [*keys, *swept]:
        changed = {**base, key: np.float32(base[key] * 1.01 + (0.001 if base[key] < 0.9 else 0))}
        assert np.isfinite(at(np.float32(0.1), changed, 7))
    assert len(traces) == 1
    direct = schedules.make(name, 0.1, STEPS, **{k: float(v) for k, v in base.items()})(7)
    np.testing.assert_allclose(first, direct, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", few(NAMES, 14))
def test_resumed_in_the_middle_and_vmapped(name):
    schedule = schedules.make(name, 0.1, STEPS)
    whole = jax.jit(lambda: jax.lax.map(schedule, jnp.arange(STEPS)))()
    rest = jax.jit(lambda first: jax.lax.map(schedule, first + jnp.arange(STEPS - 10)))(10)
    assert np.array_equal(whole[10:], rest)
    many = jax.jit(jax.vmap(lambda peak: schedules.make(name, peak, STEPS)(5)))(jnp.array([0.1, 1]))
    one = jax.jit(lambda peak: schedules.make(name, peak, STEPS)(5))
    assert np.array_equal(many, [one(jnp.float32(0.1)), one(jnp.float32(1))])


@pytest.mark.parametrize("name", NAMES)
def test_errors_name_what_is_wrong(name):
    with pytest.raises(ValueError, match=f"{name}.*no parameter 'finall'"):
        schedules.make(name, 0.1, STEPS, finall=0.1)
    with pytest.raises(ValueError, match="steps must be an int"):
        schedules.make(name, 0.1, 0)
    with pytest.raises(ValueError, match="leaves no step"):
        schedules.make(name, 0.1, STEPS, warmup=STEPS)
    schedule = schedules.make(name, 0.1, STEPS)
    for step in (-1, STEPS + 1, np.array([0, STEPS + 1])):
        with pytest.raises(ValueError, match=f"steps 0 to {STEPS}"):
            schedule(step)
    past = jax.jit(schedule)(STEPS + 5)
    assert np.array_equal(past, jax.jit(schedule)(STEPS))


@pytest.mark.parametrize("name", NAMES)
def test_docstring(name):
    text = schedules.describe(name)
    assert re.search(r"[-+*/^]", text) and ">>>" in text
    said = " ".join(text.partition(">>>")[0].split())
    assert re.search(r"\b(18|19|20)\d\d\b", said), "no year"
    on_paper_only = {"natural_exponential", "step", "spline"}
    assert re.search(r"arXiv \d{4}\.\d{4,5}", said) or name in on_paper_only, "no arXiv number"
    assert re.search(r"\b[uU]nits?\b|in steps|fraction|1 / curvature", said), "no unit"
    signature = inspect.signature(registry.load(schedules.REGISTRY, name))
    assert all(p.kind is p.KEYWORD_ONLY for p in list(signature.parameters.values())[2:])


def test_unknown_name_and_suggestion():
    with pytest.raises(ValueError, match="did you mean 'cosine'"):
        schedules.make("cosin", 0.1, 10)


def test_warmup_takes_its_steps_from_the_shape():
    schedule = schedules.make("linear", 1.0, 100, warmup=0.2)
    np.testing.assert_allclose(
        schedule(np.array([0, 10, 20, 60, 100])), [0, 0.5, 1, 0.5, 0], rtol=1e-6, atol=1e-7
    )
    named = schedules.make("warmup_linear", 1.0, 100)
    np.testing.assert_allclose(named(np.array([0, 5, 100])), [0, 1, 0], rtol=1e-6, atol=1e-7)
    assert float(schedules.make("linear", 1.0, 100, warmup=7 / 100)(7)) == 1.0


def test_warmup_kinds():
    def at(kind, k, **options):
        return float(schedules.make("constant", 1.0, 4000, warmup_kind=kind, **options)(k))

    assert at("exponential", 50, warmup=100, warmup_start=0.01) == pytest.approx(0.1)
    assert at("cosine", 25, warmup=100) == pytest.approx((1 - np.cos(np.pi / 4)) / 2)
    assert at("untuned_adam", 0) == pytest.approx(1 / 2000)
    assert at("untuned_adam", 2500) == 1
    assert warmups.length(0, "untuned_adam", 0.99) == 200
    with pytest.raises(ValueError, match="warmup_start above 0"):
        at("exponential", 0, warmup=10)
    with pytest.raises(ValueError, match="linear, cosine"):
        at("square", 0, warmup=10)


def test_lengths_in_words():
    words = schedules.make("wsd", 1.0, 100, warmup="1 epoch", cooldown="30 %", steps_per_epoch=10)
    assert np.array_equal(
        words(np.arange(101)),
        schedules.make("wsd", 1.0, 100, warmup=10, cooldown=30)(np.arange(101)),
    )
    with pytest.raises(ValueError, match="steps_per_epoch"):
        schedules.make("wsd", 1.0, 100, warmup="1 epoch")


@pytest.mark.parametrize("condition", [4.0, 100.0, 1e4])
@pytest.mark.parametrize("steps", [1, 4, 16])
def test_chebyshev_reaches_the_minimax_factor(condition, steps):
    rates = schedules.values(
        "chebyshev", largest_step(1.0, condition, steps), steps, condition=condition
    )
    s = (np.sqrt(condition) - 1) / (np.sqrt(condition) + 1)
    factor = 2 * s**steps / (1 + s ** (2 * steps))
    curvatures = np.linspace(1 / condition, 1, 2001)
    shrunk = np.abs(np.prod(1 - np.outer(curvatures, rates), axis=1))
    assert shrunk[[0, -1]] == pytest.approx(factor, rel=1e-12, abs=1e-12)
    assert shrunk.max() <= factor * (1 + 1e-12) + 1e-13


def test_silver_steps_beat_constant_ones_on_the_worst_curvature():
    steps = 31
    rates = schedules.values("silver", 1.0, steps)
    small = 1 / steps**1.27  # the rate of the paper: steps^-log2(1 + sqrt 2)
    assert np.prod(1 - small * rates) ** 2 < (1 - small) ** (2 * steps)
    np.testing.assert_allclose(rates, rates[::-1], rtol=1e-12, atol=1e-14)


def test_k_decay_rex_and_power_identities():
    for left, right in (
        (("k_decay", {"k": 1.0}), ("cosine", {})),
        (("rex", {"alpha": 0.0}), ("linear", {})),
        (("polynomial", {"power": 1.0}), ("linear", {})),
        (("wsd", {"cooldown": 50}), ("linear", {})),
        (("power", {"exponent": 0.5}), ("inverse_sqrt", {})),
        (("refined", {}), ("linear", {})),
    ):
        a = schedules.values(left[0], 1.0, 50, **left[1])
        b = schedules.values(right[0], 1.0, 49 if left[0] == "refined" else 50, **right[1])
        np.testing.assert_allclose(a[: len(b)], b, atol=1e-12)


def test_last_iterate_bound_and_its_minimizer():
    steps = bounds.POINTS

    def best(rates, norms=1.0):
        return min(bounds.last_iterate_bound(rates * s, norms) for s in np.geomspace(0.01, 1, 200))

    linear = schedules.values("linear", 1.0, steps)
    for other in ("constant", "cosine", "inverse_sqrt", "rex"):
        assert best(linear) < best(schedules.values(other, 1.0, steps)) * 1.0001
    # The bound's minimizer is close to linear decay and, for this bound, a little better.
    numeric = bounds.optimal_table(())
    assert 0.95 * best(linear) < best(numeric) < best(linear)
    assert np.abs(numeric - linear)[2:].max() < 0.25
    norms = np.linspace(1, 5, steps)
    assert best(bounds.optimal_table(tuple(norms)), norms) < best(linear, norms)


def test_refined_schedule_warms_up_where_gradients_start_large():
    norms = tuple(np.concatenate([np.linspace(10, 1, 30), np.ones(70)]))
    rates = schedules.values("refined", 1.0, 100, norms=norms)
    assert rates[0] < 0.1 and 20 < rates.argmax() < 40 and rates[-1] == 0
    with pytest.raises(ValueError, match="positive"):
        schedules.make("refined", 1.0, 10, norms=(1.0, 0.0))(0)


def test_spline_does_not_overshoot():
    xs, ys = jnp.array([0.0, 0.1, 0.5, 1.0]), jnp.array([0.0, 1.0, 1.0, 0.0])
    curve = np.asarray(splines.monotone_cubic(jnp.linspace(0, 1, 200), xs, ys))
    assert curve.min() >= -1e-6 and curve.max() <= 1 + 1e-6
    with pytest.raises(ValueError, match="as many heights"):
        schedules.make("spline", 1.0, 10, heights=(1.0,))(0)


def test_composition_errors_and_extension():
    up, down = schedules.make("linear", 1.0, 4, final=2.0), schedules.make("cosine", 1.0, 4)
    with pytest.raises(ValueError, match=r"jumps from 2 .*at step 4"):
        compose.concatenate([up, down])
    joined = compose.concatenate([up, down], jumps=True)
    nested = compose.concatenate([down, joined], jumps=True)  # no shift when nested
    np.testing.assert_array_equal(nested(np.arange(4, 13)), joined(np.arange(9)))
    with pytest.raises(ValueError, match="steps 0 to 8"):
        joined(9)
    with pytest.raises(ValueError, match="one length"):
        compose.product(up, joined)
    with pytest.raises(ValueError, match="composed"):
        compose.extend(joined, 9)
    short = schedules.make("wsd", 0.1, 100, warmup=10, cooldown=20)
    longer = compose.extend(short, 300)
    agree = compose.resume_step(short, longer)
    assert agree == 81
    assert np.array_equal(short(np.arange(agree)), longer(np.arange(agree)))


def test_engine_schedules_are_cached_and_read_lanes():
    one = schedules.engine_schedule("cosine", 10, final=0.1)
    assert one is schedules.engine_schedule("cosine", 10, final=0.1)
    assert float(one({"lr": 0.5, "final": 1.0, "b1": 0.9}, 10)) == 0.5
    with pytest.raises(ValueError, match="no parameter"):
        schedules.engine_schedule("cosine", 10, finale=0.1)


def test_thirty_schedules_in_one_program():
    names = NAMES[:30]
    rows = table.matrix(names, STEPS)
    schedule = table.engine_table(rows)
    assert schedule is table.engine_table(rows.copy())
    lanes = {"lr": jnp.full(len(names), 0.1), "schedule": jnp.arange(len(names)) * 1.0}
    found = jax.vmap(lambda hyper: schedule(hyper, 3))(lanes)
    np.testing.assert_allclose(found, 0.1 * rows[:, 3], rtol=1e-5, atol=1e-9)


def test_plot_says_integral_final_value_and_peak():
    figure = schedules.plot(["linear", {"name": "wsd", "peak": 0.5}], steps=10)
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "sum 5.5, last 0.1, peak 1" in texts[0]
