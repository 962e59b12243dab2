"""Multiples of the learning rate by parameter: the numbers, the axis, and what is refused."""

from __future__ import annotations

import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from configurations import MULTIPLIED
from few import few

import lrlab
from lrlab import config, optimizers
from lrlab.cli.app import run
from lrlab.config import ConfigError
from lrlab.data.batches import Batches, segment_indices
from lrlab.rng import key
from lrlab.workflows.replay import replay
from lrlab.workflows.reproduce import IDENTICAL, reproduce

QUIET = {"steps": 12, "batch_size": 16, "schedule": "constant", "progress": False}
WIDTH = lrlab.Plan(tile_width=2)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="readout")(nn.tanh(nn.Dense(6, name="hidden")(x)))


@pytest.fixture(scope="module")
def task():
    random = np.random.RandomState(0)
    x = random.randn(80, 4)
    y = (x @ random.randn(4, 3)).argmax(-1)
    return lrlab.Task.supervised(
        name="small", model=Net(), loss="softmax_cross_entropy", train=(x[:64], y[:64]),
        valid=(x[64:], y[64:]), metrics=("accuracy",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("optimizer", "options"),
    few([("adamw", {"weight_decay": 0.5}), ("sgd", {}), ("momentum", {"weight_decay": 0.1})], 1),
)
def test_a_multiplier_is_a_group_with_its_own_rate(task, optimizer, options):
    """Adam's state is elementwise, so that a group of its own makes no difference but the rate."""
    given = {**QUIET, "optimizer": optimizer, "seeds": 2, "precision": "float64", **options}
    mine = lrlab.sweep(task, lr=[0.1, 0.01], multipliers={"readout": [0.1, 3.0]}, **given)
    groups = lrlab.sweep(
        task, lr={"hidden": [0.1, 0.01], "readout": [0.01, 0.3, 0.001, 0.03]},
        groups={"hidden": "hidden", "readout": "readout"}, **given,
    )  # fmt: skip
    assert mine.history["train_loss"].shape == (12, 2, 2, 2)
    for i, lr in enumerate((0.1, 0.01)):
        for j, m in enumerate((0.1, 3.0)):
            column = int(np.argmin(np.abs(groups.axes["lr_readout"] - lr * m)))
            for name in ("train_loss", "valid_loss"):
                np.testing.assert_allclose(
                    mine.history[name][:, i, j],
                    groups.history[name][:, i, column],
                    rtol=1e-12,
                    atol=1e-13,
                )


@pytest.mark.slow
def test_it_is_optax_multi_transform_by_hand(task):
    """AdamW with decay 0.5: the readout's rate and decay are both a tenth."""
    result = lrlab.sweep(
        task, lr=[0.05], optimizer="adamw", weight_decay=0.5, multipliers={"readout": [1.0, 0.1]},
        seeds=[3], precision="float64", **QUIET,
    )  # fmt: skip
    rows = segment_indices(Batches(64, 16), 3, 0, 12)
    (x, y), model = task.data["train"], Net()
    with jax.enable_x64(True):
        xs, ys = jnp.asarray(x, jnp.float64), jnp.asarray(y)
        first = model.init(key(3, "init"), xs[:1].astype(jnp.float32))["params"]
        for column, m in enumerate((1.0, 0.1)):
            tx = optax.multi_transform(
                {
                    "hidden": optax.adamw(0.05, weight_decay=0.5),
                    "readout": optax.adamw(0.05 * m, weight_decay=0.5),
                },
                {name: jax.tree.map(lambda _, name=name: name, first[name]) for name in first},
            )
            params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), first)
            state, losses = tx.init(params), []
            for index in rows:

                def loss(params, index=index):
                    logits = model.apply({"params": params}, xs[index])
                    return optax.softmax_cross_entropy_with_integer_labels(logits, ys[index]).mean()

                value, grads = jax.value_and_grad(loss)(params)
                updates, state = tx.update(grads, state, params)
                params = optax.apply_updates(params, updates)
                losses.append(float(value))
            np.testing.assert_allclose(
                result.history["train_loss"][:, 0, column, 0], losses, rtol=1e-12, atol=1e-13
            )


