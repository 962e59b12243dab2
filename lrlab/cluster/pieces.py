"""A piece of training: some lanes from one update to another, by `engine.train`, in any process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab import engine
from lrlab.cluster.tally import By
from lrlab.core.errors import Interrupted
from lrlab.core.records import Metric, TimeAxis, blank_record
from lrlab.core.text import JsonObject
from lrlab.core.weights import KEPT_LEAF
from lrlab.engine.feed import StreamUse, states_of
from lrlab.engine.kept import Keep, Kept, blank_kept
from lrlab.engine.layout import boundaries
from lrlab.engine.limits import PlanLimits
from lrlab.engine.results import LANE_ARRAYS, LaneStates, Saved
from lrlab.engine.shapes import Block, Leaves
from lrlab.engine.state import lane_shapes
from lrlab.engine.streaming import SegmentIndices
from lrlab.types import Lanes, Plan, Problem, PyTree


class Setting(NamedTuple):
    """What all pieces of a group share. `plan` has the devices of one worker."""

    problem: Problem
    data: Mapping[str, PyTree]
    plan: Plan
    eval_steps: Sequence[int]
    indices: SegmentIndices | None
    keep: Keep | None
    limits: PlanLimits


class Piece(NamedTuple):
    """Lanes to be trained from update `first` to `end`.

    `arrays`: those of `LANE_ARRAYS`, [n] each, as of `first`. `taken`: of the states that come with
    the piece, one entry each: (which of its rows int[k], which lanes of the piece they are int[k]).
    `metrics`: what was recorded of the metric by which weights are kept. `streams`: where the
    reading of each seed is. `stored`: the states after the last update are wanted.
    """

    lanes: Lanes
    first: int
    end: int
    arrays: Mapping[str, np.ndarray]
    taken: Sequence[tuple[np.ndarray, np.ndarray]] = ()
    metrics: Mapping[str, Metric] = {}
    streams: Mapping[int, JsonObject] = {}
    stored: bool = True


class Held(NamedTuple):
    """What a worker holds of lanes between two pieces: for the lanes `states.lanes` of a piece
    their states, for `kept.lanes` the weights that are kept."""

    states: LaneStates = LaneStates()
    kept: LaneStates = LaneStates()


class Trained(NamedTuple):
    """What a piece gives. `rows`: metric -> (its axis, first row, values [k, n]); `initial`: metric
    -> [n]; `has` bool[n]: of which lanes weights are kept; `seconds` that training took; `by`: the
    process, where it is not this one."""

    rows: Mapping[str, tuple[TimeAxis, int, Block]]
    initial: Mapping[str, np.ndarray]
    arrays: Mapping[str, np.ndarray]
    has: np.ndarray
    streams: Mapping[int, JsonObject]
    use: StreamUse | None
    seconds: float
    by: By | None = None


class Memory:
    """A recorder (see `lrlab.types.Recorder`) that holds the last commit. A class because the
    engine hands over what it has when it ends."""

    def __init__(self) -> None:
        self.arrays: Mapping[str, np.ndarray] = {}

    def rows(
        self, name: str, axis: TimeAxis, start: int, lanes: np.ndarray, values: np.ndarray
    ) -> None:
        """Nothing: the record holds them."""

    def commit(self, arrays: Mapping[str, np.ndarray], info: Mapping[str, int | float]) -> None:
        """Holds the arrays."""
        self.arrays = arrays

    def due(self) -> bool:
        """Never: only the end counts."""
        return False


def trained(setting: Setting, piece: Piece, sources: Sequence[Held]) -> tuple[Trained, Held]:
    """Trains a piece from the states that `sources` hold (none of them at update 0).

    Raises:
        Exception: whatever training raises.
    """
    problem, plan, steps = setting.problem, setting.plan, setting.problem.steps
    began, count = time.perf_counter(), len(piece.lanes.seed)
    record = blank_record(piece.lanes.columns, steps, setting.eval_steps)._replace(
        metrics={k: one._replace(values=np.array(one.values)) for k, one in piece.metrics.items()},
        **{name: piece.arrays[name].copy() for name in LANE_ARRAYS},
    )
    kept = None
    if setting.keep is not None:
        shapes = lane_shapes(problem, setting.data, tuple(piece.lanes.hyper))
        kept = blank_kept(setting.keep, shapes, count)
    states, weights = joined(piece, sources)
    saved = Saved(record, 0, piece.first, states, count, weights, piece.streams)
    memory = Memory()
    # Without a recorder nothing is stored at the end, and the weights are copied out instead.
    recorder = memory if piece.end < steps or piece.stored else None
    stops = sorted({*setting.eval_steps, piece.end})
    ends = [end for _, end in boundaries(stops, piece.first, steps, plan.segment_steps or 1)]
    visits = iter(ends)
    uses: list[StreamUse] = []
    with contextlib.suppress(Interrupted):
        engine.train(
            problem,
            setting.data,
            piece.lanes,
            plan,
            eval_steps=setting.eval_steps,
            indices=setting.indices,
            rungs=(piece.end,),
            recorder=recorder,
            saved=saved,
            interrupted=lambda: next(visits) == piece.end < steps,
            kept=kept,
            streamed=uses.append,
            limits=setting.limits,
        )
    rows = {}
    for name, one in record.metrics.items():
        ticks = record.steps + 1 if one.axis == "step" else record.eval_steps
        first, end = np.searchsorted(ticks, [piece.first, piece.end], "right")
        if end > first:
            rows[name] = one.axis, int(first), np.array(one.values[first:end])
    result = Trained(
        rows=rows,
        initial=record.initial if piece.first == 0 else {},
        arrays={name: getattr(record, name) for name in LANE_ARRAYS},
        has=np.zeros(count, bool) if kept is None else kept.has,
        streams=states_of(memory.arrays),
        use=uses[0] if uses else None,
        seconds=time.perf_counter() - began,
    )
    return result, held(memory, kept)


def held(memory: Memory, kept: Kept | None) -> Held:
    """What of a piece is held for what comes after it."""
    arrays = memory.arrays
    leaves = [arrays[name] for name in sorted(arrays) if name.startswith("state_")]
    states = LaneStates(arrays["lanes"], leaves) if leaves else LaneStates()
    if kept is None or not kept.has.any():
        return Held(states)
    # The final states hold the weights already, where the engine did not copy them.
    weights = arrays["kept_lanes"] if arrays else np.flatnonzero(kept.has)
    if arrays and not any(KEPT_LEAF.fullmatch(name) for name in arrays):
        return Held(states)
    return Held(states, LaneStates(weights, [leaf[weights] for leaf in kept.leaves]))


def joined(piece: Piece, sources: Sequence[Held]) -> tuple[LaneStates, LaneStates]:
    """The states and the kept weights of a piece's lanes out of what is held: rows of `sources`
    that `piece.taken` names."""
    states: list[tuple[np.ndarray, Sequence[Leaves]]] = []
    kept: list[tuple[np.ndarray, Sequence[Leaves]]] = []
    for (rows, lanes), source in zip(piece.taken, sources, strict=True):
        places = dict(zip(rows.tolist(), lanes.tolist(), strict=True))
        for parts, found in ((states, source.states), (kept, source.kept)):
            mine = np.array([row in places for row in found.lanes.tolist()], bool)
            if mine.any():
                ids = np.array([places[row] for row in found.lanes[mine].tolist()], np.int64)
                parts.append((ids, [leaf[mine] for leaf in found.leaves]))
    return together(states), together(kept)


def together(parts: Sequence[tuple[np.ndarray, Sequence[Leaves]]]) -> LaneStates:
    """Some lanes' arrays as one.

    >>> together([(np.array([2]), [np.ones((1, 3))]), (np.array([0]), [np.zeros((1, 3))])]).lanes
    array([2, 0])
    """
    if not parts:
        return LaneStates()
    lanes = np.concatenate([lanes for lanes, _ in parts])
    columns = zip(*(leaves for _, leaves in parts), strict=True)
    return LaneStates(lanes, [np.concatenate(column) for column in columns])
