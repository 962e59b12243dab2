"""`study`: one axis that shapes the program, group by group, with a sweep or a search in each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lrlab import config, runs
from lrlab.config import Experiment
from lrlab.config.lanes import is_axis
from lrlab.config.studies import group_name
from lrlab.engine.memory import memory_scope
from lrlab.scaling.laws import (
    Group,
    Law,
    Transfer,
    group_of,
    law_of,
    sentence_of,
    show_value,
    transfer_of,
)
from lrlab.training.progress import USUAL, Control
from lrlab.training.recording import out_of, recorded
from lrlab.training.setup import Live, live
from lrlab.types import Answer
from lrlab.workflows.find import Ran, run_find, run_sweep
from lrlab.workflows.finished import all_ended, answer_of, ended, payload_of
from lrlab.workflows.report import concluding, write_report


class Study(NamedTuple):
    """What a study found; print it. Groups are in the order parametrization, value; `laws` and
    `transfers` have one entry per parametrization, in that order too."""

    axis: str
    metric: str
    groups: tuple[Group, ...]
    laws: tuple[Law, ...]
    transfers: tuple[Transfer, ...]
    sentence: str
    run: str | None = None

    @property
    def cost(self) -> float:
        """Full-length runs, each counted in its own group's length."""
        return sum(group.cost for group in self.groups)

    def law(self, parametrization: str = "standard") -> Law:
        """The law of one parametrization.

        Raises:
            KeyError: the study did not have it.
        """
        return {law.parametrization: law for law in self.laws}[parametrization]

    def plot(self) -> Any:
        """Loss against LR for every value, and the best LR against the value, in Matplotlib."""
        from lrlab.report.figures.study import overview

        return overview(self.payload())

    def payload(self) -> dict[str, Any]:
        """The JSON object of `lrlab study`."""
        return {
            "run": self.run,
            "axis": self.axis,
            "metric": self.metric,
            "sentence": self.sentence,
            "groups": [
                {
                    "value": group.value,
                    "parametrization": group.parametrization,
                    "lr": group.lr,
                    "interval": group.interval,
                    "verdict": group.verdict,
                    "rates": group.rates,
                    "means": group.means,
                    "initial": group.initial,
                    "cost": group.cost,
                    "run": group.run,
                }
                for group in self.groups
            ],
            "laws": [
                {
                    "parametrization": law.parametrization,
                    "coefficient": None if law.fit is None else law.fit.coefficient,
                    "exponent": None if law.fit is None else law.fit.exponent.value,
                    "interval": None if law.fit is None else list(law.fit.exponent[1:]),
                    "trend": law.trend,
                    "used": law.used,
                    "left_out": law.left_out,
                }
                for law in self.laws
            ],
            "transfer": [
                {
                    "parametrization": transfer.parametrization,
                    "base": transfer.base,
                    "lr": transfer.lr,
                    "regret": [{"value": v, "regret": r} for v, r in transfer.regret],
                }
                for transfer in self.transfers
            ],
            "cost": self.cost,
        }

    def __repr__(self) -> str:
        best = ", ".join(
            f"{group.name}: {'-' if group.lr is None else f'{group.lr:.2g}'}"
            for group in self.groups[:6]
        )
        more = f", {len(self.groups) - 6} more" if len(self.groups) > 6 else ""
        trends = ", ".join(f"{law.parametrization} {law.trend}" for law in self.laws)
        return f"Study({self.axis}, best lr {best}{more}; {trends})"

    def __str__(self) -> str:
        lines = [f"{self.axis:>12}{'best lr':>11}  {'as good':20}{'verdict':10}parametrization"]
        for group in self.groups:
            lr = "-" if group.lr is None else f"{group.lr:.2g}"
            span = "-" if group.interval is None else "{:.2g} to {:.2g}".format(*group.interval)
            lines.append(
                f"{group.name:>12}{lr:>11}  {span:20}{group.verdict:10}{group.parametrization}"
            )
        return "\n".join([*lines, self.sentence])


