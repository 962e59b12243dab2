"""Someone's own functions by "module:function", imported from the folder of a configuration.

The folder (or that of PYTHONPATH which holds the module) is first in `sys.path` while a module is
imported and while one of its functions is called, and no longer. Modules that a function imports
later (a loss, when it is traced) are there: whatever a module of the folder imports from there is
imported with it. Of two folders with modules of one name each gets its own; a module whose text has
changed is imported again.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import NamedTuple, cast

from lrlab.core.errors import ConfigError, FieldError
from lrlab.core.files import sha256
from lrlab.core.own_sources import INSTALLED, NOT_OURS, Sources, home, nearby, sources
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import Table, first_line


class _Kept(NamedTuple):
    """A folder's modules by name, and the SHA-256 of their files."""

    modules: dict[str, ModuleType]
    files: dict[Path, str]


@functools.cache
def _every() -> dict[Path, _Kept]:
    """What was imported from each folder, for the life of the process, as with `sys.modules`."""
    return {}


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Imports inside look in `folder` first, and find its modules, not another folder's."""
    _drop_changed(folder)
    kept = _every().setdefault(folder, _Kept({}, {}))
    provided, others = set(nearby(folder)) - NOT_OURS, _others(folder)
    aside: dict[str, ModuleType] = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in provided and _is_elsewhere(module, folder):
            del sys.modules[name]
            if module not in others:
                aside[name] = module
    sys.modules.update(kept.modules)
    sys.path.insert(0, str(folder))
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            file = _file(module)
            if name.partition(".")[0] in provided and file and file.is_relative_to(folder):
                kept.modules[name] = module
                kept.files.setdefault(file, sha256(file))
        sys.modules.update(aside)


def loaded(place: str, folder: Path) -> object:
    """What "module:name" stands for.

    Raises:
        FieldError: no such module or name, with the nearest, or the module raises, with the line.
    """
    module, _, name = place.partition(":")
    folder = home(module, folder)
    with inside(folder):
        text = sources(module, folder)
        if not text.there and not _has_no_file(module):
            _refuse_absent(module, folder)
        try:
            value: object = importlib.import_module(module)
        except (Exception, SystemExit) as error:
            raise FieldError(
                "python", f"{module} fails when it is imported: {raised(error, folder)}"
            ) from error
        _import_siblings(text, folder)
        for part in name.split("."):
            if not hasattr(value, part):
                known = [one for one in vars(value) if not one.startswith("_")]  # type: ignore[arg-type]
                own = [one for one in known if _is_own(getattr(value, one), module)]
                hint = did_you_mean(part, known, end=".")
                has = f" It has: {', '.join(own)}" if own else ""
                at = getattr(value, "__file__", None)
                where = f" ({at})" if at else ""
                raise FieldError("python", f"{module}{where} has no {part!r}{hint}{has}")
            value = getattr(value, part)
    return value


def is_loaded(place: str, folder: Path) -> bool:
    """Whether the module of "module:name" is imported already, with the text that it has now."""
    module = place.partition(":")[0]
    folder = home(module, folder)
    _drop_changed(folder)
    kept = _every().get(folder)
    if kept is not None and module in kept.modules:
        return True
    return sources(module, folder).root != folder and module in sys.modules


def called(
    place: str,
    function: object,
    options: Table,
    folder: Path,
    what: str,
    filled: Table = MappingProxyType({}),
) -> object:
    """What a function gives for these options.

    Args:
        what: what it shall give, for the message.
        filled: what it gets beside them where it has parameters of these names.

    Raises:
        FieldError: it is no function, has no such option (at that option), lacks one, or raises.
    """
    check_function(place, function, what)
    known = parameters(function) or {}
    given = {name: value for name, value in filled.items() if name in known}
    check_options(place, function, options, filled=tuple(given))
    with inside(home(place.partition(":")[0], folder)):
        try:
            return cast(Callable[..., object], function)(**{**given, **options})
        except (Exception, SystemExit) as error:
            raise FieldError("python", f"{place} fails: {raised(error, folder)}") from error


def check_function(place: str, function: object, what: str) -> None:
    """Raises FieldError where this is no function, which shall give `what`."""
    if not callable(function):
        raise FieldError(
            "python",
            f"must name a function that gives {what}; {place} is of type {type(function).__name__}",
        )


