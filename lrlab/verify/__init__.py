"""Published results, reproduced on this machine: `run`, `payload`, `write_html`.

To add a case: a file with a function that returns a `Verdict`, and a line in `CASES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lrlab.cluster.calls import Called, called, timed
from lrlab.core.remote import Ray
from lrlab.core.synonyms import did_you_mean
from lrlab.core.text import JsonObject
from lrlab.verify.verdict import Verdict

CASES: dict[str, str] = {
    "quadratic-laws": "lrlab.verify.quadratic_laws:case",
    "edge-of-stability": "lrlab.verify.edge_of_stability:case",
    "adaptive-edge": "lrlab.verify.adaptive_edge:case",
    "deepobs-sgd": "lrlab.verify.deepobs:case",
    "schedule-bound": "lrlab.verify.schedule_bound:case",
    "noisy-quadratic": "lrlab.verify.noisy_quadratic:case",
    "catapult": "lrlab.verify.catapult:case",
    "linear-decay": "lrlab.verify.linear_decay:case",
    "sgd-risk": "lrlab.verify.sgd_risk:case",
    "noise-scale": "lrlab.verify.noise_scale:case",
    "fractal": "lrlab.verify.fractal:case",
    "mup-transfer": "lrlab.verify.mup_transfer:case",
    "batch-linear": "lrlab.verify.noisy_quadratic:linear",
}
"""Name -> "module:function"."""


def run(
    only: str | Sequence[str] | None = None,
    ended: Callable[[Verdict], None] | None = None,
    begins: Callable[[str], None] | None = None,
    on: Ray | None = None,
) -> list[Verdict]:
    """Runs the cases named in `only` (default: all), in order; `on`: each at a worker of a Ray
    cluster, several at the same time.

    `begins` hears the name of each case as it begins, `ended` its verdict as it ends.

    A case that raises is a verdict that failed, with the error as what was measured.

    Raises:
        ValueError: a name that is not in `CASES`; no such cluster.
    """
    names, verdicts = named(only), {}
    for name, value, error, seconds in _cases(names, begins or (lambda name: None), on):
        if error is not None:  # one broken case must not hide the others
            measured = f"{type(error).__name__}: {error}"
            value = Verdict(name, "the case runs", None, measured, "no error", False)
        verdicts[name] = value._replace(seconds=round(seconds, 3))
        if ended is not None:
            ended(verdicts[name])
    return [verdicts[name] for name in names]


def _cases(names: Sequence[str], begins: Callable[[str], None], on: Ray | None) -> Iterator[Called]:
    """The cases as they end, by name."""
    if on is not None:
        known = {CASES[name]: name for name in names}
        for one in called(on, list(known), lambda place: begins(known[place])):
            yield one._replace(place=known[one.place])
        return
    for name in names:
        begins(name)
        yield timed(CASES[name])._replace(place=name)


def named(only: str | Sequence[str] | None = None) -> list[str]:
    """The names in `only`, each once and in that order; all for None.

    Raises:
        ValueError: a name that is not in `CASES`, with the nearest that is.

    >>> named("fractal")
    ['fractal']
    """
    names = list(CASES) if only is None else [only] if isinstance(only, str) else list(only)
    for name in names:
        if name not in CASES:
            hint = did_you_mean(name, CASES)
            raise ValueError(f"no case {name!r}{hint} (known: {', '.join(CASES)})")
    return list(dict.fromkeys(names))


def payload(verdicts: Sequence[Verdict]) -> JsonObject:
    """What `lrlab verify --json` prints: `passed`, and each case without figure and source."""
    hidden = ("figure", "source")
    cases = [
        {name: value for name, value in verdict._asdict().items() if name not in hidden}
        for verdict in verdicts
    ]
    return {"passed": all(verdict.passed for verdict in verdicts), "cases": cases}


def write_html(verdicts: Sequence[Verdict], path: str | Path) -> Path:
    """Writes one self-contained page with a figure for each claim."""
    from lrlab.verify.page import page

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(verdicts), encoding="utf-8")
    return path
