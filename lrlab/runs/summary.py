"""`summary.json`: what a finished run came to, in one typed shape with a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lrlab.core.errors import RunError
from lrlab.core.files import json_object, read_json, write_json
from lrlab.core.paths import resolved
from lrlab.core.text import JsonObject, Table
from lrlab.types import Answer

VERSION = 1
"""Of the file; files from before there was a number count as the first."""

FILE = "summary.json"


class Summary(BaseModel):
    """The end of a run: the answer's fields, and what else its command reports.

    A sweep has `best`, `lanes`, `diverged`; a comparison and a study have an object of their own,
    with `sentence` and `cost` as here. None stands for what a command does not report.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    version: int = VERSION
    run: str | None = None
    metric: str | None = None
    seconds: float | None = None
    lr: float | dict[str, float] | None = None
    interval: tuple[float, float] | dict[str, tuple[float, float]] | None = None
    verdict: str | None = None
    sentence: str | None = None
    confidence: float | None = None
    tolerance: float | None = None
    resolved: float | None = None
    cost: float | None = None
    evidence: list[JsonObject] = []
    largest_stable: float | None = None
    details: JsonObject = {}
    best: JsonObject | None = None

    def payload(self, path: Path, fields: tuple[str, ...] = ()) -> JsonObject:
        """The JSON object that the run ended with: `fields` of it that there are; all, for none."""
        content = self.model_dump(mode="json", exclude_unset=True, exclude={"version"})
        kept = {name: content[name] for name in fields if name in content} or content
        return {**kept, "run": str(path)}

    def answer(self, metric: str, run: str) -> Answer:
        """The answer of a sweep or a search."""
        return Answer(
            self.lr, self.interval, str(self.verdict), str(self.sentence), metric,
            float(self.cost or 0.0), tuple(self.evidence), self.largest_stable, self.details, run,
            confidence=self.confidence, tolerance=self.tolerance, resolved=self.resolved,
        )  # fmt: skip


def mean_scores(evidence: Iterable[Table], mode: str) -> list[tuple[float, float]]:
    """(learning rate, mean score over its seeds) of an answer's evidence, ascending; of further
    axes the best combination's. `mode`: "min" or "max".

    >>> mean_scores([{"lr": 0.1, "scores": [1.0, 3.0]}, {"lr": 0.01, "scores": [None]}], "min")
    [(0.1, 2.0)]
    """
    best: dict[float, float] = {}
    better = max if mode == "max" else min
    for entry in evidence:
        seen = [float(score) for score in entry.get("scores") or () if score is not None]
        lr = entry.get("lr")
        if seen and isinstance(lr, (int, float)) and lr > 0:
            mean = sum(seen) / len(seen)
            best[float(lr)] = better(best.get(float(lr), mean), mean)
    return sorted(best.items())


def best_mean(content: Table, mode: str) -> float | None:
    """The best mean score over seeds that a run measured, from its `summary.json`; None for what
    has none. An answer's own estimate may lie beyond it."""
    inner = content.get("best")
    evidence = inner.get("evidence") if isinstance(inner, Mapping) else None
    means = [mean for _, mean in mean_scores(evidence or content.get("evidence") or (), mode)]
    return (max if mode == "max" else min)(means) if means else None


def write_summary(folder: Path, content: Table) -> None:
    """Writes `summary.json`, checked against `Summary`.

    Raises:
        ValidationError: a field of another type (a mistake in lrlab).
    """
    model = Summary.model_validate({"version": VERSION, **json_object(content)})
    write_json(folder / FILE, model.model_dump(mode="json", exclude_unset=True))


def read_summary(folder: str | Path) -> Summary:
    """The summary of a finished run.

    Raises:
        RunError: missing, damaged, or of a newer version.
    """
    place = resolved(folder) / FILE
    content = read_json(place)
    try:
        summary = Summary.model_validate(content)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise RunError(place, f"damaged (at {field})") from None
    if summary.version > VERSION:
        raise RunError(place, f"written by a newer lrlab (version {summary.version}); update lrlab")
    return summary
