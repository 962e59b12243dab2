"""The search for learning rates: adaptive find, range tests and their rules, statistics, answers.

Nothing here imports jax: a search is handed a function that trains lanes and gives their scores.
"""

from __future__ import annotations

from lrlab.search.answer import answer_json, from_scores
from lrlab.search.comparison import Comparison, compared
from lrlab.search.find import find
from lrlab.search.find_axes import find_joint
from lrlab.search.range_test import RangeTest, ladder
from lrlab.search.scores import Scores, Table, from_result, lane_scores, table

__all__ = [
    "Comparison",
    "RangeTest",
    "Scores",
    "Table",
    "answer_json",
    "compared",
    "find",
    "find_joint",
    "from_result",
    "from_scores",
    "ladder",
    "lane_scores",
    "table",
]
