"""Weights that runs keep: in memory, in folders, after every stop, whole, as evaluated."""

from __future__ import annotations

import copy
import itertools
import json
import pickle

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from few import few
from stopped_runs import stopped

import lrlab
from lrlab.cli.app import run as command
from lrlab.core.errors import Interrupted
from lrlab.engine.limits import PlanLimits
from lrlab.runs import RunError
from lrlab.tasks import Task
from lrlab.types import TaskFunctions
from lrlab.workflows import job, origins
from tests.overfitting import SETTINGS, overfitting

pytestmark = pytest.mark.usefixtures("every_segment")

NARROW = lrlab.Plan(tile_width=1, segment_steps=7)
SMALL = {"steps": 24, "batch_size": 8, "seeds": 2, "eval_every": 6, "progress": False}


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.5)(nn.Dense(4, name="body")(x))
        return nn.Dense(3, name="head")(nn.relu(x))


def task(**options) -> Task:
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 5)).astype(np.float32)
    y = random.integers(0, 3, 40)
    return Task.supervised(
        name="net", model=Net(), loss="softmax_cross_entropy", train=(x, y), valid=(x, y), **options
    )


def same(one, other) -> None:
    leaves, others = jax.tree.leaves_with_path(one), jax.tree.leaves_with_path(other)
    assert len(leaves) == len(others) > 0
    for (path, leaf), (_, there) in zip(leaves, others, strict=True):
        np.testing.assert_array_equal(leaf, there, err_msg=str(path))


def valid_loss(params, collections) -> float:
    """The loss of `task` on its validation data, by Flax alone."""
    inputs, targets = task().data["valid"]
    outputs = Net().apply({"params": params, **collections}, inputs)
    return float(-jnp.mean(nn.log_softmax(outputs)[np.arange(40), targets]))


@pytest.mark.parametrize(
    ("keep", "optimizer"),
    few([("last", "adam"), ("last", "schedule_free"), ("best", "adam"), ("best", "schedule_free")],
        2),
)  # fmt: skip
def test_kept_weights_are_those_that_were_evaluated(keep, optimizer, tmp_path) -> None:
    out = tmp_path / "run" if optimizer.startswith("schedule") else None
    lanes = {"lr": [1e-3, 1.0], "optimizer": optimizer, "keep": keep, **SMALL}
    result = lrlab.sweep(task(), **lanes, out=out)
    curves = result.history["valid_loss"]
    expected = curves[-1] if keep == "last" else curves.min(0)
    for (i, lr), (j, seed) in itertools.product(enumerate([1e-3, 1.0]), enumerate([0, 1])):
        params, collections = result.state(lr=lr, seed=seed)
        loss = valid_loss(params, collections)
        np.testing.assert_allclose(loss, expected[i, j], rtol=1e-5, atol=1e-6)
        same(params, result.params(lr=lr, seed=seed))


def test_the_best_evaluation_of_a_metric_to_maximize() -> None:
    result = lrlab.sweep(task(metrics=("accuracy",)), lr=[0.1], optimizer="adam", keep="best",
                         metric="valid_accuracy", **SMALL)  # fmt: skip
    params, collections = result.state(seed=0)
    inputs, targets = task().data["valid"]
    outputs = Net().apply({"params": params, **collections}, inputs)
    accuracy = float((np.argmax(outputs, -1) == targets).mean())
    np.testing.assert_allclose(accuracy, result.history["valid_accuracy"][:, 0, 0].max(), atol=1e-6)


@pytest.mark.parametrize("keep", few(["best", "last"], 1))
def test_the_same_weights_in_memory_in_a_folder_and_after_every_stop(
    keep, tmp_path, monkeypatch
) -> None:
    lanes = {"lr": [1e-3, 0.3, 3.0], "optimizer": "adam", "keep": keep, "plan": NARROW, **SMALL}
    whole = lrlab.sweep(task(), **lanes)
    for after, error in ((0, None), (1, RuntimeError), (3, None)):
        place = tmp_path / f"{after}"
        with monkeypatch.context() as patch:
            stopped(patch, after, error)
            with pytest.raises(error or Interrupted):
                lrlab.sweep(task(), out=place, **lanes)
        again = lrlab.sweep(task(), out=place, **lanes)
        loaded = lrlab.load(place)
        for lr, seed in itertools.product(lanes["lr"], [0, 1]):
            expected = whole.state(lr=lr, seed=seed)
            same(again.state(lr=lr, seed=seed), expected)
            same(loaded.state(lr=lr, seed=seed), expected)


@pytest.mark.parametrize("keep", ["last", "best"])
def test_cohorts_keep_what_one_cohort_keeps(keep, tmp_path, monkeypatch) -> None:
    lanes = {"lr": [1e-3, 0.3, 3.0], "optimizer": "adam", "keep": keep, "plan": NARROW, **SMALL}
    whole = lrlab.sweep(task(), **lanes)
    monkeypatch.setattr("lrlab.engine.loop._capacity", lambda *_, **__: 2)
    split = lrlab.sweep(task(), **lanes, out=tmp_path / "run")
    for lr, seed in itertools.product(lanes["lr"], [0, 1]):
        same(split.state(lr=lr, seed=seed), whole.state(lr=lr, seed=seed))