def raised(error: BaseException, folder: Path) -> str:
    """An exception in one line, with the last line of the folder's own files that it passed."""
    kind = type(error).__name__
    first = first_line(error, 500)
    if isinstance(error, (FieldError, ConfigError)):  # our own words
        first = first.removeprefix(f"{kind}: ")
    if isinstance(error, SyntaxError) and error.filename:
        return f"{kind}: {error.msg} at {error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        one
        for one in frames
        if Path(one.filename).is_relative_to(folder) and not one.filename.startswith(INSTALLED)
    ]
    return f"{first} at {own[-1].filename}:{own[-1].lineno}" if own else first


def parameters(function: object) -> Mapping[str, inspect.Parameter] | None:
    """What a function takes, by name; None where it does not say."""
    try:
        return inspect.signature(function).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def check_options(
    place: str, function: object, options: Table, filled: Collection[str] = ()
) -> None:
    """Whether a function takes these options, and needs no others.

    Args:
        filled: parameters that get a value elsewhere; as an option they are refused only where the
            function has none of that name.

    Raises:
        FieldError: it has no such option, at `options.NAME`; or lacks some, at `options`.
    """
    known = parameters(function)
    if known is None:
        return
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    takes = [name for name, one in known.items() if one.kind in kinds]
    if not any(one.kind is one.VAR_KEYWORD for one in known.values()):
        for name in options:
            if name not in takes:
                others = [one for one in takes if one not in filled]
                hint = did_you_mean(name, others, end=".")
                listed = ", ".join(others) or "no options"
                message = f"{place} has no option {name!r}{hint} It takes: {listed}"
                raise FieldError(("options", name), message)
    empty = inspect.Parameter.empty
    missing = [
        name
        for name in takes
        if known[name].default is empty and name not in options and name not in filled
    ]
    if missing:
        raise FieldError(
            "options", f"{place} needs {', '.join(missing)}: write options.{missing[0]} = ..."
        )


def _refuse_absent(module: str, folder: Path) -> None:
    """Raises FieldError for a module that is nowhere."""
    if not folder.is_dir():
        raise FieldError(
            "python",
            f"the folder {folder}, where {module} was found, is not there any more; put it back, "
            "or say where the code is now: PYTHONPATH=FOLDER lrlab ...",
        )
    first, _, rest = module.partition(".")
    place = folder
    known = nearby(folder)
    if rest and first in known:
        place, known = folder / first, [f"{first}.{one}" for one in nearby(folder / first)]
    hint = did_you_mean(module, known)
    raise FieldError("python", f"no module {module!r} in {place}, nor in the environment{hint}")


def _has_no_file(module: str) -> bool:
    """Whether a module is there without a text: made by a program, or `__main__`. One with a file
    that is not found now was imported from another folder."""
    one = sys.modules.get(module)
    return one is not None and (module == "__main__" or _file(one) is None)


def _import_siblings(text: Sources, folder: Path) -> None:
    """Imports what a module's functions will import from the folder when they are called."""
    for file in text.files if text.root == folder else ():
        parts = Path(file).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name and name not in sys.modules:
            with contextlib.suppress(Exception, SystemExit):  # raised again where it is called
                importlib.import_module(name)


def _drop_changed(folder: Path) -> None:
    kept = _every().get(folder)
    if kept is None or all(p.is_file() and sha256(p) == text for p, text in kept.files.items()):
        return
    for name, module in kept.modules.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]
    del _every()[folder]


def _others(folder: Path) -> list[ModuleType]:
    """The modules of other folders: they come back when theirs is entered again."""
    return [
        module
        for one, kept in _every().items()
        if one != folder
        for module in kept.modules.values()
    ]


def _is_elsewhere(module: ModuleType, folder: Path) -> bool:
    """Whether a module is neither the folder's nor an installed one."""
    file = _file(module)
    if file is None:
        paths = [Path(path) for path in getattr(module, "__path__", ())]
        return bool(paths) and not any(path.is_relative_to(folder) for path in paths)
    return not file.is_relative_to(folder) and not str(file).startswith(INSTALLED)


def _is_own(value: object, module: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module


def _file(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file) if isinstance(file, str) and file.endswith(".py") else None
