"""Training dealt to workers: the lanes, the record and the commits are here, the updates there."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lrlab.cluster.ledger import Ledger
from lrlab.cluster.pieces import Piece, Setting
from lrlab.cluster.pool import USUAL, Done, OpenPool, Pace, Pool, Ref, Ticket
from lrlab.cluster.tally import Tally
from lrlab.core.errors import Interrupted, WorkerError
from lrlab.core.records import LaneRecord, blank_record
from lrlab.core.text import counted
from lrlab.core.worker_use import Usage
from lrlab.engine.feed import StreamUse
from lrlab.engine.kept import Kept, forget
from lrlab.engine.kept import continued as continue_kept
from lrlab.engine.limits import LIMITS, PlanLimits
from lrlab.engine.loop import prune
from lrlab.engine.progress import meter
from lrlab.engine.results import Saved
from lrlab.engine.state import lane_shapes, tree_bytes
from lrlab.engine.streaming import SegmentIndices, streams_of
from lrlab.types import Decide, Lanes, Plan, Problem, Progress, PyTree, Recorder


def train(
    open_pool: OpenPool,
    problem: Problem,
    data: Mapping[str, PyTree],
    lanes: Lanes,
    plan: Plan,
    *,
    eval_steps: Sequence[int],
    indices: SegmentIndices | None = None,
    rungs: Sequence[int] = (),
    decide: Decide | None = None,
    recorder: Recorder | None = None,
    saved: Saved | None = None,
    progress: Callable[[Progress], None] | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    kept: Kept | None = None,
    streamed: Callable[[StreamUse], None] | None = None,
    watch: Callable[[LaneRecord, int], None] | None = None,
    used: Callable[[Usage], None] | None = None,
    limits: PlanLimits = LIMITS,
    fatal: Callable[[BaseException], bool] = lambda error: False,
    pace: Pace = USUAL,
) -> LaneRecord:
    """What `lrlab.engine.train` gives for the same arguments, trained by the workers of a pool.

    Args:
        open_pool: begins the pool, with the group that it is to train.
        fatal: which of a worker's errors end training at once, as they are; others are tried again.
        pace: how large pieces are.
        used: called at the end with how workers were used, where they are other processes.
        watch: called with the record at each of `rungs` and at the end, where all lanes are level.

    Raises:
        Interrupted: `interrupted` said so; what workers were training then has come back.
        WorkerError: a piece failed `pace.tries` times; all other lanes are recorded.
    """
    began = time.perf_counter()
    record = saved.record if saved else blank_record(lanes.columns, problem.steps, eval_steps)
    earlier = record.seconds
    if kept is not None and saved is not None:
        continue_kept(kept, saved.kept, record)
    size = tree_bytes(lane_shapes(problem, data, tuple(lanes.hyper)))
    stored = recorder is not None and _stores(len(lanes.seed), size, saved, decide, limits)
    keep = None if kept is None else kept.keep
    setting = Setting(problem, data, plan, eval_steps, indices, keep, limits)
    # A loader that is opened again reads from its beginning: its lanes are not interrupted.
    train_stream = streams_of(data).get("train")
    if train_stream is not None and train_stream.loader is not None:
        pace = pace._replace(longest=float("inf"))
    with open_pool(setting) as pool:
        ledger = Ledger(problem, lanes, record, saved, kept, stored, recorder, pool, limits)
        work = _Work(ledger, pool, pace, plan.segment_steps or 1, fatal)
        report = meter(work.heard(progress), lanes, problem.steps)
        barriers = sorted({rung for rung in rungs if rung < problem.steps} if decide else ())

        shown = 0.0

        def seconds() -> float:
            return earlier + time.perf_counter() - began

        try:
            for barrier in [*(b for b in barriers if b > ledger.judged), problem.steps]:
                for _ in work.through(barrier, interrupted):
                    if time.monotonic() - shown > pace.patience:
                        report(record)
                        shown = time.monotonic()
                    if recorder is not None and work.news and recorder.due():
                        work.news = False
                        ledger.commit(seconds())
                if work.failed or work.stopping:
                    ledger.commit(seconds())
                    raise work.failed[0] if work.failed else Interrupted
                if watch is not None:
                    watch(record, barrier)
                if barrier < problem.steps and decide is not None:
                    prune(record, barrier, decide)
                    ledger.judge(barrier)
        finally:
            if streamed is not None and work.uses:
                streamed(StreamUse(*map(sum, zip(*work.uses, strict=True))))
            if used is not None and work.tally.usage.pieces:
                used(work.tally.usage)
        if kept is not None:
            forget(np.arange(len(lanes.seed)), record, kept)
        ledger.conclude(seconds())
        report(record)
        return record._replace(seconds=seconds())


def _stores(
    count: int, size: int, saved: Saved | None, decide: Decide | None, limits: PlanLimits
) -> bool:
    """Whether the final states of all lanes are kept, as `engine.train` would: where they can be
    held at once, or are anyway, because all are judged together."""
    if saved is not None and 0 < saved.capacity < count:
        return False
    return decide is not None or count * size <= limits.resident_bytes


class _Running(NamedTuple):
    """A piece at a worker, and how often it was begun."""

    members: np.ndarray
    piece: Piece
    sources: Sequence[Ref]
    tries: int = 1


class _Work:
    """The pieces that are under way. A class because it holds them, and what they have taken."""

    def __init__(
        self,
        ledger: Ledger,
        pool: Pool,
        pace: Pace,
        segment_steps: int,
        fatal: Callable[[BaseException], bool],
    ) -> None:
        self.ledger, self.pool, self.pace = ledger, pool, pace
        self.fatal, self.segment_steps = fatal, segment_steps
        self.running: dict[Ticket, _Running] = {}
        self.failed: list[WorkerError] = []
        self.uses: list[StreamUse] = []
        self.stopping, self.news = False, False
        self.tally = Tally()
        self._wave_seconds: float | None = None

    def through(self, barrier: int, interrupted: Callable[[], bool]) -> Iterator[None]:
        """Trains all lanes up to update `barrier`; yields whenever something has come back."""
        tiles = deque(self.ledger.tiles(barrier))
        begun = deque[np.ndarray]()
        while True:
            self.stopping = self.stopping or interrupted()
            most = self.pool.slots() + self.pool.waiting()
            while not self.stopping and len(self.running) < most and (begun or tiles):
                members = begun.popleft() if begun else self._joined(tiles, barrier)
                piece, sources = self.ledger.piece(members, self._end(members, barrier))
                self._submit(_Running(members, piece, sources))
            if not self.running:
                return
            for done in self.pool.finished(self.pace.patience):
                left = self._absorbed(done)
                if len(left) and self.ledger.step[left[0]] < barrier:
                    begun.append(left)
            self.tally.passed(self.pool.slots())
            yield

    def heard(
        self, listener: Callable[[Progress], None] | None
    ) -> Callable[[Progress], None] | None:
        """The listener, which also hears how many workers there are, and how many work."""
        if listener is None:
            return None

        def listen(now: Progress) -> None:
            slots = self.pool.slots()
            listener(now._replace(workers=(min(len(self.running), slots), slots)))

        return listen

    def _submit(self, running: _Running) -> None:
        self.running[self.pool.submit(running.piece, running.sources)] = running

    def _absorbed(self, done: Done) -> np.ndarray:
        """Takes in what came back; gives the lanes that have more to do."""
        was = self.running.pop(done.ticket)
        members, piece, tries = was.members, was.piece, was.tries
        none = members[:0]
        if done.result is None:
            assert done.error is not None
            if self.fatal(done.error):
                raise done.error
            if done.final:
                tries = self.pace.tries
            if tries < self.pace.tries:
                self.tally.failed()
                self._submit(was._replace(tries=tries + 1))
            else:
                self.failed.append(_failure(piece, done, tries))
            return none
        waves = -(-len(members) // (self.pool.width * self.pool.devices))
        self._wave_seconds = done.result.seconds / (waves * (piece.end - piece.first))
        if done.result.use is not None:
            self.uses.append(done.result.use)
        self.tally.trained(done.result.by, done.result.seconds)
        self.news = True
        return self.ledger.absorb(members, piece, done.result, done.held)

    def _joined(self, tiles: deque[np.ndarray], barrier: int) -> np.ndarray:
        """The lanes of a piece: a tile for each device of a worker, or more where they are soon
        done and there are enough for all workers."""
        first, devices = int(self.ledger.step[tiles[0][0]]), self.pool.devices
        waves = 1
        if self._wave_seconds:
            share = -(-len(tiles) // (devices * self.pool.slots()))
            waves = self.pace.waves(self._wave_seconds, barrier - first, share)
        taken: list[np.ndarray] = []
        while tiles and len(taken) < waves * devices and self.ledger.step[tiles[0][0]] == first:
            taken.append(tiles.popleft())
        return np.concatenate(taken)

    def _end(self, members: np.ndarray, barrier: int) -> int:
        """Up to where lanes are trained in one piece."""
        first = int(self.ledger.step[members[0]])
        if self._wave_seconds is None and self.pace.longest < float("inf"):
            return min(barrier, first + self.segment_steps)
        waves = -(-len(members) // (self.pool.width * self.pool.devices))
        return first + self.pace.updates(self._wave_seconds or 0.0, waves, barrier - first)


def _failure(piece: Piece, done: Done, tries: int) -> WorkerError:
    """What is said of a piece that failed for good."""
    rates = next(iter(piece.lanes.hyper.values()))
    seeds = ", ".join(map(str, np.unique(piece.lanes.seed)))
    name, low, high = next(iter(piece.lanes.hyper)), float(rates.min()), float(rates.max())
    which = f"{name} {low:.4g}" if low == high else f"{name} {low:.4g} to {high:.4g}"
    return WorkerError(
        f"{counted(len(rates), 'lane')} ({which}, seed {seeds}; updates {piece.first:,} to "
        f"{piece.end:,}) failed {tries} times on workers, at last with "
        f"{type(done.error).__name__}: {str(done.error).strip().splitlines()[-1][:300]}",
        done.traceback,
    )
