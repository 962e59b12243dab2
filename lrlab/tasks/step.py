"""Task.step: a training step of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from lrlab.core.errors import FieldError, within
from lrlab.core.hyper import with_hyper
from lrlab.core.jax_settings import usual
from lrlab.core.memo import closure_of, kept_with
from lrlab.core.text import JsonObject, Table
from lrlab.core.user_code import fault
from lrlab.tasks.flat_state import Form, differences, flat, form_of, whole
from lrlab.tasks.labels import label
from lrlab.tasks.own_data import check_callable, check_takes, described, directions_of, splits_of
from lrlab.tasks.parts import Totals, checked_totals, means_of, over_parts, scalars
from lrlab.tasks.streams import settled
from lrlab.types import Array, Hyper, LaneContext, PyTree, TaskFunctions, TaskParts

LEAKED = (
    "the state's static part holds a value that JAX traces, as in TrainState.create("
    'tx=optax.adam(hyper["lr"])): the rate enters in step; build optax.scale(-hyper["lr"]) there, '
    "or keep the rate in the state (optax.inject_hyperparams) and set it in step"
)


class Step(NamedTuple):
    """The user's functions, see `Task.step`. Hashable. `loss`: the metric that says diverged."""

    init: Callable[..., PyTree]
    step: Callable[..., tuple[PyTree, Mapping[str, Array]]]
    evaluate: Callable[..., PyTree] | None
    loss: str


@usual()
def step_task(
    name: str,
    init: Callable[..., PyTree],
    step: Callable[..., PyTree],
    train: PyTree,
    valid: PyTree,
    test: PyTree,
    evaluate: Callable[..., PyTree] | None,
    loss: str,
    metrics: Mapping[str, str] | None,
    source: Table | None,
) -> TaskParts:
    """See `Task.step`."""
    check_callable(name, init=init, step=step)
    check_callable(name, optional=True, evaluate=evaluate)
    check_takes(name, "init", init, ("key", "hyper"), scalars=False)
    check_takes(name, "step", step, ("state", "batch", "hyper", "key"), scalars=False)
    if evaluate is not None:
        check_takes(name, "evaluate", evaluate, ("state", "batch", "key"), scalars=True)
    with within("task", "data"):
        data = splits_of(name, {"train": train, "valid": valid, "test": test})
    if evaluate is None and any(split != "train" for split in data):
        raise FieldError(
            "evaluate",
            f"{name}: held-out data need evaluate(state, batch, key) -> metrics; or leave them out",
        )
    if not isinstance(loss, str):
        raise FieldError("loss", f"{name}: loss must be the name of a metric, got {loss!r}")
    record: JsonObject = {"init": label(init), "step": label(step), "data": described(data)}
    functions = step_functions(Step(init, step, evaluate, loss))
    with within("task", "data"):
        data = settled(name, data, functions)
    return TaskParts(
        functions=functions,
        data=data,
        metrics={"loss": "min", **directions_of(name, metrics)},
        source=record if source is None else source,
    )


