"""The pairs of problem and optimizer of `finder_regret.py`, in three sets.

`made`: what `find` was made with. `checked`: looked at between versions. `sealed`: run once, at the
end. What a problem of the last two is stands in its function's docstring.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import sys
from collections.abc import Iterable

from finder_regret_checked import CHECKED
from finder_regret_kinds import Problem
from finder_regret_opened import OPENED
from finder_regret_sealed import SEALED

import lrlab

Pair = tuple[str, str]
"""A problem and an optimizer, by name."""

MLP = {"name": "mlp", "width": 64}
TEXT = {"name": "transformer", "width": 32, "depth": 1, "heads": 2}
BYTES = {"name": "stdlib", "context": 16, "max_valid": 64}
FASHION = {"name": "fashion_mnist", "max_valid": 1000}
PROBLEMS = {  # task, updates, seeds
    "wine": ({"model": {"name": "mlp", "width": 32}, "data": {"name": "wine"}}, 400, 48),
    "digits": ({"model": MLP, "data": {"name": "digits"}}, 400, 48),
    "breast_cancer": ({"model": {"name": "linear"}, "data": {"name": "breast_cancer"}}, 400, 48),
    "diabetes": ({"model": MLP, "data": {"name": "diabetes"}}, 400, 48),
    "mnist1d": ({"model": {**MLP, "width": [64, 64]}, "data": {"name": "mnist1d"}}, 400, 48),
    "fashion_mnist": ({"model": MLP, "data": FASHION}, 400, 40),
    "text": ({"model": TEXT, "data": BYTES}, 100, 40),
}
OPTIMIZERS = ("momentum", "adam", "sgd", "adamw", "lion")
SMALL = {"name": "mlp", "width": [32, 32]}
OUTSIDE = {  # the same, and with which optimizers: the first of the checked
    "quadratic": ({"name": "quadratic"}, 300, 48, ("sgd", "nesterov")),
    "rosenbrock": ({"name": "rosenbrock"}, 1000, 48, ("adam", "momentum")),
    "noisy_quadratic": ({"name": "noisy_quadratic"}, 300, 48, ("sgd", "rmsprop")),
    "iris": ({"model": {"name": "linear"}, "data": {"name": "iris"}}, 200, 48,
             ("adagrad", "adamax")),
    "iris_mlp": ({"model": SMALL, "data": {"name": "iris"}}, 200, 48, ("nadam", "signum")),
    "cancer_mlp": ({"model": SMALL, "data": {"name": "breast_cancer"}}, 200, 48,
                   ("radam", "rmsprop")),
    "diabetes_linear": ({"model": {"name": "linear"}, "data": {"name": "diabetes"}}, 200, 48,
                        ("adabelief", "nesterov")),
    "wine_linear": ({"model": {"name": "linear"}, "data": {"name": "wine"}}, 200, 48,
                    ("amsgrad", "adopt")),
}  # fmt: skip
FUNCTIONS = {function.__name__: function for function in (*CHECKED, *OPENED, *SEALED)}


def _pairs(problems: dict) -> list[Pair]:
    return [(make.__name__, optimizer) for make, some in problems.items() for optimizer in some]


OLD = [(name, optimizer) for name, (*_, some) in OUTSIDE.items() for optimizer in some]
"""The pairs of `checked` that were there first."""

SETS: dict[str, list[Pair]] = {
    "made": [(name, optimizer) for name in PROBLEMS for optimizer in OPTIMIZERS],
    "checked": [*OLD, *_pairs(CHECKED), *_pairs(OPENED)],
    "sealed": _pairs(SEALED),
}

PARTS: dict[str, list[Pair]] = {
    "default": [(name, some) for name in ("wine", "breast_cancer") for some in OPTIMIZERS[:2]],
    "outside": OLD,
    "opened": _pairs(OPENED),
    "quick": [
        ("wine", "momentum"), ("breast_cancer", "adam"), ("iris_mlp", "signum"),
        ("rosenbrock", "adam"), ("autoencoder", "adam"), ("rare_class", "lion"),
    ],
}  # fmt: skip
"""Parts of `made` and `checked`."""


def set_of(pair: Pair) -> str:
    """The name of the set that a pair is in."""
    return next(name for name, pairs in SETS.items() if tuple(pair) in pairs)


def chosen(name: str, text: str | None = None) -> list[Pair]:
    """The pairs of a set or a part; of them those of the text, "wine-adam,quadratic-sgd". The
    default stands for all that are not sealed where there is a text.

    Raises:
        ValueError: one that is not among them.
    """
    if not text:
        return list((SETS | PARTS)[name])
    known = (SETS | PARTS)[name] if name != "default" else [*SETS["made"], *SETS["checked"]]
    pairs = [tuple(word.split("-")) for word in text.split(",")]
    for pair in pairs:
        if pair not in known:
            raise ValueError(f"no pair {'-'.join(pair)}; there are {', '.join(names(known))}")
    return pairs


def names(pairs: Iterable[Pair]) -> list[str]:
    """The pairs as files and the command line name them."""
    return ["-".join(pair) for pair in pairs]


def problem_of(name: str) -> Problem:
    """A problem, built: data loaded, and weights trained where it starts from some.

    Raises:
        lrlab.data.DataError: its data set is not on this machine.
    """
    if name in FUNCTIONS:
        return FUNCTIONS[name]()
    spec, steps, seeds = (PROBLEMS | OUTSIDE)[name][:3]
    make = lrlab.tasks.load if "name" in spec else lrlab.tasks.build
    return Problem(make(**spec), steps, seeds)


@functools.cache
def version_of(name: str) -> str:
    """A digest of what defines a problem: its function's code and that of the functions, classes
    and numbers of these modules that it names; comments and docstrings do not count."""
    if name not in FUNCTIONS:
        return _digest([repr((PROBLEMS | OUTSIDE)[name][:3])])
    found, waiting = {}, [FUNCTIONS[name]]
    while waiting:
        part = waiting.pop()
        tree = ast.parse(inspect.getsource(part))
        space = vars(sys.modules[part.__module__])
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
                node.body = node.body[1:] or [ast.Pass()]
            if not isinstance(node, ast.Name) or node.id in found:
                continue
            value = space.get(node.id)
            if getattr(value, "__module__", "").startswith("finder_regret"):
                found[node.id] = ""
                waiting.append(value)
        found[part.__name__] = ast.unparse(tree)
    return _digest([found[key] for key in sorted(found)])


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
