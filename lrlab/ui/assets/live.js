"use strict";
// A page of runs that grows: the server says that something changed, the page asks for what.
const at = (id) => document.getElementById(id);
let stamp = window.content.stamp, stream = null, asking = false, again = false;
const late = new Map();  // HTML that waits until the keyboard has left the place it goes to
const named = document.title;

function showState(now) {
  const state = at("state"), part = now.done.length
    ? now.done.reduce((a, b) => a + b, 0) / now.done.length : null;
  if (state.textContent !== now.state) state.textContent = now.state;
  state.className = `state ${now.state}`;
  const percent = part == null ? null : Math.min(99, Math.floor(100 * part));
  const bar = at("progress"), open = now.state !== "finished" && percent != null;
  bar.hidden = !open;
  if (open) {
    bar.setAttribute("aria-valuenow", String(percent));
    bar.firstElementChild.style.width = `${100 * part}%`;
  }
  document.title = open && now.state === "running" ? `${percent} % - ${named}` : named;
}

/* Other HTML in a place, where it is other; open details and scrolled tables stay as they are. */
function put(node, html) {
  if (node.held === html) return;
  if (node.contains(document.activeElement)) { late.set(node, html); return; }
  const open = [...node.querySelectorAll("details")].map((one) => one.open);
  const scrolled = [...node.querySelectorAll(".scroll, pre")].map((one) => one.scrollTop);
  node.held = html;
  node.innerHTML = html;
  node.querySelectorAll("details").forEach((one, i) => { one.open = Boolean(open[i]); });
  node.querySelectorAll(".scroll, pre").forEach((one, i) => { one.scrollTop = scrolled[i] || 0; });
}
document.addEventListener("focusout", () => setTimeout(() => {
  for (const [node, html] of [...late]) { late.delete(node); put(node, html); }
}));

function show(now) {
  const sections = [...document.querySelectorAll("section.run")];
  const other = now.kind !== window.content.kind || String(now.names) !== String(window.content.names);
  if (other || (now.kind !== "report" && now.state !== window.content.state)) {
    location.reload();
    return;
  }
  stamp = now.stamp;
  window.content = now;
  showState(now);
  if (now.kind !== "report") return;
  at("words").textContent = now.words;
  now.pieces.forEach((piece, i) => {
    put(sections[i].querySelector(".facts"), piece.facts);
    put(sections[i].querySelector(".tables"), piece.tables);
  });
  const above = at("comparison");
  if (above && now.overview) {
    put(above.querySelector(".facts"), now.overview.facts);
    put(above.querySelector(".tables"), now.overview.tables);
  }
  renew(now.numbers);
  document.body.dataset.updates = String(Number(document.body.dataset.updates || 0) + 1);
}

async function ask() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    do {
      again = false;
      const answer = await fetch("data" + location.search);
      if (answer.ok) show(await answer.json());
      else if (answer.status === 404) lost("This run is no longer there; what is shown is the last of it.");
    } while (again);
  } catch { /* the stream says that the server is gone, and asks again when it is back */ }
  asking = false;
}

function lost(words) {
  at("words").textContent = words;
}

/* One stream for each tab that is seen: browsers allow six for all of a server's tabs together. */
function listen() {
  if (stream) stream.close();
  stream = null;
  if (document.hidden) return;
  stream = new EventSource(`changed${location.search}&stamp=${encodeURIComponent(stamp)}`);
  stream.onmessage = ask;
  stream.onopen = () => { document.body.dataset.listening = "yes"; at("words").textContent = window.content.kind === "report" ? window.content.words : ""; };
  stream.onerror = () => lost("Not connected: lrlab ui has ended, or cannot be reached. Trying again.");
}
document.addEventListener("visibilitychange", listen);
showState(window.content);
listen();
