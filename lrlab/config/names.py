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
from collections.abc import Iterable
from typing import Any, NamedTuple

from lrlab.core.registry import docstring as docstring_of
from lrlab.core.synonyms import OPTIMIZER, OPTIMIZER_NAME, SCHEDULE, SCHEDULE_NAME, did_you_mean

_REGISTRIES = {
    "tasks": ("lrlab.tasks", "NAMES"),
    "models": ("lrlab.models", "NAMES"),
    "data": ("lrlab.data", "NAMES"),
    "schedules": ("lrlab.schedules", "NAMES"),
    "optimizers": ("lrlab.optimizers", "METHODS"),
    "rules": ("lrlab.search.rules", "NAMES"),
    "probes": ("lrlab.probes", "NAMES"),
}
USUAL = {"optimizers": OPTIMIZER, "schedules": SCHEDULE}
USUAL_NAMES = {"optimizers": OPTIMIZER_NAME, "schedules": SCHEDULE_NAME}
KINDS = ("tasks", "models", "schedules", "optimizers", "rules", "probes")
"""The registries that `lrlab ls` shows."""


_SENTENCE_END = re.compile(r"(?<=\.)(?<!al\.)(?<!e\.g\.)(?<!i\.e\.)\s")
_GIVEN = {"schedules": 2, "models": 1, "probes": 1}
"""How many leading arguments lrlab fills in itself: (step, steps), (num_outputs), (lane)."""


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
    if kind == "tasks" and name not in entries:
        return not entries or recipe(name) is not None
    return not entries or _base(kind, name) in entries


def _base(kind: str, name: str) -> str:
    if kind == "optimizers":
        every = importlib.import_module("lrlab.optimizers").REGISTRY
        return every.aliases.get(name, (name,))[0]
    if kind == "schedules" and name not in registry(kind):
        return name.removeprefix("warmup_")
    return name.partition(":")[0] if kind == "data" else name


@functools.lru_cache
def recipe(task: str) -> dict[str, str] | None:
    """The model and the data source of a supervised task; None for objectives and unknown names.

    >>> recipe("wine-mlp")
    {'data': 'wine', 'model': 'mlp'}
    """
    entry = registry("tasks").get(task)
    if entry is None:
        data, _, model = task.rpartition("-")
        found = model in registry("models") and data.partition(":")[0] in registry("data")
        return {"data": data, "model": model} if found else None
    node = _node("tasks", task)
    if not isinstance(node, ast.FunctionDef) or node.args.args or node.args.kwonlyargs:
        return None
    module, _, attribute = entry.partition(":")
    parts = getattr(importlib.import_module(module), attribute)()
    return {part: str(parts[part]["name"]) for part in ("data", "model")}


@functools.lru_cache
def table_keys(module: str, table: str) -> tuple[str, ...]:
    """The keys of a module's literal dict, read from its source."""
    tree = _tree(module)
    for node in tree.body if tree else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            if isinstance(node.target, ast.Name) and node.target.id == table:
                keys = (key.value for key in node.value.keys if isinstance(key, ast.Constant))
                return tuple(map(str, keys))
    return ()


def docstring(kind: str, name: str) -> str:
    """The entry's docstring, "" where it has none."""
    if kind == "optimizers":
        return docstring_of(importlib.import_module("lrlab.optimizers").REGISTRY, name)
    node = _node(kind, name)
    return (ast.get_docstring(node) or "") if node is not None else ""


def summary(kind: str, name: str) -> str:
    """The first sentence of the entry's docstring."""
    paragraph = " ".join(docstring(kind, name).partition("\n\n")[0].split())
    return _SENTENCE_END.split(paragraph)[0]


@functools.lru_cache
def parameters(kind: str, name: str) -> dict[str, Parameter] | None:
    """The keywords an entry takes; None where that cannot be known (`**kwargs`, no registry)."""
    if kind == "optimizers":
        return _hyperparameters(name)
    parts = recipe(name) if kind == "tasks" else None
    if parts is not None:
        of_both = [parameters("data", parts["data"]), parameters("models", parts["model"])]
        return None if None in of_both else {**(of_both[0] or {}), **(of_both[1] or {})}
    node = _node(kind, name)
    if not isinstance(node, ast.FunctionDef) or node.args.kwarg is not None:
        return None
    found = _keywords(node, _GIVEN.get(kind, 0))
    if kind == "schedules":
        found = of_every_schedule() | found
    if kind == "data":
        found |= common_data_options()
    return found


