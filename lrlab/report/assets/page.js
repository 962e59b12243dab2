"use strict";
// The page of one or several runs: cards, charts, tables. Data: window.lrlab = {runs: [...]}.
function model(data) {
  const run = { data, hover: -1, chosen: [], shown, setHover, isolate, color, label };
  const rates = data.lanes.map((lane) => lane.lr).filter((v) => v > 0);
  const lo = Math.log(Math.min(...rates)), hi = Math.log(Math.max(...rates));

  function color(lane, alpha) {
    const v = data.lanes[lane].lr;
    return viridis(hi > lo && v > 0 ? (Math.log(v) - lo) / (hi - lo) : 0.5, alpha);
  }
  function shown() {
    const all = data.lanes.map((_, i) => i).filter((i) => data.lanes[i].outcome !== "not_run");
    return run.chosen.length ? run.chosen : all;
  }
  function label(lane) {
    const l = data.lanes[lane];
    const more = Object.entries(l.extra).map(([k, v]) => `, ${k} ${fmt(v)}`).join("");
    return `lr ${fmt(l.lr)}${more}, seed ${l.seed}`;
  }
  function setHover(lane) {
    if (lane === run.hover) { for (const c of charts) if (c.run === run) c.mark(lane); return; }
    run.hover = lane;
    for (const c of charts) if (c.run === run) c.mark(lane);
  }
  function isolate(lanes, add) {
    if (!lanes.length) run.chosen = [];
    else if (add) run.chosen = [...new Set([...run.chosen, ...lanes])];
    else run.chosen = run.chosen.length === 1 && run.chosen[0] === lanes[0] ? [] : lanes;
    for (const c of charts) if (c.run === run) c.draw();
    if (run.say) run.say();
  }
  return run;
}

function rowsOf(run, lane, extra) {
  const l = run.data.lanes[lane];
  const rows = [["seed", String(l.seed)], ...Object.entries(l.extra).map(([k, v]) => [k, fmt(v)])];
  const ended = l.outcome === "diverged" ? `diverged at step ${l.diverged_at}` : l.outcome;
  return [...rows, ...extra, ["outcome", ended]];
}

function extent(values) {
  let lo = Infinity, hi = -Infinity;
  for (const v of values) if (Number.isFinite(v)) { lo = Math.min(lo, v); hi = Math.max(hi, v); }
  return lo <= hi ? [lo, hi] : [0, 1];
}

function padded([lo, hi], log) {
  if (log) { const f = Math.pow(hi / lo || 1, 0.05) * (hi > lo ? 1 : 1.5); return [lo / f, hi * f]; }
  const pad = (hi - lo) * 0.05 || Math.abs(hi) * 0.1 || 1;
  return [lo - pad, hi + pad];
}