@pytest.mark.slow
def test_one_is_none_and_zero_stands_still(task):
    given = {**QUIET, "optimizer": "adamw", "weight_decay": 0.1, "seeds": 2, "plan": WIDTH}
    plain = lrlab.sweep(task, lr=[0.1, 0.01], **given)
    ones = lrlab.sweep(task, lr=[0.1, 0.01], multipliers={"readout": 1.0}, **given)
    for name, values in plain.history.items():
        assert np.array_equal(values, ones.history[name]), name
    axis = lrlab.sweep(task, lr=[0.1, 0.01], multipliers={"*": [1.0, 0.0]}, **given)
    # A traced 1 is rounded once more than none.
    np.testing.assert_allclose(
        axis.history["train_loss"][:, :, 0], plain.history["train_loss"], rtol=1e-5, atol=1e-5
    )
    still = axis.history["valid_loss"][:, :, 1]
    assert (still == still[0]).all() and axis.final["valid_loss"][0, 1, 0] == still[0, 0, 0]


def test_axes_stand_in_the_order_given(task):
    result = lrlab.sweep(
        task, lr=[0.1, 0.01], optimizer="adamw", seeds=[4, 9], weight_decay=[0.0, 0.1],
        multipliers={"readout/kernel": [3.0, 0.1, 1.0], "hidden/*": 0.5, "readout/bias": [1.0]},
        **QUIET,
    )  # fmt: skip
    names = ["lr", "multiplier_readout.kernel", "multiplier_readout.bias", "weight_decay"]
    assert list(result.axes) == names
    assert result.axes["multiplier_readout.kernel"].tolist() == [3.0, 0.1, 1.0]
    assert result.final["valid_loss"].shape == (2, 3, 1, 2, 2)
    assert result.dataset()["train_loss"].dims == ("step", *names, "seed")
    assert result.best().lr is not None


@pytest.mark.slow
def test_with_groups_averages_accumulation_and_clipping(task):
    given = {**QUIET, "seeds": 1, "precision": "float64"}
    half = lrlab.sweep(
        task, lr={"a": [0.2], "b": [0.1]}, groups={"a": "hidden", "b": "readout"},
        multipliers={"hidden": 0.5}, optimizer="momentum", **given,
    )  # fmt: skip
    plain = lrlab.sweep(task, lr=[0.1], optimizer="momentum", **given)
    np.testing.assert_allclose(
        half.final["valid_loss"], plain.final["valid_loss"][None], rtol=1e-9, atol=1e-12
    )
    for options in ({"ema": 0.5}, {"accumulate": 2}, {"average_from": 3}, {"clip_norm": 0.05}):
        both = lrlab.sweep(
            task, lr=[0.2], optimizer="sgd", optimizer_args=options, multipliers={"*": [0.5]},
            **given,
        )  # fmt: skip
        once = lrlab.sweep(task, lr=[0.1], optimizer="sgd", optimizer_args=options, **given)
        np.testing.assert_allclose(
            both.final["valid_loss"][:, 0], once.final["valid_loss"], 1e-9, 1e-12
        )


def test_a_pattern_that_is_in_no_pattern_of_the_groups(task):
    """Each group sees its own parameters only; the whole is looked at."""
    with pytest.raises(ConfigError, match=r"multipliers.nothing: .* the paths are hidden/bias, "):
        lrlab.sweep(
            task, lr={"a": [0.2], "b": [0.1]}, groups={"a": "hidden", "b": "readout"},
            multipliers={"nothing": 0.5}, optimizer="sgd", seeds=1, **QUIET,
        )  # fmt: skip


def test_an_optimizer_of_ones_own(task):
    given = {**QUIET, "seeds": 1, "precision": "float64", "lr": [0.2]}
    own = lrlab.sweep(
        task, optimizer=lambda hyper: optax.sgd(hyper["lr"]), multipliers={"*": [0.5, 1.0]}, **given
    )
    plain = lrlab.sweep(task, optimizer="sgd", **(given | {"lr": [0.1, 0.2]}))
    np.testing.assert_allclose(
        own.final["valid_loss"][0], plain.final["valid_loss"], rtol=1e-12, atol=1e-13
    )
    averaging = optimizers.engine_optimizer("sgd", ema=0.9)
    with pytest.raises(ConfigError, match="multipliers: the optimizer evaluates at an average"):
        lrlab.sweep(task, optimizer=averaging, multipliers={"*": [0.5]}, **given)


