"""Where someone's own modules lie, and of what text they are. Nothing of theirs is imported here.

A module is looked for in one folder first (that of the configuration that names it), then wherever
Python looks.
"""

from __future__ import annotations

import ast
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import NamedTuple

from lrlab.core.files import sha256
from lrlab.core.syntax import parsed

_PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")

NOT_OURS = frozenset({"lrlab", *sys.stdlib_module_names})
"""Modules that are the same everywhere: a folder that holds some of these names changes nothing."""


INSTALLED = tuple(sysconfig.get_paths()[kind] for kind in ("stdlib", "purelib", "platlib"))
"""Folders of installed packages, whose text their version stands for."""


class Sources(NamedTuple):
    """A module's text.

    `there`: whether there is such a module. `file`: its text (None: it has none that can be read).
    `root`: the folder that `files` are relative to. `files`: path with slashes -> SHA-256 (hex),
    the module's own first, then those below `root` that it imports, at any depth and inside
    functions too; of an installed package the module's own alone.
    """

    there: bool
    file: Path | None
    root: Path
    files: Mapping[str, str]


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

    >>> sources("no_such_module_here", Path("/nowhere")).there
    False
    """
    spec, root = _walk(module, [str(folder)]), folder
    if spec is None:
        spec, root = _walk(module, None), _root(module.partition(".")[0])
    file = None if spec is None else _text_of(spec)
    if file is None:
        return Sources(spec is not None, None, root, {})
    if str(file).startswith(INSTALLED) and not file.is_relative_to(folder):
        return Sources(True, file, root, {_relative(file, root): sha256(file)})
    seen: dict[Path, None] = {file: None}
    names: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop(0)
        if name in names or name.partition(".")[0] in NOT_OURS:
            continue
        names.add(name)
        if (spec := _walk(name, [str(root)])) is None:
            continue
        waiting += [name.rpartition(".")[0]] if "." in name else []
        path = _text_of(spec)
        if path is not None:
            seen[path] = None
            package = name if spec.submodule_search_locations else name.rpartition(".")[0]
            waiting += _imports(path, package)
    return Sources(True, file, root, {_relative(path, root): sha256(path) for path in seen})


def home(module: str, folder: Path) -> Path:
    """The folder that a module is imported from: `folder`, or one of the environment (one on
    PYTHONPATH) where `folder` does not hold it. Installed and absent modules are `folder`'s."""
    if _walk(module, [str(folder)]) is not None or _walk(module, None) is None:
        return folder
    root = _root(module.partition(".")[0])
    return folder if root == Path() or str(root).startswith(INSTALLED) else root


def nearby(folder: Path) -> list[str]:
    """The modules and packages that a folder holds; none of a folder that cannot be read."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    names = [path.stem if path.suffix == ".py" else path.name for path in entries
             if path.suffix == ".py" or path.is_dir()]  # fmt: skip
    return [name for name in names if name.isidentifier()]


def _root(name: str) -> Path:
    """The folder that holds a module or package of the environment."""
    spec = _find(name, None)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    file = None if spec is None else _text_of(spec)
    if places:
        return Path(places[0]).parent
    return Path() if file is None else file.parent


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _walk(name: str, path: list[str] | None) -> ModuleSpec | None:
    """Where a module is, from the folders `path` on (None: the environment's). Its packages are not
    imported, as `importlib.util.find_spec` would."""
    spec = None
    for part in name.split("."):
        # By its last part: Python looks for the package of a dotted name among what is imported.
        spec = _find(part, path)
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
        tree = parsed(file.read_bytes())
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