function lossChart(run, host) {
  const d = run.data;
  let log = d.mode === "min" && extent(d.lanes.map((l) => l.score).filter((v) => v > 0))[0] > 0;
  const can = log;
  // Lanes that were pruned on their way up would leave no room for the rest: they stand at the edge.
  const early = d.lanes.map((l) => l.early).filter((v) => Number.isFinite(v)).sort((a, b) => a - b);
  const top = Math.max(extent(d.lanes.map((l) => l.score ?? NaN))[1],
    early.length ? early[early.length >> 1] : -Infinity);
  const edge = d.mode === "min" && top > 0 ? 3 * top : Infinity;
  const inside = (v) => v == null ? v : Math.min(v, edge);
  const value = (i) => inside(d.lanes[i].score ?? d.lanes[i].early);
  const spec = {
    title: `${d.metric} against learning rate`, height: 360,
    note: "Each dot is one seed, the line their mean. A lane counts with the better of its last " +
      "and its first value. Crosses diverged; hollow dots were pruned, drawn where they stood then (at the edge if far up).",
    controls: can ? choice([["log", "log"], ["lin", "linear"]], "log",
      (v) => { log = v === "log"; self.draw(); }, "vertical axis") : [],
    view() {
      const seen = run.shown().map(value).filter((v) => Number.isFinite(v));
      const rates = d.lanes.map((l) => l.lr).filter((v) => v > 0);
      return { x: padded(extent(rates), true), xlog: true, ylog: log, xlabel: "learning rate",
        y: padded(extent(log ? seen.filter((v) => v > 0) : seen), log) };
    },
    paint(g, c) {
      const a = d.answer || {};
      if (d.diverged_from != null) {
        const x = c.x(d.diverged_from);
        g.fillStyle = colors.danger; g.globalAlpha = 0.06; g.fillRect(x, c.t, c.r - x, c.b - c.t);
        g.globalAlpha = 1; hatch(g, x, c.t, c.r, c.b, colors.danger);
      }
      if (a.interval) {
        const [x0, x1] = a.interval.map((v) => c.x(v));
        g.fillStyle = colors.band; g.fillRect(x0, c.t, Math.max(x1 - x0, 2), c.b - c.t);
      }
      if (a.lr) {
        g.strokeStyle = colors.accent; g.lineWidth = 2;
        line(g, c.x(a.lr), c.t, c.x(a.lr), c.b); g.lineWidth = 1;
      }
      for (const [rule, picks] of Object.entries(d.suggestions || {}))
        for (const v of picks) if (v > 0) {
          g.strokeStyle = colors.soft; g.setLineDash([3, 3]); line(g, c.x(v), c.b - 10, c.x(v), c.b);
          g.setLineDash([]); g.fillStyle = colors.soft; g.font = "10px system-ui, sans-serif";
          g.textAlign = "left"; g.textBaseline = "bottom"; g.fillText(rule, c.x(v) + 2, c.b - 10);
          break;
        }
      g.strokeStyle = colors.ink; g.lineWidth = 1.6; g.beginPath();
      let open = false;
      for (const row of d.rows) {
        const y = c.y(row.mean);
        if (!Number.isFinite(y) || row.mean == null) continue;
        open ? g.lineTo(c.x(row.lr), y) : g.moveTo(c.x(row.lr), y);
        open = true;
      }
      if (!d.several) g.stroke();
      g.lineWidth = 1;
      for (const i of run.shown()) {
        const l = d.lanes[i], y = c.y(l.score);
        if (l.early != null) {
          g.lineWidth = 1.2; disc(g, c.x(l.lr), c.y(inside(l.early)), 3, colors.paper, colors.faint);
        }
        if (!Number.isFinite(y) || l.score == null) continue;
        if (l.outcome === "diverged") {
          g.strokeStyle = colors.danger; g.lineWidth = 1.6; cross(g, c.x(l.lr), y, 4);
        } else disc(g, c.x(l.lr), y, 4, run.color(i, 0.9), colors.paper);
      }
      g.lineWidth = 1;
    },
    mark(g, c, lane) {
      const l = d.lanes[lane];
      if (value(lane) == null) return;
      g.lineWidth = 2; disc(g, c.x(l.lr), c.y(value(lane)), 7, null, colors.ink); g.lineWidth = 1;
    },
    spot(c, lane) {
      const l = d.lanes[lane];
      const v = value(lane);
      if (v == null) return null;
      return { lane, px: c.x(l.lr), py: c.y(v), lead: `learning rate ${fmt(l.lr)}`,
        color: run.color(lane), rows: rowsOf(run, lane, [[d.metric, fmt(v, 4)],
          ["steps", String(l.steps)]]) };
    },
    hit(c, px, py) {
      let best = null, near = 24;
      for (const i of run.shown()) {
        const l = d.lanes[i];
        if (value(i) == null) continue;
        const far = Math.hypot(c.x(l.lr) - px, c.y(value(i)) - py);
        if (far < near) { near = far; best = i; }
      }
      return best == null ? null : spec.spot(c, best);
    },
  };
  const self = chart(run, host, spec);
}

