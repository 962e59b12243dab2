"""The figure of a run: the metric reached against the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.records import DIVERGED, NOT_RUN, OK, PRUNED
from lrlab.core.score import LAST
from lrlab.core.text import number
from lrlab.core.tolerance import is_informative, level_in_words
from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.figures import style
from lrlab.report.figures.range_test import row_height, strip
from lrlab.report.figures.style import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def loss_vs_lr(data: ReportData, theme: str = "light") -> Figure | None:
    """Points per seed, their mean, the interval, the recommended LR, and where training diverges.

    The line is the mean score, min(final, initial) with a diverged lane as its initial value (one
    line per value of a further lane axis); hollow points are lanes pruned before the end.
    """
    if style.is_ramp(data):
        return None
    metric = d.metric_of(data)
    with style.use(theme) as colors:
        picks = data.suggestions
        fig = style.figure(6.8, 4.2 + (row_height(len(picks)) if picks else 0))
        ax = below = fig.subplots()
        if picks:
            fig.clear()
            ratios = [3.4, row_height(len(picks))]
            ax, below = fig.subplots(2, 1, sharex=True, height_ratios=ratios)
        start = summary.initial(data, metric)
        start = float(np.nanmean(start)) if np.isfinite(start).any() else float("nan")
        _axes(ax, data, metric, start)
        _marks(ax, data, colors, start)
        _points(ax, data, metric, colors)
        _means(ax, data, metric, colors)
        if picks:
            strip(below, picks, colors, style.OUTCOME_COLORS[theme]["ok"])
            if data.suggested_by:
                below.set_title(f"rules on {data.suggested_by}", size=7.5, weight="normal", pad=3)
            answer = data.answer or {}
            if answer.get("lr"):
                below.axvline(answer["lr"], color=colors.accent, lw=1.6)
            if answer.get("interval"):
                below.axvspan(*answer["interval"], color=colors.accent, alpha=0.13, lw=0)
        ax.set_title(data.title or "Loss against learning rate")
        below.set_xlabel(f"peak {data.rate_name}")
        last = data.score == LAST
        ax.set_ylabel(f"final {style.label(metric)}" if last else d.judged_by(data, metric))
        fig.legend(loc="outside lower center", ncols=3, handlelength=1.8)
    return fig


def y_range(data: ReportData, metric: str, start: float) -> tuple[float, float, bool]:
    """(low, high, logarithmic): all means and the initial value, hopeless outliers cut."""
    means = np.array([row.mean for row in summary.lr_rows(data, metric)])
    values = summary.ended(data, metric)
    seen = np.concatenate([means, [start], values[np.isfinite(values)]])
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return 0.0, 1.0, False
    low, high = float(seen.min()), float(seen.max())
    if d.direction_of(data, metric) == "min" and np.isfinite(start):
        reached = float(np.nanmax(means)) if np.isfinite(means).any() else start
        high = min(high, max(start, reached) + 0.6 * abs(max(start, reached) - low))
    if low > 0 and high / low > 8:
        return low / 1.25, high * 1.25, True
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin, False


def _axes(ax: Axes, data: ReportData, metric: str, start: float) -> None:
    low, high, log = y_range(data, metric, start)
    ax.set_ylim(low, high)
    if log:
        style.log_axis(ax, "y")
    run = (data.record.outcome != NOT_RUN).reshape(len(data.lr), -1).any(axis=1)
    lr = data.lr[run] if run.any() else data.lr
    picks = np.concatenate([np.ravel(v) for v in data.suggestions.values()] or [lr])
    lr = np.concatenate([lr, picks[np.isfinite(picks) & (picks > 0)]])
    pad = (lr.max() / lr.min()) ** 0.03 if lr.max() > lr.min() else 2.0
    ax.set_xlim(lr.min() / pad, lr.max() * pad)
    style.log_axis(ax, "x")


def _marks(ax: Axes, data: ReportData, colors: Theme, start: float) -> None:
    answer = data.answer or {}
    levels = answer.get("tolerance"), answer.get("resolved")
    if answer.get("interval") and is_informative(*levels):
        low, high = answer["interval"]
        level = level_in_words(*levels)
        ax.axvspan(low, high, color=colors.accent, alpha=0.13, lw=0, label=f"costs at most {level}")
    if answer.get("lr"):
        text = f"recommended: {number(answer['lr'])}"
        ax.axvline(answer["lr"], color=colors.accent, lw=1.6, label=text)
    edge = summary.diverged_from(data)
    if edge is not None:
        right = ax.get_xlim()[1]
        below = data.lr[data.lr < edge]
        left = float(np.sqrt(edge * below.max())) if below.size else ax.get_xlim()[0]
        ax.axvspan(
            left, right, facecolor="none", edgecolor=colors.danger, hatch="///", alpha=0.35, lw=0,
            label="at least half the seeds diverge",
        )  # fmt: skip
    if np.isfinite(start):
        ax.axhline(start, color=colors.soft, lw=1, ls=(0, (4, 3)), label="before training")


def _points(ax: Axes, data: ReportData, metric: str, colors: Theme) -> None:
    cmap, norm = style.lr_scale(data.lr, colors)
    codes = data.record.outcome
    lr = np.broadcast_to(data.lr.reshape((-1,) + (1,) * (codes.ndim - 1)), codes.shape)
    low, high = ax.get_ylim()
    done = d.last_finite(d.curve(data, metric)[1])
    done = np.where(codes == OK, summary.ended(data, metric), done)
    for outcome in (PRUNED, OK):
        here = (codes == outcome) & np.isfinite(done)
        if not here.any():
            continue
        y, c = np.clip(done[here], low, high), cmap(norm(lr[here]))
        if outcome == OK:
            ax.scatter(lr[here], y, s=13, c=c, alpha=0.85, lw=0, zorder=3, label="one seed")
        else:
            ax.scatter(
                lr[here], y, s=11, facecolors="none", edgecolors=list(c), lw=0.8, alpha=0.7,
                zorder=2, label="pruned early",
            )  # fmt: skip
    here = codes == DIVERGED
    if here.any():
        ax.scatter(
            lr[here], np.full(here.sum(), 0.975), s=20, marker="x", c=colors.danger, lw=1.1,
            transform=ax.get_xaxis_transform(), zorder=4, label="diverged",
        )  # fmt: skip


def _means(ax: Axes, data: ReportData, metric: str, colors: Theme) -> None:
    lines: dict[tuple[tuple[str, float | str], ...], list[tuple[float, float]]] = {}
    for row in summary.lr_rows(data, metric):
        if np.isfinite(row.mean):
            lines.setdefault(tuple(row.extra.items()), []).append((row.lr, row.mean))
    sign = d.sign_of(data, metric)
    best = min(lines, key=lambda extra: min(sign * y for _, y in lines[extra]), default=())
    place = summary.answer_place(data)
    if place is not None:  # what is recommended, though few seeds may have made another mean better
        said = zip(data.extra.items(), place, strict=True)
        said = tuple((name, values[k].item()) for (name, values), k in said)
        best = said if said in lines else best
    for count, (extra, points) in enumerate(lines.items()):
        x, y = np.array(points).T
        shade = 1.0 if extra == best else 0.55 - 0.35 * count / max(len(lines) - 1, 1)
        named = ", ".join(f"{k} {number(v)}" for k, v in extra)
        name = (named if len(lines) <= 8 or extra == best else None) if named else "mean over seeds"
        width = 1.8 if extra == best else 1.0
        ax.plot(x, y, color=colors.ink, alpha=shade, lw=width, zorder=2.5, label=name)
