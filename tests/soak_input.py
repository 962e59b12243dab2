"""Configurations, settings and data files that nobody meant, through the command line."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from mangled import VALUES, idx, mangled

COMMANDS = ("sweep", "find", "range-test", "plan", "preview")

SETTINGS = (
    "steps", "task.model.width", "optimizer", "task.data.name", "lr", "a.b.c", "", "..", "task",
    "schedule.name", "seeds", "plan.tile_width", "optimizer.weight_decay", "schedule.warmup",
    "probes", "budget", "metric", "epochs", "eval_every", "task.model.depth", "precision",
)  # fmt: skip

PLAIN = 'steps = 9\nseeds = 1\nbatch_size = 8\nlr = [0.1]\ntask = {{model = "linear", data = {}}}\n'

SECONDS = 300
"""Processor seconds after which a case counts as hanging."""


class Reached(BaseException):
    """Training would begin: the input was taken."""


class Hung(BaseException):
    """A case took longer than `SECONDS`."""


def malformed(cases: int, seed: int, seconds: float) -> Counter[str]:
    """Input with something wrong, each case a command: refused with status 2 and the place of every
    problem, or taken, in which case it would begin to train. Never anything else."""
    from lrlab.workflows import find, range_test, sweep

    rng, counted, end = random.Random(seed), Counter[str](), time.monotonic() + seconds
    makers = (config_case, config_case, setting_case, csv_case, npz_case, idx_case)
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(find, "planned", reached)
        patch.setattr(sweep, "planned", reached)
        patch.setattr(range_test, "train_stage", reached)
        while counted["cases"] < cases and time.monotonic() < end:
            make = makers[counted["cases"] % len(makers)]
            with changed_data(Path(root), make, rng) as arguments:
                told = outcome(arguments)
                if told not in ("refused", "taken"):
                    text = (Path(root) / "mine.toml").read_text(errors="replace")
                    print(make.__name__, arguments, told, text, sep="\n", flush=True)
            counted["cases"] += 1
            counted[f"{make.__name__.removesuffix('_case')} cases"] += 1
            counted[told.partition(":")[0]] += 1
            if counted["cases"] % 500 == 0:
                print(dict(counted), flush=True)
    return counted


def reached(*given: object, **more: object) -> None:
    """In place of the first thing that trains."""
    raise Reached


def outcome(arguments: list[str]) -> str:
    """What became of a command: "refused", "taken", or what is wrong, "kind: words"."""
    from lrlab.cli.app import run

    def hung(*given: object) -> None:
        raise Hung

    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGPROF, hung)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run([*arguments, "--json"])
    except Reached:
        return "taken"
    except Hung:
        return "hang: "
    except BaseException as error:
        return f"traceback: {error!r}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if "Traceback" in err.getvalue():
        return f"traceback: {err.getvalue()[-500:]}"
    if status == 0 and arguments[0] in ("plan", "preview"):
        return "taken"
    if status != 2:
        return f"another status: {status} {out.getvalue()[-500:]}"
    problems = json.loads(out.getvalue())["problems"]
    whole = all(problem["file"] and problem["message"] for problem in problems)
    return "refused" if problems and whole else f"no place: {out.getvalue()[-500:]}"


@contextlib.contextmanager
def changed_data(
    root: Path, make: Callable[[Path, random.Random], list[str]], rng: random.Random
) -> Iterator[list[str]]:
    """The arguments of a case; its files are gone afterwards."""
    try:
        yield make(root, rng)
    finally:
        for path in root.iterdir():
            if path.is_file():
                path.unlink()


def config_case(root: Path, rng: random.Random) -> list[str]:
    """A configuration with one to three things wrong, or of odd bytes."""
    place = root / "mine.toml"
    if rng.random() < 0.1:
        place.write_bytes(bytes(rng.randrange(256) for _ in range(rng.randrange(80))))
    else:
        place.write_text(mangled(rng), encoding="utf-8", errors="surrogatepass")
    return [rng.choice(COMMANDS), str(place)]


def setting_case(root: Path, rng: random.Random) -> list[str]:
    """A good configuration and an odd `--set`."""
    place = root / "mine.toml"
    place.write_text(PLAIN.format('{name = "iris"}'))
    setting = rng.choice(SETTINGS) + rng.choice(("=", "=", "=", "", "==", " = "))
    return [rng.choice(COMMANDS), str(place), "--set", setting + rng.choice(VALUES)]


def csv_case(root: Path, rng: random.Random) -> list[str]:
    """A table with odd cells, rows that are too long or short, another encoding, or cut off."""
    rows = ["a,b,label"] + [f"{i / 7:.3f},{i % 5},{i % 3}" for i in range(40)]
    for _ in range(rng.randint(1, 3)):
        row = rng.randrange(len(rows))
        parts = rows[row].split(",")
        parts[rng.randrange(len(parts))] = rng.choice(
            ("", "nan", "inf", "x", '"', "1e999", "1,2", "\x00", "=1+1", "٣", "-", " ", "1e-320")
        )
        rows[row] = rng.choice((",".join(parts), ";".join(parts), "", rows[row] * 2))
    text = "\n".join(rows).encode(rng.choice(("utf-8", "utf-16", "utf-8-sig")))
    (root / "mine.csv").write_bytes(text[: rng.choice((len(text), rng.randrange(len(text))))])
    return data_command(root, "csv:mine.csv")


def npz_case(root: Path, rng: random.Random) -> list[str]:
    """An archive with a wrong array, cut off, or with bytes changed."""
    odd = (
        np.array([object(), 1], object), np.zeros(0), np.array("x"), np.zeros((30, 0)),
        np.full((30, 3), np.nan), np.zeros((29, 3)), np.array(["a"] * 30),
        np.ones((30, 3), complex),
        np.zeros((30, 3), bool), np.datetime64("2020-01-01"), np.full((30, 3), 1e308),
    )  # fmt: skip
    arrays = {"x": np.random.default_rng(0).normal(size=(30, 3)), "y": np.arange(30) % 3}
    kind = rng.randrange(4)
    if kind == 0:
        arrays[rng.choice(("x", "y", "z", "x_valid"))] = rng.choice(odd)
    elif kind == 1:
        del arrays[rng.choice(("x", "y"))]
    file = io.BytesIO()
    np.savez(file, **arrays)
    content = bytearray(file.getvalue())
    if kind == 2:
        content = content[: rng.randrange(len(content))]
    elif kind == 3:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    (root / "mine.npz").write_bytes(bytes(content))
    return data_command(root, "npz:mine.npz")


def idx_case(root: Path, rng: random.Random) -> list[str]:
    """Fashion-MNIST's files with one of them cut off, changed, or with a wrong head."""
    for split, count in (("train", 20), ("t10k", 10)):
        images = np.zeros((count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            packed = gzip.compress(idx(array), mtime=0)
            (root / f"{split}-{name}-ubyte.gz").write_bytes(packed)
    victim = rng.choice(sorted(root.glob("*.gz")))
    content = bytearray(victim.read_bytes())
    kind = rng.randrange(3)
    if kind == 0:
        content = content[: rng.randrange(len(content))]
    elif kind == 1:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    else:
        inner = bytearray(gzip.decompress(bytes(content)))
        inner[rng.randrange(16 if "images" in victim.name else 8)] = rng.choice((0, 1, 8, 127, 255))
        content = bytearray(gzip.compress(bytes(inner)))
    victim.write_bytes(bytes(content))
    return data_command(root, "fashion_mnist", path=".")


def data_command(root: Path, name: str, **options: str) -> list[str]:
    """A sweep on a data file."""
    words = "".join(f', {key} = "{value}"' for key, value in options.items())
    (root / "mine.toml").write_text(PLAIN.format(f'{{name = "{name}"{words}}}'))
    return ["sweep", str(root / "mine.toml")]
