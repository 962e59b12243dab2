"""The entries that a group's lanes have in `hyper`, and whether somebody reads each of them."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from lrlab import optimizers
from lrlab.config import Resolved
from lrlab.core.axes import RATE_PREFIX
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
            if axis.removeprefix(RATE_PREFIX) not in groups:
                name = axis.removeprefix(RATE_PREFIX)
                raise FieldError(
                    ("lr", name), f"no group {name!r} in groups{did_you_mean(name, groups)}"
                )
        return ("lr", *(f"{RATE_PREFIX}{name}" for name in groups))
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


def refuse_unread_rates(
    axes: Mapping[str, np.ndarray], rates: Sequence[str], read: Collection[str]
) -> None:
    """Whether a step of one's own reads every rate; of one rate alone it is said, as its lanes may
    stand for something else.

    Raises:
        FieldError: a rate with a name that it does not read.
    """
    for axis in rates:
        if axis not in axes or axis in read:
            continue
        name = axis.removeprefix(RATE_PREFIX)
        if axis != "lr":
            others = [one.removeprefix(RATE_PREFIX) for one in rates if one in read and one != "lr"]
            raise FieldError(
                ("lr", name),
                f'the rate {name!r} is read by nobody: no function of the task looks at hyper["lr"]'
                f"[{name!r}]. They read: {', '.join(others) or 'none'}",
            )
        if len(np.unique(axes[axis])) > 1:
            warnings.warn(
                'The learning rate is not used: no function of the task reads hyper["lr"], the '
                "rate of the update, so that all rates will train alike.",
                stacklevel=2,
            )
