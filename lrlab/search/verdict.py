"""Where a verdict is decided: what kind of answer trained lanes hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from lrlab.search import seed_effects
from lrlab.search.gaussian_process import saturated
from lrlab.search.posterior import Posterior
from lrlab.search.scores import Table
from lrlab.search.settings import DEFAULTS, VerdictSettings

INTERIOR, EDGE, FLAT, NOISY, NONE = "interior", "edge", "flat", "noisy", "none"

Nothing = Literal["unfinished", "diverged", "no_gain"]
"""Why the verdict is "none"."""


MOST_SEEDS = 9999
"""Seeds per rate, counted to here: more is as hopeless."""


def why_nothing(whole: Table, settings: VerdictSettings = DEFAULTS.verdict) -> Nothing | None:
    """Why no learning rate is to be recommended; None where one trains."""
    ran = whole.steps_trained > 0
    if not np.isfinite(whole.score).any() or not ran.any():
        return "unfinished"
    if whole.diverged[ran].all():
        return "diverged"
    return None if seed_effects.gains(whole, settings.chance_gain) else "no_gain"


def decide_verdict(
    whole: Table,
    posterior: Posterior,
    pick: int,
    tolerance: float,
    settings: VerdictSettings = DEFAULTS.verdict,
    sure: bool = False,
) -> str:
    """The verdict where some rate trains (`why_nothing` is None).

    In this order: "flat" where rates over a wide range are known to differ by little, and differ by
    next to nothing in the fit; "noisy" where one
    rate alone was trained, where the pick may lose so much that nothing is known, or where rates
    differ by no more than seeds do; "edge" where the best may well be at an end of what was tried;
    "noisy" where the pick may lose more than a person would accept; else "interior".

    Args:
        pick: the grid place of the learning rate to recommend.
        tolerance: share of the gap that a rate may cost.
        sure: whether pick and interval are as sure as a search is to be; then what seeds add to all
            rates alike hides nothing, as rates were compared within seeds.
    """
    rates = whole.lr[seed_effects.usable(whole)]
    span = np.log10(rates[-1] / rates[0])
    tried = np.log10(whole.lr[-1] / whole.lr[0])
    decades, part = settings.flat_span
    wide = span >= max(decades, part * tried)
    if (
        wide
        and flatness(whole, posterior) <= settings.flat
        and all_known(whole, posterior, settings)
    ):
        return FLAT
    # With seeds elsewhere and none near the best, a lane that is lucky may be all that is good.
    replicated = bool((np.isfinite(whole.score).sum(1) > 1).any())
    unknown, acceptable = (
        (settings.noisy, settings.acceptable)
        if replicated
        else (settings.noisy_unreplicated, settings.noisy_unreplicated)
    )
    loss = posterior.resolved(pick, posterior.settings.quantile)
    if len(rates) == 1 or loss > unknown or (not sure and seeds_explain(whole, settings)):
        return NOISY
    # Of all rates that were tried: those that a rung cut short were worse there.
    if at_edge(posterior, tolerance, settings):
        return EDGE
    return NOISY if loss > max(acceptable, tolerance) else INTERIOR


def flatness(whole: Table, posterior: Posterior) -> float:
    """What the rates that were trained to the end differ by in the fit, a share of the gap; inf
    where nothing was gained and they differ."""
    rates = np.log10(whole.lr[seed_effects.usable(whole)])
    apart = float(np.ptp(np.interp(rates, np.log10(posterior.lr), posterior.mean)))
    gap = seed_effects.gap(whole)
    return apart / gap if gap > 0 else 0.0 if apart <= 0 else float("inf")


def all_known(
    whole: Table, posterior: Posterior, settings: VerdictSettings = DEFAULTS.verdict
) -> bool:
    """Whether each rate that was trained to the end is known to cost no more, beside the best of
    them, than a person would accept: in so many of the possible curves as the posterior asks for,
    and by lanes whose mean is known as well. Where seeds differ much the fit is level too, as it
    knows nothing."""
    usable = seed_effects.usable(whole)
    seeds = np.median(np.isfinite(whole.score[usable]).sum(1))
    if posterior.spread / np.sqrt(seeds) > settings.acceptable:
        return False
    x = np.log10(posterior.lr)
    places = np.searchsorted(x, np.log10(whole.lr[usable]) - 1e-9)
    curves = posterior.curves[:, places]
    limit = saturated(np.array(settings.acceptable), posterior.cap)
    share = (curves - curves.min(1, keepdims=True) <= limit).mean(0)
    return bool(share.min() >= posterior.settings.quantile)


def at_edge(
    posterior: Posterior, tolerance: float, settings: VerdictSettings = DEFAULTS.verdict
) -> bool:
    """Whether the best of the rates that were tried may well be an end of them, and any rate
    further inside costs more than the tolerance: a plain may reach the end."""
    return edge_share(posterior, tolerance, settings) >= settings.edge_probability


def edge_share(
    posterior: Posterior, tolerance: float, settings: VerdictSettings = DEFAULTS.verdict
) -> float:
    """The part of the possible curves in which that is so, at the end where it is more."""
    x, least = np.log10(posterior.lr), posterior.curves.min(1)
    best, limit = x[posterior.curves.argmin(1)], saturated(np.array(tolerance), posterior.cap)
    ends = (
        (best < x[0] + settings.edge, x > x[0] + settings.edge_width),
        (best > x[-1] - settings.edge, x < x[-1] - settings.edge_width),
    )
    return max(
        float(
            (there & ((posterior.curves[:, inside].min(1, initial=np.inf) - least) > limit)).mean()
        )
        for there, inside in ends
    )


def seeds_explain(whole: Table, settings: VerdictSettings = DEFAULTS.verdict) -> bool:
    """Whether the rates' differences are no larger than what seeds alone would make.

    One-way analysis of variance over all rates that were trained to the end, those with one seed
    too: a search gives several seeds to the best rates alone, which are alike.
    """
    rows = whole.score[seed_effects.usable(whole)]
    groups = [row[np.isfinite(row)] for row in rows]
    if len(groups) < 3 or all(np.ptp(group) == 0 for group in groups):
        return False
    spread = np.concatenate([group - group.mean() for group in groups]).std()
    if spread == 0 or spread < settings.negligible_spread * seed_effects.gap(whole):
        return False
    return one_way(groups) > settings.seed_p_value


def one_way(groups: Sequence[np.ndarray]) -> float:
    """The p value of the hypothesis that all groups have one mean (one-way analysis of variance).

    `scipy.stats.f_oneway` without the second that importing `scipy.stats` takes.

    >>> round(one_way([np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 5.0])]), 4)
    0.2746
    """
    from scipy.special import fdtrc

    whole = np.concatenate(groups)
    between = sum(len(group) * (group.mean() - whole.mean()) ** 2 for group in groups)
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    above, below = len(groups) - 1, len(whole) - len(groups)
    return float(fdtrc(above, below, (between / above) / (within / below)))


def seeds_needed(whole: Table, resolved: float, tolerance: float) -> int:
    """Seeds per rate that would tell `tolerance` where those trained tell `resolved` (shares of the
    gap): errors shrink as one over the square root of the seeds."""
    seeds = int(np.isfinite(whole.score).sum(1).max())
    return int(min(MOST_SEEDS, max(seeds + 1, np.ceil(seeds * (resolved / tolerance) ** 2))))
