"""A study's page and figures, from its JSON object alone: U-curves, the law, transfer."""

from __future__ import annotations

import base64
import html as escaping
import io
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lrlab.report.content.summary import number
from lrlab.report.figures import style
from lrlab.report.figures.style import Theme

LABELS = {"standard": "standard parametrization", "mup": "muP"}
COLORS = {"standard": "#c2410c", "mup": "#2a7f8e"}


def overview(payload: Mapping[str, Any], theme: str = "light") -> Any:
    """Loss against LR in each parametrization, and beside it the best LR against the axis."""
    kinds = _kinds(payload)
    with style.use(theme) as colors:
        fig = style.figure(4.1 * (len(kinds) + 1), 3.9)
        axes = fig.subplots(1, len(kinds) + 1)
        for ax, kind in zip(axes[:-1], kinds, strict=True):
            ax.sharey(axes[0])
            _curves(ax, payload, kind, colors, legend=ax is axes[-2])
        axes[0].set_ylabel(f"final {style.label(payload['metric'])}")
        _best(axes[-1], payload, colors)
    return fig


def panels(payloads: Mapping[str, Mapping[str, Any]], theme: str = "light") -> Any:
    """Several studies by title: the U-curves of each (its first parametrization) above its law."""
    with style.use(theme) as colors:
        fig = style.figure(4.2 * len(payloads), 7.2)
        axes = fig.subplots(2, len(payloads), squeeze=False)
        for (title, payload), (above, below) in zip(payloads.items(), axes.T, strict=True):
            _curves(above, payload, _kinds(payload)[0], colors, legend=True)
            above.set_title(title)
            _best(below, payload, colors)
            below.set_title("")
        axes[0, 0].set_ylabel(f"final {style.label(next(iter(payloads.values()))['metric'])}")
    return fig


def u_curves(payload: Mapping[str, Any], theme: str = "light") -> Any:
    """The score against the learning rate, a line per value of the axis, a panel per
    parametrization; a mark at each recommended rate."""
    kinds = _kinds(payload)
    with style.use(theme) as colors:
        fig = style.figure(5.2 * len(kinds), 4.0)
        axes = np.atleast_1d(fig.subplots(1, len(kinds), sharey=True))
        for ax, kind in zip(axes, kinds, strict=True):
            _curves(ax, payload, kind, colors, legend=ax is axes[-1])
        axes[0].set_ylabel(f"final {style.label(payload['metric'])}")
    return fig


def best_lr(payload: Mapping[str, Any], theme: str = "light") -> Any:
    """The best rate of each group with its interval, and the fitted power law."""
    with style.use(theme) as colors:
        fig = style.figure()
        _best(fig.subplots(), payload, colors)
    return fig


def transfer(payload: Mapping[str, Any], theme: str = "light") -> Any:
    """What each group loses with the base's best rate; None where nothing is known."""
    found = [(part, row) for part in payload["transfer"] for row in part["regret"]
             if row["regret"] is not None and _number(row["value"]) is not None]  # fmt: skip
    if not found:
        return None
    with style.use(theme):
        fig = style.figure()
        ax = fig.subplots()
        for part in payload["transfer"]:
            rows = [(_number(r["value"]), r["regret"]) for r in part["regret"]]
            rows = sorted((x, 100 * y) for x, y in rows if x is not None and y is not None)
            if rows:
                kind = part["parametrization"]
                ax.plot(*np.array(rows).T, "o-", color=COLORS[kind], label=LABELS[kind])
        base = payload["transfer"][0]["base"]
        ax.set_ylim(bottom=0)
        ax.set_xlabel(_words(payload["axis"]))
        ax.set_ylabel("lost, % of what training gains")
        ax.set_title(f"Training with the best rate of {_words(payload['axis'])} {_show(base)}")
        style.log_axis(ax)
        ax.legend()
    return fig


FIGURES: dict[str, Callable[..., Any]] = {
    "u_curves": u_curves,
    "best_lr": best_lr,
    "transfer": transfer,
}


