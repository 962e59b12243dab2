"""`verify.html`: the verdicts as one self-contained page, a figure for each claim."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from importlib import resources

from lrlab.verify.figures import png
from lrlab.verify.verdict import Verdict


def page(verdicts: Sequence[Verdict]) -> str:
    """The page as text; light or dark as the reader's system is, readable on a phone."""
    style = (resources.files("lrlab.verify") / "data" / "page.css").read_text(encoding="utf-8")
    passed = sum(verdict.passed for verdict in verdicts)
    seconds = sum(verdict.seconds for verdict in verdicts)
    links = "".join(
        f'<a class="{_kind(verdict)}" href="#{_text(verdict.name)}">{_text(verdict.name)}</a>'
        for verdict in verdicts
    )
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>lrlab verify: {passed} of {len(verdicts)}</title>",
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>",
        f"<h1>{passed} of {len(verdicts)} published results reproduced</h1>",
        '<p class="lead">Each was measured on this machine by <code>lrlab verify</code>, '
        f"in {_duration(seconds)} altogether.</p>",
        f"<nav>{links}</nav>",
    ]
    parts += [_article(verdict) for verdict in verdicts]
    return "\n".join(parts) + "\n</main>\n</body>\n</html>\n"


def _article(verdict: Verdict) -> str:
    word = "reproduced" if verdict.passed else "failed"
    return (
        f'<article id="{_text(verdict.name)}">\n<div class="words">'
        f'<p class="name">{_text(verdict.name)} <span class="{_kind(verdict)}">{word}</span></p>'
        f"<h2>{_text(verdict.claim)}</h2>{_source(verdict)}{_numbers(verdict)}"
        f'<p class="note">Passes within: {_text(verdict.tolerance)}. '
        f"Took {_duration(verdict.seconds)}.</p></div>\n{_picture(verdict)}\n</article>"
    )


def _source(verdict: Verdict) -> str:
    return f'<p class="source">{_text(verdict.source)}</p>' if verdict.source else ""


def _picture(verdict: Verdict) -> str:
    if not verdict.figure:
        return ""
    alt = f"{verdict.figure['ylabel']} against {verdict.figure['xlabel']}"
    light, dark = (png(verdict.figure, theme) for theme in ("light", "dark"))
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="data:image/png;base64,{dark}">'
        f'<img alt="{_text(alt)}" loading="lazy" src="data:image/png;base64,{light}"></picture>'
    )


def _numbers(verdict: Verdict) -> str:
    published, measured = flat(verdict.published), flat(verdict.measured)
    rows = "".join(
        f"<tr><th>{_text(name)}</th><td>{_text(published.get(name, ''))}</td>"
        f"<td>{_text(measured.get(name, ''))}</td></tr>"
        for name in dict.fromkeys([*published, *measured])
    )
    return (
        '<div class="scroll"><table><thead><tr><th></th><th>published</th><th>measured</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def flat(value: object, name: str = "") -> dict[str, str]:
    """Nested numbers as rows of text, "outer, inner" -> value.

    >>> flat({"lr": {"4": 0.0147}, "flips": True, "both": [1.0, 2.5]})
    {'lr, 4': '0.0147', 'flips': 'yes', 'both': '1, 2.5'}
    """
    if isinstance(value, Mapping):
        rows: dict[str, str] = {}
        for key, entry in value.items():
            rows |= flat(entry, f"{name}, {key}" if name else str(key))
        return rows
    return {name or "value": _value(value)}


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(entry) for entry in value)
    if isinstance(value, float):
        return f"{value:.7g}" if math.isfinite(value) else str(value)
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} minutes"


def _kind(verdict: Verdict) -> str:
    return "yes" if verdict.passed else "no"


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
