// The figures of a run: each makes one chart from its data. See plot.js for what a spec is.
function rowsOf(run, lane, extra) {
  const l = run.data.lanes[lane];
  const rows = [["seed", String(l.seed)], ...run.extra(l).map(([k, v]) => [k, fmt(v)])];
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

/* A path through points; on a log axis what is not positive lies at the lower edge. */
function path(g, c, xs, ys, one = 0) {
  let open = false;
  g.beginPath();
  for (let j = 0; j < xs.length; j++) {
    if (ys[j] == null) { open = false; continue; }
    const x = c.x(xs[j] + one), y = heightOf(c, ys[j]);
    open ? g.lineTo(x, y) : g.moveTo(x, y);
    open = true;
  }
  g.stroke();
}

function heightOf(c, v) {
  if (c.view.ylog && v <= 0) return c.b;
  return Math.min(c.b + 1e4, Math.max(c.t - 1e4, c.y(v)));
}

function shadeFrom(g, c, from) {
  const x = c.x(from);
  g.fillStyle = colors.danger; g.globalAlpha = 0.06; g.fillRect(x, c.t, c.r - x, c.b - c.t);
  g.globalAlpha = 1; hatch(g, x, c.t, c.r, c.b, colors.danger);
}

function answerOf(g, c, answer) {
  if (answer.interval) {
    const [x0, x1] = answer.interval.map((v) => c.x(v));
    g.fillStyle = colors.band; g.fillRect(x0, c.t, Math.max(x1 - x0, 2), c.b - c.t);
  }
  if (answer.lr) {
    g.strokeStyle = colors.accent; g.lineWidth = 2;
    line(g, c.x(answer.lr), c.t, c.x(answer.lr), c.b); g.lineWidth = 1;
  }
}

/* The learning rates of all lanes that ran, and of the picks: the x axis of several figures. */
function ratesOf(run) {
  const ran = run.data.lanes.filter((l) => l.outcome !== "not_run" && l.lr > 0).map((l) => l.lr);
  return padded(extent(ran), true);
}

function lossChart(run, host) {
  const d = run.data;
  // Lanes that were pruned on their way up would leave no room for the rest: they stand at the edge.
  const early = d.lanes.map((l) => l.early).filter((v) => Number.isFinite(v)).sort((a, b) => a - b);
  const top = Math.max(extent(d.lanes.map((l) => l.score ?? NaN))[1],
    early.length ? early[early.length >> 1] : -Infinity);
  const edge = d.mode === "min" && top > 0 ? 3 * top : Infinity;
  const inside = (v) => v == null ? v : Math.min(v, edge);
  const value = (i) => inside(d.lanes[i].score ?? d.lanes[i].early);
  const positive = d.lanes.some((l, i) => value(i) > 0);
  let log = d.mode === "min" && positive;
  const groups = {};
  for (const row of d.rows) if (row.mean != null) (groups[row.at] = groups[row.at] || []).push(row);
  const keys = Object.keys(groups), sign = d.mode === "min" ? 1 : -1;
  const peak = (key) => Math.min(...groups[key].map((row) => sign * row.mean));
  const best = keys.reduce((a, b) => (a == null || peak(b) < peak(a) ? b : a), null);
  const spec = {
    title: `${d.metric} against learning rate`, height: 370,
    controls: log ? [choice([["log", "log"], ["lin", "linear"]], "log",
      (v) => { log = v === "log"; self.draw(); }, "vertical axis")] : [],
    view() {
      const seen = run.shown().map(value).filter((v) => Number.isFinite(v));
      if (d.initial != null) seen.push(inside(d.initial));
      return { x: ratesOf(run), xlog: true, ylog: log, xlabel: "learning rate",
        y: padded(extent(log ? seen.filter((v) => v > 0) : seen), log) };
    },
    paint(g, c) {
      if (d.diverged_from != null) shadeFrom(g, c, d.diverged_from);
      answerOf(g, c, d.answer);
      if (d.initial != null) {
        g.strokeStyle = colors.faint; g.setLineDash([4, 4]);
        line(g, c.l, heightOf(c, d.initial), c.r, heightOf(c, d.initial)); g.setLineDash([]);
      }
      for (const key of keys) {
        if (!run.matches(groups[key][0].at)) continue;
        const rows = groups[key], one = key === best || keys.length === 1 || run.filtered();
        g.strokeStyle = colors.ink; g.lineWidth = one ? 1.7 : 0.8; g.globalAlpha = one ? 1 : 0.35;
        path(g, c, rows.map((r) => r.lr), rows.map((r) => r.mean));
      }
      g.globalAlpha = 1;
      if (d.fit && !run.filtered()) {
        g.strokeStyle = colors.accent; g.lineWidth = 1.3; g.setLineDash([2, 3]);
        path(g, c, d.fit.map((p) => p[0]), d.fit.map((p) => p[1])); g.setLineDash([]);
      }
      for (const i of run.shown()) {
        const l = d.lanes[i];
        if (l.early != null) {
          g.lineWidth = 1.2;
          disc(g, c.x(l.lr), heightOf(c, inside(l.early)), 3, colors.paper, colors.faint);
        }
        if (l.score == null) continue;
        const y = heightOf(c, l.score);
        if (l.outcome === "diverged") {
          g.strokeStyle = colors.danger; g.lineWidth = 1.6; cross(g, c.x(l.lr), y, 4);
        } else disc(g, c.x(l.lr), y, 4, run.color(i, 0.9), colors.paper);
      }
      g.lineWidth = 1;
    },
    mark(g, c, lane) {
      const l = d.lanes[lane];
      if (value(lane) == null) return;
      g.lineWidth = 2; disc(g, c.x(l.lr), heightOf(c, value(lane)), 7, null, colors.ink);
      g.lineWidth = 1;
    },
    spot(c, lane) {
      const l = d.lanes[lane], v = value(lane);
      if (v == null) return null;
      return { lane, px: c.x(l.lr), py: heightOf(c, v), lead: `learning rate ${fmt(l.lr)}`,
        color: run.color(lane), rows: rowsOf(run, lane, [[d.metric, fmt(l.score ?? l.early, 4)],
          ["steps", String(l.steps)]]) };
    },
    hit(c, px, py) {
      let found = null, near = 24;
      for (const i of run.shown()) {
        if (value(i) == null) continue;
        const far = Math.hypot(c.x(d.lanes[i].lr) - px, heightOf(c, value(i)) - py);
        if (far < near) { near = far; found = i; }
      }
      return found == null ? null : spec.spot(c, found);
    },
  };
  const self = chart(run, host, spec);
  const some = (kind) => d.lanes.some((l) => l.outcome === kind);
  legend(host, [
    ['<circle cx="11" cy="6" r="4" fill="var(--ok)"/>', "one seed"],
    ['<path d="M1 6H21" stroke="var(--ink)" stroke-width="1.7"/>',
      keys.length > 1 ? "mean, the best combination strong" : "mean over seeds"],
    ...(d.fit ? [['<path d="M1 6H21" stroke="var(--accent)" stroke-width="1.4" ' +
      'stroke-dasharray="2 3"/>', "fit"]] : []),
    ...(d.answer.lr ? [['<path d="M11 0V12" stroke="var(--accent)" stroke-width="2"/>',
      "recommended"]] : []),
    ...(d.answer.interval ? [['<rect x="1" width="20" height="12" fill="var(--band)"/>',
      "as good as the best"]] : []),
    ...(d.initial != null ? [['<path d="M1 6H21" stroke="var(--faint)" stroke-dasharray="4 4"/>',
      "before training"]] : []),
    ...(some("pruned") ? [['<circle cx="11" cy="6" r="3.2" fill="none" stroke="var(--faint)"/>',
      "pruned: its value then"]] : []),
    ...(some("diverged") ? [['<path d="M7 2L15 10M7 10L15 2" stroke="var(--danger)" ' +
      'stroke-width="1.6"/>', "diverged: counts as its start"]] : []),
    ...(d.diverged_from != null ? [['<rect x="1" width="20" height="12" fill="var(--danger)" ' +
      'opacity=".15"/>', "half of the lanes diverge"]] : []),
  ]);
}

/* Where each rule would train: a dot per seed, a bar at the median. */
function picksChart(run, host, rates, xlog) {
  const d = run.data, rules = Object.keys(d.picks), row = 21;
  const spec = {
    title: "Where each rule would train", fixed: true, height: 44 + row * rules.length,
    note: "A dot per seed, a bar at their median" +
      (d.answer.lr ? "; the line and the band are this run's answer." : "."),
    view: () => ({ x: rates(), xlog, y: [rules.length - 0.5, -0.5], yticks: [], xlabel: "learning rate" }),
    paint(g, c) {
      answerOf(g, c, d.answer);
      rules.forEach((rule, k) => {
        const y = c.y(k), seen = d.picks[rule].filter((v) => v > 0).sort((a, b) => a - b);
        g.strokeStyle = colors.grid; line(g, c.l, y, c.r, y);
        g.font = "11px system-ui, sans-serif"; g.textBaseline = "middle"; g.fillStyle = colors.soft;
        g.textAlign = "left";
        const wide = g.measureText(rule).width;
        if (!seen.length) { tag(g, `${rule}: none`, c.l + 4, y); return; }
        g.strokeStyle = colors.ok; g.globalAlpha = 0.5; g.lineWidth = 2;
        line(g, c.x(seen[0]), y, c.x(seen[seen.length - 1]), y);
        g.globalAlpha = 0.75; g.lineWidth = 1;
        for (const v of seen) disc(g, c.x(v), y, 3.4, colors.ok);
        g.globalAlpha = 1;
        const half = (seen.length - 1) / 2;
        const middle = Math.sqrt(seen[Math.floor(half)] * seen[Math.ceil(half)]);
        g.strokeStyle = colors.ink; g.lineWidth = 2.4;
        line(g, c.x(middle), y - 7, c.x(middle), y + 7); g.lineWidth = 1;
        const right = c.x(seen[seen.length - 1]) + 9;
        g.fillStyle = colors.soft;
        tag(g, rule, right + wide < c.r ? right : c.x(seen[0]) - 9 - wide, y);
      });
    },
    hit(c, px, py) {
      const k = Math.round(c.y.back(py)), rule = rules[k];
      if (!rule) return null;
      const picks = d.picks[rule], seeds = run.data.seeds_of_test;
      let at = -1, near = 16;
      picks.forEach((v, i) => {
        const far = v > 0 ? Math.abs(c.x(v) - px) : Infinity;
        if (far < near) { near = far; at = i; }
      });
      if (at < 0) return null;
      return { lead: rule, color: colors.ok, rows: [["learning rate", fmt(picks[at])],
        ["seed", String(seeds ? seeds[at] : at)]] };
    },
    click() {},
  };
  chart(run, host, spec);
}

function tag(g, words, x, y) {
  const wide = g.measureText(words).width;
  const fill = g.fillStyle;
  g.fillStyle = colors.paper; g.globalAlpha = 0.8; g.fillRect(x - 2, y - 7, wide + 4, 14);
  g.globalAlpha = 1; g.fillStyle = fill; g.fillText(words, x, y);
}

/* A range test: loss against the learning rate, a line per seed and their median. */
function rangeChart(run, host) {
  const d = run.data, t = d.test, count = t.loss.length;
  const seen = t.loss.flat().filter((v) => v != null);
  let log = seen.some((v) => v > 0);
  let xlog = t.log;
  const median = t.lr.map((_, k) => {
    const here = t.loss.map((row) => row[k]).filter((v) => v != null).sort((a, b) => a - b);
    return here.length * 2 > count ? here[here.length >> 1] : null;
  });
  const first = t.loss.map((row) => row[0]).filter((v) => v != null);
  const start = first.length ? first.reduce((a, b) => a + b) / first.length : null;
  const laneOf = (seed, k) => d.ramp ? seed : k * count + seed;
  const seedsShown = () => [...new Set(run.shown().map((lane) => lane % count))];
  const spec = {
    title: `${t.name} against learning rate`, height: 360,
    controls: [
      choice([["log", "log"], ["lin", "linear"]], log ? "log" : "lin",
        (v) => { log = v === "log" && seen.some((w) => w > 0); self.draw(); }, "vertical axis"),
      choice([["log", "log rate"], ["lin", "linear rate"]], xlog ? "log" : "lin",
        (v) => { xlog = v === "log"; self.draw(); }, "horizontal axis"),
    ],
    view() {
      const values = log ? seen.filter((v) => v > 0) : seen;
      let [lo, hi] = extent(values);
      if (start > lo) hi = Math.min(hi, log ? start * 4 : start + 1.5 * (start - lo));
      return { x: extent(t.lr), xlog, ylog: log, y: padded([lo, hi], log), xlabel: "learning rate" };
    },
    paint(g, c) {
      for (const seed of seedsShown()) {
        g.strokeStyle = colors.ok; g.globalAlpha = count > 1 ? 0.45 : 1; g.lineWidth = 1.1;
        path(g, c, t.lr, t.loss[seed]);
      }
      g.globalAlpha = 1; g.strokeStyle = colors.ink; g.lineWidth = 2;
      if (count > 1 && !run.chosen.length) path(g, c, t.lr, median);
      g.lineWidth = 1;
    },
    mark(g, c, lane, found) {
      g.strokeStyle = colors.ink; g.lineWidth = 2.2; path(g, c, t.lr, t.loss[lane % count]);
      if (found && found.lane === lane && found.px != null) disc(g, found.px, found.py, 4, colors.ink);
    },
    spot(c, lane, k) {
      const seed = lane % count, at = k ?? Math.floor(t.lr.length / 2), v = t.loss[seed][at];
      if (v == null) return null;
      return { lane: laneOf(seed, at), px: c.x(t.lr[at]), py: heightOf(c, v), color: colors.ok,
        lead: `learning rate ${fmt(t.lr[at])}`,
        rows: [["seed", String(d.lanes[laneOf(seed, at)].seed)],
          ...(d.ramp ? [["step", String(at)]] : []), [t.name, fmt(v, 4)]] };
    },
    hit(c, px, py) {
      let best = null, near = 26;
      for (const seed of seedsShown()) t.lr.forEach((rate, k) => {
        const v = t.loss[seed][k];
        if (v == null) return;
        const far = Math.hypot(c.x(rate) - px, heightOf(c, v) - py);
        if (far < near) { near = far; best = [seed, k]; }
      });
      return best && spec.spot(c, best[0], best[1]);
    },
  };
  const self = chart(run, host, spec);
  legend(host, [['<path d="M1 6H21" stroke="var(--ok)"/>', "one seed"],
    ...(count > 1 ? [['<path d="M1 6H21" stroke="var(--ink)" stroke-width="2"/>',
      "median over seeds"]] : [])]);
}

function curveChart(run, host, names, title, note, height) {
  const d = run.data;
  let name = names[0], log = true, xlog = false;
  const curve = (i) => d.curves[name].lanes[i];
  const can = () => run.shown().some((i) => curve(i) && curve(i)[1].some((v) => v > 0));
  const usual = () => d.curves[name].mode === "min" || name.startsWith("learning_rate");
  const ways = choice([["log", "log"], ["lin", "linear"]], "log",
    (v) => { log = v === "log"; self.draw(); }, "vertical axis");
  const turn = () => { log = usual() && can(); ways.show(log ? "log" : "lin"); };
  const spec = {
    title, note, height,
    controls: [
      ...(names.length > 1 ? [dropdown(names.map((n) => [n, n]), name,
        (v) => { name = v; turn(); self.draw(); }, "metric")] : []),
      ways,
      choice([["lin", "steps"], ["log", "log steps"]], "lin",
        (v) => { xlog = v === "log"; self.draw(); }, "horizontal axis"),
    ],
    view() {
      const ylog = log && can();
      const ys = [], ends = [];
      for (const i of run.shown()) {
        const k = curve(i);
        if (!k) continue;
        for (const v of k[1]) if (v != null && (!ylog || v > 0)) ys.push(v);
        ends.push(k[0][k[0].length - 1] || 0);
      }
      ys.sort((a, b) => a - b);
      const at = (q) => ys[Math.min(ys.length - 1, Math.max(0, Math.round(q * (ys.length - 1))))];
      // A lane that blows up, or one that reaches zero, does not flatten all others.
      let y = ys.length ? [ys[0], ys[ys.length - 1]] : [0, 1];
      const high = at(0.98), low = at(0.01);
      if (ys.length && high > 0 && y[1] > 4 * high) y = [y[0], high * (ylog ? 4 : 1.3)];
      if (ylog && y[0] < 1e-7 * high && low > 30 * y[0]) y = [low / 3, y[1]];
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
        path(g, c, k[0], k[1], c.view.xlog ? 1 : 0);
        if (d.lanes[i].outcome === "diverged") {
          const end = k[0].length - 1;
          g.strokeStyle = colors.danger; g.lineWidth = 1.4;
          cross(g, c.x(k[0][end] + (c.view.xlog ? 1 : 0)),
            Math.max(c.t + 4, Math.min(c.b - 4, heightOf(c, k[1][end]))), 3.4);
        }
      }
      g.lineWidth = 1;
    },
    mark(g, c, lane, found) {
      const k = curve(lane);
      if (!k) return;
      g.strokeStyle = colors.ink; g.lineWidth = 2.4;
      path(g, c, k[0], k[1], c.view.xlog ? 1 : 0); g.lineWidth = 1;
      if (found && found.px != null && found.lane === lane) disc(g, found.px, found.py, 4, colors.ink);
    },
    spot(c, lane, index) {
      const k = curve(lane);
      if (!k || !k[0].length) return null;
      const at = index ?? k[0].length - 1;
      return { lane, px: c.x(k[0][at] + (c.view.xlog ? 1 : 0)), py: heightOf(c, k[1][at]),
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
          const far = Math.hypot(x - px, heightOf(c, k[1][j]) - py);
          if (far < near) { near = far; best = [i, j]; }
        }
      }
      return best ? spec.spot(c, ...best) : null;
    },
  };
  const self = chart(run, host, spec);
  turn();
}

