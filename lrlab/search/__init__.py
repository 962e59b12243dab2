"""The search for learning rates: adaptive find, range tests and their rules, statistics, answers.

Nothing here imports jax: a search is handed a function that trains lanes and gives their scores.
"""

from __future__ import annotations

from lrlab.search.answer import answer_json, from_scores
from lrlab.search.comparison import Comparison, compared
from lrlab.search.find import find
from lrlab.search.find_axes import find_axes
from lrlab.search.find_rates import find_rates
from lrlab.search.range_test import RangeCurves, ladder
from lrlab.search.scores import Scores, Table, lane_scores, stage_scores, sweep_scores, table
from lrlab.search.settings import SearchSettings

__all__ = [
    "Comparison",
    "RangeCurves",
    "Scores",
    "SearchSettings",
    "Table",
    "answer_json",
    "compared",
    "find",
    "find_axes",
    "find_rates",
    "from_scores",
    "ladder",
    "lane_scores",
    "stage_scores",
    "sweep_scores",
    "table",
]
