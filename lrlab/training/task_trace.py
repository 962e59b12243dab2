"""What a task's own functions read and measure, found by tracing them before anything compiles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import jax
from jax.core import Tracer

from lrlab.core.errors import FieldError
from lrlab.core.hyper import Missing, Reads, Recording, missing
from lrlab.core.user_code import fault
from lrlab.engine.binding import beginning, bound, by_name, follows, frozen_of
from lrlab.engine.devices import precision
from lrlab.engine.host_data import held_dtype
from lrlab.engine.state import lane_shapes, start_shapes
from lrlab.engine.streaming import streams_of
from lrlab.rng import key
from lrlab.tasks.step import LEAKED
from lrlab.training.misread_rates import misread_rates
from lrlab.types import Array, Hyper, LaneContext, Problem, PyTree, TaskFunctions


class Traced(NamedTuple):
    """`reads`: the lane's scalars that functions of the task look at. `evaluated`: the metrics that
    evaluation gives, for each split; None where the task says itself. `trained`: those of a
    training step beside the loss."""

    reads: frozenset[str] = frozenset()
    evaluated: Mapping[str, tuple[str, ...]] | None = None
    trained: tuple[str, ...] = ()


def traced(problem: Problem, data: Mapping[str, PyTree], names: tuple[str, ...]) -> Traced:
    """Traces a training step and the evaluation of functions of the user's; nothing is computed.

    Args:
        names: every entry that `hyper` will have.

    Raises:
        FieldError: a function fails, gives what it must not, or reads what is not there.
    """
    if not problem.task.own and not follows(problem.task):
        return Traced()
    reads = Reads(set())
    scalars = {name: jax.ShapeDtypeStruct((), problem.dtype) for name in names}
    run = _stepped if problem.task.step is not None else _descended

    def once(seen: Callable[[Hyper], Hyper]) -> Measured:
        recorded = problem._replace(task=_recorded(problem.task, seen))
        with precision(problem.dtype):
            return run(recorded, data, names, scalars)

    try:
        trained, evaluated = once(lambda hyper: Recording(hyper, reads))
    except Missing as error:
        raise missing(error, by_name(problem, scalars)) from error
    except FieldError:
        raise
    except jax.errors.UnexpectedTracerError as error:
        if problem.task.step is None:
            raise FieldError("task", fault("the task", error)) from error
        raise FieldError("task", LEAKED) from error
    except Exception as error:
        if (said := misread_rates(once)) is not None:
            raise FieldError("lr", said) from error
        raise FieldError("task", fault("a function of the task", error)) from error
    return Traced(frozenset(reads.names), evaluated if problem.task.own else None, trained)


Entries = tuple[tuple[str, ...], str]
"""The names of the entries of a `Recording`, and what it is inside."""


def _entries(hyper: Recording) -> tuple[list[tuple[Any, Any]], Entries]:
    """Every entry, which counts as read: what a jitted function of the user's reads is not seen."""
    names = sorted(hyper)
    paths = [(jax.tree_util.DictKey(name), hyper[name]) for name in names]
    return paths, (tuple(names), hyper.inside)


def _again(kept: Entries, entries: Iterable[Any]) -> Recording:
    names, inside = kept
    return Recording(dict(zip(names, entries, strict=True)), Reads(set()), inside)


# Users hand `hyper` on to functions of theirs that are jitted, vmapped or differentiated, and keep
# several rates in their state.
jax.tree_util.register_pytree_with_keys(Recording, _entries, _again)


Measured = tuple[tuple[str, ...], dict[str, tuple[str, ...]]]
"""The metrics of training, and those of evaluation by split."""


def _recorded(task: TaskFunctions, seen: Callable[[Hyper], Hyper]) -> TaskFunctions:
    """The functions, which see `hyper` as `seen` gives it."""

    def bind(context: LaneContext) -> TaskFunctions:
        assert task.bind is not None
        return task.bind(context._replace(hyper=seen(context.hyper)))

    def start(random: Array, hyper: Hyper) -> PyTree:
        assert task.start is not None
        return task.start(random, seen(hyper))

    def step(state: PyTree, batch: PyTree, hyper: Hyper, random: Array) -> PyTree:
        assert task.step is not None
        return task.step(state, batch, seen(hyper), random)

    if task.step is None:
        return task._replace(bind=bind)
    return task._replace(bind=bind, start=start, step=step)


