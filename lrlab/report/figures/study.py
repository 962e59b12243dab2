"""A study's figures, from its JSON object alone: U-curves, the law, transfer."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lrlab.config.groups import show_value
from lrlab.core.score import LAST, in_words
from lrlab.core.text import Table, number, spaced
from lrlab.report.figures import style
from lrlab.report.figures.saving import saved
from lrlab.report.figures.style import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TICKS = 8
"""Values of the axis that have room for a tick each."""

LABELS = {"standard": "standard parametrization", "mup": "muP"}
ALT = {
    "u_curves": "The score against the learning rate, a line for each group",
    "best_lr": "The best learning rate of each group, its interval, and the fitted law",
    "transfer": "What each group loses with the best rate of the base",
}
"""What each figure shows, for whoever does not see it."""


def overview(payload: Table, theme: str = "light") -> Figure:
    """Loss against LR in each parametrization, and beside it the best LR against the axis."""
    kinds = _kinds(payload)
    with style.use(theme) as colors:
        fig = style.figure(4.1 * (len(kinds) + 1), 3.9)
        axes = fig.subplots(1, len(kinds) + 1)
        for ax, kind in zip(axes[:-1], kinds, strict=True):
            ax.sharey(axes[0])
            _curves(ax, payload, kind, colors, legend=ax is axes[-2])
        axes[0].set_ylabel(_judged(payload))
        _best(axes[-1], payload, colors)
    return fig


def panels(payloads: Mapping[str, Table], theme: str = "light") -> Figure:
    """Several studies by title: the U-curves of each (its first parametrization) above its law."""
    with style.use(theme) as colors:
        fig = style.figure(4.2 * len(payloads), 7.2)
        axes = fig.subplots(2, len(payloads), squeeze=False)
        for (title, payload), (above, below) in zip(payloads.items(), axes.T, strict=True):
            _curves(above, payload, _kinds(payload)[0], colors, legend=True)
            above.set_title(title)
            _best(below, payload, colors)
            below.set_title("")
        axes[0, 0].set_ylabel(_judged(next(iter(payloads.values()))))
    return fig


def u_curves(payload: Table, theme: str = "light") -> Figure:
    """The score against the learning rate, a line per value of the axis, a panel per
    parametrization; a mark at each recommended rate."""
    kinds = _kinds(payload)
    with style.use(theme) as colors:
        fig = style.figure(5.2 * len(kinds), 4.0)
        axes = np.atleast_1d(fig.subplots(1, len(kinds), sharey=True))
        for ax, kind in zip(axes, kinds, strict=True):
            _curves(ax, payload, kind, colors, legend=ax is axes[-1])
        axes[0].set_ylabel(_judged(payload))
    return fig


def _judged(payload: Table) -> str:
    """What a number on the axis of scores is."""
    score, metric = payload.get("score", LAST), payload["metric"]
    return f"final {style.label(metric)}" if score == LAST else in_words(score, metric)


def best_lr(payload: Table, theme: str = "light") -> Figure:
    """The best rate of each group with its interval, and the fitted power law."""
    with style.use(theme) as colors:
        fig = style.figure()
        _best(fig.subplots(), payload, colors)
    return fig


def transfer(payload: Table, theme: str = "light") -> Figure | None:
    """What each group loses with the base's best rate; None where nothing is known."""
    rows = [row for part in payload["transfer"] for row in part["regret"]]
    if all(row["regret"] is None or _number(row["value"]) is None for row in rows):
        return None
    with style.use(theme) as colors:
        fig = style.figure()
        ax = fig.subplots()
        seen: list[float] = []
        for part in payload["transfer"]:
            rows = [(_number(r["value"]), r["regret"]) for r in part["regret"]]
            rows = sorted((x, 100 * y) for x, y in rows if x is not None and y is not None)
            if rows:
                kind = part["parametrization"]
                ax.plot(*np.array(rows).T, "o-", color=_color(kind, colors), label=LABELS[kind])
                seen += [x for x, _ in rows]
        base = payload["transfer"][0]["base"]
        ax.set_ylim(bottom=0)
        ax.set_xlabel(spaced(payload["axis"]))
        ax.set_ylabel("lost, % of what training gains")
        ax.set_title(f"Training with the best rate of {spaced(payload['axis'])} {axis_value(base)}")
        style.log_axis(ax)
        _ticks(ax, seen)
        ax.legend()
    return fig


FIGURES: dict[str, Callable[..., Figure | None]] = {
    "u_curves": u_curves,
    "best_lr": best_lr,
    "transfer": transfer,
}


def write_figures(
    payload: Table, folder: str | os.PathLike[str], formats: Sequence[str] = ("png", "svg")
) -> list[Path]:
    """Draws every figure that has a subject into `folder`; the paths written, none where there are
    no formats."""
    if not formats:
        return []
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in FIGURES.items():
        figure = draw(payload)
        if figure is None:
            continue
        written += saved(figure, folder, name, formats)
    return written


def _kinds(payload: Table) -> list[str]:
    return list(dict.fromkeys(group["parametrization"] for group in payload["groups"]))


