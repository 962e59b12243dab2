"""Probes of lanes: the contract of every registered one, and each against an exact small case."""

from __future__ import annotations

import contextlib
import functools
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few
from flax import nnx
from jax.flatten_util import ravel_pytree
from quick import jit

import lrlab
from lrlab import optimizers, probes, theory
from lrlab.cli.app import run
from lrlab.config import ConfigError, names
from lrlab.engine.loop import Interrupted
from lrlab.engine.probing import check_probes, view_of
from lrlab.engine.state import LaneState, initial_state
from lrlab.engine.step import lane_step
from lrlab.optimizers.dynamics import FAMILIES
from lrlab.optimizers.states import nodes
from lrlab.probes.lane import training_loss
from lrlab.probes.toy import bowl
from lrlab.types import Probe, Problem

pytestmark = pytest.mark.usefixtures("without_figures")

NOT_FOR_OBJECTIVES = ("ntk", "feature_change")


class Noisy(nn.Module):
    """Dropout and BatchNorm: what a probe must bear."""

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(6, name="hidden")(x))
        x = nn.Dropout(0.2, deterministic=not train)(nn.tanh(x))
        return nn.Dense(3, name="readout")(x)


def data(count=24):
    random = np.random.default_rng(0)
    return random.normal(size=(count, 5)).astype(np.float32), np.arange(count) % 3


@functools.lru_cache
def supervised(model=None):
    x, y = data()
    return lrlab.Task.supervised(
        name="noisy", model=model or Noisy(), loss="softmax_cross_entropy",
        train=(x, y), valid=(x, y),
    )  # fmt: skip


def problem_of(task, optimizer="momentum", steps=10, batch_size=None, **hyper):
    return Problem(
        task.functions,
        optimizers.engine_optimizer(optimizer, **hyper),
        lambda hyper, step: hyper["lr"],
        steps,
        batch_size,
        task.num_examples,
    )


def lane_of(task, optimizer="momentum", *, updates=3, lr=0.1, batch_size=None, **hyper):
    """A lane after some updates on all the data, and its state."""
    problem = problem_of(task, optimizer, batch_size=batch_size, **hyper)
    train = jax.tree.map(jnp.asarray, task.data["train"]) if task.data else None
    example = jax.tree.map(lambda leaf: leaf[:1], train)
    rates = {"lr": jnp.asarray(lr)}

    def trained():
        start = task.functions.init(jax.random.key(0), example)
        state = initial_state(problem, *start, rates, jnp.asarray(True))
        for step in range(updates):
            noise = jax.random.key(step)
            state = lane_step(problem, state, train, rates, jnp.asarray(step), noise)[0]
        return start, state

    start, state = jax.jit(trained)()
    seed = jnp.uint32(0)
    return view_of(problem, state, lambda: start, train, seed, rates, jnp.asarray(updates))


def measure(name, lane, **options):
    found = jit(lambda: probes.engine_probe({"name": name, **options}).measure(lane))()
    return {key: float(value) for key, value in found.items()}


@functools.lru_cache
def noisy_lane():
    return lane_of(supervised(), batch_size=8)


# The contract of every registered probe.


@pytest.mark.parametrize("name", probes.NAMES)
def test_first_sentence_says_what_it_costs(name) -> None:
    summary = names.summary("probes", name)
    assert re.search(r"(no|\d) gradient\s+evaluations?\.$", summary), summary
    assert names.parameters("probes", name) is not None


@pytest.mark.parametrize("name", few(probes.NAMES, 3))
def test_any_model_any_lane(name) -> None:
    """Under `vmap`, with BatchNorm and dropout: finite scalars that do not depend on the lanes
    beside it, finite or not."""
    lane = noisy_lane()
    probe = probes.engine_probe({"name": name, **SMALLER.get(name, {})})

    def at(scale):
        return probe.measure(lane._replace(params=jax.tree.map(lambda p: p * scale, lane.params)))

    tile = jit(jax.vmap(at))
    found, again = tile(jnp.array([1.0, 0.5, jnp.nan])), tile(jnp.array([0.5, 2.0, 2.0]))
    assert found
    for key, values in found.items():
        assert values.shape == (3,), key
        assert np.isfinite(values[:2]).all() or key in MAY_BE_NAN, (key, values)
        np.testing.assert_array_equal(values[1], again[key][0], err_msg=key)