function curveChart(run, host, names, title, note, height) {
  const d = run.data;
  let name = names[0], log = true, xlog = false;
  const curve = (i) => d.curves[name].lanes[i];
  const positive = () => run.shown().every((i) => !curve(i) || curve(i)[1].every((v) => v == null || v > 0));
  const spec = {
    title, note, height,
    controls: [
      ...(names.length > 1 ? [dropdown(names.map((n) => [n, n]), name,
        (v) => { name = v; self.draw(); }, "metric")] : []),
      ...choice([["log", "log"], ["lin", "linear"]], "log",
        (v) => { log = v === "log"; self.draw(); }, "vertical axis"),
      ...choice([["lin", "steps"], ["log", "log steps"]], "lin",
        (v) => { xlog = v === "log"; self.draw(); }, "horizontal axis"),
    ],
    view() {
      const ylog = log && positive();
      const ys = [], ends = [];
      for (const i of run.shown()) {
        const k = curve(i);
        if (!k) continue;
        for (const v of k[1]) if (v != null && (!ylog || v > 0)) ys.push(v);
        ends.push(k[0][k[0].length - 1] || 0);
      }
      ys.sort((a, b) => a - b);
      const at = (q) => ys[Math.min(ys.length - 1, Math.max(0, Math.round(q * (ys.length - 1))))];
      // A lane that blows up does not flatten all others.
      let y = ys.length ? [ys[0], ys[ys.length - 1]] : [0, 1];
      const top = at(0.98);
      if (ys.length && top > 0 && y[1] > 4 * top) y = [y[0], top * (ylog ? 4 : 1.3)];
      const last = Math.max(1, ...ends);
      return { x: xlog ? [1, last + 1] : [0, last], xlog, ylog, y: padded(y, ylog), xlabel: "step" };
    },
    paint(g, c) {
      const lanes = run.shown(), faded = lanes.length > 60 ? 0.45 : 0.8;
      for (const i of lanes) {
        const k = curve(i);
        if (!k) continue;
        g.strokeStyle = run.color(i, faded);
        g.lineWidth = lanes.length > 60 ? 0.9 : 1.3;
        trace(g, c, k);
      }
      g.lineWidth = 1;
    },
    mark(g, c, lane, found) {
      const k = curve(lane);
      if (!k) return;
      g.strokeStyle = colors.ink; g.lineWidth = 2.4; trace(g, c, k); g.lineWidth = 1;
      if (found && found.px != null && found.lane === lane) disc(g, found.px, found.py, 4, colors.ink);
    },
    spot(c, lane, index) {
      const k = curve(lane);
      if (!k || !k[0].length) return null;
      const at = index ?? k[0].length - 1;
      return { lane, px: c.x(k[0][at] + (c.view.xlog ? 1 : 0)), py: c.y(k[1][at]),
        lead: `learning rate ${fmt(d.lanes[lane].lr)}`, color: run.color(lane),
        rows: rowsOf(run, lane, [["step", String(k[0][at])], [name, fmt(k[1][at], 4)]]) };
    },
    hit(c, px, py) {
      let best = null, near = 26;
      for (const i of run.shown()) {
        const k = curve(i);
        if (!k) continue;
        for (let j = 0; j < k[0].length; j++) {
          const x = c.x(k[0][j] + (c.view.xlog ? 1 : 0));
          if (Math.abs(x - px) > near) continue;
          const far = Math.hypot(x - px, c.y(k[1][j]) - py);
          if (far < near) { near = far; best = [i, j]; }
        }
      }
      return best ? spec.spot(c, ...best) : null;
    },
  };
  function trace(g, c, k) {
    const one = c.view.xlog ? 1 : 0;
    g.beginPath();
    k[0].forEach((s, j) => {
      const y = Math.min(c.b + 1e4, Math.max(c.t - 1e4, c.y(k[1][j])));
      j ? g.lineTo(c.x(s + one), y) : g.moveTo(c.x(s + one), y);
    });
    g.stroke();
  }
  const self = chart(run, host, spec);
}

