"""What is kept between processes, in the user's cache folder: compiled programs and tile widths."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import jax


def cache_folder() -> Path:
    """`$LRLAB_CACHE`, else `lrlab` in `$XDG_CACHE_HOME` or `~/.cache`."""
    given = os.environ.get("LRLAB_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lrlab"


def keep_compilations() -> None:
    """Lets JAX keep compiled programs in the cache folder, unless the user chose another place.

    A folder that cannot be written is no error: then every process compiles for itself.
    """
    if jax.config.jax_compilation_cache_dir is not None:
        return
    folder = cache_folder() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(folder, os.W_OK):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_compilation_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_compilation_cache_min_entry_size_bytes", 0)


def machine_name() -> str:
    """The processor or accelerator, as far as the tile width depends on it."""
    device = jax.devices()[0]
    if device.platform != "cpu":
        return f"{device.platform} {device.device_kind}"
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return f"cpu {model}"


def remembered(key: dict[str, Any]) -> int | None:
    """The tile width kept for `key`, or None."""
    try:
        entry = json.loads(_entry(key).read_text())
        return int(entry["tile_width"]) if entry["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(key: dict[str, Any], tile_width: int, timings: dict[str, float]) -> None:
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


def _entry(key: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / "plans" / f"{digest}.json"