SMALLER = {"gradient_flow": {"evaluations": 200}, "sharpness": {"iterations": 8, "k": 2},
           "stability": {"iterations": 8}, "ntk": {"iterations": 4}}  # fmt: skip
MAY_BE_NAN = ("noise_scale", "critical_batch_size", "flow_distance", "relative_flow_distance")


@pytest.mark.slow
def test_transformers_and_nnx() -> None:
    tokens = np.zeros((40, 6), np.int32)
    text = lrlab.Task.supervised(
        name="text", model=lrlab.models.make("transformer", 7, width=8, heads=2, depth=1),
        loss="softmax_cross_entropy", train=(tokens, tokens), valid=(tokens[:4], tokens[:4]),
    )  # fmt: skip
    for task in (text, supervised(lambda rngs: nnx.Linear(5, 3, rngs=rngs))):

        def every(task=task):
            lane = lane_of(task, updates=0)
            return {name: probes.engine_probe(name).measure(lane) for name in probes.NAMES}

        shapes = jax.eval_shape(every)
        assert all(leaf.shape == () for leaf in jax.tree.leaves(shapes))
        assert set(shapes) == set(probes.NAMES) and all(shapes.values())


@pytest.mark.parametrize("name", probes.NAMES)
def test_objectives_or_a_clean_error(name) -> None:
    probe = probes.engine_probe(name)
    if name in NOT_FOR_OBJECTIVES:
        with pytest.raises(ValueError, match="needs a model on data"):
            probe.measure(bowl([1.0]))
    else:
        assert jax.eval_shape(lambda: probe.measure(bowl([1.0, 2.0])))


@pytest.mark.slow
def test_probes_change_no_bit_and_compile_no_second_training_program(monkeypatch) -> None:
    traced = []

    def counted(*args, **options):
        traced.append(1)
        return lane_step(*args, **options)

    monkeypatch.setattr("lrlab.engine.programs.lane_step", counted)
    arguments = dict(optimizer="momentum", lr=[0.01, 0.1, 1e30], seeds=2, steps=8, batch_size=8,
                     eval_every=2, progress=False)  # fmt: skip
    plain = lrlab.sweep(supervised(), **arguments)
    once = len(traced)
    few = ["gradient", "distance", {"name": "update_to_weight", "every": 4}]
    probed = lrlab.sweep(supervised(), **arguments, probes=few)
    assert len(traced) == once
    for name, values in plain.history.items():
        np.testing.assert_array_equal(values, probed.history[name])
    assert (plain.outcome == probed.outcome).all()
    assert (plain.outcome[2] == "diverged").all()
    assert np.isnan(probed.history["distance"][-1, 2]).all()
    turns = np.isfinite(probed.history["update_to_weight"][:, 0, 0])
    assert turns.tolist() == [False, True, False, True]
    assert np.isfinite(probed.history["distance"][:, :2]).all()


def test_turns_between_evaluations_and_at_the_end() -> None:
    result = lrlab.sweep(
        "rosenbrock", optimizer="sgd", lr=[1e-4], seeds=1, steps=10, eval_every=3,
        probes=[{"name": "weight_norm", "every": 4}], progress=False,
    )  # fmt: skip
    assert result.eval_steps.tolist() == [3, 6, 9, 10]
    measured = np.isfinite(result.history["weight_norm"][:, 0, 0])
    assert measured.tolist() == [False, True, True, True]  # 4, 8, the end


@pytest.mark.slow
def test_a_run_folder_keeps_them_and_resumes(tmp_path, monkeypatch) -> None:
    arguments = dict(optimizer="sgd", lr=[0.01, 0.1], seeds=1, steps=6, batch_size=8, eval_every=2,
                     probes=["gradient", {"name": "sharpness", "k": 2, "iterations": 8}],
                     progress=False)  # fmt: skip
    whole = lrlab.sweep("iris-linear", **arguments)
    stops = iter([False, False, *[True] * 9])
    with monkeypatch.context() as patch:
        patch.setattr(
            "lrlab.workflows.job.interruptible",
            lambda *_: contextlib.nullcontext(lambda: next(stops)),
        )
        with pytest.raises(Interrupted):
            lrlab.sweep("iris-linear", **arguments, out=tmp_path / "run")
    lrlab.sweep("iris-linear", **arguments, out=tmp_path / "run")
    read = lrlab.load(tmp_path / "run")
    for name in ("gradient_norm", "sharpness", "sharpness_2"):
        assert np.isfinite(whole.history[name]).all()
        np.testing.assert_array_equal(read.history[name], whole.history[name])
    assert read.dataset()["sharpness_2"].dims == ("eval_step", "lr", "seed")
    text = (tmp_path / "run" / "config.toml").read_text()
    assert 'probes = ["gradient", {name = "sharpness", k = 2, iterations = 8}]' in text


