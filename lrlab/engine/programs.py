"""The compiled programs: how one tile of lanes starts, trains a segment, and is evaluated.

`vmap` gives the lanes of a tile and a bounded loop gives time; the devices come from `executables`,
each with its own tiles. The number of steps is a traced bound, so that segments of any length
share one program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from lrlab.core.memo import kept_with
from lrlab.core.tracing import beside_others
from lrlab.engine.batch_norm import refreshed
from lrlab.engine.binding import Beginning, beginning, bound
from lrlab.engine.executables import Replicated
from lrlab.engine.places import as_parted, as_whole, by_examples
from lrlab.engine.probing import measured, view_of
from lrlab.engine.shapes import Batches, Hypers, RandomKey, Rows, Scalar, Seed, Step
from lrlab.engine.state import LaneState, initial_state, scheduled
from lrlab.engine.step import lane_step
from lrlab.engine.turning import Turned, to_turn, turned
from lrlab.rng import key
from lrlab.types import Hyper, Params, Problem, PyTree, TaskFunctions

R = TypeVar("R")

Data = Mapping[str, PyTree]
"""Split name -> pytree of arrays with a leading example axis."""

Updates = Callable[[LaneState, Rows, Step], tuple[LaneState, Rows]]
"""`(state, rows, count) -> (state, rows)`: `count` updates, or fewer where all lanes diverge."""

Totals = tuple[dict[str, Array], dict[str, Array]]
"""(Sums, weights) by metric [T]: an evaluation of which parts are done."""

Attempt = tuple[Array, Step, LaneState, Rows, tuple[Array, Array, Array]]
"""Tries, updates to make, the state and the rows after them, and (alive, diverged_at, last_loss)
after the first try."""


class Programs(NamedTuple):
    """The programs of one group. T is the tile width, S the segment's most steps, B a batch. Where
    several devices share a lane (`plan.model_devices`), what is of lanes [T, ...] is cut over them
    (see `places`), and everything else is whole on each.

    `init(device, data, seed u32) -> Beginning`: what all lanes of a seed start from
    `start(device, params, model, hyper [T], alive bool[T], seed) -> state [T, ...]`
    `train(device, state, data, frozen, seed, hyper, indices i32[S, B] | None, first i32,
    count i32) -> (state, metrics [S, T])`; the memory of the state that goes in is used again.
    `evaluate(device, state, data, frozen, seed, hyper, step i32, before i32) -> metrics [T]`, named
    `<split>_<metric>` and as the probes name theirs, nan for lanes that are not alive. `before`:
    the step of the evaluation before (-1: none), for probes that measure at some of them only.
    `weights(device, state, data, frozen, seed, hyper, step i32) -> (params, model) [T, ...]`: what
    `evaluate` evaluates.
    `part(device, totals, state, data, rows, frozen, seed, hyper, step) -> totals`, which are (sums,
    weights) by metric, [T]: those of further examples `rows` of a split added to those of before
    (None: there are none).
    """

    init: Replicated[[Data, Seed], Beginning]
    start: Replicated[[Params, PyTree, Hypers, Array, Seed], LaneState]
    train: Replicated[
        [LaneState, Data, PyTree, Seed, Hypers, Batches | None, Step, Step],
        tuple[LaneState, Rows],
    ]
    evaluate: Replicated[[LaneState, Data, PyTree, Seed, Hypers, Step, Step], dict[str, Array]]
    weights: Replicated[[LaneState, Data, PyTree, Seed, Hypers, Step], tuple[Params, PyTree]]
    part: Replicated[
        [Totals | None, LaneState, Data, PyTree, Step, PyTree, Seed, Hypers, Step], Totals
    ]


@kept_with(lambda problem, *rest: problem.task.init)
def compiled(
    problem: Problem, tile_width: int, segment_steps: int, model_devices: int = 1
) -> Programs:
    """The programs of a group; the same arguments give the same functions, compiled once.

    Probes are no part of the training program: with them or without, it is the very same.
    """
    without = problem._replace(probes=())
    training = _training(without, tile_width, segment_steps, model_devices)

    def evaluate(*args: PyTree) -> dict[str, Array]:
        return as_whole(_evaluate(problem, tile_width, *args), model_devices)

    def weights(*args: PyTree) -> tuple[Params, PyTree]:
        return as_parted(_weights(problem, tile_width, *args), model_devices, lanes=True)

    def part(*args: PyTree) -> Totals:
        return as_whole(_part(problem, tile_width, *args), model_devices)

    return Programs(*training, Replicated(evaluate), Replicated(weights), Replicated(part))


@kept_with(lambda problem, *rest: problem.task.init)
def _training(
    problem: Problem, tile_width: int, segment_steps: int, model_devices: int
) -> tuple[Replicated, Replicated, Replicated]:
    def init(data: Data, seed: Seed) -> Beginning:
        return as_parted(beginning(problem, data, seed), model_devices, lanes=False)

    def start(params: Params, model: PyTree, hyper: Hypers, alive: Array, seed: Seed) -> LaneState:
        lane = functools.partial(initial_state, problem)
        over_lanes = _over_lanes(tile_width, lane, (None, None, 0, 0, None))
        state = over_lanes(params, model, hyper, alive, seed)
        return as_parted(state, model_devices, lanes=True)

    train = functools.partial(_train, problem, tile_width, segment_steps, model_devices)
    return Replicated(init), Replicated(start), Replicated(train, donate=(0,))


def _train(
    problem: Problem,
    tile_width: int,
    segment_steps: int,
    model_devices: int,
    state: LaneState,
    data: Data,
    frozen: PyTree,
    seed: Seed,
    hyper: Hypers,
    indices: Batches | None,
    first: Step,
    count: Step,
) -> tuple[LaneState, Rows]:
    noise = key(seed, "noise")
    goes_back = tile_width == 1 and problem.stop_diverged
    # The axis of a lone lane stays outside of the loop: inside, XLA would copy the state.
    state, hyper = _alone(tile_width, state), _alone(tile_width, hyper)

    def update(
        index: Array, state: LaneState, carried: Turned | None = None
    ) -> tuple[LaneState, dict[str, Array]]:
        lanes = functools.partial(
            lane_step, problem, keep=not goes_back, frozen=frozen, carried=carried
        )
        if tile_width > 1:
            lanes = jax.vmap(beside_others()(lanes), in_axes=(0, None, 0, None, None))
        batch = data.get("train")
        if indices is not None:
            rows = indices[index]
            batch = jax.tree.map(lambda leaf: leaf.at[rows].get(mode="promise_in_bounds"), batch)
        batch, step = by_examples(batch, model_devices), first + index
        state, metrics = lanes(state, batch, hyper, step, jax.random.fold_in(noise, step))
        return as_parted(state, model_devices, lanes=tile_width > 1), metrics

    def body(carry: tuple[Array, LaneState, Rows]) -> tuple[Array, LaneState, Rows]:
        index, state, rows = carry
        state, metrics = update(index, state, carried)
        rows = jax.tree.map(
            lambda row, value: jax.lax.dynamic_update_index_in_dim(row, value, index, 0),
            rows,
            metrics,
        )
        return index + 1, state, rows

    def updates(state: LaneState, rows: Rows, count: Step) -> tuple[LaneState, Rows]:
        def continues(carry: tuple[Array, LaneState, Rows]) -> Array:
            index, state, _ = carry
            # A tile whose lanes all diverged has nothing left to do: its rows stay nan.
            trains = jnp.any(state.alive) if problem.stop_diverged else True
            return (index < count) & trains

        begin = (jnp.zeros((), jnp.int32), turned(state, carried), rows)
        _, state, rows = jax.lax.while_loop(continues, body, begin)
        return turned(state, carried), rows

    traced, (_, shapes) = jax.make_jaxpr(update, return_shape=True)(jnp.zeros((), jnp.int32), state)
    wide = tile_width > 1 and model_devices == 1
    carried = to_turn(traced, state, first=1) if wide else None
    rows = jax.tree.map(
        lambda leaf: jnp.full((segment_steps, *leaf.shape), jnp.nan, leaf.dtype), shapes
    )
    if goes_back:
        state, rows = _going_back(updates, state, rows, first, count)
    else:
        state, rows = updates(state, rows, count)
    if tile_width == 1:
        rows = jax.tree.map(lambda row: row[:, None], rows)
    state = as_parted(_tiled(tile_width, state), model_devices, lanes=True)
    return state, as_whole(rows, model_devices)


def _going_back(
    updates: Updates, begin: LaneState, rows: Rows, first: Step, count: Step
) -> tuple[LaneState, Rows]:
    """`updates` for a lone lane whose updates do not keep the state from before themselves: where
    it diverges, it is trained again up to there, with the same program and so the same bits.

    That costs a diverging lane less than a segment, and saves all others a pass over parameters and
    optimizer state at every update (4 % of a step where a layer takes 784 x 512 weights).
    """

    def attempt(carry: Attempt) -> Attempt:
        tries, count, _, rows, _ = carry
        state, rows = updates(begin, rows, count)
        ended = state.alive, state.diverged_at, state.last_loss
        first_end = jax.tree.map(lambda a, b: jnp.where(tries == 0, a, b), ended, carry[-1])
        return tries + 1, state.diverged_at - first, state, rows, first_end

    def again(carry: Attempt) -> Array:
        tries, _, state, _, _ = carry
        return (tries == 0) | (tries == 1) & begin.alive & ~state.alive

    first_end = begin.alive, begin.diverged_at, begin.last_loss
    carry = (jnp.zeros((), jnp.int32), count, begin, rows, first_end)
    _, _, state, rows, (alive, diverged_at, last_loss) = jax.lax.while_loop(again, attempt, carry)
    return state._replace(alive=alive, diverged_at=diverged_at, last_loss=last_loss), rows


def _evaluate(
    problem: Problem,
    tile_width: int,
    state: LaneState,
    data: Data,
    frozen: PyTree,
    seed: Seed,
    hyper: Hypers,
    step: Step,
    before: Step,
) -> dict[str, Array]:
    noise = key(seed, "evaluation")

    def start() -> tuple[Params, PyTree]:
        return beginning(problem, data, seed)[:2]

    def lane(state: LaneState, hyper: Hyper) -> dict[str, Scalar]:
        task, params, model = _evaluated(problem, state, data, frozen, noise, hyper, step)
        values: dict[str, Array] = {}
        for split in problem.splits:
            assert task.evaluate is not None, "no split is evaluated where nothing is"
            measures = task.evaluate(params, model, data.get(split), noise)
            values |= {f"{split}_{name}": value for name, value in measures.items()}
        if problem.probes:
            train = data.get("train")
            view = view_of(problem, state, start, train, seed, hyper, step, frozen)
            values |= measured(problem, view, before)
        shown = state.alive if problem.stop_diverged else True
        return {
            name: jnp.where(shown, jnp.asarray(value, problem.dtype), jnp.nan)
            for name, value in values.items()
        }

    return _over_lanes(tile_width, lane, (0, 0))(state, hyper)


def _evaluated(
    problem: Problem,
    state: LaneState,
    data: Data,
    frozen: PyTree,
    noise: RandomKey,
    hyper: Hyper,
    step: Step,
    first: int | Step = 0,
) -> tuple[TaskFunctions, Params, PyTree]:
    """What a lane is evaluated with: its functions, parameters and collections."""
    params, model = state.params, state.model
    now = scheduled(problem, hyper, jnp.minimum(step, problem.steps - 1))
    task = bound(problem, now, frozen, first)
    if problem.optimizer.evaluation_params is not None:
        params = problem.optimizer.evaluation_params(state.optimizer, params)
    if params is not state.params:
        model = refreshed(problem, params, model, data.get("train"), noise, step, task)
    return task, params, model


def _weights(
    problem: Problem,
    tile_width: int,
    state: LaneState,
    data: Data,
    frozen: PyTree,
    seed: Seed,
    hyper: Hypers,
    step: Step,
) -> tuple[Params, PyTree]:
    noise = key(seed, "evaluation")

    def lane(state: LaneState, hyper: Hyper) -> tuple[Params, PyTree]:
        return _evaluated(problem, state, data, frozen, noise, hyper, step)[1:]

    return _over_lanes(tile_width, lane, (0, 0))(state, hyper)


def _part(
    problem: Problem,
    tile_width: int,
    totals: Totals | None,
    state: LaneState,
    data: Data,
    rows: PyTree,
    first: Step,
    frozen: PyTree,
    seed: Seed,
    hyper: Hypers,
    step: Step,
) -> Totals:
    noise = key(seed, "evaluation")

    def lane(state: LaneState, hyper: Hyper) -> Totals:
        task, params, model = _evaluated(problem, state, data, frozen, noise, hyper, step, first)
        assert task.part is not None
        return jax.tree.map(
            lambda value: jnp.asarray(value, problem.dtype), task.part(params, model, rows, noise)
        )

    more = _over_lanes(tile_width, lane, (0, 0))(state, hyper)
    return more if totals is None else jax.tree.map(jnp.add, totals, more)


def _over_lanes(
    tile_width: int, function: Callable[..., R], in_axes: tuple[int | None, ...]
) -> Callable[..., R]:
    """`vmap` over a tile; a tile of one lane stays free of it, as a run by hand would be."""
    if tile_width > 1:
        return jax.vmap(beside_others()(function), in_axes=in_axes)

    def one(*args: PyTree) -> R:
        lane = (_alone(1, arg, axis) for arg, axis in zip(args, in_axes, strict=True))
        return _tiled(1, function(*lane))

    return one


def _alone(tile_width: int, tree: PyTree, axis: int | None = 0) -> PyTree:
    """A tile of one lane as that lane, without the axis; wider tiles as they are."""
    if tile_width > 1 or axis is None:
        return tree
    return jax.tree.map(lambda leaf: leaf[0], tree)


def _tiled(tile_width: int, tree: PyTree) -> PyTree:
    """The inverse of `_alone`."""
    if tile_width > 1:
        return tree
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], tree)
