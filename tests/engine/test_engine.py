"""The engine's promises: bits, laws, compile counts, outcomes. All problems are in `tiny`."""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny
from few import few
from places import TESTS

from lrlab.core.errors import Interrupted
from lrlab.core.records import DIVERGED, OK, PRUNED, Metric
from lrlab.engine import step as step_module
from lrlab.engine import train
from lrlab.engine.limits import PlanLimits
from lrlab.engine.plan import make_plan
from lrlab.engine.results import restore
from lrlab.types import Lanes, Optimizer, Plan, Problem, TaskFunctions

LRS = (1e-3, 3e-2, 0.5)


@pytest.mark.parametrize("optimizer", few(["adam", "momentum"], 1))
@pytest.mark.parametrize("model", few(["mlp", "cnn"], 1))
def test_tile_of_one_equals_a_scan_by_hand_bit_for_bit(model, optimizer):
    trained = tiny.run(tiny.problem(model, optimizer), tiny.grid(LRS), width=1)
    for lane, (lr, seed) in enumerate((lr, seed) for lr in LRS for seed in (0, 1)):
        hand = tiny.by_hand(lr, seed, model, optimizer)
        assert tiny.same_bits(trained.history["train_loss"][:, lane], hand), (lr, seed)


@pytest.mark.parametrize("width", few([8, 2], 1))
def test_wider_tiles_equal_a_scan_by_hand_to_rounding(width):
    trained = tiny.run(tiny.problem(), tiny.grid((1e-3, 1e-2)), width=width)
    hand = np.stack([tiny.by_hand(lr, seed) for lr in (1e-3, 1e-2) for seed in (0, 1)], 1)
    np.testing.assert_allclose(trained.history["train_loss"], hand, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", few([4, 1], 1))
@pytest.mark.parametrize("model", few(["mlp", "cnn"], 1))
def test_neighbors_order_padding_and_devices_change_no_bit(model, width):
    this = tiny.problem(model)
    base = tiny.run(this, tiny.grid(LRS), width)
    loss = base.history["train_loss"]
    order = np.random.RandomState(1).permutation(6)
    lanes = tiny.grid(LRS)
    permuted = tiny.run(
        this, Lanes({"lr": lanes.hyper["lr"][order]}, lanes.seed[order]), width, devices=1
    )
    assert tiny.same_bits(permuted.history["train_loss"], loss[:, order])
    more = tiny.run(this, tiny.grid((*LRS, 1e-4, 2e-4, 1e30, 5.0)), width, segment_steps=7)
    assert tiny.same_bits(more.history["train_loss"][:, :6], loss)
    assert tiny.same_bits(more.evaluated["valid_loss"][:, :6], base.evaluated["valid_loss"])
    alone = tiny.run(this, Lanes({"lr": np.array([LRS[1]])}, np.array([1])), width)
    assert tiny.same_bits(alone.history["train_loss"][:, 0], loss[:, 3])


def test_one_training_program_for_all_lanes_segments_and_repeats(monkeypatch):
    step_module_lane_step = step_module.lane_step
    traced = chex.assert_max_traces(step_module_lane_step, n=2)  # the loop body and its shapes
    monkeypatch.setattr("lrlab.engine.programs.lane_step", traced)
    chex.clear_trace_counter()
    this = tiny.problem(steps=41)
    tiny.run(this, tiny.grid((1e-3, 1e-2, 1e30, 1e35, 1e36)), 2, segment_steps=16)
    with jax.log_compiles(False):
        before = _compilations()
        tiny.run(this, tiny.grid((1e-4, 1e-3, 1e31, 3.0, 1e37)), 2, segment_steps=16)
        assert _compilations() == before


def _compilations() -> int:
    return len(_EVENTS)


_EVENTS: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: _EVENTS.append(name) if "backend_compile" in name else None
)


def test_compilations_are_counted():
    before = _compilations()
    jax.jit(lambda x: x * 3.25 + len(_EVENTS))(jnp.ones(3))
    assert _compilations() > before


def test_diverged_lanes_are_data():
    trained = tiny.run(tiny.problem("mlp", "momentum"), tiny.grid((1e-2, 1e30)), 2)
    assert trained.outcome.tolist() == [OK, OK, DIVERGED, DIVERGED]
    assert (trained.diverged_at[:2] == -1).all() and (trained.diverged_at[2:] >= 0).all()
    at = trained.diverged_at[2]
    column = trained.history["train_loss"][:, 2]
    assert np.isfinite(trained.last_loss).all()
    assert np.isnan(column[at + 1 :]).all() and np.isfinite(column[:at]).all()
    assert np.isnan(trained.evaluated["valid_loss"][-1, 2:]).all()
    assert trained.steps_trained.tolist() == [40, 40, at + 1, trained.diverged_at[3] + 1]


