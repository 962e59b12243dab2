"""What is kept between processes, in the user's cache folder: compiled programs and tile widths."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import tempfile
from pathlib import Path

import jax

from lrlab.core.paths import cache_folder

Key = dict[str, str | int]
"""What a tile width is kept for."""

MAX_BYTES = 512 << 20
"""What compiled programs may take in the folder; those that were not used for longest go first. A
program of a small model has 0.1 MB, and a search five of them: the machine remembers about a
thousand experiments."""

CHECKED_EVERY = 32
"""After so many new programs their sizes are looked at: that takes milliseconds in a full folder.
"""


def kept_program(name: str) -> bytes | None:
    """A compiled program of an earlier process, or None.

    A program is machine code: it is taken only from a folder and a file that belong to this user
    and that nobody else may write.
    """
    path = cache_folder() / "compiled" / name
    try:
        with open(path, "rb") as file:
            if not (_own(os.stat(path.parent)) and _own(os.fstat(file.fileno()))):
                return None
            content = file.read()
        digest, payload = content[:32], content[32:]
        if hashlib.sha256(payload).digest() != digest:
            return None
        os.utime(path)
        return payload
    except OSError:
        return None


def keep_program(name: str, payload: bytes) -> None:
    """Keeps a compiled program; a folder that cannot be written is no error.

    Only the user may read and write the folder: what lies there is run as machine code.
    """
    folder = cache_folder() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _own(os.stat(folder)):
            return
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(hashlib.sha256(payload).digest() + payload)
        os.replace(file.name, folder / name)
        if len(os.listdir(folder)) % CHECKED_EVERY == 0:
            _forget_oldest(folder)
    except OSError:
        return


def _forget_oldest(folder: Path) -> None:
    """Removes programs, the oldest first, until the folder keeps to `MAX_BYTES`."""
    with os.scandir(folder) as entries:
        kept = [(entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in entries]
    left = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if left <= MAX_BYTES:
            return
        Path(path).unlink(missing_ok=True)
        left -= size


def _own(status: os.stat_result) -> bool:
    """Whether a file or folder is this user's, and no other's to write."""
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def instructions() -> str:
    """What the processor can do: a program compiled for more must not run here."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith(("flags", "Features")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""


@functools.lru_cache(maxsize=1)
def machine_name() -> str:
    """The processor or accelerator, as far as the tile width depends on it."""
    device = jax.devices()[0]
    if device.platform != "cpu":
        return f"{device.platform} {device.device_kind}"
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return f"cpu {model}"


def remembered(key: Key) -> int | None:
    """The tile width kept for `key`, or None."""
    try:
        entry = json.loads(_entry(key).read_text("utf-8"))
        return int(entry["tile_width"]) if entry["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(key: Key, tile_width: int, timings: dict[str, float]) -> None:
    """Keeps the tile width for `key`; a cache that cannot be written is no error."""
    path = _entry(key)
    text = json.dumps({"key": key, "tile_width": tile_width, "lane_steps_per_second": timings})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(text)
        os.replace(file.name, path)
    except OSError:
        return


def _entry(key: Key) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / "plans" / f"{digest}.json"
