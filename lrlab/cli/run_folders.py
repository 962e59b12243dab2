"""Run folders on the command line: which one a name means, and what is stored in it."""

from __future__ import annotations

from pathlib import Path

from lrlab import runs
from lrlab.core.errors import ConfigError, Problem, RunError
from lrlab.core.files import read_json
from lrlab.core.paths import resolved, shown
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import JsonObject

ROOT = Path("runs")
"""Where run folders are written by default, and where names without a path are looked up."""


def find_run(name: str, compared: bool = False) -> Path:
    """The run folder that `name` means; with `compared`, a comparison's folder too.

    Raises:
        ConfigError: there is none; names the nearest.
    """
    stored = folders(ROOT)
    if name == "last" and stored and not Path(name).exists():
        return resolved(stored[-1])
    for path in (resolved(name or "."), resolved(ROOT / name)):
        if (path / "run.json").is_file() or (compared and is_comparison(path)):
            return path
    if resolved(name or ".").is_dir():
        message = f"not a run folder: no run.json in {name or '.'}"
    else:
        hint = did_you_mean(Path(name).name, [run.name for run in stored])
        message = f"no such run{hint} (see `lrlab ls runs`)"
    raise ConfigError([Problem(name, None, "", message)])


def is_comparison(path: Path) -> bool:
    """Whether a folder is a comparison's: a summary, and its runs inside."""
    return (path / "summary.json").is_file() and any(path.glob("*/run.json"))


def folders(root: Path) -> list[Path]:
    """The run folders under `root`, oldest first."""
    paths = [path.parent for path in runs.inner_runs(root)]
    return sorted(paths, key=lambda path: (changed(path), path.name))


def changed(path: Path) -> float:
    """When a run's record was last written, in seconds since 1970; 0 where it is gone by now."""
    try:
        return (path / "run.json").stat().st_mtime
    except OSError:
        return 0.0


def stored_json(path: Path) -> JsonObject | None:
    """A JSON object from a file; None where the file is absent.

    Raises:
        RunError: damaged; names the file.
    """
    if not path.is_file():
        return None
    try:
        return read_json(path)
    except RunError as error:
        hint = f"`lrlab doctor {shown(path.parent)}` says what can be saved"
        raise RunError(path, f"{error.text}; {hint}") from None
