"""Regret in the log of the loss: what is searched, what is said, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from lrlab.core.errors import FieldError
from lrlab.core.records import OK
from lrlab.search import Scores, from_scores, log_scale

LR = np.repeat(np.geomspace(1e-3, 1.0, 13), 2)
SEED = np.tile([0, 1], 13)


def scores(direction="min", shift=0.0) -> Scores:
    """Losses that fall over four decades up to a rate of 0.3."""
    final = 10.0 ** (4 * np.abs(np.log10(LR / 0.3)) / 2.5 - 4) * (1 + 0.01 * SEED) - shift
    return Scores(
        LR, SEED, final[None], np.array([9]), np.full(26, 1.0), np.full(26, OK),
        np.full(26, -1), np.full(26, 9), 9, direction,
    )  # fmt: skip


def test_the_interval_is_of_the_log() -> None:
    gain = from_scores(scores(), "valid_loss")
    logs = from_scores(log_scale.logged(scores(), "valid_loss"), log_scale.named("valid_loss"))
    log = log_scale.unlogged(logs, "valid_loss")
    assert gain.interval is not None and log.interval is not None and log.lr is not None
    # Of the gain next to nothing is left to lose over a decade of rates; of the log a quarter.
    assert gain.interval[1] / gain.interval[0] > 2 * log.interval[1] / log.interval[0]
    assert 0.2 < log.lr < 0.45
    assert log.sentence.endswith("Regret is measured in the log of valid_loss.")
    assert log.metric == "valid_loss" and log.details["scale"] == "log"


def test_an_answer_has_losses_again() -> None:
    logs = from_scores(log_scale.logged(scores(), "valid_loss"), "log valid_loss")
    logs = logs._replace(details={**logs.details, "final": {"seeds": [5], "scores": [np.log(3)]}})
    log = log_scale.unlogged(logs, "valid_loss")
    wanted = scores().values[-1].reshape(13, 2)
    assert np.allclose([row["scores"] for row in log.evidence], wanted, atol=1e-12)
    assert log.details["initial"] == pytest.approx(1.0)
    assert log.details["final"]["scores"] == pytest.approx([3.0])
    assert log.details["fit"]["mean"].min() > 0


def test_what_has_no_logarithm_is_refused() -> None:
    with pytest.raises(FieldError, match=r"needs losses above 0, and valid_loss reached -0.49"):
        log_scale.logged(scores(shift=0.5), "valid_loss")
    with pytest.raises(FieldError, match=r"accuracy is to be maximized") as caught:
        log_scale.logged(scores("max"), "accuracy")
    assert caught.value.field == "scale"