CONFIG = """
lr = [0.1]
probes = [
  "sharpnes",
  {name = "sharpness", kk = 2},
  {name = "gradient", every = 0},
  "weight_norm",
  "weight_norm",
  {name = "alpha", batches = "many"},
]
[task]
name = "iris-linear"
"""


def test_mistakes_are_told_at_once_with_their_place(tmp_path, capsys) -> None:
    (tmp_path / "c.toml").write_text(CONFIG)
    assert run(["sweep", str(tmp_path / "c.toml")]) == 2
    said = capsys.readouterr().err
    for part in (
        "c.toml:4: probes.0: unknown probe 'sharpnes'; did you mean 'sharpness'?",
        "probes.1.kk: unknown option of probe 'sharpness'; did you mean 'k'?",
        "probes.2.every: must be at least 1, got 0",
        "probes.4: probe 'weight_norm' is listed twice",
        "probes.5.batches: must be a whole number",
    ):
        assert part in said


def test_what_cannot_be_measured_is_said_before_anything_trains() -> None:
    small = dict(lr=[0.1], seeds=1, steps=2, progress=False)
    with pytest.raises(ConfigError, match="probes.0: probe 'ntk': an objective has no outputs"):
        lrlab.sweep("rosenbrock", probes=["ntk"], **small)
    with pytest.raises(ConfigError, match="'stability': the stability threshold of this opt"):
        lrlab.sweep("rosenbrock", optimizer="lion", probes=["stability"], **small)
    with pytest.raises(ConfigError, match="'gradient_flow': this optimizer does not follow"):
        lrlab.sweep("rosenbrock", optimizer="adam", probes=["gradient_flow"], **small)
    with pytest.raises(ConfigError, match="k is 3: it must be from 1 to the number of parameters"):
        lrlab.sweep("rosenbrock", probes=[{"name": "sharpness", "k": 3}], **small)
    with pytest.raises(ValueError, match="no probe 'sharpnes'; did you mean 'sharpness'"):
        probes.engine_probe("sharpnes")
    with pytest.raises(ValueError, match="no option 'kk'; did you mean 'k'"):
        probes.engine_probe({"name": "sharpness", "kk": 1})


def test_names_that_collide_are_refused() -> None:
    task = supervised()
    twice = (Probe("one", lambda lane: {"x": lane.step}), Probe("two", lambda lane: {"x": 1.0}))
    with pytest.raises(ValueError, match="'one' and 'two' both measure 'x'"):
        check_probes(problem_of(task)._replace(probes=twice), task.data, ("lr",))
    vector = (Probe("v", lambda lane: {"x": jnp.ones(2)}),)
    with pytest.raises(ValueError, match="probe 'v': 'x' must be a scalar"):
        check_probes(problem_of(task)._replace(probes=vector), task.data, ("lr",))


# Each against an exact small case.


@pytest.mark.slow
def test_sharpness_and_trace_are_those_of_the_training_loss() -> None:
    with jax.enable_x64(True):
        lane = double(lane_of(supervised(nn.Dense(3))))
        flat, unravel = ravel_pytree(lane.params)
        hessian = jit(jax.hessian(lambda v: training_loss(lane, None)(unravel(v))))(flat)
        want = np.linalg.eigvalsh(hessian)[::-1]
        found = measure("sharpness", lane, k=3)
        np.testing.assert_allclose(
            [found["sharpness"], found["sharpness_2"], found["sharpness_3"]],
            want[:3],
            rtol=1e-6,
            atol=1e-6,
        )
        assert found["sharpness_times_lr_half"] == pytest.approx(want[0] * 0.1 / 2)
        trace = measure("hessian_trace", lane, samples=4000)["hessian_trace"]
        off = np.sum(hessian**2) - np.sum(np.diag(hessian) ** 2)
        assert abs(trace - want.sum()) < 4 * np.sqrt(2 * off / 4000)


