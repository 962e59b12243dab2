"use strict";
// The page of one or several runs. Data: window.lrlab = {runs: [...], comparison}.
function model(data) {
  const run = { data, hover: -1, chosen: [], filter: {}, shown, setHover, isolate, color, label,
    extra, matches, filtered, refresh };
  const names = Object.keys(data.axes);
  let lo, hi;
  run.scale = () => {
    run.ends = extent(data.lanes.map((lane) => lane.lr).filter((v) => v > 0));
    [lo, hi] = run.ends.map(Math.log);
  };
  run.scale();

  function color(lane, alpha) {
    const v = data.lanes[lane].lr;
    return viridis(hi > lo && v > 0 ? (Math.log(v) - lo) / (hi - lo) : 0.5, alpha);
  }
  function extra(of) {
    return names.map((name, k) => [name, data.axes[name][of.at[k]]]);
  }
  function filtered() {
    return names.length > 0 && names.every((name) => run.filter[name] != null);
  }
  function matches(at) {
    return names.every((name, k) => run.filter[name] == null || run.filter[name] === at[k]);
  }
  function shown() {
    if (run.chosen.length) return run.chosen;
    const out = [];
    data.lanes.forEach((l, i) => { if (l.outcome !== "not_run" && matches(l.at)) out.push(i); });
    return out;
  }
  function label(lane) {
    const l = data.lanes[lane];
    const more = extra(l).map(([k, v]) => `, ${k} ${fmt(v)}`).join("");
    return `${data.ramp ? "" : `lr ${fmt(l.lr)}`}${more}${data.ramp ? "" : ", "}seed ${l.seed}`;
  }
  function setHover(lane) {
    run.hover = lane;
    for (const c of charts) if (c.run === run) c.mark(lane);
  }
  function isolate(lanes, add) {
    lanes = lanes.filter((lane) => lane >= 0);
    if (!lanes.length) run.chosen = [];
    else if (add) run.chosen = [...new Set([...run.chosen, ...lanes])];
    else run.chosen = String(run.chosen) === String(lanes) ? [] : lanes;
    refresh();
  }
  function refresh() {
    for (const c of charts) if (c.run === run) c.draw();
    if (run.say) run.say();
  }
  return run;
}

function build(data, host) {
  const run = model(data);
  run.shape = shapeOf(data);
  const grid = el("div", { class: "grid" });
  const figure = (wide) => {
    const node = el("figure", { class: wide ? "wide" : false });
    grid.append(node);
    return node;
  };
  const say = el("span", { class: "say" });
  const all = el("button", { onclick: () => run.isolate([]) }, "show all lanes");
  const filters = Object.entries(data.axes).map(([name, values]) =>
    el("label", {}, `${name} `, dropdown([["", "all"], ...values.map((v, i) => [String(i), fmt(v)])], "",
      (v) => { run.filter[name] = v === "" ? null : Number(v); run.refresh(); }, name)));
  const head = el("div", { class: "head" }, say, all, ...filters);
  if (!data.ramp) head.append(colorScale(...run.ends));
  run.say = () => {
    all.hidden = !run.chosen.length;
    say.textContent = run.chosen.length
      ? `Isolated: ${run.chosen.slice(0, 3).map(run.label).join("; ")}` +
        (run.chosen.length > 3 ? ` and ${run.chosen.length - 3} more` : "")
      : "Click a lane in any figure to isolate it; shift-click adds another.";
  };
  run.say();
  host.querySelector(".charts").append(el("div", { class: "bar" }, head), grid);
  const picks = Object.keys(data.picks).length > 0;
  if (data.test) {
    data.seeds_of_test = data.lanes.slice(0, data.test.loss.length).map((l) => l.seed);
    rangeChart(run, figure(true));
    if (picks) picksChart(run, figure(true), () => extent(data.test.lr), data.test.log);
  } else {
    lossChart(run, figure(true));
    if (picks) picksChart(run, figure(true), () => ratesOf(run), true);
  }
  Object.keys(data.axes).forEach((axis, k) =>
    heatChart(run, figure(Object.keys(data.axes).length === 1), axis, k));
  const names = Object.keys(data.curves).filter((n) => !n.startsWith("learning_rate") &&
    !(data.ramp && n === data.test.name));  // a ramp's own loss stands above
  if (names.length) curveChart(run, figure(true), names, "Training curves", null, 350);
  const rates = Object.keys(data.curves).filter((n) => n.startsWith("learning_rate"));
  const stops = !data.ramp && data.lanes.some((l) => ["pruned", "diverged"].includes(l.outcome));
  if (rates.length)
    curveChart(run, figure(!stops), rates, "Learning rate as applied", null, 260);
  if (stops) rungChart(run, figure(!rates.length));
  if (data.sureness.filter((p) => p[1] != null).length > 1) sureChart(run, figure(true));
  return run;
}

