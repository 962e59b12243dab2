"""Input that nobody meant: always the documented error with its place, never a traceback."""

from __future__ import annotations

import gzip
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mangled import GOOD, VALUES, idx, mangled

import lrlab
from lrlab import config, data
from lrlab.config import ConfigError
from lrlab.data import DataError

CASES = 400


@pytest.mark.parametrize("command", ["sweep", "find"])
def test_mangled_configs(command: str, tmp_path: Path) -> None:
    rng = random.Random(command)
    path, refused = tmp_path / "mine.toml", 0
    for case in range(CASES):
        text = mangled(rng)
        path.write_text(text, encoding="utf-8")
        try:
            config.load(str(path), command=command)
        except ConfigError as error:
            refused += 1
            assert error.problems, text
            for problem in error.problems:
                assert problem.message and problem.file, (case, text)
    assert refused > CASES / 2


def test_odd_bytes_in_configs(tmp_path: Path) -> None:
    rng = random.Random(1)
    path = tmp_path / "mine.toml"
    for size in range(60):
        path.write_bytes(bytes(rng.randrange(256) for _ in range(size)))
        try:
            config.load(str(path), command="sweep")
        except ConfigError as error:
            assert error.problems


def test_odd_settings(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    rng = random.Random(2)
    keys = ("steps", "task.model.width", "optimizer", "task.data.name", "lr", "a.b.c", "", "..",
            "schedule.name", "seeds", "plan.tile_width", "task")  # fmt: skip
    for _ in range(CASES):
        setting = rng.choice(keys) + rng.choice(("=", "", "==", " = ")) + rng.choice(VALUES)
        try:
            config.load(str(path), (setting,), command="sweep")
        except ConfigError as error:
            assert error.problems and all(problem.message for problem in error.problems), setting


def load(spec, **options):
    """What loading gives: arrays, or the documented error."""
    try:
        return data.load({"name": spec, **options})
    except DataError as error:
        assert str(error)
        return None


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    for split, count in (("train", 20), ("t10k", 10)):
        # Nearly empty, so that the file is small and every byte of it can be tried.
        images = np.zeros((count, 28, 28), np.uint8)
        images[np.arange(count), np.arange(count), 3] = np.arange(count) + 1
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            packed = gzip.compress(idx(array), mtime=0)
            (tmp_path / f"{split}-{name}-ubyte.gz").write_bytes(packed)
    return tmp_path


def test_gzip_idx_cut_at_every_byte(fashion: Path) -> None:
    assert load("fashion_mnist", path=str(fashion)) is not None
    file = fashion / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert load("fashion_mnist", path=str(fashion)) is None, length


def test_gzip_idx_with_flipped_bytes(fashion: Path) -> None:
    good = load("fashion_mnist", path=str(fashion))
    assert good is not None
    file = fashion / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        found = load("fashion_mnist", path=str(fashion))
        # Names and times in gzip's head do not matter; everything else is checked by its CRC.
        assert found is None or (found.train[0] == good.train[0]).all(), place


def test_idx_with_a_wrong_head(fashion: Path) -> None:
    rng = random.Random(3)
    file = fashion / "train-images-idx3-ubyte.gz"
    body = idx(np.zeros((20, 28, 28), np.uint8))
    for _ in range(100):
        changed = bytearray(body)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(16)] = rng.choice((0, 1, 8, 9, 127, 255))
        file.write_bytes(gzip.compress(bytes(changed)))
        load("fashion_mnist", path=str(fashion))


def test_npz_that_would_unpickle_or_explode(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "mine.npz"
    np.savez(path, x=np.array([Trap(), 1], object), y=np.zeros(2))
    assert load(f"npz:{path}") is None and not (tmp_path / "sprung").exists()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        head = b"\x93NUMPY\x01\x00"
        text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999, 9999), }\n"
        archive.writestr("x.npy", head + struct.pack("<H", len(text)) + text)
        archive.writestr("y.npy", b"no array at all")
    assert load(f"npz:{path}") is None
    np.savez(path, x=np.random.default_rng(0).normal(size=(30, 3)), y=np.arange(30) % 3)
    whole = path.read_bytes()
    assert load(f"npz:{path}") is not None
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert load(f"npz:{path}") is None


def test_mangled_csv(tmp_path: Path) -> None:
    rng = random.Random(4)
    path = tmp_path / "mine.csv"
    rows = ["a,b,label"] + [f"{i / 7:.3f},{i % 5},{i % 3}" for i in range(40)]
    path.write_text("\n".join(rows))
    assert load(f"csv:{path}") is not None
    for _ in range(300):
        changed = list(rows)
        for _ in range(rng.randint(1, 3)):
            row = rng.randrange(len(changed))
            cell = rng.choice(("", "nan", "inf", "x", '"', "1e999", "1,2", "\x00", "=1+1", "٣"))
            parts = changed[row].split(",")
            parts[rng.randrange(len(parts))] = cell
            changed[row] = rng.choice((",".join(parts), ";".join(parts), "", changed[row] * 2))
        path.write_text("\n".join(changed), encoding="utf-8")
        found = load(f"csv:{path}")
        if found is not None:
            assert np.isfinite(found.train[0]).all() and np.isfinite(found.train[1]).all()
    path.write_bytes(bytes(rng.randrange(256) for _ in range(5000)))
    assert load(f"csv:{path}") is None


