"""What `lrlab doctor` looks at. jax is asked in a process of its own: it is slow, and may fail."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple


class Check(NamedTuple):
    """One thing looked at; `state` is ok, missing (optional), note or broken."""

    what: str
    state: str
    words: str


_REQUIRED = (
    "jax", "jaxlib", "flax", "optax", "chex", "numpy", "scipy", "pydantic", "typer", "rich",
    "matplotlib", "scikit-learn", "zarr", "orbax-checkpoint", "tensorstore",
)  # fmt: skip
_OPTIONAL = (
    ("xarray", "xarray", "result.dataset() and `lrlab export -f nc`", "xarray"),
    ("datasets", "datasets", "data sources hf:...", "hf"),
    ("tensorflow_datasets", "tensorflow-datasets", "data sources tfds:...", "tfds"),
    ("openml", "openml", "data sources openml:...", "openml"),
)
_FASHION = ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz")
_DEVICES = """
import json, jax
found = jax.devices()
stats = getattr(found[0], "memory_stats", lambda: None)() or {}
print(json.dumps({"backend": jax.default_backend(), "count": len(found),
                  "kind": found[0].device_kind, "memory": stats.get("bytes_limit")}))
"""


def machine() -> list[Check]:
    """Versions, devices, optional features, data."""
    from lrlab import __version__

    checks = [
        Check("lrlab", "ok", __version__),
        Check("python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}"),
    ]
    checks += [_package(name) for name in _REQUIRED]
    checks += [_devices(), Check("cores", "ok", str(_cores()))]
    checks += [_feature(*entry) for entry in _OPTIONAL]
    checks.append(_accelerator())
    checks.append(_fashion_mnist())
    free = shutil.disk_usage(".").free
    state = "ok" if free > 1e9 else "note"
    checks.append(Check("disk", state, f"{free / 1e9:.1f} GB free in the working folder"))
    return checks


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "broken", f"not installed: pip install {name}")


def _feature(module: str, package: str, use: str, extra: str) -> Check:
    if importlib.util.find_spec(module) is None:
        return Check(package, "missing", f'for {use}: pip install "lrlab[{extra}]"')
    return Check(package, "ok", importlib.metadata.version(package))


def _cores() -> int:
    count = getattr(os, "sched_getaffinity", None)
    return len(count(0)) if count else os.cpu_count() or 1


def _devices() -> Check:
    command = [sys.executable, "-c", _DEVICES]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        return Check("devices", "broken", f"jax does not start: {error}")
    memory = f", {found['memory'] / 2**30:.1f} GiB each" if found.get("memory") else ""
    words = f"{found['count']} x {found['kind']} ({found['backend']}){memory}"
    return Check("devices", "ok", words)


def _accelerator() -> Check:
    """A GPU that jax does not use is the commonest surprise."""
    plugins = [
        entry.name
        for entry in importlib.metadata.entry_points(group="jax_plugins")
        if "cuda" in entry.name or "rocm" in entry.name
    ]
    if plugins:
        return Check("gpu support", "ok", ", ".join(plugins))
    if shutil.which("nvidia-smi"):
        words = 'there is an NVIDIA driver, but jax has no CUDA: pip install "lrlab[cuda13]"'
        return Check("gpu support", "note", words)
    return Check("gpu support", "missing", 'for NVIDIA GPUs: pip install "lrlab[cuda13]"')


def _fashion_mnist() -> Check:
    places = [os.environ.get("LRLAB_DATA"), "/usr/share/datasets/fashion-mnist"]
    for place in filter(None, places):
        for folder in (Path(place), Path(place) / "fashion-mnist", Path(place) / "fashion_mnist"):
            if any((folder / name).exists() for name in _FASHION):
                return Check("fashion-mnist", "ok", str(folder))
    words = "for task fashion-mnist: Debian's dataset-fashion-mnist, or LRLAB_DATA=folder"
    return Check("fashion-mnist", "missing", words)


def folder(run: Path) -> list[Check]:
    """What is in a run folder, and whether it can be read."""
    checks = [_json(run / "run.json"), _config(run / "config.toml")]
    manifest = checks[0].state == "ok" and json.loads((run / "run.json").read_text())
    status = manifest.get("status") if isinstance(manifest, dict) else None
    if status in ("running", "interrupted"):
        checks.append(Check("status", "note", f"{status}; go on with: lrlab resume {run}"))
    elif status:
        checks.append(Check("status", "ok" if status != "failed" else "note", str(status)))
    checks.append(_arrays(run))
    if (run / "summary.json").exists():
        checks.append(_json(run / "summary.json"))
    elif status not in ("running", "interrupted"):
        checks.append(Check("summary.json", "note", "absent: the run has no answer"))
    page = run / "report.html"
    words = "there" if page.exists() else f"absent; make it with: lrlab report {run}"
    checks.append(Check("report.html", "ok" if page.exists() else "note", words))
    return checks


def _json(path: Path) -> Check:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Check(path.name, "broken", str(error))
    return Check(path.name, "ok", f"{len(content)} entries")


def _config(path: Path) -> Check:
    from lrlab.config import ConfigError, digest, load

    try:
        experiment = load(path, command="preview")
    except ConfigError as error:
        return Check(path.name, "broken", str(error))
    return Check(path.name, "ok", f"digest {digest(experiment)[:12]}")


def _arrays(run: Path) -> Check:
    stores = sorted(run.rglob("*.zarr"))
    if not stores:
        return Check("history.zarr", "note", "absent: nothing was recorded yet")
    import zarr

    count = 0
    for store in stores:
        try:
            group = zarr.open_group(str(store), mode="r")
            for _, array in group.arrays():
                array[...]
                count += 1
        except Exception as error:  # any damage at all is what is looked for
            return Check(store.name, "broken", f"{type(error).__name__}: {error}")
    return Check("history.zarr", "ok", f"{count} arrays, all readable")
