"""The rules of other tools against figures computed with those tools (reference/finders.json)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lrlab.search import rules
from lrlab.search.rules import fastai, lightning, torch_lr_finder

REFERENCE = json.loads((Path(__file__).parent / "reference" / "finders.json").read_text())
FOUND = REFERENCE["finders"]


def curve(lr):
    x = np.log10(lr)
    return 2.3 - 2 / (1 + np.exp(-3 * (x + 2))) + np.exp(6 * (x + 0.3))


@pytest.mark.parametrize("rule", ["valley", "slide", "minimum", "steep"])
def test_fastai(rule, monkeypatch):
    lr = 1e-7 * 1e8 ** (np.arange(100) / 100)
    monkeypatch.setattr(fastai, "recorded", fastai.trimmed)  # the reference curve is smooth already
    assert getattr(fastai, rule)(lr, curve(lr)).lr == pytest.approx(FOUND["fastai"][rule], rel=1e-9)


def test_fastai_longest_valley():
    for case in FOUND["valley_traces"]:
        start, end, length = fastai.longest_valley(np.array(case["losses"]))
        assert [start, end, length] == case["index,start,end,len"][1:]


def test_lightning():
    lr = np.concatenate([[1e-8], 1e-8 * 1e8 ** ((np.arange(1, 100) + 1) / 100)])
    now = lightning.steepest(curve(lr), lr)
    before = lightning.steepest(curve(lr))
    assert (now, before) == (FOUND["lightning_2_6"]["index"],
                             FOUND["lightning_before_2_5_3"]["index"])  # fmt: skip
    assert lr[now] == pytest.approx(FOUND["lightning_2_6"]["lr"], rel=1e-9)
    assert lr[before] == pytest.approx(FOUND["lightning_before_2_5_3"]["lr"], rel=1e-9)


def test_torch_lr_finder():
    lr = 1e-7 * 1e8 ** (np.arange(100) / 99)
    index = torch_lr_finder.steepest(curve(lr))
    assert index == FOUND["torch_lr_finder"]["index"]
    assert lr[index] == pytest.approx(FOUND["torch_lr_finder"]["lr"], rel=1e-9)


@pytest.mark.parametrize("name", list(rules.NAMES))
def test_every_rule_takes_any_curve(name):
    lr = np.geomspace(1e-7, 10, 80)
    random = np.random.default_rng(0)
    for loss in (
        curve(lr) + 0.01 * random.normal(size=80), np.full(80, np.nan), np.ones(80),
        np.where(lr > 1e-6, np.nan, 1.0),
    ):  # fmt: skip
        pick = rules.apply(name, lr, loss)
        assert np.isfinite(pick.lr) or pick.reason


@pytest.mark.parametrize("name", ["safe_descent", "below_divergence"])
def test_own_rules_say_nothing_where_nothing_is(name):
    lr, random = np.geomspace(1e-7, 10, 100), np.random.default_rng(1)
    noise = 2.3 + 0.05 * random.normal(size=100)
    assert np.isnan(rules.apply(name, lr, noise).lr)
    good = rules.apply(name, lr, np.minimum(curve(lr), 50) + 0.01 * random.normal(size=100)).lr
    assert 1e-3 < good < 0.5


def test_an_unknown_rule_is_named():
    with pytest.raises(ValueError, match="did you mean 'valley'"):
        rules.apply("vally", np.ones(3), np.ones(3))
