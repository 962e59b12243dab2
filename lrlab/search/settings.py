"""The numbers that a search decides by, with their units and where they come from.

Where a field names no other source, its value was chosen on the 35 pairs of problem and optimizer
of `experiments/finder_regret.py --full`; `ends`, `slack` and the kernel on 8 of these and 7 of 16
other pairs (`--outside`). What the values reach is in `experiments/README.md`, "How good are
learning-rate finders?".

Shares are shares of the gap: the metric before training minus the best mean score. A run is a lane
that is trained to the end; a decade is a factor of 10 in the learning rate.
"""

from __future__ import annotations

from typing import NamedTuple

from lrlab.core.tolerance import CONFIDENCE, TOLERANCE


class ValleyPriors(NamedTuple):
    """What is assumed of the valley that a curve is about (`lrlab.search.valley`): uniform in the
    logarithm between limits that no training is known to leave. None of these was fitted but the
    range of `residuals`."""

    widths: tuple[float, float] = (0.05, 4.0)
    """Decades that the bottom is wide, at least and at most."""
    walls: tuple[float, float] = (0.02, 200.0)
    """Shares per square decade: a wall that takes 2 decades to cost 8 %, to a cliff that costs 80 %
    within 15 % of the rate."""
    residuals: tuple[float, ...] = (0.003, 0.012, 0.048)
    """Shares: candidates for the standard deviation of the curve about its valley. Of 61 pairs of
    *checked* 43 % fit at most 0.006 best, 50 % 0.012 or 0.024, 7 % more (the mean of a pair's seeds
    at 4 rates a decade, by marginal likelihood): a shelf with a pit in it, for one."""
    residual_length: float = 0.5
    """Decades over which that is correlated."""
    base: float = 0.05
    """Share: standard deviation of the level of the bottom about the best score that was seen."""
    none: float = 0.2
    """The probability beforehand that a curve is no valley at all, but the Gaussian process that
    `Priors` alone describe."""
    around: float = 0.5
    """Decades about the best rate in which the sampling begins."""
    samples: int = 1000
    """Valleys of a round."""
    rounds: int = 6
    """Rounds after the first, at most; two or three do where seeds agree."""
    scales: int = 8
    """Choices of seed and noise scales that are averaged over: the likeliest."""
    scaled_lanes: int = 480
    """Lanes times such choices, at most (one choice at least): the time goes with both."""


class Priors(NamedTuple):
    """What the Gaussian process assumes of a curve before it sees a lane.

    Lists are candidates: they are averaged over with their marginal likelihood as weight, so a
    value matters only by the range that its list spans.
    """

    lengths: tuple[float, ...] = (0.3, 0.5, 0.8, 1.3)
    """Decades over which the mean curve is correlated; from a third of a decade (a cliff) to the
    width of a broad valley."""
    seed_length: float = 0.4
    """Decades over which what a seed adds is correlated. On 59 pairs of *checked* the differences
    of good rates between seeds fit 0.32 (`experiments/finder_regret_seeds.py`). Intervals are right
    as often with 0.3 as with 0.4, and less often with 1.0: seeds that agree by chance are then
    taken for certain."""
    seed_scales: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0)
    """Standard deviation of what a seed adds at one rate, in units of the measured spread."""
    noise_scales: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    """Standard deviation of a lane's noise, in units of the measured spread."""
    scale_factor: float = 4.0
    """One standard deviation of both scales about 1, as a factor (log-normal)."""
    offset: float = 0.01
    """Least standard deviation, as a share, of what a seed adds to all rates alike. Wide on
    purpose: rates are then compared within a seed (randomized blocks)."""
    offset_per_spread: float = 3.0
    """The same in units of the measured spread, where that is wider."""
    level: float = 0.7
    """Mean and standard deviation of the curve where nothing is known, in units of the cap: a rate
    that was not tried is assumed to be bad."""
    curves: int = 320
    """Curves that are drawn: a probability of 0.1 is then known to 0.02."""
    kernel_weight: float = 0.9
    """The curves are drawn from the kernels that together have this posterior weight."""
    valley: ValleyPriors = ValleyPriors()


class CliffPriors(NamedTuple):
    """What is assumed of where seeds diverge (`lrlab.search.cliff`)."""

    widths: tuple[float, ...] = (0.01, 0.03, 0.06, 0.1, 0.15)
    """Decades, standard deviations over seeds of the largest rate that trains. Of 17 pairs of
    *checked* where most seeds diverge at some rate, 10 and 90 % have 0.001 and 0.14: normals,
    fitted by likelihood to how many of the seeds of a record diverge at each rate above the
    best."""
    chance: float = 0.01
    """Share of the lanes that diverge, or survive, for other reasons."""


