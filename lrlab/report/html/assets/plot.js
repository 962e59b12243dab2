"use strict";
// Drawing: scales, ticks, one chart on two canvases (what stays, what follows the pointer).
const VIRIDIS = ["440154", "482475", "414487", "355f8d", "2a788e", "21918c", "22a884", "44bf70",
  "7ad151", "bddf26", "fde725"].map((h) => [0, 2, 4].map((i) => parseInt(h.slice(i, i + 2), 16)));
const tip = document.getElementById("tip");
const charts = [];
const themed = [];
let colors = {};

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["paper", "panel", "ink", "soft", "faint", "grid", "line", "accent", "band",
    "danger", "ok", "pruned"]) colors[name] = style.getPropertyValue("--" + name).trim();
  colors.dark = style.colorScheme.includes("dark");
  colors.runs = colors.dark
    ? ["#56b4e9", "#ff8a4c", "#3cc9a0", "#e39bc4", "#f0c05a", "#c9ced6"]
    : ["#0072b2", "#d55e00", "#009e73", "#b5568f", "#c28a00", "#4d4d4d"];
}

function viridis(u, alpha) {
  const [from, to] = colors.dark ? [0.2, 1] : [0, 0.93];
  const x = (from + (to - from) * Math.min(1, Math.max(0, u))) * (VIRIDIS.length - 1);
  const i = Math.min(VIRIDIS.length - 2, Math.floor(x));
  const rgb = VIRIDIS[i].map((c, k) => Math.round(c + (VIRIDIS[i + 1][k] - c) * (x - i)));
  return `rgba(${rgb},${alpha ?? 1})`;
}

function fmt(v, digits = 3) {
  if (v == null || !Number.isFinite(v)) return "–";
  if (v === 0) return "0";
  const size = Math.abs(v);
  if (size >= 1e-3 && size < 1e5) return String(Number(v.toPrecision(digits)));
  return v.toExponential(digits - 1).replace(/\.?0*e/, "e").replace("e+", "e");
}

function decade(v) {
  const power = Math.round(Math.log10(v));
  if (Math.abs(v / 10 ** power - 1) > 1e-6 || (power > -3 && power < 4)) return fmt(v);
  return "10" + String(power).replace(/[-\d]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
}

/* Digits that tell the ticks of an axis apart, whatever level they stand at. */
function tickDigits(lo, hi) {
  const size = Math.max(Math.abs(lo), Math.abs(hi));
  return Math.min(12, Math.max(4, Math.ceil(Math.log10(size / (hi - lo) || 1)) + 2));
}

function logTicks(lo, hi, room) {
  const from = Math.ceil(Math.log10(lo) - 1e-9), to = Math.floor(Math.log10(hi) + 1e-9);
  const every = Math.max(1, Math.ceil((to - from + 1) / room));
  const out = [];
  for (let p = from; p <= to; p++) if ((p - from) % every === 0) out.push(10 ** p);
  if (out.length < 3)
    for (let p = from - 1; p <= to; p++)
      for (const m of [2, 5]) if (m * 10 ** p >= lo && m * 10 ** p <= hi) out.push(m * 10 ** p);
  return out.length > 2 ? out : linTicks(lo, hi, room).filter((v) => v > 0);
}

function linTicks(lo, hi, room) {
  const raw = (hi - lo) / Math.max(2, room), base = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * base).find((s) => s >= raw);
  const out = [];
  for (let v = Math.ceil(lo / step - 1e-9) * step; v <= hi + step * 1e-9; v += step)
    out.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return out;
}

function scale(lo, hi, log, from, to) {
  const f = log ? Math.log : (v) => v, a = f(lo), b = f(hi) - a || 1;
  const map = (v) => from + ((f(v) - a) / b) * (to - from);
  map.back = (p) => { const v = a + ((p - from) / (to - from)) * b; return log ? Math.exp(v) : v; };
  return map;
}

/* A chart. `spec`: title, note, label, height, controls (nodes), view() -> {x, y, xlog, ylog,
   xlabel, bare}, paint(g, c), mark(g, c, lane), hit(c, px, py) -> {lane, at, rows}, spot(c, lane),
   click(found), renew() where the run's numbers became others. c: {x, y} maps, the box {l, t, r, b}, and touch. */
