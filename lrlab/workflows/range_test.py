"""Range tests: the ramp is a schedule, its seeds are lanes; the parallel test is a short sweep."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from lrlab.config import Experiment
from lrlab.engine.memory import memory_scope
from lrlab.results.indistinct import warn_indistinct
from lrlab.results.range_test import RangeTest
from lrlab.results.unread import reads_rate, unread_axes
from lrlab.runs import read_stage
from lrlab.search.range_test import ladder, losses_of, range_test
from lrlab.search.unread import sentence
from lrlab.training.continuation import begun, plan_of
from lrlab.training.group import Setup
from lrlab.training.interrupting import interruptible
from lrlab.training.progress import USUAL, Control, bar
from lrlab.training.recording import recorded
from lrlab.training.session import Session, train_stage
from lrlab.training.setup import Live, setup_of
from lrlab.types import Array, Hyper, Lanes, Params, PyTree, Trained
from lrlab.workflows.find import Ran
from lrlab.workflows.finished import ended, payload_of


@memory_scope()
def run_range_test(
    experiment: Experiment,
    objects: Live,
    out: str | None,
    progress: bool,
    record: bool | None = None,
    params: Params | None = None,
    control: Control = USUAL,
) -> Ran:
    """`lrlab range-test`: a `RangeTest` and its JSON object."""
    began = time.perf_counter()
    spec = experiment.range_test
    rates = ladder(spec.start, spec.end, spec.num_steps, spec.mode)
    warn_indistinct({"lr": rates}, experiment.precision)
    seeds = (
        list(spec.seeds)
        if isinstance(spec.seeds, list)
        else [experiment.seed + i for i in range(spec.seeds)]
    )
    ramp = spec.kind == "ramp"
    columns = np.ones(1) if ramp else rates
    experiment, before = begun("range-test", experiment, out, objects)
    setup = setup_of(
        experiment,
        objects,
        **plan_of(experiment, before),
        axes={"lr": columns},
        seeds=seeds,
        steps=spec.num_steps,
        batch_size=spec.batch_size,
        eval_every=1 if ramp and spec.split == "valid" else None,
        eval_steps=None,
    )
    problem = setup.problem._replace(
        schedule=ramp_schedule(tuple(rates.tolist())) if ramp else held_schedule
    )
    made_with = None
    if params is not None:
        made_with = {"objects": ["params"]}
        started = problem.task._replace(init=started_from(params, problem.task.init))
        problem = problem._replace(task=started)
    setup = setup._replace(problem=problem)

    def concluded(
        train_loss: np.ndarray, evaluated: Mapping[str, np.ndarray], where: str | None, remark: str
    ) -> RangeTest:
        loss = losses_of(spec.kind, spec.split, train_loss, evaluated)
        curves = range_test(rates, loss, np.asarray(seeds), spec.kind, spec.split, spec.mode)
        return RangeTest(curves._replace(remark=remark), where)

    if path := ended("range-test", experiment, setup, out, record):
        stage, summary = read_stage(path), payload_of(path)
        remark = str(summary.get("remark") or "")
        test = concluded(stage.history["train_loss"], stage.evaluated, str(path), remark)
        payload = {**test.payload(), "seconds": summary["seconds"]}
        return Ran(str(path), payload, test, read=True)
    lanes = Lanes({"lr": np.repeat(columns, len(seeds))}, np.tile(seeds, len(columns)))
    with (
        recorded("range-test", experiment, setup, out, record, control, made_with=made_with) as run,
        bar(progress, "range test") as listener,
        interruptible(control.stop) as stop,
    ):
        trained = train_stage(Session(setup, run, listener, stop, []), "", lanes, grid=True)

        def grid(rows: np.ndarray) -> np.ndarray:
            return np.asarray(rows).reshape(len(rows), len(columns), len(seeds))

        evaluated = {name: grid(rows) for name, rows in trained.evaluated.items()}
        where = None if run is None else str(run.path)
        remark = _remark(experiment, objects, setup, lanes, trained)
        test = concluded(grid(trained.history["train_loss"]), evaluated, where, remark)
        payload = {**test.payload(), "seconds": time.perf_counter() - began}
        if run is not None:
            run.finish({**payload, "metric": f"{spec.split}_loss"})
    return Ran(where, payload, test)


def _remark(
    experiment: Experiment, objects: Live, setup: Setup, lanes: Lanes, trained: Trained
) -> str:
    """What is said where nothing reads the rate: then no rule's pick means anything."""
    spec = experiment.range_test
    if spec.kind == "ramp":
        alike = not reads_rate(setup.problem, setup.data)
    else:
        alike = "lr" in unread_axes(
            lanes.hyper, lanes.seed, trained.history, trained.evaluated, trained.initial,
            trained.diverged_at,
        )  # fmt: skip
    if not alike:
        return ""
    method = None if objects.optimizer is not None else experiment.optimizer.name
    unread = sentence(spec.start, spec.end, method, ramp=spec.kind == "ramp")
    return f"{unread} No rule's pick means anything here."


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
