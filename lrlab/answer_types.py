"""An answer: the learning rate to train with, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from lrlab.core.brief import rounded
from lrlab.core.frames import data_frame
from lrlab.core.text import Table
from lrlab.core.views import view
from lrlab.task_types import PyTree

if TYPE_CHECKING:  # commands that train nothing do without it
    import pandas
    from matplotlib.figure import Figure
    from optax import GradientTransformationExtraArgs, Schedule


class AnswerOrigin(Protocol):
    """Where an answer's weights and methods are; `lrlab.results.origin`."""

    def confirmed(self, answer: Answer) -> dict[int, tuple[PyTree, PyTree]]:
        """Seed -> (parameters, the rest) of the lanes that stand for the answer."""
        ...

    def schedule(self, answer: Answer, name: str | None = None) -> Schedule:
        """The learning rate of every update."""
        ...

    def optimizer(self, answer: Answer) -> GradientTransformationExtraArgs:
        """The optimizer with that schedule."""
        ...


Interval = tuple[float, float]
"""The lowest and the highest learning rate that cost at most the tolerance."""


class Answer(NamedTuple):
    """The recommended learning rate with its evidence; see `lrlab.search.answer`.

    Where several rates were searched (one per parameter group, or per optimizer of a step task),
    `lr`, `interval` and the rates of the `evidence` are dicts by name; see
    `lrlab.search.find_rates`.
    """

    lr: float | Mapping[str, float] | None
    interval: Interval | Mapping[str, Interval] | None
    verdict: str  # interior | edge | flat | noisy | none
    sentence: str
    metric: str
    cost: float  # full-length lanes
    evidence: tuple[Table, ...]  # rows: lr, scores per seed, steps, outcome per seed
    largest_stable: float | None = None
    details: Mapping[str, Any] = {}
    run: str | None = None
    origin: AnswerOrigin | None = None
    # Probability that lr costs at most the tolerance: 0 where no other rate was trained, or
    # the best is at the end of what was; None where none trains.
    confidence: float | None = None
    tolerance: float | None = None  # share of what training gains, as asked for
    resolved: float | None = None  # the smallest that the lanes tell; the interval's, if larger

    def params(self, seed: int | None = None) -> PyTree:
        """The parameters of the confirmed lanes, a dict seed -> tree; with `seed` that one's tree.

        The lanes are those at the rate that was trained to the end and is nearest to `lr` (of the
        two around it the one with more seeds), after the last update, or at the best evaluation
        (`keep = "best"`). The trees are whole: frozen parameters are in their places. Of a task
        with a step of its own they are its states.

        Raises:
            ValueError: nothing is kept, or no rate is recommended. KeyError: no such seed.
        """
        trees = {
            seed: rest if isinstance(tree, tuple) and tree == () else tree
            for seed, (tree, rest) in self._origin().confirmed(self).items()
        }
        if seed is None:
            return trees
        if seed not in trees:
            raise KeyError(
                f"no confirmed lane has seed {seed}; there are {', '.join(map(str, trees))}"
            )
        return trees[seed]

    def schedule(self, name: str | None = None) -> Schedule:
        """An Optax schedule: update -> learning rate, as a lane at `lr` has it; of several rates
        that of the one named. After the run's length it stays what it was at the last update.

        Raises:
            ValueError: no rate is recommended; of several no such one is named.
        """
        return self._origin().schedule(self, name)

    def optimizer(self) -> GradientTransformationExtraArgs:
        """The optimizer with that schedule, an Optax transformation: a loop of one's own with it
        makes the updates that a lane at `lr` makes. Methods that read the loss get it by
        `update(grads, state, params, value=loss)`, line searches `value_fn` too.

        Raises:
            ValueError: no rate is recommended.
        """
        return self._origin().optimizer(self)

    def to_pandas(self) -> pandas.DataFrame:
        """What it rests on, a row per rate and seed that was tried: `lr` (of several rates
        `lr_<name>` each), `seed`, `score` (nan: pruned), `steps`, `outcome`.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(view("answer_columns")(self))

    def plot(self, theme: str = "light") -> Figure:
        """Score against learning rate: every seed, the fitted curve with its band, the interval.
        Of several rates each has a panel. A notebook shows it where it is a cell's last value.

        Raises:
            ValueError: no such theme.
        """
        return view("answer_figure")(self, theme)

    def _repr_html_(self) -> str:
        return view("answer_card")(self)

    def _origin(self) -> AnswerOrigin:
        if self.origin is None:
            raise ValueError(
                "this answer has only its numbers: it is not from sweep, find, compare or load"
            )
        return self.origin

    def __repr__(self) -> str:
        lr, ends = rounded(self.lr, 4), rounded(self.interval, 3)
        return (
            f"Answer(lr={lr}, interval={ends}, verdict={self.verdict!r}, metric={self.metric!r}, "
            f"cost={self.cost:.4g})"
        )

    def __str__(self) -> str:
        return self.sentence


def rate_of(answer: Answer) -> float | None:
    """The learning rate of an answer about one."""
    assert not isinstance(answer.lr, Mapping)
    return answer.lr


def interval_of(answer: Answer) -> Interval | None:
    """The interval of an answer about one learning rate."""
    assert not isinstance(answer.interval, Mapping)
    return answer.interval
