"""Run folders: what a training job leaves behind, readable at any instant, resumable after any end.

`create` or `resume` give a `Run` whose stages record what the engine trains; `open_run` reads one.
Nothing here imports jax at module level.
"""

from __future__ import annotations

from lrlab.runs.catalogue import catalogue
from lrlab.runs.check import check
from lrlab.runs.files import RunError, Unwritable, inner_runs, jsonable, write_json, write_text
from lrlab.runs.folder import (
    FORMAT,
    Run,
    available,
    config_of,
    create,
    done,
    experiment_of,
    finished,
    is_study,
    read_info,
    resume,
)
from lrlab.runs.longer import lengthen, settle
from lrlab.runs.onward import made_in_python, onward
from lrlab.runs.stored import StoredStage, dataset, open_run, read_stage, stages
from lrlab.runs.trust import vouch

__all__ = [
    "FORMAT",
    "Run",
    "RunError",
    "StoredStage",
    "Unwritable",
    "available",
    "catalogue",
    "check",
    "config_of",
    "create",
    "dataset",
    "done",
    "experiment_of",
    "finished",
    "inner_runs",
    "is_study",
    "jsonable",
    "lengthen",
    "made_in_python",
    "onward",
    "open_run",
    "read_info",
    "read_stage",
    "resume",
    "stages",
    "vouch",
    "write_json",
    "write_text",
]
