"""A metric that is nan somewhere is said to be, and where: training that went on is not doubted."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.core.records import DIVERGED, OK, PRUNED
from lrlab.search import Scores, compared, find, from_scores
from lrlab.search.rungs import standing

LR = np.repeat(np.geomspace(1e-3, 1, 8), 3)
SEED = np.tile([0, 1, 2], 8)
EVALS = np.arange(10, 101, 10)


def scores(holes=None, start=None, bad=np.nan) -> Scores:
    """A valley with its best near 0.05; `holes` bool[E, n] and `start` bool[n] have no value."""
    end = 0.1 + (np.log10(LR) + 1.3) ** 2 + 0.01 * SEED
    metric = 9 - (9 - end) * (1 - np.exp(-EVALS[:, None] / 20))
    initial = np.full(len(LR), 9.0)
    metric[np.broadcast_to(False if holes is None else holes, metric.shape)] = bad
    initial[np.broadcast_to(False if start is None else start, initial.shape)] = bad
    return Scores(LR, SEED, metric, EVALS, initial, np.full(len(LR), OK),
                  np.full(len(LR), -1), np.full(len(LR), 100), 100)  # fmt: skip


LAST = (EVALS == 100)[:, None]


def test_always_nan() -> None:
    answer = from_scores(scores(True, True), "valid_f")
    assert answer.verdict == "none" and answer.lr is None
    assert answer.sentence.startswith(
        "Nothing can be chosen by valid_f: valid_f is nan at every evaluation of all 24 lanes that "
        "trained to the end."
    )
    assert {kind for row in answer.evidence for kind in row["outcome"]} == {"ok"}
    said = compared({"a": answer, "b": answer}, "valid_f", "min").sentence
    assert said == answer.sentence


def test_nan_at_the_end_and_elsewhere() -> None:
    answer = from_scores(scores((EVALS > 30)[:, None]), "valid_f")
    assert answer.verdict == "none"
    assert "nan at the end of all 24 lanes" in answer.sentence
    assert "168 of 240 evaluations" in answer.sentence


def test_infinite_is_called_so() -> None:
    answer = from_scores(scores(True, bad=np.inf), "valid_f")
    assert "valid_f is infinite at every evaluation" in answer.sentence


def test_nan_before_training() -> None:
    answer = from_scores(scores(start=True), "valid_f")
    assert answer.verdict == "interior" and answer.lr == pytest.approx(0.05, rel=0.4)
    assert answer.details["initial"] is None and np.isfinite(answer.details["gap"])
    assert "valid_f is nan before training for every lane" in answer.sentence
    some = from_scores(scores(start=SEED == 1), "valid_f")
    assert some.lr == pytest.approx(0.05, rel=0.4)
    assert "nan before training for 8 of 24 lanes" in some.sentence


def test_nan_in_some_seeds() -> None:
    answer = from_scores(scores(LAST & ((SEED == 2) & (LR < 0.01))), "valid_f")
    assert answer.lr == pytest.approx(0.05, rel=0.4)
    assert "nan at the end of 3 of 24 lanes that trained to it (seed 2)" in answer.sentence
    assert "count as untrained" in answer.sentence


def test_nan_at_all_but_some_evaluations() -> None:
    answer = from_scores(scores(((EVALS % 50) != 0)[:, None]), "valid_f")
    assert answer.verdict == "interior" and answer.lr == pytest.approx(0.05, rel=0.4)
    assert answer.sentence.endswith("valid_f is nan at 192 of 240 evaluations.")


def test_nothing_is_said_of_a_metric_without_gaps() -> None:
    whole = scores()
    assert "nan" not in from_scores(whole, "valid_f").sentence
    # Rows of a lane that diverged, or that a rung cut, were never evaluated.
    kinds = np.where(LR > 0.9, DIVERGED, np.where(LR < 2e-3, PRUNED, OK))
    rows = np.where((kinds == OK) | (EVALS[:, None] <= 30), whole.values, np.nan)
    trained = np.where(kinds == OK, 100, 30)
    cut = whole._replace(outcome=kinds, values=rows, steps_trained=trained)
    assert "nan" not in from_scores(cut, "valid_f").sentence


def test_a_search_keeps_its_way_past_holes() -> None:
    def train(lr, seed, rungs=(), decide=None):
        end = 0.1 + (np.log10(lr) + 1.3) ** 2 + 0.01 * seed
        rows = 9 - (9 - end) * (1 - np.exp(-EVALS[:, None] / 20))
        rows[0] = np.nan
        made = Scores(lr, seed, rows, EVALS, np.full(len(lr), np.nan), np.full(len(lr), OK),
                      np.full(len(lr), -1), np.full(len(lr), 100), 100)  # fmt: skip
        for step in rungs:
            cut = ~decide(step, made) & (made.outcome == OK)
            made.outcome[cut] = PRUNED
            made.steps_trained[cut] = step
        return made

    answer = find(train, lr_range=(1e-5, 1), seeds=[0, 1], steps=100, eval_steps=EVALS.tolist(),
                  metric="valid_f", budget_runs=12)  # fmt: skip
    assert answer.lr == pytest.approx(0.05, rel=0.5)
    assert "before training for every lane" in answer.sentence


def test_a_rung_looks_past_evaluations_without_a_value() -> None:
    holes = (EVALS == 30)[:, None] & (LR < 2e-3)
    found, wanted = standing(scores(holes), 3), standing(scores(), 3)
    assert np.isfinite(found).all()
    assert found[LR > 2e-3].tolist() == wanted[LR > 2e-3].tolist()


def test_from_python() -> None:
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    task = lrlab.Task.supervised(
        model=nn.Dense(1), loss="mse", train=(x, x[:, :1]), valid=(x, x[:, :1]),
        metrics={"never": (lambda outputs, targets: jnp.nan * outputs[:, 0], "max")},
    )  # fmt: skip
    result = lrlab.sweep(
        task, lr=[0.01, 0.1], optimizer="sgd", steps=8, seeds=2, schedule="constant",
        batch_size="full", progress=False,
    )  # fmt: skip
    answer = result.best("valid_never")
    assert "valid_never is nan at every evaluation of all 4 lanes" in answer.sentence
    assert result.best().lr == 0.1


def test_a_loss_that_is_nan_from_the_start() -> None:
    task = lrlab.Task.objective(
        "log",
        init=lambda key: {"w": jnp.ones(2)},
        loss=lambda p, key: jnp.log(-1 - p["w"] @ p["w"]),
    )
    result = lrlab.sweep(
        task, lr=[0.01, 0.1], optimizer="sgd", steps=4, seeds=1, schedule="constant", progress=False
    )
    answer = result.best()
    assert answer.verdict == "none" and answer.lr is None
    assert "valid_loss is nan before the first update, in all 2 lanes" in answer.sentence
