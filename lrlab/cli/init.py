"""`lrlab init`: a configuration to begin with, and a script with a model of one's own."""

from __future__ import annotations

import importlib.util
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from lrlab import config, data, tasks
from lrlab.cli import completion, init_questions
from lrlab.cli.init_text import Start, config_text, script_text
from lrlab.cli.options import Json
from lrlab.cli.output import emit
from lrlab.config.beginnings import FULL_BATCH, MODEL, source_of, target_problem
from lrlab.config.schema import DEFAULT_STEPS, Experiment, OptimizerSpec, ScheduleSpec
from lrlab.core.errors import ConfigError, FieldError, Problem
from lrlab.core.paths import short, shown
from lrlab.core.text import JsonObject
from lrlab.data import Dataset

TASK = "digits-mlp"
"""The task where nobody says one: real data that are on every machine, and seconds of training."""

FLAGS: Mapping[str, str] = {
    "task.name": "--task",
    "task.data": "--data",
    "task.data.target": "--target",
    "task.data.ignore": "--ignore",
    "task.model.name": "--model",
    "optimizer.name": "--optimizer",
    "schedule.name": "--schedule",
    "steps": "--steps",
}
"""Field of the configuration -> the option that filled it, for messages."""

ENDINGS = (".toml", ".py")
"""What NAME may end in; both files have the name without it."""


