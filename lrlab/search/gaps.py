"""What is said of a metric that is nan where lanes trained: which lanes, when, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrlab.core.records import NOT_RUN, OK, PRUNED
from lrlab.core.text import counted
from lrlab.search.scores import Scores


class Gaps(NamedTuple):
    """Evaluations of lanes that had not diverged, and how many of them are not finite.

    `seen` evaluations, `missing` of them not finite; `ended` lanes that trained to the end, `lost`
    of them without a finite value there, with `seeds` the seeds of these; `started` lanes,
    `unknown` of them without a finite value before training; `kind` "nan", "infinite", or both.
    """

    seen: int
    missing: int
    ended: int
    lost: int
    seeds: tuple[int, ...]
    started: int
    unknown: int
    kind: str


def gaps(parts: Sequence[Scores]) -> Gaps:
    """What the lanes of some training calls lack of their metric."""
    seen = missing = ended = lost = started = unknown = 0
    seeds: set[int] = set()
    odd: list[np.ndarray] = []
    for part in parts:
        values = np.asarray(part.values, np.float64)
        reached = np.asarray(part.eval_steps)[:, None] <= np.asarray(part.steps_trained)
        reached &= np.isin(part.outcome, (OK, PRUNED))
        hole = reached & ~np.isfinite(values)
        seen, missing = seen + int(reached.sum()), missing + int(hole.sum())
        full = np.asarray(part.outcome) == OK
        gone = full & hole[-1]
        ended, lost = ended + int(full.sum()), lost + int(gone.sum())
        seeds |= {int(seed) for seed in np.asarray(part.seed)[gone]}
        start = np.asarray(part.initial, np.float64)[np.asarray(part.outcome) != NOT_RUN]
        bad = start[~np.isfinite(start)]
        started, unknown = started + len(start), unknown + len(bad)
        odd += [values[hole], bad]
    strange = np.concatenate(odd) if odd else np.empty(0)
    both = bool(np.isnan(strange).any()), bool(np.isinf(strange).any())
    kind = "nan or infinite" if all(both) else "infinite" if both[1] else "nan"
    return Gaps(seen, missing, ended, lost, tuple(sorted(seeds)), started, unknown, kind)


def nothing_known(parts: Sequence[Scores], metric: str) -> str | None:
    """Why nothing can be chosen by a metric although lanes trained on; None where it can."""
    lack = gaps(parts)
    if lack.started and not lack.ended and lack.unknown == lack.started:
        return (
            f"Nothing trains: {metric} is {lack.kind} before the first update, in all "
            f"{counted(lack.started, 'lane')}, so that no learning rate can help. Look at "
            "the loss, the initial parameters and the data."
        )
    if not lack.ended or lack.lost < lack.ended:
        return None
    what = f"{metric} is {lack.kind}"
    if lack.missing == lack.seen:
        when = f"at every evaluation of all {counted(lack.ended, 'lane')} that trained to the end"
    else:
        when = (
            f"at the end of all {counted(lack.ended, 'lane')} that trained to it, and at "
            f"{lack.missing} of {counted(lack.seen, 'evaluation')} in all"
        )
    return (
        f"Nothing can be chosen by {metric}: {what} {when}. The training went on; look at what "
        f"computes {metric} (a division by zero, a class that is not in the split), or choose "
        "another metric."
    )


def remarks(parts: Sequence[Scores], metric: str) -> list[str]:
    """What is to be said of a metric that can be chosen by, but has gaps; a sentence each."""
    lack, sentences = gaps(parts), []
    if lack.lost:
        seeds = ", ".join(map(str, lack.seeds[:6])) + (", ..." if len(lack.seeds) > 6 else "")
        which = f"seed{'s' if len(lack.seeds) > 1 else ''} {seeds}"
        sentences.append(
            f"{metric} is {lack.kind} at the end of {lack.lost} of "
            f"{counted(lack.ended, 'lane')} that trained to it ({which}): they count as untrained."
        )
    elif lack.missing:
        seen = counted(lack.seen, "evaluation")
        sentences.append(f"{metric} is {lack.kind} at {lack.missing} of {seen}.")
    if lack.unknown:
        every = lack.unknown == lack.started
        rest = (
            "what training gains is not known, and the difference between rates stands for it"
            if every
            else "of these, lanes that diverge have no score"
        )
        which = "every lane" if every else f"{lack.unknown} of {counted(lack.started, 'lane')}"
        sentences.append(f"{metric} is {lack.kind} before training for {which}: {rest}.")
    return sentences
