"""The soak: kills, damage, a full disk, and endurance, on real runs. Not part of the default tests.

    python tests/soak.py kill --rounds 200      a sweep and a search, killed at random instants
    python tests/soak.py damage --cases 1000    run folders damaged at random
    python tests/soak.py disk                   a disk that fills up at random places
    python tests/soak.py endure --minutes 60    10,000 segments and more, at constant memory

Every part prints what it counted and ends with status 1 where a bar is missed. `tests/test_soak.py`
runs a few rounds of each. --seed changes what is random, --seconds ends a part early (what was
counted is printed all the same).
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

COMMANDS = ("sweep", "find", "range-test", "compare")

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
}

# One process serves many rounds: it forks a child that trains, which is what gets killed. Importing
# jax takes longer than the training does, so a fork before the first JAX operation is what makes
# hundreds of rounds possible.
WORKER = """
import os, sys, importlib
import lrlab.api, lrlab.engine, lrlab.search, lrlab.runs.stage as stage, lrlab.report
import orbax.checkpoint, tensorstore, sklearn.datasets
from lrlab.cli.app import run
stage.INTERVAL = 0.0
stage.Stage.__init__.__defaults__ = (0.0,)
lrlab.api.write_report = lambda *a, **k: None
for line in sys.stdin:
    arguments = line.split()
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


class Worker:
    """A process that runs lrlab commands in children of its own, one at a time."""

    def __init__(self, place: Path) -> None:
        # A cache of its own, so that planning and compiled programs are the same in every round.
        environment = {**os.environ, "LRLAB_CACHE": str(place / "cache"), "MPLBACKEND": "Agg"}
        self.errors = place / "errors.txt"
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=place,
        )

    def run(self, *arguments: str, kill_after: float | None = None) -> tuple[int, float]:
        """Exit status of a command (-9: killed, after `kill_after` seconds) and its seconds."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(" ".join([str(self.errors), *arguments]) + "\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        began = time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return int(self.process.stdout.readline()), time.monotonic() - began

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def config_for(command: str, place: Path) -> Path:
    """The configuration of a command, as a file."""
    path = place / f"{command}.toml"
    path.write_text(CONFIG + OWN[command])
    return path


def folders(run: Path) -> list[Path]:
    """The run folders of a run: itself, or those of a comparison's entries."""
    inner = [path.parent for path in sorted(run.glob("*/run.json"))]
    return inner or [run]


def numbers(run: Path) -> dict[str, Any]:
    """Everything that must not depend on how often a run was killed: every array of every stage,
    the final states, and the answer without its times."""
    import json

    from lrlab.runs import stages
    from lrlab.runs.checkpoint import load_checkpoint
    from lrlab.runs.files import read_sealed
    from lrlab.runs.stored import read_stage

    found: dict[str, Any] = {}
    for folder in folders(run):
        for name in stages(folder):
            where = f"{folder.name if folder != run else ''}/{name}/"
            stage = read_stage(folder, name)._asdict()
            for key, value in stage.items():
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
    from lrlab.runs.files import read_sealed

    found = {}
    for path in run.rglob("commit.json"):
        commit = read_sealed(path)
        info = commit["info"]
        found[str(path)] = (bool(commit["complete"]), info["cohort"], info["step"])
    return found


def kill(rounds: int, seed: int, commands: tuple[str, ...], seconds: float) -> Counter[str]:
    """Runs killed at random instants, until they end: each must equal the run left alone.

    A round is one kill. A run is killed and resumed again and again, so that most are interrupted
    several times; after every kill the folder must be resumable and no commit may be lost.
    """
    from lrlab.runs import check

    rng, counted, end = random.Random(seed), Counter[str](), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as root:
        place = Path(root)
        worker = Worker(place)
        whole, lasts = {}, {}
        for command in commands:
            config = config_for(command, place)
            alone = place / f"{command}-alone"
            for _ in range(2):  # the second time, programs come from the cache
                shutil.rmtree(alone, ignore_errors=True)
                status, lasts[command] = worker.run(command, str(config), "--out", str(alone))
                assert status == 0, worker.errors.read_text()[-2000:]
            whole[command] = numbers(alone)
        print({name: round(last, 2) for name, last in lasts.items()}, "seconds alone", flush=True)
        number = 0
        while counted["kills"] < rounds and time.monotonic() < end:
            command = commands[number % len(commands)]
            number += 1
            run, config = place / f"run{number}", place / f"{command}.toml"
            start = (command, str(config), "--out", str(run))
            before: dict[str, Any] = {}
            while True:
                arguments = ("resume", str(run)) if (run / "run.json").exists() else start
                after = rng.uniform(0.0, lasts[command]) if counted["kills"] < rounds else None
                status, took = worker.run(*arguments, kill_after=after)
                if status == 0:
                    lasts[command] = min(lasts[command], took)  # others use this machine too
                    break
                if status != -signal.SIGKILL:
                    counted["failed"] += 1
                    print(command, status, worker.errors.read_text()[-1000:], flush=True)
                    break
                counted["kills"] += 1
                now = commits(run) if run.exists() else {}
                if any(name not in now or now[name] < done for name, done in before.items()):
                    counted["commits lost"] += 1
                before = now
                if now and check(run):
                    counted["damaged by a kill"] += 1
                    print(command, check(run), flush=True)
            counted[f"{command} runs"] += 1
            first = apart(whole[command], numbers(run)) if status == 0 else "did not end"
            counted["identical" if not first else "different"] += 1
            print(f"{command} {run.name}: {first or 'identical'}; {dict(counted)}", flush=True)
            shutil.rmtree(run, ignore_errors=True)
        worker.close()
    return counted


