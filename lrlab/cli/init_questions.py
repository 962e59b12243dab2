"""What `lrlab init` asks in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import typer

from lrlab.config import names
from lrlab.config.beginnings import MODEL, source_of
from lrlab.config.schema import OptimizerSpec
from lrlab.core.synonyms import did_you_mean
from lrlab.data import DataError
from lrlab.data.naming import TARGETS
from lrlab.data.table import header_of


class Said(NamedTuple):
    """The answers: as the options of `lrlab init`."""

    task: str | None
    data: str | None
    target: str | None
    model: str | None
    optimizer: str | None
    python: bool


def asked(
    target: str | None,
    model: str | None,
    optimizer: str | None,
    python: bool,
    line: Callable[[str], str] = input,
) -> Said:
    """Asks, one question a line, for what no option says; Enter takes what stands in brackets.

    Args:
        line: shows a question and gives what is typed.
    """
    try:
        what = _until("Your data file (csv, npz), or a task", "digits-mlp", _data_or_task, line)
        file = Path(what).expanduser()
        task = None if source_of(file) is not None else what
        if task is None and source_of(file) == "csv" and target is None:
            columns, _ = header_of(file)
            usual = next((one for one in columns if one.lower() in TARGETS), columns[-1])
            _say(f"Columns: {', '.join(columns)}")
            target = _until("Which one is to be predicted", usual, _one_of(columns), line)
        if task is None and model is None:
            known = names.REGISTRIES["models"].entries
            _say(f"Models: {', '.join(known)}")
            model = _until("Model", MODEL, _one_of(known), line)
        if optimizer is None:
            usual = OptimizerSpec.model_fields["name"].default
            known = names.REGISTRIES["optimizers"].entries
            optimizer = _until("Optimizer (lrlab ls optimizers)", usual, _one_of(known), line)
        if not python:
            said = _until("A Python script with a Flax model too", "n", _one_of(["y", "n"]), line)
            python = said == "y"
    except EOFError:
        raise typer.Abort from None
    return Said(task, what if task is None else None, target, model, optimizer, python)


def _until(
    question: str, default: str, wrong: Callable[[str], str | None], line: Callable[[str], str]
) -> str:
    """The first answer with which nothing is wrong."""
    while True:
        value = line(f"{question} [{default}]: ").strip() or default
        problem = wrong(value)
        if problem is None:
            return value
        _say(problem)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _one_of(known: Iterable[str]) -> Callable[[str], str | None]:
    known = list(known)

    def wrong(value: str) -> str | None:
        return None if value in known else f"  not {value!r}{did_you_mean(value, known)}"

    return wrong


def _data_or_task(value: str) -> str | None:
    file = Path(value).expanduser()
    if (source := source_of(file)) is None:
        if names.known("tasks", value):
            return None
        hint = did_you_mean(value, names.REGISTRIES["tasks"].entries)
        return f"  neither a data file nor a task{hint} (lrlab ls tasks)"
    if not file.is_file():
        return "  no such file"
    try:
        if source == "csv":
            header_of(file)
    except DataError as error:
        return f"  {error}"
    return None
