from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from report_sample import HOSTILE

from lrlab.core.records import blank_record
from lrlab.report.figures.answers import answer_figure, comparison_figure
from lrlab.report.html import cards
from lrlab.results.sweep import Result
from lrlab.search.comparison import compared
from lrlab.search.range_test import range_test
from lrlab.types import Answer, Plan

VOID = {"br", "img", "input", "meta"}


class Tags(HTMLParser):
    """What is opened and closed; SVG's own tags close themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs) -> None:
        self.open.append(tag)
        self.seen |= {tag, *(name for name, _ in attrs)}

    def handle_startendtag(self, tag, attrs) -> None:
        self.seen |= {tag, *(name for name, _ in attrs)}

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def checked(html: str) -> str:
    """Well formed, without script, and without a color that only one background bears."""
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert not tags.seen & {"script", "img", "iframe", "onerror", "onclick", "style-sheet"}
    assert not re.search(r"(?<!-)color:\s*(#000|#fff|black|white)", html)
    return html


def answer(name: str = "valid_loss", **fields) -> Answer:
    evidence = tuple(
        {"lr": lr, "seeds": [0, 1], "scores": [score, score + 0.1], "steps": [9, 9],
         "outcome": ["ok", "ok"]}
        for lr, score in ((0.01, 2.0), (0.1, 1.0), (1.0, 3.0))
    )  # fmt: skip
    given = {"confidence": 0.93, "tolerance": 0.01, **fields}
    return Answer(0.1, (0.05, 0.2), "interior", f"Train. {name}", name, 6.0, evidence, **given)


def test_an_answer() -> None:
    html = checked(answer()._repr_html_())
    assert (
        "0.05 to 0.2" in html and "93 %" in html and "<svg" in html and "3 learning rates" in html
    )


def test_names_are_text() -> None:
    html = checked(answer(HOSTILE, details={"at": {HOSTILE: HOSTILE}})._repr_html_())
    assert "&lt;script&gt;" in html
    both = {HOSTILE: answer(HOSTILE), "b": answer()}
    checked(compared(both, HOSTILE, "min")._repr_html_())


@pytest.mark.parametrize(
    "fields",
    [
        {"lr": None, "interval": None, "verdict": "none", "evidence": ()},
        {"confidence": None, "tolerance": None},
        {"verdict": "edge", "details": {"fit": {
            "lr": [0.01, 0.1, 1.0], "mean": [2.0, 1.0, 3.0], "low": [1.5, 0.5, 2.0],
            "high": [2.5, 1.5, 4.0], "limit": 1.1}, "initial": 2.5}},
    ],
)  # fmt: skip
def test_answers_of_every_kind_are_shown_and_drawn(fields) -> None:
    one = answer()._replace(**fields)
    checked(one._repr_html_())
    assert answer_figure(one, "dark").axes and one.plot().axes


@pytest.mark.parametrize("resolved", [1.0, 2.3])
def test_an_interval_whose_rates_may_gain_nothing_is_not_called_good(resolved: float) -> None:
    one = answer(resolved=resolved)._replace(verdict="noisy")
    html, figure = checked(one._repr_html_()), answer_figure(one)
    assert "as good" not in html and "costs at most" not in html and "0.05 to 0.2" not in html
    assert figure.axes[0].get_title("left") == "Learning rate 0.1"
    assert not any("costs" in text.get_text() for text in figure.legends[0].get_texts())


def test_a_figure_names_the_tolerance_of_its_interval() -> None:
    title = answer_figure(answer(resolved=0.029)).axes[0].get_title("left")
    assert title == "Learning rate 0.1; 0.05 to 0.2 costs at most 2.9 %"


def test_the_interval_of_an_edge_is_of_the_rates_that_were_tried() -> None:
    html = answer()._replace(verdict="edge")._repr_html_()
    assert "costs at most 1 % more than the best tried" in html


def test_an_answer_about_several_rates() -> None:
    rows = tuple({**row, "lr": {"gen": row["lr"], "disc": 0.3}} for row in answer().evidence)
    lr, ends = {"gen": 0.1, "disc": 0.3}, {"gen": (0.05, 0.2), "disc": (0.1, 0.9)}
    one = answer()._replace(lr=lr, interval=ends, evidence=rows)
    assert "learning rate gen" in checked(one._repr_html_())
    assert [ax.get_xlabel() for ax in one.plot().axes] == [
        "learning rate gen",
        "learning rate disc",
    ]


def test_a_comparison() -> None:
    diverged = ({**answer().evidence[0], "outcome": ["diverged"] * 2},)
    found = compared(
        {"a": answer(), "b": answer()._replace(evidence=diverged, lr=None, interval=None)},
        "valid_loss", "min",
    )  # fmt: skip
    checked(found._repr_html_())
    labels = [text.get_text() for text in comparison_figure(found).legends[0].get_texts()]
    assert labels == ["a", "recommended"]


def test_a_result_without_its_metric_is_shown() -> None:
    axes = {"lr": np.array([0.1, 1.0]), "seed": np.array([0])}
    record = blank_record({name: np.zeros(2) for name in axes}, 3, []).grid(axes)
    html = checked(Result(HOSTILE, record, "valid_loss", Plan())._repr_html_())
    assert "2 not_run" in html


def test_a_range_test_and_a_study() -> None:
    lr, loss = np.geomspace(1e-3, 1.0, 4), np.array([[3.0, 2.0, 1.0, np.nan], [np.nan] * 4])
    checked(cards.range_card(range_test(lr, loss, np.array([0, 1]), "ramp", "train")))
    group = {"value": HOSTILE, "parametrization": "standard", "lr": None, "interval": None,
             "verdict": "none", "best_mean": None}  # fmt: skip
    payload = {"axis": HOSTILE, "metric": "valid_loss", "sentence": "No.", "groups": [group]}
    assert "&lt;script&gt;" in checked(cards.study_card(payload))
