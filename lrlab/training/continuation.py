"""What a run folder says to an experiment that is to be recorded in it: continue, extend, or read.

A run keeps the tile width it began with. Where only `steps` were raised, it is extended: its
evaluation points are kept, and its schedule has to give the same first learning rates.
"""

from __future__ import annotations

import itertools
import tomllib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lrlab import config, runs
from lrlab.config import Resolved, resolve, total_steps
from lrlab.core.text import Table
from lrlab.engine.devices import precision
from lrlab.engine.layout import evaluation_steps
from lrlab.runs import RunFolder
from lrlab.training.group import TrainingGroup
from lrlab.training.task import task_of
from lrlab.types import Hyper


class Continuation(NamedTuple):
    """An experiment and the folder that it goes into.

    `resolved`: with the tile width and the evaluation points of the run there. `shorter`: the
    experiment as that run began, where its steps are to be raised. `folder`: None where nothing is
    recorded.
    """

    resolved: Resolved
    folder: RunFolder | None = None
    shorter: Resolved | None = None

    @property
    def info(self) -> Table:
        """`run.json` of the run that the folder holds; empty where it holds none."""
        return {} if self.folder is None else self.folder.info


def continuation(resolved: Resolved, folder: RunFolder | None) -> Continuation:
    """What the folder's run asks of the experiment. A length in `epochs` counts as its updates.

    Raises:
        RunError: fewer steps than the run has, or a damaged folder.
    """
    if folder is None or not folder.is_run:
        return Continuation(resolved, folder)
    if folder.tile_width is not None:
        plan = resolved.plan._replace(tile_width=folder.tile_width, rewrite=folder.rewrite)
        resolved = resolved._replace(plan=plan)
    here = Continuation(resolved, folder)
    if resolved.command != "sweep" or folder.info.get("command") != "sweep":
        return here
    table, experiment = tomllib.loads(folder.config), resolved.experiment
    points, every = table.get("eval_steps"), table.get("eval_every")
    length = {name: table.get(name) for name in ("steps", "epochs")}
    if length == {"steps": experiment.steps, "epochs": experiment.epochs}:
        if points and experiment.eval_steps is None:
            return here._replace(resolved=_changed(resolved, eval_steps=points, eval_every=None))
        return here
    shorter = _changed(resolved, **length, eval_steps=points, eval_every=every)
    if shorter.digest != (folder.info.get("identity") or {}).get("config"):
        return here  # more differs than the steps: `fingerprint.same` says what
    epochs = {shorter.epochs, resolved.epochs} != {None}
    examples = task_of(resolved).num_examples if epochs else 0
    before, after = (
        total_steps(one.steps, one.epochs, one.batch_size, examples) for one in (shorter, resolved)
    )
    if before == after:  # the same length in another unit
        return here._replace(resolved=shorter)
    if after < before:
        raise runs.RunError(
            folder.path,
            "holds a run of another experiment: steps can be raised but not lowered, and this run "
            f"has {before}, not {after}",
        )
    longer = longer_evaluations(evaluation_steps(before, every, points), every, after)
    return here._replace(
        resolved=_changed(resolved, eval_steps=longer, eval_every=None), shorter=shorter
    )


def _changed(resolved: Resolved, **fields: Any) -> Resolved:
    """The experiment with other fields, resolved again, at the same tile width."""
    experiment = resolved.experiment.model_copy(update=fields)
    return resolve(experiment, resolved.objects, resolved.command)._replace(plan=resolved.plan)


def longer_evaluations(points: list[int], every: int | None, steps: int) -> list[int]:
    """Evaluation points of a longer run: those there are, then on at the same distance.

    >>> longer_evaluations([5, 10, 15, 20], None, 32)
    [5, 10, 15, 20, 25, 30, 32]
    """
    last = points[-1]
    if every is not None:
        later = {point for point in range(every, steps + 1, every) if point >= last}
        return sorted({*points, *later, steps})
    apart = max(1, round(float(np.mean(np.diff([0, *points]))))) if points else 1
    return sorted({*points, *range(last + apart, steps, apart), steps})


def check_extension(
    folder: RunFolder, before: TrainingGroup, after: TrainingGroup, dtype: str
) -> None:
    """Whether the first updates of a longer run have the learning rates that were trained with.

    Raises:
        RunError: the schedule depends on the run's length; names the first update that differs.
    """
    steps = before.problem.steps
    rates = after.problem.rates
    further = {name: values for name, values in after.axes.items() if name not in rates}
    with precision(dtype):
        for values in itertools.product(*further.values()):
            hyper: Hyper = {
                "lr": jnp.ones((), dtype),
                **{name: jnp.asarray(v, dtype) for name, v in zip(further, values, strict=True)},
            }
            old, new = (first_rates(group, hyper, steps) for group in (before, after))
            if not np.array_equal(old, new):
                at = int(np.argmax(old != new))
                raise runs.RunError(
                    folder.path,
                    f"holds a run of another experiment: steps cannot be raised from "
                    f"{steps} to {after.problem.steps}, because the schedule depends on them: at "
                    f"update {at} it is {old[at]:.6g} of the peak with {steps} steps and "
                    f"{new[at]:.6g} with {after.problem.steps}. A schedule such as constant "
                    "permits it; otherwise start a new run in another folder",
                )


def first_rates(group: TrainingGroup, hyper: Hyper, steps: int) -> np.ndarray:
    """The learning rates of a lane's first updates, [steps], as its program computes them."""

    def rate(step: jax.Array) -> jax.Array:
        return jnp.asarray(group.problem.schedule(hyper, step))

    return np.asarray(jax.jit(jax.vmap(rate))(jnp.arange(steps, dtype=jnp.int32)))


def experiment_as_written(folder: RunFolder) -> config.Experiment:
    """The experiment of a run folder as its config is now, changed or not: to be compared with what
    was recorded.

    Raises:
        RunError: no run. ConfigError: its config cannot be read.
    """
    if not folder.is_run:
        runs.read_info(folder.path)  # says why
    command = str(folder.info.get("command"))
    return config.load(str(folder.path / "config.toml"), command=command)


def experiment_of(folder: RunFolder, overrides: tuple[str, ...] = ()) -> config.Experiment:
    """The experiment of a run folder, with `a.b=value` settings on top.

    Raises:
        RunError: no run, or steps that are fewer than the run has.
        ConfigError: its config cannot be read, or a setting makes no sense.
    """
    steps = tomllib.loads(folder.config).get("steps")
    for setting in overrides:
        name, _, value = setting.partition("=")
        if name.strip() == "steps" and value.strip().isdecimal() and int(value) < (steps or 0):
            message = f"steps can be raised but not lowered, and this run has {steps}"
            raise runs.RunError(folder.path, message)
    command = str(folder.info.get("command"))
    return config.load(str(folder.path / "config.toml"), overrides, command=command)