ODD = (
    None, 0, -1, 2, 1e-3, float("nan"), float("inf"), 10**30, 10**400, 2**31, "", "x", "adam",
    "../x", "full", "1s", [], [1], [None], ["a"], [[1]], (1, 2), {}, {"log": [1, 2]}, {1: 2},
    {"log": [1e-3, 1, 1e18]}, True, object(), lambda s: "x", b"x", np.array([]), np.array([[1.0]]),
    np.array([object()]), range(0), {1, 2}, 1j, "\x00", type, lrlab.Plan(0),
    lrlab.Plan(tile_width="a"),  # type: ignore[arg-type]
)  # fmt: skip

ARGUMENTS = (
    "lr", "optimizer", "steps", "batch_size", "schedule", "seeds", "optimizer_args", "groups",
    "schedule_args", "metric", "eval_every", "stop_diverged", "sampler", "precision", "probes",
    "plan", "seed", "weight_decay", "nonsense", "task", "multipliers",
)  # fmt: skip


def test_odd_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reached(Exception):
        """Training would begin: the arguments were taken."""

    def reached(*given, **more):
        raise Reached

    monkeypatch.setattr("lrlab.workflows.sweep.train_stage", reached)
    rng, refused = random.Random(5), 0
    good = {"task": lrlab.tasks.load("iris-linear"), "lr": [0.1], "steps": 5, "batch_size": 8}
    for _ in range(CASES):
        odd = {rng.choice(ARGUMENTS): rng.choice(ODD) for _ in range(rng.randint(1, 2))}
        try:
            lrlab.sweep(**{**good, **odd}, progress=False)
        except ConfigError as error:
            refused += 1
            assert error.problems and all(problem.field for problem in error.problems), odd
        except Reached:
            pass
    assert refused > CASES / 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x = " + "[" * 3000, "nested too deeply"),
        ("lr = " + "9" * 5000, "digits"),
        ("lr = 1" + "0" * 400, "must be finite"),
        ("lr = {log = [1e-9, 1.0, 1e15]}", "at most 1,000,000"),
        ("seeds = 2147483647", "lanes; at most"),
        ("eval_steps = [5, 3]", "each above the one before"),
        ("compare.'../evil' = {}", "cannot name an entry"),
        ("compare.'/evil' = {}", "cannot name an entry"),
        ("compare.figures = {}", "a name that every run uses"),
        ("budget = '" + "9" * 400 + "s'", "finite"),
    ],
)
def test_what_would_hang_or_lead_elsewhere(line: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"{line}\ntask.name = 'iris-linear'\n")
    with pytest.raises(ConfigError, match=words):
        config.load(str(path), command="compare" if "compare" in line else "sweep")


def test_models_beyond_every_memory(tmp_path: Path) -> None:
    shared = {"lr": [0.1], "steps": 2, "batch_size": 8, "progress": False}
    with pytest.raises(ConfigError, match="make it smaller"):
        lrlab.sweep({"model": {"name": "mlp", "width": 10**12}, "data": {"name": "iris"}}, **shared)
    with pytest.raises(ConfigError, match="depth must be at most 1,000"):
        lrlab.sweep({"model": {"name": "mlp", "depth": 10**5}, "data": {"name": "iris"}}, **shared)


@settings(max_examples=150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    st.sampled_from(sorted(config.Experiment.model_fields)),
)
def test_any_value_in_any_field(value: object, field: str) -> None:
    table = {"task": "iris-linear", "lr": [0.1], field: value}
    try:
        config.build(table, "sweep")
    except ConfigError as error:
        assert error.problems and all(problem.message for problem in error.problems)


HOSTILE = "<script>alert(1)</script>$\\frac$\x1b[31m&\"'"


@pytest.mark.slow
def test_names_are_escaped_wherever_they_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lrlab.cli.app import run

    path = tmp_path / "mine.toml"
    name = HOSTILE.replace("\\", "\\\\").replace("\x1b", "\\u001b").replace('"', '\\"')
    path.write_text(
        f'name = "{name}"\ntask.name = "iris-linear"\nsteps = 6\nbatch_size = 8\nseeds = 1\n'
        "lr = [0.1, 0.2]\n"
    )
    out = tmp_path / "run"
    assert run(["sweep", str(path), "--out", str(out), "-q"]) == 0
    page = (out / "report.html").read_text()
    assert "<script>alert(1)" not in page and "alert(1)" in page
    for drawing in out.rglob("*.svg"):
        assert "<script>alert(1)" not in drawing.read_text()
    assert run(["show", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b[31m" not in shown
