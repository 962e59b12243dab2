"""Two or more settings, each at its own best learning rate: who wins, by how much, how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrlab.core.frames import data_frame
from lrlab.core.records import Direction
from lrlab.core.scale import GAIN, LOG
from lrlab.core.scale import in_words as scale_words
from lrlab.core.score import LAST
from lrlab.core.score import in_words as score_words
from lrlab.core.text import JsonObject, counted
from lrlab.core.views import view
from lrlab.search import statistics
from lrlab.search.best_of import pair_level
from lrlab.search.differences import TIE_SHARE, digits
from lrlab.search.entries import Row, behind, gain_of, loss, row_of, scale_of
from lrlab.search.naming import in_words
from lrlab.types import Answer, interval_of

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

MANY_SEEDS = 1000
"""Seeds that nobody trains: beyond so many a comparison does not say how many would tell."""


class Comparison(NamedTuple):
    """What `compare` found; rows from best to worst. `versus`: name -> the best minus this one,
    paired by seed, None where fewer than two seeds are shared; below 0 the best is better, also of
    a metric to be maximized, and in `scale` "log" it is of the logarithms. All its intervals hold
    at once with 95 %, the picking of the best included (`lrlab.search.best_of.pair_level`). Print
    it."""

    metric: str
    direction: Direction
    rows: tuple[Row, ...]
    versus: Mapping[str, statistics.Paired | None]
    run: str | None = None
    scale: str = GAIN

    @property
    def score(self) -> str | None:
        """What of a lane's evaluations counts (`lrlab.core.score`); None where entries differ."""
        scores = {str(row.answer.details.get("score", LAST)) for row in self.rows}
        return scores.pop() if len(scores) == 1 else None if scores else LAST

    @property
    def winner(self) -> str | None:
        """The setting with the best mean, where every other is worse beyond its interval."""
        if not self.rows or not np.isfinite(self.rows[0].mean):
            return None
        sure = all(pair is not None and pair.difference.high < 0 for pair in self.versus.values())
        return self.rows[0].name if sure or len(self.rows) == 1 else None

    @property
    def sentence(self) -> str:
        """Who wins and how sure that is, and whose learning rate nothing reads."""
        idle = [row.name for row in self.rows if "lr" in row.answer.details.get("unread", ())]
        text = self._verdict()
        if self.score not in (LAST, None):
            text += f" Judged by {score_words(str(self.score), self.metric)}."
        if self.scale == LOG:
            text += f" {scale_words(LOG, self.metric)}"
        if not idle:
            return text
        return (
            f"{text} The learning rate is not used by {', '.join(idle)}: all its curves "
            "are the same to the bit."
        )

    def _title(self, row: Row) -> str:
        """A setting in the sentence; with its score, where others have another one."""
        if self.score is not None:
            return row.title
        return f"{row.title} [{score_words(row.answer.details.get('score', LAST), self.metric)}]"

    def _verdict(self) -> str:
        trained = [row for row in self.rows if np.isfinite(row.mean)]
        if not trained:
            lost = [row for row in self.rows if row.answer.details.get("metric_missing")]
            return lost[0].answer.sentence if lost else "No setting trains."
        best = trained[0]
        shown = self.digits()
        if len(trained) == 1:
            return f"Only {self._title(best)} trains: {self.metric} {best.mean:.{shown}g}."
        beaten, undecided = [], []
        for row in trained[1:]:
            pair = self.versus.get(row.name)
            title = self._title(row)
            if pair is None:
                undecided.append(f"{title} (fewer than two seeds in common)")
            elif pair.difference.high < 0:
                beaten.append(f"{title} by {self._behind(pair)}")
            else:
                undecided.append(f"{title} ({self._apart(pair)}{self._seeds_words(row)})")
        chance = f", the best with probability {best.probability:.2f}"
        chance = chance if np.isfinite(best.probability) else ""
        ahead = f"{self._title(best)} ({self.metric} {best.mean:.{shown}g}{chance})"
        if not undecided:
            won = f"{self._title(best)} wins: {self.metric} {best.mean:.{shown}g}"
            return f"{won}, better than {', '.join(beaten)}{self._sure()}."
        text = f"No clear winner: {ahead} is ahead, but cannot be told from {', '.join(undecided)}"
        tail = f"; it beats {', '.join(beaten)}" if beaten else ""
        return f"{text}{tail}{self._sure()}."

    def _behind(self, pair: statistics.Paired) -> str:
        low, high = behind(pair.difference[1:], self.scale)
        if self.scale == LOG:
            return f"a factor of {low:.3g} to {high:.3g}"
        return f"{low:.2g} to {high:.2g}"

    def _apart(self, pair: statistics.Paired) -> str:
        """How far an entry that may be as good as the best may be from it, either way."""
        if pair.difference.low == pair.difference.high == 0:
            return "the same on every seed"
        low, high = behind(pair.difference[1:], self.scale)
        if self.scale == LOG:
            return f"from a factor of {1 / low:.3g} better to {high:.3g} worse"
        return f"from {-low:.2g} better to {high:.2g} worse"

    def _sure(self) -> str:
        others = sum(pair is not None for pair in self.versus.values())
        if not others:
            return ""
        return f" (95 %{' for all together' if others > 1 else ''}, paired by seed)"

    def _seeds_words(self, row: Row) -> str:
        """How many seeds would tell a setting from the best, by the difference that is seen."""
        pair = self.versus[row.name]
        best, mine = (self._losses(one, self._shared(row)) for one in (self.rows[0], row))
        apart = np.subtract(best, mine)
        if pair is None or pair.difference.value == 0 or np.ptp(apart) == 0:
            return ""
        wanted = abs(float(np.mean(apart)))
        count = statistics.seeds_needed(apart, wanted, pair.confidence)
        if count <= len(apart):  # so many by Student's t, but the differences are skewed
            return ""
        return f"; about {count} seeds would tell" if count <= MANY_SEEDS else ""

    def _losses(self, row: Row, seeds: Sequence[int]) -> list[float]:
        return losses_of(row, seeds, self.direction, self.scale)

    def _shared(self, row: Row) -> list[int]:
        return sorted(set(row.scores) & set(self.rows[0].scores))

    def digits(self) -> int:
        """Significant digits that tell the settings' means apart."""
        return digits([loss(row.mean, self.direction, GAIN) for row in self.rows], 4)

    def payload(self) -> JsonObject:
        """The JSON object of `lrlab compare`."""
        return {
            "run": self.run,
            "metric": self.metric,
            **({} if self.score in (LAST, None) else {"score": self.score}),
            **({} if self.scale == GAIN else {"scale": self.scale}),
            "winner": self.winner,
            "sentence": self.sentence,
            "entries": [
                {
                    "name": row.name,
                    "lr": row.answer.lr,
                    "interval": row.answer.interval,
                    "verdict": row.answer.verdict,
                    "mean": row.mean,
                    "probability_best": row.probability,
                    "cost": row.answer.cost,
                    "sensitivity": row.sensitivity,
                    "run": row.answer.run,
                    **({"at": row.answer.details["at"]} if row.answer.details.get("at") else {}),
                }
                for row in self.rows
            ],
            "versus": {
                name: None
                if pair is None
                else {
                    "difference": pair.difference.value,
                    "interval": [pair.difference.low, pair.difference.high],
                    "p_value": pair.p_value,
                    "effect_size": pair.effect_size,
                    "confidence": pair.confidence,
                }
                for name, pair in self.versus.items()
            },
        }

    def to_pandas(self, per: str = "setting") -> pandas.DataFrame:
        """One row per setting, best first: its rate with its interval, mean, probability to be the
        best, and the best minus it, paired by seed; `per` "seed": one row per setting and seed
        with its score.

        Raises:
            ImportError: pandas is not installed. ValueError: another `per`.
        """
        return data_frame(view("comparison_columns")(self, per))

    def plot(self, theme: str = "light") -> Figure:
        """Score against learning rate of every setting, with its answer.

        Raises:
            ValueError: no such theme.
        """
        return view("comparison_figure")(self, theme)

    def _repr_html_(self) -> str:
        return view("comparison_card")(self)

    def __repr__(self) -> str:
        means = ", ".join(f"{row.name} {row.mean:.{self.digits()}g}" for row in self.rows[:6])
        more = f", {len(self.rows) - 6} more" if len(self.rows) > 6 else ""
        return f"Comparison({self.metric}: {means}{more}; winner: {self.winner or 'none'})"

    def __str__(self) -> str:
        head = f"{'':16}{'lr':>9}{'as good':>18}{self.metric:>14}{'+-':>9}{'if off':>9}{'cost':>7}"
        head += f"{'P best':>8}"
        lines, shown = [head + "  verdict"], self.digits()
        for row in self.rows:
            answer = row.answer
            lr = "-" if answer.lr is None else f"{answer.lr:.2g}"
            range_, ends = "-", interval_of(answer)
            if ends is not None:
                range_ = f"{ends[0]:.2g} - {ends[1]:.2g}"
            error = "-"
            if len(row.scores) > 1:
                around = statistics.mean_interval(self._losses(row, list(row.scores)))
                half = (around.high - around.low) / 2
                error = f"x{np.exp(half):.2g}" if self.scale == LOG else f"{half:.2g}"
            chance = "-" if np.isnan(row.probability) else f"{row.probability:.2f}"
            lines.append(
                f"{row.name:16}{lr:>9}{range_:>18}{row.mean:>14.{shown}g}{error:>9}"
                f"{row.sensitivity:>9.2g}{answer.cost:>7.1f}{chance:>8}  {answer.verdict}"
                + (f", {in_words(answer.details['at'])}" if answer.details.get("at") else "")
            )
        seeds = max((len(row.scores) for row in self.rows), default=0)
        note = (
            f"+-: 95 % interval of the {'geometric ' * (self.scale == LOG)}mean over "
            f"{counted(seeds, 'seed')}. if off: how much worse "
            "with a rate up to half a decade off. cost: full-length runs, search included. P best: "
            "the probability that its mean over all seeds is the best."
        )
        return "\n".join([*lines, note, self.sentence])