def write_figures(
    payload: Mapping[str, Any], folder: str | Path, formats: Sequence[str] = ("png", "svg")
) -> list[Path]:
    """Draws every figure that has a subject into `folder`; the paths written."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in FIGURES.items():
        made = draw(payload)
        if made is None:
            continue
        with style.use("light"):
            for ending in formats:
                path = folder / f"{name}.{ending}"
                made.savefig(path, metadata={"Date": None} if ending == "svg" else None)
                written.append(path)
    return written


def _kinds(payload: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(group["parametrization"] for group in payload["groups"]))


def _of(payload: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [group for group in payload["groups"] if group["parametrization"] == kind]


def _floats(values: Sequence[Any]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _number(value: Any) -> float | None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return float(value) if good else None


def _show(value: Any) -> str:
    if isinstance(value, list):
        return "-".join(map(_show, value))
    return number(value) if isinstance(value, float) else str(value)


def _words(axis: str) -> str:
    return axis.replace("_", " ")


def _curves(ax: Any, payload: Mapping[str, Any], kind: str, colors: Theme, legend: bool) -> None:
    import matplotlib as mpl

    groups = _of(payload, kind)
    shades = mpl.colormaps["viridis"](np.linspace(*colors.scale, max(2, len(groups))))
    means = np.concatenate([_floats(group["means"]) for group in payload["groups"]])
    starts = _floats([group["initial"] for group in payload["groups"]])
    seen = np.concatenate([means, starts])
    seen = seen[np.isfinite(seen)]
    for group, color in zip(groups, shades, strict=False):
        x, y = _floats(group["rates"]), _floats(group["means"])
        good = np.isfinite(y)
        ax.plot(x[good], y[good], "o-", ms=2.5, color=color, label=_show(group["value"]))
        if group["lr"] is not None and good.any():
            at = np.interp(np.log(group["lr"]), np.log(x[good]), y[good])
            ax.plot(group["lr"], at, "o", ms=7, mfc="none", mec=color, mew=1.6)
    if seen.size and seen.min() > 0 and seen.max() / seen.min() > 8:
        style.log_axis(ax, "y")
    style.log_axis(ax)
    ax.set_xlabel("peak learning rate")
    ax.set_title(LABELS[kind][0].upper() + LABELS[kind][1:] if kind != "mup" else "muP")
    if legend:
        ax.legend(title=_words(payload["axis"]))


def _best(ax: Any, payload: Mapping[str, Any], colors: Theme) -> None:
    laws = {law["parametrization"]: law for law in payload["laws"]}
    kinds = _kinds(payload)
    numeric = all(_number(group["value"]) is not None for group in payload["groups"])
    for place, kind in enumerate(kinds):
        color = COLORS[kind]
        groups = [group for group in _of(payload, kind) if group["lr"] is not None]
        # Side by side rather than one over the other.
        nudge = 1.0 if len(kinds) == 1 else 0.97 + 0.06 * place
        used = laws[kind]["used"]
        order = {_show(g["value"]): i for i, g in enumerate(_of(payload, kind))}
        xs = [
            _number(g["value"]) if numeric else order[_show(g["value"])] + 0.1 * place
            for g in groups
        ]
        for x, group in zip(xs, groups, strict=True):
            at = (x or 0) * nudge if numeric else x
            low, high = group["interval"] or (group["lr"], group["lr"])
            ax.plot([at, at], [low, high], color=color, lw=5, alpha=0.22, solid_capstyle="round")
            face = color if not numeric or group["value"] in used else colors.paper
            ax.plot(at, group["lr"], "o", ms=6, color=color, zorder=3, mfc=face)
        law = laws[kind]
        label = LABELS[kind] if len(kinds) > 1 else "best rate"
        if law["exponent"] is not None and len(law["used"]) > 1:
            line = np.geomspace(min(law["used"]), max(law["used"]), 50)
            ends = " to ".join(map(_end, law["interval"]))
            power = f"{_words(payload['axis'])}^{law['exponent']:.2f}\n(95 %: {ends})"
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
        ticks = sorted({_number(group["value"]) for group in payload["groups"]})  # type: ignore
        if len(ticks) <= 8:
            ax.set_xticks(ticks, [_show(t) for t in ticks])
            ax.minorticks_off()
    ax.set_xlabel(_words(payload["axis"]))
    ax.set_ylabel("best learning rate")
    ax.set_title("Best rate; bar: as good as the best")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=len(kinds), fontsize=8)


def _end(value: float | None) -> str:
    return "unbounded" if value is None or not np.isfinite(value) else f"{value:.2f}"


def write_html(payload: Mapping[str, Any], path: str | Path) -> Path:
    """Writes the page; returns its path."""
    target = Path(path)
    target.write_text(html(payload), encoding="utf-8")
    return target


def html(payload: Mapping[str, Any]) -> str:
    """The page as text, self-contained. Every string that a user can set is escaped."""
    css = (resources.files("lrlab.report.html") / "assets" / "page.css").read_text(encoding="utf-8")
    question, _, answer = payload["sentence"].partition("? ")
    title = _text(f"Study over {_words(payload['axis'])}")
    pictures = "\n".join(
        f'<figure style="margin:1.5rem 0"><img style="max-width:100%" alt="{_text(name)}" '
        f'src="data:image/png;base64,{_png(made)}"></figure>'
        for name, made in ((name, draw(payload)) for name, draw in FIGURES.items())
        if made is not None
    )
    return (
        '<!doctype html>\n<html lang="en" data-theme="light">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title} - lrlab</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n"
        f'<div class="top"><span>lrlab report: {title}</span></div>\n'
        f'<section class="run"><h1>{_text(question)}?</h1>\n<p>{_text(answer)}</p>\n{pictures}\n'
        f"<h2>Every group</h2>\n{_groups(payload)}\n<h2>The law of the best rate</h2>\n"
        f"{_laws(payload)}\n<h2>What transfer costs</h2>\n{_transfers(payload)}\n"
        f"<h2>What it cost</h2>\n<p>{_text(number(payload['cost']))} full-length runs, each of its "
        "own group's length.</p>\n</section>\n<footer>Written by lrlab.</footer>\n</main>\n"
        "</body>\n</html>\n"
    )


def _text(value: Any) -> str:
    return escaping.escape(str(value), quote=True)


def _png(made: Any) -> str:
    stream = io.BytesIO()
    with style.use("light"):
        made.savefig(stream, format="png", dpi=130)
    return base64.b64encode(stream.getvalue()).decode()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f"<th>{_text(name)}</th>" for name in head)
    body = "".join(
        "<tr>"
        + "".join(f"<td{'' if i == 0 else ' class=n'}>{cell}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def _groups(payload: Mapping[str, Any]) -> str:
    rows = []
    for group in payload["groups"]:
        means = _floats(group["means"])
        start = group["initial"]
        good = means[np.isfinite(means)]
        far = np.abs(good - (start if start is not None else 0))
        best = good[np.argmax(far)] if good.size else None
        low_high = "-" if not group["interval"] else " to ".join(map(number, group["interval"]))
        name = _text(_show(group["value"]))
        if group.get("run"):
            name = f'<a href="groups/{_text(Path(group["run"]).name)}/report.html">{name}</a>'
        rows.append([
            name, _text(LABELS[group["parametrization"]]), _text(number(group["lr"])),
            _text(low_high), _text(group["verdict"]), _text(number(best)),
            _text(number(group["cost"])),
        ])  # fmt: skip
    head = [_words(payload["axis"]), "parametrization", "best rate", "as good", "verdict",
            f"best mean {payload['metric']}", "cost"]  # fmt: skip
    return _table(head, rows)


def _laws(payload: Mapping[str, Any]) -> str:
    rows = []
    for law in payload["laws"]:
        power = "-"
        if law["exponent"] is not None:
            power = (
                f"{law['coefficient']:.3g} x {_words(payload['axis'])}^{law['exponent']:.3f} "
                f"({_end(law['interval'][0])} to {_end(law['interval'][1])})"
            )
        left = "; ".join(f"{_show(value)}: {why}" for value, why in law["left_out"]) or "none"
        rows.append([_text(LABELS[law["parametrization"]]), _text(power), _text(law["trend"]),
                     _text(left)])  # fmt: skip
    return _table(["parametrization", "rate (95 % of the exponent)", "trend", "left out"], rows)


def _transfers(payload: Mapping[str, Any]) -> str:
    rows = []
    for part in payload["transfer"]:
        for row in part["regret"]:
            share = "not tried there" if row["regret"] is None else f"{100 * row['regret']:.1f} %"
            rows.append([
                _text(LABELS[part["parametrization"]]),
                _text(f"{number(part['lr'])} (of {_show(part['base'])})"),
                _text(_show(row["value"])), _text(share),
            ])  # fmt: skip
    head = ["parametrization", "rate", f"used at {_words(payload['axis'])}", "lost of the gain"]
    return _table(head, rows)
