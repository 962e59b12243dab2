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
  return padded(extent([...ran, ...Object.values(run.data.picks).flat().filter((v) => v > 0)]), true);
}

function lossChart(run, host) {
  const d = run.data;
  const sign = d.mode === "min" ? 1 : -1;
  let edge, positive, groups, keys, best, fit, said;
  const inside = (v) => v == null ? v : Math.min(v, edge);
  const value = (i) => inside(d.lanes[i].score ?? d.lanes[i].early);
  function derive() {
    // Lanes that were pruned on their way up would leave no room for the rest: they stand at the edge.
    const early = d.lanes.map((l) => l.early).filter((v) => Number.isFinite(v)).sort((a, b) => a - b);
    const [floor, most] = extent(d.lanes.map((l) => l.score ?? NaN));
    const top = Math.max(most, early.length ? early[early.length >> 1] : -Infinity);
    edge = d.mode === "min" && top > floor ? top + 2 * (top - floor) : Infinity;
    positive = d.lanes.some((l, i) => value(i) > 0) && !d.lanes.some((l, i) => value(i) < 0);
    groups = {};
    for (const row of d.rows) if (row.mean != null) (groups[row.at] = groups[row.at] || []).push(row);
    // The fit is what the answer was read from: it is shown around the answer.
    const around = d.answer.interval || [0, 0];
    fit = (d.fit || []).filter(([lr]) => lr > around[0] / 4 && lr < around[1] * 4 &&
      (d.diverged_from == null || lr < d.diverged_from));
    keys = Object.keys(groups);
    const peak = (key) => Math.min(...groups[key].map((row) => sign * row.mean));
    best = keys.reduce((a, b) => (a == null || peak(b) < peak(a) ? b : a), null);
    // What is recommended need not have the best mean, which few seeds may have made.
    said = keys.length > 1 && d.answer.at && groups[d.answer.at] ? d.answer.at : null;
    if (said) best = String(said);
  }
  derive();
  let log = d.mode === "min" && positive;
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
      const fitted = fit.length && (!d.answer.at || run.matches(d.answer.at));
      if (fitted && fit[0].length > 3) {
        g.fillStyle = colors.accent; g.globalAlpha = 0.16;
        g.beginPath();
        fit.forEach((p, j) => (j ? g.lineTo : g.moveTo).call(g, c.x(p[0]), heightOf(c, p[2])));
        for (const p of [...fit].reverse()) g.lineTo(c.x(p[0]), heightOf(c, p[3]));
        g.fill(); g.globalAlpha = 1;
      }
      if (fitted && d.limit != null) {
        g.strokeStyle = colors.accent; g.setLineDash([7, 3]);
        line(g, c.x(fit[0][0]), heightOf(c, d.limit), c.x(fit[fit.length - 1][0]), heightOf(c, d.limit));
        g.setLineDash([]);
      }
      if (fitted) {
        g.strokeStyle = colors.accent; g.lineWidth = 1.3; g.setLineDash([2, 3]);
        path(g, c, fit.map((p) => p[0]), fit.map((p) => p[1])); g.setLineDash([]);
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
  const some = (kind) => d.lanes.some((l) => l.outcome === kind);
  const marks = () => [
    ['<circle cx="11" cy="6" r="4" fill="var(--ok)"/>', "one seed"],
    ['<path d="M1 6H21" stroke="var(--ink)" stroke-width="1.7"/>',
      keys.length > 1 ? `mean, the ${said ? "recommended" : "best"} combination strong`
        : "mean over seeds"],
    ...(fit.length ? [['<path d="M1 6H21" stroke="var(--accent)" stroke-width="1.4" ' +
      'stroke-dasharray="2 3"/>', "fit"]] : []),
    ...(fit.length && fit[0].length > 3 ? [['<rect x="1" width="20" height="12" ' +
      'fill="var(--accent)" opacity=".16"/>', "holds the fit at 90 %"]] : []),
    ...(fit.length && d.limit != null ? [['<path d="M1 6H21" stroke="var(--accent)" ' +
      'stroke-dasharray="7 3"/>', `the best and ${d.answer.level}`]] : []),
    ...(d.answer.lr ? [['<path d="M11 0V12" stroke="var(--accent)" stroke-width="2"/>',
      "recommended"]] : []),
    ...(d.answer.interval ? [['<rect x="1" width="20" height="12" fill="var(--band)"/>',
      `costs at most ${d.answer.level}`]] : []),
    ...(d.initial != null ? [['<path d="M1 6H21" stroke="var(--faint)" stroke-dasharray="4 4"/>',
      "before training"]] : []),
    ...(some("pruned") ? [['<circle cx="11" cy="6" r="3.2" fill="none" stroke="var(--faint)"/>',
      "pruned: its value then"]] : []),
    ...(some("diverged") ? [['<path d="M7 2L15 10M7 10L15 2" stroke="var(--danger)" ' +
      'stroke-width="1.6"/>', "diverged: counts as its start"]] : []),
    ...(d.diverged_from != null ? [['<rect x="1" width="20" height="12" fill="var(--danger)" ' +
      'opacity=".15"/>', "half of the lanes diverge"]] : []),
  ];
  const self = chart(run, host, spec);
  const fill = legend(host, marks());
  spec.renew = () => { derive(); log = log && positive; fill(marks()); };
}

/* Where each rule would train: a dot per seed, a bar at the median. */
/* How sure a search was of its rate, by what it had cost. */
function sureChart(run, host) {
  const d = run.data, points = d.sureness.filter((p) => p[1] != null);
  const last = d.sureness[d.sureness.length - 1][0];
  chart(run, host, {
    title: "How confidence grew", height: 250, fixed: true,
    note: "Probability that the rate found so far costs at most the tolerance, by full-length runs.",
    view: () => ({ x: [0, last * 1.04], y: [0, 1.02], xlabel: "cost, full-length runs" }),
    paint(g, c) {
      g.strokeStyle = colors.accent; g.lineWidth = 1.7;
      path(g, c, points.map((p) => p[0]), points.map((p) => p[1]));
      for (const p of points) disc(g, c.x(p[0]), heightOf(c, p[1]), 4, colors.accent, colors.paper);
      g.lineWidth = 1;
    },
    hit(c, px) {
      const near = points.reduce((a, p) =>
        (!a || Math.abs(c.x(p[0]) - px) < Math.abs(c.x(a[0]) - px) ? p : a), null);
      return near && { lead: `${fmt(near[0])} full-length runs`, color: colors.accent,
        px: c.x(near[0]), py: heightOf(c, near[1]), rows: [["confidence", fmt(near[1], 3)]] };
    },
    click() {},
  });
}

function picksChart(run, host, rates, xlog) {
  const d = run.data, rules = Object.keys(d.picks), row = 21;
  const spec = {
    title: "Where each rule would train", fixed: true, height: 44 + row * rules.length,
    note: (d.picks_by ? `Rules on ${d.picks_by}. ` : "") + "A dot per seed, a bar at their median" +
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
  const d = run.data, count = d.test.loss.length;
  let t, seen, can, median, start;
  function derive() {
    t = d.test;
    seen = t.loss.flat().filter((v) => v != null);
    // A logarithm would hide losses below 0.
    can = seen.some((v) => v > 0) && !seen.some((v) => v < 0);
    median = t.lr.map((_, k) => {
      const here = t.loss.map((row) => row[k]).filter((v) => v != null).sort((a, b) => a - b);
      return here.length * 2 > count ? here[here.length >> 1] : null;
    });
    const first = t.loss.map((row) => row[0]).filter((v) => v != null);
    start = first.length ? first.reduce((a, b) => a + b) / first.length : null;
  }
  derive();
  let log = can;
  let xlog = t.log;
  const laneOf = (seed, k) => d.ramp ? seed : k * count + seed;
  const seedsShown = () => [...new Set(run.shown().map((lane) => lane % count))];
  const spec = {
    title: `${t.name} against learning rate`, height: 360,
    controls: [
      choice([["log", "log"], ["lin", "linear"]], log ? "log" : "lin",
        (v) => { log = v === "log" && can; self.draw(); }, "vertical axis"),
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
  spec.renew = () => { derive(); log = log && can; };
  const self = chart(run, host, spec);
  legend(host, [['<path d="M1 6H21" stroke="var(--ok)"/>', "one seed"],
    ...(count > 1 ? [['<path d="M1 6H21" stroke="var(--ink)" stroke-width="2"/>',
      "median over seeds"]] : [])]);
}

function curveChart(run, host, names, title, note, height) {
  const d = run.data;
  let name = names[0], log = true, xlog = false;
  const curve = (i) => d.curves[name].lanes[i];
  const has = (test) => run.shown().some((i) => curve(i) && curve(i)[1].some(test));
  const can = () => has((v) => v > 0) && !has((v) => v != null && v < 0);
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
      let ys = [];
      const ends = [], sound = [];
      for (const i of run.shown()) {
        const k = curve(i);
        if (!k) continue;
        for (const v of k[1]) if (v != null && (!ylog || v > 0)) {
          ys.push(v);
          if (d.lanes[i].outcome !== "diverged") sound.push(v);
        }
        ends.push(k[0][k[0].length - 1] || 0);
      }
      let y = ys.length ? extent(ys) : [0, 1];
      // A lane that blows up, or one that reaches zero, does not flatten all others.
      ys = (sound.length ? sound : ys).sort((a, b) => a - b);
      const at = (q) => ys[Math.min(ys.length - 1, Math.max(0, Math.round(q * (ys.length - 1))))];
      const high = at(0.98), low = at(0.01);
      const loss = !name.startsWith("learning_rate");
      if (loss && ylog && y[1] > 4 * high) y = [y[0], high * 4];
      if (loss && !ylog && y[1] - low > 4 * (high - low)) y = [y[0], high + 0.3 * (high - low)];
      if (ylog && loss && y[0] < 1e-7 * high && low > 30 * y[0]) y = [low / 3, y[1]];
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
        if (d.lanes[i].outcome === "diverged" && !name.startsWith("learning_rate")) {
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
