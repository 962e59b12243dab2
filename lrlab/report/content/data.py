"""What a report shows, as one NamedTuple: read from a run folder or from a result in memory."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lrlab.core.axes import RATE_PREFIX
from lrlab.core.records import DIVERGED, NOT_RUN, Direction, LaneRecord, Metric
from lrlab.core.records import blank_record as blank_record
from lrlab.core.score import LAST, in_words
from lrlab.core.text import Table
from lrlab.schedules import labels

if TYPE_CHECKING:
    from lrlab.results.sweep import Result
    from lrlab.runs import Standing
    from lrlab.search.range_test import RangeCurves
    from lrlab.types import Answer

MAXIMIZED = ("accuracy", "auc", "f1", "precision", "recall", "r2", "bleu", "score")
"""Metrics of which more is better, by the end of their names: for runs that do not record it."""


class ReportData(NamedTuple):
    """Everything a report is made of.

    `record`: the lanes as a grid (see `of_record`). `answer`: the content of `summary.json` (lr,
    interval, verdict, sentence, cost, metric, evidence, seconds) or None. `suggestions`: rule ->
    LRs, one per seed; `suggested_by` says from which curves. `stages`: the training calls of a
    search, in order. `test`: the curves of a range test's run. `score`: what of its evaluations a
    lane is judged by (`lrlab.core.score`). Of a run that another process is writing: `training`
    bool[L, ..., S], the lanes under way (in the record "ok", as if they ended where they are), and
    `standing`, how far it is; `status`, where it is not finished. `lanes`: how many the run has,
    where these are some of them (`selection.sampled`); else 0.
    """

    title: str
    record: LaneRecord
    answer: Table | None = None
    manifest: Mapping[str, Any] = {}
    config_text: str = ""
    command: str = ""
    suggestions: Mapping[str, Sequence[float]] = {}
    suggested_by: str = ""
    stages: Sequence[Stage] = ()
    test: RangeCurves | None = None
    score: str = LAST
    training: np.ndarray | None = None
    standing: Standing | None = None
    status: str = ""
    lanes: int = 0

    @property
    def lr(self) -> np.ndarray:
        """The learning rates, f64[L], in any order."""
        return next(iter(self.record.axes.values()))

    @property
    def rate_name(self) -> str:
        """What the learning rates of `lr` are called: of several the first one's name."""
        name = next(iter(self.record.axes))
        return (
            "learning rate" if name == "lr" else f"learning rate {name.removeprefix(RATE_PREFIX)}"
        )

    @property
    def seeds(self) -> np.ndarray:
        """The seeds, int64[S]."""
        return self.record.axes["seed"]

    @property
    def extra(self) -> dict[str, np.ndarray]:
        """Name -> values [K] of each further lane axis, in order."""
        return dict(list(self.record.axes.items())[1:-1])

    @property
    def outcome(self) -> np.ndarray:
        """What became of each lane, str[L, ..., S]; "training" where it is under way. A new array
        at each call."""
        names = self.record.outcome_names
        return names if self.training is None else np.where(self.training, "training", names)


class Stage(NamedTuple):
    """The lanes that a search trained in one call: `lr` f64[N], `steps` int[N] trained, `outcome`
    str[N]."""

    lr: np.ndarray
    steps: np.ndarray
    outcome: np.ndarray


def stage_of(record: LaneRecord, steps: np.ndarray) -> Stage:
    """The lanes of a grid that ran; `steps` int[lanes] that each trained."""
    ran = record.outcome != NOT_RUN
    lr = next(iter(record.axes.values()))
    wide = np.broadcast_to(lr.reshape((-1,) + (1,) * (ran.ndim - 1)), ran.shape)
    return Stage(wide[ran], steps[ran], record.outcome_names[ran])


def of_record(
    title: str,
    record: LaneRecord,
    *,
    answer: Table | None = None,
    config_text: str = "",
    **rest: Any,
) -> ReportData:
    """A run's record as reports need it, with further fields of `ReportData` by name.

    `record` is a grid: learning rates first, seeds last. The curves `train_loss` and
    `learning_rate` [T, L, ..., S] are there, nan where nothing was recorded; a metric whose
    direction is not recorded has that of its name; several schedules have their names as values.

    >>> axes = {"lr": np.array([0.1, 0.01]), "seed": np.array([0])}
    >>> record = blank_record({name: np.zeros(2) for name in axes}, 3, []).grid(axes)
    >>> data = of_record("two", record)
    >>> metric_of(data), data.record.metrics["train_loss"].values.shape, data.outcome[0].tolist()
    ('train_loss', (3, 2, 1), ['not_run'])
    """
    axes = dict(record.axes)
    first = next(iter(axes))
    axes[first] = axes[first].astype(np.float64)
    if "schedule" in axes:
        axes["schedule"] = _schedule_names(axes["schedule"], config_text)
    metrics = dict(record.metrics)
    rates = [name for name in record.history if name.startswith("learning_rate")]
    if rates and "learning_rate" not in metrics:  # of several groups the first
        metrics["learning_rate"] = metrics.pop(rates[0])
    blank = np.broadcast_to(np.nan, (len(record.steps), *record.outcome.shape))
    for name in ("train_loss", "learning_rate"):
        metrics.setdefault(name, Metric(blank, "step"))
    metrics = {
        name: one._replace(direction=one.direction or _usual_direction(name))
        for name, one in metrics.items()
    }
    record = record._replace(axes=axes, metrics=metrics)
    return ReportData(title, record, of_first_rate(answer), config_text=config_text, **rest)


