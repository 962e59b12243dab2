"""What a shell completes (`lrlab --install-completion`): configurations, runs, kinds, fields.

Nothing here imports jax, and nothing is read but the names of files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lrlab import tasks
from lrlab.cli.run_folders import ROOT, folders
from lrlab.config.beginnings import source_of
from lrlab.config.schema import TABLES

KINDS = ("runs", "tasks", "models", "schedules", "optimizers", "rules", "probes", "data")
"""What `lrlab ls` can list."""


def configurations(incomplete: str) -> list[str]:
    """What may stand where a configuration is expected: tasks, TOML and data files, folders on the
    way to them."""
    return [*_starting(tasks.REGISTRY.entries, incomplete), *_files(incomplete)]


def runs(incomplete: str) -> list[str]:
    """Names of runs under `runs/`, newest first, and `last`; folders, for runs elsewhere."""
    stored = [path.name for path in reversed(folders(ROOT))]
    names = _starting([*stored, *(["last"] if stored else [])], incomplete)
    return names or [name for name in _files(incomplete) if name.endswith("/")]


def task_names(incomplete: str) -> list[str]:
    """Registered tasks."""
    return _starting(tasks.REGISTRY.entries, incomplete)


def data_files(incomplete: str) -> list[str]:
    """Data files, and folders on the way to them."""
    return [name for name in _files(incomplete) if not name.endswith(".toml")]


def kinds(incomplete: str) -> list[str]:
    """What `lrlab ls` can list."""
    return _starting(KINDS, incomplete)


def fields(incomplete: str) -> list[str]:
    """Fields for `--set`, as far as the schema names them.

    >>> fields("lr"), fields("batch")
    (['lr=', 'lr_range='], ['batch_size='])
    """
    hidden = {"external", "folder"}
    names = (
        ".".join((*table, field)) + "="
        for table, model in TABLES.items()
        for field in model.model_fields
        if field not in hidden
    )
    return sorted(_starting(names, incomplete))


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> list[str]:
    """TOML files, data files and folders that begin so; hidden ones where a dot is typed."""
    above, slash, begun = incomplete.rpartition("/")
    folder = Path(above + slash or ".").expanduser()
    try:
        here = sorted(folder.iterdir())
    except (OSError, ValueError):
        return []
    result = []
    for path in here:
        if not path.name.startswith(begun) or (path.name.startswith(".") and not begun):
            continue
        if path.is_dir():
            result.append(f"{above}{slash}{path.name}/")
        elif path.suffix.lower() == ".toml" or source_of(path) is not None:
            result.append(f"{above}{slash}{path.name}")
    return result
