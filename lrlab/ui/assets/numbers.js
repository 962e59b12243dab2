"use strict";
// First on every page: what the server put into it, and the theme that was chosen before.
const held = (id) => JSON.parse(document.getElementById(id).textContent || "{}");
window.lrlab = held("numbers");
window.content = held("content");
const remembered = {
  get() { try { return localStorage.getItem("lrlab-theme"); } catch { return null; } },
  set(value) { try { localStorage.setItem("lrlab-theme", value); } catch { /* none is kept */ } },
};
if (["light", "dark"].includes(remembered.get())) document.documentElement.dataset.theme = remembered.get();
document.addEventListener("click", (event) => {
  if (event.target.id === "theme")  // after the page's own listener has set it
    setTimeout(() => remembered.set(document.documentElement.dataset.theme || ""));
});