def test_labels_only_when_divergence_does_not_stop():
    this = tiny.problem("mlp", "momentum", stop_diverged=False)
    trained = tiny.run(this, tiny.grid((1e-2, 1e30)), 2)
    assert trained.outcome.tolist() == [OK, OK, DIVERGED, DIVERGED]
    assert trained.steps_trained.tolist() == [40] * 4


def test_recorded_learning_rate_is_the_one_that_trained():
    trained = tiny.run(tiny.problem(), tiny.grid((0.25,)), 1)
    expected = 0.25 * optax.cosine_decay_schedule(1.0, 40)(jnp.arange(40))
    np.testing.assert_allclose(
        trained.history["learning_rate"][:, 0], expected, rtol=2e-6, atol=1e-8
    )


def test_pruned_lanes_stop_and_the_rest_keep_their_bits():
    this = tiny.problem()
    full = tiny.run(this, tiny.grid(LRS), 2)
    keep = {10: np.arange(6) < 4, 20: np.arange(6) < 3}
    cut = tiny.run(this, tiny.grid(LRS), 2, rungs=(10, 20), decide=lambda step, trained: keep[step])
    assert cut.outcome.tolist() == [OK] * 3 + [PRUNED] * 3
    assert cut.steps_trained.tolist() == [40, 40, 40, 20, 10, 10]
    assert tiny.same_bits(cut.history["train_loss"][:, :3], full.history["train_loss"][:, :3])
    assert tiny.same_bits(cut.history["train_loss"][:10], full.history["train_loss"][:10])
    assert np.isnan(cut.history["train_loss"][10:, 4:]).all()


class Memory:
    """A recorder in memory that keeps what a crash would leave: the last commit."""

    def __init__(self):
        self.cells, self.committed = {}, None

    def rows(self, name, axis, start, lanes, values):
        piece = (start, np.array(lanes), np.array(values))
        self.cells.setdefault((name, axis), []).append(piece)

    def due(self):
        return True

    def commit(self, arrays, info):
        arrays = {name: np.array(value) for name, value in arrays.items()}
        cells = {name: list(parts) for name, parts in self.cells.items()}
        self.committed = (arrays, dict(info), cells)

    def metrics(self, steps, eval_steps, lanes):
        metrics = {}
        for (name, axis), parts in self.committed[2].items():
            shape = (len(eval_steps) if axis == "eval_step" else steps, lanes)
            metrics[name] = Metric(np.full(shape, np.nan, parts[0][2].dtype), axis)
            for start, ids, values in parts:
                metrics[name].values[start : start + len(values), ids] = values
        return metrics


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_interrupted_run_goes_on_to_the_same_bits(stop_after):
    this, lanes = tiny.problem(), tiny.grid((*LRS, 1e33))
    evals = [10, 20, 40]
    whole = tiny.run(this, lanes, 2, eval_steps=evals, segment_steps=9)
    memory, visits = Memory(), []

    def interrupted():
        visits.append(0)
        return len(visits) == stop_after

    with pytest.raises(Interrupted):
        tiny.run(
            this, lanes, 2, eval_steps=evals, segment_steps=9, recorder=memory,
            interrupted=interrupted,
        )  # fmt: skip
    arrays, info, _ = memory.committed
    saved = restore(arrays, info, memory.metrics(40, evals, 8), lanes, evals, 40)
    resumed = tiny.run(this, lanes, 2, eval_steps=evals, segment_steps=9, saved=saved)
    for name, one in whole.metrics.items():
        assert tiny.same_bits(resumed.metrics[name].values, one.values)
        assert resumed.metrics[name].axis == one.axis
    for name, values in whole.initial.items():
        assert tiny.same_bits(resumed.initial[name], values)
    assert tiny.same_bits(resumed.outcome, whole.outcome)
    assert tiny.same_bits(resumed.diverged_at, whole.diverged_at)


def quadratic(eigenvalues) -> TaskFunctions:
    h = np.asarray(eigenvalues)

    def loss(params, state, batch, key):
        return 0.5 * jnp.sum(h * params**2), (state, {})

    def evaluate(params, state, data, key):
        return {"loss": loss(params, state, None, key)[0]}

    return TaskFunctions(lambda key, example: (jnp.ones(len(h)), {}), loss, evaluate)


CONSTANT = staticmethod(lambda hyper, step: hyper["lr"]).__func__
SHARP = 4.0
LAWS = {
    "gd": (lambda hyper: optax.sgd(hyper["lr"]), 2 / SHARP),
    "heavy_ball": (lambda hyper: optax.sgd(hyper["lr"], momentum=0.9), 2 * 1.9 / SHARP),
    "nesterov": (
        lambda hyper: optax.sgd(hyper["lr"], momentum=0.9, nesterov=True),
        (2 + 1.8) / (1 + 1.8) / SHARP,
    ),
}


