"""What results and answers come from: the weights of their lanes, and the methods behind them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from lrlab.core.axes import RATE_PREFIX
from lrlab.core.weights import Weights, place_of
from lrlab.engine.standalone import lane_optimizer, lane_schedule
from lrlab.types import Answer, Problem, PyTree

if TYPE_CHECKING:
    from optax import GradientTransformationExtraArgs, Schedule

Trees: TypeAlias = Callable[[Sequence[np.ndarray], int], tuple[PyTree, PyTree]]
"""`(arrays of a lane, seed) -> (parameters, the rest)`, with frozen parameters in their places."""


HELD_BYTES = 256 << 20
"""Weights of no more bytes are held once they were read from a run folder; larger ones are read
again for every lane."""


class Methods(NamedTuple):
    """How lanes were trained: `problem`, the scalars that all lanes share, and which of a lane's
    rates is the one that an answer is about."""

    problem: Problem
    hyper: Mapping[str, float]
    rate: str = "lr"


class Origin:
    """Where lanes and methods of a result are.

    A class, and not part of what makes two answers equal: the same numbers are the same answer,
    wherever they are from. Nothing is read or put together before it is asked for.

    `weights`: what is kept, stage by stage; `trees`: puts a lane's arrays to their places;
    `labels`: axis -> the names that its values count.
    """

    def __init__(
        self,
        weights: Callable[[], Sequence[Weights]],
        trees: Callable[[], Trees],
        methods: Callable[[], Methods],
        labels: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._read, self._methods = weights, methods
        self._trees = functools.cache(trees)
        self._held: Sequence[Weights] | None = None
        self._labels = dict(labels or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin)

    def __hash__(self) -> int:
        return hash(Origin)

    def __copy__(self) -> Origin:
        return self

    def __deepcopy__(self, memo: object) -> Origin:
        return self

    def __reduce__(self) -> tuple[Callable[[], Origin], tuple[()]]:
        """A result that is pickled leaves functions and weights behind: its numbers arrive."""
        return _elsewhere, ()

    def lane(self, wanted: Mapping[str, float | str]) -> tuple[PyTree, PyTree]:
        """(parameters, the rest) of the lane with these values.

        Raises:
            KeyError: no such lane, or several; says which values there are.
        """
        parts = self._weights()
        numbers = self.numbers(wanted)
        counts = [len(part.axes["seed"]) for part in parts]
        axes = {name: np.concatenate([p.axes[name] for p in parts]) for name in parts[0].axes}
        place = place_of(axes, numbers)
        part = int(np.searchsorted(np.cumsum(counts), place, side="right"))
        return self._tree(parts[part], place - sum(counts[:part]))

    def numbers(self, wanted: Mapping[str, float | str]) -> dict[str, float]:
        """The values as numbers.

        Raises:
            KeyError: a name that no value of its axis has.
        """
        return {name: self._number(name, value) for name, value in wanted.items()}

    def confirmed(self, answer: Answer) -> dict[int, tuple[PyTree, PyTree]]:
        """Seed -> (parameters, the rest) of the lanes that stand for an answer; see `nearest`."""
        lanes = self.nearest(answer)[1]
        return {seed: self._tree(*lanes[seed]) for seed in sorted(lanes)}

    def nearest(
        self, answer: Answer
    ) -> tuple[float | Mapping[str, float], dict[int, tuple[Weights, int]]]:
        """The rate (of several the point, by name) that was trained to the end and is nearest to an
        answer's, of the nearer two the one with more seeds; and its lanes by seed.

        Raises:
            ValueError: no rate is recommended, or nothing is kept there.
        """
        if answer.lr is None:
            raise ValueError(f"there is no rate to give weights of: {answer.sentence}")
        at = {name: self._number(name, v) for name, v in (answer.details.get("at") or {}).items()}
        lanes: dict[tuple[float, ...], dict[int, tuple[Weights, int]]] = {}
        for part in self._weights():
            columns = _columns(part.axes, answer.lr, at)
            rates = np.stack([np.asarray(part.axes[name], np.float64) for name in columns], 1)
            match = (np.isfinite(rates) & (rates > 0)).all(1)
            for name, value in at.items():
                match &= np.isclose(part.axes[name], value, rtol=1e-6, atol=0)
            for number in np.flatnonzero(match):
                near = [one for one in lanes if np.allclose(one, rates[number], rtol=1e-9, atol=0)]
                point = near[0] if near else tuple(rates[number].tolist())
                lanes.setdefault(point, {})[int(part.axes["seed"][number])] = part, int(number)
        if not lanes:
            raise ValueError("no lane of this answer finished with weights that are kept")
        several = answer.lr if isinstance(answer.lr, Mapping) else {}
        pick = np.array(list(several.values()) or [answer.lr], np.float64)
        nearest = sorted(lanes, key=lambda point: float(np.abs(np.log(point / pick)).sum()))[:2]
        best = max(nearest, key=lambda point: len(lanes[point]))
        point = dict(zip(several, best, strict=True)) if several else best[0]
        return point, lanes[best]

    def schedule(self, answer: Answer, name: str | None = None) -> Schedule:
        """The learning rate of every update at an answer; see `Answer.schedule`."""
        methods, rate = self._methods(), None
        if isinstance(answer.lr, Mapping):
            if name not in answer.lr:
                said = "several rates" if name is None else f"no rate {name!r}"
                raise ValueError(
                    f"the answer has {said}: write schedule(NAME), of {', '.join(answer.lr)}"
                )
            rate = f"{RATE_PREFIX}{name}"
        elif name is not None:
            raise ValueError(f"the answer has one rate, and none is named {name!r}")
        return lane_schedule(methods.problem, self._scalars(answer), rate or methods.rate)

    def optimizer(self, answer: Answer) -> GradientTransformationExtraArgs:
        """The optimizer at an answer; see `Answer.optimizer`."""
        return lane_optimizer(self._methods().problem, self._scalars(answer))

    def _scalars(self, answer: Answer) -> dict[str, float]:
        if answer.lr is None:
            raise ValueError(f"there is no rate to train with: {answer.sentence}")
        at = {name: self._number(name, v) for name, v in (answer.details.get("at") or {}).items()}
        methods = self._methods()
        if isinstance(answer.lr, Mapping):
            named = {f"{RATE_PREFIX}{name}": float(rate) for name, rate in answer.lr.items()}
            return {**methods.hyper, **named, **at}
        return {**methods.hyper, methods.rate: float(answer.lr), **at}

    def _weights(self) -> Sequence[Weights]:
        """What is kept, read once where it is small."""
        parts = self._read() if self._held is None else self._held
        if sum(leaf.nbytes for part in parts for leaf in part.leaves) <= HELD_BYTES:
            self._held = parts
        return parts

    def _tree(self, part: Weights, number: int) -> tuple[PyTree, PyTree]:
        return self._trees()(part.lane(number), int(part.axes["seed"][number]))

    def _number(self, name: str, value: Any) -> float:
        """The number of a value; one that counts names may be given by its name."""
        if not isinstance(value, str):
            return float(value)
        names = list(self._labels.get(name, ()))
        if value not in names:
            listed = f"; there are {', '.join(names)}" if names else ""
            raise KeyError(f"{name} has no value {value!r}{listed}")
        return float(names.index(value))


def _columns(
    axes: Mapping[str, np.ndarray], lr: float | Mapping[str, float], at: Mapping[str, float]
) -> list[str]:
    """The axes that an answer's rates are on."""
    if isinstance(lr, Mapping):
        return [f"{RATE_PREFIX}{name}" for name in lr]
    return [_rate_of(axes, at)]


def _rate_of(axes: Mapping[str, np.ndarray], at: Mapping[str, float]) -> str:
    """The axis that an answer's rate is on, whatever order the axes were read in: `lr`, or of
    several rates the one that does not stand beside it.

    >>> _rate_of({"kl": np.zeros(1), "lr": np.ones(1), "seed": np.zeros(1)}, {"kl": 0.0})
    'lr'
    """
    if "lr" in axes:
        return "lr"
    return next(name for name in axes if name.startswith(RATE_PREFIX) and name not in at)


def _elsewhere() -> Origin:
    """The origin of what came from another process."""

    def refuse() -> Any:
        raise ValueError(
            "this came from another process with its numbers alone: train with out = FOLDER there, "
            "and lrlab.load(FOLDER), or the same call again, gives the rest"
        )

    return Origin(refuse, refuse, refuse)
