"""What the registries hold: names, parameters and one-line summaries, read without importing jax.

A registry is a plain dict `name -> "module:function"`. Summaries and parameters come from the
source text (`ast`), so that listing and checking cost no import of the things listed.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import re
from typing import Any, NamedTuple

_REGISTRIES = {
    "tasks": ("lrlab.tasks", "NAMES"),
    "models": ("lrlab.models", "NAMES"),
    "data": ("lrlab.data", "NAMES"),
    "losses": ("lrlab.tasks.losses", "NAMES"),
    "metrics": ("lrlab.tasks.metrics", "NAMES"),
    "schedules": ("lrlab.schedules", "NAMES"),
    "optimizers": ("lrlab.optimizers", "NAMES"),
    "rules": ("lrlab.search.rules", "NAMES"),
    "probes": ("lrlab.probes", "NAMES"),
}
KINDS = ("tasks", "models", "schedules", "optimizers", "rules", "probes")
"""The registries that `lrlab ls` shows."""


_SENTENCE_END = re.compile(r"(?<=\.)(?<!al\.)(?<!e\.g\.)(?<!i\.e\.)\s")
_GIVEN = {"schedules": 2, "models": 1}
"""How many leading arguments lrlab fills in itself: (step, steps), (num_outputs)."""


class Parameter(NamedTuple):
    """A keyword that a registered function takes; `default` is None where it is not a literal."""

    default: Any
    sequence: bool  # takes a list as one value, so that a list is no lane axis


@functools.lru_cache
def registry(kind: str) -> dict[str, str]:
    """Name -> "module:function"; empty where the registry does not exist."""
    module, attribute = _REGISTRIES[kind]
    try:
        if importlib.util.find_spec(module) is None:
            return {}
    except ModuleNotFoundError:
        return {}
    entries = getattr(importlib.import_module(module), attribute, {})
    return {str(name): entry for name, entry in dict(entries).items()}


def known(kind: str, name: str) -> bool:
    """Whether `name` is registered (anything is, where the registry does not exist)."""
    entries = registry(kind)
    return not entries or _base(kind, name) in entries


def _base(kind: str, name: str) -> str:
    if kind == "schedules" and name not in registry(kind):
        return name.removeprefix("warmup_")
    return name.partition(":")[0] if kind == "data" else name


def summary(kind: str, name: str) -> str:
    """The first sentence of the entry's docstring."""
    node = _node(kind, name)
    text = (ast.get_docstring(node) or "") if node is not None else ""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return _SENTENCE_END.split(paragraph)[0]


@functools.lru_cache
def parameters(kind: str, name: str) -> dict[str, Parameter] | None:
    """The keywords an entry takes; None where that cannot be known (`**kwargs`, no registry)."""
    if kind == "optimizers":
        return _hyperparameters(name)
    node = _node(kind, name)
    if not isinstance(node, ast.FunctionDef) or node.args.kwarg is not None:
        return None
    found: dict[str, Parameter] = {}
    if kind == "schedules":
        found = {"warmup": Parameter(0.0, False), "warmup_start": Parameter(0.0, False)}
    positional = node.args.posonlyargs + node.args.args
    first = len(positional) - len(node.args.defaults)
    pairs = list(zip(positional[first:], node.args.defaults, strict=True))
    pairs += list(zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True))
    pairs = [(argument, None) for argument in positional[:first]] + pairs
    pairs = pairs[_GIVEN.get(kind, 0) :]
    for argument, default in pairs:
        literal = _literal(default)
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        sequence = isinstance(literal, (list, tuple)) or any(
            word in annotation for word in ("Sequence", "tuple", "list", "Floats")
        )
        found[argument.arg] = Parameter(literal, sequence)
    return found


def _hyperparameters(name: str) -> dict[str, Parameter] | None:
    if name not in registry("optimizers"):
        return None
    function = getattr(importlib.import_module("lrlab.optimizers"), "hyperparameters", None)
    if function is None:
        return None
    return {
        key: Parameter(default, isinstance(default, (list, tuple)))
        for key, default in function(name).items()
    }


def _literal(node: ast.expr | None) -> Any:
    """A default's value, where it is a literal or arithmetic on literals (`1 / 3`)."""
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:
        arithmetic = (ast.BinOp, ast.UnaryOp, ast.Constant, ast.operator, ast.unaryop)
        if not all(isinstance(part, arithmetic) for part in ast.walk(node)):
            return None
        value = eval(compile(ast.Expression(node), "<default>", "eval"), {"__builtins__": {}})
        return round(value, 6)


def _node(kind: str, name: str) -> ast.FunctionDef | ast.ClassDef | None:
    entry = registry(kind).get(_base(kind, name))
    if not isinstance(entry, str) or ":" not in entry:
        return None
    module, _, attribute = entry.partition(":")
    return _functions(module).get(attribute)


@functools.lru_cache
def _functions(module: str) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return {}
    with open(spec.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds)}
