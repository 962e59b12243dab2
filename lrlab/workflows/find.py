"""The jobs behind the public functions: an experiment in, a value and its JSON object out."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lrlab import config, runs
from lrlab.config import Experiment
from lrlab.core.records import LaneRecord, Metric
from lrlab.engine.memory import memory_scope
from lrlab.results.indistinct import as_sentences, indistinct, warn_indistinct
from lrlab.results.sweep import Result, from_trained
from lrlab.results.unread import said, unread_axes
from lrlab.training import continuation
from lrlab.training.continuation import begun
from lrlab.training.group import Setup, grid_lanes
from lrlab.training.interrupting import interruptible
from lrlab.training.progress import USUAL, Control, bar
from lrlab.training.recording import clock_of, load_result, name_of, recorded
from lrlab.training.session import Session, plan_for, train_stage
from lrlab.training.setup import Live, setup_of
from lrlab.types import Answer, Lanes, Trained
from lrlab.workflows.finished import answer_of, ended, payload_of


class Ran(NamedTuple):
    """A job's end: the run folder (None: none written), the JSON object, the value, and whether
    they were read from a folder that held them already."""

    run: str | None
    payload: dict[str, Any]
    value: Any
    read: bool = False


SWEEP = ("run", "best", "lanes", "diverged", "metric", "seconds")
FIND = ("run", "lr", "interval", "verdict", "sentence", "cost", "metric", "seconds", "at")
"""The fields of the JSON objects."""


@memory_scope()
def run_sweep(
    experiment: Experiment,
    objects: Live,
    out: str | None,
    progress: bool,
    record: bool | None = None,
    control: Control = USUAL,
) -> Ran:
    """`lrlab sweep`: every lane of the grid, full length."""
    began = time.perf_counter()
    experiment, found = begun("sweep", experiment, out, objects)
    setup = setup_of(experiment, objects, **continuation.plan_of(experiment, found))
    if found.shorter is None and (path := ended("sweep", experiment, setup, out, record)):
        return Ran(str(path), payload_of(path, SWEEP), load_result(path), read=True)
    old = continuation.shorter_setup(found, objects)
    before = (found.shorter, old) if old is not None and found.shorter is not None else None
    lanes = grid_lanes(setup)
    warn_indistinct(setup.axes, setup.problem.dtype)
    setup = plan_for(setup, lanes)
    with (
        recorded("sweep", experiment, setup, out, record, control, before=before) as run,
        bar(progress) as listener,
        interruptible(control.stop) as stop,
    ):
        session = Session(setup, run, listener, stop, [])
        trained = train_stage(session, "", lanes, grid=True)
        setup = setup._replace(plan=session.plan)
        result = _result(experiment, setup, trained, run)
        if run is None and record is None:  # a Python caller asks `result.best()` where it wants it
            return Ran(None, {}, result)
        answer = result.best(experiment.metric)
        diverged = int((result.outcome == "diverged").sum())
        payload = {
            "run": None if run is None else str(run.path),
            "best": {
                "lr": answer.lr,
                "interval": answer.interval,
                "verdict": answer.verdict,
                "sentence": answer.sentence,
                **({"at": answer.details["at"]} if "at" in answer.details else {}),
            },
            "lanes": int(result.outcome.size),
            "diverged": diverged,
            "metric": experiment.metric,
            "seconds": time.perf_counter() - began,
        }
        if run is not None:
            run.finish({**payload, **_evidence(answer)})
    return Ran(payload["run"], payload, result)


def _result(experiment: Experiment, setup: Setup, trained: Trained, run: Any) -> Result:
    return from_trained(
        trained,
        name=name_of(experiment),
        axes=setup.axes,
        seeds=setup.seeds,
        metric=experiment.metric,
        directions=setup.directions,
        plan=setup.plan,
        config=config.dumps(experiment),
        run=None if run is None else str(run.path),
    )


def _evidence(answer: Answer) -> dict[str, Any]:
    """What the report wants beside the JSON object."""
    return {
        "lr": answer.lr,
        "interval": answer.interval,
        "verdict": answer.verdict,
        "sentence": answer.sentence,
        "cost": answer.cost,
        "evidence": list(answer.evidence),
        "largest_stable": answer.largest_stable,
        "details": dict(answer.details),
    }


@memory_scope()
def run_find(
    experiment: Experiment,
    objects: Live,
    out: str | None,
    progress: bool,
    record: bool | None = None,
    final_seeds: int = 0,
    readings: Sequence[float] = (),
    control: Control = USUAL,
) -> Ran:
    """`lrlab find`: the adaptive search; every call of the trainer is a stage of the run.

    `final_seeds` more lanes are trained at the answer, with seeds that no search uses, and kept in
    its `details["final"]`; they count in its cost, and `run.json` says how many there were.
    `readings`: what the clock of the search that is to be repeated said (see `recording.clock_of`).
    """
    from lrlab import search

    began = time.perf_counter()
    seeds = config.seed_list(experiment)
    low, high = experiment.lr_range
    first = np.geomspace(low, high, 16)
    further = config.lane_axes(experiment)
    experiment, found = begun("find", experiment, out, objects)
    axes = {"lr": first, **further}
    setup = setup_of(experiment, objects, axes=axes, **continuation.plan_of(experiment, found))
    if path := ended("find", experiment, setup, out, record):
        answer = answer_of(path, runs.read_info(path))
        return Ran(str(path), payload_of(path, FIND), answer, read=True)
    direction = setup.directions.get(experiment.metric, "min")
    some = {"lr": np.tile(first, len(seeds))}
    some |= {name: np.full(len(some["lr"]), values[0]) for name, values in further.items()}
    setup = plan_for(setup, Lanes(some, np.repeat(seeds, len(first))))
    full, seconds = config.budget(experiment)
    warn_indistinct(axes, setup.problem.dtype)
    with (
        recorded(
            "find",
            experiment,
            setup,
            out,
            record,
            control,
            made_with={"final_seeds": final_seeds} if final_seeds else None,
        ) as run,
        bar(progress, "searching") as listener,
        interruptible(control.stop) as stop,
    ):
        session = Session(setup, run, listener, stop, [])
        alike: list[str] = []
        train = trainer(session, experiment.metric, alike)
        labels = config.axis_labels(experiment)
        joint = functools.partial(search.find_axes, axes=further, labels=labels)
        look = joint if further else search.find
        answer = look(
            train,
            lr_range=(low, high),
            seeds=seeds,
            steps=setup.problem.steps,
            eval_steps=setup.eval_steps,
            metric=experiment.metric,
            budget_runs=full,
            budget_seconds=seconds,
            clock=time.monotonic if seconds is None else clock_of(run, readings),
        )
        if final_seeds and answer.lr is not None:
            answer = _finally(train, answer, labels, max(seeds) + AFTER, final_seeds)
        tried = {"lr": np.array([row["lr"] for row in answer.evidence]), **_arrays(further)}
        answer = said(answer, alike, tried, labels, _method(experiment, objects))
        notes = as_sentences(indistinct(_arrays(axes), setup.problem.dtype))
        answer = answer._replace(sentence=" ".join([answer.sentence, *notes]))
        where = None if run is None else str(run.path)
        answer = answer._replace(run=where, details={**answer.details, "direction": direction})
        payload = search.answer_json(answer, run=where, seconds=time.perf_counter() - began)
        if further:
            payload["at"] = answer.details["at"]
        if run is not None:
            run.finish({**payload, **_evidence(answer)})
    return Ran(where, payload, answer)


AFTER = 1000
"""How far from the search's seeds those of a comparison begin."""