def damaged(victim: Path, rng: random.Random) -> str:
    """Does something bad to a file; what, in words."""
    content = bytearray(victim.read_bytes())
    kind = rng.choice(("cut", "flip", "flip", "byte", "gone", "empty", "longer", "zeros"))
    if kind == "gone":
        victim.unlink()
        return kind
    if kind == "cut" and content:
        content = content[: rng.randrange(len(content))]
    elif kind == "flip" and content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif kind == "byte" and content:
        content[rng.randrange(len(content))] = rng.randrange(256)
    elif kind == "empty":
        content = bytearray()
    elif kind == "longer":
        content += bytes(rng.randrange(256) for _ in range(rng.randint(1, 40)))
    elif kind == "zeros" and content:
        at = rng.randrange(len(content))
        content[at : at + 512] = bytes(len(content[at : at + 512]))
    victim.write_bytes(bytes(content))
    return kind


def damage(cases: int, seed: int, seconds: float) -> Counter[str]:
    """Finished and interrupted runs with one random damage each: found by the doctor, or harmless.

    Harmless: everything that the readers give (arrays, answer, config) is what it was. Whatever the
    readers refuse, they refuse with `RunError` or another ValueError.
    """
    import lrlab
    from lrlab import api, config, runs
    from lrlab.report import read

    rng, counted, end = random.Random(seed), Counter[str](), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as root:
        place = Path(root)
        made = {}
        for command in ("sweep", "find"):
            experiment = config.load(config_for(command, place), command=command)
            api.run(command, experiment, out=str(place / command), progress=False)
            made[command] = place / command
        made["unfinished"] = unfinished(place)

        def seen(path: Path) -> tuple[Any, ...]:
            data = read(path)
            values: list[Any] = [data.lr, data.seeds, data.train_loss, data.outcome]
            values += [*data.evaluated.values(), *data.history.values(), *data.initial.values()]
            answer = repr(timeless(data.answer))
            result = lrlab.load(path)
            values += [result.steps_trained, result.diverged_at, result.last_loss]
            return tuple(np.asarray(v).tobytes() for v in values), answer, data.config_text

        good = {name: seen(path) for name, path in made.items()}
        while counted["cases"] < cases and time.monotonic() < end:
            name = rng.choice(list(made))
            files = sorted(path for path in made[name].rglob("*") if path.is_file())
            kept = [path for path in files if path.name != "lock"]
            chosen = rng.choice(kept).relative_to(made[name])
            copy = place / "copy"
            shutil.copytree(made[name], copy)
            kind = damaged(copy / chosen, rng)
            counted["cases"] += 1
            same = (copy / chosen).exists() and (copy / chosen).read_bytes() == (
                made[name] / chosen
            ).read_bytes()
            try:
                found = bool(runs.check(copy))
            except runs.RunError:
                found = True
            except Exception as error:
                found = False
                counted["doctor crashed"] += 1
                print(name, chosen, kind, repr(error), flush=True)
            try:
                read_well = seen(copy) == good[name]
                counted["read as before" if read_well else "read otherwise"] += 1
                if not read_well and not found:
                    counted["silently wrong"] += 1
                    print("silently wrong:", name, chosen, kind, flush=True)
                elif not read_well:
                    counted["read otherwise, the doctor says so"] += 1
                    print("read otherwise:", name, chosen, kind, flush=True)
            except ValueError:
                read_well = False
                counted["refused"] += 1
                if not found:
                    counted["refused but not found"] += 1
                    print("refused but not found:", name, chosen, kind, flush=True)
            except Exception as error:
                counted["reader crashed"] += 1
                print("crashed:", name, chosen, kind, repr(error)[:300], flush=True)
            counted["found" if found else "no change" if same else "harmless"] += 1
            shutil.rmtree(copy)
    return counted


def unfinished(place: Path) -> Path:
    """A sweep that was interrupted in the middle."""
    import contextlib

    from lrlab import api, config
    from lrlab.api import jobs
    from lrlab.engine.loop import Interrupted
    from lrlab.runs.stage import Stage

    experiment = config.load(config_for("sweep", place), command="sweep")
    asked: list[int] = []
    before, interval = jobs.interruptible, Stage.__init__.__defaults__
    Stage.__init__.__defaults__ = (0.0,)
    jobs.interruptible = lambda: contextlib.nullcontext(lambda: len(asked) > 20 or asked.append(1))  # type: ignore[assignment]
    try:
        api.run("sweep", experiment, out=str(place / "unfinished"), progress=False)
    except Interrupted:
        pass
    finally:
        jobs.interruptible, Stage.__init__.__defaults__ = before, interval
    return place / "unfinished"


