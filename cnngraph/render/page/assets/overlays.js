// Colours the boxes by a metric, and shows the legend.
function colour() {
  const { metric } = state;
  canvas.classList.toggle("overlay", Boolean(metric));
  const boxes = view.boxes.filter((box) => box.nodes.length);
  const values = metric ? boxes.map((box) => total(withCopies(box.nodes), metric)) : [];
  const finite = values.filter((value) => value !== Infinity);
  const most = Math.max(1, ...finite);
  boxes.forEach((box, index) => {
    const part = metric ? (values[index] === Infinity ? 1 : Math.sqrt(values[index] / most)) : 0;
    box.element.classList.toggle("hot", part > 0.5);
    const ground = box.element.querySelector("rect, circle");
    ground.style.fill = metric ? shade(part) : "";
  });
  showLegend(metric, most, finite.length < values.length);
}

const shade = (part) => `color-mix(in oklab, var(--cold), var(--hot) ${(100 * part).toFixed(1)}%)`;

function showLegend(metric, most, isEverything) {
  const legend = byId("legend");
  if (metric) {
    const bar = h("div", { class: "scale" });
    bar.style.background = `linear-gradient(90deg in oklab, var(--cold), var(--hot))`;
    const { show, name } = METRICS[metric];
    const ticks = [0, most / 4, most].map((value) => h("span", {}, show(Math.round(value))));
    const note = metric === "field" ? (isEverything ? "attention sees all of the input" : "") : "of ×n boxes, all n together";
    legend.replaceChildren(h("strong", {}, name), bar, h("div", { class: "ticks" }, ticks), note && h("small", {}, note));
    return;
  }
  const used = new Set(NODES.path.map((_, node) => opOf(node)[1]));
  const entries = Object.entries(KINDS).filter(([kind]) => used.has(kind) || kind === "scope");
  legend.replaceChildren(
    ...entries.map(([kind, name]) => {
      const sample = h("i");
      sample.style.background = `var(--${kind})`;
      sample.style.borderColor = `var(--${kind}-edge)`;
      return h("span", {}, sample, name);
    })
  );
}

function setMetric(metric) {
  state.metric = metric in METRICS ? metric : "";
  byId("metric").value = state.metric;
  colour();
  if (!state.selected) showDetails();
  remember();
}
