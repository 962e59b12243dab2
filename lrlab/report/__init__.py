"""Reports of runs: figures, a self-contained HTML page, terminal tables. Reads, never trains.

`read(run_dir)` or `from_result(result)` make a `ReportData`; everything else takes one. Names are
loaded on first use, so that a terminal table does not wait for matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "ReportData": "lrlab.report.data",
    "build": "lrlab.report.data",
    "read": "lrlab.report.reading",
    "read_all": "lrlab.report.reading",
    "from_result": "lrlab.report.data",
    "from_dataset": "lrlab.report.data",
    "draw": "lrlab.report.figures",
    "draw_range_test": "lrlab.report.figures.range_test",
    "write_figures": "lrlab.report.figures",
    "interactive": "lrlab.report.notebook",
    "html": "lrlab.report.page",
    "write_html": "lrlab.report.page",
    "renderable": "lrlab.report.terminal",
    "sparkline": "lrlab.report.terminal",
    "comparison": "lrlab.report.terminal_tables",
    "rules_table": "lrlab.report.terminal_tables",
    "table": "lrlab.report.classic",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'lrlab.report' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from lrlab.report.classic import table
    from lrlab.report.data import ReportData, build, from_dataset, from_result
    from lrlab.report.figures import draw, write_figures
    from lrlab.report.figures.range_test import draw_range_test
    from lrlab.report.notebook import interactive
    from lrlab.report.page import html, write_html
    from lrlab.report.reading import read, read_all
    from lrlab.report.terminal import renderable, sparkline
    from lrlab.report.terminal_tables import comparison, rules_table
