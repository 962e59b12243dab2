"""`sweep`, `find`, `range_test`, `compare`, `study`, `load`, and the command line's jobs.

Every public function turns its arguments into an `Experiment` (where all defaults are), so that a
call and a file go one way from there.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from lrlab import config
from lrlab.core.paths import resolved
from lrlab.results.range_test import RangeTest
from lrlab.results.sweep import Result
from lrlab.search.comparison import Comparison
from lrlab.training.progress import USUAL, Control
from lrlab.training.recording import load_result, out_of
from lrlab.training.setup import Live, live
from lrlab.types import Answer, Floats, Plan
from lrlab.workflows.compare import run_compare
from lrlab.workflows.find import Ran, run_find, run_sweep
from lrlab.workflows.range_test import run_range_test
from lrlab.workflows.report import concluding, note
from lrlab.workflows.study import run_study


def sweep(
    task: Any,
    *,
    lr: Floats | Mapping[str, Floats] | None = None,
    optimizer: Any = None,
    steps: int | None = None,
    batch_size: int | str | None = None,
    schedule: Any = None,
    seeds: int | Sequence[int] | None = None,
    optimizer_args: Mapping[str, Any] | None = None,
    schedule_args: Mapping[str, Any] | None = None,
    groups: Mapping[str, str] | None = None,
    multipliers: Mapping[str, float | Floats] | None = None,
    metric: str | None = None,
    eval_every: int | None = None,
    stop_diverged: bool | None = None,
    sampler: str | None = None,
    precision: str | None = None,
    probes: Sequence[str | Mapping[str, Any]] | None = None,
    plan: Plan | None = None,
    seed: int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
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
        eval_every: evaluate after each so many updates; None for 20 evaluations.
        stop_diverged: freeze a lane whose loss or parameters are not finite.
        sampler: "shuffle"; "replay" for the first epoch's order in every epoch; "in_order" for the
            data's own order in every epoch, the same for all seeds.
        precision: "float32" or "float64".
        probes: measurements at evaluations (`lrlab ls probes`): names, or tables with options such
            as `{"name": "sharpness", "k": 3, "every": 100}` (`every` in updates).
        plan: fixes how lanes are laid on the machine.
        out: a run folder to write. An unfinished run of the same experiment there is continued, the
            result of a finished one is read.
        progress: draw a progress bar on standard error.
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
    arguments = _given(locals())
    experiment = config.from_arguments("sweep", **arguments)
    ran = run_sweep(experiment, live(task, optimizer, schedule), out_of(out), progress)
    return concluding(ran, progress)


def find(
    task: Any,
    *,
    optimizer: Any = None,
    steps: int | None = None,
    batch_size: int | str | None = None,
    schedule: Any = None,
    seeds: int | Sequence[int] | None = None,
    lr_range: tuple[float, float] | None = None,
    metric: str | None = None,
    budget: float | str | None = None,
    optimizer_args: Mapping[str, Any] | None = None,
    schedule_args: Mapping[str, Any] | None = None,
    multipliers: Mapping[str, float | Floats] | None = None,
    eval_every: int | None = None,
    sampler: str | None = None,
    precision: str | None = None,
    plan: Plan | None = None,
    seed: int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **fixed: Any,
) -> Answer:
    """The learning rate to train with: how sure, where it breaks, and what it cost to know.

    Arguments as in `sweep`; a list for a multiplier, or for another hyper-parameter, is searched
    together with the learning rate (`answer.details["at"]`). `lr_range` is where to look first (it
    is extended when the best stands at an edge), `budget` a number of full-length runs, or a time
    such as "60s".

    Raises:
        ConfigError: with every problem in the arguments.

    >>> import lrlab
    >>> answer = lrlab.find("wine-linear", optimizer="sgd", steps=40, batch_size=16, budget=20,
    ...                     progress=False)
    >>> answer.verdict in ("interior", "edge", "flat", "noisy", "none") and answer.cost <= 20
    True
    """
    arguments = _given(locals())
    experiment = config.from_arguments("find", **arguments)
    ran = run_find(experiment, live(task, optimizer, schedule), out_of(out), progress)
    return concluding(ran, progress)


def range_test(
    task: Any,
    *,
    optimizer: Any = None,
    start: float | None = None,
    end: float | None = None,
    num_steps: int | None = None,
    seeds: int | Sequence[int] | None = None,
    batch_size: int | str | None = None,
    kind: str | None = None,
    mode: str | None = None,
    params: Any = None,
    split: str | None = None,
    optimizer_args: Mapping[str, Any] | None = None,
    precision: str | None = None,
    plan: Plan | None = None,
    seed: int | None = None,
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
        fixed: further hyper-parameters, a number each, such as `weight_decay=0.01`.

    Returns:
        A `RangeTest` with `lr` f64[N], `loss` [seeds, N] and `suggest(rule)`; print or plot it.

    >>> import lrlab
    >>> test = lrlab.range_test("wine-linear", optimizer="sgd", num_steps=60, seeds=2)
    >>> test.loss.shape, test.suggest("valley").shape
    ((2, 60), (2,))
    """
    arguments = _given(locals())
    arguments.pop("params")
    experiment = config.from_arguments("range-test", **arguments)
    ran = run_range_test(experiment, live(task, optimizer), out_of(out), progress, params=params)
    return concluding(ran, progress)