def double(tree):
    return jax.tree.map(
        lambda leaf: (
            leaf.astype(jnp.float64)
            if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
            else leaf
        ),
        tree,
    )


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("variant", few([0, 1], 1))
def test_preconditioner_is_the_one_the_update_used(name, variant) -> None:
    """With no momentum left over, an update is -lr g / P, or -lr (1 - b) g / P for averages."""
    options = {
        "adam": {"nesterov": True}, "amsgrad": {"bias_correction_mu": False},
        "rmsprop": {"centered": True, "momentum": 0.5, "eps_in_sqrt": False},
        "radam": {"threshold": 1e6}, "momentum": {"accumulate": 2},
    }.get(name, {}) if variant else {}  # fmt: skip
    if variant and not options:
        pytest.skip("no variant")
    with jax.enable_x64(True):
        optimizer = optimizers.engine_optimizer(name, **options)
        dynamics, lr = optimizer.dynamics, 0.1
        assert dynamics is not None
        hyper = {"lr": lr}
        transformation = optax.with_extra_args_support(optimizer.make(hyper))
        params = {"x": jnp.array([1.0, -2.0, 3.0])}
        state = transformation.init(params)
        random = np.random.default_rng(0)
        for _ in range(6):
            g = {"x": jnp.asarray(random.normal(size=3))}
            state = transformation.update(g, state, params)[1]
        state = without_momentum(state)
        if options.get("accumulate"):  # the same gradient in both halves: one update of it
            state = transformation.update(g, state, params)[1]
        updates, state = transformation.update(g, state, params)
        p = 1.0 if dynamics.preconditioner is None else dynamics.preconditioner(state, hyper)["x"]
        b = float(dynamics.momentum(hyper))
        share = {"adam": 1 - b, "nesterov_ema": (1 - b) * (1 + b), "nesterov": 1 + b}
        want = -lr * share.get(dynamics.family, 1.0) * g["x"] / p
        if name in ("adamw", "nadamw", "adamaxw"):
            want -= lr * 1e-4 * params["x"]
        noise = 0.02 if name == "noisy_sgd" else 1e-9
        np.testing.assert_allclose(updates["x"], want, rtol=1e-7, atol=noise)


def without_momentum(state):
    """First moments at 0 and, for exact bias corrections, a long history."""

    def cleared(node):
        fields = getattr(node, "_fields", ())
        if "trace" in fields:
            node = node._replace(trace=jax.tree.map(jnp.zeros_like, node.trace))
        if "mu" in fields and "nu" in fields:
            zero = jax.tree.map(jnp.zeros_like, node.mu)
            node = node._replace(mu=zero)
            if "count" in fields:
                node = node._replace(count=jnp.asarray(20_000))
        return node

    def has(node):
        return "trace" in getattr(node, "_fields", ()) or "mu" in getattr(node, "_fields", ())

    return jax.tree.map(cleared, state, is_leaf=has)


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov"])
def test_stability_is_1_where_a_quadratic_flips(name) -> None:
    h = 4.0
    limit = theory.max_lr(name, h, 0.0 if name == "sgd" else 0.9)
    task = lrlab.Task.objective(
        name="bowl",
        init=lambda key: {"x": jnp.ones(2)},
        loss=lambda params, key: 0.5 * jnp.sum(jnp.array([1.0, h]) * params["x"] ** 2),
    )
    result = lrlab.sweep(
        task, optimizer=name, schedule="constant", lr=[0.98 * limit, 1.02 * limit], seeds=1,
        steps=400, eval_every=400, probes=["stability"], precision="float64", progress=False,
    )  # fmt: skip
    found = result.history["stability"][-1, :, 0]
    np.testing.assert_allclose(found, [0.98, 1.02], rtol=1e-9, atol=1e-12)
    final = result.final["valid_loss"][:, 0]
    assert final[0] < 1e-2 and final[1] > 1e2


