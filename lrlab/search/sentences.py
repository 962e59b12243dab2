"""What a person reads of an answer: what to do, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lrlab.core.text import counted, percent
from lrlab.search import seed_effects
from lrlab.search.scores import Table, as_loss
from lrlab.search.settings import DEFAULTS, VerdictSettings
from lrlab.search.verdict import EDGE, FLAT, INTERIOR, MOST_SEEDS, Nothing, seeds_explain


class Promised(NamedTuple):
    """What a sentence promises: the interval, the tolerance that was asked for and the one that is
    told (shares of the gap), and the probability that the rate is within the former."""

    interval: tuple[float, float]
    tolerance: float
    resolved: float
    confidence: float


def advice(
    verdict: str,
    lr: float,
    promised: Promised,
    whole: Table,
    metric: str,
    details: Mapping[str, Any],
    extended: bool,
    settings: VerdictSettings = DEFAULTS.verdict,
) -> str:
    """What a person should do where some rate trains."""
    interval, tolerance, resolved, confidence = promised
    seeds = int(np.isfinite(whole.score).sum(1).max())
    low, high = show(interval[0]), show(interval[1])
    end = ""
    broken = whole.lr[(whole.diverged & (whole.steps_trained > 0)).any(1)]
    if (broken > lr).any():
        end = f" At {show(broken[broken > lr].min())} training diverges for some seed."
    if verdict == INTERIOR:
        level = percent(max(tolerance, resolved))
        coarser = level != percent(tolerance)
        range_ = f"anything from {low} to {high} costs at most {level} more"
        if interval[0] == interval[1]:
            range_ = f"any other rate that was tried costs more than {level}"
        sure = f"{counted(seeds, 'seed')}, {percent(confidence)} sure"
        if coarser:
            sure += f" of {percent(tolerance)}"
        text = f"Train with learning rate {show(lr)}; {range_} ({sure})."
        if coarser:
            text += (
                f" Of the range, {level} is what {counted(seeds, 'seed')} can tell; "
                f"{needed(details['seeds_needed'])} would tell {percent(tolerance)}."
            )
        return f"{text}{end}"
    if verdict == FLAT:
        return (
            f"The learning rate does not matter here: anything from {show(whole.lr[0])} to "
            f"{show(whole.lr[-1])} gives {metric} within {100 * settings.flat:g} % of the best, of "
            f"what training gains; take {show(lr)}.{end}"
        )
    if verdict == EDGE:
        at = float(details["edge"])
        side, to, field = (
            ("smallest", "Lower", "lr_range[0]")
            if at <= whole.lr[0] * 1.5
            else ("largest", "Raise", "lr_range[1]")
        )
        after = ", although the range was extended" if extended else ""
        text = (
            f"The best rate tried, {show(lr)}, is the {side} one{after}: the true best may lie "
            "beyond."
        )
        if show(lr) != show(at):
            text = (
                f"The best may lie at {show(at)}, the {side} rate tried{after}, or beyond; so far "
                f"{show(lr)} is the best guess."
            )
        return f"{text} {to} that end of the range ({field}, or lr), or train longer.{end}"
    if seed_effects.usable(whole).sum() == 1:
        return (
            f"One rate alone was trained to the end, {show(lr)}: nothing is known of others. Sweep "
            f"several, or search with a budget of at least 5 full-length runs.{end}"
        )
    guess = f"{show(lr)} is the best guess"
    if seeds_explain(whole, settings):
        why = f"{metric} differs between seeds as much as between learning rates. {guess}"
    else:
        cost = details["regret"]  # of all that training gains, where it is 1 or more
        costs = f"cost {percent(cost)} more than the best" if cost < 1 else "gain nothing"
        why = f"{guess}, and may {costs}"
    settled = f"{needed(details['seeds_needed'])} seeds per rate would settle it"
    return f"Noise hides the answer: {why}; {settled}.{end}"


def nothing(reason: Nothing, whole: Table, metric: str) -> str:
    """What a person should do where no rate trains."""
    if reason == "unfinished":
        return "No learning rate was trained to the end, so there is nothing to recommend."
    ran = whole.steps_trained > 0
    span = f"from {show(whole.lr[0])} to {show(whole.lr[-1])}"
    if reason == "diverged":
        first = int(np.median(whole.diverged_at[ran & whole.diverged]))
        return (
            f"Nothing trains: every learning rate {span} diverged, half "
            f"of them by step {first}. Try far smaller rates, clip the gradient "
            "(optimizer.clip_norm), or check the loss and the scale of the inputs."
        )
    start = as_loss(seed_effects.mean_initial(whole), whole.direction)
    some = int(whole.diverged[ran].sum())
    also = f"; {some} of {int(ran.sum())} lanes diverged" if some else ""
    cut = len(whole.lr) - int(seed_effects.usable(whole).sum())
    if cut:  # nothing is known of how they would have ended
        also = f" ({cut} of {counted(len(whole.lr), 'rate')} ended at a rung){also}"
    return (
        f"Nothing trains: {metric} stays at {start:.4g} for every learning rate "
        f"{span}{also}. Look for a dead gradient (all-zero "
        "activations, a detached loss), labels that do not belong to the inputs, rates that "
        "are all too small, or too few steps."
    )


def needed(seeds: int) -> str:
    """How many seeds it takes, as far as they are counted.

    >>> needed(14), needed(9999)
    ('about 14', '9,999 or more')
    """
    return f"about {seeds}" if seeds < MOST_SEEDS else f"{MOST_SEEDS:,} or more"


def show(value: float) -> str:
    """A learning rate as a person writes it.

    >>> show(0.031622), show(1e-05), show(3.0)
    ('0.032', '1e-05', '3')
    """
    return f"{value:.2g}"
