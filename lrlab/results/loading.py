"""Results from run folders."""

from __future__ import annotations

import os

from lrlab import runs
from lrlab.core.paths import resolved
from lrlab.core.score import LAST
from lrlab.core.tolerance import TOLERANCE
from lrlab.results.sweep import Result
from lrlab.types import Plan


def load_result(folder: str | os.PathLike[str] | runs.RunFolder) -> Result:
    """A sweep's result from its run folder, a path or opened already (of a search: the lanes of all
    its stages).

    Raises:
        RunError: not a run folder, or a damaged one; says what is lost.
    """
    if not isinstance(folder, runs.RunFolder):
        with runs.opened(resolved(folder), write=False) as place:
            return load_result(place)
    path, info = folder.path, folder.info
    info = info or runs.read_info(path)
    record = runs.whole_record(path, info, lazy=True)  # which says what it is not
    plan = dict(info.get("plan") or {})
    plan["reasons"] = tuple(plan.get("reasons") or ())
    return Result(
        name=str(info.get("name", path.name)),
        record=record,
        metric=str(info.get("metric", "valid_loss")),
        plan=Plan(**plan),
        config=folder.config if (path / "config.toml").exists() else "",
        run=str(path),
        score=str(info.get("score", LAST)),
        tolerance=float(info.get("tolerance", TOLERANCE)),
    )