/* What decides which figures a run has: where it changes, they are made anew. */
function shapeOf(data) {
  const values = data.lanes.map((l) => l.score ?? l.early);
  return JSON.stringify([data.metric, data.mode, data.ramp, data.axes, Object.keys(data.curves),
    Object.keys(data.picks), data.test && [data.test.name, data.test.kind, data.test.loss.length],
    data.sureness.length, data.lanes.some((l) =>
      ["pruned", "diverged"].includes(l.outcome)), values.some((v) => v != null),
    extent(data.lanes.map((l) => l.lr))]);
}

/* Other numbers of the same runs, as they grow. Zoom, switches, hover and focus stay; where a run has
   other figures now, they are made anew. */
function renew(numbers) {
  numbers.runs.forEach((data, i) => {
    const run = pages[i], host = document.getElementById("run" + i);
    const key = (l) => `${l.lr} ${l.seed} ${l.at}`;
    const places = new Map(data.lanes.map((l, at) => [key(l), at]));
    const moved = (lane) => (lane < 0 ? -1 : places.get(key(run.data.lanes[lane])) ?? -1);
    const chosen = run.chosen.map(moved).filter((lane) => lane >= 0), hover = moved(run.hover);
    if (shapeOf(data) !== run.shape) {
      const held = charts.find((c) => c.base === document.activeElement)?.spec.title;
      forget((c) => c.run === run);
      host.querySelector(".charts").replaceChildren();
      const fresh = pages[i] = build(data, host);
      fresh.chosen = chosen;
      fresh.refresh();
      if (held) charts.find((c) => c.run === fresh && c.spec.title === held)?.base.focus();
      return;
    }
    Object.assign(run, { chosen, hover });
    Object.assign(run.data, data);
    run.scale();
    for (const c of charts) if (c.run === run && c.spec.renew) c.spec.renew();
    run.refresh();
  });
  if (!overview) return;
  if (compared && numbers.comparison) { compared.spec.renew(numbers.comparison); compared.draw(); }
  else if (numbers.comparison) compare(numbers.comparison);
}

function forget(some) {
  for (const c of charts.filter(some)) {
    c.close();
    charts.splice(charts.indexOf(c), 1);
  }
}

readTheme();
const overview = document.querySelector("#comparison .charts");
let compared = null;
function compare(data) {
  compared = comparisonChart(data, overview.appendChild(el("figure")));
}
if (overview && window.lrlab.comparison) compare(window.lrlab.comparison);
const pages = window.lrlab.runs.map((data, i) => build(data, document.getElementById("run" + i)));

function repaint() {
  readTheme();
  for (const paint of themed) paint();
  for (const c of charts) c.draw();
}
document.getElementById("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = colors.dark ? "light" : "dark";
  repaint();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const c of charts) if (c.run && c.run.chosen.length) c.run.isolate([]);
});
document.addEventListener("click", (event) => {
  const node = event.target.closest?.("button.copy");
  if (!node) return;
  navigator.clipboard?.writeText(node.parentElement.querySelector("pre").textContent);
  node.textContent = "copied";
});
// The table of learning rates opens where the answer is.
for (const node of document.querySelectorAll(".rates")) {
  const near = node.querySelector("tr.near");
  if (near) node.scrollTop = near.offsetTop - node.clientHeight / 2;
}
document.body.dataset.ready = "yes";
