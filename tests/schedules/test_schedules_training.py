"""Schedules in training, through the public functions: as lanes, side by side, from files."""

from __future__ import annotations

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from few import few

import lrlab
from lrlab import config, optimizers, report, schedules
from lrlab.cli.app import run

QUICK = dict(batch_size=16, seeds=1, progress=False)


def counting():
    """A bowl that counts how often its loss is traced."""
    traces = []

    def loss(params, key):
        traces.append(1)
        return 0.5 * jnp.sum(jnp.array([1.0, 10.0]) * params**2)

    task = lrlab.Task.objective(name="counted", init=lambda key: jnp.ones(2), loss=loss)
    return task, traces


@pytest.mark.slow
def test_thirty_schedules_at_once_compile_as_often_as_one():
    names = list(schedules.NAMES)
    assert len(names) >= 30
    common = dict(optimizer="momentum", lr=[0.01, 0.02], steps=30, progress=False, seeds=1,
                  plan=lrlab.Plan(4))  # fmt: skip
    one, traces = counting()
    lrlab.sweep(one, schedule=["cosine"], **common)
    expected = len(traces)
    many, traces = counting()
    result = lrlab.sweep(many, schedule=names, **common)
    assert len(traces) == expected
    lrlab.sweep(many, schedule=names, **common)
    assert len(traces) == expected, "a repeated sweep compiles nothing"
    assert result.history["train_loss"].shape == (30, 2, len(names), 1)
    for row, name in enumerate(names):
        rates = schedules.values(name, 0.02, 30)
        np.testing.assert_allclose(result.history["learning_rate"][:, 1, row, 0], rates, rtol=1e-5,
                                   atol=1e-8)  # fmt: skip


def test_a_listed_schedule_is_the_schedule_alone():
    common = dict(optimizer="sgd", lr=[0.1], steps=40, **QUICK)
    wsd = {"name": "wsd", "cooldown": 0.5}
    several = lrlab.sweep(
        "wine-linear", schedule=["linear", wsd], schedule_args={"warmup": 0.1}, **common
    )
    alone = lrlab.sweep(
        "wine-linear", schedule=wsd, schedule_args={"warmup": 0.1}, **common
    )  # fmt: skip
    np.testing.assert_allclose(
        several.history["train_loss"][:, :, 1], alone.history["train_loss"], rtol=1e-4, atol=1e-6
    )


# Every third schedule, every fifth optimizer, and tasks of each kind, so that all are met in turn.
PRODUCT = [
    (schedule, optimizer, task)
    for (schedule, optimizer), task in zip(
        zip(list(schedules.NAMES)[::3], optimizers.names()[3::6], strict=False),
        ["wine-mlp", "iris-linear", "quadratic", "diabetes-linear"] * 3,
        strict=False,
    )
]


@pytest.mark.parametrize(("schedule", "optimizer", "task"), few(PRODUCT, 3))
def test_any_schedule_with_any_optimizer_on_any_task_trains_as_lanes(schedule, optimizer, task):
    given = {"quadratic": {"seeds": 2, "progress": False}}.get(task, {**QUICK, "seeds": 2})
    result = lrlab.sweep(
        task, schedule=schedule, optimizer=optimizer, lr=[1e-4, 1e-3], steps=10, **given
    )
    assert result.outcome.shape == (2, 2) and (result.outcome == "ok").all()
    rates = schedules.values(schedule, 1.0, 10)
    for lr, applied in zip((1e-4, 1e-3), result.history["learning_rate"][..., 0].T, strict=True):
        np.testing.assert_allclose(applied, lr * rates, rtol=1e-4, atol=1e-9)


@pytest.mark.slow
def test_shape_parameters_are_lane_axes():
    result = lrlab.sweep(
        "wine-linear", schedule="wsd", cooldown=[0.2, 0.6], warmup=[0.0, 0.1], optimizer="sgd",
        lr=[0.1], steps=20, **QUICK,
    )  # fmt: skip
    assert list(result.axes) == ["lr", "cooldown", "warmup"]
    for i, cooldown in enumerate((0.2, 0.6)):
        for j, warmup in enumerate((0.0, 0.1)):
            rates = schedules.values("wsd", 0.1, 20, cooldown=cooldown, warmup=warmup)
            np.testing.assert_allclose(
                result.history["learning_rate"][:, 0, i, j, 0], rates, rtol=1e-5, atol=1e-9
            )


def test_lengths_in_epochs_and_warmup_kinds():
    result = lrlab.sweep(
        "iris-linear", schedule="wsd", optimizer="sgd", lr=[0.1], batch_size=20, epochs=5, seeds=1,
        schedule_args={"warmup": "1 epoch", "warmup_kind": "cosine", "cooldown": "2 epochs"},
        progress=False,
    )  # fmt: skip
    per_epoch = 120 // 20
    rates = schedules.values(
        "wsd", 0.1, 5 * per_epoch, warmup=per_epoch, cooldown=2 * per_epoch, warmup_kind="cosine"
    )
    np.testing.assert_allclose(
        result.history["learning_rate"][:, 0, 0], rates, rtol=1e-5, atol=1e-9
    )
    with pytest.raises(ValueError, match="final is no length"):
        schedules.make("cosine", 0.1, 10, final="2 steps")


