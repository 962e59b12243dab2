"""What a configuration begins with: a file, or without one a registered task's name or a data file.

A file of a task's name wins over the task.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path as File

from lrlab import data, models, optimizers, tasks
from lrlab.config import names
from lrlab.config.layers import Layer, absolute_paths, read, unusable
from lrlab.config.schema import DataSpec, Experiment
from lrlab.core.errors import Problem
from lrlab.core.paths import shown
from lrlab.core.synonyms import closest, did_you_mean
from lrlab.core.text import JsonObject
from lrlab.data import DataError
from lrlab.data.naming import TARGETS
from lrlab.data.table import header_of
from lrlab.data.textfile import BEGINNING, beginning

TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
"""Endings of the files that the data source `csv` reads."""

ARCHIVE = ".npz"
"""The ending of the files that the data source `npz` reads."""

UNREAD = {
    ".npy": "numpy.savez('data.npz', x=inputs, y=targets)",
    ".parquet": "pandas.read_parquet(...).to_csv('data.csv', index=False)",
    ".feather": "pandas.read_feather(...).to_csv('data.csv', index=False)",
    ".xlsx": "pandas.read_excel(...).to_csv('data.csv', index=False)",
    ".xls": "pandas.read_excel(...).to_csv('data.csv', index=False)",
    ".json": "pandas.read_json(...).to_csv('data.csv', index=False)",
    ".jsonl": "pandas.read_json(..., lines=True).to_csv('data.csv', index=False)",
    ".pkl": "numpy.savez('data.npz', x=inputs, y=targets)",
    ".pt": "numpy.savez('data.npz', x=inputs, y=targets)",
    ".h5": "numpy.savez('data.npz', x=inputs, y=targets)",
    ".hdf5": "numpy.savez('data.npz', x=inputs, y=targets)",
    ".mat": "numpy.savez('data.npz', x=inputs, y=targets)",
}
"""Endings of data files that nothing here reads -> what makes one of them that is read."""

MODEL = "mlp"
"""The model of a data file that is named without a configuration: rows of numbers are what it is
made for, and images are flattened."""

FULL_BATCH = ("chebyshev",)
"""Registered tasks with fewer examples than the usual batch: they train on all of them."""

RATES = {"log": [1e-5, 1.0, 33]}
"""What `sweep` trains of a task that is named without a configuration: the usual rates of every
registered optimizer, seven for each power of ten."""

NEAR = 0.5
"""How near (difflib's ratio) a name must be to a task's or a file's: of two suggestions people see
at once which one they meant, so that it is less than for a key."""


def begun(path: str | File) -> Layer:
    """The layer that the command line's CONFIG stands for. Problems come back, they are not
    raised."""
    text, file = str(path), File(path).expanduser()
    there = unusable(file) is None
    if (source := source_of(file)) is not None:
        return _data_layer(file, source) if there else _nothing(text, file)
    if there and (made := UNREAD.get(file.suffix.lower())):
        message = f"this kind of data file is not read: csv, tsv and npz are; {made} makes one"
        return Layer({}, {}, (Problem(text, None, "", message),), broken=True)
    if there:
        return read(file)
    if names.known("tasks", text):
        table: JsonObject = {"task": {"name": text}}
        absolute_paths(table, File("."))  # as in csv:my.csv-mlp
        return Layer(table, {(): (text, None)})
    return _nothing(text, file)


def source_of(file: File) -> str | None:
    """The data source that reads a file, by its ending; None: it is no data file.

    >>> source_of(File("my.CSV")), source_of(File("a.csv.gz")), source_of(File("run.toml"))
    ('csv', 'csv', None)
    """
    name = file.name.lower()
    if name.endswith(TABLES):
        return "csv"
    return "npz" if name.endswith(ARCHIVE) else None


def folder_of(path: str | File) -> File:
    """Where own code that the command line names is looked for first: beside the file, or, beside a
    task's name, in the working folder."""
    file = File(path).expanduser()
    return file.parent if unusable(file) is None else File(".")


def settled(layer: Layer, path: str | File, command: str) -> Layer:
    """The layer, with all that the command line says on top, completed by what a command needs and
    a name or a data file cannot say; unchanged for a configuration file."""
    if () not in layer.places:
        return layer
    table = layer.table
    if command == "sweep" and "lr" not in table and not _own_rate(table.get("optimizer")):
        table = {**table, "lr": RATES}
    file = File(path).expanduser()
    task = table.get("task")
    task = task if isinstance(task, dict) else {"name": task}
    if "batch_size" not in table and (task.get("name") in FULL_BATCH or _few(file)):
        table = {**table, "batch_size": "full"}
    layer = layer._replace(table=table)
    if source_of(file) == "csv":
        wrong = target_problem(file, task.get("data"), command)
        if wrong is not None:
            problem = Problem(str(path), None, "task.data.target", wrong)
            layer = layer._replace(problems=(*layer.problems, problem))
    return layer


def target_problem(
    file: File, spec: object, command: str, options: str = "{file} --set {setting}"
) -> str | None:
    """What is wrong with the target of a table that is named without a configuration, with the
    command that says it; None: nothing that can be seen here.

    Args:
        spec: the table `task.data`.
        options: how `command` takes file and target.
    """
    if not isinstance(spec, dict) or spec.get("name") != "csv":
        return None
    try:
        columns, words = header_of(file, spec.get("delimiter"), spec.get("header"))
    except DataError:
        return None  # who reads it says so, with the place
    target = spec.get("target")
    listed = ", ".join(columns) if words else f"{len(columns)} columns without names, from 0 on"
    if target is None:
        one = next((name for name in columns if name.lower() in TARGETS), columns[-1])
        if not words:
            one = str(len(columns) - 1)
        setting = shown_setting(one)
        filled = options.format(file=shown(str(file)), setting=setting, target=shown(one))
        return (
            f"is missing: which column is to be predicted? It has {listed}; for example: "
            f"lrlab {command} {filled}"
        )
    if isinstance(target, str) and target not in columns:
        hint = did_you_mean(target, columns)
        return f"there is no column {target!r}{hint}; it has {listed}"
    return None


def shown_setting(target: str) -> str:
    """`task.data.target=...` as it may be typed in a shell.

    >>> shown_setting("y"), shown_setting("net price")
    ('task.data.target=y', "'task.data.target=net price'")
    """
    return shown(f"task.data.target={target}")


def _data_layer(file: File, source: str) -> Layer:
    table: JsonObject = {
        "task": {
            "data": {"name": source, "path": str(file.resolve())},
            "model": {"name": MODEL},
        }
    }
    return Layer(table, {(): (str(file), None)})


def _few(file: File) -> bool:
    """Whether a table has too few rows for the usual batch, so that it trains on all of them."""
    if source_of(file) != "csv":
        return False
    try:
        text = beginning(file)
    except DataError:
        return False  # who reads it says so
    held_out = DataSpec.model_fields["valid_fraction"].default
    usual = Experiment.model_fields["batch_size"].default
    return len(text) < BEGINNING and len(text.splitlines()) * (1 - held_out) < usual + 2


def _own_rate(optimizer: object) -> bool:
    """Whether an optimizer has a learning rate unless one is given."""
    name = optimizer.get("name") if isinstance(optimizer, dict) else optimizer
    return (
        isinstance(name, str)
        and names.known("optimizers", name)
        and optimizers.default_lr(name) is not None
    )


def _nothing(text: str, file: File) -> Layer:
    """There is neither a file nor a task; names what is near of both."""
    wrong = unusable(file) or ""
    if source_of(file) is not None:
        near = _near_file(file)
        message = "no such data file" + (f"; did you mean {near}?" if near else "")
    elif _holds(file, "run.json"):
        message = f"is a run folder; its configuration is {shown(str(file / 'config.toml'))}"
    elif _holds(file, "."):
        message = wrong
    else:
        task, near = closest(text, _task_names(), NEAR), _near_file(file)
        meant = [f"the task {task!r}"] if task else []
        meant += [f"the file {near}"] if near else []
        hint = f"; did you mean {' or '.join(meant)}?" if meant else ""
        message = f"{wrong}, nor a task of that name{hint} (tasks: `lrlab ls tasks`; `lrlab init` "
        message += "writes a configuration)"
    return Layer({}, {}, (Problem(text, None, "", message),), broken=True)


def _holds(folder: File, name: str) -> bool:
    """Whether a folder is there and holds this; False for what no path can be, too."""
    try:
        return (folder / name).exists()
    except (OSError, ValueError):
        return False


def _task_names() -> Iterable[str]:
    """Every registered task, and every combination of a bundled data source and a model."""
    sources = [name for name in data.NAMES if not data.takes_argument(name)]
    made = (f"{source}-{model}" for source in sources for model in models.NAMES)
    return dict.fromkeys([*tasks.REGISTRY.entries, *made])


def _near_file(file: File) -> str | None:
    """The configuration or data file with the nearest name: beside where it was looked for, or in
    `configs`."""
    found: dict[str, File] = {}
    kinds = ("", *TABLES, ARCHIVE) if source_of(file) is not None else (".toml",)
    for folder in (file.parent, File("configs")):
        try:
            here = sorted(folder.iterdir())
        except (OSError, ValueError):
            continue
        for one in here:
            if one.name.lower().endswith(kinds[1:] or kinds) and unusable(one) is None:
                found.setdefault(one.name, one)
                if kinds == (".toml",):
                    found.setdefault(one.stem, one)
    near = closest(file.name, found, NEAR)
    return None if near is None else shown(str(found[near]))