def _descended(
    problem: Problem, data: Mapping[str, PyTree], names: tuple[str, ...], scalars: Hyper
) -> Measured:
    def once(
        begins: Mapping[str, PyTree], splits: Mapping[str, PyTree], scalars: Hyper
    ) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
        noise = key(0, "noise")
        params, state, drawn = beginning(problem, begins, 0)
        functions = bound(problem, scalars, frozen_of(problem, begins, drawn))
        _, (after, extra) = functions.loss(params, state, splits.get("train"), noise)
        _check_state(state, after)
        return extra, _evaluations(problem, functions, params, state, splits, streams_of(data))

    shapes = start_shapes(problem, data)
    extra, evaluated = jax.eval_shape(once, shapes, _batches(problem, data), scalars)
    return tuple(extra), {split: tuple(values) for split, values in evaluated.items()}


def _stepped(
    problem: Problem, data: Mapping[str, PyTree], names: tuple[str, ...], scalars: Hyper
) -> Measured:
    # The state of one trace in another, as in the compiled programs: what leaked shows here.
    state = lane_shapes(problem, data, names).model

    def once(
        state: PyTree, splits: Mapping[str, PyTree], scalars: Hyper
    ) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
        assert problem.task.step is not None
        now = by_name(problem, scalars)
        _, metrics = problem.task.step(state, splits.get("train"), now, key(0, "noise"))
        functions = bound(problem, scalars)
        return metrics, _evaluations(problem, functions, (), state, splits, streams_of(data))

    program, (metrics, evaluated) = jax.make_jaxpr(once, return_shape=True)(
        state, _batches(problem, data), scalars
    )
    if any(isinstance(constant, Tracer) for constant in program.consts):
        raise FieldError("task", LEAKED)
    extra = tuple(name for name in metrics if name != "loss")
    return extra, {split: tuple(values) for split, values in evaluated.items()}


def _evaluations(
    problem: Problem,
    functions: TaskFunctions,
    params: PyTree,
    state: PyTree,
    splits: Mapping[str, PyTree],
    streamed: Collection[str],
) -> dict[str, dict[str, Array]]:
    evaluated: dict[str, dict[str, Array]] = {}
    noise = key(0, "evaluation")
    for split in problem.splits:
        if split in streamed:  # read part by part, never as a whole
            assert functions.part is not None, "what cannot be evaluated in parts does not stream"
            evaluated[split] = functions.part(params, state, splits.get(split), noise)[0]
            continue
        assert functions.evaluate is not None, "no split is evaluated where nothing is"
        evaluated[split] = functions.evaluate(params, state, splits.get(split), noise)
    return evaluated


def _batches(problem: Problem, data: Mapping[str, PyTree]) -> dict[str, PyTree]:
    """Shapes of a training batch, and of the other splits as a whole."""

    def shape(split: str, leaf: Array) -> jax.ShapeDtypeStruct:
        rows = leaf.shape[0]
        if split == "train" and problem.batch_size is not None:
            rows = problem.batch_size
        return jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), held_dtype(split, leaf, problem.dtype))

    return {
        split: jax.tree.map(lambda leaf, split=split: shape(split, leaf), data[split])
        for split in ("train", *problem.splits)
        if split in data
    }


def _check_state(before: PyTree, after: PyTree) -> None:
    """Raises FieldError where a loss gives back a state of other arrays."""
    old, new = (_forms(tree) for tree in (before, after))
    if old != new:
        said = [
            f"{path} {old.get(path, 'was not there')} -> {new.get(path, 'is gone')}"
            for path in {**old, **new}
            if old.get(path) != new.get(path)
        ]
        raise FieldError(
            "task",
            "the loss changes the state's structure, which must be the same before and after: "
            f"{'; '.join(said[:5])}",
        )


def _forms(tree: PyTree) -> dict[str, str]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
