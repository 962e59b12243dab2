"""Weights that are kept of lanes: after their last update, or at their best evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import jax
import numpy as np

from lrlab.core.records import OK, Direction, LaneRecord
from lrlab.core.weights import Weights
from lrlab.engine.layout import PADDING
from lrlab.engine.places import everywhere
from lrlab.engine.results import LaneStates
from lrlab.engine.shapes import LaneNumbers, Leaves
from lrlab.engine.state import LaneState, tree_bytes
from lrlab.engine.tiles import Group, Tile
from lrlab.types import Lanes, Problem, PyTree


class Keep(NamedTuple):
    """What to keep of the lanes that finish: the weights after the "last" update, or at the "best"
    evaluation of `metric`. `most`: bytes beyond which nothing is kept, for what nobody asked for;
    None: whatever it takes."""

    kind: Literal["last", "best"]
    metric: str = "valid_loss"
    direction: Direction = "min"
    most: int | None = None


class Kept(NamedTuple):
    """The weights of N lanes on the host, filled while they train.

    `has` bool[N]: of which lanes there are any; `leaves` [N, ...] each, in tree order, of what a
    lane is evaluated at, parameters first; `best` f64[N]: the metric there as a loss. Memory that
    no lane wrote to is not taken from the system.
    """

    keep: Keep
    has: np.ndarray
    leaves: Sequence[Leaves]
    best: np.ndarray

    def states(self) -> LaneStates:
        """The lanes that have weights, and these."""
        lanes = np.flatnonzero(self.has)
        return LaneStates(lanes, [leaf[lanes] for leaf in self.leaves])


def weight_shapes(shapes: LaneState) -> tuple[PyTree, PyTree]:
    """(parameters, what is not trained by gradients) of a lane's state, or of its shapes."""
    return shapes.params, shapes.model


def kept_bytes(shapes: LaneState, lanes: int) -> int:
    """Bytes of the weights of so many lanes."""
    return lanes * tree_bytes(weight_shapes(shapes))


def blank_kept(keep: Keep, shapes: LaneState, lanes: int) -> Kept | None:
    """Room for the weights of so many lanes; None where that is more than was allowed."""
    if keep.most is not None and kept_bytes(shapes, lanes) > keep.most:
        return None
    leaves = jax.tree.leaves(weight_shapes(shapes))
    rows = [np.zeros((lanes, *leaf.shape), leaf.dtype) for leaf in leaves]
    return Kept(keep, np.zeros(lanes, bool), rows, np.full(lanes, np.inf))


def emptied(kept: Kept) -> None:
    """Room for training from the start, or from the last commit, once more."""
    kept.has[:], kept.best[:] = False, np.inf


def continued(kept: Kept, states: LaneStates, record: LaneRecord) -> None:
    """Puts back what the last commit of an unfinished run held."""
    # None where a finished run goes on from its final states: its last weights come again.
    if len(states.lanes) and states.leaves:
        kept.has[states.lanes] = True
        for leaf, rows in zip(kept.leaves, states.leaves, strict=True):
            leaf[states.lanes] = rows
    if kept.keep.kind == "best":
        for row in range(len(record.eval_steps)):
            values = losses_at(record, kept.keep, row)
            kept.best[:] = np.fmin(kept.best, np.where(np.isfinite(values), values, np.inf))


def losses_at(record: LaneRecord, keep: Keep, row: int) -> np.ndarray:
    """The metric at evaluation `row` as a loss, f64[N]; of what every update records, the mean
    since the evaluation before."""
    if keep.metric not in record.metrics:
        return np.full(len(record.outcome), np.nan)
    values, axis, _ = record.metrics[keep.metric]
    if axis == "step":
        start = int(record.eval_steps[row - 1]) if row else 0
        values = values[start : int(record.eval_steps[row])].mean(0, dtype=np.float64)
    else:
        values = np.asarray(values[row], np.float64)
    return -values if keep.direction == "max" else values


def keep_best(
    group: Group, tiles: Iterable[Tile], step: int, record: LaneRecord, kept: Kept
) -> None:
    """Keeps the weights of lanes that were never better than at the evaluation after `step`."""
    row = int(np.searchsorted(record.eval_steps, step))
    now = losses_at(record, kept.keep, row)
    better = np.isfinite(now) & (now < kept.best)
    kept.best[better] = now[better]
    for tile in tiles:
        places = (tile.lanes != PADDING) & better[tile.lanes]
        _put(group, tile, step, places, kept)


def keep_last(
    group: Group, tiles: Iterable[Tile], record: LaneRecord, kept: Kept, stored: bool
) -> None:
    """Keeps the weights of lanes that came to the end; `record` says already which did. `stored`:
    the final states of all lanes are recorded (see `kept_arrays`)."""
    for tile in tiles:
        places = (tile.lanes != PADDING) & (record.outcome[tile.lanes] == OK)
        if stored and are_states(group.problem, kept):
            kept.has[tile.lanes[places]] = True
        else:
            _put(group, tile, group.problem.steps, places, kept)


def are_states(problem: Problem, kept: Kept) -> bool:
    """Whether what is kept at the end is part of the final states, so that it need not be copied:
    not where an optimizer evaluates averages of its own."""
    return kept.keep.kind == "last" and problem.optimizer.evaluation_params is None


def forget(members: LaneNumbers, record: LaneRecord, kept: Kept) -> None:
    """Keeps nothing of those of the lanes `members` that did not come to the end."""
    kept.has[members] &= record.outcome[members] == OK


def _put(group: Group, tile: Tile, step: int, places: np.ndarray, kept: Kept) -> None:
    """Copies the weights at `places` bool[T] of a tile, as they are evaluated after `step`."""
    if not places.any():
        return
    weights = weight_shapes(tile.state)
    if group.averages:
        place = tile.place
        weights = group.programs.weights(
            place, tile.state, group.data[place], tile.frozen, tile.seed, tile.hyper,
            jax.device_put(np.int32(step), everywhere(place)),
        )  # fmt: skip
    lanes = tile.lanes[places]
    kept.has[lanes] = True
    for leaf, rows in zip(kept.leaves, jax.tree.leaves(weights), strict=True):
        leaf[lanes] = np.asarray(rows)[places]


def kept_arrays(
    problem: Problem, lanes: Lanes, kept: Kept | None, stored: bool = False
) -> dict[str, np.ndarray]:
    """What a checkpoint holds of kept weights; `stored`: beside the final states of all lanes, from
    which they are read where they are the same."""
    if kept is None:
        return {}
    if stored and are_states(problem, kept):
        members, leaves = np.flatnonzero(kept.has), ()
    else:
        members, leaves = kept.states()
    arrays = {"kept_lanes": members}
    arrays |= {f"kept_at_{name}": v for name, v in columns_of(lanes, members).items()}
    return arrays | {f"kept_{index:04d}": leaf for index, leaf in enumerate(leaves)}


def columns_of(lanes: Lanes, members: LaneNumbers) -> dict[str, np.ndarray]:
    """The lanes by their values, the seeds last; [n] each."""
    return {name: np.asarray(values)[members] for name, values in lanes.columns.items()}


def weights_of(kept: Kept, lanes: Lanes) -> Weights:
    """What was kept, by the lanes' values."""
    members, leaves = kept.states()
    return Weights(columns_of(lanes, members), leaves)
