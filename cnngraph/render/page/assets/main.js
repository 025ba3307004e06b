// Starts the page: mouse and touch, theme, state over reloads, the report of a server.
const side = byId("side");

function showSide(isShown) {
  side.classList.toggle("folded", !isShown);
  byId("fold").setAttribute("aria-expanded", String(isShown));
  remember();
}

// The theme is that of the system until the reader chooses one.
const root = document.documentElement;
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
let theme = root.dataset.theme;

function showTheme() {
  root.dataset.theme = theme || (systemIsDark.matches ? "dark" : "light");
}

function toggleTheme() {
  theme = root.dataset.theme === "dark" ? "light" : "dark";
  showTheme();
  remember();
}

// Mouse and touch: drag, wheel, pinch, click.
const pointers = new Map();
let dragged = false;

canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (pointers.size === 1) dragged = false;
});
canvas.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return hover(event);
  const after = [event.clientX, event.clientY];
  if (!dragged && distance(before, after) < 4) return undefined;
  if (!dragged) canvas.setPointerCapture(event.pointerId); // not before, or clicks would not reach the boxes
  dragged = true;
  canvas.classList.add("dragging");
  hideTip();
  if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const rect = canvas.getBoundingClientRect();
    zoom(distance(after, other) / (distance(before, other) || 1), (after[0] + other[0]) / 2 - rect.left, (after[1] + other[1]) / 2 - rect.top);
  }
  state.x += (after[0] - before[0]) / pointers.size;
  state.y += (after[1] - before[1]) / pointers.size;
  hasMoved = true;
  place();
  pointers.set(event.pointerId, after);
  return undefined;
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, (event) => {
    pointers.delete(event.pointerId);
    canvas.classList.remove("dragging");
    remember();
  });
}
canvas.addEventListener("pointerleave", hideTip);
canvas.addEventListener(
  "wheel",
  (event) => {
    const unit = event.deltaMode === 1 ? 16 : 1;
    const isZoom = event.ctrlKey || event.metaKey; // a pinch on a touchpad comes as the first of them
    const [dx, dy] = event.shiftKey ? [event.deltaY + event.deltaX, 0] : [event.deltaX, event.deltaY];
    if (!isZoom) {
      const hasScrolled = slide(0, dx * unit) | slide(1, dy * unit); // else the page around it scrolls
      if (hasScrolled) event.preventDefault();
      return;
    }
    event.preventDefault();
    const rect = canvas.getBoundingClientRect();
    const step = event.deltaY * unit * (Math.abs(event.deltaY) < 50 ? 4 : 1); // a pinch comes in small steps
    zoom(Math.exp(-Math.max(-240, Math.min(240, step)) / 500), event.clientX - rect.left, event.clientY - rect.top);
  },
  { passive: false }
);
canvas.addEventListener("click", (event) => {
  if (dragged) return;
  hideTip();
  const element = event.target.closest("[data-id]");
  if (!element) return void select(null);
  const frame = focusedGroup(element);
  if (frame !== null) {
    if (event.target.closest(".close")) closeGroup(frame);
    else select({ group: frame }, `frame:${frame}`);
    return;
  }
  const box = boxById(element.dataset.id);
  if (opens(box) && !event.shiftKey) openBox(box);
  else choose(box);
});
canvas.addEventListener("dblclick", (event) => {
  const frame = focusedGroup(event.target.closest("[data-id]"));
  if (frame !== null) closeGroup(frame);
});
canvas.addEventListener("focusin", (event) => {
  const box = boxById(event.target.dataset?.id || "");
  if (box && event.target.matches(":focus-visible") && state.selected?.id !== idOf(box)) {
    bringIntoView(box.at);
    choose(box, false);
  }
});

function hover(event) {
  const element = event.pointerType === "touch" ? null : event.target.closest("[data-id]");
  canvas.querySelectorAll(".lit").forEach((arrow) => arrow.classList.remove("lit"));
  const box = element && boxById(element.dataset.id);
  if (!box) return hideTip();
  light(element, "lit");
  return showTip(box, event.clientX, event.clientY);
}

// State over reloads, by the paths of groups.
const MEMORY = `cnngraph:${location.pathname}`;
let isRestored = false;

