"""`verify.html`: the verdicts as one self-contained page, a small figure for each claim."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from lrlab.verify.verdict import Verdict

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1c2128;background:#fff}
article{border-top:1px solid #d0d5db;padding:1rem 0}img{max-width:100%}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2rem 0;font-size:.85rem}
.yes{color:#15703a}.no{color:#b42318}
"""


def page(verdicts: Sequence[Verdict]) -> str:
    """The page as text."""
    passed = sum(verdict.passed for verdict in verdicts)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width,initial-scale=1'>",
        f"<title>lrlab verify</title><style>{_STYLE}</style>",
        f"<h1>{passed} of {len(verdicts)} published results reproduced</h1>",
    ]
    parts += [_article(verdict) for verdict in verdicts]
    return "\n".join(parts) + "</html>\n"


def _article(verdict: Verdict) -> str:
    word, kind = ("passed", "yes") if verdict.passed else ("FAILED", "no")
    title = f"{html.escape(verdict.name)}: <span class={kind}>{word}</span>"
    picture = ""
    if verdict.figure:
        alt = html.escape(verdict.claim, quote=True)
        picture = f'<img alt="{alt}" src="data:image/png;base64,{_png(verdict.figure)}">'
    return (
        f"<article><h2>{title}</h2><p>{html.escape(verdict.claim)}</p>"
        f"<pre>published {_numbers(verdict.published)}\nmeasured  {_numbers(verdict.measured)}\n"
        f"tolerance {html.escape(verdict.tolerance)}\n{verdict.seconds:.1f} s</pre>"
        f"{picture}</article>"
    )


def _numbers(value: Any) -> str:
    return html.escape(value if isinstance(value, str) else json.dumps(value))


def _png(figure: dict[str, Any]) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = drawing.add_subplot()
    if "image" in figure:
        axes.imshow(figure["image"], origin="lower", cmap="viridis", interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
    else:
        for name, values in figure["lines"].items():
            axes.plot(figure["x"], np.asarray(values, np.float64), label=name, linewidth=1.3)
        for axis in figure["log"]:
            (axes.set_xscale if axis == "x" else axes.set_yscale)("log")
        axes.legend(fontsize="x-small", frameon=False)
    axes.set_xlabel(figure["xlabel"])
    axes.set_ylabel(figure["ylabel"])
    stream = io.BytesIO()
    FigureCanvasAgg(drawing).print_figure(stream, format="png", dpi=110)
    return base64.b64encode(stream.getvalue()).decode()
