"""Reports of runs: figures, a self-contained HTML page, terminal tables. Reads, never trains.

`read(run_dir)` or `from_result(result)` make a `ReportData`; everything else takes one. Matplotlib
and rich are loaded where they draw, so that a terminal table does not wait for figures.
"""

from __future__ import annotations

from lrlab.report.content import standing, tidy
from lrlab.report.content.data import ReportData, from_result
from lrlab.report.content.reading import Folders, read, read_all, read_live
from lrlab.report.content.selection import sampled, with_rates
from lrlab.report.figures import draw, write_figures
from lrlab.report.figures.range_test import draw_range_test
from lrlab.report.figures.rate_table import table
from lrlab.report.html.page import page, write_html
from lrlab.report.terminal.blocks import sparkline
from lrlab.report.terminal.rate import rate_json, rate_lines
from lrlab.report.terminal.run import renderable
from lrlab.report.terminal.tables import comparison, rules_table

__all__ = [
    "Folders",
    "ReportData",
    "comparison",
    "draw",
    "draw_range_test",
    "from_result",
    "page",
    "rate_json",
    "rate_lines",
    "read",
    "read_all",
    "read_live",
    "renderable",
    "rules_table",
    "sampled",
    "sparkline",
    "standing",
    "table",
    "tidy",
    "with_rates",
    "write_figures",
    "write_html",
]
