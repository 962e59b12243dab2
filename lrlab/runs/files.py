"""Files that are whole or absent: written beside their place, synced, and renamed."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


class RunError(ValueError):
    """A run folder that cannot be used as asked; says which, why and what to do."""


def write_text(path: Path, text: str) -> None:
    """Writes a text file in one instant: a crash leaves the old file or the new one, never half.

    Raises:
        RunError: the place cannot be written (permission, full disk).
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
        part.unlink(missing_ok=True)
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes strict JSON (see `jsonable`) in one instant."""
    write_text(path, json.dumps(jsonable(value), indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        RunError: absent or damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path}: missing") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: damaged or unreadable ({error})") from None
    if not isinstance(value, dict):
        raise RunError(f"{path}: damaged (not a JSON object)")
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


def checksums(folder: Path, skip: tuple[str, ...] = ()) -> dict[str, str]:
    """Path under `folder` -> SHA-256, of every file; names that start with `skip` left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(skip):
            found[name] = sha256(path)
    return found
