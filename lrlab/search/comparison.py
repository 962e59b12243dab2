"""Two or more settings, each at its own best learning rate: who wins, by how much, how sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lrlab.core.brief import fields_of
from lrlab.core.frames import data_frame
from lrlab.core.records import Direction
from lrlab.core.score import LAST
from lrlab.core.score import in_words as score_words
from lrlab.core.text import JsonObject, counted
from lrlab.core.views import view
from lrlab.search import statistics
from lrlab.search.best_of import pair_level
from lrlab.search.differences import TIE_SHARE, digits
from lrlab.search.naming import in_words
from lrlab.search.scores import as_loss
from lrlab.types import Answer, interval_of, rate_of

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

HALF_DECADE = float(np.sqrt(10.0))
"""The sensitivity looks at rates from the pick / this to the pick * this, one decade in all, as
Wortsman et al. 2023 do per decade."""

MANY_SEEDS = 1000
"""Seeds that nobody trains: beyond so many a comparison does not say how many would tell."""


class Row(NamedTuple):
    """One setting at its own best rate; `scores` by seed (the metric's own sign); `probability`
    that its mean over all seeds is the best one, nan where fewer than two seeds are shared."""

    name: str
    answer: Answer
    scores: dict[int, float]
    mean: float
    sensitivity: float  # nan where too few rates were trained to the end
    probability: float = float("nan")

    @property
    def title(self) -> str:
        """The name, with the further values that its search chose."""
        at = self.answer.details.get("at")
        return f"{self.name} with {in_words(at)}" if at else self.name

    def __repr__(self) -> str:
        return fields_of(self)


class Comparison(NamedTuple):
    """What `compare` found; rows from best to worst. `versus`: name -> the best minus this one,
    paired by seed, None where fewer than two seeds are shared. All its intervals hold at once with
    95 %, the picking of the best included (`lrlab.search.best_of.pair_level`). Print it."""

    metric: str
    direction: Direction
    rows: tuple[Row, ...]
    versus: Mapping[str, statistics.Paired | None]
    run: str | None = None

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
            if pair is None:
                undecided.append(f"{self._title(row)} (fewer than two seeds in common)")
            elif pair.difference.high < 0:
                low, high = -pair.difference.high, -pair.difference.low
                beaten.append(f"{self._title(row)} by {low:.2g} to {high:.2g}")
            else:
                low, high = -pair.difference.high, -pair.difference.low
                more = self._seeds_words(row)
                undecided.append(
                    f"{self._title(row)} (from {-low:.2g} better to {high:.2g} worse{more})"
                )
        chance = f", the best with probability {best.probability:.2f}"
        chance = chance if np.isfinite(best.probability) else ""
        ahead = f"{self._title(best)} ({self.metric} {best.mean:.{shown}g}{chance})"
        if not undecided:
            won = f"{self._title(best)} wins: {self.metric} {best.mean:.{shown}g}"
            return f"{won}, better than {', '.join(beaten)} ({self._sure()})."
        text = f"No clear winner: {ahead} is ahead, but cannot be told from {', '.join(undecided)}"
        tail = f"; it beats {', '.join(beaten)}" if beaten else ""
        return f"{text}{tail} ({self._sure()})."

    def _sure(self) -> str:
        others = sum(pair is not None for pair in self.versus.values())
        return "95 % for all together, paired by seed" if others > 1 else "95 %, paired by seed"

    def _seeds_words(self, row: Row) -> str:
        """How many seeds would tell a setting from the best, by the difference that is seen."""
        pair = self.versus[row.name]
        apart = [self.rows[0].scores[s] - row.scores[s] for s in self._shared(row)]
        if pair is None or np.ptp(apart) == 0 or np.mean(apart) == 0:
            return ""
        wanted = abs(float(np.mean(apart)))
        count = statistics.seeds_needed(apart, wanted, pair.confidence)
        if count <= len(apart):  # so many by Student's t, but the differences are skewed
            return ""
        return f"; about {count} seeds would tell" if count <= MANY_SEEDS else ""

    def _shared(self, row: Row) -> list[int]:
        return sorted(set(row.scores) & set(self.rows[0].scores))

    def digits(self) -> int:
        """Significant digits that tell the settings' means apart."""
        return digits([as_loss(row.mean, self.direction) for row in self.rows], 4)

    def payload(self) -> JsonObject:
        """The JSON object of `lrlab compare`."""
        return {
            "run": self.run,
            "metric": self.metric,
            **({} if self.score in (LAST, None) else {"score": self.score}),
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
                around = statistics.mean_interval(list(row.scores.values()))
                error = f"{(around.high - around.low) / 2:.2g}"
            chance = "-" if np.isnan(row.probability) else f"{row.probability:.2f}"
            lines.append(
                f"{row.name:16}{lr:>9}{range_:>18}{row.mean:>14.{shown}g}{error:>9}"
                f"{row.sensitivity:>9.2g}{answer.cost:>7.1f}{chance:>8}  {answer.verdict}"
                + (f", {in_words(answer.details['at'])}" if answer.details.get("at") else "")
            )
        seeds = max((len(row.scores) for row in self.rows), default=0)
        note = (
            f"+-: 95 % interval of the mean over {counted(seeds, 'seed')}. if off: how much worse "
            "with a rate up to half a decade off. cost: full-length runs, search included. P best: "
            "the probability that its mean over all seeds is the best."
        )
        return "\n".join([*lines, note, self.sentence])


def compared(answers: Mapping[str, Answer], metric: str, direction: Direction) -> Comparison:
    """A comparison from each setting's answer (and the scores in its evidence)."""
    rows = [_row(name, answer, direction) for name, answer in answers.items()]
    rows.sort(key=lambda row: as_loss(row.mean, direction) if np.isfinite(row.mean) else np.inf)
    trained = [row for row in rows if np.isfinite(row.mean)]
    tie = TIE_SHARE * max((_gain(row) for row in trained), default=0.0)
    versus: dict[str, statistics.Paired | None] = {}
    for row in trained[1:]:
        shared = sorted(set(row.scores) & set(trained[0].scores))
        if len(shared) < 2:
            versus[row.name] = None
            continue
        a = [as_loss(trained[0].scores[seed], direction) for seed in shared]
        b = [as_loss(row.scores[seed], direction) for seed in shared]
        # Floors that are reached to the last digit, or nearly, are the same floor.
        b = [x if abs(y - x) <= tie else y for x, y in zip(a, b, strict=True)]
        level = pair_level(len(trained), len(shared))
        versus[row.name] = statistics.paired_comparison(a, b, level)
    return Comparison(metric, direction, _with_probabilities(rows, direction, tie), versus)


def _with_probabilities(rows: list[Row], direction: Direction, tie: float) -> tuple[Row, ...]:
    """The rows with the probability of each to be the best, from the seeds that all share. Scores
    that differ from the best row's by no more than `tie` are the same."""
    trained = [row for row in rows if np.isfinite(row.mean)]
    shared = sorted(set.intersection(*(set(row.scores) for row in trained))) if trained else []
    if len(shared) < 2 or len(trained) < 2:
        return tuple(rows)
    losses = np.array([[as_loss(row.scores[s], direction) for s in shared] for row in trained])
    losses = np.where(np.abs(losses - losses[0]) <= tie, losses[0], losses)
    chances = statistics.probability_best(losses)
    named = dict(zip((row.name for row in trained), chances.tolist(), strict=True))
    return tuple(row._replace(probability=named.get(row.name, 0.0)) for row in rows)


def _gain(row: Row) -> float:
    """What training gains there; 0 where the start is not known."""
    initial = row.answer.details.get("initial")
    gain = abs(float(initial) - row.mean) if initial is not None else 0.0
    return gain if np.isfinite(gain) else 0.0


def _row(name: str, answer: Answer, direction: Direction) -> Row:
    final = answer.details.get("final") or _nearest(answer)
    scores = dict(zip(final["seeds"], final["scores"], strict=True))
    mean = float(np.mean(list(scores.values()))) if scores else float("nan")
    return Row(name, answer, scores, mean, _sensitivity(answer, direction))


def _nearest(answer: Answer) -> JsonObject:
    """Seeds and scores at the tried rate nearest to the pick; of the nearer two, the one with more
    seeds, since the pick may lie between tried rates."""
    rows = [row for row in answer.evidence if any(s is not None for s in row["scores"])]
    if answer.lr is None or not rows:
        return {"seeds": [], "scores": []}
    near = sorted(rows, key=lambda row: abs(np.log(row["lr"] / answer.lr)))[:2]
    best = max(near, key=lambda row: sum(s is not None for s in row["scores"]))
    pairs = list(zip(best["seeds"], best["scores"], strict=True))
    return {
        "seeds": [seed for seed, score in pairs if score is not None],
        "scores": [score for _, score in pairs if score is not None],
    }


def _sensitivity(answer: Answer, direction: Direction) -> float:
    """How much worse training is, in the mean, with a rate up to half a decade off the pick: the
    sensitivity of Wortsman et al. 2023 on the fitted curve, over one decade around the pick."""
    fit, initial = answer.details.get("fit"), answer.details.get("initial")
    pick = rate_of(answer)
    if pick is None or fit is None or initial is None:
        return float("nan")
    lr = np.asarray(fit["lr"], np.float64)
    low = max(float(lr.min()), pick / HALF_DECADE)
    high = min(float(lr.max()), pick * HALF_DECADE)
    if not low < high:
        return float("nan")
    score = as_loss(np.asarray(fit["mean"], np.float64), direction)
    start = as_loss(float(initial), direction)
    return statistics.learning_rate_sensitivity(lr, score, start, low, high)
