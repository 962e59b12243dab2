"""`steps` raised for a run that has begun: whether its schedule permits that, and what it needs."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lrlab import config, runs
from lrlab.config import Experiment
from lrlab.engine.layout import evaluation_steps
from lrlab.training.group import Setup
from lrlab.training.setup import Live, setup_of, task_of
from lrlab.types import Plan


class Begun(NamedTuple):
    """What a folder says of its run: the tile width that its bits depend on, and, where `steps`
    are to be raised, the experiment as it began."""

    tile_width: int | None = None
    shorter: Experiment | None = None


def begun(
    command: str, experiment: Experiment, out: str | None, objects: Live
) -> tuple[Experiment, Begun]:
    """What `out` holds, where it holds a run; the experiment with the evaluation points of that
    run where it was made longer, or is about to be. A length in `epochs` counts as its updates.

    Raises:
        RunError: fewer steps than the run has, or a damaged folder.
    """
    if out is None or not (Path(out) / "run.json").is_file():
        return experiment, Begun()
    path = Path(out)
    runs.settle(path)
    info = runs.read_info(path)
    width = (info.get("plan") or {}).get("tile_width")
    found = Begun(tile_width=width if isinstance(width, int) else None)
    if info.get("command") != command or command != "sweep":
        return experiment, found
    table = tomllib.loads(runs.config_of(path, info))
    listed, every = table.get("eval_steps"), table.get("eval_every")
    length = {name: table.get(name) for name in ("steps", "epochs")}
    if length == {"steps": experiment.steps, "epochs": experiment.epochs}:
        if listed and experiment.eval_steps is None:
            changes = {"eval_steps": listed, "eval_every": None}
            experiment = experiment.model_copy(update=changes)
        return experiment, found
    shorter = experiment.model_copy(update={**length, "eval_steps": listed, "eval_every": every})
    if config.digest(shorter) != (info.get("identity") or {}).get("config"):
        return experiment, found  # more differs than the steps: `identity.same` says what
    examples = 0
    if {shorter.epochs, experiment.epochs} != {None}:
        examples = task_of(experiment, objects).num_examples
    before, after = (config.total_steps(one, examples) for one in (shorter, experiment))
    if before == after:  # the same length in another unit
        return shorter, found
    if after < before:
        raise runs.RunError(path, lowered(before, after))
    points = longer_evaluations(evaluation_steps(before, every, listed), every, after)
    longer = experiment.model_copy(update={"eval_steps": points, "eval_every": None})
    return longer, found._replace(shorter=shorter)


def lowered(before: int, after: int) -> str:
    """What is said of a run that is to become shorter."""
    return (
        "holds a run of another experiment: steps can be raised but not lowered, and this run has "
        f"{before}, not {after}"
    )


def longer_evaluations(points: list[int], every: int | None, steps: int) -> list[int]:
    """Evaluation points of a longer run: those there are, then on at the same distance.

    >>> longer_evaluations([5, 10, 15, 20], None, 32)
    [5, 10, 15, 20, 25, 30, 32]
    """
    last = points[-1]
    if every is not None:
        return sorted({*points, *range(every, steps + 1, every), steps} - set(range(1, last))
                      | set(points))  # fmt: skip
    apart = max(1, round(float(np.mean(np.diff([0, *points]))))) if points else 1
    return sorted({*points, *range(last + apart, steps, apart), steps})


def plan_of(experiment: Experiment, found: Begun) -> dict[str, Any]:
    """The plan as an override for `setup_of`: a run goes on with the tile width it began with."""
    if found.tile_width is None:
        return {}
    plan = experiment.plan
    return {"plan": Plan(found.tile_width, plan.devices, plan.segment_steps, plan.memory_bytes)}


def shorter_setup(found: Begun, objects: Live) -> Setup | None:
    """The group as it was before its steps were raised; None where they are not."""
    if found.shorter is None:
        return None
    return setup_of(found.shorter, objects, **plan_of(found.shorter, found))


def permitted(path: Path, before: Setup, after: Setup, dtype: str) -> None:
    """Whether the first updates of a longer run have the learning rates that were trained with.

    Raises:
        RunError: the schedule depends on the run's length; names the first update that differs.
    """
    import jax.numpy as jnp

    from lrlab.engine.devices import precision

    steps = before.problem.steps
    rates = after.problem.rates
    further = {name: values for name, values in after.axes.items() if name not in rates}
    with precision(dtype):
        for values in itertools.product(*further.values()):
            hyper: Mapping[str, Any] = {
                "lr": jnp.ones((), dtype),
                **{name: jnp.asarray(v, dtype) for name, v in zip(further, values, strict=True)},
            }
            old, new = (rates_of(setup, hyper, steps) for setup in (before, after))
            if not np.array_equal(old, new):
                at = int(np.argmax(old != new))
                raise runs.RunError(
                    path,
                    f"holds a run of another experiment: steps cannot be raised from "
                    f"{steps} to {after.problem.steps}, because the schedule depends on them: at "
                    f"update {at} it is {old[at]:.6g} of the peak with {steps} steps and "
                    f"{new[at]:.6g} with {after.problem.steps}. A schedule such as constant "
                    "permits it; otherwise start a new run in another folder",
                )


def rates_of(setup: Setup, hyper: Mapping[str, Any], steps: int) -> np.ndarray:
    """The learning rates of a lane's first updates, [steps], as its program computes them."""
    import jax
    import jax.numpy as jnp

    def rate(step: Any) -> Any:
        return jnp.asarray(setup.problem.schedule(hyper, step))

    return np.asarray(jax.jit(jax.vmap(rate))(jnp.arange(steps, dtype=jnp.int32)))
