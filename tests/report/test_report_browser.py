"""The report's page in a real browser (Debian's chromium): hovering, clicking, switches, themes."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from report_sample import build, changed, sample

from lrlab import report
from lrlab.search.range_test import range_test

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium"),
]

HOSTILE = "</script><script>window.hacked = 1</script>\"'<img src=x onerror='window.hacked = 1'>"

WATCH = """<script>
window.seen = {errors: [], violations: []};
addEventListener("error", (e) => seen.errors.push(e.message));
addEventListener("unhandledrejection", (e) => seen.errors.push(String(e.reason)));
document.addEventListener("securitypolicyviolation", (e) => seen.violations.push(e.blockedURI));
</script>"""

DRIVE = """<script>
const at = (canvas, x, y, type, more) => {
  const box = canvas.getBoundingClientRect(), Kind = type === "click" ? MouseEvent : PointerEvent;
  canvas.dispatchEvent(new Kind(type, {clientX: box.left + x, clientY: box.top + y, bubbles: true,
    pointerType: "mouse", ...more}));
};
const drawn = (canvas) => canvas.toDataURL().length + canvas.toDataURL().slice(-400);
function find(chart) {  // the first place where hovering shows something
  const box = chart.base.getBoundingClientRect();
  for (let x = 55; x < box.width; x += 5)
    for (let y = 10; y < box.height - 20; y += 5) {
      at(chart.base, x, y, "pointermove");
      if (tip.style.display === "block") return [x, y, tip.textContent];
    }
  return [0, 0, ""];
}
setTimeout(() => {
  const named = (words) => charts.find((c) => (c.spec.title || "").includes(words));
  const press = (chart, key) =>
    [...chart.host.querySelectorAll("button")].find((b) => b.dataset.key === key)?.click();
  seen.titles = charts.map((c) => c.spec.title);
  seen.dark = colors.dark;
  seen.wide = document.documentElement.scrollWidth - innerWidth;
  for (const [name, words] of [["loss", "against learning rate"], ["curve", "Training curves"]]) {
    const chart = named(words);
    if (!chart) continue;
    const [x, y, text] = find(chart);
    const before = drawn(chart.base), lanes = chart.run ? chart.run.shown().length : 0;
    at(chart.base, x, y, "click");
    const one = chart.run ? chart.run.shown().length : 0, after = drawn(chart.base);
    const say = document.querySelector(".say")?.textContent;
    document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}));
    const back = chart.run ? chart.run.shown().length : 0;
    press(chart, "lin");
    const linear = drawn(chart.base);
    press(chart, "log");
    seen[name] = {text, lanes, one, back, say, isolated: before !== after,
      switched: linear !== drawn(chart.base)};
  }
  const paper = getComputedStyle(document.body).backgroundColor;
  document.getElementById("theme").click();
  seen.papers = [paper, getComputedStyle(document.body).backgroundColor];
  seen.requests = performance.getEntriesByType("resource").map((e) => e.name);
  seen.hacked = window.hacked || 0;
  document.body.dataset.seen = JSON.stringify(seen);
}, 800);
</script></body>"""


def text_of(runs):
    return report.page(runs).text


def browse(page, folder, width=1200, dark=False):
    """What the page did when it was driven."""
    path = folder / "report.html"
    # The page's own policy stays in force; the two scripts are allowed by it as its own are.
    path.write_text(page.replace("<script>", WATCH + "<script>", 1).replace("</body>", DRIVE))
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-background-networking", f"--window-size={width},2400", "--hide-scrollbars",
         f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=4000",
         *(["--blink-settings=preferredColorScheme=0"] if dark else []),
         "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=1800,
    )  # fmt: skip
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert found is not None, done.stderr[-2000:]
    seen = json.loads(html.unescape(found[1]))
    assert seen["errors"] == [] and seen["violations"] == [] and seen["requests"] == []
    assert seen["papers"][0] != seen["papers"][1]
    assert seen["dark"] == dark and seen["wide"] <= 0 and seen["hacked"] == 0
    return seen


def isolates(found):
    return found["isolated"] and found["one"] == 1 and found["back"] == found["lanes"] > 1


def test_a_sweep(tmp_path):
    page = text_of(sample(lrs=9, seeds=2, steps=80, evals=5))
    seen = browse(page, tmp_path)
    for chart in (seen["loss"], seen["curve"]):
        assert isolates(chart) and chart["say"].startswith("Isolated: lr ") and chart["switched"]
        assert re.match(r"learning rate [\d.e-]+seed\d", chart["text"])
    assert re.search(r"step\d+valid_loss[\d.e-]+outcome", seen["curve"]["text"])


def test_a_search_with_picks_on_a_dark_phone(tmp_path):
    data = sample(lrs=9, seeds=3, steps=80, evals=5, kind="find")
    seen = browse(text_of(data), tmp_path, width=390, dark=True)
    assert {"Where each rule would train", "How far each lane was trained"} <= set(seen["titles"])
    assert isolates(seen["loss"]) and isolates(seen["curve"])


def test_hostile_words_and_a_further_lane_axis(tmp_path):
    data = sample(lrs=5, seeds=2, steps=30, evals=3, extra={HOSTILE: [0.0, 0.1]})
    answer = {**(data.answer or {}), "sentence": HOSTILE, "verdict": HOSTILE}
    data = data._replace(
        title=HOSTILE, config_text=HOSTILE, command=HOSTILE, suggestions={HOSTILE: [0.1]},
        manifest={"data": {"name": HOSTILE}}, answer=answer,
    )  # fmt: skip
    data = changed(data, **{HOSTILE: data.record.metrics["valid_loss"].values})
    seen = browse(text_of(data), tmp_path)
    assert isolates(seen["loss"]) and f"valid_loss: learning rate and {HOSTILE}" in seen["titles"]


def test_several_runs_and_a_range_test(tmp_path):
    lr = np.geomspace(1e-6, 1.0, 80)
    loss = 2.3 - 2 / (1 + np.exp(-3 * (np.log10(lr) + 2))) + np.array([[0.0], [0.1]])
    ramp = build(
        title="ramp", lr=[1.0], seeds=[0, 1], steps=range(80), train_loss=loss.T[:, None],
        learning_rate=np.broadcast_to(lr[:, None, None], (80, 1, 2)),
        test=range_test(lr, loss, np.array([0, 1]), "ramp", "train"),
    )  # fmt: skip
    runs = [sample(lrs=7, seeds=2, steps=40, evals=4, root=root) for root in (0, 1)]
    seen = browse(text_of([runs[0], runs[1]._replace(title="other"), ramp]), tmp_path)
    assert seen["titles"].count("valid_loss against learning rate") == 3  # one of both runs
    assert "train_loss against learning rate" in seen["titles"]
    assert "between seeds" in seen["loss"]["text"]  # the first chart compares the runs
    alone = browse(text_of(ramp), tmp_path)
    assert isolates(alone["loss"]) and "train_loss" in alone["loss"]["text"]
