"""From files or arguments to an `Experiment`, complete with what it holds inside."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path as File

from lrlab.config import own_code
from lrlab.config.beginnings import begun, folder_of, settled
from lrlab.config.build import checked, completed, normalized
from lrlab.config.groups import entries_of, groups_of
from lrlab.config.layers import OVERRIDE, Places, override
from lrlab.config.schema import Experiment
from lrlab.config.toml import Path
from lrlab.core.errors import PYTHON, ConfigError, Problem
from lrlab.core.text import Table

UNUSED: Mapping[str, Collection[str]] = {
    "sweep": ("confidence", "budget", "lr_range", "scale", "range_test", "compare", "study"),
    "find": ("range_test", "compare", "study"),
    "compare": ("range_test", "study"),
    "range-test": (
        "steps", "epochs", "schedule", "lr", "lr_range", "tolerance", "confidence", "budget",
        "metric", "scale", "eval_every", "eval_steps", "probes", "compare", "study",
    ),
}  # fmt: skip
"""Fields that a command has no use for. A file serves several commands, so that it may hold them;
an option of one command line may not."""


def load(path: str | File, overrides: Sequence[str] = (), command: str = "find") -> Experiment:
    """The experiment that a TOML file describes, or without one a task's name or a data file,
    complete with defaults.

    Args:
        path: the file; `extends` in it is relative to it. Where there is none: the name of a
            registered task, or a data file (csv, npz), which has the default model.
        overrides: `a.b=value` options, applied in order.
        command: what the experiment is for; some fields are required by some commands only.

    Raises:
        ConfigError: with every problem found; `line` of `--set` counts the options.
    """
    path = path if isinstance(path, str) else str(path)
    layer = settled(override(begun(path), tuple(overrides)), path, command)
    if layer.broken:
        raise ConfigError(layer.problems)
    entries = layer.table.get("compare")
    for one in (layer.table, *(entries.values() if isinstance(entries, dict) else ())):
        own_code.beside(one, folder_of(path))  # what the command line named
    unused = _unused(layer.places, command)
    file = str(File(path).expanduser())
    return build(layer.table, command, layer.places, file, (*layer.problems, *unused))


def _unused(places: Places, command: str) -> Iterator[Problem]:
    """Options of the command line that would change nothing."""
    named: dict[int | None, Path] = {}
    for path, (file, line) in places.items():
        if file == OVERRIDE:  # the option itself, not the tables that it makes on the way
            named[line] = max(named.get(line, ()), path, key=len)
    for path, (file, line) in places.items():
        if file == OVERRIDE and path == named[line] and path[0] in UNUSED.get(command, ()):
            instead = "; say range_test.num_steps" if path == ("steps",) else ""
            message = f"{command} makes no use of it{instead}"
            yield Problem(file, line, ".".join(path), message)


def build(
    table: Table,
    command: str,
    places: Places | None = None,
    file: str = PYTHON,
    problems: Sequence[Problem] = (),
) -> Experiment:
    """A plain table as an `Experiment`: shorthands spelled out, everything checked, and with it the
    entries of a comparison or the groups of a study.

    Raises:
        ConfigError: with every problem found.
    """
    places = {} if places is None else places
    raw = normalized(table, command)
    experiment, wrong = checked(raw, command, file)
    entries: dict[str, Experiment] = {}
    if isinstance(raw.get("compare"), Mapping):
        entries = entries_of(raw, places, file, wrong)
    if command == "study" and isinstance(raw.get("study"), Mapping):
        entries = groups_of(raw, places, file, wrong)
    return completed(experiment, wrong, places, file, problems, entries)
