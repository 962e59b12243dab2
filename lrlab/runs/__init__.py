"""Run folders: what a training job leaves behind, readable at any instant, resumable after any end.

`create` or `resume` give a `Run` whose stages record what the engine trains; `open_run` reads one.
Nothing here imports jax at module level.
"""

from __future__ import annotations

from lrlab.core.errors import RunError, Unwritable
from lrlab.core.files import jsonable, write_json, write_text
from lrlab.runs.catalog import catalogue
from lrlab.runs.doctor import check
from lrlab.runs.extend import lengthen, settle
from lrlab.runs.folder import (
    FORMAT,
    Run,
    config_of,
    create,
    done,
    experiment_of,
    finished,
    is_study,
    read_info,
    resume,
)
from lrlab.runs.integrity import vouch
from lrlab.runs.lock import available
from lrlab.runs.onward import made_in_python, onward
from lrlab.runs.reader import StoredStage, dataset, open_run, read_stage, stages
from lrlab.runs.seals import inner_runs

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