@pytest.mark.slow
def test_adams_threshold_is_38_over_lr_and_follows_a_swept_b1() -> None:
    task = lrlab.Task.objective(
        name="bowl", init=lambda key: {"x": jnp.ones(2)},
        loss=lambda params, key: 0.5 * jnp.sum(params["x"] ** 2),
    )  # fmt: skip
    result = lrlab.sweep(
        task, optimizer="adam", schedule="constant", lr=[0.01], b1=[0.9, 0.5], seeds=1, steps=3,
        probes=["stability"], precision="float64", progress=False,
    )  # fmt: skip
    limits = result.history["stability_threshold"][-1, 0, :, 0]
    np.testing.assert_allclose(limits, [3800, 600], rtol=1e-6, atol=1e-4)
    ratio = result.history["preconditioned_sharpness"] / result.history["stability_threshold"]
    np.testing.assert_allclose(result.history["stability"], ratio, rtol=1e-6, atol=1e-8)


def test_sizes_of_updates_per_layer() -> None:
    params = {"a": {"w": jnp.array([[3.0], [0.0]]), "b": jnp.array([4.0])}, "c": jnp.array([2.0])}
    step = {"a": {"w": jnp.array([[0.0], [5.0]]), "b": jnp.array([0.0])}, "c": jnp.array([1.0])}
    lane = bowl([1.0])._replace(
        params=params,
        task=bowl([1.0]).task._replace(
            loss=lambda p, *rest: (sum(jnp.sum(x) for x in jax.tree.leaves(p)), ({}, {}))
        ),
        update=lambda grads, value, value_fn: (step, ()),
        initial=lambda: (jax.tree.map(jnp.zeros_like, params), {}),
    )
    ratio = measure("update_to_weight", lane)
    assert ratio["update_to_weight.a"] == pytest.approx(1)  # 5 of 5
    assert ratio["update_to_weight.c"] == pytest.approx(0.5)
    assert ratio["update_to_weight"] == pytest.approx(np.sqrt(26 / 29))
    angle = measure("angular_update", lane)
    assert angle["angular_update.a"] == pytest.approx(np.pi / 4)
    assert angle["angular_update.c"] == pytest.approx(0, abs=1e-6)
    assert angle["angular_update"] == pytest.approx(np.arccos((29 + 2) / np.sqrt(29 * (59))))
    way = measure("distance", lane)
    assert way["distance"] == pytest.approx(np.sqrt(29)) and np.isnan(way["relative_distance"])
    assert measure("weight_norm", lane)["weight_norm.a"] == pytest.approx(5)


def test_distance_of_gradient_descent_on_a_bowl() -> None:
    task = lrlab.Task.objective(
        name="bowl", init=lambda key: {"x": jnp.ones(1)},
        loss=lambda params, key: 0.5 * jnp.sum(params["x"] ** 2),
    )  # fmt: skip
    result = lrlab.sweep(
        task, optimizer="sgd", schedule="constant", lr=[0.1], init_scale=[1.0, 2.0], seeds=1,
        steps=10, eval_every=5, probes=["distance"], precision="float64", progress=False,
    )  # fmt: skip
    want = [[scale * (1 - 0.9**step) for scale in (1, 2)] for step in (5, 10)]
    np.testing.assert_allclose(result.history["distance"][:, 0, :, 0], want, rtol=1e-5, atol=1e-7)


def points(dimension=4):
    """Loss (w - x)' H (w - x) / 2 of example x: gradient H (w - x), covariance H C H."""
    random = np.random.default_rng(1)
    h, root = np.array([3.0, 1.0, 0.5, 0.1]), random.normal(size=(dimension, dimension)) / 2
    return h, root, np.full(dimension, 0.7)


def quadratic_lane(x, h, w):
    def loss(params, state, batch, key):
        return jnp.mean(0.5 * ((params["w"] - batch) ** 2) @ h), (state, {})

    task = bowl([1.0]).task._replace(loss=loss)
    return bowl([1.0])._replace(task=task, params={"w": w}, data=x, batch_size=16)


def test_noise_scales_have_no_bias() -> None:
    """400 data sets of known mean and covariance at once: means within 4 standard errors."""
    with jax.enable_x64(True):
        h, root, mean = points()
        x = jax.random.normal(jax.random.key(0), (400, 64, 4)) @ root.T + mean
        w = jnp.zeros(4)
        g, s = h * (0 - mean), np.diag(h) @ root @ root.T @ np.diag(h)
        want = {
            "gradient_norm2": g @ g, "gradient_variance": np.trace(s),
            "curvature_signal": g @ (h * g), "curvature_noise": np.trace(np.diag(h) @ s),
        }  # fmt: skip
        found = {}
        for name in ("noise_scale", "critical_batch_size"):
            probe = probes.engine_probe(name)
            at = jit(jax.vmap(lambda x, probe=probe: probe.measure(quadratic_lane(x, h, w))))
            found |= at(x)
        for key, value in want.items():
            error = np.std(found[key], ddof=1) / np.sqrt(len(x))
            assert abs(np.mean(found[key]) - value) < 4 * error, key
        above = found["gradient_norm2"] > 0
        np.testing.assert_allclose(
            found["noise_scale"][above],
            (found["gradient_variance"] / found["gradient_norm2"])[above],
            rtol=1e-5,
            atol=1e-6,
        )