@pytest.mark.parametrize("name", list(LAWS))
def test_divergence_flips_at_the_stability_threshold(name):
    make, threshold = LAWS[name]
    task = quadratic([0.1, 1.0, SHARP])
    this = Problem(
        task, Optimizer(make), CONSTANT, 30_000, None, 0, splits=("valid",), dtype="float64"
    )
    lanes = Lanes({"lr": threshold * np.array([0.999, 1.001])}, np.zeros(2, int))
    plan = make_plan(this, {}, ("lr",), 2, 1, Plan(2, 1, 30_000))
    trained = train(this, {}, lanes, plan, eval_steps=[30_000])
    final = trained.evaluated["valid_loss"][-1]
    assert final[0] < 1e-20
    assert trained.history["train_loss"].dtype == np.float64
    assert trained.outcome[1] == DIVERGED or final[1] > 1e10


def test_gradient_descent_follows_its_closed_form_in_float64():
    eigenvalues = np.array([0.1, 1.0, SHARP])
    this = Problem(
        quadratic(eigenvalues),
        Optimizer(LAWS["gd"][0]),
        CONSTANT,
        100,
        None,
        0,
        splits=("valid",),
        dtype="float64",
    )
    lr = np.array([0.01, 0.2, 0.499])
    lanes = Lanes({"lr": lr}, np.zeros(3, int))
    trained = train(
        this, {}, lanes, make_plan(this, {}, ("lr",), 3, 1, Plan(4, 1)), eval_steps=[100]
    )
    k = np.arange(100)[:, None, None]
    exact = 0.5 * (eigenvalues * (1 - lr[:, None] * eigenvalues) ** (2 * k)).sum(-1)
    np.testing.assert_allclose(trained.history["train_loss"], exact, rtol=1e-10, atol=1e-12)


def test_states_wait_for_their_cohort():
    this, lanes = tiny.problem(), tiny.grid((*LRS, 1e33))
    whole = tiny.run(this, lanes, 2)
    streamed = tiny.run(this, lanes, 2, limits=PlanLimits(resident_bytes=1))
    assert tiny.same_bits(whole.history["train_loss"], streamed.history["train_loss"])
    assert tiny.same_bits(whole.outcome, streamed.outcome)


@pytest.mark.slow
def test_eight_forced_devices_give_the_same_bits(tmp_path):
    import subprocess
    import sys

    script = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1]); import tiny\n"
        "t = tiny.run(tiny.problem('cnn'), tiny.grid((1e-3, 3e-2, .5)), 4, devices=8)\n"
        "np.save(sys.argv[2], t.history['train_loss'])\n"
    )
    target = tmp_path / "loss.npy"
    folder = str(TESTS)
    subprocess.run([sys.executable, "-c", script, folder, str(target)], check=True, timeout=1800)
    here = tiny.run(tiny.problem("cnn"), tiny.grid(LRS), 4)
    assert tiny.same_bits(np.load(target), here.history["train_loss"])


def test_rows_that_lie_in_a_file_are_the_same() -> None:
    this, lanes = tiny.problem(), tiny.grid([0.01, 0.1, 1.0, 10.0])
    whole = tiny.run(this, lanes, width=2)
    limits = PlanLimits(spill_bytes=100, tiles_between_releases=1, tiles_ahead=1)
    spilled = tiny.run(this, lanes, width=2, limits=limits)
    assert isinstance(spilled.history["train_loss"], np.memmap)
    assert not isinstance(whole.history["train_loss"], np.memmap)
    assert set(whole.metrics) == set(spilled.metrics)
    for name, one in whole.metrics.items():
        np.testing.assert_array_equal(one.values, spilled.metrics[name].values, strict=True)


def test_finite_means_every_number():
    from lrlab.engine.step import all_finite

    tree = {"a": np.zeros((700, 3), np.float32), "b": np.full(5, -3e38, np.float32)}
    assert bool(all_finite(tree)) and bool(all_finite({}))
    for bad in (np.nan, np.inf, -np.inf):
        for place in ((0, 0), (699, 2)):
            spoiled = tree["a"].copy()
            spoiled[place] = bad
            assert not bool(jax.jit(all_finite)({**tree, "a": spoiled}))


def test_programs_of_one_text_keep_the_trees_of_their_own_results(tmp_path, monkeypatch):
    """Adam's and LAMB's first states hold equal arrays, in chains of unequal length."""
    from lrlab.engine.executables import replicated

    monkeypatch.setenv("LRLAB_CACHE", str(tmp_path))
    device, x = jax.devices()[0], jnp.ones(3)
    pair, triple = replicated(lambda x: (x + 1, ())), replicated(lambda x: (x + 1, (), ()))
    assert len(pair(device, x)) == 2
    assert len(triple(device, x)) == 3
    assert len(replicated(lambda x: (x + 1, ()))(device, x)) == 2