def compare(
    entries: Mapping[str, Mapping[str, Any]],
    *,
    task: Any = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **shared: Any,
) -> Comparison:
    """Two or more settings, each at its own best learning rate, its own search counted.

    Args:
        entries: name -> arguments of `find`; `shared` holds for all of them.

    `out`: the comparison's folder, with a run for each entry inside; an unfinished one is
    continued, a finished one is read.

    Returns:
        A `Comparison`: who wins, by how much, how sure; print it.
    """
    arguments = {"task": task, "entries": entries, **shared}
    experiment = config.from_arguments("compare", **arguments)
    lives = {
        str(name): live(
            *(entry.get(key, arguments.get(key)) for key in ("task", "optimizer", "schedule"))
        )
        for name, entry in entries.items()
    }
    shared_live = live(task, shared.get("optimizer"), shared.get("schedule"))
    ran = run_compare(experiment, shared_live, out_of(out), progress, lives=lives)
    return concluding(ran, progress)


def load(folder: str | os.PathLike[str]) -> Result:
    """A sweep's result from its run folder.

    Raises:
        RunError: not a run folder, or a damaged one; says what is lost.
    """
    return load_result(resolved(folder))


def run(
    command: str,
    experiment: config.Experiment,
    *,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
    record: bool = True,
    final_seeds: int = 0,
    control: Control = USUAL,
) -> Ran:
    """What the command line does: `command` on an experiment, into a run folder.

    `out` None makes a new folder under `runs/`; `record` False writes nothing. `final_seeds`: of a
    search inside a comparison, the lanes at its answer that the comparison is made on. `control`:
    how often it commits, what ends it early, and what is called with an unfinished run's folder.
    """
    jobs = {
        "sweep": run_sweep,
        "find": functools.partial(run_find, final_seeds=final_seeds),
        "range-test": run_range_test,
        "compare": run_compare,
        "study": run_study,
    }
    ran = jobs[command](experiment, Live(), out_of(out), progress, record=record, control=control)
    note(ran, progress)
    return ran


def resume(
    folder: str | os.PathLike[str],
    *,
    overrides: Sequence[str] = (),
    progress: bool = True,
    control: Control = USUAL,
) -> Ran:
    """Goes on with an interrupted run, from its folder alone, to the same bits.

    `overrides`: settings such as `steps=4000`: a sweep trains on, where its schedule permits.
    `control`: as in `run`.

    Raises:
        RunError: finished already, locked by another process, damaged, another experiment, or made
            in Python; says how it is continued.
    """
    from lrlab import runs

    path = resolved(folder)
    runs.settle(path)
    if not overrides and runs.finished(runs.read_info(path)):
        raise runs.done(path)
    runs.available(path)
    info = runs.read_info(path)
    if runs.made_in_python(path, info):
        message = "was made in Python, with objects that are not in its folder"
        raise runs.RunError(path, f"{message}; {runs.onward(path)}")
    command, experiment = runs.experiment_of(path, overrides)
    final_seeds = int(info.get("final_seeds", 0))
    return run(
        command, experiment, out=path, progress=progress, final_seeds=final_seeds, control=control
    )


def plan(experiment: config.Experiment, command: str = "sweep") -> dict[str, Any]:
    """How an experiment would be laid on the machine, as `lrlab plan --json` gives it."""
    from lrlab.workflows.find import plan_of

    return plan_of(experiment, command)


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    """A public function's arguments as `config.from_arguments` takes them."""
    axes = {**arguments.pop("axes", {}), **arguments.pop("fixed", {})}
    for name in ("out", "progress"):
        arguments.pop(name)
    return {**arguments, **axes}
