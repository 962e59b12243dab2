"""The page: self-contained, escaped, small; in notebooks too; in a browser: test_report_browser."""

from __future__ import annotations

import html
import re

from report_sample import ANSWER, HOSTILE, changed, run, sample, text_of

from lrlab import report
from lrlab.report.content.summary import fewer


def test_page_holds_everything_and_asks_for_nothing():
    page = text_of(run(config_text="steps = 5", command="lrlab find x.toml"))
    assert "Train with 0.03." in page and "steps = 5" in page and "lrlab find x.toml" in page
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    assert "default-src 'none'" in page


def test_the_confidence_names_the_tolerance_that_it_is_of():
    stated = {**ANSWER, "lr": 0.03, "confidence": 0.94, "tolerance": 0.01, "resolved": 0.029}
    page = text_of(run()._replace(answer=stated))
    assert "At most 2.9 % worse<" in page and "that 0.03 costs at most 1 %" in page
    page = text_of(run()._replace(answer={**stated, "verdict": "edge"}))
    assert "At most 2.9 % worse than the best tried" in page


def test_an_interval_whose_rates_may_gain_nothing_has_no_card():
    stated = {**ANSWER, "confidence": 0.4, "tolerance": 0.01, "resolved": 1.2}
    page = text_of(run()._replace(answer=stated))
    assert "<small>As good" not in page and "<small>At most" not in page


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


def test_several_runs_are_ranked():
    first, second = run(title="first"), run(title="second")
    worse = {name: values + 1 for name, values in first.record.evaluated.items()}
    page = text_of([changed(first, **worse), second], {"sentence": "second wins"})
    assert page.count("<section") == 3 and "second wins" in page
    assert page.index('href="#run1"') < page.index('href="#run0"')


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
