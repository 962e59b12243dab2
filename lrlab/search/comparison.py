"""Two or more settings, each at its own best learning rate: who wins, by how much, how sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lrlab.search import statistics
from lrlab.types import Answer


class Row(NamedTuple):
    """One setting at its own best rate; `scores` by seed (the metric's own sign)."""

    name: str
    answer: Answer
    scores: dict[int, float]
    mean: float
    sensitivity: float  # nan where too few rates were trained to the end


class Comparison(NamedTuple):
    """What `compare` found; rows from best to worst. `versus`: name -> the best minus this one,
    paired by seed, nan where fewer than two seeds are shared. Print it."""

    metric: str
    direction: str
    rows: tuple[Row, ...]
    versus: Mapping[str, statistics.Paired | None]
    run: str | None = None

    @property
    def winner(self) -> str | None:
        """The setting with the best mean, where every other is worse beyond the 95 % interval."""
        if not self.rows:
            return None
        sure = all(pair is not None and pair.difference.high < 0 for pair in self.versus.values())
        return self.rows[0].name if sure or len(self.rows) == 1 else None

    @property
    def sentence(self) -> str:
        """Who wins and how sure that is."""
        if not self.rows:
            return "No setting trains."
        best = self.rows[0]
        if len(self.rows) == 1:
            return f"Only {best.name} trains: {self.metric} {best.mean:.4g}."
        second = self.rows[1]
        pair = self.versus.get(second.name)
        if pair is None:
            return (
                f"{best.name} is ahead ({self.metric} {best.mean:.4g} against {second.name}'s "
                f"{second.mean:.4g}), but they share fewer than two seeds: nothing is sure."
            )
        low, high = abs(pair.difference.high), abs(pair.difference.low)
        if self.winner is not None or pair.difference.high < 0:
            return (
                f"{best.name} wins: {self.metric} {best.mean:.4g} against {second.name}'s "
                f"{second.mean:.4g}; better by {min(low, high):.2g} to {max(low, high):.2g} "
                f"(95 %, paired by seed)."
            )
        return (
            f"No clear winner: {best.name} ({best.mean:.4g}) and {second.name} ({second.mean:.4g}) "
            "cannot be told apart with these seeds."
        )

    def payload(self) -> dict[str, Any]:
        """The JSON object of `lrlab compare`."""
        return {
            "run": self.run,
            "metric": self.metric,
            "winner": self.winner,
            "sentence": self.sentence,
            "entries": [
                {
                    "name": row.name,
                    "lr": row.answer.lr,
                    "interval": row.answer.interval,
                    "verdict": row.answer.verdict,
                    "mean": row.mean,
                    "cost": row.answer.cost,
                    "sensitivity": row.sensitivity,
                    "run": row.answer.run,
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
                }
                for name, pair in self.versus.items()
            },
        }

    def __str__(self) -> str:
        lines = [f"{'':20}{'lr':>10}{self.metric:>14}{'cost':>8}  verdict"]
        for row in self.rows:
            lr = "-" if row.answer.lr is None else f"{row.answer.lr:.2g}"
            lines.append(
                f"{row.name:20}{lr:>10}{row.mean:>14.4g}{row.answer.cost:>8.1f}  "
                f"{row.answer.verdict}"
            )
        return "\n".join([*lines, self.sentence])


def compared(answers: Mapping[str, Answer], metric: str, direction: str) -> Comparison:
    """A comparison from each setting's answer (and the scores in its evidence)."""
    sign = 1.0 if direction == "min" else -1.0
    rows = [_row(name, answer, sign) for name, answer in answers.items()]
    rows.sort(key=lambda row: row.mean * sign if np.isfinite(row.mean) else np.inf)
    trained = [row for row in rows if np.isfinite(row.mean)]
    versus: dict[str, statistics.Paired | None] = {}
    for row in trained[1:]:
        shared = sorted(set(row.scores) & set(trained[0].scores))
        if len(shared) < 2:
            versus[row.name] = None
            continue
        a = [trained[0].scores[seed] * sign for seed in shared]
        b = [row.scores[seed] * sign for seed in shared]
        versus[row.name] = statistics.paired_comparison(a, b)
    return Comparison(metric, direction, tuple(rows), versus)


def _row(name: str, answer: Answer, sign: float) -> Row:
    scores: dict[int, float] = {}
    if answer.lr is not None:
        rows = [row for row in answer.evidence if any(s is not None for s in row["scores"])]
        # The pick may lie between tried rates: the nearer two, the one with more seeds.
        near = sorted(rows, key=lambda row: abs(np.log(row["lr"] / answer.lr)))[:2]
        best = max(near, key=lambda row: sum(s is not None for s in row["scores"]))
        scores = {
            seed: score
            for seed, score in zip(best["seeds"], best["scores"], strict=True)
            if score is not None
        }
    mean = float(np.mean(list(scores.values()))) if scores else float("nan")
    return Row(name, answer, scores, mean, _sensitivity(answer, sign))


def _sensitivity(answer: Answer, sign: float) -> float:
    pairs = [
        (row["lr"], np.mean([s for s in row["scores"] if s is not None]) * sign)
        for row in answer.evidence
        if any(s is not None for s in row["scores"])
    ]
    initial = answer.details.get("initial")
    if len(pairs) < 2 or initial is None:
        return float("nan")
    lr, score = (np.array(column) for column in zip(*pairs, strict=True))
    return statistics.learning_rate_sensitivity(
        lr, score, float(initial) * sign, float(lr.min()), float(lr.max())
    )
