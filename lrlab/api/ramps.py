"""Range tests: the ramp is a schedule, its seeds are lanes; the parallel test is a short sweep."""

from __future__ import annotations

import functools
import time
from typing import Any

import jax.numpy as jnp
import numpy as np

from lrlab.api.live import Live, setup_of
from lrlab.api.progress import bar, interruptible
from lrlab.api.raising import begun, plan_of
from lrlab.api.recording import recorded
from lrlab.api.sessions import Session, train_stage
from lrlab.config import Experiment
from lrlab.search.range_test import RangeTest, ladder
from lrlab.search.range_test import range_test as made
from lrlab.types import Lanes, Trained


def run_range_test(
    experiment: Experiment,
    objects: Live,
    out: str | None,
    progress: bool,
    record: bool | None = None,
    params: Any = None,
) -> Any:
    """`lrlab range-test`: a `RangeTest` and its JSON object."""
    from lrlab.api.jobs import Ran

    began = time.perf_counter()
    spec = experiment.range_test
    rates = ladder(spec.start, spec.end, spec.num_steps)
    seeds = (
        list(spec.seeds)
        if isinstance(spec.seeds, list)
        else [experiment.seed + i for i in range(spec.seeds)]
    )
    ramp = spec.kind == "ramp"
    experiment, found = begun("range-test", experiment, out)
    setup = setup_of(
        experiment,
        objects,
        **plan_of(experiment, found),
        axes={"lr": np.ones(1) if ramp else rates},
        seeds=seeds,
        steps=spec.num_steps,
        batch_size=spec.batch_size,
        eval_every=1 if ramp and spec.split == "valid" else None,
        eval_steps=None,
    )
    if params is not None:
        functions = setup.problem.task
        started = functions._replace(init=_from(functions.init, params))
        setup = setup._replace(problem=setup.problem._replace(task=started))
    if ramp:
        climb = ramp_schedule(tuple(rates.tolist()))
        setup = setup._replace(problem=setup.problem._replace(schedule=climb))
    columns = np.ones(1) if ramp else rates
    lanes = Lanes({"lr": np.repeat(columns, len(seeds))}, np.tile(seeds, len(columns)))
    with (
        recorded("range-test", experiment, setup, out, record) as run,
        bar(progress, "range test") as listener,
        interruptible() as stop,
    ):
        trained = train_stage(Session(setup, run, listener, stop, []), "", lanes, grid=True)
        loss = _ramp_loss(trained, spec.split) if ramp else _parallel_loss(trained, spec.split)
        loss = loss if ramp else loss.reshape(len(rates), len(seeds)).T
        test: RangeTest = made(rates, loss, np.asarray(seeds), spec.kind, spec.split)
        where = None if run is None else str(run.path)
        test = test._replace(run=where)
        payload = {**test.payload(), "seconds": time.perf_counter() - began}
        if run is not None:
            run.finish({**payload, "metric": f"{spec.split}_loss", "sentence": str(test)})
    return Ran(where, payload, test)


@functools.lru_cache(maxsize=32)
def ramp_schedule(rates: tuple[float, ...]) -> Any:
    """`(hyper, step) -> rate`: the ladder's rung at each step, times the lane's `lr` (1)."""
    rungs = np.asarray(rates)
    return lambda hyper, step: hyper["lr"] * jnp.asarray(rungs, hyper["lr"].dtype)[step]


def _from(init: Any, params: Any) -> Any:
    """An init that starts from given parameters; the model's other state is fresh."""
    return lambda key, example: (params, init(key, example)[1])


def _ramp_loss(trained: Trained, split: str) -> np.ndarray:
    """[seeds, N]: the loss met at each rate of the ladder."""
    name = "train_loss" if split == "train" else "valid_loss"
    rows = trained.history[name] if split == "train" else trained.evaluated[name]
    return np.asarray(rows, np.float64).T


def _parallel_loss(trained: Trained, split: str) -> np.ndarray:
    """[lanes]: the mean of the last tenth of the short run's losses, or its validation loss."""
    if split == "valid":
        return np.asarray(trained.evaluated["valid_loss"][-1], np.float64)
    rows = np.asarray(trained.history["train_loss"], np.float64)
    return rows[-max(1, len(rows) // 10) :].mean(0)
