"""The report as one HTML file that needs nothing else: no network, no fonts, no library."""

from __future__ import annotations

import html as escaping
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.report import data as d
from lrlab.report import summary
from lrlab.report.data import ReportData
from lrlab.report.summary import number

CURVE_POINTS = 60_000
"""Points of all curves of a metric together; what is over is thinned, spikes kept."""


def write_html(runs: ReportData | Sequence[ReportData], path: str | Path) -> Path:
    """Writes the report of one or several runs; returns its path."""
    target = Path(path)
    target.write_text(html(runs), encoding="utf-8")
    return target


def html(runs: ReportData | Sequence[ReportData]) -> str:
    """The page as text. Every string that a user can set is escaped."""
    several = [runs] if isinstance(runs, ReportData) else list(runs)
    if not several:
        raise ValueError("report: no run to show")
    payload = {"runs": [payload_of(data) for data in several]}
    # Inside a script element only "<" could end it; in JSON strings it may be written as an escape.
    text = json.dumps(payload, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    sections = "\n".join(_section(data, i, len(several) > 1) for i, data in enumerate(several))
    title = _text(several[0].title if len(several) == 1 else "Comparison of runs")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title} - lrlab</title>\n<style>\n{_asset('page.css')}</style>\n</head>\n<body>\n"
        f'<main>\n<div class="top"><span>lrlab report: {title}</span>'
        '<button id="theme" title="light or dark">light / dark</button></div>\n'
        f"{_ranking(several)}{sections}\n"
        "<footer>Written by lrlab. Hover for values, click to isolate a lane, drag to zoom, double "
        'click to zoom out.</footer>\n</main>\n<div id="tip" role="status"></div>\n'
        f"<script>window.lrlab={text};</script>\n"
        f"<script>\n{_asset('plot.js')}\n{_asset('page.js')}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return (resources.files("lrlab.report") / "assets" / name).read_text(encoding="utf-8")


def _text(value: Any) -> str:
    return escaping.escape(str(value), quote=True)


def payload_of(data: ReportData) -> dict[str, Any]:
    """What the page's script draws, in JSON's own types."""
    metric = d.metric_of(data)
    scores, made = summary.scores(data, metric), d.steps_trained(data)
    early = np.where(data.outcome == "pruned", d.last_finite(d.curve(data, metric)[1]), np.nan)
    lanes = []
    for index in np.ndindex(*data.outcome.shape):
        place = index[1:-1]
        lanes.append(
            {
                "lr": _number(data.lr[index[0]]),
                "seed": int(data.seeds[index[-1]]),
                "extra": {
                    name: _number(values[i])
                    for (name, values), i in zip(data.extra.items(), place, strict=True)
                },
                "outcome": str(data.outcome[index]),
                "diverged_at": int(data.diverged_at[index]),
                "steps": int(made[index]),
                "score": _number(scores[index]),
                "early": _number(early[index]),
            }
        )
    answer = data.answer or {}
    rows = [row for row in summary.lr_rows(data, metric)]
    return {
        "metric": metric,
        "mode": d.mode_of(data, metric),
        "full_steps": max(1, d.full_steps(data)),
        "lanes": lanes,
        "several": bool(data.extra),
        "rows": [
            {"lr": _number(row.lr), "mean": _number(row.mean), "counts": row.counts} for row in rows
        ],
        "curves": {name: {"lanes": _curves(data, name)} for name in _metrics(data)},
        "answer": {
            "lr": _number(answer.get("lr")),
            "interval": None
            if not answer.get("interval")
            else [_number(end) for end in answer["interval"]],
        },
        "diverged_from": _number(summary.diverged_from(data)),
        "suggestions": {
            str(rule): [_number(v) for v in np.atleast_1d(np.asarray(picks, float))]
            for rule, picks in data.suggestions.items()
        },
    }


