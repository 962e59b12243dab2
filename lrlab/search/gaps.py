"""What is said of a metric that is nan where lanes trained: which lanes, when, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.search.scores import Scores, outcomes


class Gaps(NamedTuple):
    """Evaluations of lanes that had not diverged, and how many of them are not finite.

    `seen` evaluations, `missing` of them not finite; `ended` lanes that trained to the end, `lost`
    of them without a finite value there, with `seeds` the seeds of these; `begun` lanes, `unknown`
    of them without a finite value before training; `kind` "nan", "infinite", or both.
    """

    seen: int
    missing: int
    ended: int
    lost: int
    seeds: tuple[int, ...]
    begun: int
    unknown: int
    kind: str


def gaps(parts: Sequence[Scores]) -> Gaps:
    """What the lanes of some training calls lack of their metric."""
    seen = missing = ended = lost = begun = unknown = 0
    seeds: set[int] = set()
    odd: list[np.ndarray] = []
    for part in parts:
        values, kinds = np.asarray(part.metric, np.float64), outcomes(part)
        going = np.isin(kinds, ("ok", "pruned"))
        reached = np.asarray(part.eval_steps)[:, None] <= np.asarray(part.steps_trained)
        reached &= going
        hole = reached & ~np.isfinite(values)
        seen, missing = seen + int(reached.sum()), missing + int(hole.sum())
        odd.append(values[hole])
        full = kinds == "ok"
        gone = full & hole[-1]
        ended, lost = ended + int(full.sum()), lost + int(gone.sum())
        seeds |= {int(seed) for seed in np.asarray(part.seed)[gone]}
        start = np.asarray(part.initial, np.float64)[kinds != "not_run"]
        begun, unknown = begun + len(start), unknown + int((~np.isfinite(start)).sum())
        odd.append(start[~np.isfinite(start)])
    strange = np.concatenate(odd) if odd else np.empty(0)
    both = bool(np.isnan(strange).any()), bool(np.isinf(strange).any())
    kind = "nan or infinite" if all(both) else "infinite" if both[1] else "nan"
    return Gaps(seen, missing, ended, lost, tuple(sorted(seeds)), begun, unknown, kind)


def nothing_known(parts: Sequence[Scores], metric: str) -> str | None:
    """Why nothing can be chosen by a metric although lanes trained on; None where it can."""
    found = gaps(parts)
    if found.begun and not found.ended and found.unknown == found.begun:
        return (
            f"Nothing trains: {metric} is {found.kind} before the first update, in all "
            f"{found.begun} lanes, so that no learning rate can help. Look at the loss, the "
            "initial parameters and the data."
        )
    if not found.ended or found.lost < found.ended:
        return None
    what = f"{metric} is {found.kind}"
    if found.missing == found.seen:
        when = f"at every evaluation of all {found.ended} lanes that trained to the end"
    else:
        when = (
            f"at the end of all {found.ended} lanes that trained to it, and at {found.missing} of "
            f"{found.seen} evaluations in all"
        )
    return (
        f"Nothing can be chosen by {metric}: {what} {when}. The training went on; look at what "
        f"computes {metric} (a division by zero, a class that is not in the split), or choose "
        "another metric."
    )


def remarks(parts: Sequence[Scores], metric: str) -> list[str]:
    """What is to be said of a metric that can be chosen by, but has gaps; a sentence each."""
    found, said = gaps(parts), []
    if found.lost:
        seeds = ", ".join(map(str, found.seeds[:6])) + (", ..." if len(found.seeds) > 6 else "")
        which = f"seed{'s' if len(found.seeds) > 1 else ''} {seeds}"
        said.append(
            f"{metric} is {found.kind} at the end of {found.lost} of {found.ended} lanes that "
            f"trained to it ({which}): they count as untrained."
        )
    elif found.missing:
        said.append(f"{metric} is {found.kind} at {found.missing} of {found.seen} evaluations.")
    if found.unknown:
        rest = (
            "what training gains is not known, and the difference between rates stands for it"
            if found.unknown == found.begun
            else "of these, lanes that diverge have no score"
        )
        which = (
            "every lane"
            if found.unknown == found.begun
            else (f"{found.unknown} of {found.begun} lanes")
        )
        said.append(f"{metric} is {found.kind} before training for {which}: {rest}.")
    return said