@kept_with(lambda given: closure_of(given.step, given.init, given.evaluate or given.step))
def step_functions(given: Step) -> TaskFunctions:
    """The engine's view; equal arguments give the same functions, compiled once."""
    forms: list[Form] = []

    def start(key: Array, hyper: Hyper) -> dict[str, Array]:
        state = given.init(key, hyper)
        form = form_of("the state that init gave", state)
        if not forms:
            forms.append(form)
        elif [leaf.path for leaf in forms[0].leaves] != [leaf.path for leaf in form.leaves]:
            forms[0] = form
        return flat(state)

    def step(
        state: dict[str, Array], batch: PyTree, hyper: Hyper, key: Array
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        before = whole(forms[0], state)
        returned = given.step(before, batch, hyper, key)
        if not isinstance(returned, tuple) or len(returned) != 2:
            kind = type(returned).__name__
            raise FieldError("task", f"step gave {kind}, expected (state, metrics)")
        after, metrics = returned
        old, new = form_of("the state", before), form_of("the state that step gave", after)
        if not old.same(new):
            raise FieldError(
                "task",
                "step changes the state's structure, which must be the same before and after: "
                f"{differences(old, new)}",
            )
        return flat(after), _named(given.loss, scalars("step", metrics, _dtype()))

    def bind(context: LaneContext) -> TaskFunctions:
        return _evaluated(functions, given, context, forms)

    def init(key: Array, example: PyTree) -> tuple[PyTree, PyTree]:
        return (), ()  # of this task alone: compiled programs are kept on it (`core.memo`)

    functions = TaskFunctions(
        init,
        _no_gradient,
        None,
        bind=bind,
        step=step,
        start=start,
        own=True,
        state_of=lambda arrays: whole(forms[0], arrays),
    )
    if given.evaluate is None:
        return functions
    return _evaluated(functions, given, LaneContext({}), forms)


def _evaluated(
    functions: TaskFunctions, given: Step, context: LaneContext, forms: list[Form]
) -> TaskFunctions:
    """The functions with those of evaluation, closed over a lane's scalars."""
    if given.evaluate is None:
        return functions
    own = with_hyper(given.evaluate, context.hyper)

    def evaluate(params: PyTree, state: PyTree, data: PyTree, key: Array) -> dict[str, Array]:
        data = jax.tree.map(jnp.asarray, data)
        state = whole(forms[0], state)
        # Sums and weights are of any part of a split; a dict alone is of the split as it is.
        if isinstance(_given_back(own, state, data, key), tuple):
            part = lambda rows, key: _part(own, state, rows, key)  # noqa: E731
            return means_of(over_parts(part, data, context.batch_size, key))
        return scalars("evaluate", own(state, data, key), _dtype())

    def part(params: PyTree, state: PyTree, rows: PyTree, key: Array) -> Totals:
        rows, state = jax.tree.map(jnp.asarray, rows), whole(forms[0], state)
        measure = lambda few, one: _part(own, state, few, one)  # noqa: E731
        return over_parts(measure, rows, context.batch_size, key, context.first)

    return functions._replace(evaluate=evaluate, part=part)


def _given_back(own: Callable[..., PyTree], state: PyTree, data: PyTree, key: Array) -> PyTree:
    """The shapes of what `evaluate` gives.

    Raises:
        FieldError: it fails without data, where it may have expected some.
    """
    try:
        return jax.eval_shape(own, state, data, key)
    except (TypeError, AttributeError) as error:  # what None raises where an array is meant
        if data is not None:
            raise
        message = f"{fault('evaluate', error)}; it gets None for a batch, as valid= was not given"
        raise FieldError("task", message) from error


def _part(own: Callable[..., PyTree], state: PyTree, rows: PyTree, key: Array) -> Totals:
    return checked_totals("evaluate", own(state, rows, key), _dtype())


def _named(loss: str, metrics: dict[str, Array]) -> dict[str, Array]:
    """The metrics with the loss under that name.

    Raises:
        FieldError: it is not among them, or another one has its name.

    >>> _named("g", {"g": 1, "d": 2})
    {'loss': 1, 'd': 2}
    """
    if loss not in metrics:
        raise FieldError(
            "task",
            f"step gave no metric {loss!r}, which says whether a lane diverged; it gave "
            f"{', '.join(metrics) or 'none'}: name one of them by loss=",
        )
    if loss != "loss" and "loss" in metrics:
        raise FieldError(
            "task", f"step gave a metric 'loss' beside {loss!r}, which is recorded as the loss"
        )
    return {"loss": metrics[loss], **{k: v for k, v in metrics.items() if k != loss}}


def _dtype() -> str:
    """That of a float in the precision that is set."""
    return str(jnp.zeros(()).dtype)


def _no_gradient(params: PyTree, state: PyTree, batch: PyTree, key: Array) -> tuple[Array, PyTree]:
    raise FieldError("task", "a step of one's own has no loss to differentiate; use Task.custom")
