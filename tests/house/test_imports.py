"""Imports stand at the top of modules. What a function imports is listed here, with the reason."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

import lrlab

SOURCE = Path(lrlab.__file__).parent

START = "start-up time"
JAX = "start-up time: jax, 1.2 s"
FIGURES = "start-up time: the figures' and pages' modules"

PACKAGES = {
    "filelock": "start-up time: 0.1 s, for commands that lock nothing",
    "flax": "start-up time: flax.nnx, 0.4 s, for models that are none of its",
    "IPython": "only where a notebook has it",
    "jax": JAX,
    "mlflow": "optional package: lrlab[mlflow]",
    "matplotlib": "start-up time: 0.5 s, for commands that draw nothing",
    "optax": JAX,
    "optuna": "optional package: lrlab[optuna]",
    "orbax": JAX,
    "pandas": "optional package: lrlab[pandas]",
    "pyarrow": "optional package: lrlab[pandas]",
    "ray": "optional package: lrlab[ray]",
    "rich": "start-up time: 0.1 s, for commands that print JSON",
    "safetensors": "optional package: lrlab[safetensors]",
    "scipy": "start-up time: 0.3 s, for commands that only look",
    "sklearn": "start-up time: 1.7 s, for data that come from elsewhere",
    "tensorboardX": "optional package: lrlab[tensorboard]",
    "tensorstore": "start-up time: 0.1 s, for commands that read no arrays",
    "threadpoolctl": "optional package, which comes with scikit-learn",
    "wandb": "optional package: lrlab[wandb]",
    "xarray": "optional package: lrlab[xarray]",
}
"""Packages that a function may import -> why."""

MODULES = {
    "bench/inputs.py": {"lrlab.bench.stock_equinox": "optional package: lrlab[bench]"},
    "bench/worker.py": {
        "lrlab.bench.jax_ways": JAX,
        "lrlab.bench.torch_ways": START,
        "lrlab.engine.devices": JAX,
    },
    "cli/ls.py": {"lrlab.search.rules": START},
    "cli/preview.py": {"lrlab.training.suitability": START, "lrlab.training.task": START},
    "cli/replay.py": {
        "lrlab.report.figures.slices": FIGURES,
        "lrlab.report.figures.style": FIGURES,
        "lrlab.workflows.landscape": JAX,
        "lrlab.workflows.replay": JAX,
    },
    "cli/report.py": {
        "lrlab.report.content.reading": FIGURES,
        "lrlab.report.figures": FIGURES,
        "lrlab.report.figures.study": FIGURES,
        "lrlab.report.html.study_page": FIGURES,
    },
    "cli/reproduce.py": {"lrlab.workflows.reproduce": JAX},
    "cli/training.py": {"lrlab.workflows.report": JAX},
    "cli/ui.py": {
        "lrlab.ui.pages": "optional package: lrlab[ui]",
        "lrlab.ui.server": "optional package: lrlab[ui]",
    },
    "cli/verify.py": {"lrlab.verify.page": FIGURES},
    "models/__init__.py": {"lrlab.models.adapters": JAX},
    "models/adapters.py": {"lrlab.models.nnx": "start-up time: flax.nnx, 0.4 s"},
    "results/study.py": {"lrlab.report.figures.study": FIGURES},
    "scaling/coordinates.py": {"lrlab.report.figures.coordinates": FIGURES},
    "tasks/loading.py": {"lrlab.tasks.checks": JAX},
    "tasks/task.py": {
        "lrlab.tasks.arrays": JAX,
        "lrlab.tasks.custom": JAX,
        "lrlab.tasks.objective": JAX,
        "lrlab.tasks.step": JAX,
        "lrlab.tasks.streams": JAX,
        "lrlab.tasks.supervised": JAX,
    },
    "verify/__init__.py": {"lrlab.verify.page": FIGURES},
}
"""File -> modules of lrlab's own that a function in it imports -> why."""


def imports(tree: ast.AST, inside: bool = False) -> Iterator[tuple[bool, str]]:
    """(whether it stands in a function, module) of every import but those for type checkers.
    `from a import b` counts as `a.b` where that is one of lrlab's modules."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((inside, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield inside, full if full in files() else str(node.module)
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        yield from imports(node, inside or function)


@functools.cache
def files() -> dict[str, Path]:
    """Module of lrlab -> its file."""
    paths = sorted(SOURCE.rglob("*.py"))
    names = [path.relative_to(SOURCE.parent).with_suffix("").parts for path in paths]
    return {
        ".".join(parts[:-1] if parts[-1] == "__init__" else parts): path
        for parts, path in zip(names, paths, strict=True)
    }


@functools.cache
def imported(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a module of lrlab imports: at its top, and in functions."""
    found = list(imports(ast.parse(files()[module].read_text(encoding="utf-8"))))
    top, inner = ([name for within, name in found if within is where] for where in (False, True))
    return frozenset(top), frozenset(inner)


def loaded(module: str) -> set[str]:
    """The modules of lrlab that importing `module` loads, itself among them."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in files() and name not in seen:
            seen.add(name)
            parts = name.split(".")
            waiting += [".".join(parts[:count]) for count in range(1, len(parts))]
            waiting += imported(name)[0]
    return seen


def own() -> Iterator[tuple[str, str, str]]:
    """(module, its file, module of lrlab's own) of every import in a function."""
    for module, path in files().items():
        for name in sorted(imported(module)[1]):
            if name.split(".")[0] == "lrlab":
                yield module, path.relative_to(SOURCE).as_posix(), name


def test_packages_that_functions_import_are_listed() -> None:
    found = {name.split(".")[0] for module in files() for name in imported(module)[1]} - {"lrlab"}
    assert found == set(PACKAGES)


def test_modules_that_functions_import_are_listed() -> None:
    found = {(file, name) for _, file, name in own()}
    assert found == {(file, name) for file, names in MODULES.items() for name in names}


def test_an_import_in_a_function_saves_something() -> None:
    """What is loaded with the module anyway stands at its top."""
    assert [f"{file}: {name}" for module, file, name in own() if name in loaded(module)] == []


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("import jax", (False, "jax")),
        ("def f():\n    import jax.numpy as jnp", (True, "jax.numpy")),
        ("class A:\n    def f(self):\n        from lrlab import runs", (True, "lrlab.runs")),
        ("def f():\n    with a:\n        from lrlab.runs import create", (True, "lrlab.runs")),
        ("def f():\n    def g():\n        from json import loads", (True, "json")),
        ("if a:\n    import json", (False, "json")),
    ],
)
def test_imports_are_seen(text: str, seen: tuple[bool, str]) -> None:
    assert list(imports(ast.parse(text))) == [seen]


def test_imports_for_type_checkers_are_not() -> None:
    assert list(imports(ast.parse("if TYPE_CHECKING:\n    import jax"))) == []
