"""Reports: figures, page and terminal from made-up runs; the page also in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from report_sample import sample

from lrlab import report
from lrlab.report.figures import FIGURES
from lrlab.report.payload import payload_of
from lrlab.report.summary import thin

HOSTILE = "</script><script>alert(1)</script>\"'<img src=x onerror=alert(2)>"
ANSWER = {
    "lr": 0.03, "interval": [0.01, 0.1], "verdict": "interior", "sentence": "Train with 0.03.",
    "cost": 12.0, "metric": "valid_loss", "seconds": 3.0,
}  # fmt: skip
KINDS = ("sweep", "find", "none")


def run(kind="sweep", **changes):
    data = sample(lrs=9, seeds=2, steps=80, evals=5, kind=kind)
    return data._replace(answer=ANSWER, **changes)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_draws_or_says_that_it_has_no_subject(kind, tmp_path):
    data = run(kind)
    written = report.write_figures(data, tmp_path, formats=("png", "svg", "pdf"))
    assert {path.suffix for path in written} == {".png", ".svg", ".pdf"}
    assert all(path.stat().st_size > 1000 for path in written)
    assert (tmp_path / "loss_vs_lr.svg").exists()
    with pytest.raises(ValueError, match="no figure"):
        report.draw("pie", data)
    assert set(path.stem for path in written) <= set(FIGURES)


def test_page_holds_everything_and_asks_for_nothing():
    page = report.html(run(config_text="steps = 5", command="lrlab find x.toml"))
    assert "Train with 0.03." in page and "steps = 5" in page and "lrlab find x.toml" in page
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    assert "default-src 'none'" in page


def test_every_string_that_a_user_can_set_is_escaped():
    data = run(
        title=HOSTILE, config_text=HOSTILE, command=HOSTILE, manifest={"data": {"name": HOSTILE}},
        suggestions={HOSTILE: [0.1]},
    )  # fmt: skip
    data = data._replace(answer={**ANSWER, "sentence": HOSTILE, "verdict": HOSTILE})
    page = report.html(data)
    assert "<script>alert" not in page and "<img" not in page
    assert page.count("<script>") == page.count("</script>") == 2


def test_page_of_a_large_run_stays_small():
    data = sample(lrs=32, seeds=4, steps=2000, evals=20)
    assert len(report.html(data)) < 6.5e6


def test_payload_is_strict_json_and_keeps_spikes():
    payload = payload_of(run())
    json.dumps(payload, allow_nan=False)
    assert len(payload["lanes"]) == 18
    y = np.ones(5000)
    y[1234] = 99.0
    steps, values = thin(np.arange(5000), y, 50)
    assert values.max() == 99.0 and len(values) <= 60


def test_several_runs_are_ranked():
    page = report.html([run(title="first"), run(title="second")])
    assert page.count("<section") == 2 and 'href="#run1"' in page


@pytest.mark.parametrize("kind", KINDS)
def test_terminal(kind):
    from rich.console import Console

    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(report.renderable(run(kind)))
    text = console.export_text()
    assert "Train with 0.03." in text and "learning rate" in text


def test_an_extra_lane_axis_is_shown():
    data = sample(lrs=5, seeds=2, steps=30, evals=3, extra={"weight_decay": [0.0, 0.1]})
    page = report.html(data)
    assert "weight_decay" in page


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("kind", KINDS)
def test_page_runs_in_a_browser_without_an_error(kind, tmp_path):
    page = report.html(run(kind)).replace(
        'document.body.dataset.ready = "yes";',
        """document.body.dataset.ready = "yes";
setTimeout(() => {
  const c = charts[1].base, box = c.getBoundingClientRect();
  let seen = "";
  for (let x = 60; x < box.width && !seen; x += 4)
    for (let y = 10; y < box.height && !seen; y += 4) {
      c.dispatchEvent(new PointerEvent("pointermove",
        {clientX: box.left + x, clientY: box.top + y, pointerType: "mouse"}));
      if (tip.style.display === "block") seen = tip.textContent;
    }
  document.body.dataset.tip = seen;
}, 1500);
window.addEventListener("error", (e) => {
  document.body.dataset.error = (document.body.dataset.error || "") + e.message;
});""",
    )
    path = tmp_path / "report.html"
    path.write_text(page)
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,2400",
         "--virtual-time-budget=4000", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    body = re.search(r"<body[^>]*>", done.stdout)
    assert body is not None and 'data-ready="yes"' in body[0], done.stderr[-2000:]
    assert "data-error" not in body[0]
    assert re.search(r'data-tip="learning rate [^"]+seed', body[0]), body[0]


def test_the_notebook_figure_holds_every_lane_and_reads_user_text_as_text() -> None:
    from lrlab.report import build, interactive

    loss = np.arange(1.0, 25.0).reshape(4, 3, 2)
    loss[2:, 2] = np.nan
    data = build(
        title="<b>mine</b>",
        lr=[0.1, 0.01, 1.0],
        seeds=[3, 4],
        steps=range(4),
        train_loss=loss,
        outcome=[["ok"] * 2, ["ok"] * 2, ["diverged"] * 2],
        diverged_at=[[-1] * 2, [-1] * 2, [2] * 2],
    )
    made = interactive(data)
    assert made.layout.title.text == "&lt;b&gt;mine&lt;/b&gt;"
    points, curves = made.data[:3], made.data[3:]
    assert [trace.name for trace in points] == [trace.name for trace in curves]
    assert [trace.name for trace in points] == ["0.01", "0.1", "1"]
    assert list(curves[1].y) == [1.0, 7.0, 13.0, 19.0, None, 2.0, 8.0, 14.0, 20.0, None]
    assert "seed 3, diverged" in points[2].customdata[0]
