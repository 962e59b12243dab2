"""Long tables of curves (CSV), and studies of Optuna, as curves to import."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lrlab.core.errors import ConfigError, Problem
from lrlab.core.extras import install
from lrlab.core.paths import resolved, shown
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import counted
from lrlab.results.importing import Curve, file_source, import_curves
from lrlab.results.sweep import Result

if TYPE_CHECKING:
    import optuna

RATES = ("lr", "learning_rate", "learning-rate", "learningrate", "eta", "step_size")
"""What a learning rate is called elsewhere, in small letters."""

SQLITE = b"SQLite format 3"
"""How a file of that database begins."""


def import_csv(
    path: str | os.PathLike[str],
    *,
    lr: str = "lr",
    step: str = "step",
    value: str = "value",
    seed: str | None = None,
    run: str | None = None,
    where: Mapping[str, str] | None = None,
    delimiter: str = ",",
    maximize: bool = False,
    metric: str | None = None,
    initial: float | None = None,
    name: str | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Result:
    """Imports a long table: a row per training run and step.

    Args:
        lr, step, value: the columns with the learning rate, the updates done, and the metric then
            (an empty cell: not measured; nan or inf: diverged).
        seed: the column with whole numbers that identify the runs of one rate; the same seed of two
            rates is the same start.
        run: where there are no seeds, a column with anything that identifies a run.
        where: column -> text: rows with another text are left out.
        maximize: more of the metric is better.
        metric: its name; None for that of the column.
        initial: as in `import_curves`; so are `name` and `out`.

    Raises:
        ConfigError: a column is missing, or a cell makes no sense; says in which line.
        RunError: `out` holds something, or cannot be written.
    """
    place = Path(resolved(path))
    given = {"--lr": lr, "--step": step, "--value": value, "--seed": seed, "--run": run}
    rows = _rows(place, {k: v for k, v in given.items() if v}, where or {}, delimiter)
    curves: dict[tuple[float, object], dict[int, float]] = {}
    for line, row in rows:
        cells = _Line(place, line, row)
        if not row[value].strip():
            continue
        rate, at = cells.number(lr), cells.whole(step)
        key = rate, (cells.whole(seed) if seed else row[run] if run else None)
        points = curves.setdefault(key, {})
        if at in points:
            hint = "" if seed or run else "; name the column that identifies a run (seed, or run)"
            raise cells.refuse(step, f"a second value for learning rate {rate:g} at {at}{hint}")
        points[at] = cells.number(value)
    listed = [
        Curve(
            rate,
            key if isinstance(key, int) else None,
            sorted(points),
            [points[at] for at in sorted(points)],
        )
        for (rate, key), points in curves.items()
    ]
    if not listed:
        raise ConfigError([Problem(shown(place), None, "", "no row has a value to import")])
    return import_curves(
        listed,
        name=name or place.stem,
        metric=metric or (f"valid_{value}" if value in ("train_loss", "learning_rate") else value),
        direction="max" if maximize else "min",
        initial=initial,
        out=out,
        source=file_source(place, "csv"),
    )


class _Line(NamedTuple):
    """A row with its place, for messages."""

    file: Path
    number_: int
    row: Mapping[str, str]

    def refuse(self, column: str, message: str) -> ConfigError:
        return ConfigError([Problem(shown(self.file), self.number_, column, message)])

    def number(self, column: str) -> float:
        try:
            return float(self.row[column])
        except ValueError:
            raise self.refuse(column, f"{self.row[column]!r} is no number") from None

    def whole(self, column: str) -> int:
        value = self.number(column)
        if not math.isfinite(value) or value != int(value):
            raise self.refuse(column, f"{self.row[column]!r} is no whole number")
        return int(value)


def _rows(
    place: Path, columns: Mapping[str, str], where: Mapping[str, str], delimiter: str
) -> list[tuple[int, dict[str, str]]]:
    """(line, cells by column) of the rows that are wanted."""
    if len(delimiter) != 1:
        message = f"must be one character, got {delimiter!r}"
        raise ConfigError([Problem("--delimiter", None, "", message)])
    try:
        with open(place, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            names = list(reader.fieldnames or [])
            wanted = {**columns, **{f"--where {name}": name for name in where}}
            problems = [
                Problem(
                    shown(place), 1, column,
                    f"there is no such column ({option}){did_you_mean(column, names)}; "
                    f"there are {', '.join(names)}",
                )
                for option, column in wanted.items()
                if column not in names
            ]  # fmt: skip
            if problems:
                raise ConfigError(problems)
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    message = f"has not {len(names)} cells, as the first line has"
                    raise ConfigError([Problem(shown(place), reader.line_num, "", message)])
                if all(row[name] == text for name, text in where.items()):
                    rows.append((reader.line_num, row))
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        words = getattr(error, "strerror", None) or error
        raise ConfigError([Problem(shown(place), None, "", f"cannot be read ({words})")]) from None


def import_optuna(
    storage: str,
    study: str | None = None,
    *,
    lr: str | None = None,
    seed: str | None = None,
    where: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    metric: str | None = None,
    initial: float | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Result:
    """Imports an Optuna study: each trial is a lane, its intermediate values are its curve.

    A trial that has none counts with its value alone. Trials that were pruned are pruned lanes;
    those that failed with a last value that is not finite diverged; other failed, waiting or
    running ones are left out, and counted in `run.json`.

    Args:
        storage: a URL (`sqlite:///my.db`, ...), a SQLite file, or a journal file.
        study: its name; may be left out where there is one.
        lr: the parameter that is the learning rate; None for one that is called so.
        seed: a parameter or user attribute with the seed; None: trials of one rate are counted.
        where: parameter -> value: other trials are left out.
        ignore: parameters that may differ between trials; what they do then counts as noise.
        metric, initial, out: as in `import_curves`.

    Raises:
        ConfigError: no such study, parameter or seed; or further parameters differ.
        ImportError: optuna is not installed.
    """
    found = _study(storage, study)
    if len(found.directions) != 1:
        message = f"has {len(found.directions)} objectives; a learning rate is judged by one"
        raise _refuse("--study", f"{found.study_name} {message}")
    trials, left_out = _usable(found, where or {})
    if not trials:
        raise _refuse("--study", f"{found.study_name} has no trial with values to import")
    rate = _rate_name(trials, lr)
    _refuse_others(trials, {rate, *ignore, *(where or {})} | ({seed} if seed else set()))
    for wanted in ignore:
        if not any(wanted in trial.params for trial in trials):
            raise _refuse("--ignore", f"no trial has a parameter {wanted!r}")
    reported = [step for trial in trials for step in trial.intermediate_values]
    first = int(min(reported, default=1) < 1)  # counted from 0, where here 0 is before training
    longest = max(reported, default=1) + first
    curves = [_curve(trial, rate, seed, first, longest) for trial in trials]
    return import_curves(
        curves,
        name=found.study_name,
        metric=metric or "objective",
        direction="max" if found.direction.name == "MAXIMIZE" else "min",
        initial=initial,
        out=out,
        source={
            "from": "optuna", "study": found.study_name, "trials": len(found.trials),
            "imported": len(curves), "left_out": left_out, "ignored": list(ignore),
            "other_value": _other_value(trials),
        },
    )  # fmt: skip


def _study(storage: str, name: str | None) -> optuna.Study:
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError as error:
        raise ImportError(f"this needs the package optuna: {install('optuna')}") from error
    file = storage.removeprefix("sqlite:///") if storage.startswith("sqlite:///") else storage
    is_file = "://" not in storage or storage.startswith("sqlite:///")
    if is_file and not Path(file).is_file():
        raise _refuse("storage", f"{file} is no file (a URL, a SQLite file or a journal file)")
    place: Any = storage
    if "://" not in storage:
        with open(storage, "rb") as begun:
            database = begun.read(len(SQLITE)) == SQLITE
        if database:
            place = f"sqlite:///{Path(storage).resolve()}"
        else:
            place = optuna.storages.JournalStorage(JournalFileBackend(storage))
    names = sorted(optuna.get_all_study_names(storage=place))
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        what = "is needed" if name is None else f"{name!r} is not there"
        hint = "" if name is None else did_you_mean(name, names)
        raise _refuse("--study", f"{what}{hint}; there are {', '.join(names) or 'none'}")
    return optuna.load_study(study_name=name, storage=place)


def _usable(
    study: optuna.Study, where: Mapping[str, str]
) -> tuple[list[optuna.trial.FrozenTrial], dict[str, int]]:
    """The trials that hold a curve, and how many of which kind do not."""
    kept, left_out = [], {}
    for trial in study.get_trials(deepcopy=False):
        state = trial.state.name.lower()
        if any(str(trial.params.get(name)) != value for name, value in where.items()):
            left_out["where"] = left_out.get("where", 0) + 1
            continue
        last = (
            trial.intermediate_values[max(trial.intermediate_values)]
            if (trial.intermediate_values)
            else None
        )
        lost = state == "fail" and last is not None and not math.isfinite(last)
        if state == "complete" or (state == "pruned" and last is not None) or lost:
            kept.append(trial)
        else:
            left_out[state] = left_out.get(state, 0) + 1
    return kept, left_out


def _rate_name(trials: Sequence[optuna.trial.FrozenTrial], given: str | None) -> str:
    names = sorted({name for trial in trials for name in trial.params})
    if given is None:
        found = [name for name in names if name.lower() in RATES]
        if len(found) != 1:
            what = "several parameters may be it" if found else "no parameter is called so"
            message = f"{what}; name one of {', '.join(found or names) or 'none'}"
            raise _refuse("--lr", message)
        given = found[0]
    missing = sum(given not in trial.params for trial in trials)
    if missing:
        hint = did_you_mean(given, names)
        raise _refuse("--lr", f"{counted(missing, 'trial')} without a parameter {given!r}{hint}")
    return given


def _refuse_others(trials: Sequence[optuna.trial.FrozenTrial], known: set[str]) -> None:
    """Refuses trials that differ in more than rate and seed."""
    values: dict[str, set[object]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(value)
    others = [name for name in sorted(values) if name not in known and len(values[name]) > 1]
    if others:
        message = (
            f"trials differ in {', '.join(others)} too: choose by --where NAME=VALUE, or let what "
            "they do count as noise by --ignore NAME"
        )
        raise _refuse("--study", message)


def _curve(
    trial: optuna.trial.FrozenTrial, rate: str, seed: str | None, first: int, longest: int
) -> Curve:
    """A trial as a curve; `first`: what is added to its steps, `longest`: the last of all."""
    points = sorted(trial.intermediate_values.items())
    steps = [step + first for step, _ in points]
    values = [float(value) for _, value in points]
    done = trial.state.name == "COMPLETE"
    if not points:
        steps, values = [longest], [float(trial.value if trial.value is not None else math.nan)]
    number_ = None
    if seed is not None:
        given = trial.params.get(seed, trial.user_attrs.get(seed))
        if not isinstance(given, int) or isinstance(given, bool):
            raise _refuse("--seed", f"trial {trial.number} has {seed} = {given!r}, no whole number")
        number_ = given
    return Curve(float(trial.params[rate]), number_, steps, values, ended=done)


def _other_value(trials: Sequence[optuna.trial.FrozenTrial]) -> int:
    """How many trials returned another value than they last reported: their curves count."""
    pairs = [
        (trial.value, trial.intermediate_values[max(trial.intermediate_values)])
        for trial in trials
        if trial.state.name == "COMPLETE" and trial.intermediate_values
    ]
    return sum(value != last for value, last in pairs)


def _refuse(field: str, message: str) -> ConfigError:
    return ConfigError([Problem(field, None, "", message)])
