"""Run folders: what a training job leaves behind, readable at any instant, resumable after any end.

`create` or `resume` give a `Run` whose stages record what the engine trains; `open_run` reads one.
Nothing here imports jax at module level.
"""

from __future__ import annotations

from lrlab.runs.catalogue import catalogue
from lrlab.runs.check import check
from lrlab.runs.files import RunError, jsonable, write_json, write_text
from lrlab.runs.folder import FORMAT, Run, create, experiment_of, resume
from lrlab.runs.stored import StoredStage, dataset, open_run, read_stage, stages

__all__ = [
    "FORMAT",
    "Run",
    "RunError",
    "StoredStage",
    "catalogue",
    "check",
    "create",
    "dataset",
    "experiment_of",
    "jsonable",
    "open_run",
    "read_stage",
    "resume",
    "stages",
    "write_json",
    "write_text",
]
