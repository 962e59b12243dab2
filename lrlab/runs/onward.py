"""What continues an unfinished run: a command, or the script whose objects it was made with."""

from __future__ import annotations

import tomllib
from pathlib import Path

from lrlab.core.errors import RunError
from lrlab.core.files import read_json
from lrlab.core.paths import short, shown
from lrlab.core.text import Table

FUNCTIONS = {
    "sweep": "sweep", "find": "find", "range-test": "range_test", "compare": "compare",
    "study": "study",
}  # fmt: skip
"""Command -> function of `lrlab` that does the same."""


def onward(folder: str | Path) -> str:
    """How the run in a folder is continued, as the end of a sentence: `continue with: lrlab resume
    RUN`, or `call lrlab.sweep(..., out='RUN') again` where it was made with objects or callbacks of
    Python."""
    path = outermost(Path(folder))
    info = _read(path)
    function = FUNCTIONS.get(str(info.get("command")))
    if function is None or not (made_in_python(path, info) or info.get("callbacks")):
        return f"continue with: lrlab resume {shown(path)}"
    return f"call lrlab.{function}(..., out={short(path)!r}) again in the script that made it"


def refuse_untrained(path: Path, info: Table, wanted: str) -> None:
    """Raises RunError where a run was put together from others, or imported: there is nothing that
    could be trained again as it was. `wanted`: what was asked for, as in "cannot be resumed"."""
    if "imported" in info:
        message = "holds curves from elsewhere, and not what trained them"
        raise RunError(path, f"cannot be {wanted}: it {message}; show, report and export read it")
    if merged := info.get("merged"):
        parts = ", ".join(str(part["run"]) for part in merged)
        raise RunError(path, f"cannot be {wanted}: it was merged from {parts}; each of them can be")


def made_in_python(path: Path, info: Table) -> bool:
    """Whether a run needs objects (a task, an optimizer, ...) that its folder cannot hold."""
    if info.get("objects"):
        return True
    try:
        table = tomllib.loads((path / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    entries = table.get("compare")
    tables = [table, *(entries.values() if isinstance(entries, dict) else ())]
    return any(
        isinstance(spec, dict) and spec.get("external") is True
        for one in tables
        if isinstance(one, dict)
        for spec in one.values()
    )


def outermost(path: Path) -> Path:
    """The comparison or study that a run is a part of; else the run itself.

    >>> outermost(Path("/nowhere/run"))
    PosixPath('/nowhere/run')
    """
    for above, command in ((path.parent, "compare"), (path.parent.parent, "study")):
        if (above / "run.json").is_file() and _read(above).get("command") == command:
            return above
    return path


def _read(path: Path) -> Table:
    try:
        return read_json(path / "run.json")
    except RunError:
        return {}
