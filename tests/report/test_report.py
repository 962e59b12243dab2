"""Reports: figures, page and terminal from made-up runs (in a browser: test_report_browser)."""

from __future__ import annotations

import html
import io
import json
import re

import numpy as np
import pytest
from few import few
from report_sample import build, changed, sample

from lrlab import report
from lrlab.report.content.data import Stage
from lrlab.report.content.summary import costs, fewer, lr_rows, rungs, thin
from lrlab.report.figures import FIGURES
from lrlab.report.html.payload import curves_of, payload_of
from lrlab.report.terminal.run import valley
from lrlab.search.range_test import range_test

HOSTILE = "</script><script>alert(1)</script>\"'<img src=x onerror=alert(2)>"
ANSWER = {
    "lr": 0.03, "interval": [0.01, 0.1], "verdict": "interior", "sentence": "Train with 0.03.",
    "cost": 12.0, "metric": "valid_loss", "seconds": 3.0,
}  # fmt: skip
KINDS = ("sweep", "find", "none")


def text_of(runs, compared=None):
    return report.page(runs, compared).text


def run(kind="sweep", **changes):
    data = sample(lrs=9, seeds=2, steps=80, evals=5, kind=kind)
    return data._replace(answer=ANSWER, **changes)


@pytest.mark.parametrize("kind", few(KINDS, 1))
def test_every_figure_draws_or_says_that_it_has_no_subject(kind, tmp_path):
    data = run(kind)
    written = report.write_figures(data, tmp_path, formats=("svg",))
    assert all(path.stat().st_size > 1000 for path in written)
    assert (tmp_path / "loss_vs_lr.svg").exists()
    with pytest.raises(ValueError, match="no figure"):
        report.draw("pie", data)
    assert set(path.stem for path in written) <= set(FIGURES)


def test_formats_and_themes(tmp_path):
    written = report.write_figures(
        run(), tmp_path, formats=("png", "svg", "pdf"), theme="dark", names=["loss_vs_lr"]
    )
    assert [path.suffix for path in written] == [".png", ".svg", ".pdf"]
    assert written[2].read_bytes().startswith(b"%PDF") and "<text" in written[1].read_text()
    for wrong in ({"formats": ["bmp"]}, {"theme": "blue"}):
        with pytest.raises(ValueError, match="bmp|blue"):
            report.write_figures(run(), tmp_path, **wrong)


def test_page_holds_everything_and_asks_for_nothing():
    page = text_of(run(config_text="steps = 5", command="lrlab find x.toml"))
    assert "Train with 0.03." in page and "steps = 5" in page and "lrlab find x.toml" in page
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    assert "default-src 'none'" in page


def test_every_string_that_a_user_can_set_is_escaped():
    data = run(
        title=HOSTILE, config_text=HOSTILE, command=HOSTILE, manifest={"data": {"name": HOSTILE}},
        suggestions={HOSTILE: [0.1]},
    )  # fmt: skip
    data = data._replace(answer={**ANSWER, "sentence": HOSTILE, "verdict": HOSTILE})
    page = text_of(data)
    assert "<script>alert" not in page and "<img" not in page
    assert page.count("<script>") == page.count("</script>") == 2


def test_page_of_a_large_run_stays_small():
    data = sample(lrs=32, seeds=4, steps=2000, evals=20)
    assert len(text_of(data)) < 6.5e6


def test_page_of_very_many_lanes_shows_some_and_says_so():
    data = sample(lrs=1500, seeds=4, steps=60, evals=2)
    few = fewer(data, 2000)
    assert 1990 <= few.outcome.size <= 2004 and {data.lr.min(), data.lr.max()} <= set(few.lr)
    assert data.answer is not None and data.answer["lr"] in few.lr
    page = text_of(data)
    assert "of 1,500 learning rates" in page and len(page) < 6.5e6
    whole = run()
    assert fewer(whole, 2000) is whole


def test_payload_is_strict_json():
    payload = payload_of(run())
    json.dumps(payload, allow_nan=False)
    assert len(payload["lanes"]) == 18


@pytest.mark.parametrize("place", [1, 777, 1998])
@pytest.mark.parametrize("spike", [99.0, 1e-6])
def test_no_spike_is_lost_in_a_curve_of_any_lane(place, spike):
    data = sample(lrs=32, seeds=4, steps=2000, evals=2)
    loss = np.ones_like(data.record.history["train_loss"])
    loss[place, 7, 2] = spike
    curves = curves_of(changed(data, train_loss=loss), "train_loss")
    steps, values = curves[7 * 4 + 2]
    assert values[steps.index(place)] == spike
    assert len(steps) <= 410 and {steps[0], steps[-1]} == {0, 1999}
    assert max(max(v) for i, (_, v) in enumerate(curves) if i != 30) == 1.0


def test_thinning_keeps_every_extreme_of_a_random_curve():
    y = np.random.default_rng(0).standard_cauchy(5000)
    y[::13] = np.nan
    steps, values = thin(np.arange(5000), y, 100)
    assert len(values) <= 102 and np.isfinite(values).all()
    assert {np.nanmin(y), np.nanmax(y)} <= set(values.tolist())
    np.testing.assert_array_equal(values, y[steps])


