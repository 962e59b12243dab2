"""The entries that a group's lanes have in `hyper`, and whether somebody reads each of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from lrlab import optimizers
from lrlab.config import Resolved
from lrlab.core.errors import FieldError
from lrlab.core.synonyms import OPTIMIZER, did_you_mean
from lrlab.tasks import Task
from lrlab.training.components import Schedule


def rates_of(resolved: Resolved, task: Task) -> tuple[str, ...]:
    """The entries of `hyper` that are learning rates."""
    groups = resolved.experiment.groups or {}
    every = [axis.name for axis in resolved.axes if axis.kind == "learning_rate"]
    own = [name for name in every if name != "lr"]
    if task.functions.step is None:
        for axis in own:
            if axis.removeprefix("lr_") not in groups:
                name = axis.removeprefix("lr_")
                raise FieldError(
                    ("lr", name), f"no group {name!r} in groups{did_you_mean(name, groups)}"
                )
        return ("lr", *(f"lr_{name}" for name in groups))
    return ("lr", *own)


def entries(rates: Sequence[str], axes: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The entries of `hyper`: `lr` alone where rates have no names of their own."""
    named = any(name in axes for name in rates if name != "lr")
    return (*(() if named or "lr" in axes else ("lr",)), *axes)


def refuse_unread(
    further: Sequence[str], optimizer: str, schedule: Schedule, elsewhere: set[str]
) -> None:
    """Raises FieldError for an axis that neither the task, the optimizer nor the schedule reads."""
    names = {*elsewhere, *optimizers.hyperparameters(optimizer)}
    for name in further:
        if name not in names:
            raise FieldError(
                ("axes", name),
                f"{name!r} cannot be swept: neither the task, optimizer {optimizer!r} nor schedule "
                f"{schedule!r} has it{did_you_mean(name, names, OPTIMIZER, end='.')} They have: "
                f"{', '.join(sorted(names))}",
            )


def refuse_unread_by_step(further: Sequence[str], names: Collection[str]) -> None:
    """Raises FieldError for an axis that neither a step of one's own nor the schedule reads."""
    for name in further:
        if name not in names:
            raise FieldError(
                ("axes", name),
                f"{name!r} is read by nobody: neither the task's own step nor the schedule looks "
                f"at it{did_you_mean(name, names, end='.')} They read: {', '.join(sorted(names))}",
            )
