"""All runs of a folder, as a list."""

from __future__ import annotations

from pathlib import Path

from lrlab.core.errors import RunError
from lrlab.core.files import read_json
from lrlab.core.paths import resolved
from lrlab.runs.seals import inner_runs


def catalogue(root: str | Path = "runs") -> list[dict[str, str | None]]:
    """One row per run under `root`, oldest first: run, name, command, status, started, sentence.

    A folder whose record is damaged is listed with the status "damaged".
    """
    rows = []
    for path in inner_runs(resolved(root)):
        row: dict[str, str | None] = {
            "run": str(path.parent), "status": "damaged", "sentence": ""
        }  # fmt: skip
        try:
            info = read_json(path)
            row |= {key: info.get(key) for key in ("name", "command", "status", "started")}
            if (path.parent / "summary.json").exists():
                summary = read_json(path.parent / "summary.json")
                row["sentence"] = summary.get("sentence") or ""
        except RunError as error:
            row["sentence"] = str(error)
        rows.append(row)
    return sorted(rows, key=lambda row: str(row.get("started") or ""))
