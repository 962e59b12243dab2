"""Where someone's own modules lie, and of what text they are. Nothing of theirs is imported here.

A module is looked for in one folder first (that of the configuration that names it), then wherever
Python looks.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import NamedTuple

from lrlab.core.files import sha256

_PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")

NOT_OURS = frozenset({"lrlab", *sys.stdlib_module_names})
"""Modules that are the same everywhere: a folder that holds some of these names changes nothing."""


class Sources(NamedTuple):
    """A module's text.

    `file`: the module's own (None: it is not there, or no Python text). `local`: it lies in the
    folder, not elsewhere in the environment. `files`: file -> SHA-256 (hex), the module's own
    first, then those of the folder that it imports, at any depth and inside functions too.
    """

    file: Path | None
    local: bool
    files: Mapping[Path, str]


def wrong_place(text: object) -> str:
    """What is wrong with "module:function"; "" if nothing.

    >>> wrong_place("my_project.tasks:make_task")
    ''
    >>> wrong_place("my_project.tasks.make_task")
    "must be 'module:function', got 'my_project.tasks.make_task'; did you mean \
'my_project.tasks:make_task'?"
    """
    if isinstance(text, str) and _PLACE.fullmatch(text):
        return ""
    meant = ""
    if isinstance(text, str):
        module, colon, function = text.strip().partition(":")
        module = module.removesuffix(".py").strip("./").replace("/", ".")
        if not colon:
            module, _, function = module.rpartition(".")
        guess = f"{module}:{function}"
        meant = f"; did you mean {guess!r}?" if _PLACE.fullmatch(guess) else ""
    return f"must be 'module:function', got {text!r}{meant}"


def sources(module: str, folder: Path) -> Sources:
    """The text of a module that is looked for in `folder` first.

    >>> sources("no_such_module_here", Path("/nowhere")).file is None
    True
    """
    found = _spec(module, folder)
    file = None if found is None else _text_of(found)
    if file is None:
        return Sources(None, False, {})
    local = _spec(module.partition(".")[0], folder, only=True) is not None
    if not local:
        return Sources(file, False, {file: sha256(file)})
    seen: dict[Path, None] = {}
    names: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop(0)
        if name in names or name.partition(".")[0] in NOT_OURS:
            continue
        names.add(name)
        if (spec := _spec(name, folder, only=True)) is None:
            continue
        waiting += [name.rpartition(".")[0]] if "." in name else []
        path = _text_of(spec)
        if path is not None and path not in seen:
            seen[path] = None
            package = name if spec.submodule_search_locations else name.rpartition(".")[0]
            waiting += _imports(path, package)
    return Sources(file, True, {path: sha256(path) for path in seen})


def nearby(folder: Path) -> list[str]:
    """The modules and packages that a folder holds; none of a folder that cannot be read."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    names = [path.stem if path.suffix == ".py" else path.name for path in entries
             if path.suffix == ".py" or path.is_dir()]  # fmt: skip
    return [name for name in names if name.isidentifier()]


def _spec(name: str, folder: Path, only: bool = False) -> ModuleSpec | None:
    """Where a module is; its packages are not imported, as `importlib.util.find_spec` would.

    `only`: in the folder, nowhere else.
    """
    path: list[str] | None = [str(folder)]
    found = _walk(name, path)
    return found if found is not None or only else _walk(name, None)


def _walk(name: str, path: list[str] | None) -> ModuleSpec | None:
    spec, full = None, ""
    for part in name.split("."):
        full = f"{full}.{part}" if full else part
        spec = _find(full, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return spec


def _find(name: str, path: list[str] | None) -> ModuleSpec | None:
    if path is not None:
        PathFinder.invalidate_caches()
        return PathFinder.find_spec(name, path)
    finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
    specs = (find(name, None) for find in finders if find is not None)
    return next((spec for spec in specs if spec is not None), None)


def _text_of(spec: ModuleSpec) -> Path | None:
    origin = spec.origin
    return Path(origin) if origin and origin.endswith(".py") and Path(origin).is_file() else None


def _imports(file: Path, package: str) -> Iterator[str]:
    """The modules that a file imports, wherever in it; a name taken from a package may be one."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # said by whoever imports it
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
            if base:
                yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)