class PosteriorSettings(NamedTuple):
    """How lanes become possible curves, and curves a pick with its interval."""

    cap: float = 0.2
    """Share: regret saturates here (commit 5bbcedf), so that a cliff does not bend the valley
    beside it, and one lucky lane leaves the valley better than what trains nothing."""
    cap_per_spread: float = 4.0
    """The cap is at least so many spreads between seeds."""
    equivalence: tuple[float, float] = (0.005, 0.02)
    """Shares: two rates are equivalent where they differ by less than the spread between seeds,
    held within these limits."""
    failed: float = 0.5
    """Share: a lane that lost this much failed. The interval ends at the last rate that trained
    below it, as between them there may be a cliff; above a failure halfway to it. With halfway on
    both sides 10 % of the intervals of 20 runs held rates that cost three tolerances, now 3 % (30
    pairs of `checked`, 4 roots each)."""
    failed_spreads: float = 3.0
    """The same in spreads between seeds, where that is more: such a lane is only unlucky."""
    worst: float = 3.0
    """Tolerances that no rate of an interval may cost, for it to be right."""
    held: float = 0.5
    """Part of the good rates (in log) that it must hold for that."""
    least_good: float = 0.125
    """Decades that a set of good rates is wide at least: a third of the rate is no difference that
    anyone would tell."""
    ends: float = 1.25
    """Tolerances that the fit costs at the ends of the rates in whose middle the pick stands."""
    slack: float = 0.1
    """Tolerances that the pick may cost more than the least expected, to stand in the middle."""
    quantile: float = 0.9
    """"May be" means: in one of ten possible curves."""
    replication: float = 0.3
    """Decades within which the pick needs half the seeds of the rate that has most: one lucky seed
    does not beat a rate that was good with several."""
    clue: float = 0.3
    """The error of a lane that a rung cut, in units of the cap: curves cross, but seldom from far
    behind."""
    clue_above: float = 0.9
    """The same of a rate larger than the leader's: as the schedule falls, these gain most."""
    unknown_spread: float = 0.01
    """Share: the spread between seeds where no good rate has two."""
    spread_limits: tuple[float, float] = (0.003, 1e6)
    """Shares that a measured spread is held within: two or three seeds may agree by chance, and a
    larger number would overflow."""
    grid_per_decade: int = 20
    """Places of the grid: a step of 12 %."""
    max_lanes: int = 240
    """Lanes beyond which those of a rate are joined, and far rates left out: the Gaussian process
    costs the cube of their number."""
    priors: Priors = Priors()
    """What is assumed of the curves."""
    cliff: CliffPriors = CliffPriors()
    """What is assumed of where seeds diverge."""


class VerdictSettings(NamedTuple):
    """Where the line between two verdicts is drawn."""

    chance_gain: float = 0.03
    """What a network gains by chance, in standard deviations between seeds before training."""
    flat: float = 0.02
    """Share: rates that differ by less do not matter."""
    flat_span: tuple[float, float] = (1.0, 0.6)
    """Decades, and part of the decades that were tried: flatness is a matter of a range at least
    as wide as both."""
    noisy: float = 0.15
    """Share: where the pick may lose more, the answer is noisy, whatever the curve looks like."""
    acceptable: float = 0.05
    """Share, or the tolerance, where that is more: where the pick may lose more than a person would
    accept, an answer that is not at an edge is noisy, not interior."""
    noisy_unreplicated: float = 0.3
    """The same where no rate has two seeds, and the spread between seeds is a guess."""
    edge: float = 0.1
    """Decades: a curve whose best is this close to an end has it there."""
    edge_width: float = 0.5
    """Decades: a best at an end counts where any rate this far inside costs more than the
    tolerance."""
    edge_probability: float = 0.25
    """At an edge is what is there in so many of the possible curves."""
    seed_p_value: float = 0.01
    """Differences between rates that chance alone makes with a larger probability are noise (one-
    way analysis of variance; curves of learning rates fail this by orders of magnitude)."""
    negligible_spread: float = 0.05
    """Share: seeds that differ by less never make an answer noisy."""


class ScoutSize(NamedTuple):
    """How a budget of at least `budget` runs begins: so many `rates`, of which each of `rungs`,
    (part of a full run, rates kept at most), leaves some."""

    budget: float
    rates: int
    rungs: tuple[tuple[float, int], ...]


