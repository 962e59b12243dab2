"""`lrlab find`: the adaptive search; every call of its trainer is a stage of the run."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence

import numpy as np

from lrlab import search
from lrlab.config import Resolved, resolve
from lrlab.core.axes import RATE_PREFIX, arrays_of, labels_of
from lrlab.core.records import LaneRecord
from lrlab.core.scale import GAIN, LOG
from lrlab.core.score import LAST
from lrlab.engine.memory import memory_scope
from lrlab.results import unread
from lrlab.results.representable import as_sentences, indistinct, warn_indistinct
from lrlab.runs import read_summary
from lrlab.runs.weights import read_weights
from lrlab.search import Scores, log_scale
from lrlab.search.find import Decide, Train
from lrlab.search.scores import as_loss, cost, lane_scores, stage_scores
from lrlab.search.settings import DEFAULTS
from lrlab.training.callbacks import fields_of as callback_fields
from lrlab.training.callbacks import refuse_other
from lrlab.training.clock import clock_of
from lrlab.training.group import training_group
from lrlab.training.logs import refuse_missing
from lrlab.training.recording import continued, ended, recorded
from lrlab.training.session import STAGE, Session, planned, train_stage
from lrlab.training.suitability import text_of
from lrlab.types import Answer, Interval, Lanes, rate_of
from lrlab.workflows.job import Job, Ran, finish, keep_of, session, summary_of
from lrlab.workflows.origins import fields_of as weights_fields
from lrlab.workflows.origins import of_group, of_search, store_frozen

FIELDS = (
    "run", "lr", "interval", "verdict", "sentence", "confidence", "tolerance", "resolved", "cost",
    "metric", "score", "scale", "seconds", "at", "ridge",
)  # fmt: skip
"""The fields of the JSON object."""

AFTER = 1000
"""How far from the search's seeds those of a comparison begin."""


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
    with continued(resolve(job.experiment, job.objects, "find"), job.out) as here:
        resolved, metric = here.resolved, here.resolved.experiment.metric
        scale = resolved.experiment.scale
        refuse_other(here.folder, job.callbacks)
        refuse_missing(resolved)
        group = training_group(resolved)
        if path := ended(here, group):
            summary = read_summary(path)
            origin = of_group(resolved, group, lambda: read_weights(path))
            answer = summary.answer(metric, str(path))._replace(origin=origin)
            return Ran(str(path), summary.payload(path, FIELDS), answer, read=True)
        final_seeds = int(here.info.get("final_seeds", final_seeds))
        direction = group.directions.get(metric, "min")
        first, *others = resolved.axes
        ranges = _ranges(resolved)
        further = others[len(ranges) - 1 :]
        seeds, rates = resolved.seeds, np.asarray(first.values)
        some = {first.name: np.tile(rates, len(seeds))}
        some |= {axis.name: np.full(len(some[first.name]), axis.values[0]) for axis in others}
        group = planned(group, Lanes(some, np.repeat(seeds, len(rates))), at_once=False)
        axes = arrays_of(resolved.axes)
        warn_indistinct(axes, group.problem.dtype)
        keep = keep_of(resolved.experiment, group, job.record)
        fields = {"final_seeds": final_seeds} if final_seeds else {}
        fields |= {**weights_fields(group, keep), **callback_fields(job.callbacks, job.decided)}
        with (
            recorded(here, group, job.record, job.control, fields) as run,
            session(job, group, "searching", run, keep, "find") as work,
        ):
            alike: list[str] = []
            train = trainer(work, metric, resolved.experiment.score, alike, first.name, scale)
            labels = labels_of(resolved.axes)
            swept = {axis.name: axis.values for axis in further}
            one = functools.partial(search.find, lr_range=ranges[first.name])
            if len(ranges) > 1:
                named = {axis.removeprefix(RATE_PREFIX): ends for axis, ends in ranges.items()}
                one = functools.partial(search.find_rates, ranges=named, axes=swept, labels=labels)
            elif further:
                one = functools.partial(
                    search.find_axes, lr_range=ranges[first.name], axes=swept, labels=labels
                )
            timed = resolved.budget.seconds is not None
            answer = one(
                train,
                seeds=list(seeds),
                steps=group.problem.steps,
                eval_steps=judged_at(group.eval_steps, metric),
                metric=log_scale.named(metric) if scale == LOG else metric,
                budget_runs=resolved.budget.runs,
                budget_seconds=resolved.budget.seconds,
                clock=clock_of(run, readings) if timed else time.monotonic,
                ended=lambda: work.decisions is not None and work.decisions.stopped,
                settings=DEFAULTS._replace(
                    tolerance=resolved.experiment.tolerance,
                    confidence=resolved.experiment.confidence,
                ),
            )
            stopped = work.decisions is not None and work.decisions.stopped
            if final_seeds and answer.lr is not None and not stopped:
                answer = _finally(train, answer, labels, max(seeds) + AFTER, final_seeds)
            if scale == LOG:
                answer = log_scale.unlogged(answer, metric)
            tried = {**_tried(answer), **arrays_of(further)}
            method = unread.method_of(text_of(resolved, group.problem.task))
            answer = unread.remarked(answer, alike, tried, labels, method)
            notes = as_sentences(indistinct(axes, group.problem.dtype))
            place = None if run is None else str(run.path)
            said = "" if work.decisions is None else work.decisions.sentence(group.problem.steps)
            answer = answer._replace(
                sentence=" ".join([f"{said}{answer.sentence}", *notes]),
                run=place,
                details={**answer.details, "direction": direction},
            )
            answer = answer._replace(origin=of_search(resolved, work, answer))
            tried_seeds = {seed for row in answer.evidence for seed in row["seeds"]}
            tried_seeds |= {*(answer.details.get("final") or {}).get("seeds", ())}
            store_frozen(run, group, sorted(tried_seeds))
            seconds = time.perf_counter() - began
            payload = search.answer_json(answer, run=place, seconds=seconds)
            if "score" in answer.details:
                payload["score"] = answer.details["score"]
            if scale != GAIN:
                payload["scale"] = scale
            if further:
                payload["at"] = answer.details["at"]
            if "ridge" in answer.details:
                payload["ridge"] = answer.details["ridge"]
            finish(work, {**payload, **summary_of(answer)})
    return Ran(place, payload, answer)


