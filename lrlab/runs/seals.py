"""Seals and checksums: what says whether a file was changed since it was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from lrlab.core.errors import RunError
from lrlab.core.files import int_or, json_object, read_json, sha256, write_json
from lrlab.core.text import JsonObject, Table


def write_sealed(path: Path, value: Table, skip: Sequence[str] = ()) -> None:
    """Writes JSON with a checksum of itself in the field `seal`; fields in `skip` do not count."""
    content = json_object(value)
    write_json(path, {**content, "seal": seal(content, skip)})


def read_sealed(path: Path, skip: Sequence[str] = ()) -> JsonObject:
    """A JSON object whose seal holds. Files from before format 2 have none.

    Raises:
        RunError: absent, damaged, or not as lrlab wrote it.
    """
    content = read_json(path)
    check_seal(path, content, skip)
    return content


def check_seal(path: Path, content: Table, skip: Sequence[str] = ()) -> None:
    """Raises RunError where the content of a file is not as lrlab wrote it."""
    unsealed = int_or(content.get("format"), 2) < 2 or not {"format", "seal"} & set(content)
    if not unsealed and content.get("seal") != seal(content, skip):
        raise RunError(path, "damaged or changed since it was written (its seal is broken)")


def seal(content: Table, skip: Sequence[str] = ()) -> str:
    """SHA-256 over a JSON object, its `seal` and `skip` apart.

    >>> seal({"a": 1, "status": "x"}, ["status"]) == seal({"a": 1, "seal": "old"})
    True
    """
    kept = {key: value for key, value in content.items() if key not in ("seal", *skip)}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def checksums(folder: Path, skip: tuple[str, ...] = ()) -> dict[str, str]:
    """Path under `folder` -> SHA-256, of every file; names that start with `skip` are left out, and
    run folders inside, which have checksums of their own."""
    digests = {}
    inner = tuple(f"{path.parent.relative_to(folder).as_posix()}/" for path in inner_runs(folder))
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith((*skip, *inner)) and "__lock" not in path.name:
            digests[name] = sha256(path)
    return digests


def inner_runs(folder: Path) -> list[Path]:
    """The `run.json` of every run folder directly inside a folder, whole ones only."""
    paths = sorted(folder.glob("*/run.json"))
    return [path for path in paths if not path.parent.name.startswith(".")]
