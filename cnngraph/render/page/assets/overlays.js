const TURNS = { light: 0.85, dark: 0.63 }; // where black text has as much contrast as white, in each theme

// Colours the boxes by a metric, and shows the legend.
function colour() {
  const { metric } = state;
  canvas.classList.toggle("overlay", Boolean(metric));
  const boxes = view.boxes.filter((box) => box.nodes.length);
  const values = metric ? boxes.map((box) => total(withCopies(box.nodes), metric)) : [];
  const finite = values.filter((value) => value !== Infinity);
  const most = Math.max(metric === "time" ? 1e-9 : 1, ...finite);
  boxes.forEach((box, index) => {
    const part = metric ? (values[index] === Infinity ? 1 : Math.sqrt(values[index] / most)) : 0;
    box.element.classList.toggle("coloured", Boolean(metric));
    box.element.classList.toggle("hot", part > TURNS.light);
    box.element.classList.toggle("warm", part > TURNS.dark);
    const ground = box.element.querySelector("rect, circle, polygon");
    ground.style.fill = metric ? shade(part) : "";
  });
  const areSeveral = boxes.some((box) => withCopies(box.nodes).length > box.nodes.length);
  showLegend(metric, most, finite.length < values.length, areSeveral);
}

// Where and how the times were measured.
function timingNote() {
  const { on, passes } = NET.timing;
  const all = total(NODES.path.map((_, node) => node), "time");
  return `${duration(all)} in total on ${on}; ${passes > 1 ? `medians of ${passes} forward passes` : "1 forward pass"}`;
}

const shade = (part) => `color-mix(in oklab, var(--cold), var(--hot) ${(100 * part).toFixed(1)}%)`;

function showLegend(metric, most, isEverything, areSeveral) {
  const legend = byId("legend");
  if (metric) {
    const bar = h("div", { class: "scale" });
    bar.style.background = `linear-gradient(90deg in oklab, var(--cold), var(--hot))`;
    const { show, name } = METRICS[metric];
    const ticks = [0, most / 4, most].map((value) => h("span", {}, show(metric === "time" ? value : Math.round(value))));
    const notes = metric === "field" ? [isEverything && "attention sees all of the input"] : [areSeveral && "of ×n boxes, all n together"];
    if (metric === "time") notes.push(timingNote());
    const lines = notes.filter(Boolean).map((note) => h("small", {}, note));
    legend.replaceChildren(h("strong", {}, name), h("div", {}, bar, h("div", { class: "ticks" }, ticks)), ...lines);
    return;
  }
  legend.replaceChildren(byId("marks").content.cloneNode(true));
  if (!view.boxes.length) return; // not drawn yet: the room for all entries
  const visible = new Set(view.boxes.flatMap((box) => NET.legends[box.legend] || []));
  for (const { classList } of canvas.querySelectorAll("path.arrow")) classList.forEach((name) => visible.add(name));
  for (const entry of [...legend.children]) if (!visible.has(entry.dataset.name)) entry.remove();
}

function setMetric(metric) {
  state.metric = Object.hasOwn(METRICS, metric) ? metric : "";
  byId("metric").value = state.metric;
  colour();
  if (!state.selected) showDetails();
  remember();
}
