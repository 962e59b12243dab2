"""Verdicts of a metric to be maximized, from Python and from the command line."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from few import few

import lrlab
from lrlab import tasks
from lrlab.cli.app import run

STEPS, START = 40, 0.1
FIND = {
    "run",
    "lr",
    "interval",
    "verdict",
    "sentence",
    "confidence",
    "tolerance",
    "resolved",
    "cost",
    "metric",
    "seconds",
}
SWEEP = {"run", "best", "lanes", "diverged", "metric", "seconds"}
BEST = {"lr", "interval", "verdict", "sentence"}

CURVES = {
    "hill": lambda x: 0.9 - 0.1 * (x + 2.5) ** 2,
    "rising": lambda x: 0.4 + 0.02 * x,
    "falling": lambda x: 0.4 - 0.02 * x,
    "flat": lambda x: 0.7 + 0.0 * x,
    "dead": lambda x: START + 0.0 * x,
}
EXPECTED = {
    "hill": "interior", "rising": "edge", "falling": "edge", "flat": "flat", "dead": "none",
}  # fmt: skip


def shaped(*, curve: str = "hill") -> lrlab.Task:
    """A task whose accuracy after training with a constant rate is `CURVES[curve](log10 lr)`.

    The loss is -w for the one parameter w, so that SGD walks `lr` per update; its accuracy is read
    off the curve there, with a little luck of the seed's. The loss itself has no best rate.
    """
    return _task(curve)


@functools.lru_cache
def _task(curve):
    import jax
    import jax.numpy as jnp

    def init(key, x):
        return {"params": {"walked": jnp.zeros(()), "luck": jax.random.normal(key)}}

    def apply(variables, x, train, key):
        ones = jnp.ones((len(x), 1))
        params = variables["params"]
        return jnp.concatenate([ones * params["walked"], ones * params["luck"]], 1), variables

    def accuracy(outputs, targets):
        walked, luck = outputs[:, 0], outputs[:, 1]
        x = jnp.log10(jnp.maximum(walked, 1e-30) / STEPS)
        noise = 0.0 if curve == "dead" else 0.003
        return jnp.where(walked > 0, CURVES[curve](x) + noise * luck, START)

    x, y = np.zeros((8, 1), np.float32), np.zeros((8, 1), np.float32)
    return lrlab.Task.supervised(
        name="shaped", model=lrlab.Model(init, apply), loss=lambda outputs, targets: -outputs[:, 0],
        train=(x, y), valid=(x, y), metrics={"accuracy": (accuracy, "max")},
    )  # fmt: skip


def means(rows):
    """Rate -> mean score, of an answer's evidence."""
    known = [(row["lr"], [s for s in row["scores"] if s is not None]) for row in rows]
    return {lr: float(np.mean(scores)) for lr, scores in known if scores}


def right(curve, answer, evidence, sweep=False):
    """Whether rate, interval and sentence are those of the curve turned upside down."""
    assert answer["verdict"] == EXPECTED[curve], answer["sentence"]
    text, lr = answer["sentence"], answer["lr"]
    if curve == "dead":
        assert lr is None and answer["interval"] is None
        assert text.startswith("Nothing trains: valid_accuracy stays at 0.1 for every learning")
        return
    low, high = answer["interval"]
    assert low <= lr <= high
    scores = means(evidence)
    for rate, score in scores.items():  # the metric as it is, neither mirrored nor a loss
        assert score == pytest.approx(max(CURVES[curve](math.log10(rate)), START), abs=0.02)
    if curve == "hill":
        assert abs(math.log10(lr) + 2.5) < 0.35
        assert (
            text.startswith(f"Train with learning rate {lr:.2g}; ")
            and "costs at most 1 % more" in text
        )
        assert CURVES[curve](math.log10(lr)) > max(scores.values()) - 0.02
    if curve == "rising":
        assert (
            lr == pytest.approx(max(scores), rel=0.05)
            and "the largest one" in text
            and "Raise that end" in text
        )
    if curve == "falling":
        assert (
            lr == pytest.approx(min(scores), rel=0.05)
            and "the smallest one" in text
            and "Lower that end" in text
        )
    if curve == "flat":
        assert "does not matter" in text and "gives valid_accuracy within 2 % of the best" in text
    assert ("although the range was extended" in text) == (EXPECTED[curve] == "edge" and not sweep)