def judged_at(eval_steps: Sequence[int], metric: str) -> list[int]:
    """The evaluations at which rates can be told apart: a training loss is read before its update,
    and the first of them is the same for every rate.

    >>> judged_at([1, 2, 3], "train_loss"), judged_at([1, 2, 3], "valid_loss")
    ([2, 3], [1, 2, 3])
    """
    first = 2 if metric.startswith("train_") else 1
    return [step for step in eval_steps if step >= first]


def _ranges(resolved: Resolved) -> dict[str, Interval]:
    """The axes of learning rates, each with where to look; equal ends where it is held."""
    rates = [axis for axis in resolved.axes if axis.kind == "learning_rate"]
    if len(rates) == 1 and not rates[0].name.startswith(RATE_PREFIX):
        low, high = resolved.experiment.lr_range
        return {rates[0].name: (low, high)}
    return {axis.name: (min(axis.values), max(axis.values)) for axis in rates}


def _tried(answer: Answer) -> dict[str, np.ndarray]:
    """The learning rates that were tried, by axis."""
    if not isinstance(answer.lr, Mapping):
        return {"lr": np.array([row["lr"] for row in answer.evidence])}
    return {
        f"{RATE_PREFIX}{name}": np.array([row["lr"][name] for row in answer.evidence])
        for name in answer.lr
    }


def _finally(
    train: Train, answer: Answer, labels: Mapping[str, Sequence[str]], first: int, count: int
) -> Answer:
    """The answer with lanes at its rate on fresh seeds."""
    seed = first + np.arange(count)
    at = answer.details.get("at") or {}
    numbers = {
        name: labels[name].index(value) if name in labels else value for name, value in at.items()
    }
    further = {name: np.full(count, float(value)) for name, value in numbers.items()}
    scores = train(np.full(count, rate_of(answer)), seed, (), None, further)
    values = as_loss(lane_scores(scores), scores.direction)
    finite = np.isfinite(values)
    final = {"seeds": seed[finite].tolist(), "scores": values[finite].tolist()}
    paid = answer.cost + cost([scores])
    return answer._replace(cost=paid, details={**answer.details, "final": final})


def trainer(
    work: Session,
    metric: str,
    score: str = LAST,
    alike: list[str] | None = None,
    rate: str = "lr",
    scale: str = GAIN,
) -> Train:
    """The function that a search is handed; `score` as in `lrlab.core.score`. `alike` is
    filled with the axes that nothing reads, as the first call shows; `rate` is the axis of its
    learning rates. With `scale` "log" the scores are logarithms."""
    calls: list[int] = []

    def scores_of(record: LaneRecord) -> Scores:
        scores = stage_scores(record.directed(work.group.directions), metric, score)
        return log_scale.logged(scores, metric) if scale == LOG else scores

    def train(
        lr: np.ndarray,
        seed: np.ndarray,
        rungs: tuple[int, ...] = (),
        decide: Decide | None = None,
        further: Mapping[str, np.ndarray] | None = None,
    ) -> Scores:
        hyper = {rate: np.asarray(lr, np.float64), **(further or {})}
        name = "" if not calls else f"{STAGE}{len(calls)}"
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
