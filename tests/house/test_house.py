"""The tests' own manners: no state is left behind, and no tolerance without an absolute part."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT, TESTS

SETTERS = (
    "os.chdir", "os.putenv", "os.unsetenv", "os.environ.update", "os.environ.pop",
    "os.environ.setdefault", "os.environ.clear", "sys.path.insert", "sys.path.append",
    "jax.config.update", "np.random.seed", "numpy.random.seed", "random.seed", "np.seterr",
    "np.set_printoptions", "locale.setlocale", "matplotlib.use", "matplotlib.rcParams.update",
    "plt.rcParams.update", "plt.style.use", "warnings.filterwarnings",
)  # fmt: skip
"""Calls that change the process; `monkeypatch` has a method for each, or a subprocess does."""

PER_PROCESS = {"conftest.py": {"os.environ.setdefault"}}
"""What is set once, before any test, on purpose."""


def parsed() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(TESTS.rglob("*.py")):
        yield path, ast.parse(path.read_text())


def imported(tree: ast.Module) -> set[str]:
    """The names that imports bind, anywhere in a module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return found


def root(node: ast.expr) -> str | None:
    """`a` of `a.b.c` and of `a.b[c]`; None where it is no name, or nothing is looked up in it."""
    inner = node
    while isinstance(inner, (ast.Attribute, ast.Subscript)):
        inner = inner.value
    return inner.id if isinstance(inner, ast.Name) and inner is not node else None


def assignments(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, text) of what is assigned to, or deleted from, an imported object."""
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            if isinstance(node.ctx, (ast.Store, ast.Del)) and root(node) in names:
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Global) or (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("setattr", "delattr")
            and root(ast.Attribute(node.args[0], "", ast.Load())) in names
        ):
            yield node.lineno, ast.unparse(node)


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_nothing_is_assigned_to_what_was_imported() -> None:
    """Only through `monkeypatch`, which takes it back: what one test leaves, others meet."""
    found = [
        f"{path.name}:{line}: {text}" for path, tree in parsed() for line, text in assignments(tree)
    ]
    assert found == []


def test_no_call_changes_the_process() -> None:
    found = [
        f"{path.name}:{call.lineno}: {name}"
        for path, tree in parsed()
        for name, call in calls(tree)
        if name in SETTERS and name not in PER_PROCESS.get(path.name, ())
    ]
    assert found == []


def test_tolerances_have_an_absolute_part() -> None:
    """Sums that cancel have no relative accuracy, and another processor adds in another order."""
    found = [
        f"{path.name}:{call.lineno}"
        for path, tree in parsed()
        for name, call in calls(tree)
        if name.endswith("assert_allclose")
        and len(call.args) < 4
        and not {"atol", None} & {word.arg for word in call.keywords}
    ]
    assert found == []


@pytest.mark.parametrize("text", [
    "import a\na.b = 1", "from a import b\nb.c += 1", "import a.b\na.b.c['d'] = 1",
    "import a as b\ndef f():\n    b.c, d = 1, 2", "def f():\n    import a\n    del a.b",
    "import a\nsetattr(a.b, 'c', 1)", "def f():\n    global a\n    a = 1",
])  # fmt: skip
def test_assignments_are_seen(text) -> None:
    assert len(list(assignments(ast.parse(text)))) == 1


@pytest.mark.parametrize("text", [
    "import a\nb.c = 1", "import a\na = 1", "class A:\n    def f(self):\n        self.b = 1",
    "import a\nb = a.c\nb[0] = a.b", "import a\nmonkeypatch.setattr(a, 'b', 1)",
])  # fmt: skip
def test_what_is_no_assignment_to_a_module(text) -> None:
    assert list(assignments(ast.parse(text))) == []


LEAVES = """
import os, random, signal, sys
import jax, matplotlib.pyplot, numpy, pytest
import lrlab.schedules, lrlab.runs.recorder as stage

def test_environment(): os.environ["LEFT"] = "1"
def test_folder(tmp_path): os.chdir(tmp_path)
def test_handler(): signal.signal(signal.SIGUSR1, lambda *given: None)
def test_hook(): sys.excepthook = lambda *given: None
def test_jax(): jax.config.update("jax_debug_nans", True)
def test_numpy(): numpy.seterr(all="ignore")
def test_style(): matplotlib.rcParams["lines.linewidth"] = 9.0
def test_figure(): matplotlib.pyplot.figure()
def test_attribute(): stage.INTERVAL = 0.0
def test_table(): lrlab.schedules.NAMES["left"] = "x:y"
def test_seed(): random.seed(0)
def test_numpy_seed(): numpy.random.seed(0)

@pytest.mark.parametrize("again", [0, 1])
def test_clean(again, monkeypatch, tmp_path):
    monkeypatch.setattr(stage, "INTERVAL", again)
    monkeypatch.setenv("LEFT", "1")
    monkeypatch.chdir(tmp_path)
"""


def test_the_guard_fails_what_leaves_something_changed(tmp_path) -> None:
    shutil.copy(TESTS.parent / "conftest.py", tmp_path)
    (tmp_path / "test_left.py").write_text(LEAVES)
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:randomly",
               "-p", "no:cacheprovider", str(tmp_path)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    told = [line for line in done.stdout.splitlines() if line.startswith(("ERROR ", "FAILED "))]
    names = {line.partition("::")[2].partition(" ")[0] for line in told}
    wanted = {line.partition("(")[0][4:] for line in LEAVES.splitlines() if line[:9] == "def test_"}
    assert names == wanted - {"test_clean"}, done.stdout


LINES = 350
"""A module that grows past this is two modules."""

ANY = 300
"""Times that `Any` is written in `lrlab/`, imports apart: what has a type says it."""


def test_no_file_is_long() -> None:
    paths = [*TESTS.rglob("*.py"), *(ROOT / "lrlab").rglob("*.py")]
    lengths = {path.name: len(path.read_text().splitlines()) for path in paths}
    assert {name: count for name, count in lengths.items() if count > LINES} == {}


def test_types_say_something() -> None:
    uses = [
        node
        for path in (ROOT / "lrlab").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "Any"
    ]
    assert len(uses) <= ANY
