"""A run folder that holds the finished experiment: what came of it is read, not trained again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lrlab import config, runs
from lrlab.config import Experiment
from lrlab.core.files import read_json
from lrlab.training.fingerprint import identity, moved, same
from lrlab.training.group import Setup
from lrlab.training.recording import device_of
from lrlab.types import Answer


def ended(
    command: str, experiment: Experiment, setup: Setup | None, out: str | None, record: bool | None
) -> Path | None:
    """`out`, where it holds this experiment, finished; None where there is something to train.

    Nothing is locked or written: the folder may be read-only, and others may read it.

    Raises:
        RunError: a finished run of another experiment, or of one that cannot be compared.
    """
    if record is False or out is None or not (Path(out) / "run.json").is_file():
        return None
    path = Path(out)
    info = runs.read_info(path)
    if not runs.finished(info):
        return None
    if "identity" not in info:
        raise runs.RunError(
            path,
            "holds a finished run that does not say of what experiment (saved by result.save, or "
            "by an older lrlab), so that it cannot be taken for this one; lrlab.load reads it; "
            "choose another folder",
        )
    changes = [] if setup is None else moved(info, device_of(setup))
    parts = identity(command, experiment, setup)
    same(path, info, parts, changes, config.dumps(experiment))
    runs.vouch(path, "summary.json")
    return path


def all_ended(places: Iterable[Path]) -> None:
    """Looks whether every run inside a finished comparison or study is there and finished.

    Raises:
        RunError: one is not.
    """
    for place in places:
        if not runs.finished(runs.read_info(place)):
            raise runs.RunError(place, "unfinished, though what it belongs to is finished")


def payload_of(path: Path, fields: Iterable[str] = ()) -> dict[str, Any]:
    """The JSON object that a finished run ended with: `fields` of its summary; all, for none.

    Raises:
        RunError: damaged or missing.
    """
    summary = read_json(path / "summary.json")
    kept = {name: summary[name] for name in fields if name in summary} or summary
    return {**kept, "run": str(path)}


def answer_of(path: Path, info: Mapping[str, Any]) -> Answer:
    """The answer of a finished sweep or search, from its folder.

    Raises:
        RunError: damaged or missing.
    """
    summary = read_json(path / "summary.json")
    interval = summary.get("interval")
    return Answer(
        summary.get("lr"), None if interval is None else (interval[0], interval[1]),
        str(summary.get("verdict")), str(summary.get("sentence")), str(info.get("metric")),
        float(summary.get("cost") or 0.0), tuple(summary.get("evidence") or ()),
        summary.get("largest_stable"), summary.get("details") or {}, str(path),
    )  # fmt: skip
