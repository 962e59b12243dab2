"""What the page of one or several runs shows: the report's own numbers and tables, and a state.
What was read is kept until a file of the run changes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lrlab import runs
from lrlab.core.errors import RunError
from lrlab.core.files import read_json
from lrlab.core.text import JsonObject, Table
from lrlab.report.content import standing
from lrlab.report.content.data import ReportData
from lrlab.report.content.reading import read_live, read_study, with_picks
from lrlab.report.html import page
from lrlab.runs.live import Version
from lrlab.ui.places import PARTS, parts_of, run_folder

KEPT = 8
"""Pages that are kept: of runs that several tabs show. Each holds some MB."""


class View(NamedTuple):
    """A page's content at one version. `kind`: "report" (runs with figures), "study", or "message"
    (nothing to draw: `words` say why). `state` is one word for all of its runs; `done` from 0 to 1
    for each; `names` are the runs below the root that it shows or is made of; `numbers` are what
    the report's script draws."""

    version: object
    kind: str
    title: str
    state: str
    words: str = ""
    names: Sequence[str] = ()
    done: Sequence[float] = ()
    numbers: JsonObject | None = None
    pieces: Sequence[page.Pieces] = ()
    overview: page.Pieces | None = None
    study: Table | None = None

    @property
    def stamp(self) -> str:
        """The version in a few characters, for an address."""
        return stamp_of(self.version)


def stamp_of(version: object) -> str:
    """A version in a few characters: other ones differ.

    >>> stamp_of(("a", 1)) == stamp_of(("a", 1)), stamp_of(("a", 1)) == stamp_of(("a", 2))
    (True, False)
    """
    return hashlib.sha256(repr(version).encode()).hexdigest()[:16]


class Views:
    """Pages by the runs that they show. A class because it holds what was read; safe from several
    threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._kept: OrderedDict[tuple[str, ...], View] = OrderedDict()
        self._lock = threading.Lock()

    def version(self, names: Sequence[str]) -> object:
        """What changes with every commit of the runs, the beginning and the end of one, and where
        the process of one ends.

        Raises:
            RunError: no such run.
        """
        if not names:
            raise RunError("no run is named")
        folders = [
            folder
            for name in names
            for folder in _with_parts(self.root, run_folder(self.root, name))
        ]
        return tuple(map(_version, folders))

    def view(self, names: Sequence[str]) -> View:
        """The page of some runs.

        Raises:
            RunError: no such run.
        """
        key = tuple(names)
        with self._lock:
            version = self.version(names)
            kept = self._kept.get(key)
            if kept is None or kept.version != version:
                kept = _view(self.root, names, version)
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return kept


def _with_parts(root: Path, folder: Path) -> list[Path]:
    try:
        return [folder, *(root / part for part in parts_of(root, folder))]
    except RunError:
        return [folder]


def _version(folder: Path) -> tuple[Version, str]:
    try:
        return runs.version(folder), runs.status_of(folder)[1]
    except RunError:
        return runs.version(folder), "damaged"


def _view(root: Path, names: Sequence[str], version: object) -> View:
    try:
        if len(names) == 1:
            return _one(root, names[0], version)
        return _several(root, names, version, None, "Comparison of runs")
    except (ValueError, OSError) as error:
        return View(version, "message", names[0], "damaged", f"This cannot be shown: {error}")


def _one(root: Path, name: str, version: object) -> View:
    folder = run_folder(root, name)
    info, state = runs.status_of(folder)
    command = str(info.get("command"))
    if command not in PARTS:
        return _several(root, [name], version, None, name)
    names = parts_of(root, folder)
    if command == "study":
        if state == "finished":
            study = read_study(folder)
            return View(version, "study", name, state, study=study, names=names)
        begun = f"This study is {state}; its groups so far are below."
        return View(version, "message", name, state, begun, names=names)
    summary = folder / "summary.json"
    compared = read_json(summary) if summary.is_file() else None
    if not names:
        return View(version, "message", name, state, "No run of this comparison has begun yet.")
    return _several(root, names, version, compared, name, state)


def _several(
    root: Path, names: Sequence[str], version: object, compared: Table | None, title: str,
    state: str = "",
) -> View:  # fmt: skip
    """Runs beside each other; those without a commit are left out, and named."""
    data: list[ReportData] = []
    waiting: list[str] = []
    states: list[str] = []
    shown: list[str] = []
    for name in names:
        folder = run_folder(root, name)
        _, its = runs.status_of(folder)
        states.append(its)
        if its != "finished" and not runs.stages(folder):
            waiting.append(name)
            continue
        data.append(read_live(folder))
        shown.append(name)
    state = state or _together(states)
    if not data:
        words = {
            "running": "Compiling, or training up to the first commit: nothing to draw yet.",
        }.get(state, f"This run is {state}, and nothing was committed before it ended.")
        return View(version, "message", title, state, words, names=names)
    words = f"Nothing is committed yet of {', '.join(waiting)}." if waiting else ""
    data = with_picks(data)
    return View(
        version, "report", title, state, words, shown,
        [round(standing.share(one), 4) if one.status else 1.0 for one in data],
        page.numbers_of(data), page.pieces_of(data), page.overview_of(data, compared),
    )  # fmt: skip


def _together(states: Sequence[str]) -> str:
    """One word for several runs: "running" while any is.

    >>> _together(["finished", "running"]), _together(["finished", "failed"])
    ('running', 'failed')
    """
    if "running" in states:
        return "running"
    return next((state for state in states if state != "finished"), "finished")