/* How far each lane was trained, and what stopped it; the rungs of a search as lines. */
function rungChart(run, host) {
  const d = run.data, seeds = [...new Set(d.lanes.map((l) => l.seed))];
  const counts = {};
  for (const l of d.lanes) counts[l.outcome] = (counts[l.outcome] || 0) + 1;
  const spread = (c) => Math.min(4, (c.r - c.l) / Math.max(40, 4 * d.lanes.length));
  const place = (c, i) => c.x(d.lanes[i].lr) +
    (seeds.indexOf(d.lanes[i].seed) - (seeds.length - 1) / 2) * spread(c);
  const spec = {
    title: "How far each lane was trained", height: 260, fixed: true,
    view: () => ({ x: ratesOf(run), xlog: true, y: [0, d.full_steps * 1.06], xlabel: "learning rate" }),
    paint(g, c) {
      for (const i of run.shown()) {
        const l = d.lanes[i], x = place(c, i), y = c.y(l.steps);
        g.strokeStyle = colors.grid; g.lineWidth = 2; line(g, x, c.b, x, y);
      }
      for (const rung of d.rungs) {
        const y = c.y(rung.steps);
        g.strokeStyle = colors.faint; g.lineWidth = 1; g.setLineDash([3, 4]); line(g, c.l, y, c.r, y);
        g.setLineDash([]); g.fillStyle = colors.soft; g.font = "11px system-ui, sans-serif";
        g.textAlign = "left"; g.textBaseline = "middle";
        const words = `step ${rung.steps}: ${rung.pruned} pruned`;
        tag(g, words, c.r - 4 - g.measureText(words).width, y - 9);
      }
      for (const i of run.shown()) {
        const l = d.lanes[i], x = place(c, i), y = c.y(l.steps);
        g.lineWidth = 1.6;
        if (l.outcome === "diverged") { g.strokeStyle = colors.danger; cross(g, x, y, 3.4); }
        else if (l.outcome === "pruned") { g.strokeStyle = colors.soft; line(g, x - 4, y, x + 4, y); }
        else disc(g, x, y, 3.4, run.color(i));
      }
      g.lineWidth = 1;
    },
    mark(g, c, lane) {
      g.lineWidth = 2; disc(g, place(c, lane), c.y(d.lanes[lane].steps), 6, null, colors.ink);
      g.lineWidth = 1;
    },
    spot(c, lane) {
      const l = d.lanes[lane];
      return { lane, px: place(c, lane), py: c.y(l.steps), color: run.color(lane),
        lead: `learning rate ${fmt(l.lr)}`, rows: rowsOf(run, lane, [["updates", String(l.steps)]]) };
    },
    hit(c, px, py) {
      let best = null, near = 22;
      for (const i of run.shown()) {
        const x = place(c, i), y = Math.min(Math.max(py, c.y(d.lanes[i].steps)), c.b);
        const far = Math.hypot(x - px, y - py);
        if (far < near) { near = far; best = i; }
      }
      return best == null ? null : spec.spot(c, best);
    },
  };
  chart(run, host, spec);
  legend(host, [
    ...(counts.ok ? [['<circle cx="11" cy="6" r="3.6" fill="var(--ok)"/>', `${counts.ok} ok`]] : []),
    ...(counts.pruned ? [['<path d="M6 6H16" stroke="var(--soft)" stroke-width="1.6"/>',
      `${counts.pruned} pruned`]] : []),
    ...(counts.diverged ? [['<path d="M7 2L15 10M7 10L15 2" stroke="var(--danger)" ' +
      'stroke-width="1.6"/>', `${counts.diverged} diverged`]] : []),
  ]);
}

