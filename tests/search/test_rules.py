"""The rules of other tools against figures computed with those tools (reference/finders.json)."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from places import REFERENCE

from lrlab.search import rules
from lrlab.search.rules import curves, fastai, lightning, robust, torch_lr_finder

FINDERS = json.loads((REFERENCE / "finders.json").read_text())["finders"]
OWN = ("safe_descent", "below_divergence", "lowest")


def curve(lr):
    """FINDERS["curve"]"""
    x = np.log10(lr)
    return 2.3 - 2 / (1 + np.exp(-3 * (x + 2))) + np.exp(6 * (x + 0.3))


LADDERS = {
    "fastai": 1e-7 * 1e8 ** (np.arange(100) / 100),
    "lightning": np.concatenate([[1e-8], 1e-8 * 1e8 ** ((np.arange(1, 100) + 1) / 100)]),
    "torch_lr_finder": 1e-7 * 1e8 ** (np.arange(100) / 99),
}


def suggestion(rule, tool, lr):
    """The rule on the reference curve, which is smooth already: trimmed, not smoothed."""
    loss = curve(lr)
    if tool == "fastai":
        lr, loss = fastai.trimmed(lr, loss)
    return rules.apply(rule, lr, loss, raw=False).lr


@pytest.mark.parametrize("rule", ["valley", "slide", "minimum", "steep"])
def test_fastai(rule):
    found = suggestion(rule, "fastai", LADDERS["fastai"])
    assert found == pytest.approx(FINDERS["fastai"][rule], rel=1e-9)


def test_fastai_valley_index():
    lr, _ = fastai.trimmed(LADDERS["fastai"], LADDERS["fastai"])
    place = FINDERS["fastai"]["valley_index_in_slice"]
    assert lr[place] == pytest.approx(FINDERS["fastai"]["valley"], rel=1e-9)
    assert FINDERS["fastai"]["ladder"].endswith("slice [10:-5]") and len(lr) == 85


def test_fastai_longest_valley():
    assert len(FINDERS["valley_traces"]) == 6
    for case in FINDERS["valley_traces"]:
        losses = np.array(case["losses"], np.float64)
        index, *trace = case["index,start,end,len"]
        assert list(fastai.longest_valley(losses)) == trace
        assert fastai.valley(np.arange(len(losses)), losses).lr == index


@pytest.mark.parametrize(
    ("rule", "entry", "ends"),
    [
        ("lightning", "lightning_2_6", "[10:-1]"),
        ("lightning_before_2_5_3", "lightning_before_2_5_3", None),
        ("torch_lr_finder", "torch_lr_finder", "[10:-5]"),
    ],
)
def test_steepest_slopes(rule, entry, ends):
    tool = "torch_lr_finder" if rule == "torch_lr_finder" else "lightning"
    lr = LADDERS[tool]
    found = suggestion(rule, tool, lr)
    assert found == pytest.approx(FINDERS[entry]["lr"], rel=1e-9)
    assert found == lr[FINDERS[entry]["index"]]
    module = lightning if tool == "lightning" else torch_lr_finder
    assert ends in (None, f"[{module.BEGIN}:-{module.END}]")


def test_every_entry_of_the_reference_is_looked_at():
    tools = {"fastai", "lightning_2_6", "lightning_before_2_5_3", "torch_lr_finder"}
    assert set(FINDERS) == {"curve", "valley_traces", *tools}
    assert set(FINDERS["fastai"]) == {
        "ladder", "valley", "valley_index_in_slice", "slide", "minimum", "steep"
    }  # fmt: skip


def noisy(count=100, seed=0):
    random = np.random.default_rng(seed)
    lr = np.geomspace(1e-7, 10, count)
    return lr, np.minimum(curve(lr), 50) + 0.05 * random.normal(size=count)


def fastai_by_loop(loss):
    average, best, kept = 0.0, math.inf, []
    for count, value in enumerate(loss, 1):
        average = 0.98 * average + 0.02 * value
        smooth = average / (1 - 0.98**count)
        kept.append(smooth)
        best = min(best, smooth)
        if smooth > 4 * best:
            break
    return kept


def lightning_by_loop(loss):
    average, best, kept = 0.0, 0.0, []
    for step, value in enumerate(loss, 1):
        average = 0.98 * average + 0.02 * value
        smooth = average / (1 - 0.98 ** (step + 1))
        kept.append(smooth)
        if step > 1 and smooth > 4 * best:
            break
        if smooth < best or step == 1:
            best = smooth
    return kept


def torch_lr_finder_by_loop(loss):
    kept, best = [], None
    for value in loss:
        if best is None:
            best = value
        else:
            value = 0.05 * value + 0.95 * kept[-1]
            best = min(best, value)
        kept.append(value)
        if value > 5 * best:
            break
    return kept


@pytest.mark.parametrize(
    ("module", "loop"),
    [
        (fastai, fastai_by_loop),
        (lightning, lightning_by_loop),
        (torch_lr_finder, torch_lr_finder_by_loop),
    ],
)
@pytest.mark.parametrize("steep_end", [False, True])
def test_smoothing_and_stopping_as_in_the_sources(module, loop, steep_end):
    lr, loss = noisy()
    if not steep_end:
        loss = np.minimum(loss, 2.5)
    kept = loop(loss)
    assert (len(kept) < 100) == steep_end
    at, smooth = module.recorded(lr, loss)
    if module is fastai:  # `lr_find` trims by the planned steps, wherever the curve stopped
        kept = kept[10:-5]
    np.testing.assert_allclose(smooth, kept, rtol=1e-12, atol=1e-12)
    first = 10 if module is fastai else 0
    assert at.tolist() == lr[first : first + len(kept)].tolist()


def test_a_nan_in_other_tools():
    lr, loss = noisy()
    loss[90:] = np.nan
    at, _ = fastai.recorded(lr, loss)
    assert at[-1] == lr[89]  # the last five points were nan already
    assert rules.apply("lightning", lr, loss).lr < lr[90]
    assert rules.apply("torch_lr_finder", lr, loss).lr == lr[89]  # numpy's argmin: nan is least


LR = np.geomspace(1e-7, 10, 100)
CURVES = {
    "constant": (LR, np.ones(100)),
    "zero": (LR, np.zeros(100)),
    "falling": (LR, np.linspace(3, 1, 100)),
    "rising": (LR, np.linspace(1, 3, 100)),
    "negative": (LR, -curve(LR)),
    "all nan": (LR, np.full(100, np.nan)),
    "inf from the start": (LR, np.full(100, np.inf)),
    "nan soon": (LR, np.where(LR > 1e-6, np.nan, 1.0)),
    "nan at first": (LR, np.where(LR < 1e-6, np.nan, 1.0)),
    "inf in the middle": (LR, np.where(np.arange(100) == 50, np.inf, curve(LR))),
    "huge": (LR, np.where(LR > 1, 1e300, curve(LR))),
    "noise": (LR, 2.3 + 0.05 * np.random.default_rng(1).normal(size=100)),
    "empty": (LR[:0], LR[:0]),
    **{f"length {n}": (LR[:n], curve(LR[:n])) for n in (1, 2, 3, 9, 10, 11, 15, 16, 17, 18, 33)},
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", list(rules.NAMES))
@pytest.mark.parametrize("kind", list(CURVES))
def test_every_rule_takes_any_curve(name, kind):
    lr, loss = CURVES[kind]
    before = loss.copy()
    pick = rules.apply(name, lr, loss)
    np.testing.assert_array_equal(loss, before)
    if np.isfinite(pick.lr):
        assert not pick.reason and lr[0] / 10 <= pick.lr <= lr[-1]
    else:
        assert np.isnan(pick.lr) and len(pick.reason) > 10
    again = rules.apply(name, lr, loss)
    assert again == pick or (np.isnan(again.lr) and again.reason == pick.reason)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("kind", ["constant", "zero", "rising", "noise", "falling", "nan soon"])
def test_own_rules_say_nothing_where_nothing_is(name, kind):
    assert np.isnan(rules.apply(name, *CURVES[kind]).lr)


@pytest.mark.parametrize("name", OWN)
def test_own_rules_on_a_good_curve(name):
    picks = [rules.apply(name, *noisy(seed=seed)).lr for seed in range(8)]
    assert min(picks) > 3e-3 and max(picks) < 0.3 and max(picks) / min(picks) < 5


def test_own_rules_hardly_move_with_one_loss():
    lr, loss = noisy()
    for name in OWN:
        before = rules.apply(name, lr, loss).lr
        for place in range(0, 100, 7):
            spiked = loss.copy()
            spiked[place] *= 10
            assert 0.4 < rules.apply(name, lr, spiked).lr / before < 2.5


def test_below_divergence_needs_a_loss_that_comes_back():
    lr = np.geomspace(1e-7, 10, 100)
    keeps = 2.3 - 2 / (1 + np.exp(-3 * (np.log10(lr) + 2)))
    keeps[60:] = np.linspace(keeps[60], keeps[60] + 0.1, 40)
    pick = rules.apply("below_divergence", lr, keeps)
    assert np.isnan(pick.lr) and "end the ramp at a larger rate" in pick.reason
    diverges = keeps.copy()
    diverges[80:] = np.nan
    assert rules.apply("below_divergence", lr, diverges).lr == pytest.approx(lr[80] / 10)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="did you mean 'valley'"):
        rules.apply("vally", np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match=r"lr \[N\] and loss \[N\]"):
        rules.apply("valley", np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="ascending"):
        rules.apply("valley", LR[::-1], np.ones(100))


def test_running_median_and_stops():
    assert robust.running_median(np.array([1.0, 9.0, 1.0, 1.0]), 3).tolist() == [1, 1, 1, 1]
    assert curves.stopped(np.array([np.nan, 1.0, 5.0, 1.0]), 4.0)[1:].tolist() == [1.0, 5.0]