class SearchSettings(NamedTuple):
    """How a search spends its budget, and what it decides by."""

    tolerance: float = TOLERANCE
    """Share: what a rate may cost and be good enough."""
    confidence: float | None = CONFIDENCE
    """The probability that the pick is good enough, at which a search for one rate stops; None: it
    spends its whole budget."""
    interval_probability: float = 0.8
    """The probability that the interval is right, at which such a search stops; where the pick is
    sure and the interval is not, lanes go to its ends."""
    stated_probability: float = 0.95
    """The probability that the interval is right, which an answer states a coarser tolerance for
    (`Answer.resolved`) where the lanes leave less at the one asked for."""
    coarsest: float = 3.0
    """Such a tolerance is at most so many times the one asked for, or what is resolved of the pick,
    where that is more: beyond, it tells little."""
    least_doubt: float = 0.05
    """p (1 - p) of the probability p that a rate is good, below which a lane tells too little."""
    usual_confidence: float = CONFIDENCE
    """The probability that `Answer.resolved` holds with, where none is asked for."""
    default_budget: float = 40.0
    """Runs at most, where the user gives no number."""
    axes_budget: float = 24.0
    """The same for several rates, and for one with further lane axes."""
    combination_budget: float = 8.0
    """Runs that each further combination of lane axes adds to that."""
    scouts: tuple[ScoutSize, ...] = (
        ScoutSize(0.0, 12, ((0.05, 3), (0.25, 1))),
        ScoutSize(4.5, 12, ((0.1, 4), (0.25, 2))),
        ScoutSize(8.0, 14, ((0.1, 6), (0.3, 3))),
        ScoutSize(14.0, 16, ((0.1, 7), (0.3, 4))),
    )
    """By budget, ascending: two or three rates a decade, and half of the budget left."""
    scout_share: float = 0.75
    """Part of the budget that a scout costs at most; it starts fewer rates otherwise."""
    explorers: int = 1
    """Of the lanes that a rung keeps, so many stand in the middle of the larger rates that the
    leader's neighbors leave out: a second valley may lie there, and early losses do not show it."""
    explored_from: int = 4
    """Lanes that a rung must keep for that."""
    extensions: int = 2
    """How often the range is extended, where the best stands at an end."""
    extension_rates: int = 4
    """Rates of an extension, at most."""
    extension_cost: float = 1.5
    """Runs that must be left for each of them, so that an extension is not the end."""
    block_rates: int = 4
    """Rates in a block, which are compared on one seed."""
    confirmation_share: float = 0.8
    """Part of what the scout leaves that is kept for fresh seeds: seeds differ more than
    neighboring rates of one seed do, so many seeds with few rates each tell most."""
    confirmed_rates: int = 3
    """Leading rates that are trained with fresh seeds."""
    confirmed_seeds: int = 2
    """Fresh seeds in a confirmation, at most."""
    paired_budget: float = 6.0
    """Runs: with fewer left, the first block has the scout's seed, whose lanes it can be compared
    with; else another, which tells more."""
    same_rate: float = 0.07
    """Decades: a rate this close to one that was tried is that one, so that seeds come together."""
    finalists: int = 2
    """Combinations of lane axes that are refined and confirmed."""
    finalist_budget: float = 3.0
    """Runs for each finalist below which only fresh seeds are trained."""
    together_share: float = 0.5
    """Part of the budget that several learning rates are searched with together, as one scale with
    several ratios; the rest is for each rate by itself."""
    ratio_decades: float = 1.0
    """Decades between two ratios of rates: a rate by itself is searched that far on either side."""
    ratio_share: float = 0.7
    """Part of the widest ratio that ranges allow: beyond, lines of one ratio are short."""
    ratios: int = 5
    """Ratios to each further rate, at most."""
    ratio_budget: float = 2.2
    """Runs for each ratio below which fewer are looked at: what a small scout costs."""
    alone_decades: float = 1.0
    """Decades on either side of the point in which a rate is searched by itself."""
    alone_seeds: int = 100
    """How far apart the seeds of these searches are: those that chose the point flatter it."""
    least_alone: float = 3.0
    """Runs below which a rate is not searched by itself."""
    max_rounds: int = 40
    """Blocks and confirmations, at most: no budget that a person gives reaches it."""
    posterior: PosteriorSettings = PosteriorSettings()
    verdict: VerdictSettings = VerdictSettings()


DEFAULTS = SearchSettings()
