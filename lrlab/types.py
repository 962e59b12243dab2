"""The words that several modules share: NamedTuples and aliases, no logic.

Everything below `api.py` meets here. Tasks, optimizers and schedules reach the engine as the plain
functions described on `Problem`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from lrlab.answer_types import Answer as Answer
from lrlab.answer_types import AnswerOrigin as AnswerOrigin
from lrlab.answer_types import Interval as Interval
from lrlab.answer_types import interval_of as interval_of
from lrlab.answer_types import rate_of as rate_of
from lrlab.core.brief import fields_of
from lrlab.core.records import OUTCOMES as OUTCOMES
from lrlab.core.records import LaneRecord, TimeAxis
from lrlab.task_types import Array as Array
from lrlab.task_types import Device as Device
from lrlab.task_types import Hyper as Hyper
from lrlab.task_types import LaneContext as LaneContext
from lrlab.task_types import LossChoice as LossChoice
from lrlab.task_types import MetricChoice as MetricChoice
from lrlab.task_types import MetricFunction as MetricFunction
from lrlab.task_types import Metrics as Metrics
from lrlab.task_types import Model as Model
from lrlab.task_types import Pair as Pair
from lrlab.task_types import Params as Params
from lrlab.task_types import PyTree as PyTree
from lrlab.task_types import Scalar as Scalar
from lrlab.task_types import TaskFunctions as TaskFunctions
from lrlab.task_types import TaskParts as TaskParts

if TYPE_CHECKING:  # commands that train nothing do without it
    import optax


class Dynamics(NamedTuple):
    """How an optimizer moves where the loss is quadratic and its preconditioner P held still.

    `family`: its name in `lrlab.theory.stability.FAMILIES`. `momentum(hyper) -> b`.
    `preconditioner(opt_state, hyper) -> P`, a pytree like the parameters, above 0: steps go along
    P^-1 g; None where P = 1. `pace(hyper, step)`: the update of that step, where the gradient does
    not change, over -lr g: learning rates times it add up to time of gradient flow; None where the
    optimizer does not follow that flow. Hashable.
    """

    family: str
    momentum: Callable[[Hyper], Array | float]
    preconditioner: Callable[[PyTree, Hyper], Params] | None = None
    pace: Callable[[Hyper, Array], Array | float] | None = None


class Optimizer(NamedTuple):
    """An optimizer for the engine. Hashable: a static argument of `jit`.

    `make(hyper) -> optax.GradientTransformation`, called inside the traced step with
    `hyper["lr"]` = the learning rate of this very step (a traced scalar) and every other
    hyper-parameter of the lane. `evaluation_params(opt_state, params) -> params` gives the
    parameters to evaluate (Schedule-Free, DoG averages), `params` itself where they are the trained
    ones. `effective_lr(opt_state) -> scalar` is the step size that the last update used, or None
    for optimizers that have no other than their learning rate. `dynamics`: what is known of its
    stability, for probes; None where nothing is.
    """

    make: Callable[[Hyper], optax.GradientTransformation]
    evaluation_params: Callable[[PyTree, Params], Params] | None = None
    effective_lr: Callable[[PyTree], Array | None] | None = None
    dynamics: Dynamics | None = None


class LaneView(NamedTuple):
    """One lane between two updates, as a probe sees it. Floats have the dtype of the run.

    `params`: the trained ones; `model`: what is not trained by gradients; `optimizer`: the
    optimizer's state, described by `dynamics`; `data`: the training split, a pytree of arrays with
    a leading example axis, or None; `hyper`: as of the next update (its learning rate is `lr`);
    `step`: updates done, int32; `batch_size`: None where a step takes all the data; `fixed_key`:
    the same at every step (evaluation noise); `key`: another one at every step. Both are those of
    the lane's seed, so that all learning rates see the same draws.
    `initial() -> (params, model)` before the first update. `update(grads, value, value_fn) ->
    (updates, optimizer)`: what the next update would be, given a gradient, the loss there and the
    loss as a function of the parameters. `elapsed()`: the time of gradient flow so far (the sum of
    the learning rates; over 1 - momentum), where the optimizer follows it.
    """

    task: TaskFunctions
    params: Params
    model: PyTree
    optimizer: PyTree
    dynamics: Dynamics | None
    data: PyTree
    hyper: dict[str, Array]
    step: Array
    batch_size: int | None
    fixed_key: Array
    key: Array
    initial: Callable[[], tuple[Params, PyTree]]
    update: Callable[[Params, Array, Callable[[Params], Array]], tuple[Params, PyTree]]
    elapsed: Callable[[], Array]


class Probe(NamedTuple):
    """A measurement on a lane. Hashable.

    `measure(lane) -> {name: scalar}`, the same names always; each is recorded under its name.
    `every`: updates between two measurements, made at the first evaluation from there on (and at
    the start and the end); None: at every evaluation.
    """

    name: str
    measure: Callable[[LaneView], dict[str, Array]]
    every: int | None = None


class Problem(NamedTuple):
    """One group: everything that shapes the compiled program, hashable, no arrays.

    `schedule(hyper, step) -> learning rate`, traceable in both. `batch_size` is None where the loss
    takes the whole training split (or no batch at all). `num_examples` is the size of the training
    split (0 for objectives). `splits` are the splits evaluated, in order.
    `scheduled_hyper(hyper, step)` gives hyper-parameters that change over the run beside the
    learning rate (a mirrored momentum).
    `rates` are the entries of `hyper` that are learning rates, and follow the schedule.
    `dtype` is that of losses, scalars and records; `parameters` that of trained parameters and what
    the optimizer keeps of them, `compute` that of the model's arithmetic (None: `dtype`).
    `fixed`: scalars that functions of the task read and that are the same for all lanes.
    `rewrite`: whether lanes beside each other take the task's products in faster layouts (see
    `engine.rewriting`).
    """

    task: TaskFunctions
    optimizer: Optimizer
    schedule: Callable[[Hyper, Array], Array]
    steps: int
    batch_size: int | None
    num_examples: int
    replay: bool = False
    in_order: bool = False
    splits: tuple[str, ...] = ()
    dtype: str = "float32"
    stop_diverged: bool = True
    probes: tuple[Probe, ...] = ()
    scheduled_hyper: Callable[[Hyper, Array], Hyper] | None = None
    rates: tuple[str, ...] = ("lr",)
    parameters: str | None = None
    compute: str | None = None
    fixed: tuple[tuple[str, float], ...] = ()
    rewrite: bool = False


class Lanes(NamedTuple):
    """N lanes as columns: `hyper[name]` f64[N] (always with `lr`), `seed` int64[N]."""

    hyper: dict[str, np.ndarray]
    seed: np.ndarray

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Every column by name, the seeds last: the axes of a flat record."""
        return {**self.hyper, "seed": self.seed}