def test_a_longer_run_keeps_its_new_end(tmp_path) -> None:
    lanes = {"lr": [0.1, 0.3], "optimizer": "sgd", "schedule": "constant", "plan": NARROW}
    lrlab.sweep(task(), **{**SMALL, **lanes}, keep="last", out=tmp_path / "run")
    longer = lrlab.sweep(task(), **{**SMALL, **lanes, "steps": 36}, keep="last",
                         out=tmp_path / "run")  # fmt: skip
    whole = lrlab.sweep(task(), **{**SMALL, **lanes, "steps": 36}, keep="last")
    same(longer.state(lr=0.3, seed=1), whole.state(lr=0.3, seed=1))


@pytest.mark.parametrize("given", few([True, False], 1))
def test_frozen_parameters_are_in_their_places(given, tmp_path) -> None:
    source = task()
    key = jax.random.key(3)
    weights = Net().init(key, source.data["train"][0]) if given else None
    options = {"trainable": ("head*",), "params": weights} if given else {}
    frozen = task(**options)
    if not given:

        def trains(params):
            return {
                name: jax.tree.map(lambda _, mine=name == "head": mine, part)
                for name, part in params.items()
            }

        frozen = source._replace(functions=source.functions._replace(trains=trains))
    lanes = {"lr": [0.1, 0.3], "optimizer": "sgd", "keep": "last", **SMALL}
    memory = lrlab.sweep(frozen, **lanes)
    folder = lrlab.sweep(frozen, **lanes, out=tmp_path / "run")
    loaded = lrlab.load(tmp_path / "run")
    for seed in (0, 1):
        params, collections = memory.state(lr=0.3, seed=seed)
        same(folder.state(lr=0.3, seed=seed), (params, collections))
        same(loaded.state(lr=0.3, seed=seed), (params, collections))
        assert set(params) == {"BatchNorm_0", "body", "head"}
        assert command(["doctor", str(tmp_path / "run"), "--json"]) == 0
        if given:
            same(params["body"], weights["params"]["body"])
        loss = valid_loss(params, collections)
        end = memory.history["valid_loss"][-1, 1, seed]
        np.testing.assert_allclose(loss, end, rtol=1e-5, atol=1e-6)
    bodies = [memory.params(lr=0.3, seed=seed)["body"]["kernel"] for seed in (0, 1)]
    assert bool((bodies[0] == bodies[1]).all()) == given


def test_the_state_of_a_step_of_ones_own(tmp_path) -> None:
    def start(key, hyper):
        return {"w": jnp.zeros(2), "moments": (jnp.zeros(2), jnp.zeros((), jnp.int32))}

    def step(state, batch, hyper, key):
        mean, count = state["moments"]
        gradient = 2 * (state["w"] - 1)
        new = {"w": state["w"] - hyper["lr"] * gradient, "moments": (mean + gradient, count + 1)}
        return new, {"loss": jnp.sum((state["w"] - 1) ** 2)}

    def evaluate(params, state, data, key):
        return {"loss": jnp.sum((state["w"] - 1) ** 2)}

    functions = TaskFunctions(
        init=lambda key, example: ((), ()), loss=lambda *_: None, evaluate=evaluate,
        step=step, start=start,
    )  # fmt: skip
    own = Task("own", functions, {}, {"loss": "min"}, {"name": "own"}, {})
    lanes = {"lr": [0.1, 0.2], "steps": 9, "seeds": 1, "schedule": "constant", "progress": False}
    for out in (None, tmp_path / "run"):
        result = lrlab.sweep(own, **lanes, out=out)
        state = result.state(lr=0.2)
        np.testing.assert_allclose(state["w"], 1 - 0.6**9, rtol=1e-5, atol=1e-6)
        assert isinstance(state["moments"], tuple) and state["moments"][1] == 9
        with pytest.raises(ValueError, match=r"its own: result\.state"):
            result.params(lr=0.2)
    plain = lrlab.load(tmp_path / "run").state(lr=0.2)
    same(plain, lrlab.sweep(own, **lanes).state(lr=0.2))


