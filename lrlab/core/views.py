"""What shows values of lower layers, by name: tables, cards and figures stand above them.

An answer is a word that everything shares, and what draws it knows figures and pages. So `view`
loads it when somebody asks, as a registry loads its entries; nothing is loaded with the value.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any

VIEWS = {
    "answer_card": "lrlab.report.html.cards:answer_card",
    "answer_columns": "lrlab.report.content.tidy:evidence",
    "answer_figure": "lrlab.report.figures.answers:answer_figure",
    "comparison_card": "lrlab.report.html.cards:comparison_card",
    "comparison_columns": "lrlab.report.content.tidy:comparison_columns",
    "comparison_figure": "lrlab.report.figures.answers:comparison_figure",
}
"""Name -> `module:function`, of a layer above `search`."""


def view(name: str) -> Callable[..., Any]:
    """The function of that name.

    >>> view("answer_columns").__name__
    'evidence'
    """
    return pkgutil.resolve_name(VIEWS[name])
