"""Functions of the user's that are called at evaluations and may end lanes, or the run.

What they decide is kept in the run folder, in `decisions.json`, before it counts. A run that is
continued or repeated is decided by what stands there: the functions are not asked twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np

from lrlab import runs
from lrlab.core.axes import RATE_PREFIX
from lrlab.core.errors import PYTHON, ConfigError, Problem, RunError
from lrlab.core.records import NOT_RUN, OK, OUTCOMES, PRUNED, LaneRecord
from lrlab.core.text import JsonObject, Table, counted, show
from lrlab.runs import RunFolder
from lrlab.runs.seals import read_sealed, write_sealed
from lrlab.types import Decide

FILE = "decisions.json"
"""What callbacks decided, in a run folder: stage -> update -> lanes that were stopped, "stop" where
the run was, null where nothing was."""

STOP = "stop"
"""What a callback returns to end the run."""


class Event(NamedTuple):
    """What a callback sees at an evaluation: N lanes, each array [N], in C order of the result's
    axes (seeds fastest); of a search those of its stage.

    `step`: updates done. `lr`: the peak learning rates f64[N], as given; a dict by name where there
    are several. `seed`: int64[N]. `metrics`: what this evaluation measured, and of what is recorded
    at every update (`train_loss`) the row of the last one; nan for lanes that have ended.
    `outcome`: str[N], "ok" for lanes that train, "diverged", "pruned". `axes`: every lane axis but
    the seeds by its name, f64[N].

    >>> lanes = {"lr": np.array([0.1, 9.0])}
    >>> event = Event(50, lanes["lr"], np.array([0, 0]), {"valid_loss": np.array([0.3, 7.0])},
    ...               np.array(["ok", "ok"]), lanes)
    >>> (event.metrics["valid_loss"] > 5).tolist()  # a callback that returns this stops the second
    [False, True]
    """

    step: int
    lr: np.ndarray | Mapping[str, np.ndarray]
    seed: np.ndarray
    metrics: Mapping[str, np.ndarray]
    outcome: np.ndarray
    axes: Mapping[str, np.ndarray] = MappingProxyType({})


Callback: TypeAlias = Callable[[Event], object]
"""`f(event)` gives None, "stop" to end the run, or bool[N]: the lanes to stop (True ends a lane; a
comparison with nan is False, so that no lane ends for want of a number)."""

Decision: TypeAlias = "list[int] | str | None"
"""The lanes that were stopped, or "stop", or nothing."""


def event_of(record: LaneRecord, step: int) -> Event:
    """The event of the evaluation after `step` updates, from a flat record; arrays are copies."""
    columns = {name: np.array(values) for name, values in record.axes.items()}
    seed = columns.pop("seed")
    row = int(np.searchsorted(record.eval_steps, step))
    metrics = {
        name: np.array(one.values[step - 1 if one.axis == "step" else row])
        for name, one in record.metrics.items()
    }
    rates = {
        name.removeprefix(RATE_PREFIX): values
        for name, values in columns.items()
        if name.startswith(RATE_PREFIX)
    }
    outcome = np.where(record.outcome == NOT_RUN, OK, record.outcome)
    return Event(
        step, columns.get("lr", rates), seed, metrics, np.asarray(OUTCOMES)[outcome], columns
    )


def checked(callbacks: object) -> tuple[Callback, ...]:
    """The callbacks of a call.

    Raises:
        ConfigError: no sequence of functions.

    >>> checked([print]) == (print,)
    True
    """
    if callable(callbacks):
        return (callbacks,)
    if isinstance(callbacks, str) or not isinstance(callbacks, Sequence):
        message = f"must be a list of functions, callbacks=[f], got {show(callbacks)}"
        raise ConfigError([Problem(PYTHON, None, "callbacks", message)])
    wrong = [
        Problem(PYTHON, None, f"callbacks[{place}]", f"must be a function, got {show(one)}")
        for place, one in enumerate(callbacks)
        if not callable(one)
    ]
    if wrong:
        raise ConfigError(wrong)
    return tuple(callbacks)


def name_of(callback: Callback) -> str:
    """What to call a callback in messages.

    >>> name_of(print)
    'print'
    """
    return str(getattr(callback, "__name__", type(callback).__name__))


def answer_of(callback: Callback, event: Event) -> Decision:
    """What one callback says to an event.

    Raises:
        ValueError: its answer is none of the three that there are.

    >>> event = Event(5, np.ones(3), np.zeros(3), {}, np.array(["ok"] * 3))
    >>> answer_of(lambda event: [False, True, False], event)
    [1]
    """
    given, count = callback(event), len(event.seed)
    if given is None or (isinstance(given, str) and given == STOP):
        return given
    what = f"callback {name_of(callback)!r} at update {event.step}"
    wanted = f'must return None, "stop", or bool[{count}], True for each lane to stop; got'
    if isinstance(given, str):
        raise ValueError(f"{what} {wanted} {given!r}")
    mask = np.asarray(given)
    if mask.dtype != bool or mask.shape != (count,):
        shape = ", ".join(map(str, mask.shape))
        got = show(given) if mask.dtype == object else f"{mask.dtype}[{shape}]"
        raise ValueError(f"{what} {wanted} {got}")
    return np.flatnonzero(mask).tolist()


class Decisions:
    """The callbacks of a run, and what they decided.

    A class because it holds what was decided so far, and where that is kept. `callbacks` may be
    empty where all that is needed was decided before.
    """

    def __init__(
        self, callbacks: Sequence[Callback], run: runs.Run | None, before: Table | None = None
    ) -> None:
        self.callbacks, self.run = tuple(callbacks), run
        self.stages: dict[str, dict[str, Decision]] = {}
        self.stopped_at: int | None = None
        if run is not None:
            if before and not (run.path / FILE).exists():
                self.stages = dict(before)
                self._keep()
            self.stages = decisions_in(run.path)

    @property
    def stopped(self) -> bool:
        """Whether a callback ended the run."""
        return self.stopped_at is not None

    def decide(self, stage: str, rungs: Sequence[int] = (), search: Decide | None = None) -> Decide:
        """What the engine asks at every evaluation: the callbacks, then at its `rungs` the search,
        of lanes that they left."""

        def decided(step: int, record: LaneRecord) -> np.ndarray:
            keep = self._kept(stage, step, record)
            if search is None or step not in rungs:
                return keep
            training = record.outcome == NOT_RUN
            left = np.where(training & ~keep, PRUNED, record.outcome).astype(record.outcome.dtype)
            if not (left == NOT_RUN).any():
                return keep
            return keep & np.asarray(search(step, record._replace(outcome=left)), bool)

        return decided

    def last(self, stage: str, record: LaneRecord) -> None:
        """The last evaluation of lanes that came to their end: callbacks see it; there is nothing
        left to stop, so that what they say of it is not kept."""
        step = int(record.eval_steps[-1])
        of_stage = self.stages.setdefault(stage, {})
        if self.stopped or str(step) in of_stage or not (record.outcome == OK).any():
            return
        event = event_of(record, step)
        for callback in self.callbacks:
            answer_of(callback, event)
        of_stage[str(step)] = None
        self._keep()

    def sentence(self, steps: int) -> str:
        """That the run was stopped, for its answer; "" where it was not."""
        if self.stopped_at is None:
            return ""
        done = f"{self.stopped_at:,} of {counted(steps, 'update')}"
        return f"Stopped by a callback after {done}. "

    def _kept(self, stage: str, step: int, record: LaneRecord) -> np.ndarray:
        """bool[N]: the lanes that the callbacks, now or then, let train on."""
        of_stage = self.stages.setdefault(stage, {})
        if str(step) not in of_stage:
            if not self.callbacks:
                raise self._missing(step)
            event = event_of(record, step)
            answers = [answer_of(callback, event) for callback in self.callbacks]
            lanes = sorted({lane for one in answers if isinstance(one, list) for lane in one})
            of_stage[str(step)] = STOP if STOP in answers else lanes or None
            self._keep()
        decision = of_stage[str(step)]
        keep = np.ones(len(record.outcome), bool)
        if decision == STOP:
            self.stopped_at = step
            keep[:] = False
        elif decision is not None:
            keep[np.asarray(decision, np.int64)] = False
        return keep

    def _missing(self, step: int) -> RunError:
        assert self.run is not None
        return RunError(
            self.run.path,
            f"was made with callbacks ({', '.join(self.run.info.get('callbacks', ()))}), and what "
            f"they decide after {counted(step, 'update')} is not in its folder: what was decided "
            f"before is used, the rest needs the functions; {runs.onward(self.run.path)}",
        )

    def _keep(self) -> None:
        if self.run is not None and not runs.finished(self.run.info):
            content = {"format": runs.FORMAT, "stages": self.stages}
            write_sealed(self.run.path / FILE, content)


def decisions_in(folder: Path) -> dict[str, dict[str, Decision]]:
    """What callbacks decided in a run, by stage and update; empty where there is nothing.

    Raises:
        RunError: damaged.
    """
    place = folder / FILE
    if not place.exists():
        return {}
    stages = read_sealed(place)["stages"]
    return {stage: dict(decisions) for stage, decisions in stages.items()}


def decisions_of(
    callbacks: Sequence[Callback], run: runs.Run | None, before: Table | None = None
) -> Decisions | None:
    """The decisions of a run; None where it has no callbacks.

    `before`: those of another run, which a new one is to repeat.
    """
    made_with = run is not None and bool(run.info.get("callbacks"))
    return Decisions(callbacks, run, before) if callbacks or made_with else None


def fields_of(callbacks: Sequence[Callback], before: Table) -> JsonObject:
    """What `run.json` says of callbacks; `before`: the decisions of a run that is repeated, whose
    functions are not known."""
    names = [name_of(one) for one in callbacks] or (["repeated"] if before else [])
    return {"callbacks": names} if names else {}


def refuse_other(folder: RunFolder | None, callbacks: Sequence[Callback]) -> None:
    """Compares a call with the run that its folder holds.

    Raises:
        RunError: one has callbacks and the other has not, so that they are not the same
            experiment. An unfinished run may be continued without its functions, as far as they
            have decided.
    """
    if folder is None or not folder.is_run:
        return
    names = folder.info.get("callbacks") or ()
    if callbacks and not names:
        message = "holds a run of another experiment: it has no callbacks; choose another folder"
        raise RunError(folder.path, message)
    if names and not callbacks and folder.finished:
        raise RunError(
            folder.path,
            f"holds a run of another experiment: it had callbacks ({', '.join(names)}); choose "
            "another folder, or read it with lrlab.load",
        )
