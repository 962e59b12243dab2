"""The compiled programs: a wave trains one tile of lanes on every device of the mesh.

`vmap` gives the lanes of a tile, a bounded loop gives time, `shard_map` gives the devices, which
never talk to each other. The number of steps is a traced bound, so that segments of any length
share one program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from lrlab.engine.step import LaneState, initial_state, lane_step
from lrlab.rng import key
from lrlab.types import Array, Problem, PyTree

_TILES = PartitionSpec("tiles")
_SHARED = PartitionSpec()


class Programs(NamedTuple):
    """The compiled functions of one group. D devices, T tile width, S segment steps, B batch size.

    `start(data, seeds u32[D], hyper [D, T], alive bool[D, T]) -> state [D, T, ...]`
    `train(state, data, seeds, hyper, indices i32[D, S, B] | None, first i32, count i32)
    -> (state, metrics [D, S, T])`; gives the state's memory back to XLA.
    `evaluate(state, data, seeds, hyper) -> metrics [D, T]`, named `<split>_<metric>`, nan for lanes
    that are not alive.
    """

    start: Callable[..., LaneState]
    train: Callable[..., tuple[LaneState, dict[str, Array]]]
    evaluate: Callable[..., dict[str, Array]]


@functools.lru_cache(maxsize=64)
def compiled(
    problem: Problem, mesh: jax.sharding.Mesh, tile_width: int, segment_steps: int
) -> Programs:
    """The programs of a group; the same arguments give the same functions, compiled once."""

    def per_device(function: Callable[..., Any], shared: tuple[int, ...], arity: int) -> Any:
        """`function` of one tile, on every device: tile arguments lose their leading axis."""

        def body(*args: Any) -> Any:
            mine = [
                arg if index in shared else jax.tree.map(lambda leaf: leaf[0], arg)
                for index, arg in enumerate(args)
            ]
            return jax.tree.map(lambda leaf: leaf[None], function(*mine))

        specs = tuple(_SHARED if index in shared else _TILES for index in range(arity))
        return jax.shard_map(body, mesh=mesh, in_specs=specs, out_specs=_TILES, check_vma=False)

    def over_lanes(function: Callable[..., Any], in_axes: tuple[Any, ...]) -> Callable[..., Any]:
        """`vmap` over a tile; a tile of one lane stays free of it, as a run by hand would be."""
        if tile_width > 1:
            return jax.vmap(function, in_axes=in_axes)

        def single(*args: Any) -> Any:
            args = tuple(
                jax.tree.map(lambda leaf: leaf[0], arg) if axis == 0 else arg
                for arg, axis in zip(args, in_axes, strict=True)
            )
            return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], function(*args))

        return single

    def start(data: PyTree, seed: Array, hyper: dict[str, Array], alive: Array) -> LaneState:
        example = jax.tree.map(lambda leaf: leaf[:1], data.get("train"))
        params, model = problem.task.init(key(seed, "init"), example)
        params, model = as_dtype((params, model), problem.dtype)
        lane = functools.partial(initial_state, problem)
        return over_lanes(lane, (None, None, 0, 0))(params, model, hyper, alive)

    def train(
        state: LaneState,
        data: PyTree,
        seed: Array,
        hyper: dict[str, Array],
        indices: Array | None,
        first: Array,
        count: Array,
    ) -> tuple[LaneState, dict[str, Array]]:
        noise = key(seed, "noise")
        lanes = over_lanes(
            lambda state, batch, hyper, step, noise: lane_step(
                problem, state, batch, hyper, step, noise
            ),
            (0, None, 0, None, None),
        )

        def update(index: Array, state: LaneState) -> tuple[LaneState, dict[str, Array]]:
            batch = data.get("train")
            if indices is not None:
                batch = jax.tree.map(lambda leaf: leaf[indices[index]], batch)
            step = first + index
            return lanes(state, batch, hyper, step, jax.random.fold_in(noise, step))

        def body(index: Array, carry: Any) -> Any:
            state, rows = carry
            state, metrics = update(index, state)
            rows = jax.tree.map(lambda row, value: row.at[index].set(value), rows, metrics)
            return state, rows

        shapes = jax.eval_shape(update, jnp.zeros((), jnp.int32), state)[1]
        rows = jax.tree.map(
            lambda leaf: jnp.full((segment_steps, *leaf.shape), jnp.nan, leaf.dtype), shapes
        )
        return jax.lax.fori_loop(0, count, body, (state, rows))

    def evaluate(
        state: LaneState, data: PyTree, seed: Array, hyper: dict[str, Array]
    ) -> dict[str, Array]:
        noise = key(seed, "evaluation")

        def lane(state: LaneState) -> dict[str, Array]:
            params = state.params
            if problem.optimizer.evaluation_params is not None:
                params = problem.optimizer.evaluation_params(state.optimizer, params)
            values = {
                f"{split}_{name}": value
                for split in problem.splits
                for name, value in problem.task.evaluate(
                    params, state.model, data.get(split), noise
                ).items()
            }
            shown = state.alive if problem.stop_diverged else True
            return {
                name: jnp.where(shown, jnp.asarray(value, problem.dtype), jnp.nan)
                for name, value in values.items()
            }

        return over_lanes(lane, (0,))(state)

    return Programs(
        start=jax.jit(per_device(start, shared=(0,), arity=4)),
        train=jax.jit(per_device(train, shared=(1, 5, 6), arity=7), donate_argnums=0),
        evaluate=jax.jit(per_device(evaluate, shared=(1,), arity=4)),
    )


def as_dtype(tree: PyTree, dtype: str) -> PyTree:
    """`tree` with every floating array in `dtype`; integers, keys and the rest as they are."""

    def cast(leaf: Any) -> Any:
        leaf = jnp.asarray(leaf)
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