def _of(payload: Table, kind: str) -> list[Table]:
    return [group for group in payload["groups"] if group["parametrization"] == kind]


def floats(values: Sequence[float | None]) -> np.ndarray:
    """Numbers from JSON, null as nan; f64[n]."""
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if value > 0 else None


def axis_value(value: object) -> str:
    """A value of the axis; a float in few digits."""
    return number(value) if isinstance(value, float) else show_value(value)


def _curves(ax: Axes, payload: Table, kind: str, colors: Theme, legend: bool) -> None:
    import matplotlib as mpl

    groups = _of(payload, kind)
    shades = mpl.colormaps["viridis"](np.linspace(*colors.scale, max(2, len(groups))))
    means = np.concatenate([floats(group["means"]) for group in payload["groups"]])
    starts = floats([group["initial"] for group in payload["groups"]])
    seen = np.concatenate([means, starts])
    seen = seen[np.isfinite(seen)]
    for group, color in zip(groups, shades, strict=False):
        x, y = floats(group["rates"]), floats(group["means"])
        good = np.isfinite(y)
        ax.plot(x[good], y[good], "o-", ms=2.5, color=color, label=axis_value(group["value"]))
        if group["lr"] is not None and good.any():
            at = np.interp(np.log(group["lr"]), np.log(x[good]), y[good])
            ax.plot(group["lr"], at, "o", ms=7, mfc="none", mec=color, mew=1.6)
    if seen.size and seen.min() > 0 and seen.max() / seen.min() > 8:
        style.log_axis(ax, "y")
    style.log_axis(ax)
    ax.set_xlabel("peak learning rate")
    ax.set_title(LABELS[kind][0].upper() + LABELS[kind][1:] if kind != "mup" else "muP")
    if legend:
        ax.legend(title=spaced(payload["axis"]))


def _best(ax: Axes, payload: Table, colors: Theme) -> None:
    laws = {law["parametrization"]: law for law in payload["laws"]}
    kinds = _kinds(payload)
    numeric = all(_number(group["value"]) is not None for group in payload["groups"])
    for place, kind in enumerate(kinds):
        color = _color(kind, colors)
        groups = [group for group in _of(payload, kind) if group["lr"] is not None]
        used = laws[kind]["used"]
        order = {axis_value(g["value"]): i for i, g in enumerate(_of(payload, kind))}
        for group in groups:
            # Parametrizations stand side by side rather than one over the other.
            if numeric:
                at = float(group["value"]) * (1.0 if len(kinds) == 1 else 0.97 + 0.06 * place)
            else:
                at = order[axis_value(group["value"])] + 0.1 * place
            low, high = group["interval"] or (group["lr"], group["lr"])
            ax.plot([at, at], [low, high], color=color, lw=5, alpha=0.22, solid_capstyle="round")
            face = color if not numeric or group["value"] in used else colors.paper
            ax.plot(at, group["lr"], "o", ms=6, color=color, zorder=3, mfc=face)
        law = laws[kind]
        label = LABELS[kind] if len(kinds) > 1 else "best rate"
        if law["exponent"] is not None and len(law["used"]) > 1:
            line = np.geomspace(min(law["used"]), max(law["used"]), 50)
            ends = " to ".join(map(bound, law["interval"]))
            power = f"{spaced(payload['axis'])}^{law['exponent']:.2f}\n(95 %: {ends})"
            curve = law["coefficient"] * line ** law["exponent"]
            ax.plot(line, curve, color=color, lw=1.5, label=f"{label}: {power}")
        else:
            ax.plot([], [], "o-", color=color, label=label)
        if not numeric:
            ax.set_xticks(range(len(order)), list(order))
    if numeric:
        style.log_axis(ax)
    style.log_axis(ax, "y")
    if numeric:
        _ticks(ax, [float(group["value"]) for group in payload["groups"]])
    ax.set_xlabel(spaced(payload["axis"]))
    ax.set_ylabel("best learning rate")
    ax.set_title("Best learning rate (bar: as good as the best)")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=len(kinds), fontsize=8)


def _ticks(ax: Axes, values: Sequence[float]) -> None:
    """Ticks at a study's own values where they are few."""
    ticks = sorted(set(values))
    if len(ticks) <= MOST_TICKS:
        ax.set_xticks(ticks, [axis_value(t) for t in ticks])
        ax.minorticks_off()
    if len(ticks) == 1:
        ax.set_xlim(ticks[0] / 2, ticks[0] * 2)


def _color(kind: str, colors: Theme) -> str:
    """A parametrization's color."""
    dark = colors == style.THEMES["dark"]
    return (
        colors.accent
        if kind == "standard"
        else style.OUTCOME_COLORS["dark" if dark else "light"]["ok"]
    )


def bound(value: float | None) -> str:
    """An end of an exponent's interval.

    >>> bound(-0.503), bound(None)
    ('-0.50', 'unbounded')
    """
    return "unbounded" if value is None or not np.isfinite(value) else f"{value:.2f}"