def init(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="The file to write, NAME.toml; named after the data by default."
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="A registered task (`lrlab ls tasks`).", autocompletion=completion.task_names
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Your data: csv, csv.gz or npz.",
            autocompletion=completion.data_files,
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column or array to predict.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column to leave out; may be repeated."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The model for --data (`lrlab ls models`); mlp unless given."),
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option(help="`lrlab ls optimizers`; adam unless given.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="`lrlab ls schedules`; cosine unless given.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Updates of a full-length run.")] = DEFAULT_STEPS,
    python: Annotated[
        bool, typer.Option("--python", help="A script NAME.py with a Flax model of yours, too.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    json: Json = False,
) -> None:
    """Write a commented configuration to begin with; in a terminal, asks what no option says."""
    if task is not None and data is not None:
        _refuse("--task", "cannot stand beside --data; a task brings its own data")
    if task is None and data is None and not json and sys.stdin.isatty() and sys.stdout.isatty():
        said = init_questions.asked(target, model, optimizer, python)
        task, data, target, model, optimizer, python = said
    if data is None:
        task = task or TASK
        for flag, value in (("--target", target), ("--model", model), ("--ignore", ignore)):
            if value:
                _refuse(flag, f"goes with --data; the task {task!r} has its own")
    place = _place(name, task, data)
    options = {"target": target, "ignore": ignore}
    start, dataset = _start(place, task, data, options, model, optimizer, schedule, steps)
    text = config_text(start)
    _check(text, place)
    files = {place: text}
    if python:
        script = place.with_suffix(".py")
        _check_module(script)
        files[script] = _script(start, script, dataset)
    _write(files, force)
    command = f"lrlab find {shown(os.path.relpath(place))}"
    if json:
        emit({"files": [short(file) for file in files], "next": command})
        return
    for file in files:
        print(f"Wrote {shown(file)}")
    print(f"Next:  {command}")
    if python:
        print(f"or:    python {shown(os.path.relpath(place.with_suffix('.py')))}")


def _refuse(flag: str, message: str) -> None:
    raise ConfigError([Problem(flag, None, "", message)])


def _place(name: str | None, task: str | None, data: str | None) -> Path:
    """The configuration's file."""
    if name is None:
        stem = Path(data).name.partition(".")[0] if data else str(task).replace(":", "-")
        return Path(f"{Path(stem).name or 'experiment'}.toml").absolute()
    path = Path(name).expanduser()
    stem = path.name.removesuffix(path.suffix) if path.suffix in ENDINGS else path.name
    if not stem or "\0" in name or path.name in (".", ".."):
        _refuse("NAME", f"{name!r} is no name for a file")
    if path.is_dir():
        _refuse("NAME", f"{shown(str(path))} is a folder; name a file in it")
    return path.with_name(f"{stem}.toml").absolute()


def _start(
    place: Path,
    task: str | None,
    file: str | None,
    options: Mapping[str, str | list[str] | None],
    model: str | None,
    optimizer: str | None,
    schedule: str | None,
    steps: int,
) -> tuple[Start, Dataset | None]:
    """What the texts are made of, and the data, where they come from a file."""
    batch: int | str | None = Experiment.model_fields["batch_size"].default
    spec: JsonObject = {}
    maximized, dataset = None, None
    if file is not None:
        spec = _spec(Path(file).expanduser(), options)
        dataset = _loaded(spec)
        examples = len(dataset.train[0])
        batch = "full" if examples < int(batch or 0) else batch
        maximized = "valid_accuracy" if dataset.kind == "classification" else None
        spec["path"] = Path(os.path.relpath(spec["path"], place.parent)).as_posix()
    elif tasks.recipe(str(task)) is None and task in tasks.REGISTRY.entries:
        batch = None
    elif task in FULL_BATCH:
        batch = "full"
    start = Start(
        place.name, task, spec, model or MODEL,
        optimizer or OptimizerSpec.model_fields["name"].default,
        schedule or ScheduleSpec.model_fields["name"].default,
        steps, batch, maximized,
    )  # fmt: skip
    return start, dataset


def _spec(file: Path, options: Mapping[str, str | list[str] | None]) -> JsonObject:
    """The table `task.data` of a data file."""
    target, ignore = options["target"], options["ignore"]
    source = source_of(file)
    if source is None:
        _refuse("--data", f"{shown(str(file))} is no data file by its ending: csv, csv.gz or npz")
    if not file.is_file():
        _refuse("--data", f"no such file: {shown(str(file))}")
    spec: JsonObject = {"name": source, "path": str(file.resolve())}
    if target is not None:
        number = isinstance(target, str) and target.isdecimal() and source == "csv"
        spec["target"] = int(str(target)) if number else target
    if ignore and source != "csv":
        _refuse("--ignore", f"is for the columns of a table; {shown(str(file))} has arrays")
    if ignore:
        spec["ignore"] = ignore
    wrong = target_problem(file, spec, "init", "--data {file} --target {target}")
    if wrong is not None:
        _refuse("--target", wrong)
    return spec


def _loaded(spec: JsonObject) -> Dataset:
    """The data, read to see that they can be used."""
    try:
        return data.load(spec)
    except FieldError as error:
        flag = FLAGS.get(f"task.data.{error.field}", "--data")
        raise ConfigError([Problem(flag, None, "", str(error))]) from None


def _check_module(script: Path) -> None:
    """Raises ConfigError where a script would be imported in place of a module that it needs: its
    folder is the first in which Python looks."""
    name = script.stem
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    installed = found is not None and found.origin is not None and found.origin != str(script)
    if installed or name in sys.stdlib_module_names:
        _refuse(
            "NAME",
            f"{script.name} would be imported in place of the Python module {name}; give another "
            f"name: lrlab init my_{name} ...",
        )


def _check(text: str, place: Path) -> None:
    """The configuration must be one.

    Raises:
        ConfigError: every mistake, by the option that made it.
    """
    table = tomllib.loads(text)
    spec = table["task"].get("data")
    if spec is not None:
        spec["path"] = os.path.normpath(place.parent / spec["path"])
    try:
        for command in ("find", "sweep"):
            config.build(table, command)
    except ConfigError as error:
        problems = [
            Problem(FLAGS.get(one.field, one.field), None, "", one.message)
            for one in error.problems
        ]
        raise ConfigError(problems) from None


def _script(start: Start, file: Path, dataset: Dataset | None) -> str:
    """The text of the script."""
    if dataset is not None:
        return script_text(start, file.name, file.stem, dataset.kind)
    recipe = tasks.recipe(str(start.task))
    if recipe is None:
        message = f"needs data, and {start.task!r} is an objective without any"
        raise ConfigError([Problem("--python", None, "", message)])
    start = start._replace(data=dict(recipe["data"]))
    return script_text(start, file.name, file.stem, _loaded(start.data).kind)


def _write(files: Mapping[Path, str], force: bool) -> None:
    """Writes all or none.

    Raises:
        ConfigError: one is there already.
    """
    there = [file for file in files if file.exists() or file.is_symlink()]
    if there and not force:
        problems = [
            Problem(shown(file), None, "", "exists already; choose another name, or --force")
            for file in there
        ]
        raise ConfigError(problems)
    for file, text in files.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # "x": what another process has just made is not overwritten either.
            with file.open("w" if force else "x", encoding="utf-8", newline="\n") as out:
                out.write(text)
        except OSError as error:
            problem = Problem(shown(file), None, "", f"cannot be written ({error.strerror})")
            raise ConfigError([problem]) from None
