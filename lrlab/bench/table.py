"""The bench's results for people: a Markdown table and a bar figure."""

from __future__ import annotations

from pathlib import Path

from lrlab.bench.workloads import WAYS
from lrlab.core.text import Table
from lrlab.report.figures import style


def markdown(payload: Table) -> str:
    """One table per workload, fastest first; what lrlab loses is in the ratio column below 1, and
    beside it are the smallest and the largest ratio of a turn.

    >>> way = dict(name="lrlab", first_s=2.0, steady_s=1.0, runs=5, gflops=None, peak_share=None,
    ...            peak_rss_bytes=2**30, ratio=1.0, ratio_spread=[1, 1], same={"passed": True})
    >>> work = dict(name="grid", data="examples", lanes=4, steps=2, peak_gflops=None, ways=[way])
    >>> print(markdown({"workloads": [work]}).splitlines()[-1])
    | **lrlab** | 2.00 | 1.000 | 1.00 | 1.00-1.00 | - | - | 1.00 | yes |
    """
    parts = []
    for work in payload["workloads"]:
        peak = work["peak_gflops"]
        about = f"{work['lanes']:,} lanes x {work['steps']} steps, {work['data']}"
        if peak:
            about += f"; matrix products reach {peak:.0f} GFLOP/s"
        lines = [
            f"### {work['name']}",
            "",
            about + ".",
            "",
            "| way | first call, s | steady, s | time / lrlab's | by turn | GFLOP/s | of peak "
            "| GiB | same |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---|",
        ]
        for way in sorted(work["ways"], key=lambda row: row["steady_s"]):
            name = f"**{way['name']}**" if way["name"] == "lrlab" else way["name"]
            more = "> " if way.get("at_least") else ""
            cells = (
                name,
                more + _number(way["first_s"], 2),
                more + _number(way["steady_s"], 3),
                more + _number(way["ratio"], 2),
                "-".join(_number(end, 2) for end in way["ratio_spread"] or [None]),
                _number(way["gflops"], 0),
                f"{way['peak_share']:.0%}" if way["peak_share"] else "-",
                _number(way["peak_rss_bytes"] / 2**30, 2),
                {True: "yes", False: "no", None: "-"}[(way["same"] or {}).get("passed")],
            )
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def explained() -> str:
    """What the ways are, as a Markdown list."""
    return "\n".join(f"- `{name}`: {what}" for name, what in WAYS.items())


def figure(payload: Table, path: Path) -> Path:
    """Bars of lane-steps per second relative to lrlab's, workload by workload."""
    # lrlab on half of the work is no alternative to it.
    works = [
        {**work, "ways": [way for way in work["ways"] if way["name"] != "half-diverging"]}
        for work in payload["workloads"]
    ]
    bars = sum(len(work["ways"]) for work in works)
    with style.use("light") as colors:
        drawing = style.figure(7.2, 0.5 + 0.19 * bars + 0.42 * len(works))
        axes = drawing.subplots(
            len(works), 1, squeeze=False, sharex=True,
            gridspec_kw={"height_ratios": [len(work["ways"]) + 0.6 for work in works]},
        )[:, 0]  # fmt: skip
        speeds = [1 / way["ratio"] for work in works for way in work["ways"]]
        for ax, work in zip(axes, works, strict=True):
            rows = sorted(work["ways"], key=lambda way: -way["steady_s"])
            for place, way in enumerate(rows):
                mine = way["name"] == "lrlab"
                speed = 1 / way["ratio"]
                ax.barh(place, speed, color=colors.accent if mine else colors.grid, height=0.74)
                rate = work["lanes"] * work["steps"] / way["steady_s"]
                ax.text(speed + 0.01, place, f"{rate:,.0f} lane-steps/s ({speed:.2g} x)",
                        va="center", fontsize=7.5, color=colors.ink)  # fmt: skip
            ax.set_yticks(range(len(rows)), [way["name"] for way in rows])
            ax.set_xlim(0, 1.45 * max(speeds))
            ax.set_title(
                f"{work['name']}: {work['lanes']:,} lanes, {work['steps']} steps",
                loc="left", fontsize=9, pad=3,
            )  # fmt: skip
            ax.spines[:].set_visible(False)
            ax.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
            ax.tick_params(axis="y", length=0)
            ax.grid(False)
        drawing.suptitle(f"Speed relative to lrlab's ({payload['machine']})", fontsize=9)
        drawing.savefig(path, dpi=150)
    return path
