"""Where every lane is: how far it has come, and who holds its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lrlab.cluster.pieces import Held, Piece, Trained, together
from lrlab.cluster.pool import Pool, Ref
from lrlab.core.records import DIVERGED, NOT_RUN, LaneRecord, Metric
from lrlab.core.text import JsonObject
from lrlab.engine.feed import states_arrays
from lrlab.engine.kept import Kept, are_states, kept_arrays
from lrlab.engine.layout import PADDING, tile_lanes
from lrlab.engine.limits import PlanLimits
from lrlab.engine.results import (
    AT_STEP,
    LANE_ARRAYS,
    LaneStates,
    Saved,
    release,
    snapshot,
    write,
    write_initial,
)
from lrlab.engine.shapes import Leaves
from lrlab.types import Lanes, Problem, Recorder


class Ledger:
    """The lanes of a group while workers train them. A class because it holds what has come back.

    `todo` bool[N]: lanes that have updates to make; `step` int[N]: how many they have made. A
    lane's state is row `row[lane]` of what `source[lane]` refers to (None: there is none). `ended`:
    final states that are here already.

    Args:
        stored: the states after the last update are kept, for the last commit.
    """

    def __init__(
        self,
        problem: Problem,
        lanes: Lanes,
        record: LaneRecord,
        saved: Saved | None,
        kept: Kept | None,
        stored: bool,
        recorder: Recorder | None,
        pool: Pool,
        limits: PlanLimits,
    ) -> None:
        count = len(lanes.seed)
        self.problem, self.lanes, self.record, self.kept = problem, lanes, record, kept
        self.stored, self.pool, self.limits = stored, pool, limits
        self.recorder = recorder
        self.judged = 0
        self.step = np.zeros(count, np.int64)
        self.row = np.zeros(count, np.int64)
        self.source: list[Ref | None] = [None] * count
        self.streams: dict[int, JsonObject] = {}
        self.ended = LaneStates()
        self.todo = (record.outcome == NOT_RUN) & (record.steps_trained == 0)
        if saved is not None:
            self._begun(saved)

    def _begun(self, saved: Saved) -> None:
        """Puts back what the last commit held of lanes that were under way."""
        self.streams |= saved.streams
        members, steps = saved.states.lanes, self.problem.steps
        if not len(members):
            return
        ref = self.pool.put(Held(saved.states, saved.kept if saved.kept.leaves else LaneStates()))
        self.row[members] = members
        for lane in members.tolist():
            self.source[lane] = ref
        ended = saved.at is None and saved.step == 0  # these are final states
        at = steps if ended else saved.step if saved.at is None else saved.at
        self.step[members] = at
        self.todo[members] = self.step[members] < steps
        self.judged = saved.step
        if self.kept is not None and self._in_states(self.kept):
            self.kept.has[members[self.step[members] == steps]] = True

    def tiles(self, barrier: int) -> list[np.ndarray]:
        """The lanes that have updates to make before `barrier`, by tile: those of one step and seed
        together, int[<= width] each."""
        waiting, found = self.todo & (self.step < barrier), []
        for step in np.unique(self.step[waiting]):
            members = np.flatnonzero(waiting & (self.step == step))
            for tile in tile_lanes(members, self.lanes.seed[members], self.pool.width):
                found.append(tile[tile != PADDING])
        return found

    def piece(self, members: np.ndarray, end: int) -> tuple[Piece, list[Ref]]:
        """The lanes' next updates, up to `end`, and who holds their states."""
        first = int(self.step[members[0]])
        taken: dict[int, list[int]] = {}
        refs: dict[int, Ref] = {}
        for number, lane in enumerate(members.tolist() if first else ()):
            source = self.source[lane]
            assert source is not None
            refs[id(source)] = source
            taken.setdefault(id(source), []).append(number)
        record, some, metrics = self.record, self.lanes, {}
        if first and self.kept is not None and self.kept.keep.kind == "best":
            name = self.kept.keep.metric
            if name in record.metrics:
                one = record.metrics[name]
                metrics[name] = Metric(one.values[:, members], one.axis)
        hyper = {name: values[members] for name, values in some.hyper.items()}
        seeds = {int(seed) for seed in np.unique(some.seed[members])}
        piece = Piece(
            lanes=Lanes(hyper, some.seed[members]),
            first=first,
            end=end,
            arrays={name: getattr(record, name)[members] for name in LANE_ARRAYS},
            taken=[(self.row[members[one]], np.array(one)) for one in taken.values()],
            metrics=metrics,
            streams={seed: at for seed, at in self.streams.items() if seed in seeds or not seed},
            stored=self.stored,
        )
        return piece, list(refs.values())

    def absorb(self, members: np.ndarray, piece: Piece, result: Trained, ref: Ref) -> np.ndarray:
        """Writes what came back where it belongs; gives the lanes that have more updates to make.

        Args:
            ref: who holds their states now.
        """
        record, spill = self.record, self.limits.spill_bytes
        for name, (axis, first, block) in result.rows.items():
            write(record, name, axis, first, members, block, spill, self.recorder)
        for name, values in result.initial.items():
            write_initial(record, name, members, values)
        for name in LANE_ARRAYS:
            getattr(record, name)[members] = result.arrays[name]
        self.streams |= result.streams
        self.step[members], self.row[members] = piece.end, np.arange(len(members))
        going = self.unfinished(members) & (piece.end < self.problem.steps)
        self.todo[members] = going
        for lane, on in zip(members.tolist(), going.tolist(), strict=True):
            self.source[lane] = ref if on or self.stored else None
        if self.kept is not None:
            self.kept.has[members] |= result.has
            if piece.end == self.problem.steps and not self._in_states(self.kept):
                self._keep(members, self.pool.fetch([ref])[0])
        return members[going]

    def unfinished(self, members: np.ndarray) -> np.ndarray:
        """Which of the lanes are still under way, bool[n]."""
        outcome = self.record.outcome[members]
        diverged = (outcome == DIVERGED) & (not self.problem.stop_diverged)
        return (outcome == NOT_RUN) | diverged

    def judge(self, barrier: int) -> None:
        """Notes that lanes were judged at `barrier`: those that were cut have nothing more to do.
        What they held is let go."""
        self.judged = barrier
        left = self.todo & ~self.unfinished(np.arange(len(self.todo)))
        self.todo[left] = False
        for lane in np.flatnonzero(left).tolist():
            self.source[lane] = None

    def commit(self, seconds: float) -> None:
        """Has everything so far recorded, with the states of lanes that are under way, and with the
        final ones that the end will want."""
        for rows in self.record.history.values():
            release(rows)  # of those that lie in a file
        if self.recorder is None:
            return
        states = self._states()
        arrays = self._arrays(states) | states_arrays(self.streams)
        place = {"cohort": 0, "step": self.judged, "seconds": seconds, "capacity": len(self.todo)}
        self.recorder.commit(arrays | {AT_STEP: self.step[states.lanes]}, place)

    def conclude(self, seconds: float) -> None:
        """Has the end recorded, as `engine.train` does: with the final states, where they are
        kept."""
        if self.recorder is None:
            return
        arrays = self._arrays(self._states())
        place = {"cohort": 1, "step": 0, "seconds": seconds, "capacity": len(self.todo)}
        self.recorder.commit(arrays, place)

    def _arrays(self, states: LaneStates) -> dict[str, np.ndarray]:
        kept = kept_arrays(self.problem, self.lanes, self.kept, self.stored)
        return snapshot(self.record, states) | kept

    def _in_states(self, kept: Kept) -> bool:
        """Whether the final states hold the weights that are kept."""
        return self.stored and are_states(self.problem, kept)

    def _keep(self, members: np.ndarray, held: Held) -> None:
        """Copies the weights that a worker kept of lanes."""
        self._put(members[held.kept.lanes], held.kept.leaves)

    def _put(self, lanes: np.ndarray, leaves: Sequence[Leaves]) -> None:
        if self.kept is not None and len(lanes):
            self.kept.has[lanes] = True
            for leaf, rows in zip(self.kept.leaves, leaves, strict=True):
                leaf[lanes] = rows

    def _states(self) -> LaneStates:
        """The states of all lanes of which there is one, from whoever holds them; what they keep of
        weights on the way is copied too."""
        by_source: dict[int, list[int]] = {}
        refs: dict[int, Ref] = {}
        for lane, source in enumerate(self.source):
            if source is None:
                continue
            refs[id(source)] = source
            by_source.setdefault(id(source), []).append(lane)
        best = self.kept is not None and self.kept.keep.kind == "best"
        going, ended = [], [self.ended]
        held = self.pool.fetch(list(refs.values()))
        for lanes, one in zip(by_source.values(), held, strict=True):
            place = {int(self.row[lane]): lane for lane in lanes}
            found = _rows(one.states, place)
            on = self.todo[found.lanes]
            for parts, which in ((going, on), (ended, ~on)):
                parts.append(LaneStates(found.lanes[which], [leaf[which] for leaf in found.leaves]))
            if best:
                self._put(*_rows(one.kept, place))
            for lane in lanes:
                if not self.todo[lane]:
                    self.source[lane] = None
        self.ended = together([part for part in ended if len(part.lanes)])
        return together([part for part in (*going, self.ended) if len(part.lanes)])


def _rows(states: LaneStates, place: Mapping[int, int]) -> LaneStates:
    """The rows of what is held that belong to lanes, `place` row -> lane."""
    mine = np.array([row in place for row in states.lanes.tolist()], bool)
    lanes = np.array([place[row] for row in states.lanes[mine].tolist()], np.int64)
    return LaneStates(lanes, [leaf[mine] for leaf in states.leaves] if len(lanes) else ())
