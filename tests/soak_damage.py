"""Run folders damaged at random: found by the doctor and refused by readers, or harmless."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from soak_runs import config_for, timeless


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
            record = data.record
            values: list[Any] = [*record.axes.values(), record.outcome, *record.initial.values()]
            values += [metric.values for metric in record.metrics.values()]
            answer = repr(timeless(data.answer))
            result = lrlab.load(path)
            values += [result.steps_trained, result.diverged_at, result.last_loss]
            return tuple(np.asarray(v).tobytes() for v in values), answer, data.config_text

        good = {name: seen(path) for name, path in made.items()}
        while counted["cases"] < cases and time.monotonic() < end:
            name = rng.choice(list(made))
            files = sorted(path for path in made[name].rglob("*") if path.is_file())
            kept = [path for path in files if not path.name.startswith("lock")]
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
    from lrlab import api, config
    from lrlab.core.errors import Interrupted
    from lrlab.training.progress import Control

    experiment = config.load(config_for("sweep", place), command="sweep")
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 20

    out, control = str(place / "unfinished"), Control(commit_every=0.0, stop=stop)
    with contextlib.suppress(Interrupted):
        api.run("sweep", experiment, out=out, progress=False, control=control)
    return place / "unfinished"
