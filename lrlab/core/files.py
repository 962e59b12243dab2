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
from collections.abc import Mapping
from pathlib import Path

from lrlab.core.errors import RunError, Unwritable
from lrlab.core.text import Json, JsonObject, Table

FULL = 256 << 10
"""Bytes. Where fewer are free on the disk, a write that failed without a cause met a full one."""


def why(error: BaseException, folder: Path) -> str:
    """Why something could not be written, in a few words: libraries report it at length, and
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
        with open(part, "w", encoding="utf-8", newline="\n") as file:  # the same bytes everywhere
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise Unwritable(path, f"cannot be written ({error.strerror or error})") from error


def write_json(path: Path, value: Table) -> None:
    """Writes strict JSON (see `jsonable`) in one instant."""
    write_text(path, json.dumps(jsonable(value), indent=1, allow_nan=False) + "\n")


def int_or(value: object, default: int) -> int:
    """`value` where it is a whole number, else `default`."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def read_json(path: Path) -> JsonObject:
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


def jsonable(value: object) -> Json:
    """`value` in what JSON knows: arrays become lists, tuples with names objects, nan and inf null.

    >>> import numpy as np
    >>> jsonable({"a": np.array([1.0, np.nan]), "b": (np.int64(2), float("inf"))})
    {'a': [1.0, None], 'b': [2, None]}
    """
    asdict, tolist = getattr(value, "_asdict", None), getattr(value, "tolist", None)
    if asdict is not None:
        value = asdict()
    elif tolist is not None and hasattr(value, "dtype"):  # of NumPy or JAX
        value = tolist()
    if isinstance(value, Mapping):
        return json_object(value)
    if isinstance(value, (list, tuple, set)):
        return [jsonable(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def json_object(table: Table) -> JsonObject:
    """A mapping in what JSON knows; see `jsonable`."""
    return {str(key): jsonable(entry) for key, entry in table.items()}


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


def rename_folder(source: Path, target: Path) -> None:
    """Renames a folder to a place where there is nothing, or an empty folder.

    Raises:
        OSError: something is there.
    """
    try:
        os.rename(source, target)
    except FileExistsError:  # Windows renames onto no folder, however empty
        target.rmdir()
        os.rename(source, target)


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
            with open(path, "r+b") as file:  # Windows syncs only what is open for writing
                os.fsync(file.fileno())
    sync_folder(folder)
