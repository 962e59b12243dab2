"""What results and answers come from: the weights of their lanes, and the methods behind them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

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
        numbers = {name: self._number(name, value) for name, value in wanted.items()}
        counts = [len(part.axes["seed"]) for part in parts]
        axes = {name: np.concatenate([p.axes[name] for p in parts]) for name in parts[0].axes}
        place = place_of(axes, numbers)
        part = int(np.searchsorted(np.cumsum(counts), place, side="right"))
        return self._tree(parts[part], place - sum(counts[:part]))

    def confirmed(self, answer: Answer) -> dict[int, tuple[PyTree, PyTree]]:
        """Seed -> (parameters, the rest) of the lanes that stand for an answer; see `nearest`."""
        lanes = self.nearest(answer)[1]
        return {seed: self._tree(*lanes[seed]) for seed in sorted(lanes)}

    def nearest(self, answer: Answer) -> tuple[float, dict[int, tuple[Weights, int]]]:
        """The rate that was trained to the end and is nearest to an answer's, of the nearer two the
        one with more seeds; and its lanes by seed.

        Raises:
            ValueError: no rate is recommended, or nothing is kept there.
        """
        if answer.lr is None:
            raise ValueError(f"there is no rate to give weights of: {answer.sentence}")
        at = {name: self._number(name, v) for name, v in (answer.details.get("at") or {}).items()}
        lanes: dict[float, dict[int, tuple[Weights, int]]] = {}
        for part in self._weights():
            first = np.asarray(part.axes[_rate_of(part.axes, at)], np.float64)
            match = np.isfinite(first) & (first > 0)
            for name, value in at.items():
                match &= np.isclose(part.axes[name], value, rtol=1e-6, atol=0)
            for number in np.flatnonzero(match):
                near = [lr for lr in lanes if np.isclose(lr, first[number], rtol=1e-9, atol=0)]
                lr = near[0] if near else float(first[number])
                lanes.setdefault(lr, {})[int(part.axes["seed"][number])] = part, int(number)
        if not lanes:
            raise ValueError("no lane of this answer finished with weights that are kept")
        pick = float(answer.lr)
        nearest = sorted(lanes, key=lambda lr: abs(np.log(lr / pick)))[:2]
        best = max(nearest, key=lambda lr: len(lanes[lr]))
        return best, lanes[best]

    def schedule(self, answer: Answer) -> Schedule:
        """The learning rate of every update at an answer; see `Answer.schedule`."""
        methods = self._methods()
        return lane_schedule(methods.problem, self._scalars(answer), methods.rate)

    def optimizer(self, answer: Answer) -> GradientTransformationExtraArgs:
        """The optimizer at an answer; see `Answer.optimizer`."""
        return lane_optimizer(self._methods().problem, self._scalars(answer))

    def _scalars(self, answer: Answer) -> dict[str, float]:
        if answer.lr is None:
            raise ValueError(f"there is no rate to train with: {answer.sentence}")
        at = {name: self._number(name, v) for name, v in (answer.details.get("at") or {}).items()}
        methods = self._methods()
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


def _rate_of(axes: Mapping[str, np.ndarray], at: Mapping[str, float]) -> str:
    """The axis that an answer's rate is on, whatever order the axes were read in: `lr`, or of
    several rates the one that does not stand beside it.

    >>> _rate_of({"kl": np.zeros(1), "lr": np.ones(1), "seed": np.zeros(1)}, {"kl": 0.0})
    'lr'
    """
    if "lr" in axes:
        return "lr"
    return next(name for name in axes if name.startswith("lr_") and name not in at)


def _elsewhere() -> Origin:
    """The origin of what came from another process."""

    def refuse() -> Any:
        raise ValueError(
            "this came from another process with its numbers alone: train with out = FOLDER there, "
            "and lrlab.load(FOLDER), or the same call again, gives the rest"
        )

    return Origin(refuse, refuse, refuse)
