"""Runs killed at random instants and resumed: each must equal the run left alone."""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from soak_runs import KINDS, Worker, apart, commits, config_for, numbers

MOST = 6
"""Kills of one run, at most: many runs that end tell more than one that is killed for ever."""


def kill(rounds: int, seed: int, kinds: tuple[str, ...], seconds: float) -> Counter[str]:
    """Runs killed at random instants, until they end: each must equal the run left alone; a search
    on a time budget what `lrlab reproduce` makes of its folder.

    A round is one kill, at an instant drawn from the whole length of an uninterrupted run. A run is
    killed up to `MOST` times before it may end; after every kill the folder must be resumable and
    no commit may be lost.
    """
    from lrlab.runs import check
    from lrlab.workflows.reproduce import IDENTICAL, reproduce

    rng, counted, end = random.Random(seed), Counter[str](), time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as root:
        place = Path(root)
        worker = Worker(place)
        whole: dict[str, Any] = {}
        lengths: dict[str, float] = {}
        for kind in kinds:
            config, alone = config_for(kind, place), place / f"{kind}-alone"
            for _ in range(2):  # the second time, programs come from the cache
                shutil.rmtree(alone, ignore_errors=True)
                ended = worker.run(KINDS[kind], str(config), "--out", str(alone))
                assert ended.status == 0, worker.errors.read_text()[-2000:]
            lengths[kind], whole[kind] = ended.seconds, numbers(alone)
        words = {kind: round(length, 2) for kind, length in lengths.items()}
        print(words, "processor seconds alone", flush=True)
        number = 0
        while counted["kills"] < rounds and time.monotonic() < end:
            kind = kinds[number % len(kinds)]
            number += 1
            run, config = place / f"run{number}", place / f"{kind}.toml"
            before: dict[str, Any] = {}
            kills_left = rng.randint(1, MOST)
            while True:
                arguments = [KINDS[kind], str(config), "--out", str(run)]
                if (run / "run.json").exists():
                    arguments = ["resume", str(run)]
                more = counted["kills"] < rounds and kills_left > 0
                after = rng.uniform(0.0, lengths[kind]) if more else None
                ended = worker.run(*arguments, kill_after=after, delay=rng.uniform(0.0, 0.02))
                if ended.status != -signal.SIGKILL:
                    break
                counted["kills"] += 1
                kills_left -= 1
                counted[f"kills in {ended.phase}"] += 1
                now = commits(run) if run.exists() else {}
                if any(name not in now or now[name] < done for name, done in before.items()):
                    counted["commits lost"] += 1
                middle = any(step for done, _, step in now.values() if not done)
                counted["kills after a commit in mid-stage"] += middle and now != before
                before = now
                if now and check(run):
                    counted["damaged by a kill"] += 1
                    print(kind, check(run), flush=True)
            counted[f"{kind} runs"] += 1
            if ended.status != 0:
                counted["failed"] += 1
                first = f"status {ended.status}: {worker.errors.read_text()[-1000:]}"
            elif kind == "timed":
                found = reproduce(run, progress=False)
                first = "" if found.level == IDENTICAL else found.sentence
            else:
                first = apart(whole[kind], numbers(run))
            counted["identical" if not first else "different"] += 1
            print(f"{kind} {run.name}: {first or 'identical'}; {dict(counted)}", flush=True)
            shutil.rmtree(run, ignore_errors=True)
        worker.close()
    return counted
