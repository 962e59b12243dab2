"""The tables of the HTML page. Every string that a user can set is escaped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.scale import GAIN
from lrlab.core.text import Table, counted, interval, number, percent
from lrlab.core.tolerance import TOLERANCE
from lrlab.report.content import data as d
from lrlab.report.content import summary
from lrlab.report.content.data import ReportData
from lrlab.report.content.summary import outcome_words
from lrlab.report.html.document import escaped as text
from lrlab.search import rules as registry
from lrlab.search.differences import digits
from lrlab.search.entries import BEHIND, behind
from lrlab.search.range_test import middle

if TYPE_CHECKING:
    from lrlab.search.range_test import RangeCurves


def table(heads: Sequence[str], rows: Sequence[str], classes: str = "") -> str:
    """A scrolling table; a head that begins with ">" stands right. `rows` are HTML."""
    head = "".join(
        f'<th class="n">{text(name[1:])}</th>' if name.startswith(">") else f"<th>{text(name)}</th>"
        for name in heads
    )
    head = f"<thead><tr>{head}</tr></thead>" if heads else ""
    body = "".join(rows)
    return f'<div class="scroll {classes}"><table>{head}<tbody>{body}</tbody></table></div>'


def learning_rates(data: ReportData) -> str:
    """Every learning rate with its score, spread, steps and outcomes."""
    metric = d.metric_of(data)
    answer = data.answer or {}
    rows = summary.lr_rows(data, metric)
    shown = summary.shown_digits(data, rows, metric)
    finite = [row.mean for row in rows if np.isfinite(row.mean)]
    high, low = (max(finite), min(finite)) if finite else (1.0, 0.0)
    body = []
    for row in rows:
        near = summary.recommended(row, answer)
        seen = high > low and np.isfinite(row.mean)
        share = 100 * (row.mean - low) / (high - low) if seen else 0
        meter = f'<span class="meter" style="width:{share:.1f}%"></span>' if seen else ""
        cells = [
            f'<td class="n lr">{number(row.lr)}</td>',
            *(f'<td class="n">{number(row.extra[name])}</td>' for name in data.extra),
            f'<td class="n">{number(row.mean, shown)}</td>',
            f'<td class="wide-cell">{meter}</td>',
            f'<td class="n soft">{number(row.low, shown)}</td>',
            f'<td class="n soft">{number(row.high, shown)}</td>',
            f'<td class="n">{row.steps:,}</td>',
            f'<td class="{"bad" if "diverged" in row.counts else "soft"}">'
            f"{text(outcome_words([row]))}</td>",
        ]
        body.append(f'<tr class="{"near" if near else ""}">{"".join(cells)}</tr>')
    heads = [
        f">{data.rate_name}", *(f">{name}" for name in data.extra),
        f">mean {d.judged_by(data, metric)}", "", ">lowest", ">highest", ">steps", "outcomes",
    ]  # fmt: skip
    return table(heads, body, "rates")


def ridge(data: ReportData) -> str:
    """The best rate at each value of the further axes, and what that value costs; "" without."""
    answer = data.answer or {}
    rows = (answer.get("details") or {}).get("ridge") or answer.get("ridge") or []
    chosen = (answer.get("details") or {}).get("at") or answer.get("at") or {}
    body = []
    for row in rows:
        values = [row[name] for name in chosen]
        near = all(row[name] == value for name, value in chosen.items())
        unknown = row["regret"] is None
        cells = [
            *(f'<td class="n">{text(number(value))}</td>' for value in values),
            f'<td class="n lr">{number(row["lr"])}</td>',
            f'<td class="n soft">{_ends(row["interval"])}</td>',
            f'<td class="n">{"-" if unknown else percent(row["regret"])}</td>',
            f'<td class="n">{"-" if unknown else percent(row["within"])}</td>',
        ]
        body.append(f'<tr class="{"near" if near else ""}">{"".join(cells)}</tr>')
    tolerance = percent(answer.get("tolerance") or TOLERANCE)
    heads = [
        *(f">{text(name)}" for name in chosen), f">best {text(data.rate_name)}", ">as good there",
        ">its best costs", f">probability that this is at most {tolerance}",
    ]  # fmt: skip
    return table(heads, body) if body else ""


def rules(test: RangeCurves) -> str:
    """What every rule suggests: median and spread over seeds, or why nothing."""
    body = []
    for name in registry.NAMES:
        picks = test.suggest(name)
        seen = picks[np.isfinite(picks)]
        why = sorted(set(test.reasons.get(name, {}).values()))
        missing = len(picks) - len(seen)
        said = sorted(set(test.notes.get(name, {}).values()))
        none = (
            f"none for {missing} of {counted(len(picks), 'seed')}: {'; '.join(why)}"
            if missing
            else ""
        )
        note = none or "; ".join(said)
        cells = [f"<td>{text(name)}</td>"]
        if seen.size:
            spread = number(seen.max() / seen.min()) if len(seen) > 1 else "-"
            values = (number(middle(seen)), number(seen.min()), number(seen.max()), spread)
        else:
            values = ("-",) * 4
        cells += [f'<td class="n">{value}</td>' for value in values]
        body.append(f'<tr>{"".join(cells)}<td class="soft note">{text(note)}</td></tr>')
    return table(["rule", ">median", ">lowest", ">highest", ">spread (factor)", ""], body)


def search(data: ReportData) -> str:
    """Rung by rung: what entered, what was pruned or diverged, what continued; else ""."""
    rungs = summary.rungs(data)
    if not any(rung.pruned for rung in rungs) and len(rungs) < 2:
        return ""
    body, last = [], 0
    for rung in rungs:
        cells = [
            f"<td>{rung.stage if rung.stage != last else ''}</td>",
            f'<td class="n">{rung.steps:,}</td>',
            f'<td class="n">{rung.entered}</td>',
            f'<td class="n {"bad" if rung.diverged else "soft"}">{rung.diverged or "-"}</td>',
            f'<td class="n">{rung.pruned or "-"}</td>',
            f'<td class="soft">{_ends(rung.pruned_lr)}</td>',
            f'<td class="n">{rung.kept}</td>',
            f"<td>{_ends(rung.kept_lr)}</td>",
        ]
        last = rung.stage
        body.append(f"<tr>{''.join(cells)}</tr>")
    heads = [
        "stage", ">after step", ">lanes", ">diverged", ">pruned", "learning rates pruned",
        ">kept", "learning rates kept",
    ]  # fmt: skip
    return table(heads, body)


def _ends(ends: tuple[float, float] | None) -> str:
    return number(ends[0]) if ends and ends[0] == ends[1] else interval(ends)


def costs(data: ReportData) -> str:
    """The cost, nothing left out."""
    rows = [
        f'<tr><td>{text(what)}</td><td class="n">{text(value)}</td>'
        f'<td class="soft">{text(note)}</td></tr>'
        for what, value, note in summary.costs(data)
    ]
    return table([], rows)


def ranking(several: Sequence[ReportData], compared: Table | None) -> str:
    """Several runs side by side, the best first; range tests are left out."""
    versus, scale = (compared or {}).get("versus") or {}, (compared or {}).get("scale", GAIN)
    entries = {entry["name"]: entry for entry in (compared or {}).get("entries") or ()}
    order, bests = list(entries), dict[int, tuple[float, float]]()
    for index, data in enumerate(several):
        if data.test is None:
            metric = d.metric_of(data)
            sign = d.sign_of(data, metric)
            means = [sign * row.mean for row in summary.best_rows(data, metric)]
            best = min(means, default=np.nan)
            if data.title in entries:  # on seeds that no search chose by: who wins there is first
                mean = entries[data.title].get("mean")
                best = np.nan if mean is None else sign * mean
            bests[index] = sign * best, np.inf if np.isnan(best) else best
    shown, rows = digits([key for _, key in bests.values()]), []
    for index, (best, key) in bests.items():
        data = several[index]
        metric = d.metric_of(data)
        answer = data.answer or {}
        pair = versus.get(data.title)
        gap = interval(behind(pair["interval"], scale)) if pair else "-"
        cells = (
            f'<td><a href="#run{index}">{text(data.title)}</a></td>'
            f'<td class="n">{number(answer.get("lr"))}</td>'
            f'<td class="n soft">{_ends(answer.get("interval"))}</td>'
            f'<td class="n">{number(best, shown)}</td><td class="soft">{text(metric)}</td>'
            + (f'<td class="n">{gap}</td>' if versus else "")
            + f"<td>{text(answer.get('verdict') or '')}</td>"
            f'<td class="n">{cost_of(data)}</td>'
        )
        place = order.index(data.title) if data.title in entries else len(order)
        rows.append(((place, key), f"<tr>{cells}</tr>"))
    rows.sort(key=lambda pair: pair[0])
    heads = ["run", ">learning rate", ">as good", ">mean" if entries else ">best mean", "metric",
             *([f">{BEHIND[scale]} (95 %)"] if versus else []), "verdict", ">cost"]  # fmt: skip
    return table(heads, [row for _, row in rows]) if rows else ""


def cost_of(data: ReportData) -> str:
    """Full-length runs."""
    cost = (data.answer or {}).get("cost")
    return number(
        d.steps_trained(data).sum() / max(1, d.full_steps(data)) if cost is None else cost
    )


_MANIFEST = (
    "started", "finished", "versions", "device", "machine", "plan", "git_commit", "config_hash",
    "data", "data_sha256",
)  # fmt: skip


def repeat(data: ReportData) -> str:
    """The command, the configuration and what it ran on."""
    parts = []
    if data.command:
        parts.append(
            f'<div class="command"><pre>{text(data.command)}</pre>'
            '<button class="copy">copy</button></div>'
        )
    if "external = true" in data.config_text:
        parts.append(
            '<p class="note">Task, optimizer or schedule were made in Python: the command alone '
            "cannot make them again; call <code>lrlab</code> from the script that did.</p>"
        )
    if data.config_text:
        parts.append(
            "<details><summary>The configuration, with every default</summary>"
            f"<pre>{text(data.config_text)}</pre></details>"
        )
    if data.manifest:
        shown = {key: data.manifest[key] for key in _MANIFEST if data.manifest.get(key) is not None}
        parts.append(
            "<details><summary>Versions, device, plan and data</summary>"
            f"<pre>{text(json.dumps(shown, indent=1, default=str))}</pre></details>"
        )
    return "\n".join(parts)