def test_gradient_snr_is_the_noise_scale_upside_down() -> None:
    with jax.enable_x64(True):
        h, root, mean = points()
        x = jax.random.normal(jax.random.key(0), (64, 4)) @ root.T + mean
        lane = quadratic_lane(x, h, jnp.zeros(4))
        found = measure("gradient_snr", lane)
        scale = measure("noise_scale", lane)["noise_scale"]
        assert found["gradient_snr"] == pytest.approx(16 / scale)
        parts = -(h * np.asarray(x)).reshape(8, 8, 4).mean(1)
        want = (parts.mean(0) ** 2 / (8 * parts.var(0, ddof=1))).mean()
        assert found["gradient_snr_mean"] == pytest.approx(want)
        with pytest.raises(ValueError, match="8 parts of 3 training examples"):
            probes.engine_probe("noise_scale").measure(lane._replace(data=jnp.ones((3, 4))))


def test_an_objectives_noise_is_that_of_its_key() -> None:
    def loss(params, state, batch, key):
        return jnp.sum(params["x"] * (1 + jax.random.normal(key, (2,)))), (state, {})

    lane = bowl([1.0, 1.0])
    lane = lane._replace(task=lane.task._replace(loss=loss))
    found = measure("noise_scale", lane, batches=4000)
    assert found["gradient_norm2"] == pytest.approx(2, rel=0.1)
    assert found["gradient_variance"] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(("lr", "want"), [(0.05, -0.5), (0.1, 0.0), (0.2, 1.0), (0.3, 2.0)])
def test_alpha_on_a_parabola(lr, want) -> None:
    assert measure("alpha", bowl([10.0], lr=lr))["alpha"] == pytest.approx(want, abs=1e-4)


def test_alpha_weighs_by_noise_as_least_squares_does() -> None:
    with jax.enable_x64(True):
        f, d = np.array([3.0, 1.5]), np.array([-4.0, 0.5])
        vf, vd = np.array([0.3, 0.1]), np.array([0.5, 0.02])
        rows = np.array([[1, 0, 0], [1, 1, 1], [0, 1, 0], [0, 1, 2.0]])
        weights = 1 / np.sqrt(np.r_[vf, vd])
        _, slope, half = np.linalg.lstsq(rows * weights[:, None], np.r_[f, d] * weights)[0]
        found = float(probes.normalized_step(f, d, vf, vd))
        assert found == pytest.approx(2 * half / -slope - 1)
        assert float(probes.normalized_step([1.0, 0.0], [-0.5, -1.5], [0.0, 0.0], [0.0, 0.0])) == -1


def test_loss_along_the_step() -> None:
    found = measure("loss_along_step", bowl([1.0], lr=0.5), sizes=[0, 1, 2, 4])
    want = {f"loss_along_step.{s}": 0.5 * (1 - 0.5 * s) ** 2 for s in (0, 1, 2, 4)}
    assert found == pytest.approx({**want, "best_step_size": 2.0})


@pytest.mark.parametrize("name", ["sgd", "momentum"])
def test_distance_from_gradient_flow_is_exact_and_falls_with_the_rate(name) -> None:
    h = jnp.array([1.0, 30.0])
    task = lrlab.Task.objective(
        name="bowl", init=lambda key: {"x": jnp.ones(2, h.dtype)},
        loss=lambda params, key: 0.5 * jnp.sum(h * params["x"] ** 2),
    )  # fmt: skip
    probe = {"name": "gradient_flow", "tolerance": 1e-7, "evaluations": 20_000, "every": 200}
    lr = [1e-3, 2e-3, 4e-3]
    result = lrlab.sweep(
        task, optimizer=name, schedule="linear", lr=lr, seeds=1, steps=200, eval_every=200,
        probes=[probe, "distance"], precision="float64", progress=False,
    )  # fmt: skip
    found = result.history["flow_distance"][-1, :, 0]
    if name == "sgd":
        rates = result.history["learning_rate"][:, :, 0]
        end = np.prod(1 - rates[:, :, None] * np.asarray(h), axis=0)
        flowed = np.exp(-rates.sum(0)[:, None] * np.asarray(h))
        np.testing.assert_allclose(
            found, np.linalg.norm(end - flowed, axis=1), rtol=2e-3, atol=1e-6
        )
    else:
        # Momentum oscillates in stiff directions; in the slow one it is the flow, up to O(lr).
        assert (found < 0.25 * result.history["distance"][-1, :, 0]).all()


