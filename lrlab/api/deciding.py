"""What a search decided at its rungs, also where a run goes on past them: decided again, in order.

A search that goes on reads finished stages from its folder, and unfinished ones from their last
commit on. Its decisions before that are made again from what is stored, so that they are in the
answer's record, and so that the clock's readings (`recording.clock_of`) come in their old order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lrlab.search.scores import Scores, outcomes
from lrlab.types import Trained

Decide = Callable[[int, Scores], np.ndarray]


def in_order(
    rungs: Sequence[int], decide: Decide, scores_of: Callable[[Trained], Scores]
) -> tuple[Callable[[int, Trained], np.ndarray], Callable[[Trained], None]]:
    """(what the engine asks at a rung, what is to be called at the end of the stage): between them
    `decide` is called once for each rung that any lane reached, in order."""
    done: set[int] = set()

    def before(end: float, trained: Trained) -> None:
        for step in sorted({*rungs} - done):
            if step < end and (np.asarray(trained.steps_trained) >= step).any():
                done.add(step)
                decide(step, as_of(scores_of(trained), step))

    def live(step: int, trained: Trained) -> np.ndarray:
        before(step, trained)
        done.add(step)
        return decide(step, scores_of(trained))

    return live, lambda trained: before(float("inf"), trained)


def as_of(scores: Scores, step: int) -> Scores:
    """The scores as they were at update `step`, before the decision there.

    >>> late = Scores(np.ones(3), np.zeros(3, int), np.ones((2, 3)), np.array([5, 9]), np.ones(3),
    ...               np.array(["ok", "pruned", "diverged"]), np.array([-1, -1, 7]),
    ...               np.array([9, 5, 8]), 9)
    >>> early = as_of(late, 5)
    >>> early.outcome.tolist(), early.steps_trained.tolist(), early.diverged_at.tolist()
    (['not_run', 'not_run', 'not_run'], [5, 5, 5], [-1, -1, -1])
    """
    kinds, at = outcomes(scores), np.asarray(scores.diverged_at)
    trained, broken = np.asarray(scores.steps_trained), (at >= 0) & (at < step)
    pruned = (kinds == "pruned") & (trained < step)
    known = np.asarray(scores.eval_steps)[:, None] <= step
    return scores._replace(
        metric=np.where(known, np.asarray(scores.metric), np.nan),
        outcome=np.where(broken, "diverged", np.where(pruned, "pruned", "not_run")),
        diverged_at=np.where(broken, at, -1),
        steps_trained=np.minimum(trained, step),
    )
