// Figures of a search and of several runs: rungs, further lane axes, comparisons.
/* How far each lane was trained, and what stopped it; the rungs of a search as lines. */
function rungChart(run, host) {
  const d = run.data;
  let seeds, counts;
  function derive() {
    seeds = [...new Set(d.lanes.map((l) => l.seed))];
    counts = {};
    for (const l of d.lanes) counts[l.outcome] = (counts[l.outcome] || 0) + 1;
  }
  derive();
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
  const marks = () => [
    ...(counts.training ? [['<circle cx="11" cy="6" r="3.6" fill="var(--ok)"/>',
      `${counts.training} training`]] : []),
    ...(counts.ok ? [['<circle cx="11" cy="6" r="3.6" fill="var(--ok)"/>', `${counts.ok} ok`]] : []),
    ...(counts.pruned ? [['<path d="M6 6H16" stroke="var(--soft)" stroke-width="1.6"/>',
      `${counts.pruned} pruned`]] : []),
    ...(counts.diverged ? [['<path d="M7 2L15 10M7 10L15 2" stroke="var(--danger)" ' +
      'stroke-width="1.6"/>', `${counts.diverged} diverged`]] : []),
  ];
  chart(run, host, spec);
  const fill = legend(host, marks());
  spec.renew = () => { derive(); fill(marks()); };
}

/* Mean score over the learning rate and one further axis; the others at their best. */
function heatChart(run, host, axis, number) {
  const d = run.data, values = d.axes[axis], sign = d.mode === "min" ? 1 : -1;
  let rates, cells, lo, hi, log, winner, every;
  // Of the recommended combination the rate nearest to the answer.
  function answered() {
    const at = d.answer.at, row = at && d.answer.lr ? cells[at[number]].filter(Boolean) : [];
    const mine = row.filter((cell) => String(cell.at) === String(at));
    const far = (cell) => Math.abs(Math.log(cell.lr / d.answer.lr));
    return (mine.length ? mine : row).reduce((a, b) => (a == null || far(b) < far(a) ? b : a), null);
  }
  function derive() {
    rates = [...new Set(d.rows.map((row) => row.lr))].sort((a, b) => a - b);
    cells = values.map(() => rates.map(() => null));
    for (const row of d.rows) {
      if (row.mean == null) continue;
      const x = rates.indexOf(row.lr), y = row.at[number], old = cells[y][x];
      if (!old || sign * row.mean < sign * old.mean) cells[y][x] = row;
    }
    const means = cells.flat().filter(Boolean).map((row) => row.mean);
    [lo, hi] = extent(means);
    log = lo > 0 && hi / lo > 8;
    winner = answered() || cells.flat().find((cell) => cell && cell.mean === (d.mode === "min" ? lo : hi));
    every = Math.ceil(rates.length / 9);
  }
  derive();
  const shade = (v) => {
    const u = hi > lo ? (log ? Math.log(v / lo) / Math.log(hi / lo) : (v - lo) / (hi - lo)) : 0;
    return viridis(d.mode === "min" ? 1 - u : u);
  };
  const spec = {
    renew: derive,
    title: `${d.metric}: learning rate and ${axis}`, fixed: true,
    height: 64 + Math.min(260, Math.max(26, 150 / values.length) * values.length),
    note: `Means over seeds, bright is better; the frame is ${d.answer.at ? "the answer" : "the best"}. ` +
      "Click a cell to isolate it.",
    view: () => ({ x: [-0.5, rates.length - 0.5], y: [-0.5, values.length - 0.5], bare: true,
      xlabel: "learning rate", xticks: rates.map((v, i) => [i, i % every ? "" : fmt(v)]),
      yticks: values.map((v, i) => [i, fmt(v)]) }),
    paint(g, c) {
      cells.forEach((line, y) => line.forEach((cell, x) => {
        const l = c.x(x - 0.5), t = c.y(y + 0.5), w = c.x(x + 0.5) - l, h = c.y(y - 0.5) - t;
        g.fillStyle = cell ? shade(cell.mean) : colors.panel;
        g.fillRect(l + 1, t + 1, w - 2, h - 2);
        if (cell && cell === winner) {
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
  spec.renew = (next) => {
    Object.assign(data, next);
    log = log && data.runs.every((r) => r.rows.every((p) => p[2] > 0));
    if (only >= data.runs.length) only = -1;
    fill();
  };
  const key = el("div", { class: "key" });
  const fill = () => key.replaceChildren(...data.runs.map((r, i) => {
    const dot = el("span", { class: "dot" });
    dot.style.background = color(i);
    return el("span", {}, dot, r.title);
  }), el("span", {}, "dashed: recommended; bands: from the lowest to the highest seed"));
  fill();
  themed.push(fill);
  host.append(key);
  return self;
}