/* Mean score over the learning rate and one further axis; the others at their best. */
function heatChart(run, host, axis, number) {
  const d = run.data, values = d.axes[axis], sign = d.mode === "min" ? 1 : -1;
  const rates = [...new Set(d.rows.map((row) => row.lr))].sort((a, b) => a - b);
  const cells = values.map(() => rates.map(() => null));
  for (const row of d.rows) {
    if (row.mean == null) continue;
    const x = rates.indexOf(row.lr), y = row.at[number], old = cells[y][x];
    if (!old || sign * row.mean < sign * old.mean) cells[y][x] = row;
  }
  const means = cells.flat().filter(Boolean).map((row) => row.mean);
  const [lo, hi] = extent(means), log = lo > 0 && hi / lo > 8;
  const shade = (v) => {
    const u = hi > lo ? (log ? Math.log(v / lo) / Math.log(hi / lo) : (v - lo) / (hi - lo)) : 0;
    return viridis(d.mode === "min" ? 1 - u : u);
  };
  const winner = means.length ? (d.mode === "min" ? lo : hi) : null;
  const every = Math.ceil(rates.length / 9);
  const spec = {
    title: `${d.metric}: learning rate and ${axis}`, fixed: true,
    height: 64 + Math.min(260, Math.max(26, 150 / values.length) * values.length),
    note: "Means over seeds, bright is better; the frame is the best. Click a cell to isolate it.",
    view: () => ({ x: [-0.5, rates.length - 0.5], y: [-0.5, values.length - 0.5], bare: true,
      xlabel: "learning rate", xticks: rates.map((v, i) => [i, i % every ? "" : fmt(v)]),
      yticks: values.map((v, i) => [i, fmt(v)]) }),
    paint(g, c) {
      cells.forEach((line, y) => line.forEach((cell, x) => {
        const l = c.x(x - 0.5), t = c.y(y + 0.5), w = c.x(x + 0.5) - l, h = c.y(y - 0.5) - t;
        g.fillStyle = cell ? shade(cell.mean) : colors.panel;
        g.fillRect(l + 1, t + 1, w - 2, h - 2);
        if (cell && cell.mean === winner) {
          g.strokeStyle = colors.accent; g.lineWidth = 3; g.strokeRect(l + 2, t + 2, w - 4, h - 4);
          g.lineWidth = 1;
        }
      }));
    },
    hit(c, px, py) {
      const x = Math.round(c.x.back(px)), y = Math.round(c.y.back(py)), cell = cells[y]?.[x];
      if (!cell) return null;
      const lanes = d.lanes.map((l, i) => [l, i]).filter(([l]) =>
        l.lr === cell.lr && String(l.at) === String(cell.at) && l.outcome !== "not_run");
      return { lane: lanes[0]?.[1] ?? -1, lanes: lanes.map(([, i]) => i), color: shade(cell.mean),
        lead: `learning rate ${fmt(cell.lr)}`,
        rows: [...run.extra(cell).map(([k, v]) => [k, fmt(v)]), [`mean ${d.metric}`, fmt(cell.mean, 4)]] };
    },
    click(found) { run.isolate(found ? found.lanes : [], false); },
  };
  chart(run, host, spec);
}