function remember() {
  if (!NET || !isRestored) return;
  const { x, y, scale, metric, selected } = state;
  const open = [...state.open].map((number) => GROUPS[number].inner);
  const chosen = selected && { group: GROUPS[selected.group]?.inner, path: NODES.path[selected.node], error: NET.errors[selected.error]?.path };
  const known = GROUPS.map((group) => group.inner);
  const saved = { x, y, scale, metric, open, known, starts: view.starts, chosen, hasMoved, theme, query: query.value, folded: side.classList.contains("folded") };
  try {
    sessionStorage.setItem(MEMORY, JSON.stringify(saved));
  } catch {
    // a page from a file may have no storage
  }
}

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(MEMORY));
  } catch {
    return null;
  }
}

function restore(saved) {
  theme = saved.theme || theme;
  showTheme();
  showSide(!saved.folded);
  const open = new Set(saved.open);
  const known = new Set(saved.known); // groups that are new are as they are at first
  const first = firstOpen();
  state.open = new Set(GROUPS.map((_, number) => number).filter((number) => open.has(GROUPS[number].inner) || (!known.has(GROUPS[number].inner) && first.has(number))));
  state.open.add(0);
  query.value = saved.query || "";
  starts = saved.starts ?? null;
  search();
  render();
  setMetric(saved.metric || "");
  const { chosen } = saved;
  const group = chosen ? GROUPS.findIndex((item) => item.inner === chosen.group) : -1;
  const node = chosen ? NODES.path.indexOf(chosen.path) : -1;
  if (group > 0) revealGroup(group);
  else if (node >= 0) reveal(node, false);
  else if (chosen?.error) choose(view.boxes.find((box) => NET.errors[box.error]?.path === chosen.error), false);
  Object.assign(state, { x: saved.x, y: saved.y, scale: saved.scale });
  hasMoved = saved.hasMoved;
  place();
}

// What the server says: errors and warnings, and that the spec has changed.
function showReport({ diagnostics, note }) {
  const report = byId("report");
  report.hidden = !diagnostics.length && !note;
  const items = diagnostics.map((item) => h("article", { class: item.severity }, h("pre", {}, item.text), sourceLink(item.at)));
  const errors = diagnostics.filter((item) => item.severity === "error").length;
  const warnings = diagnostics.length - errors;
  const counts = [errors && `${errors} error${errors > 1 ? "s" : ""}`, warnings && `${warnings} warning${warnings > 1 ? "s" : ""}`].filter(Boolean).join(", ");
  report.className = errors ? "error" : "warning";
  report.replaceChildren(h("details", { open: errors > 0 }, h("summary", {}, h("strong", {}, counts), note ? ` ${note}` : ""), items));
}

function follow() {
  const live = byId("live");
  const events = new EventSource(`events?since=${root.dataset.version}`);
  events.addEventListener("open", () => (live.hidden = true));
  events.addEventListener("changed", () => {
    remember();
    location.reload();
  });
  events.addEventListener("error", () => {
    live.textContent = "not connected: this drawing is no longer updated";
    live.hidden = false;
  });
}

function start() {
  showTheme();
  byId("name").title = byId("name").textContent;
  byId("summary").textContent = byId("summary").title = NET ? NET.summary : "";
  if (METRICS.time) byId("metric").append(h("option", { value: "time" }, "time"));
  if (FACTS.report) showReport(FACTS.report);
  if (FACTS.report) follow();
  const saved = remembered();
  if (NET && saved) restore(saved);
  else if (NET) {
    if (innerWidth < 720) showSide(false);
    showLegend(""); // takes room
    state.open = firstOpen();
    arrange(true);
    showDetails();
  }
  isRestored = true;
  root.dataset.ready = "yes";
}

systemIsDark.addEventListener("change", showTheme);
byId("metric").addEventListener("change", (event) => setMetric(event.target.value));
byId("all").addEventListener("click", openAll);
byId("none").addEventListener("click", closeAll);
byId("in").addEventListener("click", () => zoom(1.25));
byId("out").addEventListener("click", () => zoom(0.8));
byId("fit").addEventListener("click", () => arrange(false));
byId("theme").addEventListener("click", toggleTheme);
byId("about").addEventListener("click", () => byId("keys").showModal());
byId("fold").addEventListener("click", () => showSide(side.classList.contains("folded")));
query.addEventListener("input", search);
new ResizeObserver(keepSelected).observe(canvas);
addEventListener("resize", () => !hasMoved && NET && arrange(true));
addEventListener("beforeprint", () => {
  canvas.setAttribute("viewBox", `0 0 ${view.size[0]} ${view.size[1]}`);
  world.removeAttribute("transform");
});
addEventListener("afterprint", () => {
  canvas.removeAttribute("viewBox");
  place();
});
start();
