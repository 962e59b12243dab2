"""What a configuration names by `python = "module:function"`, imported and called; and its source.

A line on standard error says what is imported. Nothing that only reads a run comes here.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

from lrlab.config import Experiment
from lrlab.config.own_code import OWN
from lrlab.config.schema import ModelSpec, OptimizerSpec, ScheduleSpec, TaskSpec
from lrlab.core import own_code
from lrlab.core.errors import FieldError, within
from lrlab.core.own_sources import sources
from lrlab.core.paths import short
from lrlab.core.text import JsonObject, Table
from lrlab.engine.devices import prepare_devices
from lrlab.optimizers.custom import HYPER, UserOptimizer, finished
from lrlab.optimizers.injected_hyperparams import RATE
from lrlab.tasks import Task
from lrlab.tasks.loading import OwnModel
from lrlab.types import Optimizer

Spec: TypeAlias = TaskSpec | ModelSpec | OptimizerSpec | ScheduleSpec

STEP = "step"
"""The first parameter of a function that is itself a schedule."""


class Source(NamedTuple):
    """The text of own code: `python` as written, the folder that `files` (path -> SHA-256) are
    relative to, and one SHA-256 of them all."""

    python: str
    root: Path
    files: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """The same wherever the files lie."""
        return hashlib.sha256(json.dumps(dict(self.files), sort_keys=True).encode()).hexdigest()


def task(spec: TaskSpec) -> Task:
    """The task that a function of the user's gives for its options.

    Raises:
        FieldError: at the key of `task` that is wrong.
    """
    with within("task"):
        place, folder, function = _imported(spec, "task")
        made = own_code.called(place, function, spec.options, folder, "an lrlab.Task")
        if not isinstance(made, Task):
            raise FieldError("python", f"{place} must give an lrlab.Task, it gave {_shown(made)}")
    return made


def model(spec: ModelSpec) -> OwnModel:
    """The model that a function of the user's will give: it gets its options, and `num_outputs`
    (what the data ask for) where it has a parameter of that name.

    Raises:
        FieldError: at the key of `task.model` that is wrong.
    """
    with within("task", "model"):
        place, folder, function = _imported(spec, "task.model")
        own_code.check_function(place, function, "a Flax model")
        own_code.check_options(place, function, spec.options, filled=("num_outputs",))

    def make(num_outputs: int) -> object:
        filled = {"num_outputs": num_outputs}
        return own_code.called(place, function, spec.options, folder, "a Flax model", filled)

    return OwnModel(make, {"python": place, "options": spec.options})


def optimizer(
    spec: OptimizerSpec, axes: tuple[str, ...] = ()
) -> tuple[UserOptimizer | Optimizer, JsonObject]:
    """What Python's `optimizer=` takes, and options for it.

    A function whose first parameter is named `learning_rate` or `hyper` is one already; any other
    is called with the options and gives one. `axes`: lane axes, which may be among its keywords.

    Raises:
        FieldError: at the key of `optimizer` that is wrong.
    """
    what = "an optax transformation"
    with within("optimizer"):
        place, folder, function = _imported(spec, "optimizer")
        if not isinstance(function, Optimizer) and not finished(function):
            own_code.check_function(place, function, what)
            first = _first(function)
            if first in (RATE, HYPER):
                own_code.check_options(place, function, spec.options, filled=(first, *axes))
                return cast(UserOptimizer, function), dict(spec.options)
            function = own_code.called(place, function, spec.options, folder, what)
            if not (isinstance(function, Optimizer) or finished(function) or callable(function)):
                raise FieldError("python", f"{place} must give {what}, it gave {_shown(function)}")
        elif spec.options:
            raise FieldError("options", f"{place} is a finished transformation and takes none")
    return cast(UserOptimizer, function), {}


def schedule(spec: ScheduleSpec, steps: int) -> Callable[..., object]:
    """What Python's `schedule=` takes: a function step -> factor of the learning rate.

    A function whose first parameter is named `step` is one already, its options its other
    parameters; any other is called with the options and gives one. Either gets `steps`, the
    run's number of updates, where it has a parameter of that name.

    Raises:
        FieldError: at the key of `schedule` that is wrong.
    """
    what = "a schedule, a function step -> factor of the learning rate"
    with within("schedule"):
        place, folder, function = _imported(spec, "schedule")
        own_code.check_function(place, function, what)
        filled = {"steps": steps} if "steps" in (own_code.parameters(function) or {}) else {}
        if _first(function) == STEP:
            own_code.check_options(place, function, spec.options, filled=(STEP, *filled))
            options = {**filled, **spec.options}
            made = functools.partial(cast(Callable[..., object], function), **options)
            return made if options else cast(Callable[..., object], function)
        made = own_code.called(place, function, spec.options, folder, what, filled)
        if not callable(made):
            raise FieldError("python", f"{place} must give {what}; it gave {_shown(made)}")
    return made


def specs(experiment: Experiment) -> Iterator[tuple[str, Spec]]:
    """The tables of an experiment that name own code, by dotted path."""
    for path in OWN:
        spec: object = experiment
        for key in path:
            spec = getattr(spec, key, None)
        if isinstance(spec, Spec) and spec.python is not None:
            yield ".".join(path), spec


def source(spec: Spec) -> Source:
    """The text of what a table names, as it is now; nothing is imported."""
    place = str(spec.python)
    text = sources(place.partition(":")[0], Path(spec.folder or ""))
    return Source(place, text.root, text.files)


def changed(info: Table, experiment: Experiment) -> list[str]:
    """What differs in the source of own code from when a run began, each as `task: mine.py`.

    Args:
        info: `run.json`.
    """
    before, result = info.get("own_code") or {}, []
    for table, spec in specs(experiment):
        old, new = (before.get(table) or {}).get("files"), source(spec).files
        if old is None or not new:  # absent now: whoever imports it says so
            continue
        files = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if files:
            result.append(f"{table}: {', '.join(files)}")
    return result


def say_changed(info: Table, experiment: Experiment) -> None:
    """A line on standard error where the source of own code differs from when a run began."""
    for one in changed(info, experiment):
        print(f"own code has changed since this run began: {one}", file=sys.stderr)


def _imported(spec: Spec, table: str) -> tuple[str, Path, object]:
    """`module:function`, the folder, and what it is."""
    place, folder = str(spec.python), Path(spec.folder or "")
    module = place.partition(":")[0]
    text = sources(module, folder)
    if text.there and not own_code.is_loaded(place, folder):
        where = f" ({short(text.file)})" if text.file is not None else ""
        print(f"{table}.python: imports {module}{where}", file=sys.stderr)
    prepare_devices()  # what the module computes may be JAX's first operation
    return place, folder, own_code.loaded(place, folder)


def _first(function: object) -> str | None:
    return next(iter(own_code.parameters(function) or ()), None)


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"a {type(value).__name__}"