def test_gradient_flow_says_so_where_its_budget_ends() -> None:
    lane = bowl([1.0, 50.0], at=0.3)
    assert np.isnan(measure("gradient_flow", lane, evaluations=10)["flow_distance"])
    assert np.isfinite(measure("gradient_flow", lane)["flow_distance"])


@pytest.mark.slow
def test_tangent_kernel_and_the_rate_it_bears() -> None:
    with jax.enable_x64(True):
        x, y = data(6)
        for width, loss in ((1, "mse"), (4, "softmax_cross_entropy")):
            targets = y if loss != "mse" else np.eye(3)[y]
            task = lrlab.Task.supervised(
                name="net", model=nn.Sequential([nn.Dense(width), nn.tanh, nn.Dense(3)]),
                loss=loss, train=(x, targets), valid=(x, targets),
            )  # fmt: skip
            lane = double(lane_of(task, "sgd", updates=0))
            flat, unravel = ravel_pytree(lane.params)

            def outputs(vector, lane=lane, unravel=unravel):
                return lane.task.outputs(unravel(vector), lane.model, lane.data, lane.key).ravel()

            j = jit(jax.jacobian(outputs))(flat)
            found = measure("ntk", lane, iterations=40)
            assert found["ntk_top"] == pytest.approx(np.linalg.eigvalsh(j @ j.T / 6)[-1])
            second = jit(
                jax.hessian(lambda f, lane=lane: lane.task.output_loss(f.reshape(6, 3), lane.data))
            )(outputs(flat))
            top = np.linalg.eigvalsh(j.T @ second @ j)[-1]
            assert found["lazy_max_lr"] == pytest.approx(2 / top)
            if loss == "mse":  # the mean over 3 outputs of (f - y)^2
                assert found["lazy_max_lr"] == pytest.approx(3 / found["ntk_top"])


@pytest.mark.slow
def test_features_are_compared_with_those_of_the_beginning() -> None:
    lane = lane_of(supervised(), lr=0.5)
    found = measure("feature_change", lane, examples=8)
    x = lane.data[0][:8]
    before, after = lane.initial()[0], lane.params
    hidden = [x @ p["hidden"]["kernel"] + p["hidden"]["bias"] for p in (before, after)]
    assert found["feature_size.hidden"] == pytest.approx(float(np.abs(hidden[1]).mean()), rel=1e-5)
    change = float(np.abs(hidden[1] - hidden[0]).mean())
    assert change > 0
    assert found["feature_change.hidden"] == pytest.approx(change, rel=1e-4)
    assert {"feature_size.output", "feature_size.readout"} <= set(found)
    bare = lane_of(supervised(lambda rngs: nnx.Linear(5, 3, rngs=rngs)))
    assert set(measure("feature_change", bare)) == {"feature_size.output", "feature_change.output"}


@pytest.mark.slow
def test_long_inputs_go_part_by_part_to_the_same_numbers(monkeypatch) -> None:
    lane = lane_of(supervised(nn.Dense(3)))
    whole = measure("sharpness", lane), measure("gradient", lane)
    monkeypatch.setattr("lrlab.probes.lane.CHUNK_NUMBERS", 40)
    parts = measure("sharpness", lane), measure("gradient", lane)
    for left, right in zip(whole, parts, strict=True):
        assert left == pytest.approx(right, rel=1e-4)


def test_states_are_found_inside_others() -> None:
    state = optimizers.make("adam", lr=0.1, clip_norm=1.0, accumulate=2, ema=0.9).init(jnp.ones(2))
    assert len(nodes(state, "nu")) == 1 and isinstance(LaneState._fields, tuple)