def disk(rounds: int, seed: int, seconds: float) -> Counter[str]:
    """A file system of 1 MiB (or less) that fills up while a run writes; then it gets room.

    Needs the right to mount a tmpfs; otherwise the largest file is limited (RLIMIT_FSIZE), at which
    writing fails in the same places.
    """
    rng, counted, end = random.Random(seed), Counter[str](), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as root:
        place = Path(root)
        worker = Worker(place)
        config = config_for("sweep", place)
        alone = place / "alone"
        for _ in range(2):
            shutil.rmtree(alone, ignore_errors=True)
            assert worker.run("sweep", str(config), "--out", str(alone))[0] == 0
        whole = numbers(alone)
        size = sum(path.stat().st_size for path in alone.rglob("*") if path.is_file())
        small = place / "small"
        small.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
        counted["tmpfs" if mounted else "not mounted"] = 1
        while counted["rounds"] < rounds and time.monotonic() < end and mounted:
            room = int(rng.uniform(0.2, 4.0) * size)
            resized = f"remount,size={max(4096, room)}"
            subprocess.run(["mount", "-o", resized, str(small)], check=True)
            run = small / "run"
            worker.errors.write_text("")
            status, _ = worker.run("sweep", str(config), "--out", str(run))
            told = worker.errors.read_text()
            counted["rounds"] += 1
            counted["status 0" if status == 0 else f"status {status}"] += 1
            if status != 0:
                clear = "space" in told and "Traceback" not in told
                counted["told clearly" if clear and status in (2, 3) else "told badly"] += 1
                if not (clear and status in (2, 3)):
                    print(status, told[-600:], flush=True)
                subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
                there = (run / "run.json").exists()
                again = ("resume", str(run)) if there else ("sweep", str(config), "--out", str(run))
                status, _ = worker.run(*again)
            first = apart(whole, numbers(run)) if status == 0 else f"status {status}"
            counted["identical" if not first else "different"] += 1
            if first:
                print(room, first, worker.errors.read_text()[-600:], flush=True)
            shutil.rmtree(run, ignore_errors=True)
        if mounted:
            subprocess.run(["umount", str(small)], check=True)
        worker.close()
    return counted


def endure(segments: int, minutes: float) -> Counter[str]:
    """One sweep of very many segments in one process: resident memory at a quarter and at the end.

    The rows of the whole run are allocated at its start, and history chunks are of one size, so
    nothing may grow.
    """
    from lrlab import api, config
    from lrlab.api import jobs
    from lrlab.engine.loop import Interrupted
    from lrlab.runs.stage import Stage

    counted: Counter[str] = Counter()
    memory: list[tuple[int, int]] = []
    end = time.monotonic() + 60 * minutes

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() >> 10

    def look() -> bool:
        counted["segments"] += 1
        if counted["segments"] % 100 == 0:
            memory.append((counted["segments"], resident()))
        return time.monotonic() > end

    import contextlib

    Stage.__init__.__defaults__ = (0.25,)
    jobs.interruptible = lambda: contextlib.nullcontext(look)  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as root:
        text = CONFIG.replace("steps = 240", f"steps = {6 * segments}").replace(
            "eval_every = 12", "eval_every = 600"
        )
        path = Path(root) / "endure.toml"
        path.write_text(text + "lr = [0.001, 0.01, 0.1]\n")
        experiment = config.load(path, command="sweep")
        try:
            api.run("sweep", experiment, out=str(Path(root) / "run"), progress=False)
        except Interrupted:
            pass
    settled = [kib for number, kib in memory if number >= counted["segments"] // 4]
    for number, kib in memory[:: max(1, len(memory) // 12)]:
        print(f"{number:>8,} segments: {kib / 1024:.1f} MiB resident", flush=True)
    if settled:
        half = len(settled) // 2
        first, last = np.median(settled[:half]), np.median(settled[half:])
        counted["permille grown"] = round(1000 * (last - first) / first)
        print(
            f"median of the second quarter on: {first / 1024:.1f} MiB, then {last / 1024:.1f} MiB"
        )
    return counted


BAD = ("different", "failed", "commits lost", "damaged by a kill", "silently wrong", "told badly",
       "doctor crashed", "reader crashed", "refused but not found")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("part", choices=("kill", "damage", "disk", "endure"))
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--segments", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    given = parser.parse_args()
    if given.part == "kill":
        commands = tuple(given.commands.split(","))
        counted = kill(given.rounds, given.seed, commands, given.seconds)
    elif given.part == "damage":
        counted = damage(given.cases, given.seed, given.seconds)
    elif given.part == "disk":
        counted = disk(given.rounds, given.seed, given.seconds)
    else:
        counted = endure(given.segments, given.minutes)
    for name, count in sorted(counted.items()):
        print(f"{name}: {count:,}")
    grown = counted["permille grown"] > 10
    return 1 if grown or any(counted[name] for name in BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