def test_several_runs_are_ranked():
    first, second = run(title="first"), run(title="second")
    worse = {name: values + 1 for name, values in first.record.evaluated.items()}
    page = text_of([changed(first, **worse), second], {"sentence": "second wins"})
    assert page.count("<section") == 3 and "second wins" in page
    assert page.index('href="#run1"') < page.index('href="#run0"')


def test_rungs_say_what_was_pruned_when():
    stages = [
        Stage(np.array([0.1, 1, 10, 100, 2]), np.array([5, 5, 20, 3, 7]),
              np.array(["pruned", "ok", "pruned", "diverged", "ok"])),
        Stage(np.array([1.0]), np.array([50]), np.array(["ok"])),
    ]  # fmt: skip
    stages[0].steps[[1, 4]] = 50
    data = run(stages=stages)
    found = [tuple(rung) for rung in rungs(data)]
    assert found == [
        (1, 5, 5, 1, 1, (0.1, 0.1), 3, (1.0, 10.0)),
        (1, 20, 3, 0, 1, (10.0, 10.0), 2, (1.0, 2.0)),
        (1, 50, 2, 0, 0, None, 2, (1.0, 2.0)),
        (2, 50, 1, 0, 0, None, 1, (1.0, 1.0)),
    ]
    assert "The search, rung by rung" in text_of(data)
    made = dict((what, value) for what, value, _ in costs(data))
    assert made["Lanes trained"] == "6" and made["Lane-steps"] == "178"
    assert made["Spent on pruned lanes"] == "25 in 2 lanes"


def printed(thing, width):
    from rich.console import Console

    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    console.print(thing)
    return console.export_text()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [60, 100, 200])
def test_terminal(kind, width):
    text = printed(report.renderable(run(kind)), width)
    assert "Train with 0.03." in text and "valid_loss against learning rate" in text
    assert all(len(line) <= width for line in text.splitlines()) and "\x1b" not in text
    assert "▲" in text and "━" in text and ("×" in text) == (run(kind).outcome == "diverged").any()


def test_the_terminal_puts_alike_rates_together_and_leaves_some_out():
    data = sample(lrs=60, seeds=2, steps=30, evals=3)
    short, whole = (printed(report.renderable(data, every), 100) for every in (False, True))
    assert "more rows: lrlab show RUN --all" in short and len(whole.splitlines()) > 60
    assert re.search(r"[\d.]+ to 10 .* diverged \(step \d+ to \d+\)", short)


def test_the_valley_marks_the_pick_where_it_lies():
    lr = np.geomspace(1e-4, 1.0, 9)
    loss = np.broadcast_to(((np.log10(lr) + 2) ** 2 + 0.1)[:, None], (9, 1))
    data = build(title="", lr=lr, seeds=[0], steps=[0], train_loss=loss[None],
                        answer={"lr": 0.01, "interval": [0.005, 0.02]})  # fmt: skip
    _, blocks, axis, names = printed(valley_of(data), 68).splitlines()
    assert axis.index("▲") == 2 + 32 and names.split() == ["0.0001", "0.01", "1"]
    assert blocks[2] == blocks[65] == "█" and blocks[axis.index("▲")] == "▁"


def valley_of(data):
    from rich.console import Group

    return Group(*valley(data, lr_rows(data), 68))


def test_rules_and_comparison_on_the_terminal():
    lr = np.geomspace(1e-6, 1.0, 80)
    loss = 2.3 - 2 / (1 + np.exp(-3 * (np.log10(lr) + 2))) + np.array([[0.0], [0.1]])
    test = range_test(lr, loss, np.array([0, 1]), "ramp", "train")
    for width in (60, 120):
        text = printed(report.rules_table(test), width)
        assert "valley" in text and "●" in text and "the loss still falls at the end" in text
    found = {
        "metric": "valid_loss", "winner": "a", "sentence": "a wins.",
        "entries": [
            {"name": "a", "lr": 0.1, "interval": [0.1, 0.2], "mean": 1.0, "verdict": "interior"},
            {"name": "b", "lr": None, "interval": None, "mean": None, "verdict": "none"},
        ],
        "versus": {"b": {"interval": [-0.5, -0.25]}},
    }  # fmt: skip
    assert "0.25 to 0.5" in printed(report.comparison(found), 120)
    assert "a wins." in printed(report.comparison(found), 60)


def test_an_extra_lane_axis_is_shown():
    data = sample(lrs=5, seeds=2, steps=30, evals=3, extra={"weight_decay": [0.0, 0.1]})
    page = text_of(data)
    assert "weight_decay" in page


def test_a_notebook_shows_the_page_and_a_script_saves_it(tmp_path):
    page = report.page(run(title=HOSTILE))
    frame = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" .*', page._repr_html_())
    assert frame and html.unescape(frame[1]) == page.text
    saved = page.save(tmp_path / "mine.html")
    assert saved.read_text(encoding="utf-8") == page.text and len(repr(page)) < 80