@pytest.mark.parametrize("out", [False, True])
def test_an_answer_has_the_weights_of_its_confirmed_lanes(out, tmp_path) -> None:
    place = tmp_path / "run" if out else None
    few = {**SETTINGS, "steps": 60, "lr_range": (1e-3, 0.3), "budget": 12, "optimizer": "sgd"}
    answer = lrlab.find(overfitting(), **few, out=place)
    trees = answer.params()
    rows = {row["lr"]: row for row in answer.evidence}
    near = min(rows, key=lambda lr: abs(np.log(lr / answer.lr)))
    finished = [
        s for s, o in zip(rows[near]["seeds"], rows[near]["outcome"], strict=True) if o == "ok"
    ]
    counts = [sum(o == "ok" for o in row["outcome"]) for row in answer.evidence]
    assert set(trees) == set(finished) or len(trees) > len(finished)
    assert 1 <= len(trees) <= max(counts)
    for seed, tree in trees.items():
        same(tree, answer.params(seed=seed))
        scores = [dict(zip(r["seeds"], r["scores"], strict=True)).get(seed) for r in rows.values()]
        score = (
            float((tree["params"]["kernel"] if "params" in tree else tree["kernel"])[0, 0] - 0.5)
            ** 2
        )
        assert any(s is not None and abs(s - score) < 1e-5 for s in scores)
    with pytest.raises(KeyError, match=r"no confirmed lane has seed 999; there are"):
        answer.params(seed=999)
    if out:
        read = lrlab.find(overfitting(), **few, out=place)
        assert read.params().keys() == trees.keys()
        same(read.params(), trees)


def test_nothing_kept_is_said(tmp_path, monkeypatch) -> None:
    lanes = {"lr": [0.1], "optimizer": "sgd", **SMALL}
    none = lrlab.sweep(task(), **lanes, keep="none")
    with pytest.raises(ValueError, match=r'no weights were kept: ask for them with keep = "last"'):
        none.params()
    stored = lrlab.sweep(task(), **lanes, keep="none", out=tmp_path / "run")
    with pytest.raises(RunError, match=r'holds no weights.*keep = "best"'):
        stored.params()
    with pytest.raises(RunError, match=r"keep: 'none' -> 'best'"):
        lrlab.sweep(task(), **lanes, keep="best", out=tmp_path / "run")
    monkeypatch.setattr(job, "LIMITS", PlanLimits(kept_bytes=100))
    monkeypatch.setattr(origins, "LIMITS", PlanLimits(kept_bytes=100))
    with pytest.raises(ValueError, match=r"no weights were kept"):
        lrlab.sweep(task(), **lanes).params()
    assert lrlab.sweep(task(), **lanes, keep="last").params(seed=0) is not None
    with pytest.raises(ValueError, match=r"only its numbers"):
        none.best()._replace(origin=None).params()


def test_a_pickled_answer_keeps_its_numbers() -> None:
    lanes = {"lr": [0.1, 0.2], "optimizer": "sgd", **SMALL}
    result = lrlab.sweep(task(), **lanes)
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.final["valid_loss"], result.final["valid_loss"])
    assert again.best().lr == result.best().lr
    for ask in (again.best().params, again.best().schedule, lambda: again.params(lr=0.1, seed=0)):
        with pytest.raises(ValueError, match=r"came from another process"):
            ask()
    assert copy.deepcopy(result).params(lr=0.1, seed=0) is not None


def test_lanes_that_did_not_finish_have_none() -> None:
    result = lrlab.sweep(overfitting(), **{**SETTINGS, "lr": [0.01, 30.0], "keep": "best"})
    assert result.outcome[1, 0] == "diverged"
    with pytest.raises(KeyError, match=r"lr = 30, seed = 0 diverged at update"):
        result.params(lr=30.0, seed=0)


@pytest.mark.parametrize("kind", few(["sweep", "find"], 1))
def test_weights_are_exported_as_an_orbax_checkpoint(kind, tmp_path, capsys) -> None:
    import orbax.checkpoint as orbax

    place, target = tmp_path / "run", tmp_path / "weights"
    if kind == "sweep":
        lanes = {"lr": [0.01, 0.1], "optimizer": "adam", **SMALL}
        answer = lrlab.sweep(task(), **lanes, out=place).best()
    else:
        few = {**SMALL, "budget": 6, "optimizer": "adam", "lr_range": (1e-3, 1.0)}
        answer = lrlab.find(task(), **few, out=place)
    assert command(["export", str(place), "--params", str(target), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    restored = orbax.PyTreeCheckpointer().restore(target)
    trees = answer.params()
    assert said["seeds"] == sorted(trees) and set(restored) == set(map(str, trees))
    for seed, tree in trees.items():
        same(restored[str(seed)]["params"], tree)
        assert set(restored[str(seed)]) == {"params", "batch_stats"}
        again = task(params=restored[str(seed)])  # a run may start from it
        same(again.params["params"], tree)
    if kind == "sweep":
        assert said["lr"] in (0.01, 0.1)
    assert command(["export", str(place), "--params", str(target)]) == 2
    assert "exists already; choose another folder" in capsys.readouterr().err
    assert command(["export", str(place), "--params", "x", "--format", "csv"]) == 2
    assert "use it without --format, --per and --out" in capsys.readouterr().err


def test_what_has_no_weights_to_export_says_so(tmp_path, capsys) -> None:
    place = tmp_path / "run"
    lrlab.sweep(task(), lr=[0.1], optimizer="sgd", **SMALL, keep="none", out=place)
    assert command(["export", str(place), "--params", str(tmp_path / "w")]) == 2
    assert "holds no weights" in capsys.readouterr().err and not (tmp_path / "w").exists()
