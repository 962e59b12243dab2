"""The settings of a search: every one is read, and handed over as an argument it decides."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import lrlab.search
from lrlab.core.records import OK
from lrlab.search import Scores, SearchSettings, find, from_scores
from lrlab.search.rungs import scout_plan
from lrlab.search.settings import (
    DEFAULTS,
    PosteriorSettings,
    Priors,
    ScoutSize,
    VerdictSettings,
)

STEPS, EVALS = 100, list(range(5, 101, 5))


def train(lr, seed, rungs=(), decide=None):
    """A valley at 1e-2; seeds differ by 0.01."""
    luck = np.array([np.random.default_rng(int(s)).normal() for s in seed])
    end = 2.0 - 1.9 * np.exp(-((np.log10(lr) + 2) ** 2)) + 0.01 * luck
    values = 2.0 + (end - 2.0) * (np.asarray(EVALS)[:, None] / STEPS)
    n = len(lr)
    return Scores(
        lr, seed, values, np.asarray(EVALS), np.full(n, 2.0), np.full(n, OK), np.full(n, -1),
        np.full(n, STEPS), STEPS,
    )  # fmt: skip


def search(**changes):
    options = dict(
        lr_range=(1e-6, 10.0), seeds=[0, 1, 2], steps=STEPS, eval_steps=EVALS, metric="valid_loss",
    )  # fmt: skip
    settings = DEFAULTS._replace(**{k: v for k, v in changes.items() if k in DEFAULTS._fields})
    rest = {k: v for k, v in changes.items() if k not in DEFAULTS._fields}
    return find(train, **{**options, **rest}, settings=settings)


@pytest.mark.parametrize(
    "kind", [SearchSettings, PosteriorSettings, VerdictSettings, Priors, ScoutSize]
)
def test_every_setting_is_read(kind) -> None:
    source = Path(lrlab.search.__file__).parent
    trees = [ast.parse(path.read_text()) for path in source.glob("*.py")]
    read = {
        node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    assert set(kind._fields) <= read


def test_every_setting_has_a_unit_and_a_reason() -> None:
    """A docstring stands under each field."""
    path = Path(lrlab.search.__file__).parent / "settings.py"
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name != "ScoutSize":
            for field, after in zip(node.body[1:], node.body[2:], strict=False):
                if isinstance(field, ast.AnnAssign) and "Settings" not in ast.unparse(field):
                    assert isinstance(after, ast.Expr), ast.unparse(field)


def test_the_default_budget_and_the_scout() -> None:
    assert search(default_budget=6.0).details["budget_runs"] == 6.0
    small = SearchSettings(scouts=(ScoutSize(0.0, 5, ((0.5, 2),)),))
    assert scout_plan(20.0, STEPS, EVALS, small) == (5, ((50, 2),))


def test_without_extensions_the_range_stays() -> None:
    rates = {"lr_range": (1e-6, 1e-3), "budget_runs": 20}
    assert max(row["lr"] for row in search(**rates).evidence) > 1e-3
    assert max(row["lr"] for row in search(**rates, extensions=0).evidence) == pytest.approx(1e-3)


def test_what_is_noisy_is_a_setting() -> None:
    lr, seed = np.repeat(np.geomspace(1e-5, 1, 11), 2), np.tile([0, 1], 11)
    scores = train(lr, seed)
    assert from_scores(scores, "valid_loss").verdict == "interior"
    strict = DEFAULTS._replace(verdict=VerdictSettings(noisy=0.0))
    assert from_scores(scores, "valid_loss", settings=strict).verdict == "noisy"


def test_a_larger_tolerance_gives_a_wider_interval() -> None:
    lr, seed = np.repeat(np.geomspace(1e-5, 1, 21), 2), np.tile([0, 1], 21)
    widths = []
    for tolerance in (0.01, 0.1):
        settings = DEFAULTS._replace(tolerance=tolerance)
        low, high = from_scores(train(lr, seed), "valid_loss", settings=settings).interval
        widths.append(np.log10(high / low))
    assert widths[1] > 2 * widths[0]