def test_mirrored_momentum_in_training():
    """A sweep with `low_momentum` is Optax's SGD with the momentum of `Schedule.momentum`."""
    steps, lr = 12, 0.05
    result = lrlab.sweep(
        counting()[0], schedule="one_cycle", low_momentum=[0.5, 0.85], optimizer="momentum",
        optimizer_args={"momentum": 0.95}, lr=[lr], steps=steps, seeds=1, precision="float64",
        progress=False,
    )  # fmt: skip
    cycle = schedules.make("one_cycle", lr, steps)
    for lane, low in enumerate((0.5, 0.85)):
        params, trace = np.ones(2), np.zeros(2)
        for step in range(steps):
            loss = 0.5 * (np.array([1.0, 10.0]) * params**2).sum()
            assert result.history["train_loss"][step, 0, lane, 0] == pytest.approx(loss, rel=1e-5)
            trace = float(cycle.momentum(step, low, 0.95)) * trace + np.array([1.0, 10.0]) * params
            params = params - float(cycle(step)) * trace
    with pytest.raises(ValueError, match="low_momentum needs"):
        lrlab.sweep(counting()[0], schedule="one_cycle", low_momentum=0.8, optimizer="sgd",
                    lr=[lr], steps=5, seeds=1, progress=False)  # fmt: skip


@pytest.mark.slow
def test_the_refined_schedule_from_measured_gradient_norms():
    common = dict(optimizer="sgd", lr=[0.5], steps=60, **QUICK)
    first = lrlab.sweep("wine-linear", schedule="linear", probes=["gradient"], **common)
    norms = first.history["gradient_norm"][:, 0, 0]
    again = lrlab.sweep(
        "wine-linear", schedule="refined", schedule_args={"norms": norms.tolist()}, **common
    )
    applied = again.history["learning_rate"][:, 0, 0]
    assert applied.max() == pytest.approx(0.5) and applied[-1] == 0
    np.testing.assert_allclose(
        applied,
        schedules.values("refined", 0.5, 60, norms=tuple(norms.tolist())),
        rtol=1e-5,
        atol=1e-8,
    )


LISTED = """\
steps = 20
seeds = 1
batch_size = 16
lr = [0.01, 0.1]
optimizer = "sgd"
schedule = ["linear", {name = "wsd", cooldown = 0.5}]
task.name = "wine-linear"
"""


def test_several_schedules_from_a_file(tmp_path: Path, capsys):
    path = tmp_path / "several.toml"
    path.write_text(LISTED)
    experiment = config.load(path, command="sweep")
    axes = {axis.name: axis.values for axis in config.resolve(experiment).axes}
    assert axes["schedule"] == (0.0, 1.0)
    assert config.load(_written(tmp_path, config.dumps(experiment))) == experiment
    assert run(["preview", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["schedules"]
    assert list(shown) == ["linear", "wsd, cooldown 0.5"]
    assert shown["linear"]["sum"] == pytest.approx(10.5) and shown["linear"]["peak"] == 1.0
    assert run(["sweep", str(path), "--out", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lanes"] == 4
    data = report.read(tmp_path / "run")
    assert data.extra["schedule"].tolist() == ["linear", "wsd, cooldown 0.5"]


def _written(folder: Path, text: str) -> Path:
    (folder / "again.toml").write_text(text)
    return folder / "again.toml"


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ('["linear", "cosinus"]', "unknown schedule 'cosinus'; did you mean 'cosine'"),
        ('["linear", {name = "wsd", cooldwn = 1}]', "did you mean 'cooldown'"),
        ('["linear", 3]', "each schedule must be a name, or a table"),
        ('["linear", {name = "wsd", cooldown = [0.1, 0.2]}]', "beside a list of schedules"),
        ('[]', "must be a name, or a list"),
    ],
)  # fmt: skip
def test_mistakes_in_a_list_are_named(tmp_path: Path, schedule, message):
    path = tmp_path / "wrong.toml"
    path.write_text(LISTED.replace('["linear", {name = "wsd", cooldown = 0.5}]', schedule))
    with pytest.raises(config.ConfigError, match=message):
        config.load(path, command="sweep")


def test_noam_is_the_transformers_formula():
    width, ramp, steps = 512, 40, 400
    peak = (width * ramp) ** -0.5
    s = np.arange(1, steps + 1)
    expected = width**-0.5 * np.minimum(s**-0.5, s * ramp**-1.5)
    np.testing.assert_allclose(
        schedules.values("noam", peak, steps, rise=ramp), expected, rtol=1e-12, atol=1e-15
    )


@pytest.mark.slow
def test_a_rate_of_its_own_where_none_is_given():
    common = dict(steps=3, schedule="constant", **QUICK)
    for name, rate in (("prodigy", 1.0), ("schedule_free_adamw", 0.0025), ("bb1", 0.01)):
        assert lrlab.sweep("wine-linear", optimizer=name, **common).lr.tolist() == [rate]
    with pytest.raises(config.ConfigError, match="sweep needs learning rates"):
        lrlab.sweep("wine-linear", optimizer="adam", **common)


def test_composed_schedules_train():
    """What `compose` gives is a function of the step: a factor, handed over as it is."""
    from lrlab.schedules.compose import concatenate

    up, down = schedules.make("linear", 0.5, 5, final=2.0), schedules.make("cosine", 1.0, 15)
    result = lrlab.sweep(
        "wine-linear",
        schedule=concatenate([up, down]),
        optimizer="sgd",
        lr=[0.1],
        steps=20,
        **QUICK,
    )
    expected = 0.1 * np.concatenate(
        [np.linspace(0.5, 0.9, 5), optax.cosine_decay_schedule(1.0, 15)(np.arange(15))]
    )
    np.testing.assert_allclose(
        result.history["learning_rate"][:, 0, 0], expected, rtol=1e-5, atol=1e-9
    )
