"""One look for every matplotlib figure: light and dark, colored by log LR, ready to print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lrlab.core.figures import in_notebooks
from lrlab.core.text import number, spaced
from lrlab.report.content.data import ReportData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType


class Theme(NamedTuple):
    """The colors of one theme; `scale` is the part of viridis that stands out on `paper`."""

    paper: str
    ink: str
    soft: str
    grid: str
    accent: str
    danger: str
    scale: tuple[float, float]


THEMES = {
    "light": Theme("#ffffff", "#1c2128", "#656d76", "#e4e7eb", "#c2410c", "#b42318", (0.0, 0.93)),
    "dark": Theme("#101418", "#e6e9ed", "#9aa4af", "#272d34", "#fb923c", "#f97066", (0.22, 1.0)),
}

OUTCOME_COLORS = {
    "light": {
        "ok": "#2a7f8e",
        "diverged": "#c4452f",
        "pruned": "#c9ced6",
        "not_run": "#ffffff",
    },
    "dark": {
        "ok": "#3fa7b5",
        "diverged": "#e5694f",
        "pruned": "#4a525c",
        "not_run": "#101418",
    },
}


CATEGORIES = {
    "light": ("#0072b2", "#d55e00", "#009e73", "#b5568f", "#c28a00", "#4d4d4d"),
    "dark": ("#56b4e9", "#ff8a4c", "#3cc9a0", "#e39bc4", "#f0c05a", "#c9ced6"),
}
"""Colors of whole runs beside each other (after Okabe and Ito: distinct to every eye)."""


def theme(name: str) -> Theme:
    """The theme of that name.

    Raises:
        ValueError: the name is neither "light" nor "dark".
    """
    if name not in THEMES:
        raise ValueError(f"report: theme {name!r} is unknown; choose one of {', '.join(THEMES)}")
    return THEMES[name]


@contextmanager
def use(name: str = "light") -> Iterator[Theme]:
    """Matplotlib's settings for one figure, put back afterwards. Needed to draw and to save."""
    import matplotlib as mpl

    colors = theme(name)
    with mpl.rc_context({**settings(colors)}):
        yield colors


def settings(colors: Theme) -> dict[RcKeyType, object]:
    """The rcParams of a theme. User text is never read as TeX; SVG text stays text."""
    return {
        "figure.figsize": (6.4, 4.0),
        "figure.dpi": 110,
        "savefig.dpi": 200,
        "figure.facecolor": colors.paper,
        "savefig.facecolor": colors.paper,
        "axes.facecolor": colors.paper,
        "axes.edgecolor": colors.soft,
        "axes.linewidth": 0.8,
        "axes.labelcolor": colors.ink,
        "axes.labelsize": 9.5,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 10,
        "axes.titlecolor": colors.ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": colors.grid,
        "grid.linewidth": 0.7,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9,
        "text.color": colors.ink,
        "text.parse_math": False,
        "xtick.color": colors.soft,
        "ytick.color": colors.soft,
        "xtick.labelcolor": colors.ink,
        "ytick.labelcolor": colors.ink,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "xtick.minor.size": 2,
        "ytick.minor.size": 2,
        "lines.linewidth": 1.3,
        "lines.solid_capstyle": "round",
        "hatch.color": colors.danger,
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "svg.fonttype": "none",
        "svg.hashsalt": "lrlab",
        "pdf.fonttype": 42,
    }


def figure(width: float = 6.4, height: float = 4.0) -> Figure:
    """An empty Figure with constrained layout, apart from pyplot: no global state, no window.

    A notebook shows it where it is a cell's last value, and once: it knows how to become a PNG.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    look = {name: mpl.rcParams[name] for name in settings(THEMES["light"])}
    return in_notebooks(Figure(figsize=(width, height), layout="constrained"), look)


def lr_scale(lr: np.ndarray, colors: Theme) -> tuple[Colormap, Normalize]:
    """(colormap, norm): viridis over log LR, without the end that vanishes on the background."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap, LogNorm

    part = mpl.colormaps["viridis"](np.linspace(*colors.scale, 256))
    low, high = float(np.min(lr)), float(np.max(lr))
    if low == high:
        low, high = low / 2, high * 2
    return ListedColormap(part, name="lrlab"), LogNorm(low, high)


def color_bar(fig: Figure, ax: Axes | list[Axes], lr: np.ndarray, colors: Theme) -> None:
    """A slim scale of learning rates beside `ax`."""
    from matplotlib.cm import ScalarMappable

    cmap, norm = lr_scale(lr, colors)
    bar = fig.colorbar(ScalarMappable(norm, cmap), ax=ax, pad=0.015, aspect=32, fraction=0.04)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(log_labels)
    bar.ax.yaxis.set_minor_formatter("")
    bar.ax.tick_params(labelsize=8, length=2)
    bar.set_label("learning rate", size=8.5)


def log_axis(ax: Axes, which: Literal["x", "y"] = "x") -> None:
    """A logarithmic axis with labels such as 10⁻³, in plain text; 2 and 5 where decades are few."""
    from matplotlib.ticker import LogLocator, NullFormatter

    getattr(ax, f"set_{which}scale")("log")
    axis = getattr(ax, f"{which}axis")
    low, high = sorted(getattr(ax, f"get_{which}lim")())
    few = low > 0 and np.floor(np.log10(high)) - np.ceil(np.log10(low)) < 2  # under 3 decades
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=12))
    axis.set_major_formatter((lambda v, _: number(v)) if few else log_labels)
    axis.set_minor_formatter(NullFormatter())


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def log_labels(value: float, _position: object = None) -> str:
    """A tick of a logarithmic axis.

    >>> log_labels(1e-5), log_labels(0.01), log_labels(1.0), log_labels(3e-4)
    ('10⁻⁵', '0.01', '1', '0.0003')
    """
    if value <= 0:
        return ""
    power = round(np.log10(value))
    if abs(value / 10.0**power - 1) > 1e-6 or -3 < power < 3:
        return number(value)
    return "10" + str(power).translate(_SUPERSCRIPT)


def is_ramp(data: ReportData) -> bool:
    """Whether a run is a ramp: its lanes climb through all rates, so they stand at none."""
    return data.test is not None and data.test.kind == "ramp"


def label(metric: str) -> str:
    """A metric's name for an axis.

    >>> label("valid_loss"), label("train_loss"), label("valid_accuracy")
    ('validation loss', 'training loss', 'validation accuracy')
    """
    for short, long in (
        ("valid_", "validation "),
        ("train_", "training "),
        ("test_", "test "),
    ):
        if metric.startswith(short):
            return long + spaced(metric.removeprefix(short))
    return spaced(metric)
