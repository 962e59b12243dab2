"""Run folders: what a training job leaves behind, readable at any instant, resumable after any end.

`opened` looks at a folder once; its `writer`, or `create`, gives a `Run` whose stages record what
the engine trains; `open_run` reads one.
Nothing here imports jax at module level.
"""

from __future__ import annotations

from lrlab.core.errors import RunError, Unwritable
from lrlab.core.files import jsonable, write_json, write_text
from lrlab.runs.catalog import catalogue
from lrlab.runs.doctor import check
from lrlab.runs.extend import lengthen
from lrlab.runs.folder import (
    FORMAT,
    Run,
    config_of,
    create,
    done,
    finished,
    is_study,
    read_info,
    write_record,
)
from lrlab.runs.integrity import vouch
from lrlab.runs.live import LiveRun, Standing, read_live, state, status_of, version
from lrlab.runs.lock import refuse_in_use
from lrlab.runs.onward import made_in_python, onward, refuse_untrained
from lrlab.runs.opening import RunFolder, opened
from lrlab.runs.reader import (
    dataset,
    dataset_of,
    open_run,
    read_stage,
    stages,
    whole_record,
)
from lrlab.runs.removal import Removable, removable, remove
from lrlab.runs.seals import inner_runs
from lrlab.runs.summary import Summary, read_summary

__all__ = [
    "FORMAT",
    "LiveRun",
    "Removable",
    "Run",
    "RunError",
    "RunFolder",
    "Standing",
    "Summary",
    "Unwritable",
    "catalogue",
    "check",
    "config_of",
    "create",
    "dataset",
    "dataset_of",
    "done",
    "finished",
    "inner_runs",
    "is_study",
    "jsonable",
    "lengthen",
    "made_in_python",
    "onward",
    "open_run",
    "opened",
    "read_info",
    "read_live",
    "read_stage",
    "read_summary",
    "refuse_in_use",
    "refuse_untrained",
    "removable",
    "remove",
    "stages",
    "state",
    "status_of",
    "version",
    "vouch",
    "whole_record",
    "write_json",
    "write_record",
    "write_text",
]
