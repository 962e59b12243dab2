"""The runs of the soak: their configurations, a process that trains them, what they end with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

KINDS = {"sweep": "sweep", "find": "find", "range-test": "range-test", "compare": "compare",
         "timed": "find"}  # fmt: skip
"""Kind of run -> its command. `timed`: a search whose budget is a time."""

CONFIG = """
steps = 240
batch_size = 16
seeds = 2
task.name = "iris-linear"
optimizer.name = "momentum"
schedule.name = "cosine"
eval_every = 12
plan = {tile_width = 2, segment_steps = 6}
"""

OWN = {
    "sweep": "lr = [1e-3, 0.03, 0.3, 1e3, 1e38]\n",
    "find": "budget = 12\nlr_range = [1e-3, 10.0]\n",
    "range-test": "range_test = {num_steps = 240, seeds = 3, batch_size = 16}\n",
    "compare": 'budget = 8\ncompare = {a = {optimizer = "sgd"}, b = {optimizer = "adam"}}\n',
    "timed": 'budget = "3s"\nlr_range = [1e-3, 10.0]\n',
}

PHASES = {"s": "start-up", "t": "training", "f": "finishing"}
"""What a worker's child was about, by the letter that it leaves."""

# One process serves many rounds: it forks a child that trains, which is what gets killed. Importing
# jax takes longer than the training does, so a fork before the first JAX operation is what makes
# hundreds of rounds possible.
WORKER = """
import os, sys, importlib
import lrlab.api, lrlab.engine, lrlab.search, lrlab.runs.recorder as stage
import lrlab.report, lrlab.workflows.report
import orbax.checkpoint, tensorstore, sklearn.datasets
from lrlab.cli.app import run
from pytest import MonkeyPatch
patch = MonkeyPatch()
patch.setattr(stage, "INTERVAL", 0.0)
patch.setattr(lrlab.workflows.report, "write_report", lambda *a, **k: None)
phase = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)

def marked(letter, function):
    def call(*given, **more):
        os.pwrite(phase, letter, 0)
        return function(*given, **more)
    return call

from lrlab.engine import loop
from lrlab.runs.folder import Run
patch.setattr(loop, "train_segment", marked(b"t", loop.train_segment))
patch.setattr(Run, "finish", marked(b"f", Run.finish))
for line in sys.stdin:
    arguments = line.split()
    os.pwrite(phase, b"s", 0)
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(arguments[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        status = 3
        try:
            status = run(arguments[1:])
        finally:
            os._exit(status)
    print(child, flush=True)
    _, code = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(code), flush=True)
"""


class Ended(NamedTuple):
    """A command's end: status (-9: killed), processor seconds, what it was about (`PHASES`)."""

    status: int
    seconds: float
    phase: str


class Worker:
    """A process that runs lrlab commands in children of its own, one at a time."""

    def __init__(self, place: Path) -> None:
        # A cache of its own, so that planning and compiled programs are the same in every round.
        environment = {**os.environ, "LRLAB_CACHE": str(place / "cache"), "MPLBACKEND": "Agg"}
        self.errors, self.phase = place / "errors.txt", place / "phase"
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(self.phase)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=place,
        )

    def run(self, *arguments: str, kill_after: float | None = None, delay: float = 0.0) -> Ended:
        """Runs a command; kills it `delay` seconds after it has used `kill_after` seconds of the
        processor. Wall time would hit other instants where others use the machine too, and the
        delay hits those at which it only waits for the disk."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(" ".join([str(self.errors), *arguments]) + "\n")
        self.process.stdin.flush()
        child, used = int(self.process.stdout.readline()), 0.0
        while (now := processor_seconds(child)) is not None:
            used = now
            if kill_after is not None and used >= kill_after:
                time.sleep(delay)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                break
            time.sleep(0.002)
        status = int(self.process.stdout.readline())
        return Ended(status, used, PHASES[self.phase.read_text()[:1]])

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def processor_seconds(process: int) -> float | None:
    """What a process has used, all threads; None once it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def config_for(kind: str, place: Path) -> Path:
    """The configuration of a kind of run, as a file."""
    path = place / f"{kind}.toml"
    path.write_text(CONFIG + OWN[kind])
    return path


def folders(run: Path) -> list[Path]:
    """The run folders of a run: itself, or those of a comparison's entries."""
    inner = [path.parent for path in sorted(run.glob("*/run.json"))]
    return inner or [run]


def numbers(run: Path) -> dict[str, Any]:
    """Everything that must not depend on how often a run was killed: every array of every stage,
    the final states, and the answer without its times."""
    from lrlab.runs import stages
    from lrlab.runs.checkpoint import load_checkpoint
    from lrlab.runs.reader import read_stage
    from lrlab.runs.seals import read_sealed

    found: dict[str, Any] = {}
    for folder in folders(run):
        for name in stages(folder):
            where = f"{folder.name if folder != run else ''}/{name}/"
            record = read_stage(folder, name)._replace(seconds=0.0)
            fields = {**record._asdict(), "metrics": record.history | record.evaluated}
            for key, value in fields.items():
                parts = value if isinstance(value, dict) else {"": value}
                found |= {f"{where}{key} {part}": np.asarray(v) for part, v in parts.items()}
            place = folder / "stages" / name if name else folder
            states = load_checkpoint(place, read_sealed(place / "commit.json"))
            found |= {f"{where}states {key}": np.asarray(value) for key, value in states.items()}
    answer = json.loads((run / "summary.json").read_text())
    found["answer"] = json.dumps(timeless(answer), sort_keys=True)
    return found


def timeless(value: Any) -> Any:
    """An answer without its seconds and its place."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in ("seconds", "run", "runs")}
        return {key: timeless(entry) for key, entry in kept.items()}
    return [timeless(entry) for entry in value] if isinstance(value, list) else value


def apart(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The first thing in which two runs differ, or ""."""
    for name in sorted({*one, *other}):
        if name not in one or name not in other:
            return f"{name} is missing"
        a, b = one[name], other[name]
        if isinstance(a, str):
            if a != b:
                return name
        elif a.shape != b.shape or a.dtype != b.dtype or a.tobytes() != b.tobytes():
            return name
    return ""


def commits(run: Path) -> dict[str, tuple[Any, ...]]:
    """How far each stage is: (complete, cohort, step) by place, as the folder says now."""
    from lrlab.runs.seals import read_sealed

    found = {}
    for path in run.rglob("commit.json"):
        commit = read_sealed(path)
        info = commit["info"]
        found[str(path)] = (bool(commit["complete"]), info["cohort"], info["step"])
    return found