function outcomeChart(run, host) {
  const d = run.data, kinds = ["ok", "pruned", "diverged"];
  const seen = d.rows.filter((row) => Object.keys(row.counts).length);
  const spec = {
    title: "What became of the lanes", height: 200, fixed: true,
    note: "How far each lane came: full bars reached the last step.",
    view() {
      const rates = seen.map((row) => row.lr).filter((v) => v > 0);
      return { x: padded(extent(rates), true), xlog: true, y: [0, 1.02], xlabel: "learning rate",
        yticks: [[0, "0"], [0.5, "half"], [1, "all"]] };
    },
    paint(g, c) {
      const width = Math.max(2, Math.min(14, (c.r - c.l) / Math.max(8, d.lanes.length + seen.length)));
      const at = {};
      for (const i of run.shown()) {
        const l = d.lanes[i], n = (at[l.lr] = (at[l.lr] ?? -1) + 1);
        g.fillStyle = l.outcome === "diverged" ? colors.danger : l.outcome === "pruned"
          ? colors.pruned : colors.ok;
        const share = Math.max(0.02, l.steps / d.full_steps), x = c.x(l.lr) + n * width - width;
        g.fillRect(x, c.y(share), Math.max(1, width - 1), c.b - c.y(share));
      }
    },
    hit(c, px) {
      let best = null, near = 20;
      for (const i of run.shown()) {
        const far = Math.abs(c.x(d.lanes[i].lr) - px);
        if (far < near) { near = far; best = i; }
      }
      if (best == null) return null;
      const l = d.lanes[best], row = seen.find((r) => r.lr === l.lr);
      return { lane: best, lead: `learning rate ${fmt(l.lr)}`, color: run.color(best),
        rows: kinds.filter((k) => row.counts[k]).map((k) => [k, String(row.counts[k])]) };
    },
  };
  chart(run, host, spec);
}

function build(data, host) {
  const run = model(data);
  const figure = (wide) => {
    const node = el("figure", { class: wide ? "wide" : false });
    grid.append(node);
    return node;
  };
  const grid = el("div", { class: "grid" });
  const say = el("span", { class: "say" });
  const all = el("button", { onclick: () => run.isolate([]) }, "show all lanes");
  const bar = el("div", { class: "bar" }, el("div", { class: "head" }, say, all));
  run.say = () => {
    all.hidden = !run.chosen.length;
    say.textContent = run.chosen.length
      ? `Isolated: ${run.chosen.slice(0, 3).map(run.label).join("; ")}` +
        (run.chosen.length > 3 ? ` and ${run.chosen.length - 3} more` : "")
      : "Click a lane in any figure to isolate it; shift-click adds another.";
  };
  run.say();
  host.querySelector(".charts").append(bar, grid);
  lossChart(run, figure(true));
  const names = Object.keys(data.curves).filter((n) => !n.startsWith("learning_rate"));
  curveChart(run, figure(true), names, "Training curves",
    "Colored by learning rate, from dark (small) to bright (large).", 340);
  const rates = Object.keys(data.curves).filter((n) => n.startsWith("learning_rate"));
  if (rates.length)
    curveChart(run, figure(false), rates, "Learning rate as applied",
      "What each update really used.", 240);
  outcomeChart(run, figure(false));
}

readTheme();
window.lrlab.runs.forEach((data, i) => build(data, document.getElementById("run" + i)));
document.getElementById("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = colors.dark ? "light" : "dark";
  readTheme();
  for (const c of charts) c.draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readTheme();
  for (const c of charts) c.draw();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const c of charts) if (c.run) c.run.isolate([]);
});
for (const node of document.querySelectorAll("button.copy"))
  node.addEventListener("click", () => {
    navigator.clipboard?.writeText(node.parentElement.querySelector("pre").textContent);
    node.textContent = "copied";
  });
document.body.dataset.ready = "yes";