GIVEN = dict(optimizer="sgd", schedule="constant", steps=STEPS, batch_size=8, progress=False)


@pytest.mark.parametrize("curve", few(EXPECTED, 2))
def test_from_python(curve):
    answer = lrlab.find(shaped(curve=curve), metric="valid_accuracy", budget=20, seeds=3, **GIVEN)
    right(curve, answer._asdict(), answer.evidence)
    assert answer.metric == "valid_accuracy" and answer.details["direction"] == "max"
    assert answer.cost <= 20
    if curve == "hill":
        assert answer.details["initial"] == pytest.approx(START)
        assert answer.details["best_score"] == pytest.approx(0.9, abs=0.03)
        assert answer.details["gap"] == pytest.approx(0.8, abs=0.03)
        loss = lrlab.find(shaped(curve=curve), budget=20, seeds=3, **GIVEN)
        assert loss.lr > 10 * answer.lr  # the loss falls for ever


@pytest.mark.parametrize("curve", few(EXPECTED, 2))
def test_a_full_sweep(curve):
    result = lrlab.sweep(
        shaped(curve=curve), lr=np.geomspace(1e-5, 1.0, 11), seeds=3, metric="valid_accuracy",
        **GIVEN,
    )  # fmt: skip
    answer = result.best()
    right(curve, answer._asdict(), answer.evidence, sweep=True)
    if curve == "hill":
        assert result.lr[result.final["valid_accuracy"].mean(1).argmax()] == pytest.approx(
            10**-2.5, rel=0.01
        )
    assert result.best("valid_loss").lr == pytest.approx(1.0)


@pytest.fixture
def registered(monkeypatch, tmp_path):
    """`shaped` as a task of the registry, as a configuration names it."""
    monkeypatch.setitem(tasks.NAMES, "shaped", f"{__name__}:shaped")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "shaped.toml"
    path.write_text(
        f"steps = {STEPS}\nbatch_size = 8\nbudget = 20\nlr = {{log = [1e-5, 1.0, 11]}}\n"
        'lr_range = [1e-6, 10.0]\noptimizer.name = "sgd"\nschedule.name = "constant"\n'
        'task.name = "shaped"\n'
    )
    return str(path)


@pytest.mark.parametrize("curve", few(["hill", "rising", "flat", "dead"], 1))
def test_from_the_command_line(registered, curve, capsys):
    settings = ["--set", "metric=valid_accuracy", "--set", f"task.curve={curve}"]
    assert run(["find", registered, "--json", "--quiet", *settings]) == 0
    made = json.loads(capsys.readouterr().out)
    assert set(made) == FIND and made["metric"] == "valid_accuracy"
    summary = json.loads(Path(made["run"], "summary.json").read_text())
    right(curve, made, summary["evidence"])
    assert summary["details"]["direction"] == "max"
    assert run(["sweep", registered, "--json", "--quiet", *settings]) == 0
    made = json.loads(capsys.readouterr().out)
    assert set(made) == SWEEP and set(made["best"]) == BEST
    assert made["metric"] == "valid_accuracy" and made["lanes"] == 33
    summary = json.loads(Path(made["run"], "summary.json").read_text())
    right(curve, made["best"], summary["evidence"], sweep=True)


@pytest.mark.slow
def test_what_a_person_reads(registered, capsys):
    """The page and the terminal turn nothing upside down."""
    settings = ["--set", "metric=valid_accuracy", "--set", "task.curve=hill", "--out", "runs/one"]
    assert run(["find", registered, *settings]) == 0
    told = capsys.readouterr().out
    assert "Train with learning rate 0.003" in " ".join(told.split())
    page = Path("runs/one/report.html").read_text()
    assert '"direction":"max"' in page.replace(" ", "") or "valid_accuracy" in page


def test_an_unknown_metric_is_named(registered, capsys):
    assert run(["find", registered, "--set", "metric=valid_acuracy", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)
    assert "did you mean 'valid_accuracy'" in error["problems"][0]["message"]
