"""Range tests: the ramp is a schedule, its seeds are lanes; the parallel test is a short sweep."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.config import Resolved, resolve
from lrlab.config.resolved import seeds_of
from lrlab.core.axes import rate_axis
from lrlab.core.precisions import dtype_of
from lrlab.core.records import LaneRecord
from lrlab.engine.binding import GIVEN
from lrlab.engine.memory import memory_scope
from lrlab.results import unread
from lrlab.results.range_test import RangeTest
from lrlab.results.representable import warn_indistinct
from lrlab.runs import read_stage, read_summary
from lrlab.search.range_test import ladder, losses_of, range_test
from lrlab.search.unread import sentence
from lrlab.training.group import TrainingGroup, training_group
from lrlab.training.lanes import grid_lanes
from lrlab.training.logs import refuse_missing
from lrlab.training.recording import continued, ended, recorded
from lrlab.training.session import train_stage
from lrlab.training.suitability import text_of
from lrlab.training.traced_checks import reads_rate
from lrlab.types import Array, Hyper, Params, PyTree
from lrlab.workflows.job import Job, Ran, finish, session


@memory_scope()
def run_range_test(job: Job, params: Params | None = None) -> Ran[RangeTest]:
    """The ramp is one run per seed under a schedule that climbs the ladder; the parallel test a
    sweep of short runs. `params`: what every seed starts from; None: fresh ones."""
    began = time.perf_counter()
    spec = job.experiment.range_test
    rates = ladder(spec.start, spec.end, spec.num_steps, spec.mode)
    warn_indistinct({"lr": rates}, dtype_of(job.experiment.precision))
    ramp = spec.kind == "ramp"
    resolved = resolve(job.experiment, job.objects, "range-test")._replace(
        axes=(rate_axis([1.0] if ramp else rates),),
        seeds=tuple(seeds_of(spec.seeds, job.experiment.seed)),
        steps=spec.num_steps,
        epochs=None,
        batch_size=spec.batch_size,
        eval_every=1 if ramp and spec.split == "valid" else None,
        eval_steps=None,
    )
    with continued(resolved, job.out) as here:
        refuse_missing(here.resolved)
        group = _group(here.resolved, rates if ramp else None, params)

        def concluded(record: LaneRecord, run: str | None, remark: str) -> RangeTest:
            # Hyper-parameters that are single numbers may be axes of one value.
            curves = record.flat().grid({"lr": group.axes["lr"], "seed": group.seeds})
            losses = curves.history["train_loss"], curves.evaluated
            loss = losses_of(spec.kind, spec.split, *losses)
            measured = range_test(rates, loss, group.seeds, spec.kind, spec.split, spec.mode)
            return RangeTest(measured._replace(remark=remark), run)

        if path := ended(here, group):
            before = read_summary(path).payload(path)
            test = concluded(read_stage(path), str(path), str(before.get("remark") or ""))
            payload = {**test.payload(), "seconds": before["seconds"]}
            return Ran(str(path), payload, test, read=True)
        lanes = grid_lanes(group.axes, group.seeds)
        fields = None if params is None else {"objects": ["params"]}
        with (
            recorded(here, group, job.record, job.control, fields) as run,
            session(job, group, "range test", run, command="range-test") as work,
        ):
            record = train_stage(work, "", lanes, grid=True)
            place = None if run is None else str(run.path)
            remark = _remark(here.resolved, group, record)
            test = concluded(record, place, remark)
            payload = {**test.payload(), "seconds": time.perf_counter() - began}
            finish(work, {**payload, "metric": f"{spec.split}_loss"})
    return Ran(place, payload, test)


def _group(resolved: Resolved, ramp: np.ndarray | None, params: Params | None) -> TrainingGroup:
    """The group, with the ladder as its schedule, from the given parameters."""
    group = training_group(resolved)
    schedule = held_schedule if ramp is None else ramp_schedule(tuple(ramp.tolist()))
    problem = group.problem._replace(schedule=schedule)
    if params is not None:
        started = problem.task._replace(init=started_from(params, problem.task.init))
        problem = problem._replace(task=started)
        # These take the place of those that the task itself begins with.
        own = {split: part for split, part in group.data.items() if split != GIVEN}
        group = group._replace(data=own)
    return group._replace(problem=problem)


def _remark(resolved: Resolved, group: TrainingGroup, record: LaneRecord) -> str:
    """What is said where nothing reads the rate: then no rule's pick means anything."""
    spec = resolved.experiment.range_test
    if spec.kind == "ramp":
        alike = not reads_rate(group.problem, group.data)
    else:
        alike = "lr" in unread.of_record(record)
    if not alike:
        return ""
    method = unread.method_of(text_of(resolved, group.problem.task))
    remark = sentence(spec.start, spec.end, method, ramp=spec.kind == "ramp")
    return f"{remark} No rule's pick means anything here."


@functools.lru_cache(maxsize=32)
def ramp_schedule(rates: tuple[float, ...]) -> Callable[[Hyper, Array], Array]:
    """`(hyper, step) -> rate`: the ladder's rung at each step, times the lane's `lr` (1)."""
    rungs = np.asarray(rates)
    return lambda hyper, step: hyper["lr"] * jnp.asarray(rungs, hyper["lr"].dtype)[step]


def held_schedule(hyper: Hyper, step: Array) -> Array:
    """`(hyper, step) -> rate` of a parallel test: the lane's own rate at every step."""
    return hyper["lr"]


Init = Callable[[Array, PyTree], tuple[Params, PyTree]]
"""`init(key, example) -> (params, state)`, as in `lrlab.types.TaskFunctions`."""


def started_from(params: Params, init: Init) -> Init:
    """An init that gives these parameters to every seed; the model's other state is fresh.

    Raises:
        ValueError: when it is called, where the parameters are not of the model's shapes.
    """

    def start(key: Array, example: PyTree) -> tuple[Params, PyTree]:
        fresh, state = init(key, example)
        wanted, own = (
            {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
            for tree in (fresh, params)
        )
        for path in [*wanted, *(set(own) - set(wanted))]:
            shapes = [np.shape(tree[path]) if path in tree else None for tree in (wanted, own)]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f"params{path}: the model's has shape {shapes[0]}, the given one {shapes[1]} "
                    "(None: absent)"
                )
        leaves = [jnp.asarray(own[path], leaf.dtype) for path, leaf in wanted.items()]
        return jax.tree.unflatten(jax.tree.structure(fresh), leaves), state

    return start
