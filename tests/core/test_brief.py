"""What a notebook prints of a result: a line, never all of its numbers."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import lrlab
from lrlab.core.brief import short
from lrlab.core.records import OK
from lrlab.results.range_test import RangeTest
from lrlab.scaling.laws import group_of
from lrlab.search import Scores, compared, table
from lrlab.search.range_test import range_test
from lrlab.types import Answer, Plan


def bowl() -> lrlab.Task:
    return lrlab.Task.objective(
        name="bowl", init=lambda key: jnp.ones(3), loss=lambda params, key: (params**2).sum()
    )


def answer() -> Answer:
    rows = tuple(
        {"lr": 10.0**-k, "seeds": [0, 1], "scores": [0.1 * k, 0.2 * k], "steps": [9, 9]}
        for k in range(30)
    )
    details = {"fit": {"lr": np.ones(500), "mean": np.ones(500)}, "initial": 2.3}
    return Answer(0.0123456, (0.00412345, 0.0351), "interior", "Train so.", "valid_loss", 22.91,
                  rows, None, details)  # fmt: skip


def scores() -> Scores:
    return Scores(np.ones(3), np.arange(3), np.ones((5, 3)), np.arange(5), np.ones(3),
                  np.full(3, OK), np.full(3, -1), np.full(3, 9), 9)  # fmt: skip


VALUES = {
    "Answer": answer,
    "Comparison": lambda: compared({"a": answer(), "b": answer()}, "valid_loss", "min"),
    "Row": lambda: compared({"a": answer()}, "valid_loss", "min").rows[0],
    "RangeTest": lambda: RangeTest(
        range_test(np.geomspace(1e-7, 10, 100), np.ones((8, 100)), np.arange(8), "ramp", "train")
    ),
    "Plan": lambda: Plan(8, 2, 100, 10**9, tuple(f"a long reason, number {k}" * 9 for k in "ab")),
    "Task": lambda: lrlab.tasks.load("digits-mlp"),
    "Group": lambda: group_of(64, "standard", answer(), 2.3),
    "Scores": scores,
    "Table": lambda: table([scores()]),
}


@pytest.mark.parametrize("name", list(VALUES))
def test_a_line(name: str) -> None:
    shown = repr(VALUES[name]())
    assert shown.startswith(f"{name}(") and shown.endswith(")")
    assert len(shown) <= 400 and "\n" not in shown and "array(" not in shown


def test_what_the_line_says() -> None:
    assert repr(answer()) == (
        "Answer(lr=0.01235, interval=(0.00412, 0.0351), verdict='interior', metric='valid_loss', "
        "cost=22.91)"
    )
    assert str(answer()) == "Train so."
    none = answer()._replace(lr=None, interval=None, verdict="none")
    assert repr(none).startswith("Answer(lr=None, interval=None, verdict='none'")
    assert "rates from 1e-07 to 10, 8 seeds" in repr(VALUES["RangeTest"]())
    assert repr(bowl()) == "Task('bowl': an objective; loss)"
    assert repr(Plan(tile_width=8)) == "Plan(tile_width=8)"
    assert short((1.0, 2.0)) == "(1, 2)" and short(np.zeros((2, 3), np.float32)) == "float32[2, 3]"


def test_results_and_studies() -> None:
    found = lrlab.study(
        bowl(), axis="steps", values=[4, 8], lr=[0.01, 0.1, 0.3], seeds=1, optimizer="sgd",
        schedule="constant", progress=False,
    )  # fmt: skip
    assert repr(found).startswith("Study(steps, best lr 4: ") and len(repr(found)) < 200
    result = lrlab.sweep(bowl(), lr=[0.1, 0.3], steps=4, optimizer="sgd", progress=False)
    assert len(repr(result)) < 200 and len(repr(result.plan)) < 400
    assert all(len(repr(group)) < 500 for group in found.groups)
    figure = result.plot()
    assert figure._repr_png_()[0][:8] == b"\x89PNG\r\n\x1a\n"


def test_a_figure_is_shown_once() -> None:
    """pyplot, whose figures a notebook shows at the end of a cell by itself, knows none of them."""
    from matplotlib import pyplot

    from lrlab.report.figures import style

    before = pyplot.get_fignums()
    with style.use("dark") as colors:
        figure = style.figure()
        figure.subplots().plot([1, 2])
    assert pyplot.get_fignums() == before
    assert figure.get_facecolor()[:3] != (1, 1, 1) and colors.paper == "#101418"
    assert figure._repr_png_()[0].startswith(b"\x89PNG")
