"""Who wins, by how much and how sure, from answers whose scores are known."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from lrlab.search import compared
from lrlab.types import Answer

LR = np.geomspace(0.001, 1.0, 61)


def answered(scores, lr=10**-1.5, slope=0.1, seeds=range(1003, 1008)):
    """An answer whose best rate scored `scores` on fresh seeds; its fitted curve is a V of `slope`
    per decade."""
    if lr is None:
        return Answer(None, None, "none", "Nothing trains.", "valid_loss", 9.0, (), None, {})
    mean = 0.5 + slope * np.abs(np.log10(LR / lr))
    details = {
        "final": {"seeds": list(seeds), "scores": list(scores)},
        "fit": {"lr": LR, "mean": mean},
        "initial": 2.0,
    }
    return Answer(lr, (lr / 2, lr * 2), "interior", "Train.", "valid_loss", 21.0, (), None, details)


A = np.array([0.50, 0.52, 0.49, 0.51, 0.50])
SHIFTED = A + np.array([0.030, 0.034, 0.028, 0.031, 0.033])  # worse on every seed, by as much
NOISY = A + np.array([0.4, -0.4, 0.3, -0.2, 0.1])


def test_the_best_wins_where_every_other_is_worse_beyond_its_interval():
    found = compared({"b": answered(SHIFTED), "a": answered(A)}, "valid_loss", "min")
    assert found.winner == "a" and [row.name for row in found.rows] == ["a", "b"]
    pair = found.versus["b"]
    assert pair.p_value == pytest.approx(stats.ttest_rel(A, SHIFTED).pvalue)
    assert pair.difference.value == pytest.approx((A - SHIFTED).mean())
    assert found.sentence.startswith("a wins: valid_loss 0.504, better than b by 0.0")
    assert found.payload()["versus"]["b"]["effect_size"] < -5


def test_an_entry_that_does_not_use_its_rate_is_named():
    idle = answered(SHIFTED)
    idle = idle._replace(details={**idle.details, "unread": ["lr"]})
    other = answered(A)
    other = other._replace(details={**other.details, "unread": ["beta"]})
    found = compared({"b": idle, "a": other}, "valid_loss", "min")
    assert found.sentence.startswith("a wins")
    assert "The learning rate is not used by b:" in found.sentence
    assert found.payload()["sentence"] == found.sentence


def test_no_winner_where_one_cannot_be_told_apart():
    entries = {"a": answered(A), "b": answered(SHIFTED), "c": answered(NOISY)}
    found = compared(entries, "valid_loss", "min")
    assert found.winner is None
    assert "cannot be told from c" in found.sentence and "it beats b by" in found.sentence


def test_for_a_metric_to_maximize_the_larger_wins():
    found = compared({"a": answered(A), "b": answered(SHIFTED)}, "valid_accuracy", "max")
    assert found.winner == "b" and found.versus["a"].difference.high < 0


def test_what_does_not_train_cannot_win():
    found = compared({"x": answered((), None), "a": answered(A)}, "valid_loss", "min")
    assert found.winner == "a" and found.sentence.startswith("Only a trains")
    nothing = compared({"x": answered((), None)}, "valid_loss", "min")
    assert nothing.winner is None and nothing.sentence == "No setting trains."


def test_intervals_allow_for_the_picking_of_the_best():
    entries = {"a": answered(A), "b": answered(SHIFTED)}
    two = compared(entries, "valid_loss", "min").versus["b"]
    many = {str(i): answered(A + 0.5 + 0.01 * i) for i in range(4)}
    six = compared(entries | many, "valid_loss", "min").versus["b"]
    assert two.confidence == 0.95 and six.confidence > 0.99
    assert six.difference.low < two.difference.low < two.difference.high < six.difference.high
    assert six.p_value == two.p_value  # of this pair alone


def test_probabilities_and_the_seeds_that_would_tell():
    entries = {"a": answered(A), "c": answered(NOISY), "d": answered((), None)}
    found = compared(entries, "valid_loss", "min")
    chances = {row.name: row.probability for row in found.rows}
    assert chances["d"] == 0.0 and sum(chances.values()) == pytest.approx(1.0)
    ahead = found.rows[0]
    assert 0.5 < ahead.probability < 0.9
    assert f"the best with probability {ahead.probability:.2f}" in found.sentence
    assert re.search(r"about \d+ seeds would tell", found.sentence)
    entry = found.payload()["entries"][0]
    assert entry["probability_best"] == ahead.probability
    same = compared({"a": answered(A), "b": answered(A + 1e-9)}, "valid_loss", "min")
    assert [row.probability for row in same.rows] == [0.5, 0.5] and same.winner is None


def test_sensitivity_is_the_mean_loss_of_a_decade_around_the_pick():
    # A V of slope s over half a decade each side: mean s/4 above its tip.
    found = compared({"a": answered(A, slope=0.4)}, "valid_loss", "min")
    assert found.rows[0].sensitivity == pytest.approx(0.4 / 4, rel=0.02)


def test_the_table_reads_in_one_go():
    text = str(compared({"a": answered(A), "b": answered(SHIFTED)}, "valid_loss", "min"))
    assert "0.016 - 0.063" in text and "95 % interval of the mean over 5 seeds" in text
    assert len(max(text.splitlines()[:3], key=len)) <= 100


def logged(scores):
    answer = answered(scores)
    return answer._replace(details={**answer.details, "scale": "log"})


def test_in_the_log_of_the_loss_ratios_count():
    """Losses that span decades from seed to seed, one entry's a hundred times the other's."""
    low = np.array([1e-8, 3e-6, 2e-7, 4e-5, 1e-7])
    high = low * [90.0, 100.0, 110.0, 95.0, 105.0]
    plain = compared({"a": answered(low), "b": answered(high)}, "valid_loss", "min")
    assert plain.winner is None and "scale" not in plain.payload()
    found = compared({"b": logged(high), "a": logged(low)}, "valid_loss", "min")
    assert found.winner == "a" and found.payload()["scale"] == "log"
    assert found.rows[0].mean == pytest.approx(stats.gmean(low))
    pair = found.versus["b"]
    assert pair.difference.value == pytest.approx(np.log(low / high).mean())
    ends = re.search(r"better than b by a factor of (\S+) to (\S+) \(95 %", found.sentence)
    assert 80 < float(ends[1]) < 100 < float(ends[2]) < 120
    assert "Regret is measured in the log of valid_loss." in found.sentence
    assert f"x{np.exp(stats.t.ppf(0.975, 4) * stats.sem(np.log(low))):.2g}" in str(found)
    close = compared({"a": logged(low), "b": logged(low[::-1])}, "valid_loss", "min")
    assert close.winner is None and "from a factor of" in close.sentence


def test_one_scale_for_all_entries():
    found = compared({"a": logged(A), "b": answered(SHIFTED)}, "valid_loss", "min")
    assert found.scale == "gain" and found.winner == "a"
    nothing = answered((), None)
    assert compared({"a": logged(A), "x": nothing}, "valid_loss", "min").scale == "log"


def test_what_is_the_same_is_said_to_be():
    found = compared({"a": answered(A), "b": answered(A)}, "valid_loss", "min")
    assert "cannot be told from b (the same on every seed) (95 %, paired by seed)" in found.sentence
    alone = compared(
        {"a": answered([1.0], seeds=[5]), "b": answered([2.0], seeds=[5])}, "valid_loss", "min"
    )
    assert alone.sentence.endswith("from b (fewer than two seeds in common).")
    nearly = compared({"a": answered(A), "b": answered([*A[:4], A[4] + 1e-6])}, "valid_loss", "min")
    assert "seeds would tell" not in nearly.sentence
