"""Reports of runs: figures, a self-contained HTML page, terminal tables. Reads, never trains.

`read(run_dir)` or `from_result(result)` make a `ReportData`; everything else takes one. Names are
loaded on first use, so that a terminal table does not wait for matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "ReportData": "lrlab.report.content.data",
    "build": "lrlab.report.content.data",
    "read": "lrlab.report.content.reading",
    "read_all": "lrlab.report.content.reading",
    "from_result": "lrlab.report.content.data",
    "from_dataset": "lrlab.report.content.data",
    "draw": "lrlab.report.figures",
    "draw_range_test": "lrlab.report.figures.range_test",
    "write_figures": "lrlab.report.figures",
    "interactive": "lrlab.report.figures.interactive",
    "html": "lrlab.report.html.page",
    "write_html": "lrlab.report.html.page",
    "renderable": "lrlab.report.terminal.run",
    "sparkline": "lrlab.report.terminal.run",
    "comparison": "lrlab.report.terminal.tables",
    "rules_table": "lrlab.report.terminal.tables",
    "table": "lrlab.report.figures.rate_table",
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'lrlab.report' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from lrlab.report.content.data import ReportData, build, from_dataset, from_result
    from lrlab.report.content.reading import read, read_all
    from lrlab.report.figures import draw, write_figures
    from lrlab.report.figures.interactive import interactive
    from lrlab.report.figures.range_test import draw_range_test
    from lrlab.report.figures.rate_table import table
    from lrlab.report.html.page import html, write_html
    from lrlab.report.terminal.run import renderable, sparkline
    from lrlab.report.terminal.tables import comparison, rules_table
