"""What is trained, as the engine sees it: a task's data and pure functions; no logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from lrlab.core.records import Direction
from lrlab.core.text import Table

if TYPE_CHECKING:
    import jax

PyTree = Any
"""Arrays in nested dicts, tuples and lists; the docstring that uses it says what they are."""

Params = PyTree

Array = Any
"""A NumPy or JAX array; the docstring that uses it states shape and dtype."""

Scalar: TypeAlias = "float | jax.Array"
"""A number, or a scalar array that JAX may trace."""

Device = Any
"""A `jax.Device`."""

Hyper = Mapping[str, Array]
"""A lane's traced scalars by name: always `lr`, further ones such as `weight_decay` as swept."""


class Model(NamedTuple):
    """A network as two pure functions.

    `init(key, x) -> variables`: `x` is a batch of inputs. `variables` is either the parameters
    alone, or a dict with the entry `params` beside non-parameter collections (`batch_stats`, ...).
    `apply(variables, x, train, key) -> (outputs, variables)`: `train` is a Python bool, `key` feeds
    dropout; the returned variables carry updated collections (training) or those that went in.
    `features(variables, x, key) -> {layer: [batch, ...]}`: what each layer gives, in evaluation
    mode; None where the network cannot give them. A function of these that has a parameter named
    `hyper` gets the lane's scalars there (`init`: 1 for each, as all lanes of a seed start alike).
    """

    init: Callable[..., PyTree]
    apply: Callable[..., tuple[PyTree, PyTree]]
    features: Callable[..., dict[str, Array]] | None = None


Pair = tuple[Any, Any]
"""Inputs [N, ...] (an array or a pytree of arrays) and targets [N, ...]."""

MetricFunction = Callable[..., "Array | tuple[Array, Array]"]
"""`(outputs, targets) -> [batch]`, `[batch, tokens]`, `(values, weights)` of one of these shapes,
or a scalar over all that was given; a parameter named `hyper` gets the lane's scalars. Where
batches are dicts, `targets` is the whole batch."""

LossChoice: TypeAlias = "str | Table | MetricFunction"
"""A loss as a task is given it: a name, {"name": ..., option: ...}, or one's own function."""

MetricChoice = Sequence[str] | Mapping[str, tuple[MetricFunction, str]]
"""Metrics as a task is given them: names, or one's own functions with "min" or "max"."""

Metrics = Mapping[str, Direction]
"""Metric name -> what is better of it."""


class LaneContext(NamedTuple):
    """What a task's functions may follow from beside their arguments; see `TaskFunctions.bind`.

    `hyper`: the lane's scalars as of this update, traced. `batch_size`: examples of a training
    batch; None where an update takes all of them, or there are none. `compute`: the dtype that
    models compute in ("bfloat16"); None: that of the parameters. `first`: examples of the split
    before those that `part` gets, a number or a scalar that JAX traces.
    """

    hyper: Hyper
    batch_size: int | None = None
    compute: str | None = None
    first: int | Array = 0


class TaskFunctions(NamedTuple):
    """What is trained, as pure functions of one lane. Hashable: a static argument of `jit`.

    `init(key, example) -> (params, state)`: `example` is a batch (see `loss`) or None; `state` is a
    pytree of what is not trained by gradients (BatchNorm statistics), often `{}`.
    `loss(params, state, batch, key) -> (loss, (state, metrics))`: `batch` is a pytree of arrays
    with a leading batch axis, `(inputs, targets)` for supervised tasks, None for objectives;
    `metrics` is a dict of scalars that excludes the loss. All in the dtype of the parameters.
    `evaluate(params, state, data, key) -> metrics`: over a whole split (pytree of arrays, leading
    axis = examples), in evaluation mode; a dict of scalars, as a rule with `loss` among them. None:
    nothing is evaluated.
    For probes that look inside (None for objectives): `outputs(params, state, batch, key)` gives
    the network's outputs as in `loss`, `output_loss(outputs, batch)` the loss of outputs, and
    `features(params, state, batch, key)` what each layer gives, by name, in evaluation mode.

    `part(params, state, batch, key) -> (sums, weights)`: what `evaluate` would measure, of a part
    of a split: dicts of scalars, whose sums over all parts are divided by each other; None where
    the split must be there as a whole.
    `bind(context) -> TaskFunctions`: the functions of a lane, where they follow from its scalars,
    from the batch size or from the precision; None: they never do. The engine calls it wherever it
    calls one of the functions above.
    `step(state, batch, hyper, key) -> (state, metrics)`: a training step of one's own, in place of
    gradients and optimizer; its whole state is `state` (parameters are `()`), `metrics` includes
    `loss`; `start(key, hyper) -> state` takes the place of `init`. None elsewhere.
    `trains(params) -> bool[...]`: a pytree like the parameters, true for those that are trained;
    the others are frozen, and held once for all lanes. None: all are trained.
    `own`: whether they are someone's own (`Task.custom`, `Task.step`), so that what they measure is
    found by tracing them. `state_of(state)`: the state of a step of one's own in the form that its
    `init` gives.
    """

    init: Callable[[Array, PyTree], tuple[Params, PyTree]]
    loss: Callable[[Params, PyTree, PyTree, Array], tuple[Array, tuple[PyTree, dict[str, Array]]]]
    evaluate: Callable[[Params, PyTree, PyTree, Array], dict[str, Array]] | None
    outputs: Callable[[Params, PyTree, PyTree, Array], PyTree] | None = None
    output_loss: Callable[[PyTree, PyTree], Array] | None = None
    features: Callable[[Params, PyTree, PyTree, Array], dict[str, Array]] | None = None
    part: (
        Callable[[Params, PyTree, PyTree, Array], tuple[dict[str, Array], dict[str, Array]]] | None
    ) = None
    bind: Callable[[LaneContext], TaskFunctions] | None = None
    step: Callable[[PyTree, PyTree, Hyper, Array], tuple[PyTree, dict[str, Array]]] | None = None
    start: Callable[[Array, Hyper], PyTree] | None = None
    trains: Callable[[Params], PyTree] | None = None
    state_of: Callable[[PyTree], PyTree] | None = None
    own: bool = False


class TaskParts(NamedTuple):
    """What a task is made of: its functions, NumPy arrays by split (pytrees [N, ...]), metrics with
    their directions (`loss` among them), and, JSON-able, where model and data come from.

    `params`: the variables to start from, a pytree of arrays as `init` gives them ("params" beside
    collections, or bare parameters); None: `init` draws them.
    """

    functions: TaskFunctions
    data: Mapping[str, PyTree]
    metrics: Metrics
    source: Table
    params: PyTree = None