WidthSource = Literal["given", "cache", "timed", "estimated"]
"""Where a tile width is from."""


class Plan(NamedTuple):
    """How lanes are laid on the machine. None means: chosen by the planner.

    The tile width is part of a run's identity: at one width a lane's bits do not depend on the
    lanes beside it, at another width rounding differs. `tile_width_source` says where it is from:
    given, from the cache of earlier timings, timed, or estimated from the size of a lane's state;
    None: not decided yet, or a run of before this was recorded. `rewrite`: whether the products,
    convolutions and pooling of the task's loss are computed in layouts that are faster for lanes
    beside each other on CPU (see `engine.rewriting`); part of a run's identity, too.
    `model_devices`: how many of the devices share the arrays of each lane (see `engine.places`);
    they divide `devices`. Part of a run's identity, and above 1 its numbers are those of one device
    within a tolerance.
    """

    tile_width: int | None = None
    devices: int | None = None
    segment_steps: int | None = None
    memory_bytes: int | None = None
    reasons: tuple[str, ...] = ()
    tile_width_source: WidthSource | None = None
    rewrite: bool | None = None
    model_devices: int = 1

    def __repr__(self) -> str:
        return fields_of(self)


class Progress(NamedTuple):
    """What the host knows at a segment's end, for progress bars."""

    done: int  # lane-steps trained
    total: int  # lane-steps of lanes that can still finish, plus those done
    alive: int
    lanes: int
    best_loss: float
    best_lr: float
    steps_per_second: float
    waiting: float = 0.0  # share of the time in which nothing trained because there were no data
    workers: tuple[int, int] | None = None  # those that train and all there are; None: this process


Decide = Callable[[int, LaneRecord], np.ndarray]
"""`(rung step, record so far) -> bool[N]`: which lanes continue."""


@runtime_checkable
class Recorder(Protocol):
    """Where the engine writes as it goes; a run folder, or nothing.

    `rows(name, axis, start, lanes, values)`: `values` [k, n] of metric `name`, rows
    `start..start+k` of its time axis for the flat lane numbers `lanes` int[n].
    `commit(arrays, info)`: everything up to here, together with `arrays` (flat dict of NumPy
    arrays: the state of unfinished lanes) and `info` (JSON-able), becomes durable at once.
    `due()`: whether enough time has passed for another commit; the last one is made in any case.
    """

    def rows(
        self, name: str, axis: TimeAxis, start: int, lanes: np.ndarray, values: np.ndarray
    ) -> None:
        """Rows of one metric."""
        ...

    def commit(self, arrays: Mapping[str, np.ndarray], info: Mapping[str, int | float]) -> None:
        """Makes everything so far durable."""
        ...

    def due(self) -> bool:
        """Whether it is time for a commit."""
        ...


Floats = Sequence[float] | np.ndarray
