"""The metrics that a task is given: names of registered ones, or functions with a direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lrlab.core import registry
from lrlab.core.records import Direction
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import Table
from lrlab.tasks.labels import label
from lrlab.tasks.losses import (
    PerExample,
    base_of,
    binary_accuracy,
    ignored_label,
    ignoring,
    sigmoid_binary_cross_entropy,
    softmax_cross_entropy,
)
from lrlab.tasks.registry import METRICS
from lrlab.tasks.values import described
from lrlab.types import Array, MetricChoice, PyTree

DIRECTIONS = ("min", "max")


def metric_functions(
    metrics: MetricChoice | None,
    loss: PerExample,
    outputs: PyTree,
    targets: PyTree,
) -> dict[str, tuple[PerExample, Direction]]:
    """The metrics by name with their directions; None: accuracy where targets are classes.

    A registered metric ignores the label that the loss ignores.

    Args:
        outputs, targets: shapes of a batch, arrays or pytrees of them.

    Raises:
        ValueError: no such metric, not of the form that the message shows, or a registered one for
            a model or targets of several parts.
    """
    base, ignored = base_of(loss), ignored_label(loss)
    binary = base is sigmoid_binary_cross_entropy
    if metrics is None:
        metrics = ("accuracy",) if binary or base is softmax_cross_entropy else ()
    chosen: dict[str, tuple[PerExample, Direction]] = {}
    for name, value in _by_name(metrics).items():
        if value is not None and not isinstance(value, str):
            chosen[name] = directed(name, value)
            continue
        registered = name if value is None or value in DIRECTIONS else value
        if not registry.has(METRICS, registered):
            raise registry.unknown_name(METRICS, registered, f", or your own as {_form(name)}")
        function: PerExample = registry.load(METRICS, registered)
        direction = registry.entry(METRICS, registered).direction
        if value in DIRECTIONS and value != direction:
            raise ValueError(
                f"metric {name!r} is {direction!r}, not {value!r}: give its name alone"
            )
        if not hasattr(outputs, "shape") or not hasattr(targets, "shape"):
            raise ValueError(
                f"metric {name!r} compares one array of outputs with one of targets, and here are "
                f"{described(outputs, targets)}; write a function: {_form(name)}"
            )
        single = outputs.shape[-1:] == (1,) or outputs.ndim == targets.ndim == 1
        if registered == "accuracy" and (binary or single):
            function = binary_accuracy
        if ignored is not None:
            function = ignoring(function, ignored)
        chosen[_named(name)] = function, direction
    return chosen


def directed(name: object, value: object) -> tuple[Callable[..., Array], Direction]:
    """One's own metric, which must be (function, "min" or "max") under a name.

    >>> directed("largest", (max, "max"))
    (<built-in function max>, 'max')
    """
    _named(name)
    if callable(value):
        raise ValueError(
            f'metric {name!r} must be (function, "min" or "max"), got {label(value)} alone; say '
            f"whether less or more is better: {_form(name, label(value))}"
        )
    if not (isinstance(value, (tuple, list)) and len(value) == 2 and callable(value[0])):
        raise ValueError(
            f'metric {name!r} must be (function, "min" or "max"), got {value!r}: {_form(name)}'
        )
    function, direction = value
    if direction not in DIRECTIONS:
        hint = did_you_mean(str(direction).lower(), DIRECTIONS, cutoff=0.4)
        raise ValueError(f'metric {name!r} must say "min" or "max", got {direction!r}{hint}')
    return function, direction


def directed_all(metrics: object) -> dict[str, tuple[Callable[..., Array], Direction]]:
    """An objective's metrics, all of them one's own.

    Raises:
        ValueError: not {name: (function, "min" or "max")}.
    """
    for name, value in _by_name(metrics).items():
        if value is None or isinstance(value, str):
            raise ValueError(
                f"an objective has no outputs and targets, and so no metric {name!r}; give a "
                f"function of the parameters: {_form(name)}"
            )
    return {name: directed(name, value) for name, value in _by_name(metrics).items()}


def _by_name(metrics: object) -> Table:
    """Metrics as a mapping, with None for those that are given by their name alone."""
    if isinstance(metrics, str):
        return {metrics: None}
    if isinstance(metrics, Mapping):
        return metrics
    if callable(metrics):
        raise ValueError(f"metrics is a function; give it a name and a direction: {_own(metrics)}")
    if not isinstance(metrics, (Sequence, set, frozenset)):
        raise ValueError(f"metrics must be names or {_form('name')}, got {type(metrics).__name__}")
    names = sorted(metrics, key=str) if isinstance(metrics, (set, frozenset)) else list(metrics)
    for name in names:
        if not isinstance(name, str):
            function = next((p for p in (name, *_parts(name)) if callable(p)), None)
            form = _form("name") if function is None else _own(function)
            raise ValueError(
                f"a list of metrics takes names ({', '.join(METRICS.entries)}), got "
                f"{label(name) if callable(name) else repr(name)}; one's own have a name and a "
                f"direction: {form}"
            )
        if names.count(name) > 1:
            raise ValueError(f"metric {name!r} is given twice")
    return dict.fromkeys(names)


def _parts(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else ()


def _named(name: object) -> str:
    if not isinstance(name, str) or name == "loss" or not name.isidentifier():
        raise ValueError(
            f"a metric cannot be named {name!r}: it needs a name of letters, digits and "
            'underscores other than "loss"'
        )
    return name


def _form(name: object, function: str = "function") -> str:
    return f'metrics={{{name!r}: ({function}, "min" or "max")}}'


def _own(function: object) -> str:
    """The form for a function whose name is known; a lambda has none."""
    name = label(function)
    return _form(name, name) if name.isidentifier() else _form("name")
