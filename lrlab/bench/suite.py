"""The whole benchmark: workload by workload, with what it ran on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from lrlab import __version__
from lrlab.bench.jax_ways import flops_per_lane_step
from lrlab.bench.measure import Say, measure
from lrlab.bench.workloads import NAMES, PACKAGES, WAYS, workload
from lrlab.core.extras import install
from lrlab.core.text import JsonObject
from lrlab.engine.cache import machine_name
from lrlab.engine.devices import cores as available_cores


def run(
    names: Sequence[str] | None = None,
    *,
    ways: Sequence[str] | None = None,
    repeats: int = 5,
    cores: int | None = None,
    torch: str | None = None,
    say: Say = lambda line: None,
) -> JsonObject:
    """Measures workloads and gives the bench's JSON object.

    Args:
        names: workloads (`NAMES`, "grid-SIZE"); None for all of `NAMES`.
        ways: names of `WAYS`; None for all that can run here. lrlab is always among them.
        repeats: steady runs per way; the median counts.
        cores: how many cores each way may use; None for all.
        torch: a Python interpreter that has PyTorch; None: this one, where it has it.
        say: called with a line for every run.

    Returns:
        {machine, versions, date, workloads: [{name, ways: [{name, first_s, steady_s, gflops,
        peak_share, peak_rss_bytes, ratio, ...}]}]}. Times in seconds, `ratio` over lrlab's time.

    Raises:
        ValueError: unknown names, or fewer than one repeat or core.
    """
    chosen = [workload(name) for name in names or NAMES]
    unknown = sorted(set(ways or ()) - set(WAYS))
    if unknown:
        raise ValueError(f"there is no way {unknown[0]!r}; known: {', '.join(WAYS)}")
    cores = cores or available_cores()
    if repeats < 1 or cores < 1:
        raise ValueError(f"repeats and cores must be at least 1, got {repeats} and {cores}")
    interpreter = torch or sys.executable
    torch_version = version_of("torch", interpreter)
    if torch and torch_version is None:
        raise ValueError(
            f"{torch} is no Python interpreter with PyTorch; there: {install('bench')}"
        )
    results = []
    for work in chosen:
        wanted = [way for way in work.ways if ways is None or way in ways or way == "lrlab"]
        wanted = [way for way in wanted if _available(way, work.name, torch_version, say)]
        results.append(
            measure(
                work,
                wanted,
                repeats=repeats,
                cores=cores,
                torch=interpreter if torch_version else None,
                flops=flops_per_lane_step,
                say=say,
            )
        )
    return {
        "machine": machine(cores),
        "versions": {**versions(), "torch": torch_version},
        "date": datetime.date.today().isoformat(),
        "repeats": repeats,
        "workloads": results,
    }


def _available(way: str, name: str, torch_version: str | None, say: Say) -> bool:
    """Whether a way's package is installed; says where it is not."""
    package = PACKAGES.get(way)
    missing = package is not None and (
        torch_version is None if package == "torch" else find_spec(package) is None
    )
    if missing:
        say(f"{name}: {way} is left out: {package} is not installed; {install('bench')}")
    return not missing


def machine(cores: int) -> str:
    """The processor, the cores in use, and the system."""
    system = f"{platform.system()} {platform.machine()}"
    return f"{machine_name().removeprefix('cpu ')}, {cores} of {os.cpu_count()} cores, {system}"


def versions() -> dict[str, str]:
    """Versions of lrlab and of what it computes with."""
    packages = {
        name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax")
    }
    return {"lrlab": __version__, "python": platform.python_version(), **packages}


def version_of(package: str, interpreter: str) -> str | None:
    """The version of a package in another interpreter; None where it has none."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    try:
        done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
