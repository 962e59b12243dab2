"""The same two pictures for notebooks, as an interactive Plotly figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrlab.report.content import summary
from lrlab.report.content.data import ReportData, curve, metric_of, mode_of
from lrlab.report.content.selection import drawable
from lrlab.report.figures.style import label

POINTS = 300
"""Points per curve; what is over is thinned, spikes kept."""


def interactive(data: ReportData, metric: str | None = None) -> Any:
    """Loss against learning rate (a point per lane) beside the training curves, as a
    `plotly.graph_objects.Figure`: hover shows learning rate, seed and value, a click in the legend
    hides a learning rate, and the axes zoom.

    Raises:
        ValueError: the run has no such metric.

    >>> from lrlab.report import build
    >>> data = build(title="two", lr=[0.1, 1.0], seeds=[0], steps=[0, 1],
    ...              train_loss=[[[2.0], [2.0]], [[1.0], [1.5]]])
    >>> [trace.name for trace in interactive(data).data]
    ['0.1', '1', '0.1', '1']
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    data = drawable(data)
    name = metric or metric_of(data)
    finals = summary.final(data, name)
    steps, values = curve(data, name)
    made = make_subplots(
        1, 2, column_widths=[0.42, 0.58], horizontal_spacing=0.1,
        subplot_titles=(f"{label(name)} at the end", f"{label(name)} over training"),
    )  # fmt: skip
    colors = _colors(data.lr)
    order = np.argsort(data.lr, kind="stable")
    for index in order:
        shared = {"name": f"{data.lr[index]:.4g}", "legendgroup": str(index)}
        lanes = _lanes(data, index)
        made.add_trace(
            go.Scatter(
                x=[data.lr[index]] * len(lanes),
                y=[_value(finals[place]) for place in lanes],
                customdata=[_words(data, place) for place in lanes],
                hovertemplate="%{customdata}<br>%{y:.5g}<extra></extra>",
                mode="markers",
                marker={"color": colors[index], "size": 8},
                **shared,
            ),
            1,
            1,
        )
    for index in order:
        xs: list[Any] = []
        ys: list[Any] = []
        words: list[Any] = []
        for place in _lanes(data, index):
            at, kept = summary.thin(steps, values[(slice(None), *place)], POINTS)
            xs += [*np.asarray(at).tolist(), None]
            ys += [*map(_value, np.asarray(kept)), None]
            words += [_words(data, place)] * (len(at) + 1)
        made.add_trace(
            go.Scatter(
                x=xs,
                y=ys,
                customdata=words,
                hovertemplate="%{customdata}<br>step %{x}: %{y:.5g}<extra></extra>",
                mode="lines",
                line={"color": colors[index], "width": 1.2},
                showlegend=False,
                name=f"{data.lr[index]:.4g}",
                legendgroup=str(index),
            ),
            1,
            2,
        )
    powers: dict[str, Any] = {"type": "log", "exponentformat": "power"}
    made.update_xaxes(**powers, dtick=1, title_text="learning rate", row=1, col=1)
    made.update_xaxes(title_text="step", row=1, col=2)
    for column, part in enumerate((finals, values), 1):
        known = part[np.isfinite(part) & (part > 0)]
        if known.size and mode_of(data, name) == "min" and not (part < 0).any():
            wide = known.max() / known.min() > 20
            made.update_yaxes(**powers, dtick=1 if wide else None, row=1, col=column)
    sentence = (data.answer or {}).get("sentence") or data.title
    made.update_layout(
        title={"text": _escaped(sentence), "font": {"size": 14}},
        legend={"title": {"text": "learning rate"}},
        template="plotly_white",
        height=460,
    )
    return made


def _lanes(data: ReportData, index: int) -> list[tuple[int, ...]]:
    """The places of a learning rate's lanes in arrays [L, ..., S]."""
    return [(int(index), *place) for place in np.ndindex(*data.outcome.shape[1:])]


def _words(data: ReportData, place: tuple[int, ...]) -> str:
    parts = [f"learning rate {data.lr[place[0]]:.4g}"]
    for (axis, values), i in zip(data.extra.items(), place[1:-1], strict=True):
        parts.append(f"{axis} {summary.number(values[i], 4)}")
    return _escaped(", ".join([*parts, f"seed {data.seeds[place[-1]]}, {data.outcome[place]}"]))


def _escaped(text: str) -> str:
    """Plotly reads titles and hover texts as a kind of HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _value(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _colors(lr: np.ndarray) -> list[str]:
    """Viridis over log LR, without the end that vanishes on white."""
    from plotly.colors import sample_colorscale

    logs = np.log10(np.maximum(lr, 1e-300))
    spread = np.ptp(logs) or 1.0
    places = ((logs - logs.min()) / spread * 0.93).tolist()
    return [str(color) for color in sample_colorscale("Viridis", places)]
