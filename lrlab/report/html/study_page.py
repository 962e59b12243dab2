"""A study's page, from its JSON object alone: self-contained HTML."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lrlab.core.scale import LOG
from lrlab.core.score import LAST, in_words
from lrlab.core.text import Table, interval, number, spaced
from lrlab.report.figures import style
from lrlab.report.figures.study import ALT, FIGURES, LABELS, axis_value, bound, floats
from lrlab.report.html import tables
from lrlab.report.html.document import Document, asset
from lrlab.report.html.document import escaped as text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_DPI = 160
"""Dots per inch of the page's pictures: sharp on screens of twice the usual density, and small."""

PIXELS_PER_INCH = 104
"""CSS pixels to an inch of a figure: its words are then as large as the page's small ones, in every
figure alike."""


def write_html(payload: Table, path: str | os.PathLike[str]) -> Path:
    """Writes a study's page; returns its path. See `page`."""
    return page(payload).save(path)


def page(payload: Table) -> Document:
    """The page of a study's JSON object. Every string that a user can set is escaped."""
    title = text(title_of(payload))
    return Document(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title} - lrlab</title>\n<style>\n{asset('page.css')}</style>\n</head>\n<body>\n"
        "<main>\n"
        f'<div class="top"><span>lrlab report: {title}</span></div>\n'
        f"{body(payload)}\n<footer>Written by lrlab.</footer>\n</main>\n"
        "</body>\n</html>\n"
    )


def title_of(payload: Table) -> str:
    """What a study's page is called."""
    return f"Study over {spaced(payload['axis'])}"


def body(payload: Table, link: Callable[[str], str] | None = None) -> str:
    """The page between its head and its foot.

    Args:
        link: the address of a group's page by its folder's name; None for its report's file.
    """
    question, _, answer = payload["sentence"].partition("? ")
    pictures = "\n".join(_picture(name, payload) for name in FIGURES)
    return (
        f'<section class="run"><h1>{text(question)}?</h1>\n<p>{text(answer)}</p>\n{pictures}\n'
        f"<h2>Every group</h2>\n{_groups(payload, link)}\n<h2>The law of the best rate</h2>\n"
        f"{_laws(payload)}\n<h2>What transfer costs</h2>\n{_transfers(payload)}\n"
        f"<h2>What it cost</h2>\n<p>{text(number(payload['cost']))} full-length runs, each of its "
        "own group's length.</p>\n</section>"
    )


def _picture(name: str, payload: Table) -> str:
    """A figure in both themes, of which the page shows its own; "" where it has no subject."""
    images = []
    for theme in style.THEMES:
        figure = FIGURES[name](payload, theme)
        if figure is None:
            return ""
        wide = round(figure.get_figwidth() * PIXELS_PER_INCH)
        images.append(
            f'<img class="only-{theme}" width="{wide}" alt="{text(ALT[name])}" '
            f'src="data:image/png;base64,{_png(figure, theme)}">'
        )
    return f'<figure class="picture">{"".join(images)}</figure>'


def _png(figure: Figure, theme: str) -> str:
    stream = io.BytesIO()
    with style.use(theme):
        figure.savefig(stream, format="png", dpi=PICTURE_DPI)
    return base64.b64encode(stream.getvalue()).decode()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns stand right where their head begins with ">"."""
    kinds = [' class="n"' if name.startswith(">") else "" for name in head]
    body = [
        "<tr>"
        + "".join(f"<td{k}>{cell}</td>" for k, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    ]
    return tables.table(head, body)


def _groups(payload: Table, link: Callable[[str], str] | None) -> str:
    rows = []
    for group in payload["groups"]:
        means = floats(group["means"])
        start = group["initial"]
        good = means[np.isfinite(means)]
        far = np.abs(good - (start if start is not None else 0))
        # Studies from before there was `best_mean` lack it.
        best = group.get("best_mean", good[np.argmax(far)] if good.size else None)
        name = text(axis_value(group["value"]))
        if group.get("run"):
            folder = Path(group["run"]).name
            target = f"groups/{folder}/report.html" if link is None else link(folder)
            name = f'<a href="{text(target)}">{name}</a>'
        rows.append([
            name, text(LABELS[group["parametrization"]]), text(number(group["lr"])),
            text(interval(group["interval"])), text(group["verdict"]), text(number(best)),
            text(number(group["cost"])),
        ])  # fmt: skip
    judged = in_words(payload.get("score", LAST), payload["metric"])
    head = [spaced(payload["axis"]), "parametrization", ">best rate", ">as good", "verdict",
            f">best mean {judged}", ">cost"]  # fmt: skip
    return _table(head, rows)


def _laws(payload: Table) -> str:
    rows = []
    for law in payload["laws"]:
        power = "-"
        if law["exponent"] is not None:
            power = (
                f"{law['coefficient']:.3g} x {spaced(payload['axis'])}^{law['exponent']:.3f} "
                f"({bound(law['interval'][0])} to {bound(law['interval'][1])})"
            )
        left = "; ".join(f"{axis_value(value)}: {why}" for value, why in law["left_out"]) or "none"
        rows.append([text(LABELS[law["parametrization"]]), text(power), text(law["trend"]),
                     text(left)])  # fmt: skip
    return _table(["parametrization", "rate (95 % of the exponent)", "trend", "left out"], rows)


def _transfers(payload: Table) -> str:
    rows = []
    for part in payload["transfer"]:
        for row in part["regret"]:
            share = "not tried there" if row["regret"] is None else f"{100 * row['regret']:.1f} %"
            rows.append([
                text(LABELS[part["parametrization"]]),
                text(f"{number(part['lr'])} (of {axis_value(part['base'])})"),
                text(axis_value(row["value"])), text(share),
            ])  # fmt: skip
    lost = "lost of the gain" + (" in the log" if payload.get("scale") == LOG else "")
    head = ["parametrization", ">rate", f">used at {spaced(payload['axis'])}", f">{lost}"]
    return _table(head, rows)