def _metrics(data: ReportData) -> list[str]:
    first = d.metric_of(data)
    names = [first, "train_loss", *data.evaluated, *data.history, "learning_rate"]
    seen = []
    for name in dict.fromkeys(names):
        steps, values = d.curve(data, name)
        if len(steps) and np.isfinite(values).any():
            seen.append(name)
    return seen


def _curves(data: ReportData, name: str) -> list[Any]:
    """Per lane [steps, values], thinned; None for lanes without a value."""
    steps, values = d.curve(data, name)
    flat = values.reshape(len(steps), -1)
    points = int(np.clip(CURVE_POINTS // max(1, flat.shape[1]), 30, 400))
    if name.startswith("learning_rate"):
        points = min(points, 60)
    found: list[Any] = []
    for lane in range(flat.shape[1]):
        at, kept = summary.thin(steps, flat[:, lane], points)
        found.append([at.tolist(), [_number(v) for v in kept]] if len(at) else None)
    return found


def _number(value: Any) -> float | str | None:
    if isinstance(value, str):
        return str(value)
    if value is None or not np.isfinite(value):
        return None
    return float(f"{float(value):.5g}")


def _section(data: ReportData, index: int, named: bool) -> str:
    answer = data.answer or {}
    name = f'<p class="name">{_text(data.title)}</p>' if named else ""
    sentence = answer.get("sentence") or "This run has no answer yet; its curves are below."
    return (
        f'<section class="run" id="run{index}">{name}<h1>{_text(sentence)}</h1>\n'
        f'{_cards(data, answer)}\n<div class="charts"></div>\n'
        f"<h2>Every learning rate</h2>\n{_rows(data)}\n"
        f"<h2>What it cost</h2>\n{_costs(data)}\n"
        f"<h2>Do it again</h2>\n{_repeat(data)}\n</section>"
    )


def _cards(data: ReportData, answer: Mapping[str, Any]) -> str:
    verdict = str(answer.get("verdict") or "")
    lr, interval = answer.get("lr"), answer.get("interval")
    metric = d.metric_of(data)
    rows = [row for row in summary.lr_rows(data, metric) if np.isfinite(row.mean)]
    pick = min if d.mode_of(data, metric) == "min" else max
    best = number(pick(row.mean for row in rows)) if rows else "-"
    cards = [
        ("main " + _text(verdict), "Learning rate", number(lr) if lr else "none", verdict),
        ("", "As good", f"{number(interval[0])} to {number(interval[1])}" if interval else "-", ""),
        ("", f"Best mean {metric}", best, f"{len(data.seeds)} seeds"),
        ("", "Diverges from", number(summary.diverged_from(data)), "half of the seeds or more"),
        ("", "Cost", _cost(data, answer), "full-length runs"),
    ]
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card {kind}"><small>{_text(label)}</small><b>{_text(value)}</b>'
            f"<i>{_text(note)}</i></div>"
            for kind, label, value, note in cards
        )
        + "</div>"
    )


def _cost(data: ReportData, answer: Mapping[str, Any]) -> str:
    if answer.get("cost") is not None:
        return number(answer["cost"])
    return number(d.steps_trained(data).sum() / max(1, d.full_steps(data)))


