"""A study's page from its JSON object alone."""

from __future__ import annotations

import re

import matplotlib as mpl
import pytest

from lrlab.report.figures.study import ALT, FIGURES
from lrlab.report.html import study_page

RATES = [0.001, 0.01, 0.1, 1.0]


def group(width: int, kind: str) -> dict[str, object]:
    return {
        "value": width, "parametrization": kind, "lr": 0.032, "interval": [0.019, 0.053],
        "verdict": "interior", "best_mean": 0.3, "best": 0.031, "log_error": 0.08, "rates": RATES,
        "means": [2.2, 0.8, 0.3, 2.3], "initial": 2.3, "cost": 14.0,
        "run": f"runs/w/{width}-{kind}",
    }  # fmt: skip


PAYLOAD = {
    "axis": "width", "metric": "valid_loss", "cost": 56.0,
    "sentence": "Should the learning rate change with <width>? No.",
    "groups": [group(width, kind) for kind in ("standard", "mup") for width in (16, 32)],
    "laws": [
        {"parametrization": kind, "coefficient": 0.01, "exponent": 0.3, "interval": [-1.0, None],
         "trend": "same", "used": [16.0, 32.0], "left_out": []}
        for kind in ("standard", "mup")
    ],
    "transfer": [
        {"parametrization": kind, "base": 16, "lr": 0.032,
         "regret": [{"value": 32, "regret": 0.01}]}
        for kind in ("standard", "mup")
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def page():
    return study_page.page(PAYLOAD).text


def test_every_figure_is_there_in_both_themes_and_in_words(page):
    images = re.findall(r'<img class="only-(\w+)" width="\d+" alt="([^"]+)"', page)
    assert images == [(theme, ALT[name]) for name in FIGURES for theme in ("light", "dark")]
    assert "data-theme" not in page.partition("<style>")[0]  # as the system has it
    for theme in ("light", "dark"):
        assert f"img.only-{theme}" in page


def test_a_head_stands_where_its_cells_stand(page):
    """Numbers right, words left, in the head as below it."""
    for table in re.findall(r"<table>.*?</table>", page, re.DOTALL):
        head, *rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        kinds = ["n" in kind for kind in re.findall(r"<th([^>]*)>", head)]
        assert rows
        for row in rows:
            assert ["n" in kind for kind in re.findall(r"<td([^>]*)>", row)] == kinds


def test_names_are_escaped(page):
    assert "&lt;width&gt;" in page and "<width>" not in page


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_single_value_has_a_tick_of_its_own(theme):
    figure = FIGURES["transfer"](PAYLOAD, theme)
    assert figure is not None
    with mpl.rc_context():
        figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["32"]