/* Several runs: a line of means each, from the lowest to the highest seed. */
function comparisonChart(data, host) {
  let log = data.mode === "min" && data.runs.every((r) => r.rows.every((p) => p[2] > 0));
  let only = -1;
  const color = (i) => colors.runs[i % colors.runs.length];
  const spec = {
    title: `${data.metric} against learning rate`, height: 380,
    controls: log ? [choice([["log", "log"], ["lin", "linear"]], "log",
      (v) => { log = v === "log"; self.draw(); }, "vertical axis")] : [],
    view() {
      const rows = data.runs.flatMap((r) => r.rows);
      return { x: padded(extent(rows.map((p) => p[0])), true), xlog: true, ylog: log,
        y: padded(extent(rows.flatMap((p) => [p[2], p[3]])), log), xlabel: "learning rate" };
    },
    paint(g, c) {
      data.runs.forEach((r, i) => {
        const faint = only >= 0 && only !== i ? 0.15 : 1;
        g.fillStyle = color(i); g.globalAlpha = 0.13 * faint; g.beginPath();
        r.rows.forEach((p) => g.lineTo(c.x(p[0]), c.y(p[3])));
        [...r.rows].reverse().forEach((p) => g.lineTo(c.x(p[0]), c.y(p[2])));
        g.fill();
        g.globalAlpha = faint; g.strokeStyle = color(i); g.lineWidth = 2;
        path(g, c, r.rows.map((p) => p[0]), r.rows.map((p) => p[1]));
        for (const p of r.rows) disc(g, c.x(p[0]), c.y(p[1]), 3, color(i));
        if (r.lr && r.rows.length) {
          g.setLineDash([5, 4]); g.lineWidth = 1.5; line(g, c.x(r.lr), c.t, c.x(r.lr), c.b);
          g.setLineDash([]);
        }
      });
      g.globalAlpha = 1; g.lineWidth = 1;
    },
    mark(g, c, _, found) {
      g.lineWidth = 2; disc(g, found.px, found.py, 7, null, colors.ink); g.lineWidth = 1;
    },
    hit(c, px, py) {
      let best = null, near = 26;
      data.runs.forEach((r, i) => r.rows.forEach((p) => {
        const far = Math.hypot(c.x(p[0]) - px, c.y(p[1]) - py);
        if (far < near) { near = far; best = [i, p]; }
      }));
      if (!best) return null;
      const [i, p] = best;
      return { run: i, px: c.x(p[0]), py: c.y(p[1]), color: color(i), lead: data.runs[i].title,
        rows: [["learning rate", fmt(p[0])], [`mean ${data.metric}`, fmt(p[1], 4)],
          ["between seeds", `${fmt(p[2], 3)} to ${fmt(p[3], 3)}`]] };
    },
    click(found) { only = found && found.run !== only ? found.run : -1; self.draw(); },
  };
  const self = chart(null, host, spec);
  const key = el("div", { class: "key" });
  const fill = () => key.replaceChildren(...data.runs.map((r, i) => {
    const dot = el("span", { class: "dot" });
    dot.style.background = color(i);
    return el("span", {}, dot, r.title);
  }), el("span", {}, "dashed: recommended; bands: from the lowest to the highest seed"));
  fill();
  themed.push(fill);
  host.append(key);
}
