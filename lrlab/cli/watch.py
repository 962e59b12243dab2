"""`lrlab watch`: a run on the terminal while another process trains it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

import lrlab
from lrlab import runs
from lrlab.cli.failures import DONE, FAILED, INTERRUPTED
from lrlab.cli.options import Folder, Json
from lrlab.cli.output import console, emit
from lrlab.cli.run_folders import find_run
from lrlab.core.errors import RunError
from lrlab.core.paths import short
from lrlab.core.text import JsonObject

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lrlab.report import ReportData

LOOK = 0.5
"""Seconds between two looks at the run's files."""

PATIENCE = 4
"""Looks in a row that find no process before a run counts as stopped: a new one needs a moment to
put its name beside the lock."""

BAR = 64
"""Columns of the bar of progress: as wide as the report's blocks of loss against rate."""

ENDED = {"finished": DONE, "interrupted": INTERRUPTED, "stopped": INTERRUPTED}
"""A run's state -> exit status of what watched it end; of any other state `FAILED`."""


class Sight(NamedTuple):
    """A run at one look: its state, its report's data (None: nothing to draw), words."""

    state: str
    data: ReportData | None
    words: str


def watch(
    run: Folder,
    once: Annotated[bool, typer.Option("--once", help="Show it as it is now, and end.")] = False,
    json: Json = False,
) -> int:
    """Follow a run on the terminal until it ends: progress, the best so far, loss against rate.

    Where the output is no terminal, a line for every change. Ends with the run: exit status 0
    where it finished, 3 where it failed, 130 where it was interrupted.
    """
    folder = find_run(run, compared=True)
    last = sight(folder)
    if not once:
        live = sys.stdout.isatty() and not json
        last = _on_terminal(folder) if live else _in_lines(folder, quiet=json)
    if json:
        emit(payload(folder, last))
    elif once:
        console().print(shown(last))
    return DONE if once else ENDED.get(last.state, FAILED)


def sight(folder: Path) -> Sight:
    """A run as it is now. What cannot be read in this instant is said in words.

    Raises:
        RunError: no run folder, or its record is damaged.
    """
    info, state = runs.status_of(folder)
    name = str(info.get("title") or info.get("name") or folder.name)
    inner = [place.parent for place in runs.inner_runs(folder)]
    inner += [place.parent for place in runs.inner_runs(folder / "groups")]
    if inner:
        states = [runs.status_of(place)[1] for place in inner]
        under_way = next((p for p, s in zip(inner, states, strict=True) if s == "running"), None)
        words = f"{name}: {states.count('finished')} of {len(inner)} begun runs finished"
        if state == "finished":
            return Sight(state, None, str(runs.read_summary(folder).sentence or words))
        if under_way is None:
            return Sight(state, None, f"{words}; {state}")
        part = sight(under_way)
        return Sight(state, part.data, f"{words}; {under_way.name}: {part.words}")
    try:
        data = lrlab.report.read_live(folder)
    except RunError as error:
        if runs.stages(folder):
            return Sight(state, None, f"{name}: {error.text}")
        return Sight(state, None, f"{name}: {state}, nothing committed yet")
    if state == "finished":
        answer = data.answer or {}
        sentence = data.test.sentence if data.test is not None else answer.get("sentence")
        return Sight(state, data, f"{name}: {sentence or 'finished'}")
    words = lrlab.report.standing.line(data)
    return Sight(state, data, words if state == "running" else f"{state} at {words}")


def looks(folder: Path) -> Iterator[Sight]:
    """The run whenever it changed, until it has ended."""
    before: object = None
    without = 0
    while True:
        state = runs.status_of(folder)[1]
        without = without + 1 if state == "stopped" else 0
        version = (_versions(folder), state if state != "stopped" or without >= PATIENCE else "")
        if version != before and (state != "stopped" or without >= PATIENCE):
            before = version
            yield sight(folder)
        if state != "running" and (state != "stopped" or without >= PATIENCE):
            return
        time.sleep(LOOK)


def _versions(folder: Path) -> object:
    inner = [*runs.inner_runs(folder), *runs.inner_runs(folder / "groups")]
    return [runs.version(folder), *(runs.version(place.parent) for place in inner)]


def _in_lines(folder: Path, quiet: bool) -> Sight:
    """A line for every change; none with `quiet`."""
    last, said = None, ""
    for last in looks(folder):
        if not quiet and last.words != said:
            print(last.words, flush=True)
            said = last.words
    return last if last is not None else sight(folder)


def _on_terminal(folder: Path) -> Sight:
    """A page that is drawn again at every change; the last one stays."""
    from rich.live import Live

    last = sight(folder)
    with Live(shown(last), console=console(), auto_refresh=False) as page:
        for last in looks(folder):
            page.update(shown(last), refresh=True)
    return last


def shown(now: Sight) -> RenderableType:
    """What rich prints of a run: its progress, and the report's own page on the terminal."""
    from rich.console import Group
    from rich.text import Text

    if now.data is None:
        return Text(now.words)
    parts: list[RenderableType] = [lrlab.report.renderable(now.data)]
    if now.state != "finished":
        done = round(BAR * lrlab.report.standing.share(now.data))
        parts.insert(0, Text.assemble(("━" * done, "cyan"), ("━" * (BAR - done), "dim")))
    return Group(*parts)


def payload(folder: Path, now: Sight) -> JsonObject:
    """A run's state as one JSON object."""
    data = now.data
    best = None if data is None else lrlab.report.standing.best_so_far(data)
    how_far = None if data is None else data.standing
    return {
        "run": short(folder),
        "status": now.state,
        "done": None if how_far is None else how_far.done,
        "total": None if how_far is None else how_far.total,
        "alive": None if how_far is None else how_far.alive,
        "lanes": None if how_far is None else how_far.lanes,
        "seconds_left": None if how_far is None or now.state != "running" else how_far.left,
        "metric": None if best is None else best.metric,
        "best": None if best is None else {"lr": best.lr, "mean": best.mean},
        "sentence": now.words,
    }
