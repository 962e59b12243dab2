"""The public functions: signatures and docstrings; `lrlab.workflows` does what they say.

Every function turns its arguments into an `Experiment` (where all defaults are), so that a call and
a file go one way from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lrlab import config
from lrlab.config.trackers import LogLike
from lrlab.core.remote import Ray
from lrlab.core.text import Table
from lrlab.core.tolerance import CONFIDENCE
from lrlab.results.range_test import RangeTest
from lrlab.results.study import Study
from lrlab.results.sweep import Result
from lrlab.search import Comparison
from lrlab.tasks import Task
from lrlab.training.callbacks import Callback
from lrlab.training.components import OptimizerLike, ScheduleLike
from lrlab.training.task import TaskLike
from lrlab.types import Answer, Floats, Params, Plan
from lrlab.workflows.compare import objects_of, run_compare
from lrlab.workflows.dispatch import plan as plan
from lrlab.workflows.dispatch import resume as resume
from lrlab.workflows.dispatch import run as run
from lrlab.workflows.find import run_find
from lrlab.workflows.job import call
from lrlab.workflows.origins import export_params as export_params
from lrlab.workflows.origins import load as load
from lrlab.workflows.population import population as population
from lrlab.workflows.range_test import run_range_test
from lrlab.workflows.report import concluded
from lrlab.workflows.study import run_study, tasks_of
from lrlab.workflows.sweep import run_sweep


def sweep(
    task: TaskLike,
    *,
    lr: Floats | Mapping[str, Floats] | None = None,
    optimizer: OptimizerLike = None,
    steps: int | None = None,
    batch_size: int | str | None = None,
    schedule: ScheduleLike = None,
    seeds: int | Sequence[int] | None = None,
    optimizer_args: Table | None = None,
    schedule_args: Table | None = None,
    groups: Mapping[str, str] | None = None,
    multipliers: Mapping[str, float | Floats] | None = None,
    metric: str | None = None,
    score: str | None = None,
    tolerance: float | None = None,
    keep: str | None = None,
    eval_every: int | None = None,
    stop_diverged: bool | None = None,
    sampler: str | None = None,
    precision: str | None = None,
    probes: Sequence[str | Table] | None = None,
    plan: Plan | None = None,
    seed: int | None = None,
    on: str | Ray | None = None,
    out: str | os.PathLike[str] | None = None,
    figures: Sequence[str] | None = None,
    progress: bool = True,
    log: LogLike = (),
    callbacks: Sequence[Callback] = (),
    **axes: Any,
) -> Result:
    """Trains every learning rate with every seed, many at a time, in one compiled program.

    None stands for the default, which is the schema's (`lrlab.config.defaults()`).

    Args:
        task: a `Task`, or the name of a registered one (`lrlab ls tasks`).
        lr: peak learning rates, any order; or group -> rates, with `groups` group -> path pattern.
            May be left out for optimizers that have a rate of their own (learning-rate-free ones).
        optimizer: a name (`lrlab ls optimizers`); a function `hyper -> optax transformation` where
            `hyper["lr"]` is the rate of the step, and every lane axis an entry by its name; a
            function whose first parameter is named `learning_rate` (`optax.adamw`); or a finished
            transformation with the rate in its state (`optax.inject_hyperparams`).
        steps: updates per lane.
        batch_size: examples per update, or "full".
        schedule: a name (`lrlab ls schedules`), or a function `step -> factor` of the rate, finite
            and not below 0 at every step.
        seeds: how many, or which; a seed gives the same weights and batches to every rate.
        optimizer_args, schedule_args: their parameters.
        multipliers: pattern of parameter paths (as in `lrlab.optimizers.groups.matches`) -> what
            the updates there are multiplied by: the learning rate is lr x multiplier, for every
            update and for decoupled weight decay. A list is a lane axis, the first after `lr`,
            named by `lrlab.config.multipliers.axis_name`: `multiplier_readout`.
        metric: what `best()` and the report look at, `<split>_<name>`.
        score: which of its evaluations: "last", "best", or "mean:k" (the mean of the last k); a
            finished run is read again with another one.
        tolerance: what a rate may cost and still be in the interval of `best()`, as a share of what
            training gains from the initial metric to the best; None for 0.01, one percent.
        keep: which weights of the lanes that finish are kept, for `result.params(lr=, seed=)`:
            "last", "best" (those at the best evaluation of `metric`) or "none"; with `out` in the
            run folder, else in memory. None: the last ones, where they are small.
        eval_every: evaluate after each so many updates; None for 20 evaluations.
        stop_diverged: freeze a lane whose loss or parameters are not finite.
        sampler: "shuffle"; "replay" for the first epoch's order in every epoch; "in_order" for the
            data's own order in every epoch, the same for all seeds.
        precision: "float32", "float64", "bfloat16", "mixed" (parameters, loss in float32).
        probes: measurements at evaluations (`lrlab ls probes`): names, or tables with options such
            as `{"name": "sharpness", "k": 3, "every": 100}` (`every` in updates).
        plan: fixes how lanes are laid on the machine.
        on: who trains: this process where absent, "ray" or a `Ray` for the workers of a cluster.
        out: a run folder: an unfinished run of the experiment is continued, a finished one read.
        figures: formats of the figures in it ("png", "svg", "pdf", ...); None for PNG and SVG.
        progress: draw a progress bar on standard error.
        log: trackers ("tensorboard", "wandb", "mlflow", "trackio", or {"tracker": name, options})
            and `lrlab.Logger` objects, which get each evaluation once it is committed.
        callbacks: functions of an `lrlab.Event`, called at evaluations; they return None, "stop",
            or bool[lanes], True for each lane to stop (it is "pruned" then).
        axes: further lane axes, such as `weight_decay=[0.0, 0.01]`, or single values; one that
            neither the optimizer nor the schedule reads is an error. Only `lr` is scheduled.

    Raises:
        ConfigError: with every problem in the arguments.

    >>> import lrlab
    >>> result = lrlab.sweep("wine-linear", lr=[0.01, 0.1], optimizer="sgd", steps=20,
    ...                      batch_size=16, seeds=2, schedule="constant", progress=False)
    >>> result.final["valid_loss"].shape, result.history["train_loss"].shape
    ((2, 2), (20, 2, 2))
    """
    experiment = config.from_arguments(
        "sweep", task=task, lr=lr, optimizer=optimizer, steps=steps, batch_size=batch_size,
        schedule=schedule, seeds=seeds, optimizer_args=optimizer_args, schedule_args=schedule_args,
        groups=groups, multipliers=multipliers, metric=metric, score=score, tolerance=tolerance,
        keep=keep, eval_every=eval_every, stop_diverged=stop_diverged, sampler=sampler,
        precision=precision, probes=probes, plan=plan, on=on, seed=seed, log=log, figures=figures,
        **axes,
    )  # fmt: skip
    job = call(experiment, out, progress, task, optimizer, schedule, log, callbacks)
    return concluded(run_sweep(job), progress)


def find(
    task: TaskLike,
    *,
    lr: Floats | Mapping[str, float | Floats] | None = None,
    optimizer: OptimizerLike = None,
    steps: int | None = None,
    batch_size: int | str | None = None,
    schedule: ScheduleLike = None,
    seeds: int | Sequence[int] | None = None,
    lr_range: tuple[float, float] | None = None,
    metric: str | None = None,
    score: str | None = None,
    tolerance: float | None = None,
    scale: str | None = None,
    confidence: float | None = CONFIDENCE,
    keep: str | None = None,
    budget: float | str | None = None,
    optimizer_args: Table | None = None,
    schedule_args: Table | None = None,
    groups: Mapping[str, str] | None = None,
    multipliers: Mapping[str, float | Floats] | None = None,
    eval_every: int | None = None,
    sampler: str | None = None,
    precision: str | None = None,
    plan: Plan | None = None,
    seed: int | None = None,
    on: str | Ray | None = None,
    out: str | os.PathLike[str] | None = None,
    figures: Sequence[str] | None = None,
    progress: bool = True,
    log: LogLike = (),
    callbacks: Sequence[Callback] = (),
    **fixed: Any,
) -> Answer:
    """The learning rate to train with: how sure, where it breaks, and what it cost to know.

    Arguments as in `sweep`; a list for a multiplier, or for another hyper-parameter, is searched
    together with the learning rate: `answer.details["at"]` is the combination to take, the interval
    is for the rate there, `confidence` is against the best of all combinations, and
    `answer.details["ridge"]` has for each combination its values, its best `lr` with its `interval`
    (None where too little was trained), `regret` (what its best is expected to cost, as a share of
    what training gains; None for those that ended at a rung) and `within` (the probability that
    this is at most the tolerance). `lr_range` is where to look first (it is extended when the best
    stands at an edge).

    The interval holds the rates that cost at most `tolerance` (None: 0.01, one percent of what
    training gains). The search stops as soon as the probability that `answer.lr` costs no more,
    `answer.confidence`, is `confidence`, and the interval is right with a probability of 0.8
    (`answer.details["interval_probability"]`); with None it spends its whole budget. `budget` is a
    number of full-length runs (None: at most 40; with further axes 24, and 8 for each further
    combination; 24 for each of several rates), or a time such as "60s". `answer.resolved` is the
    smallest tolerance that the lanes tell, of the rate and of its interval; where it is larger than
    asked for, the interval is for it. `scale` "log" measures regret in the log of losses that span
    decades. `score` (as in `sweep`) decides at the rungs too; it is part of the experiment.

    With `groups`, and for the rates of a step task (`Task.step`), `lr` is name -> rates: the lowest
    and the highest are where to look, a single number is held. `answer.lr` and `answer.interval`
    are dicts by name then; an interval holds with the other rates where the answer has them
    (`lrlab.search.find_rates`). One list of rates is `lr_range` from the lowest to the highest.

    Raises:
        ConfigError: with every problem in the arguments.

    >>> import lrlab
    >>> answer = lrlab.find("wine-linear", optimizer="sgd", steps=40, batch_size=16, budget=20,
    ...                     progress=False)
    >>> answer.verdict in ("interior", "edge", "flat", "noisy", "none") and answer.cost <= 20
    True
    """
    experiment = config.from_arguments(
        "find", task=task, lr=lr, optimizer=optimizer, steps=steps, batch_size=batch_size,
        schedule=schedule, seeds=seeds, lr_range=lr_range, metric=metric, score=score, keep=keep,
        tolerance=tolerance, scale=scale, confidence=confidence,
        budget=budget, optimizer_args=optimizer_args, schedule_args=schedule_args, groups=groups,
        multipliers=multipliers, eval_every=eval_every, sampler=sampler, precision=precision,
        plan=plan, on=on, seed=seed, log=log, figures=figures, **fixed,
    )  # fmt: skip
    job = call(experiment, out, progress, task, optimizer, schedule, log, callbacks)
    return concluded(run_find(job), progress)


def range_test(
    task: TaskLike,
    *,
    optimizer: OptimizerLike = None,
    start: float | None = None,
    end: float | None = None,
    num_steps: int | None = None,
    seeds: int | Sequence[int] | None = None,
    batch_size: int | str | None = None,
    kind: str | None = None,
    mode: str | None = None,
    params: Params | None = None,
    split: str | None = None,
    optimizer_args: Table | None = None,
    precision: str | None = None,
    plan: Plan | None = None,
    seed: int | None = None,
    on: str | Ray | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **fixed: Any,
) -> RangeTest:
    """The learning-rate range test (Smith 2017, arXiv 1506.01186), over several seeds at once.

    Args:
        start, end, num_steps: the ladder of rates.
        kind: "ramp": one run per seed whose rate climbs the ladder; "parallel": a run of its own of
            `num_steps` updates per rate, which is what the ramp imitates.
        mode: "exponential" spaces the rates evenly in log, "linear" evenly.
        params: start from these parameters rather than from fresh ones; they are not changed.
        split: "train" records the minibatch loss before each update, "valid" the validation loss
            after it.
        fixed: further hyper-parameters, a number each, such as `weight_decay=0.01`; `log` and
            `figures`.

    Returns:
        A `RangeTest` with `lr` f64[N], `loss` [seeds, N] and `suggest(rule)`; print or plot it.

    >>> import lrlab
    >>> test = lrlab.range_test("wine-linear", optimizer="sgd", num_steps=60, seeds=2)
    >>> test.loss.shape, test.suggest("valley").shape
    ((2, 60), (2,))
    """
    experiment = config.from_arguments(
        "range-test", task=task, optimizer=optimizer, start=start, end=end, num_steps=num_steps,
        seeds=seeds, batch_size=batch_size, kind=kind, mode=mode, split=split,
        optimizer_args=optimizer_args, precision=precision, plan=plan, on=on, seed=seed, **fixed,
    )  # fmt: skip
    job = call(experiment, out, progress, task, optimizer, log=fixed.get("log", ()))
    return concluded(run_range_test(job, params), progress)


def compare(
    entries: Mapping[str, Table],
    *,
    task: TaskLike | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **shared: Any,
) -> Comparison:
    """Two or more settings, each at its own best learning rate, its own search counted.

    Args:
        entries: name -> arguments of `find`; `shared` holds for all of them.
        out: as in `sweep`; the comparison's folder has a run for each entry inside.

    Returns:
        A `Comparison`: who wins, by how much, how sure; print it.
    """
    arguments = {"task": task, "entries": entries, **shared}
    experiment = config.from_arguments("compare", **arguments)
    methods = shared.get("optimizer"), shared.get("schedule")
    job = call(experiment, out, progress, task, *methods, log=shared.get("log", ()))
    return concluded(run_compare(job, objects_of(entries, arguments)), progress)


def study(
    task: TaskLike | Callable[..., Task],
    *,
    axis: str,
    values: Sequence[object],
    parametrization: str | Sequence[str] = "standard",
    base: object = None,
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
        out: the study's folder, a run folder per group inside; one that is unfinished is
            continued, and finished groups are read, not trained.
        arguments: as in `sweep` and `find`; and `scale`: "gain" (the default), regret as a share of
            what training gains, or "log", the same in the log of the loss, for losses that span
            decades (a loss at or below 0 is refused).

    Raises:
        ConfigError: with every problem in the arguments.

    >>> import lrlab
    >>> found = lrlab.study("wine-linear", axis="batch_size", values=[8, 64], steps=20, seeds=2,
    ...                     optimizer="sgd", lr=[0.001, 0.01, 0.1, 1.0, 10.0], progress=False)
    >>> [group.value for group in found.groups], found.laws[0].trend in ("grows", "same", "unclear")
    ([8, 64], True)
    """
    tasks = tasks_of(task, values)
    first = next(iter(tasks.values())) if tasks else task
    experiment = config.from_arguments(
        "study", task=first, axis=axis, values=list(values), base=base,
        parametrization=parametrization, **arguments,
    )  # fmt: skip
    methods = arguments.get("optimizer"), arguments.get("schedule")
    job = call(experiment, out, progress, first, *methods, log=arguments.get("log", ()))
    return concluded(run_study(job, tasks), progress)
