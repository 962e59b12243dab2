"""`lrlab verify`: every case passes here, can fail, and what the command gives back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from few import few

from lrlab import verify
from lrlab.cli.app import run as command
from lrlab.cluster.calls import Called
from lrlab.core.remote import Ray
from lrlab.verify import linear_decay, page

KEYS = {"name", "claim", "published", "measured", "tolerance", "passed", "seconds"}
TABLE = (
    "quadratic-laws", "edge-of-stability", "adaptive-edge", "deepobs-sgd", "schedule-bound",
    "noisy-quadratic", "catapult", "linear-decay", "sgd-risk", "noise-scale", "fractal",
    "batch-linear", "mup-transfer",
)  # fmt: skip
LIGHT = (
    "schedule-bound", "noise-scale", "catapult", "sgd-risk", "quadratic-laws", "noisy-quadratic",
    "fractal", "batch-linear",
)  # fmt: skip


@pytest.mark.parametrize("name", few(LIGHT, 1))
def test_light_cases(name: str) -> None:
    verdict = verify.run(name)[0]
    assert verdict.name == name and verdict.passed, verdict.measured


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TABLE if name not in LIGHT])
def test_heavier_cases(name: str) -> None:
    verdict = verify.run(name)[0]
    assert verdict.passed, verdict.measured


def test_cases_are_there() -> None:
    assert set(TABLE) <= set(verify.CASES)


def test_command(tmp_path, capsys) -> None:
    arguments = ["verify", "--only", "schedule-bound", "--only", "noise-scale", "--json"]
    assert command([*arguments, "--out", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] and [case["name"] for case in found["cases"]] == arguments[2:5:2]
    assert all(set(case) == KEYS for case in found["cases"])
    page = (tmp_path / "verify.html").read_text()
    assert "2 of 2 published" in page
    assert page.count("data:image/png") == 4  # light and dark
    assert "arXiv 2501.18965" in page and "http" not in page


def test_a_failure_is_status_1_and_shown(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(verify.CASES, "schedule-bound", "lrlab.verify.catapult:absent")
    assert command(["verify", "--only", "schedule-bound", "--out", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "FAILED" in shown and "AttributeError" in shown and "0 of 1" in shown
    assert "AttributeError" in (tmp_path / "verify.html").read_text()


def test_a_wrong_number_fails(monkeypatch) -> None:
    from lrlab.verify import schedule_bound

    published = verify.verdict.data("schedule_bound")
    published["lr"]["wsd"] += 2e-9
    monkeypatch.setattr(schedule_bound, "data", lambda name: published)
    assert not verify.run("schedule-bound")[0].passed


def test_a_larger_rate_breaks_the_guarantee(monkeypatch) -> None:
    assert linear_decay.gaps_over_bound(15, 20).max() <= 1
    import lrlab

    honest = lrlab.api.sweep
    eager = lambda task, **given: honest(task, **{**given, "lr": [40 * given["lr"][0]]})  # noqa: E731
    monkeypatch.setattr(lrlab, "sweep", eager, raising=False)
    assert linear_decay.gaps_over_bound(15, 20).max() > 1


def test_unknown_case(capsys) -> None:
    with pytest.raises(ValueError, match="did you mean 'fractal'"):
        verify.run("fractl")
    assert command(["verify", "--only", "fractl"]) == 2
    assert "did you mean 'fractal'" in capsys.readouterr().err


def test_each_name_once() -> None:
    assert verify.named(["fractal", "catapult", "fractal"]) == ["fractal", "catapult"]


def test_page_escapes_and_rounds() -> None:
    verdict = verify.Verdict("a<b", "x > y", {"n": 1234}, {"n": np.pi}, "1 %", False)
    text = page.page([verdict])
    assert "a&lt;b" in text and "1,234" in text and "3.141593" in text and "failed" in text


def test_cases_of_workers_keep_the_order_that_was_asked_for(monkeypatch) -> None:
    names = ["schedule-bound", "catapult"]
    good = verify.Verdict("x", "holds", None, 1, "none", True)

    def called(on, places, begins):
        for place in reversed(places):
            begins(place)
            broken = None if place.startswith("lrlab.verify.sched") else OSError("gone")
            yield Called(place, None if broken else good, broken, 1.5)

    monkeypatch.setattr(verify, "called", called)
    begun, ended = [], []
    verdicts = verify.run(names, lambda one: ended.append(one.seconds), begun.append, Ray())
    assert begun == names[::-1] and ended == [1.5, 1.5]
    assert [one.passed for one in verdicts] == [True, False]
    assert verdicts[1].name == "catapult" and verdicts[1].measured == "OSError: gone"


def test_an_unknown_place_is_refused(capsys) -> None:
    assert command(["verify", "--only", "catapult", "--on", "rya"]) == 2
    assert "--on" in capsys.readouterr().err
