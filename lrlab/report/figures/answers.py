"""Figures of answers and comparisons that are in memory: score against learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.text import Table, number
from lrlab.core.tolerance import is_informative, level_in_words
from lrlab.report.content import tidy
from lrlab.report.figures import style
from lrlab.search import Comparison
from lrlab.types import Answer, interval_of, rate_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_RATES = 6
"""Panels of an answer about several rates; more would not be read."""


def answer_figure(answer: Answer, theme: str = "light") -> Figure:
    """An answer: every seed's score, the fitted curve with its band, the interval and the pick; of
    several rates a panel each.

    Raises:
        ValueError: no such theme.
    """
    with style.use(theme):
        if isinstance(answer.lr, Mapping):
            return _several(answer, theme)
        fig = style.figure(6.8, 4.2)
        ax = fig.subplots()
        _panel(ax, answer, theme)
        ax.set_title(_title(answer))
        ax.set_xlabel("learning rate")
        ax.set_ylabel(style.label(answer.metric))
        fig.legend(loc="outside lower center", ncols=4, handlelength=1.8)
    return fig


def _several(answer: Answer, theme: str) -> Figure:
    """A panel per rate: the scores against that rate, its interval and pick."""
    assert isinstance(answer.lr, Mapping) and isinstance(answer.interval, Mapping)
    names = list(answer.lr)[:MOST_RATES]
    fig = style.figure(3.4 * len(names), 3.6)
    panels = np.atleast_1d(fig.subplots(1, len(names), sharey=True))
    for ax, name in zip(panels, names, strict=True):
        rows = tuple({**row, "lr": row["lr"][name]} for row in answer.evidence)
        one = answer._replace(
            lr=answer.lr[name], interval=answer.interval[name], evidence=rows, details={}
        )
        _panel(ax, one, theme)
        ax.set_title(f"{name}: {number(answer.lr[name])}")
        ax.set_xlabel(f"learning rate {name}")
    panels[0].set_ylabel(style.label(answer.metric))
    fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig


def _title(answer: Answer) -> str:
    lr, ends = rate_of(answer), interval_of(answer)
    if lr is None:
        return "No learning rate trains"
    text = f"Learning rate {number(lr, 2)}"
    if ends is None or ends[0] == ends[1] or not is_informative(answer.tolerance, answer.resolved):
        return text
    cost = f"costs at most {level_in_words(answer.tolerance, answer.resolved)}"
    return f"{text}; {number(ends[0], 2)} to {number(ends[1], 2)} {cost}"


def _panel(ax: Axes, answer: Answer, theme: str) -> None:
    colors = style.theme(theme)
    lr, scores, broken = _points(answer.evidence)
    fit, initial = tidy.fit_of(answer), answer.details.get("initial")
    ends, pick = interval_of(answer), rate_of(answer)
    if ends is not None and is_informative(answer.tolerance, answer.resolved):
        words = f"costs at most {level_in_words(answer.tolerance, answer.resolved)}"
        ax.axvspan(*ends, color=colors.accent, alpha=0.13, lw=0, label=words)
    if pick is not None:
        ax.axvline(pick, color=colors.accent, lw=1.6, label=f"recommended: {number(pick, 2)}")
    if fit:
        rates = fit["lr"]
        ax.fill_between(rates, fit["low"], fit["high"], color=colors.soft, alpha=0.2, lw=0)
        ax.plot(rates, fit["mean"], color=colors.ink, lw=1.6, label="fitted mean, 90 % band")
    done = np.isfinite(scores) & ~broken
    dots = {"ms": 3.5, "mew": 0, "color": style.OUTCOME_COLORS[theme]["ok"], "alpha": 0.8}
    ax.plot(lr[done], scores[done], "o", label="one seed", **dots)
    if broken.any():
        ax.plot(
            lr[broken], np.full(broken.sum(), 0.975), "x", ms=5, color=colors.danger,
            transform=ax.get_xaxis_transform(), label="diverged",
        )  # fmt: skip
    if initial is not None:
        ax.axhline(initial, color=colors.soft, lw=1, ls=(0, (4, 3)), label="before training")
    style.log_axis(ax, "x")
    seen = np.concatenate([scores[done], [initial] if initial is not None else []])
    if seen.size and seen.min() > 0 and seen.max() / seen.min() > 8:
        style.log_axis(ax, "y")


def _points(evidence: tuple[Table, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rates f64[N] above 0, scores f64[N], whether it diverged bool[N]) of every lane."""
    rows = [
        (float(row["lr"]), np.nan if score is None else float(score), end == "diverged")
        for row in evidence
        if row["lr"] > 0
        for score, end in zip(row["scores"], row["outcome"], strict=True)
    ]
    lr, scores, broken = np.array(rows, np.float64).reshape(-1, 3).T
    return lr, scores, broken.astype(bool)


def comparison_figure(comparison: Comparison, theme: str = "light") -> Figure:
    """A line of mean scores per setting, each with its interval shaded and its answer as a star.

    Raises:
        ValueError: no such theme.
    """
    with style.use(theme) as colors:
        fig = style.figure(6.8, 4.2)
        ax = fig.subplots()
        palette = style.CATEGORIES[theme]
        drawn = [row for row in comparison.rows if not isinstance(row.answer.lr, Mapping)]
        for number_, row in enumerate(drawn):
            color = palette[number_ % len(palette)]
            lr, scores, broken = _points(row.answer.evidence)
            done = np.isfinite(scores) & ~broken
            rates = np.unique(lr[done])
            here = [scores[done & (lr == one)] for one in rates]
            if not len(rates):
                continue
            means = np.array([some.mean() for some in here])
            low, high = ([end(some) for some in here] for end in (np.min, np.max))
            ax.fill_between(rates, low, high, color=color, alpha=0.14, lw=0)
            ax.plot(rates, means, color=color, marker="o", ms=3.5, lw=1.6, label=row.title)
            pick = rate_of(row.answer)
            if pick:
                at = np.interp(np.log(pick), np.log(rates), means)
                ax.plot(pick, at, "*", ms=13, color=color, mec=colors.paper, mew=1, zorder=5)
        style.log_axis(ax, "x")
        if drawn:
            tops = [row.answer.details.get("initial") for row in drawn]
            tops = [top for top in tops if top is not None]
            low, high = ax.get_ylim()
            if tops and comparison.direction == "min":
                high = min(high, max(tops) * 1.05)
            ax.set_ylim(low, high)
            if low > 0 and high / low > 8:
                style.log_axis(ax, "y")
        ax.set_title(f"{style.label(comparison.metric).capitalize()} against learning rate")
        ax.set_xlabel("learning rate")
        ax.set_ylabel(f"mean {style.label(comparison.metric)}")
        ax.plot([], [], "*", ms=10, color=colors.soft, label="recommended")
        fig.legend(loc="outside lower center", ncols=4)
    return fig
