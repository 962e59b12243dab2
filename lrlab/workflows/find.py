"""`lrlab find`: the adaptive search; every call of its trainer is a stage of the run."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lrlab import search
from lrlab.config import resolve
from lrlab.core.axes import arrays_of, labels_of
from lrlab.core.records import LaneRecord
from lrlab.engine.memory import memory_scope
from lrlab.results import unread
from lrlab.results.representable import as_sentences, indistinct, warn_indistinct
from lrlab.runs import read_summary
from lrlab.search import Scores
from lrlab.search.scores import cost, lane_scores, sign_of
from lrlab.training.clock import clock_of
from lrlab.training.group import training_group
from lrlab.training.recording import begun, ended, recorded
from lrlab.training.session import Session, planned, train_stage
from lrlab.types import Answer, Lanes
from lrlab.workflows.job import Job, Ran, session, summary_of

FIELDS = ("run", "lr", "interval", "verdict", "sentence", "cost", "metric", "seconds", "at")
"""The fields of the JSON object."""

AFTER = 1000
"""How far from the search's seeds those of a comparison begin."""

Trainer = Callable[..., Scores]
"""What a search is handed: it trains lanes, and gives their scores."""


@memory_scope()
def run_find(job: Job, final_seeds: int = 0, readings: Sequence[float] = ()) -> Ran[Answer]:
    """Searches for the learning rate, or reads what is finished.

    Args:
        final_seeds: so many more lanes are trained at the answer, with seeds that no search uses,
            and kept in its `details["final"]`; they count in its cost. A run that is continued has
            the number it began with (`run.json`).
        readings: what the clock of the search that is to be repeated said (see `clock_of`).
    """
    began = time.perf_counter()
    with begun(resolve(job.experiment, job.objects, "find"), job.out) as here:
        resolved, metric = here.resolved, here.resolved.experiment.metric
        group = training_group(resolved)
        if path := ended(here, group):
            summary = read_summary(path)
            answer = summary.answer(metric, str(path))
            return Ran(str(path), summary.payload(path, FIELDS), answer, read=True)
        final_seeds = int(here.info.get("final_seeds", final_seeds))
        direction = group.directions.get(metric, "min")
        first, *further = resolved.axes
        others = arrays_of(further)
        seeds, rates = resolved.seeds, np.asarray(first.values)
        some = {"lr": np.tile(rates, len(seeds))}
        some |= {name: np.full(len(some["lr"]), values[0]) for name, values in others.items()}
        group = planned(group, Lanes(some, np.repeat(seeds, len(rates))))
        axes = arrays_of(resolved.axes)
        warn_indistinct(axes, group.problem.dtype)
        fields = {"final_seeds": final_seeds} if final_seeds else None
        with (
            recorded(here, group, job.record, job.control, fields) as run,
            session(job, group, "searching", run) as work,
        ):
            alike: list[str] = []
            train = trainer(work, metric, direction, alike)
            labels = labels_of(resolved.axes)
            swept = {axis.name: axis.values for axis in further}
            joint = functools.partial(search.find_joint, axes=swept, labels=labels)
            timed = resolved.budget.seconds is not None
            answer = (joint if further else search.find)(
                train,
                lr_range=tuple(resolved.experiment.lr_range),
                seeds=list(seeds),
                steps=group.problem.steps,
                eval_steps=group.eval_steps,
                metric=metric,
                direction=direction,
                budget_runs=resolved.budget.runs,
                budget_seconds=resolved.budget.seconds,
                clock=clock_of(run, readings) if timed else time.monotonic,
            )
            if final_seeds and answer.lr is not None:
                answer = _finally(train, answer, labels, max(seeds) + AFTER, final_seeds)
            tried = {"lr": np.array([row["lr"] for row in answer.evidence]), **others}
            named = job.objects.optimizer is None and job.objects.schedule is None
            method = job.experiment.optimizer.name if named else None
            answer = unread.remarked(answer, alike, tried, labels, method)
            notes = as_sentences(indistinct(axes, group.problem.dtype))
            place = None if run is None else str(run.path)
            answer = answer._replace(
                sentence=" ".join([answer.sentence, *notes]),
                run=place,
                details={**answer.details, "direction": direction},
            )
            seconds = time.perf_counter() - began
            payload = search.answer_json(answer, run=place, seconds=seconds)
            if further:
                payload["at"] = answer.details["at"]
            if run is not None:
                run.finish({**payload, **summary_of(answer)})
    return Ran(place, payload, answer)


def _finally(
    train: Trainer, answer: Answer, labels: Mapping[str, Sequence[str]], first: int, count: int
) -> Answer:
    """The answer with lanes at its rate on fresh seeds."""
    seed = first + np.arange(count)
    at = answer.details.get("at") or {}
    numbers = {
        name: labels[name].index(value) if name in labels else value for name, value in at.items()
    }
    further = {name: np.full(count, float(value)) for name, value in numbers.items()}
    scores = train(np.full(count, answer.lr), seed, (), None, further)
    values = lane_scores(scores) * sign_of(scores.direction)
    finite = np.isfinite(values)
    final = {"seeds": seed[finite].tolist(), "scores": values[finite].tolist()}
    paid = answer.cost + cost([scores])
    return answer._replace(cost=paid, details={**answer.details, "final": final})


def trainer(work: Session, metric: str, direction: str, alike: list[str] | None = None) -> Trainer:
    """The function that a search is handed. `alike` is filled with the axes that nothing reads, as
    the first call shows."""
    calls: list[int] = []

    def scores_of(record: LaneRecord) -> Scores:
        return Scores(
            lr=record.axes["lr"],
            seed=record.axes["seed"],
            metric=metric_rows(record, metric),
            eval_steps=record.eval_steps,
            initial=initial_of(record, metric),
            outcome=record.outcome,
            diverged_at=record.diverged_at,
            steps_trained=record.steps_trained,
            steps=work.group.problem.steps,
            direction=direction,
        )

    def train(
        lr: Any, seed: Any, rungs: Any = (), decide: Any = None, further: Any = None
    ) -> Scores:
        hyper = {"lr": np.asarray(lr, np.float64), **(further or {})}
        name = "" if not calls else f"stage{len(calls)}"
        calls.append(1)
        inner = None
        if decide is not None:
            inner = lambda step, record: decide(step, scores_of(record))  # noqa: E731
        lanes = Lanes(hyper, np.asarray(seed, np.int64))
        record = train_stage(work, name, lanes, tuple(rungs), inner)
        if alike is not None and len(calls) == 1:
            alike.extend(unread.of_record(record))
        return scores_of(record)

    return train


def metric_rows(record: LaneRecord, metric: str) -> np.ndarray:
    """The metric at each evaluation, [E, N]; one of every update is the mean since the evaluation
    before (it is noisy, and recorded before each update)."""
    one = record.metrics.get(metric)
    if one is not None and one.axis == "eval_step":
        return one.values
    rows = np.full((len(record.eval_steps), *record.outcome.shape), np.nan)
    start = 0
    if one is not None:
        for row, end in enumerate(record.eval_steps):
            rows[row] = one.values[start:end].mean(0, dtype=np.float64)  # float32 sums lose digits
            start = end
    return rows


def initial_of(record: LaneRecord, metric: str) -> np.ndarray:
    """The metric before the first update, [N]."""
    return record.initial[metric] if metric in record.initial else record.history[metric][0]
