"""Reports of losses far from 0, or below it: nothing is hidden, and digits tell rates apart."""

from __future__ import annotations

import io

import numpy as np
import pytest
from report_sample import changed, sample
from rich.console import Console

from lrlab.report import figures
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.figures import rate_table
from lrlab.report.figures.curves import focus
from lrlab.report.figures.loss_vs_lr import y_range
from lrlab.report.html import tables
from lrlab.report.terminal.run import renderable


def moved(level: float) -> ReportData:
    data = sample(lrs=9, seeds=2, steps=60, evals=5)
    record = data.record
    before = {**record.initial, "valid_loss": record.initial["valid_loss"] + level}
    data = data._replace(record=record._replace(initial=before))
    return changed(
        data, **{name: record.metrics[name].values + level for name in ("train_loss", "valid_loss")}
    )


@pytest.mark.parametrize("level", [10.0, -3000.0, 1e5])
def test_axes_keep_the_lanes_that_matter(level: float) -> None:
    data = moved(level)
    for low, high, log in (
        focus(data, "train_loss"),
        focus(data, "valid_loss"),
        y_range(data, "valid_loss", 2.3 + level),
    ):
        assert not log and level - 2 < low < level + 1 and level + 2 < high < level + 15


def test_a_figure_of_negative_losses() -> None:
    figure = figures.draw("training_curves", moved(-3000.0))
    assert figure.axes[0].get_yscale() == "linear" and figure.axes[0].get_ylim()[1] < -2980


@pytest.mark.parametrize("level", [3000.0, -3000.0])
def test_tables_show_digits_that_tell_rates_apart(level: float) -> None:
    data = moved(level)
    means = [row.mean for row in summary.lr_rows(data) if np.isfinite(row.mean)]
    console = Console(file=io.StringIO(), width=120, color_system=None)
    console.print(renderable(data, every_row=True))
    for text in (console.file.getvalue(), tables.learning_rates(data)):  # type: ignore[attr-defined]
        assert f"{min(means):.5g}" in text and "e3<" not in text and "3e3 " not in text
    assert summary.shown_digits(moved(0.0), summary.lr_rows(moved(0.0)), "valid_loss") == 3


@pytest.mark.parametrize("level", [10.0, -3000.0, 1e5])
def test_the_classic_table_says_the_same(level: float) -> None:
    wanted, found = (rate_table.table(moved(at)) for at in (0.0, level))
    assert len({row.label for row in wanted}) > 2
    for one, other in zip(wanted, found, strict=True):
        assert (one.lr, one.label, one.reason) == (other.lr, other.label, other.reason)
