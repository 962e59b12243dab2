"""A search in the log of the loss: its scores before, and its answer afterwards."""

from __future__ import annotations

import numpy as np

from lrlab.core.errors import FieldError
from lrlab.core.scale import LOG, in_words
from lrlab.core.text import JsonObject
from lrlab.search.scores import Scores
from lrlab.types import Answer


def named(metric: str) -> str:
    """What a sentence calls the metric whose log is searched.

    >>> named("valid_loss")
    'log valid_loss'
    """
    return f"log {metric}"


def logged(scores: Scores, metric: str) -> Scores:
    """The scores with the logarithms of their values.

    Raises:
        FieldError: the metric is to be maximized, or a value is not above 0.
    """
    if scores.direction != "min":
        raise FieldError(
            "scale",
            f'scale "log" is for losses, and {metric} is to be maximized: leave it at "gain", or '
            "take another metric",
        )
    for values in (scores.initial, scores.values):
        array = np.asarray(values)
        if (wrong := array[np.isfinite(array) & (array <= 0)]).size:
            raise FieldError(
                "scale",
                f'scale "log" needs losses above 0, and {metric} reached {float(wrong.min()):.4g}: '
                'leave it at "gain", or add to the loss what keeps it positive',
            )
    with np.errstate(invalid="ignore"):
        return scores._replace(
            values=np.log(np.asarray(scores.values)), initial=np.log(np.asarray(scores.initial))
        )


def unlogged(answer: Answer, metric: str) -> Answer:
    """The answer of a search in the log: scores are losses again, and the scale is said.

    In `details` the scores, `initial`, `best_score` and the fit are losses; shares and spreads
    (`gap`, `noise`, `regret`) stay those of the log.
    """
    evidence = tuple({**row, "scores": _losses(row["scores"])} for row in answer.evidence)
    details: JsonObject = {**answer.details, "scale": LOG}
    for name in ("initial", "best_score"):
        if details.get(name) is not None:
            details[name] = float(np.exp(details[name]))
    if details.get("fit") is not None:
        losses = {name: np.exp(details["fit"][name]) for name in ("mean", "low", "high")}
        limit = details["fit"]["limit"]
        details["fit"] = {
            **details["fit"],
            **losses,
            "limit": None if limit is None else float(np.exp(limit)),
        }
    if details.get("final") is not None:
        details["final"] = {**details["final"], "scores": _losses(details["final"]["scores"])}
    return answer._replace(
        sentence=f"{answer.sentence} {in_words(LOG, metric)}",
        metric=metric,
        evidence=evidence,
        details=details,
    )


def _losses(scores: list[float | None]) -> list[float | None]:
    return [None if score is None else float(np.exp(score)) for score in scores]
