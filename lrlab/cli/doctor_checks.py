"""What `lrlab doctor` looks at. jax runs in a process of its own: it is slow, and may fail."""

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
from typing import Literal, NamedTuple

from lrlab import __version__, runs
from lrlab.core.extras import install
from lrlab.core.figures import FAILED
from lrlab.core.paths import shown
from lrlab.runs import RunError, Unwritable, zarr_arrays


class Check(NamedTuple):
    """One thing that was examined. Only what is optional can be missing."""

    what: str
    state: Literal["ok", "missing", "note", "broken"]
    words: str


MIN_FREE = 1e9
"""Bytes free on the disk below which that is worth a note: a few long runs."""

_REQUIRED = (
    "jax", "jaxlib", "flax", "optax", "chex", "numpy", "scipy", "pydantic", "typer", "rich",
    "matplotlib", "scikit-learn", "zarr", "orbax-checkpoint", "tensorstore", "filelock",
)  # fmt: skip
_OPTIONAL = (
    ("xarray", "xarray", "result.to_xarray() and `lrlab export -f nc`", "xarray"),
    ("pandas", "pandas", "result.to_pandas()", "pandas"),
    ("pyarrow", "pyarrow", "`lrlab export -f parquet`", "pandas"),
    ("optuna", "optuna", "`lrlab import optuna`", "optuna"),
    ("datasets", "datasets", "data sources hf:...", "hf"),
    ("tensorflow_datasets", "tensorflow-datasets", "data sources tfds:...", "tfds"),
    ("safetensors", "safetensors", "weights from *.safetensors", "safetensors"),
    ("openml", "openml", "data sources openml:...", "openml"),
)
_FASHION = ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz")
_DEVICES = """
import json, jax
devices = jax.devices()
stats = getattr(devices[0], "memory_stats", lambda: None)() or {}
print(json.dumps({"backend": jax.default_backend(), "count": len(devices),
                  "kind": devices[0].device_kind, "memory": stats.get("bytes_limit")}))
"""


def machine() -> list[Check]:
    """Versions, devices, optional features, data."""
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
    words = f"{free / 1e9:.1f} GB free in the working folder"
    checks.append(Check("disk", "ok" if free > MIN_FREE else "note", words))
    return checks


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "broken", f"not installed: pip install {name}")


def _feature(module: str, package: str, use: str, extra: str) -> Check:
    if importlib.util.find_spec(module) is None:
        return Check(package, "missing", f"for {use}: {install(extra)}")
    return Check(package, "ok", importlib.metadata.version(package))


def _cores() -> int:
    count = getattr(os, "sched_getaffinity", None)
    return len(count(0)) if count else os.cpu_count() or 1


def _devices() -> Check:
    command = [sys.executable, "-c", _DEVICES]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        devices = json.loads(ran.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        return Check("devices", "broken", f"jax does not start: {error}")
    memory = f", {devices['memory'] / 2**30:.1f} GiB each" if devices.get("memory") else ""
    words = f"{devices['count']} x {devices['kind']} ({devices['backend']}){memory}"
    return Check("devices", "ok", words)


def jax_in_short() -> str:
    """jax's version and what it computes on, as far as that is known without starting it: without
    support for an accelerator, or set so by `JAX_PLATFORMS`, it is the CPU."""
    try:
        version = f"jax {importlib.metadata.version('jax')}"
    except importlib.metadata.PackageNotFoundError:
        return "jax is not installed: pip install jax"
    wanted = os.environ.get("JAX_PLATFORMS", "")
    support = _plugins()
    if importlib.util.find_spec("libtpu") is not None:
        support.append("tpu")
    if wanted:
        return f"{version}, on {wanted} by JAX_PLATFORMS"
    if support:
        return f"{version} with {', '.join(support)}; `lrlab doctor` names the devices"
    return f"{version}, CPU with {_cores()} {'core' if _cores() == 1 else 'cores'}"


def _plugins() -> list[str]:
    """The installed support of jax for accelerators."""
    return [entry.name for entry in importlib.metadata.entry_points(group="jax_plugins")]


def _accelerator() -> Check:
    """A GPU that jax does not use is the commonest surprise."""
    plugins = [name for name in _plugins() if "cuda" in name or "rocm" in name]
    if plugins:
        return Check("gpu support", "ok", ", ".join(plugins))
    if shutil.which("nvidia-smi"):
        words = f"there is an NVIDIA driver, but jax has no CUDA: {install('cuda13')}"
        return Check("gpu support", "note", words)
    return Check("gpu support", "missing", f"for NVIDIA GPUs: {install('cuda13')}")


def _fashion_mnist() -> Check:
    places = [os.environ.get("LRLAB_DATA"), "/usr/share/datasets/fashion-mnist"]
    for place in filter(None, places):
        for folder in (Path(place), Path(place) / "fashion-mnist", Path(place) / "fashion_mnist"):
            if any((folder / name).exists() for name in _FASHION):
                return Check("fashion-mnist", "ok", str(folder))
    words = "for task fashion-mnist: Debian's dataset-fashion-mnist, or LRLAB_DATA=folder"
    return Check("fashion-mnist", "missing", words)


def folder(run: Path) -> list[Check]:
    """What is in a run folder, what is damaged, what that means, and what still can be used."""
    try:
        info = runs.read_info(run)
    except RunError:
        info = {}  # the findings say so
    checks = [
        Check(name, "broken", f"{problem}; {consequence}")
        for name, problem, consequence in runs.check(run)
    ]
    damaged = bool(checks)
    status = info.get("status")
    if status in ("running", "interrupted", "failed"):
        in_use = status == "running" and _in_use(run)
        words = "running now" if in_use else f"{status}; {runs.onward(run)}"
        checks.append(Check("status", "note", words))
    elif status:
        checks.append(Check("status", "ok", str(status)))
    if not damaged:
        checks.append(_contents(run, runs.finished(info)))
    if runs.stages(run) or runs.inner_runs(run):
        page = (run / "report.html").exists()
        words = "there" if page else f"absent; make it with: lrlab report {shown(run)}"
        checks.append(Check("report.html", "ok" if page else "note", words))
        if (failed := run / "figures" / FAILED).exists():
            words = (
                f"could not be drawn: {shown(failed)} says why; again: lrlab report {shown(run)}"
            )
            checks.append(Check("figures", "note", words))
    return checks


def _in_use(run: Path) -> bool:
    try:
        runs.refuse_in_use(run)
    except Unwritable:  # nobody writes where nobody may
        return False
    except RunError:
        return True
    return False


def _contents(run: Path, finished: bool) -> Check:
    """Of a run without damage: what was examined."""
    files = [path for path in run.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    stores = [path for path in run.rglob("history.zarr") if path.is_dir()]
    arrays = sum(len(zarr_arrays.names(store)) for store in stores)
    how = "every file has its checksum" if finished else "every chunk and seal holds"
    if not runs.stages(run) and not runs.inner_runs(run):
        how = "nothing is recorded yet"
    words = f"{arrays} arrays, {len(files)} files, {size / 1e6:,.1f} MB: {how}"
    return Check("contents", "ok", words)
