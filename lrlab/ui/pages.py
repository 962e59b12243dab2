"""The HTML around what is shown: the list of runs, and a page of runs. Scripts and styles are
files, numbers a block of JSON, so that a strict policy holds."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from importlib import resources
from urllib.parse import urlencode

from lrlab.core.text import Json, JsonObject
from lrlab.report.html import page, study_page
from lrlab.report.html.document import asset
from lrlab.report.html.document import escaped as text
from lrlab.ui.views import View

ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
    "<path d='M3 7C9 9 11 26 16 26S23 9 29 5' fill='none' stroke='#c2410c' stroke-width='4' "
    "stroke-linecap='round'/></svg>"
)
"""Of the browser's tab: a loss against its learning rate."""

_DRAWING = threading.Lock()
"""Matplotlib's settings are the process's: one figure at a time, whoever asks."""

OWN = ("ui.css", "numbers.js", "list.js", "live.js", "theme.js")
"""Files of this package that a browser may have; the report's are `report.css` and `report.js`."""


def file(name: str) -> tuple[str, str] | None:
    """The text and the media type of a file that the pages name; None for another name."""
    if name == "report.js":
        return "\n".join(asset(part) for part in page.SCRIPTS), "text/javascript"
    if name == "report.css":
        return asset("page.css"), "text/css"
    if name == "icon.svg":
        return ICON, "image/svg+xml"
    if name not in OWN:
        return None
    content = (resources.files("lrlab.ui") / "assets" / name).read_text(encoding="utf-8")
    return content, "text/css" if name.endswith(".css") else "text/javascript"


def address(names: Sequence[str]) -> str:
    """The address of the page of some runs, from the list's.

    >>> address(["a b", "c"])
    'report?run=a+b&run=c'
    """
    return "report?" + urlencode([("run", name) for name in names])


def listing(root: str, numbers: Mapping[str, Json]) -> str:
    """The list of runs; `root` as people know it."""
    body = f"""<main class="list">
<div class="top"><span>lrlab: <b>{text(root)}</b></span>{THEME}</div>
<h1 id="count">Runs</h1>
<form class="filters" role="search" aria-label="Filter the runs">
<input id="filter" type="search" placeholder="Filter by name, task, optimizer, state ..."
 aria-label="Filter by name, task, optimizer, state" autocomplete="off" spellcheck="false">
<select id="state" aria-label="State"></select>
<select id="command" aria-label="Command"></select>
<select id="order" aria-label="Sort by"></select>
</form>
<div id="chosen" hidden><span id="chosen-words" role="status"></span>
<a id="compare" class="act">Compare</a><button id="clear" type="button">Clear</button></div>
<div class="scroll runs"><table aria-describedby="count">
<thead><tr></tr></thead><tbody></tbody></table></div>
<div id="more"></div>
<p id="none" class="note" hidden></p>
<footer>Updates by itself. Press / to filter. Choose runs to compare them.</footer>
</main>
<noscript>The list needs JavaScript; <code>lrlab ls runs</code> does not.</noscript>"""
    return _document("Runs", body, numbers, ("numbers.js", "theme.js", "list.js"))


def report(view: View) -> str:
    """The page of some runs: the report's own sections, with the state above them."""
    parts = [_bar(view)]
    script = ["numbers.js"]
    numbers: Mapping[str, Json] = {}
    if view.kind == "report":
        parts.append(page.body(view.pieces, view.overview))
        parts.append(_parts(view))
        numbers = view.numbers or {}
        script += ["report.js", "live.js"]
    elif view.kind == "study" and view.study is not None:
        names = {name.rpartition("/")[2]: name for name in view.names}
        with _DRAWING:
            content = study_page.body(view.study, lambda name: address([names.get(name, name)]))
        parts += [f'<div class="study">{content}</div>', _parts(view)]
        script += ["theme.js", "live.js"]
    else:
        parts += [f'<section class="run"><h1>{text(view.words)}</h1></section>', _parts(view)]
        script += ["theme.js", "live.js"]
    help_ = page.HELP if view.kind == "report" else ""
    body = (
        f"<main>\n{chr(10).join(parts)}\n<footer>Updates by itself. {help_}</footer>\n</main>\n"
        '<div id="tip" role="status"></div>\n'
        "<noscript>The figures need JavaScript; the answer and the tables do not.</noscript>"
    )
    return _document(view.title, body, numbers, script, content_of(view))


def content_of(view: View) -> JsonObject:
    """What the script of a page gets when something changed, but for the numbers."""
    return {
        "kind": view.kind, "state": view.state, "words": view.words, "done": list(view.done),
        "names": list(view.names), "stamp": view.stamp,
    }  # fmt: skip


def update(view: View) -> JsonObject:
    """What a page of runs gets when something changed."""
    return {
        **content_of(view),
        "numbers": view.numbers,
        "pieces": [one._asdict() for one in view.pieces],
        "overview": view.overview._asdict() if view.overview else None,
    }


THEME = '<button id="theme" type="button" title="light or dark">light / dark</button>'


def _bar(view: View) -> str:
    """Where one is, and the state: in words, not by a color alone."""
    return (
        '<nav class="top" aria-label="Place"><span><a href="./">Runs</a> / '
        f"<b>{text(view.title)}</b></span>"
        f'<span class="state {text(view.state)}" id="state" role="status">{text(view.state)}</span>'
        f"{THEME}</nav>\n"
        '<div id="progress" role="progressbar" aria-label="Progress of training" '
        'aria-valuemin="0" aria-valuemax="100"><i></i></div>\n'
        f'<p class="note" id="words">{text(view.words) if view.kind == "report" else ""}</p>'
    )


def _parts(view: View) -> str:
    """Links to the runs that a comparison or a study is made of."""
    links = "".join(
        f'<li><a href="{text(address([name]))}">{text(name)}</a></li>'
        for name in view.names
        if name != view.title  # a run alone is not made of runs
    )
    return f'<section class="parts"><h2>Its runs</h2><ul>{links}</ul></section>' if links else ""


def _document(
    title: str,
    body: str,
    numbers: Mapping[str, Json],
    scripts: Sequence[str],
    content: Mapping[str, Json] | None = None,
) -> str:
    # In a block of JSON only "<" could end it; in strings it may be written as an escape.
    data = page.compact(numbers).replace("<", "\\u003c")
    state = page.compact(content or {}).replace("<", "\\u003c")
    tags = "\n".join(f'<script defer src="assets/{name}"></script>' for name in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{text(title)} - lrlab</title>\n<link rel="icon" href="assets/icon.svg">\n'
        '<link rel="stylesheet" href="assets/report.css">\n'
        '<link rel="stylesheet" href="assets/ui.css">\n'
        f"{tags}\n</head>\n<body>\n{body}\n"
        f'<script type="application/json" id="numbers">{data}</script>\n'
        f'<script type="application/json" id="content">{state}</script>\n</body>\n</html>\n'
    )