function chart(run, host, spec) {
  const base = el("canvas", { tabindex: 0, role: "img", "aria-label": spec.label || spec.title });
  const over = el("canvas", { "aria-hidden": "true" });
  const plot = el("div", { class: "plot", style: `height:${spec.height || 300}px` }, base, over);
  const reset = el("button", { onclick: () => zoom(null), title: "Undo the zoom" }, "reset zoom");
  reset.hidden = true;
  const head = el("div", { class: "head" }, ...(spec.title ? [el("h3", {}, spec.title)] : []),
    reset, ...(spec.controls || []));
  host.append(...(spec.title || spec.controls ? [head] : []),
    ...(spec.note ? [el("p", { class: "note" }, spec.note)] : []), plot);
  const self = { run, base, over, spec, draw, mark, host, found: null };
  let c = null, zoomed = null, drag = null;

  function zoom(view) {
    zoomed = view;
    reset.hidden = !view;
    draw();
  }

  function fit(canvas) {
    const w = plot.clientWidth, h = plot.clientHeight, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    const g = canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, w, h);
    g.lineJoin = "round";
    return [g, w, h];
  }

  function draw() {
    if (!plot.clientWidth) return;
    const [g, w, h] = fit(base);
    const v = { ...spec.view(), ...zoomed };
    const narrow = w < 480;
    const box = { l: v.left ?? (narrow ? 44 : 50), t: 8, r: w - 10, b: h - (v.xlabel ? 36 : 20) };
    c = { ...box, view: v, w, h, narrow, x: scale(v.x[0], v.x[1], v.xlog, box.l, box.r),
      y: scale(v.y[0], v.y[1], v.ylog, box.b, box.t) };
    g.font = "11px system-ui, sans-serif";
    g.lineWidth = 1;
    axes(g, v);
    g.save();
    g.beginPath();
    g.rect(c.l - 1, c.t - 1, c.r - c.l + 2, c.b - c.t + 2);
    g.clip();
    spec.paint(g, c);
    g.restore();
    mark(run ? run.hover : -1);
  }

  function axes(g, v) {
    g.fillStyle = colors.soft;
    g.strokeStyle = colors.grid;
    g.textAlign = "center";
    g.textBaseline = "top";
    const room = Math.max(2, (c.r - c.l) / (c.narrow ? 52 : 74));
    let last = -1e9;
    for (const t of v.xticks || (v.xlog ? logTicks(...v.x, room) : linTicks(...v.x, room))) {
      const at = typeof t === "number" ? t : t[0], px = c.x(at);
      const text = typeof t === "number" ? (v.xlog ? decade(at) : fmt(at, 6)) : t[1];
      if (!v.bare) line(g, px, c.t, px, c.b);
      const half = g.measureText(text).width / 2;
      if (px - half < last) continue;
      g.fillText(text, Math.max(half, Math.min(c.w - half - 1, px)), c.b + 6);
      last = px + half + 6;
    }
    if (v.xlabel) g.fillText(v.xlabel, (c.l + c.r) / 2, c.h - 14);
    g.textAlign = "right";
    g.textBaseline = "middle";
    const rows = Math.max(2, (c.b - c.t) / 42);
    for (const t of v.yticks || (v.ylog ? logTicks(...v.y, rows) : linTicks(...v.y, rows))) {
      const at = typeof t === "number" ? t : t[0], py = c.y(at);
      if (!v.bare) line(g, c.l, py, c.r, py);
      g.fillText(typeof t === "number" ? (v.ylog ? decade(at) : fmt(at, tickDigits(...v.y))) : t[1], c.l - 7, py);
    }
    if (!v.bare) {
      g.strokeStyle = colors.faint;
      line(g, c.l, c.b, c.r, c.b);
    }
  }

  function mark(lane) {
    if (!c) return;
    const [g] = fit(over);
    g.save();
    g.beginPath();
    g.rect(c.l - 4, c.t - 4, c.r - c.l + 8, c.b - c.t + 8);
    g.clip();
    if ((lane >= 0 || (!run && self.found)) && spec.mark) spec.mark(g, c, lane, self.found);
    if (drag && drag.box) {
      g.fillStyle = colors.band;
      g.strokeStyle = colors.accent;
      g.fillRect(...drag.box);
      g.strokeRect(...drag.box);
    }
    g.restore();
  }

  function place(event) {
    const area = base.getBoundingClientRect();
    return [event.clientX - area.left, event.clientY - area.top];
  }

  function hover(event) {
    if (!c) draw(); // before the first layout was told
    if (!c) return;
    const [px, py] = place(event);
    if (drag) {
      const [x0, y0] = drag.start, far = Math.hypot(px - x0, py - y0) > 8;
      if (far || drag.box) {
        const clamp = (v, lo, hi) => Math.min(hi, Math.max(lo, v));
        const [x1, y1] = [clamp(px, c.l, c.r), clamp(py, c.t, c.b)];
        drag.box = [Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)];
        hideTip();
        mark(-1);
        return;
      }
    }
    c.touch = event.pointerType === "touch";
    self.found = px >= c.l - 8 && px <= c.r + 8 && spec.hit ? spec.hit(c, px, py) : null;
    run ? run.setHover(self.found ? self.found.lane ?? -1 : -1) : mark(-1);
    self.found ? showTip(self.found, event.clientX, event.clientY) : hideTip();
  }

  base.addEventListener("pointermove", hover);
  base.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") {
      const before = self.found && self.found.lane;
      hover(event);
      self.again = self.found && self.found.lane === before;
    } else if (event.button === 0 && !spec.fixed) {
      drag = { start: place(event), box: null };
      base.setPointerCapture(event.pointerId);
    }
  });
  base.addEventListener("pointerup", () => {
    const box = drag && drag.box;
    drag = null;
    if (!box) return;
    self.dragged = true;
    if (box[2] > 6 && box[3] > 6)
      zoom({ x: [c.x.back(box[0]), c.x.back(box[0] + box[2])], xticks: null, yticks: null,
        y: [c.y.back(box[1] + box[3]), c.y.back(box[1])] });
    else mark(-1);
  });
  base.addEventListener("click", (event) => {
    if (self.dragged) { self.dragged = false; return; }
    if (event.pointerType === "touch" && !self.again) return;
    if (spec.click) spec.click(self.found, event);
    else if (run) run.isolate(self.found ? [self.found.lane] : [], event.shiftKey);
  });
  base.addEventListener("dblclick", () => zoom(null));
  base.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "touch") return;
    self.found = null;
    hideTip();
    run ? run.setHover(-1) : mark(-1);
  });
  base.addEventListener("blur", hideTip);
  base.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (run && by && spec.spot) {
      event.preventDefault();
      const shown = run.shown();
      const at = shown.indexOf(run.hover);
      const lane = shown[(at + by + shown.length) % shown.length];
      self.found = spec.spot(c, lane);
      run.setHover(lane);
      const area = base.getBoundingClientRect();
      if (self.found)
        showTip(self.found, area.left + self.found.px, area.top + self.found.py);
    } else if (run && event.key === "Enter" && run.hover >= 0) run.isolate([run.hover]);
  });
  const sizes = new ResizeObserver(draw);
  sizes.observe(plot);
  self.close = () => sizes.disconnect();
  charts.push(self);
  return self;
}