@pytest.mark.slow
def test_in_mup_and_with_the_probe_of_stability():
    made = {**QUIET, "seeds": 1, "precision": "float64"}
    toml = {
        "task": {"model": {"name": "mlp", "width": 16}, "data": {"name": "iris"}},
        "optimizer": {"name": "adam"}, "parametrization": {"name": "mup", "base": {"width": 4}},
    }  # fmt: skip
    built = [
        config.build(
            {**toml, **{k: v for k, v in made.items() if k != "progress"}, **more}, "sweep"
        )
        for more in ({"lr": [0.04], "multipliers": {"*": [0.25]}}, {"lr": [0.01]})
    ]
    ran = [lrlab.api.run("sweep", one, progress=False, record=False).value for one in built]
    np.testing.assert_allclose(
        ran[0].final["valid_loss"][:, 0], ran[1].final["valid_loss"], rtol=1e-9, atol=1e-12
    )
    with pytest.raises(ValueError, match="threshold of this optimizer is not known"):
        lrlab.sweep(
            "iris-mlp", optimizer="sgd", lr=[0.1], probes=["stability"],
            multipliers={"readout": 0.5}, **QUIET,
        )  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    place = tmp_path_factory.mktemp("multipliers")
    (place / "sweep.toml").write_text(MULTIPLIED)
    out = place / "run"
    assert run(["sweep", str(place / "sweep.toml"), "--out", str(out), "--quiet"]) == 0
    return out


@pytest.mark.slow
def test_a_stored_run(stored, capsys):
    import zarr

    losses = zarr.open_group(str(stored / "history.zarr"), mode="r")["train_loss"]
    assert losses.metadata.dimension_names == ("step", "lr", "multiplier_readout", "seed")
    loaded = lrlab.load(stored)
    assert loaded.axes["multiplier_readout"].tolist() == [0.1, 1.0]
    assert (stored / "report.html").exists() and run(["show", str(stored)]) == 0
    assert "multiplier_readout" in capsys.readouterr().out
    assert reproduce(stored, progress=False).level == IDENTICAL
    found = replay(stored, lr=0.1, seed=1, at={"multiplier_readout": 0.1}, from_step=15)
    assert found.same and found.lane == {"lr": 0.1, "multiplier_readout": 0.1, "seed": 1}


@pytest.mark.slow
def test_an_interrupted_run_goes_on(task, tmp_path, monkeypatch):
    import contextlib

    from lrlab.core.errors import Interrupted
    from lrlab.runs import recorder

    monkeypatch.setattr(recorder, "INTERVAL", 0.0)
    plan = lrlab.Plan(tile_width=2, segment_steps=3)
    given = dict(lr=[0.1, 0.01], optimizer="adam", seeds=2, plan=plan, **QUIET)
    multipliers, pressed = {"readout": [0.1, 1.0]}, []

    def press():
        pressed.append(1)
        return len(pressed) > 4

    whole = lrlab.sweep(task, multipliers=multipliers, **given)
    with monkeypatch.context() as patch:
        patch.setattr("lrlab.workflows.job.interruptible", lambda *_: contextlib.nullcontext(press))
        with pytest.raises(Interrupted):
            lrlab.sweep(task, multipliers=multipliers, out=tmp_path / "run", **given)
    with pytest.raises(lrlab.runs.RunError, match=r"multipliers.readout"):
        lrlab.sweep(task, multipliers={"readout": [0.1, 2.0]}, out=tmp_path / "run", **given)
    resumed = lrlab.sweep(task, multipliers=multipliers, out=tmp_path / "run", **given)
    for name, values in whole.history.items():
        assert np.array_equal(resumed.history[name], values), name


@pytest.mark.slow
def test_find_searches_them_with_the_learning_rate(tmp_path, capsys):
    """Rates are multiplied where it is known: SGD on a parameter whose best rate is 1."""

    def loss(params, random):
        return 0.5 * jnp.sum(params["w"] ** 2) + 0.5 * jnp.sum((params["v"] / 10) ** 2)

    bowl = lrlab.Task.objective(
        name="bowl", init=lambda random: {"w": jnp.ones(2), "v": jnp.ones(2)}, loss=loss
    )
    given = dict(optimizer="sgd", schedule="constant", steps=30, seeds=2, progress=False)
    answer = lrlab.find(bowl, multipliers={"v": [1.0, 10.0, 100.0]}, budget=45, **given)
    assert answer.details["at"] == {"multiplier_v": 100.0}
    assert 0.05 < answer.lr < 2 and answer.sentence.startswith("With multiplier_v 100: ")
    assert set(answer.details["correlation"]) == {"multiplier_v"}
    path = tmp_path / "find.toml"
    path.write_text(MULTIPLIED.replace("lr = [0.01, 0.1]", "budget = 10"))
    out = str(tmp_path / "run")
    assert run(["find", str(path), "--out", out, "--json", "--quiet"]) == 0
    payload = json.loads(capsys.readouterr().out)
    assert set(payload["at"]) == {"multiplier_readout"} and payload["cost"] <= 10
