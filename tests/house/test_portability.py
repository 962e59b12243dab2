"""Linux, macOS and Windows, as far as one machine can tell."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from elsewhere import MODULES
from places import ROOT, TESTS

import lrlab
from lrlab import config
from lrlab.core import files, paths

SOURCE = ROOT / "lrlab"
POSIX = {*MODULES, "select", "posix"}

SWEEP = "steps = 30\nlr = [0.01, 0.1]\nseeds = 2\ntask = 'wine-linear'\noptimizer.name = 'sgd'\n"


def parsed() -> list[tuple[str, ast.Module]]:
    return [
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8")))
        for path in sorted(SOURCE.rglob("*.py"))
    ]


def needed(tree: ast.Module) -> set[str]:
    """The modules that a file imports at its top, outside of `try`."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def test_nothing_imports_what_only_posix_has() -> None:
    assert needed(ast.parse("import fcntl\ntry:\n    import pwd\nexcept E:\n    pass")) == {"fcntl"}
    assert [(file, needed(tree) & POSIX) for file, tree in parsed() if needed(tree) & POSIX] == []


def unsaid(tree: ast.Module) -> list[int]:
    """Lines where text is read or written in the encoding that the system happens to have."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(k.arg == "encoding" for k in node.keywords):
            continue
        name, count = ast.unparse(node.func), len(node.args)
        mode = ast.unparse(node.args[1]) if count > 1 else "'r'"
        if (
            (name.endswith(".read_text") and count < 1 and "resources" not in name)
            or (name.endswith(".write_text") and count < 2)
            or (name in ("open", "os.fdopen") and "b" not in mode and count < 4)
        ):
            found.append(node.lineno)
    return found


def test_text_has_its_encoding_said() -> None:
    assert unsaid(ast.parse("p.read_text()\nopen(p, 'w')\nopen(p, 'rb')\np.read_text('utf-8')")) == [1, 2]  # fmt: skip  # noqa: E501
    assert [f"{file}:{line}" for file, tree in parsed() for line in unsaid(tree)] == []


def test_a_tree_is_synced_where_only_what_is_written_can_be(tmp_path, monkeypatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("x")
    synced = []

    def strict(handle: int) -> None:  # as Windows does it
        if not os.path.isdir(f"/proc/self/fd/{handle}"):
            os.write(handle, b"")  # raises where it is open for reading
            synced.append(handle)

    monkeypatch.setattr(files.os, "fsync", strict)
    files.sync_tree(tmp_path)
    assert synced


def test_a_folder_goes_where_an_empty_one_was(tmp_path, monkeypatch) -> None:
    usual = os.rename

    def strict(source: Path, target: Path) -> None:  # as Windows does it
        if target.exists():
            raise FileExistsError(17, "File exists")
        usual(source, target)

    monkeypatch.setattr(files.os, "rename", strict)
    for name in ("part", "run", "full"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(OSError, match=r"not empty"):
        files.rename_folder(tmp_path / "part", tmp_path / "full")
    files.rename_folder(tmp_path / "part", tmp_path / "run")
    assert not (tmp_path / "part").exists() and (tmp_path / "run").is_dir()


def test_paths_are_shown_as_each_shell_takes_them(monkeypatch) -> None:
    monkeypatch.setattr(paths, "os", types.SimpleNamespace(**{**vars(os), "name": "nt"}))
    assert paths.shown("runs\\a") == "runs\\a" and paths.shown("my runs\\a") == '"my runs\\a"'


def test_line_ends_of_windows_change_nothing(tmp_path) -> None:
    text = SWEEP + "notes = 1\n"
    for name, ends in (("unix.toml", "\n"), ("windows.toml", "\r\n")):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", ends).encode())
        with pytest.raises(config.ConfigError) as found:
            config.load(tmp_path / name, command="sweep")
        assert [problem.line for problem in found.value.problems] == [6], name
    rows = "a,b,target\n" + "".join(f"{n},{n % 3},{n % 2}\n" for n in range(20))
    (tmp_path / "unix.csv").write_bytes(rows.encode())
    (tmp_path / "windows.csv").write_bytes(rows.replace("\n", "\r\n").encode())
    one, other = (
        lrlab.data.load(f"csv:{tmp_path / name}.csv").splits() for name in ("unix", "windows")
    )
    for split in one:
        for mine, its in zip(one[split], other[split], strict=True):
            np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"Adam": {}, "adam": {}}, "differ in case alone"),
        ({"con": {}, "adam": {}}, "no name of a file on Windows"),
        ({"aux.1": {}, "adam": {}}, "no name of a file on Windows"),
        ({"sgd.": {}, "adam": {}}, "no name of a file on Windows"),
        ({"SGD": {}, "console": {}}, None),
    ],
)
def test_names_are_folders_on_every_system(entries, said) -> None:
    table = {"task": "wine-linear", "compare": entries}
    if said is None:
        assert set(config.build(table, "compare").entries) == set(entries)
        return
    with pytest.raises(config.ConfigError) as found:
        config.build(table, "compare")
    (problem,) = found.value.problems
    assert said in problem.message


def test_a_terminal_without_blocks_gets_question_marks(tmp_path) -> None:
    (tmp_path / "a.toml").write_text(SWEEP, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "lrlab", "preview", "a.toml"],
        cwd=tmp_path, env=environment, capture_output=True, check=True,
    )  # fmt: skip
    assert b"???" in done.stdout and b"steps = 30" in done.stdout


@pytest.mark.slow
def test_a_run_needs_nothing_of_posix(tmp_path) -> None:
    """A sweep into an empty folder that is there, its report, and a look at it."""
    (tmp_path / "a.toml").write_bytes(SWEEP.replace("\n", "\r\n").encode())
    (tmp_path / "run").mkdir()
    for words in (["sweep", "a.toml", "--out", "run"], ["doctor", "run"], ["resume", "run"]):
        command = [sys.executable, str(TESTS / "elsewhere.py"), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").is_file()
    assert lrlab.load(tmp_path / "run").final["valid_loss"].shape == (2, 2)


SPAWNED = """
import multiprocessing, sys
import lrlab

def losses(seed):
    result = lrlab.sweep("wine-linear", lr=[0.1], seeds=[seed], steps=20, progress=False,
                         plan=lrlab.Plan(tile_width=1, devices=1))
    return float(result.final["valid_loss"][0, 0])

if __name__ == "__main__":
    lrlab.prepare()
    here = [losses(seed) for seed in (0, 1)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(here == pool.map(losses, (0, 1)), here)
"""


@pytest.mark.slow
def test_a_spawned_process_trains_the_same(tmp_path) -> None:
    (tmp_path / "script.py").write_text(SPAWNED, encoding="utf-8")
    command = [sys.executable, "script.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("True"), done.stdout + done.stderr


@pytest.mark.slow
def test_a_run_lies_at_the_end_of_a_long_path(tmp_path) -> None:
    """Beyond Windows' 260 characters, which it must be told to allow."""
    place = tmp_path.joinpath(*["a folder with a long name " + 40 * "x"] * 5) / "run"
    lrlab.sweep("wine-linear", lr=[0.1], seeds=1, steps=10, out=place, progress=False)
    assert len(str(place)) > 330 and lrlab.load(place).final["valid_loss"].shape == (1, 1)