def compared(answers: Mapping[str, Answer], metric: str, direction: Direction) -> Comparison:
    """A comparison from each setting's answer (and the scores in its evidence)."""
    scale = scale_of(answers.values())
    rows = [row_of(name, answer, direction, scale) for name, answer in answers.items()]
    rows.sort(key=lambda row: loss(row.mean, direction, scale) if trains(row) else np.inf)
    trained = [row for row in rows if trains(row)]
    tie = TIE_SHARE * max((gain_of(row, scale) for row in trained), default=0.0)
    versus: dict[str, statistics.Paired | None] = {}
    for row in trained[1:]:
        shared = sorted(set(row.scores) & set(trained[0].scores))
        if len(shared) < 2:
            versus[row.name] = None
            continue
        a, b = (losses_of(one, shared, direction, scale) for one in (trained[0], row))
        # Floors that are reached to the last digit, or nearly, are the same floor.
        b = [x if abs(y - x) <= tie else y for x, y in zip(a, b, strict=True)]
        level = pair_level(len(trained), len(shared))
        versus[row.name] = statistics.paired_comparison(a, b, level)
    rows = _with_probabilities(rows, direction, scale, tie)
    return Comparison(metric, direction, tuple(rows), versus, scale=scale)


def trains(row: Row) -> bool:
    """Whether there is a score to compare."""
    return bool(np.isfinite(row.mean))


def losses_of(row: Row, seeds: Sequence[int], direction: str, scale: str) -> list[float]:
    """The scores of some seeds, to be minimized."""
    return [loss(row.scores[seed], direction, scale) for seed in seeds]


def _with_probabilities(rows: list[Row], direction: Direction, scale: str, tie: float) -> list[Row]:
    """The rows with the probability of each to be the best, from the seeds that all share. Scores
    that differ from the best row's by no more than `tie` are the same."""
    trained = [row for row in rows if trains(row)]
    shared = sorted(set.intersection(*(set(row.scores) for row in trained))) if trained else []
    if len(shared) < 2 or len(trained) < 2:
        return rows
    losses = np.array([losses_of(row, shared, direction, scale) for row in trained])
    losses = np.where(np.abs(losses - losses[0]) <= tie, losses[0], losses)
    chances = statistics.probability_best(losses)
    named = dict(zip((row.name for row in trained), chances.tolist(), strict=True))
    return [row._replace(probability=named.get(row.name, 0.0)) for row in rows]
