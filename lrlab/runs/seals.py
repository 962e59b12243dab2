"""Files that are whole or absent: written beside their place, synced, and renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.core.paths import shown


class RunError(ValueError):
    """A run folder that cannot be used as asked; says which (`place`), why and what to do."""

    def __init__(self, place: str | Path, text: str = "") -> None:
        super().__init__(place, text)
        self.place, self.text = (place, text) if text else ("", str(place))

    def __str__(self) -> str:
        return f"{shown(self.place)}: {self.text}" if self.place else self.text


class Unwritable(RunError):
    """A run that could not be written (full disk, permission); what was committed still stands."""


FULL = 256 << 10
"""Fewer bytes free than this, and a write that failed did so because the disk is full."""


def why(error: BaseException, folder: Path) -> str:
    """Why something could not be written, in a few words: libraries tell it at length, and
    tensorstore has the system's error number in its text alone.

    >>> why(ValueError("INTERNAL: {...} [os_error_code='13']"), Path("."))
    'Permission denied'
    """
    code = re.search(r"os_error_code='(\d+)'", str(error))
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    if code is not None:
        return os.strerror(int(code[1]))
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < FULL:
            return os.strerror(errno.ENOSPC)
    words = str(error).strip().splitlines() or [type(error).__name__]
    return words[0][:200]


def write_text(path: Path, text: str) -> None:
    """Writes a text file in one instant: a crash leaves the old file or the new one, never half.

    Raises:
        Unwritable: the place cannot be written (permission, full disk).
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise Unwritable(path, f"cannot be written ({error.strerror or error})") from error


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes strict JSON (see `jsonable`) in one instant."""
    write_text(path, json.dumps(jsonable(value), indent=1, allow_nan=False) + "\n")


def write_sealed(path: Path, value: Mapping[str, Any], skip: Sequence[str] = ()) -> None:
    """Writes JSON with a checksum of itself in the field `seal`; fields in `skip` do not count."""
    content = jsonable(value)
    write_json(path, {**content, "seal": seal(content, skip)})


def read_sealed(path: Path, skip: Sequence[str] = ()) -> dict[str, Any]:
    """A JSON object whose seal holds. Files from before format 2 have none.

    Raises:
        RunError: absent, damaged, or not as lrlab wrote it.
    """
    content = read_json(path)
    unsealed = int_or(content.get("format"), 2) < 2 or not {"format", "seal"} & set(content)
    if not unsealed and content.get("seal") != seal(content, skip):
        raise RunError(path, "damaged or changed since it was written (its seal is broken)")
    return content


def seal(content: Mapping[str, Any], skip: Sequence[str] = ()) -> str:
    """SHA-256 over a JSON object, its `seal` and `skip` apart.

    >>> seal({"a": 1, "status": "x"}, ["status"]) == seal({"a": 1, "seal": "old"})
    True
    """
    kept = {key: value for key, value in content.items() if key not in ("seal", *skip)}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def int_or(value: Any, default: int) -> int:
    """`value` where it is a whole number, else `default`."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        RunError: absent or damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(path, "missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(path, f"damaged or unreadable ({error})") from None
    if not isinstance(value, dict):
        raise RunError(path, "damaged (not a JSON object)")
    return value


def jsonable(value: Any) -> Any:
    """`value` in what JSON knows: arrays become lists, nan and inf become null.

    >>> jsonable({"a": np.array([1.0, np.nan]), "b": (np.int64(2), None)})
    {'a': [1.0, None], 'b': [2, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, (list, tuple, set)):
        return [jsonable(entry) for entry in value]
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (np.bool_,)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return str(value)


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder durable, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """The checksum of a file."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def sync_tree(folder: Path) -> None:
    """Makes everything under a folder durable."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def checksums(folder: Path, skip: tuple[str, ...] = ()) -> dict[str, str]:
    """Path under `folder` -> SHA-256, of every file; names that start with `skip` left out, and
    run folders inside, which have checksums of their own."""
    found = {}
    inner = tuple(f"{path.parent.relative_to(folder).as_posix()}/" for path in inner_runs(folder))
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith((*skip, *inner)) and "__lock" not in path.name:
            found[name] = sha256(path)
    return found


def inner_runs(folder: Path) -> list[Path]:
    """The `run.json` of every run folder directly inside a folder; none that is half made."""
    found = sorted(folder.glob("*/run.json"))
    return [path for path in found if not path.parent.name.startswith(".")]