def _finally(
    train: Any, answer: Answer, labels: Mapping[str, Sequence[str]], first: int, count: int
) -> Answer:
    from lrlab.search.scores import as_loss, cost, lane_scores

    seed = first + np.arange(count)
    at = answer.details.get("at") or {}
    numbers = {
        name: labels[name].index(value) if name in labels else value for name, value in at.items()
    }
    further = {name: np.full(count, float(value)) for name, value in numbers.items()}
    scores = train(np.full(count, answer.lr), seed, (), None, further)
    values = as_loss(lane_scores(scores), scores.direction)
    known = np.isfinite(values)
    final = {"seeds": seed[known].tolist(), "scores": values[known].tolist()}
    paid = answer.cost + cost([scores])
    return answer._replace(cost=paid, details={**answer.details, "final": final})


def _arrays(axes: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(values, np.float64) for name, values in axes.items()}


def _method(experiment: Experiment, objects: Live) -> str | None:
    """The optimizer's registered name; None where it, or the schedule, was made in Python."""
    handed = objects.optimizer is not None or objects.schedule is not None
    return None if handed else experiment.optimizer.name


def trainer(session: Session, metric: str, alike: list[str] | None = None) -> Any:
    """The function that a search is handed: it trains lanes and gives their scores. `alike` is
    filled with the axes that nothing reads, as the first call shows."""
    from lrlab.search.scores import Scores, stage_scores

    calls: list[int] = []

    def scores_of(trained: Trained, lr: np.ndarray, seed: np.ndarray) -> Scores:
        record = record_of(trained, {"lr": lr, "seed": seed})
        return stage_scores(record.directed(session.setup.directions), metric)

    def train(
        lr: Any, seed: Any, rungs: Any = (), decide: Any = None, further: Any = None
    ) -> Scores:
        lr, seed = np.asarray(lr, np.float64), np.asarray(seed, np.int64)
        name = "" if not calls else f"stage{len(calls)}"
        calls.append(1)
        inner = None
        if decide is not None:
            inner = lambda step, trained: decide(step, scores_of(trained, lr, seed))  # noqa: E731
        trained = train_stage(
            session, name, Lanes({"lr": lr, **(further or {})}, seed), tuple(rungs), inner
        )
        if alike is not None and len(calls) == 1:
            alike.extend(
                unread_axes(
                    {"lr": lr, **(further or {})}, seed, trained.history, trained.evaluated,
                    trained.initial, trained.diverged_at,
                )
            )  # fmt: skip
        return scores_of(trained, lr, seed)

    return train