def meant(kind: str, option: str, known: Iterable[str]) -> str:
    """What an unknown option may have been meant as, or what has it: the end of a sentence, or "".

    >>> meant("schedules", "milestones", ["final"]), meant("optimizers", "betas", ["b1", "b2"])
    ("; schedule 'multistep' has it", "; did you mean 'b1', 'b2'? betas is written b1, b2 here")
    >>> meant("optimizers", "nesterov", ["momentum"])
    "; optimizer 'nesterov' is one of its own"
    """
    words = USUAL.get(kind)
    hint = did_you_mean(option, known, words)
    if hint or words is None:
        return hint
    if option in registry(kind):
        return f"; {kind.removesuffix('s')} {option!r} is one of its own"
    for word in (option, *words.get(option, ())):
        have = [name for name in registry(kind) if word in (parameters(kind, name) or {})]
        if have:
            what = "it" if word == option else f"{word!r}"
            shown = ", ".join(map(repr, have[:4])) + (", ..." if len(have) > 4 else "")
            if len(have) == 1:
                return f"; {kind.removesuffix('s')} {shown} has {what}"
            return f"; {kind} {shown} have {what}"
    return ""


def common_data_options() -> dict[str, Parameter]:
    """What every data source takes."""
    load = _functions("lrlab.data").get("load")
    common = getattr(importlib.import_module("lrlab.data"), "COMMON", ()) if load else ()
    every = _keywords(load, 1) if isinstance(load, ast.FunctionDef) else {}
    return {key: every[key] for key in common if key in every}


def _keywords(node: ast.FunctionDef, skip: int) -> dict[str, Parameter]:
    """A function's arguments but the first `skip`."""
    positional = node.args.posonlyargs + node.args.args
    first = len(positional) - len(node.args.defaults)
    pairs: list[tuple[ast.arg, ast.expr | None]] = [(arg, None) for arg in positional[:first]]
    pairs += list(zip(positional[first:], node.args.defaults, strict=True))
    pairs = pairs[skip:]
    pairs += list(zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True))
    found = {}
    for argument, default in pairs:
        literal = _literal(default)
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        sequence = isinstance(literal, (list, tuple)) or any(
            word in annotation for word in ("Sequence", "tuple", "list", "Floats")
        )
        found[argument.arg] = Parameter(literal, sequence)
    return found


def common_optimizer_options() -> dict[str, Parameter]:
    """What every optimizer takes besides its own hyper-parameters."""
    given = getattr(importlib.import_module("lrlab.optimizers"), "OPTIONS", {})
    return {key: Parameter(default, False) for key, default in given.items()}


def of_every_schedule() -> dict[str, Parameter]:
    """What every schedule takes besides its own parameters."""
    common = getattr(importlib.import_module("lrlab.schedules"), "COMMON", {})
    return {key: Parameter(default, False) for key, default in common.items()}


def length_in_words(parameter: str, value: Any) -> bool:
    """Whether `value` is a length such as "3 epochs" for a schedule's parameter that is one."""
    lengths = importlib.import_module("lrlab.schedules.lengths")
    every = value if isinstance(value, list) else [value]
    return parameter in lengths.LENGTHS and any(map(lengths.in_words, every))


def default_lr(optimizer: Any) -> float | None:
    """The learning rate that an optimizer has unless one is given; None: one must be given."""
    if not isinstance(optimizer, str) or optimizer not in _optimizers():
        return None
    return importlib.import_module("lrlab.optimizers").default_lr(optimizer)


def _optimizers() -> set[str]:
    every = importlib.import_module("lrlab.optimizers").REGISTRY
    return {*every.entries, *every.aliases}


def _hyperparameters(name: str) -> dict[str, Parameter] | None:
    if not known("optimizers", name):
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
    tree = _tree(module)
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds)} if tree else {}


@functools.lru_cache
def _tree(module: str) -> ast.Module | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None:
        return None
    with open(spec.origin, encoding="utf-8") as file:
        return ast.parse(file.read())