def study(
    task: Any,
    *,
    axis: str,
    values: Sequence[Any],
    parametrization: str | Sequence[str] = "standard",
    base: Any = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **arguments: Any,
) -> Study:
    """How the best learning rate goes with width, depth, batch size, training length, data size ...

    Each value of the axis is a group: a sweep of `lr` where that is given, else a search as in
    `find`; the groups run one after another, many rates at once inside each.

    Args:
        task: a registered name, a `Task`, or a function value -> Task (your own model at that
            value; then `axis` is a word for the report).
        axis: a field of the configuration: "width", "depth" (options of the model), "batch_size",
            "steps", "epochs", "task.data.max_train", "optimizer.b1", ...
        values: its values.
        parametrization: "standard", "mup", or both; muP for registered models (for your own, give a
            function that returns tasks with `lrlab.scaling.mup`'s model and optimizer).
        base: the value at which muP is the standard parametrization, and whose best rate is tried
            on the others; None for the first.
        out: the study's folder, a run folder per group inside; one that is unfinished goes on, and
            finished groups are read, not trained.
        arguments: as in `sweep` and `find`.

    Raises:
        ConfigError: with every problem in the arguments.

    >>> import lrlab
    >>> found = lrlab.study("wine-linear", axis="batch_size", values=[8, 64], steps=20, seeds=2,
    ...                     optimizer="sgd", lr=[0.001, 0.01, 0.1, 1.0, 10.0], progress=False)
    >>> [group.value for group in found.groups], found.laws[0].trend in ("grows", "same", "unclear")
    ([8, 64], True)
    """
    makes = task if callable(task) and not hasattr(task, "functions") else None
    tasks = {} if makes is None else {show_value(value): makes(value) for value in values}
    first = task if makes is None else next(iter(tasks.values()))
    experiment = config.from_arguments(
        "study", task=first, axis=axis, values=list(values), base=base,
        parametrization=parametrization, **arguments,
    )  # fmt: skip
    objects = live(first, arguments.get("optimizer"), arguments.get("schedule"))
    lives = {
        group_name(axis, value, None): objects._replace(task=tasks[show_value(value)])
        for value in (values if tasks else ())
    }
    ran = run_study(experiment, objects, out_of(out), progress, lives=lives)
    return concluding(ran, progress)


@memory_scope()
def run_study(
    experiment: Experiment,
    objects: Live,
    out: str | None,
    progress: bool,
    record: bool | None = None,
    lives: Mapping[str, Live] | None = None,
    control: Control = USUAL,
) -> Ran:
    """`lrlab study`: every group into its own run folder under `groups/`."""
    began = time.perf_counter()
    spec = experiment.study
    assert spec is not None
    pairs = [(kind, value) for kind in spec.parametrizations for value in spec.values]

    def all_of(folder: Path | None) -> Study:
        answers: list[tuple[Any, str, Answer, float]] = []
        for (kind, value), (name, entry) in zip(pairs, experiment.entries.items(), strict=True):
            entry = entry.model_copy(update={"name": name})
            entry._places.update(experiment._places)
            own = (lives or {}).get(name, objects)
            place = None if folder is None else folder / "groups" / name
            answers.append((value, kind, *_answered(entry, own, place, progress, control)))
        return concluded(experiment, answers, None if folder is None else str(folder))

    if path := ended("study", experiment, None, out, record):
        all_ended(path / "groups" / name for name in experiment.entries)
        return Ran(str(path), payload_of(path), all_of(path), read=True)
    with recorded("study", experiment, None, out, record, control) as run:
        found = all_of(None if run is None else run.path)
        payload = {**found.payload(), "seconds": time.perf_counter() - began}
        if run is not None:
            run.update(groups=list(experiment.entries))
            run.finish(payload)
    return Ran(found.run, payload, found)


def _answered(
    entry: Experiment, objects: Live, place: Path | None, progress: bool, control: Control
) -> tuple[Answer, float]:
    """(answer, initial metric) of a group: read where finished, else trained."""
    train: Callable[..., Ran] = run_sweep if is_axis(entry.lr) else run_find
    out = None if place is None else str(place)
    ran = train(entry, objects, out, progress, control=control._replace(part=True))
    if place is not None:
        if not ran.read:
            write_report(place, figures=False)
        answer = answer_of(place, runs.read_info(place))
        return answer, _initial(answer)
    answer = ran.value.best(entry.metric) if train is run_sweep else ran.value
    return answer, _initial(answer)


def _initial(answer: Answer) -> float:
    """The metric before training; nan where it is not known (nothing trained)."""
    value = answer.details.get("initial")
    return float("nan") if value is None else float(value)


def concluded(
    experiment: Experiment, answers: Sequence[tuple[Any, str, Answer, float]], run: str | None
) -> Study:
    """The study's laws and sentence from its groups' answers."""
    spec = experiment.study
    assert spec is not None
    groups = tuple(
        group_of(value, kind, answer, initial) for value, kind, answer, initial in answers
    )
    base = spec.values[0] if spec.base is None else spec.base
    axis = spec.axis.rpartition(".")[2]
    apart = [
        [group for group in groups if group.parametrization == kind]
        for kind in spec.parametrizations
    ]
    laws = tuple(law_of(part) for part in apart)
    transfers = tuple(transfer_of(part, base) for part in apart)
    sentence = sentence_of(axis, laws, transfers)
    return Study(axis, experiment.metric, groups, laws, transfers, sentence, run)