def _rows(data: ReportData) -> str:
    metric = d.metric_of(data)
    answer = data.answer or {}
    interval = answer.get("interval") or (np.inf, -np.inf)
    rows = summary.lr_rows(data, metric)
    finite = [row.mean for row in rows if np.isfinite(row.mean)]
    high, low = (max(finite), min(finite)) if finite else (1.0, 0.0)
    extra = list(data.extra)
    head = ["learning rate", *extra, f"mean {metric}", "", "lowest", "highest", "steps", "outcomes"]
    body = []
    for row in rows:
        near = interval[0] * 0.999 <= row.lr <= interval[1] * 1.001
        share = 100 * (row.mean - low) / (high - low) if high > low and np.isfinite(row.mean) else 0
        outcome = ", ".join(f"{n} {kind}" for kind, n in row.counts.items())
        if row.diverged_at >= 0:
            outcome += f" (step {row.diverged_at})"
        cells = [
            f'<td class="lr">{number(row.lr)}</td>',
            *(f'<td class="n">{number(row.extra[name])}</td>' for name in extra),
            f'<td class="n">{number(row.mean)}</td>',
            f'<td class="wide-cell"><span class="meter" style="width:{share:.1f}%"></span></td>',
            f'<td class="n soft">{number(row.low)}</td>',
            f'<td class="n soft">{number(row.high)}</td>',
            f'<td class="n">{row.steps:,}</td>',
            f'<td class="{"bad" if "diverged" in row.counts else "soft"}">{_text(outcome)}</td>',
        ]
        body.append(f'<tr class="{"near" if near else ""}">{"".join(cells)}</tr>')
    heads = "".join(f"<th>{_text(name)}</th>" for name in head)
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _costs(data: ReportData) -> str:
    rows = "".join(
        f'<tr><td>{_text(what)}</td><td class="n">{_text(value)}</td>'
        f'<td class="soft">{_text(note)}</td></tr>'
        for what, value, note in summary.costs(data)
    )
    stops = "".join(
        f"<tr><td>{'diverged' if rung.steps < 0 else f'{rung.steps:,} steps'}</td>"
        f'<td class="n">{rung.lanes}</td><td class="soft">lr {number(rung.lr_low)} to '
        f"{number(rung.lr_high)}: "
        f"{_text(', '.join(f'{n} {k}' for k, n in rung.outcomes.items()))}</td></tr>"
        for rung in summary.rungs(data)
    )
    return (
        f'<div class="scroll"><table><tbody>{rows}</tbody></table></div>'
        '<details><summary>Where lanes stopped</summary><div class="scroll"><table><thead><tr>'
        "<th>stopped</th><th>lanes</th><th>which</th></tr></thead>"
        f"<tbody>{stops}</tbody></table></div></details>"
    )


def _repeat(data: ReportData) -> str:
    parts = []
    if data.command:
        parts.append(
            f'<div class="command"><pre>{_text(data.command)}</pre>'
            '<button class="copy">copy</button></div>'
        )
    if data.config_text:
        parts.append(
            "<details><summary>The configuration, with every default</summary>"
            f"<pre>{_text(data.config_text)}</pre></details>"
        )
    if data.manifest:
        shown = {key: data.manifest[key] for key in _MANIFEST if data.manifest.get(key) is not None}
        text = json.dumps(shown, indent=1, default=str)
        parts.append(
            "<details><summary>Versions, device, plan and data</summary>"
            f"<pre>{_text(text)}</pre></details>"
        )
    return "\n".join(parts)


_MANIFEST = (
    "started", "finished", "versions", "device", "machine", "plan", "git_commit", "config_hash",
    "data", "data_sha256",
)  # fmt: skip


def _ranking(several: Sequence[ReportData]) -> str:
    """Several runs side by side, the best first; nothing for one."""
    if len(several) < 2:
        return ""
    rows = []
    for index, data in enumerate(several):
        metric = d.metric_of(data)
        means = [r.mean for r in summary.lr_rows(data, metric) if np.isfinite(r.mean)]
        mode = d.mode_of(data, metric)
        best = (min if mode == "min" else max)(means) if means else np.nan
        key = np.inf if np.isnan(best) else (best if mode == "min" else -best)
        answer = data.answer or {}
        cells = (
            f'<td><a href="#run{index}">{_text(data.title)}</a></td>'
            f'<td class="n">{number(answer.get("lr"))}</td><td>{_text(metric)}</td>'
            f'<td class="n">{number(best)}</td><td>{_text(answer.get("verdict") or "")}</td>'
            f'<td class="n">{_cost(data, answer)}</td>'
        )
        rows.append((key, f"<tr>{cells}</tr>"))
    body = "".join(row for _, row in sorted(rows, key=lambda pair: pair[0]))
    head = "".join(f"<th>{n}</th>" for n in ("run", "lr", "metric", "best mean", "verdict", "cost"))
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>\n"
    )