def of_first_rate(answer: Table | None) -> Table | None:
    """An answer as figures draw it, which have one axis of learning rates: of several rates the
    first, and `rates`, name -> (lr, interval), of all.

    >>> ends = {"a": [0.1, 0.2], "b": [1, 2]}
    >>> one = of_first_rate({"lr": {"a": 0.1, "b": 1.0}, "interval": ends})
    >>> one["lr"], one["interval"], one["rates"]["b"]
    (0.1, [0.1, 0.2], (1.0, [1, 2]))
    """
    if answer is None or not isinstance(answer.get("lr"), Mapping):
        return answer
    lr, ends, details = answer["lr"], answer["interval"], dict(answer.get("details") or {})
    first = next(iter(lr))
    alone = (details.get("rates") or answer.get("rates") or {}).get(first) or {}
    if alone.get("fit"):
        details["fit"] = alone["fit"]
        answer = {**answer, "resolved": alone.get("resolved", answer.get("resolved"))}
    rates = {name: (lr[name], ends[name]) for name in lr}
    return {**answer, "lr": lr[first], "interval": ends[first], "rates": rates, "details": details}


def _schedule_names(rows: np.ndarray, config_text: str) -> np.ndarray:
    """The schedules' names in place of their numbers, where the configuration lists them."""
    try:
        named = labels(tomllib.loads(config_text)["schedule"]["name"])
        return np.array([named[int(row)] for row in rows])
    except (tomllib.TOMLDecodeError, KeyError, IndexError, TypeError, ValueError):
        return rows


def _usual_direction(name: str) -> Direction:
    return "max" if name.lower().endswith(MAXIMIZED) else "min"


def metric_of(data: ReportData) -> str:
    """The metric that the report judges by: the answer's, else valid_loss, else train_loss."""
    metrics = data.record.metrics
    named = str((data.answer or {}).get("metric") or "")
    if named in metrics and named != "learning_rate":
        return named
    evaluated = data.record.evaluated
    return next(
        (n for n in ("valid_loss", "test_loss", *evaluated) if n in evaluated), "train_loss"
    )


def judged_by(data: ReportData, metric: str) -> str:
    """The score of a metric in words: the metric's name, or "best valid_loss over the run"."""
    return in_words(data.score, metric)


def direction_of(data: ReportData, metric: str) -> Direction:
    """Whether less or more of a metric is better."""
    return data.record.metrics[metric].direction or "min"


def sign_of(data: ReportData, metric: str) -> float:
    """1 where less of a metric is better, else -1: times it, less always is."""
    return 1.0 if direction_of(data, metric) == "min" else -1.0


def curve(data: ReportData, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(steps int[N], values [N, L, ..., S]) of a per-step or an evaluated metric.

    Raises:
        ValueError: there is no such metric.
    """
    record = data.record
    if metric not in record.metrics:
        names = ", ".join(record.metrics)
        raise ValueError(f"report: no metric {metric!r} in this run; it has {names}")
    one = record.metrics[metric]
    return (record.steps if one.axis == "step" else record.eval_steps), one.values


def last_finite(values: np.ndarray) -> np.ndarray:
    """The last finite entry along axis 0 of [N, ...], nan where there is none; f64[...].

    >>> last_finite(np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.inf]])).tolist()
    [2.0, nan]
    """
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    finite = np.isfinite(values)
    last = len(values) - 1 - np.argmax(finite[::-1], axis=0)
    picked = np.take_along_axis(values, last[None], axis=0)[0]
    return np.where(finite.any(axis=0), picked, np.nan)


def steps_trained(data: ReportData) -> np.ndarray:
    """Updates each lane made, int[L, ..., S]; of a diverged one those that kept it finite."""
    record = data.record
    diverged = (record.outcome == DIVERGED) & (record.diverged_at >= 0)
    steps = np.where(diverged, record.diverged_at, record.steps_trained)
    return np.where(record.outcome == NOT_RUN, 0, steps)


def full_steps(data: ReportData) -> int:
    """The length of a full run in updates."""
    record = data.record
    ends = [int(record.steps[-1]) + 1] if len(record.steps) else []
    ends += [int(record.eval_steps[-1])] if len(record.eval_steps) else []
    named = (data.manifest.get("config") or {}).get("steps")
    return int(named) if isinstance(named, int) else max(ends, default=0)


def from_result(result: Result, *, title: str = "") -> ReportData:
    """A `ReportData` from a result in memory."""
    return of_record(
        title or result.name,
        result.record,
        answer=answer_dict(result.best()),
        config_text=result.config,
        score=result.score,
    )


def answer_dict(answer: Answer) -> Table:
    """An `Answer` as the mapping that reports read."""
    fields = {name: value for name, value in answer._asdict().items() if name != "origin"}
    return {**(fields.pop("details", None) or {}), **fields}
