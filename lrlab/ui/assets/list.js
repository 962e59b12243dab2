"use strict";
// The list of runs: filtered, sorted, chosen from, and kept up to date, thousands of them.
const STEP = 100;  // rows that are added when the last one comes into sight
const el = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};
const at = (id) => document.getElementById(id);
const body = document.querySelector("tbody"), headRow = document.querySelector("thead tr");
const rows = new Map(), nodes = new Map(), chosen = new Set(), open = new Set();
let serial = 0, waiting = 0, most = STEP, stream = null, drawing = false;
const USUAL = { q: "", state: "", command: "", sort: "started", down: "true" };
const addressed = () => {
  const given = { ...USUAL, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
  return { ...given, down: given.down !== "false" };
};
const view = addressed();

const fmt = (v) => {
  if (v == null || !Number.isFinite(v)) return "–";
  const size = Math.abs(v);
  if (v === 0 || (size >= 1e-3 && size < 1e5)) return String(Number(v.toPrecision(3)));
  return v.toExponential(2).replace(/\.?0*e/, "e").replace("e+", "e");
};
const span = (s) => {
  if (s == null) return "–";
  if (s < 60) return `${Number(s.toPrecision(s < 10 ? 2 : 3))} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
};
const ago = (text) => {
  const s = (Date.now() - Date.parse(text)) / 1000;
  if (!Number.isFinite(s)) return "–";
  if (s < 60) return "just now";
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ago`;
  return text.slice(0, 10);
};

/* key, heading, what it is sorted by, its cell's content, class. */
const COLUMNS = [
  ["run", "run", (r) => r.run.toLowerCase(), null, "who"],
  ["state", "state", (r) => r.state, stateCell, "st"],
  ["spark", "score against rate", null, sparkCell, "sp"],
  ["lr", "best rate", (r) => r.lr ?? null, (r) => [el("b", {}, r.rates || fmt(r.lr)),
    ...(r.interval ? [el("small", {}, `${fmt(r.interval[0])} to ${fmt(r.interval[1])}`)] : [])], "n lr"],
  ["best", "score", (r) => r.best ?? null, (r) => r.best == null ? ["–"] : [fmt(r.best), el("small", {}, r.metric || "")], "n sc"],
  ["verdict", "verdict", (r) => r.verdict || null, (r) => [el("span", { class: r.verdict || "" }, el("b", {}, r.verdict || "–"))], "vd"],
  ["started", "started", (r) => r.started, (r) => [el("span", { title: r.started || "" }, r.started ? ago(r.started) : "–")], "n wh"],
  ["seconds", "took", (r) => r.seconds ?? null, (r) => [span(r.seconds)], "n tk"],
];
const SORTED = COLUMNS.filter((column) => column[2]);

function stateCell(row) {
  const part = row.state !== "finished" && row.done != null ? Math.min(99, Math.floor(100 * row.done)) : null;
  const words = part == null ? row.state : `${row.state} ${part} %`;
  const mark = el("span", { class: `state ${row.state}` }, words);
  if (part == null) return [mark];
  const bar = el("i", { class: "share", "aria-hidden": "true" }, el("i"));
  bar.firstChild.style.width = `${part}%`;
  return [mark, bar];
}

function sparkCell(row) {
  const points = row.spark || [];
  if (points.length < 2) return [];
  const xy = points.map(([x, y]) => `${(2 + 96 * x).toFixed(1)},${(25 - 22 * y).toFixed(1)}`).join(" ");
  const svg = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const image = svg("svg", { viewBox: "0 0 100 28", role: "img",
    "aria-label": `${row.metric || "score"} against learning rate, ${points.length} rates` });
  image.append(svg("polyline", { points: xy }));
  return [image];
}

function make(row) {
  const box = el("input", { type: "checkbox", "aria-label": `Choose ${row.run}`,
    onchange: () => { box.checked ? chosen.add(row.run) : chosen.delete(row.run); tellChosen(); } });
  const more = el("button", { class: "fold", type: "button", onclick: () => {
    open.has(row.run) ? open.delete(row.run) : open.add(row.run);
    draw();
  } });
  const link = el("a", { href: "report?run=" + encodeURIComponent(row.run) }, row.parent ? row.name : row.run);
  const cells = COLUMNS.map(([key, , , , kind]) => el("td", { role: "cell", class: kind }));
  const small = el("small");
  cells[0].append(link, more, small);
  const node = el("tr", { role: "row" }, el("td", { role: "cell", class: "ch" }, box), ...cells);
  return { node, cells, box, more, small, said: "" };
}

function fill(held, row) {
  const parts = partsOf.get(row.run) || 0, shown = open.has(row.run);
  const said = JSON.stringify([row, parts, shown, row.started && ago(row.started)]);
  held.box.checked = chosen.has(row.run);
  if (held.said === said) return;
  held.said = said;
  held.node.className = `${row.state}${row.parent ? " part" : ""}`;
  held.more.hidden = !parts;
  held.more.textContent = `${shown ? "▾" : "▸"} ${parts} ${parts === 1 ? "run" : "runs"}`;
  held.more.setAttribute("aria-expanded", String(shown));
  held.small.textContent = [row.command, row.task !== row.name ? row.task : "", row.optimizer,
    row.parent ? `in ${row.parent}` : ""].filter(Boolean).join(" · ");
  held.node.title = row.sentence || "";
  COLUMNS.forEach(([, , , content], i) => { if (content) held.cells[i].replaceChildren(...content(row)); });
}

let partsOf = new Map(), listed = [];
function select() {
  partsOf = new Map();
  for (const row of rows.values()) if (row.parent) partsOf.set(row.parent, (partsOf.get(row.parent) || 0) + 1);
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  const filtered = words.length || view.state || view.command;
  const seen = [...rows.values()].filter((row) => {
    if (!filtered && row.parent && rows.has(row.parent)) return false;
    if (view.state && row.state !== view.state) return false;
    if (view.command && row.command !== view.command) return false;
    return words.every((word) => row.text.includes(word));
  });
  const by = (SORTED.find((column) => column[0] === view.sort) || SORTED[0])[2];
  const sign = view.down ? -1 : 1;
  const keyed = seen.map((row) => [by(row), row]);
  keyed.sort(([a, one], [b, other]) => {
    if (a == null || b == null) return (a == null) - (b == null);  // what is missing comes last
    return (a < b ? -sign : a > b ? sign : 0) || (one.run < other.run ? -1 : 1);
  });
  listed = keyed.map(([, row]) => row);
  if (!filtered && open.size)
    listed = listed.flatMap((row) => open.has(row.run)
      ? [row, ...[...rows.values()].filter((r) => r.parent === row.run).sort((a, b) => (a.run < b.run ? -1 : 1))]
      : [row]);
}

function draw() {
  drawing = false;
  select();
  const wanted = listed.slice(0, most).map((row) => {
    if (!nodes.has(row.run)) nodes.set(row.run, make(row));
    const held = nodes.get(row.run);
    fill(held, row);
    return held.node;
  });
  const stay = new Set(wanted);
  for (const node of [...body.children]) if (!stay.has(node)) node.remove();
  wanted.forEach((node, i) => { if (body.children[i] !== node) body.insertBefore(node, body.children[i] || null); });
  const all = [...rows.values()], running = listed.filter((row) => row.state === "running").length;
  const count = `${listed.length.toLocaleString("en")} ${listed.length === 1 ? "run" : "runs"}` +
    (running ? `, ${running} running` : "") + (waiting ? `, reading ${waiting.toLocaleString("en")} more` : "");
  if (at("count").textContent !== count) at("count").textContent = count;
  document.querySelector("table").setAttribute("aria-rowcount", String(listed.length + 1));
  at("none").hidden = listed.length > 0;
  at("none").textContent = rows.size ? "No run is like that." : waiting ? "Reading ..."
    : "No runs here yet. Begin with: lrlab find digits-mlp";
  document.querySelector(".runs").hidden = !listed.length;
  at("more").hidden = listed.length <= most;
  options("state", "any state", all.map((row) => row.state));
  options("command", "any command", all.map((row) => row.command));
  for (const th of headRow.children) {
    const on = th.dataset.key === view.sort;
    if (th.dataset.key) th.setAttribute("aria-sort", on ? (view.down ? "descending" : "ascending") : "none");
  }
  at("order").value = `${view.sort} ${view.down}`;
  document.body.dataset.ready = "yes";
}
const later = () => { if (!drawing) { drawing = true; requestAnimationFrame(draw); } };

function options(id, none, values) {
  const node = at(id), names = [...new Set(values.filter(Boolean))].sort();
  if (view[id] && !names.includes(view[id])) names.push(view[id]);
  if (node.held !== String(names)) {
    node.held = String(names);
    node.replaceChildren(el("option", { value: "" }, none), ...names.map((n) => el("option", { value: n }, n)));
  }
  node.value = view[id];
}

function tellChosen() {
  const names = [...chosen].filter((name) => rows.has(name));
  at("chosen").hidden = !names.length;
  at("chosen-words").textContent = names.length === 1
    ? `${names[0]} is chosen; choose another to compare.` : `${names.length} runs are chosen.`;
  at("compare").hidden = names.length < 2;
  at("compare").href = "report?" + new URLSearchParams(names.map((name) => ["run", name]));
}

function set(changes) {
  Object.assign(view, changes);
  most = STEP;
  history.replaceState(null, "", "#" + new URLSearchParams(view));
  later();
}

function take(news) {
  for (const name of news.gone) { rows.delete(name); nodes.delete(name); chosen.delete(name); }
  for (const row of news.rows) {
    row.text = [row.run, row.task, row.optimizer, row.command, row.state, row.verdict, row.metric].join(" ").toLowerCase();
    rows.set(row.run, row);
  }
  serial = news.serial;
  waiting = news.waiting;
  tellChosen();
  later();
}

function listen() {
  if (stream) stream.close();
  stream = null;
  if (document.hidden) return;
  stream = new EventSource(`rows?since=${serial}`);
  stream.onmessage = (event) => take(JSON.parse(event.data));
  stream.onopen = () => { document.body.dataset.listening = "yes"; later(); };
  stream.onerror = () => { at("count").textContent = "Not connected: lrlab ui has ended, or cannot be reached."; };
}

headRow.append(el("th", { scope: "col", role: "columnheader" }, el("span", { class: "unseen" }, "choose")),
  ...COLUMNS.map(([key, words, by, , kind]) => el("th", { scope: "col", role: "columnheader", class: kind, "data-key": by ? key : null },
    by ? el("button", { type: "button", onclick: () => set(view.sort === key ? { down: !view.down }
      : { sort: key, down: key === "started" || key === "seconds" }) }, words) : words)));
at("order").append(...SORTED.flatMap(([key, words]) => [
  el("option", { value: `${key} true` }, `${words}, descending`), el("option", { value: `${key} false` }, `${words}, ascending`)]));
at("order").addEventListener("change", (event) => {
  const [sort, down] = event.target.value.split(" ");
  set({ sort, down: down === "true" });
});
at("filter").value = view.q;
at("filter").addEventListener("input", (event) => set({ q: event.target.value }));
for (const id of ["state", "command"]) at(id).addEventListener("change", (event) => set({ [id]: event.target.value }));
at("clear").addEventListener("click", () => { chosen.clear(); tellChosen(); later(); });
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|SELECT/.test(document.activeElement.tagName)) {
    event.preventDefault();
    at("filter").focus();
  }
});
new IntersectionObserver((seen) => {
  if (seen.some((one) => one.isIntersecting) && listed.length > most) { most += STEP; later(); }
}, { rootMargin: "600px" }).observe(at("more"));
window.addEventListener("hashchange", () => {  // an address typed over, or one page back
  Object.assign(view, addressed());
  most = STEP;
  at("filter").value = view.q;
  later();
});
document.addEventListener("visibilitychange", listen);
setInterval(later, 60000);  // "5 min ago" grows
take(window.lrlab);
draw();
listen();