def record_of(trained: Trained, axes: dict[str, np.ndarray]) -> LaneRecord:
    """What training gave, as a `LaneRecord`."""
    steps = {name: Metric(values, "step") for name, values in trained.history.items()}
    evaluated = {name: Metric(values, "eval_step") for name, values in trained.evaluated.items()}
    return LaneRecord(
        axes=axes,
        steps=trained.steps,
        eval_steps=trained.eval_steps,
        metrics=steps | evaluated,
        initial=trained.initial,
        outcome=trained.outcome,
        diverged_at=trained.diverged_at,
        last_loss=trained.last_loss,
        steps_trained=trained.steps_trained,
        seconds=trained.seconds,
    )


def plan_of(experiment: Experiment, command: str) -> dict[str, Any]:
    """The plan as JSON: {mesh, tile_width, waves, segment_steps, memory_bytes, reasons}."""
    axes = None
    if experiment.lr is None:
        low, high = experiment.lr_range
        axes = {"lr": np.geomspace(low, high, 16), **config.lane_axes(experiment)}
    setup = setup_of(experiment, Live(), axes=axes)
    lanes = grid_lanes(setup)
    setup = plan_for(setup, lanes)
    from lrlab.engine.plan import planned_memory, planned_waves

    plan = setup.plan
    return {
        "mesh": {"tiles": plan.devices},
        "tile_width": plan.tile_width,
        "waves": planned_waves(lanes, plan),
        "segment_steps": plan.segment_steps,
        "memory_bytes": planned_memory(setup.problem, setup.data, lanes, plan),
        "reasons": list(plan.reasons),
    }