function line(g, x0, y0, x1, y1) {
  g.beginPath();
  g.moveTo(x0, y0);
  g.lineTo(x1, y1);
  g.stroke();
}

function disc(g, x, y, radius, fill, stroke) {
  g.beginPath();
  g.arc(x, y, radius, 0, 2 * Math.PI);
  if (fill) { g.fillStyle = fill; g.fill(); }
  if (stroke) { g.strokeStyle = stroke; g.stroke(); }
}

function cross(g, x, y, size) {
  line(g, x - size, y - size, x + size, y + size);
  line(g, x - size, y + size, x + size, y - size);
}

function hatch(g, l, t, r, b, color) {
  g.save();
  g.beginPath();
  g.rect(l, t, r - l, b - t);
  g.clip();
  g.strokeStyle = color;
  g.globalAlpha = 0.3;
  for (let x = l - (b - t); x < r; x += 9) line(g, x, b, x + (b - t), t);
  g.restore();
}

/* A slim scale of learning rates, dark to bright. */
function colorScale(lo, hi) {
  const bar = el("i");
  const paint = () => {
    const stops = [0, 0.2, 0.4, 0.6, 0.8, 1].map((u) => viridis(u));
    bar.style.background = `linear-gradient(to right, ${stops})`;
  };
  paint();
  themed.push(paint);
  return el("span", { class: "scale" }, "learning rate ", decade(lo), bar, decade(hi));
}

/* What the marks of a figure mean: [svg, words] pairs below it. Gives a function that says others. */
function legend(host, pairs) {
  const key = el("div", { class: "key" });
  function fill(some) {
    key.replaceChildren(...some.map(([shape, words]) => {
      const mark = el("span");
      mark.innerHTML = `<svg aria-hidden="true" width="22" height="12" viewBox="0 0 22 12">${shape}</svg>`;
      mark.append(words);
      return mark;
    }));
  }
  fill(pairs);
  host.append(key);
  return fill;
}

function showTip(found, px, py) {
  const lead = el("div", { class: "lead" }, el("span", { class: "dot" }), el("span", {}, found.lead));
  lead.firstChild.style.background = found.color || "transparent";
  tip.replaceChildren(lead, ...found.rows.map(([k, v]) =>
    el("div", {}, el("span", {}, k), el("span", {}, v))));
  tip.style.display = "block";
  const w = tip.offsetWidth, h = tip.offsetHeight;
  const left = px + 16 + w > innerWidth ? px - w - 16 : px + 16;
  tip.style.left = Math.max(4, Math.min(innerWidth - w - 4, left)) + "px";
  tip.style.top = Math.max(4, Math.min(innerHeight - h - 4, py - h - 12)) + "px";
}

function hideTip() {
  tip.style.display = "none";
}

/* Buttons of which one is down. `show` puts one down without a word to `set`. */
function choice(values, value, set, title) {
  const nodes = values.map(([key, text]) => el("button", { "aria-pressed": key === value, title,
    "data-key": key, onclick: () => { show(key); set(key); } }, text));
  const group = el("span", { class: "choice", role: "group", "aria-label": title }, ...nodes);
  function show(key) {
    nodes.forEach((node, i) => node.setAttribute("aria-pressed", values[i][0] === key));
  }
  group.show = show;
  return group;
}

function dropdown(values, value, set, title) {
  const node = el("select", { "aria-label": title, onchange: () => set(node.value) },
    ...values.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  return node;
}
