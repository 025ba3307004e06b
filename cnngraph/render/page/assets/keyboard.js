// Keys: along the arrows, open, close, zoom and search.
const visibleBoxOf = (node) => view.boxOf.get(drawnOf(node));

const inputBox = (node) => view.boxes.find((item) => item.key === `input${-1 - node}` && !item.home);

function neighbours(box, isAfter) {
  const found = new Set();
  for (const node of withCopies(box.nodes)) {
    const others = isAfter ? READERS[node].map(([reader]) => reader) : NODES.reads[node].filter((_, place) => place % 2 === 0);
    for (const other of others) {
      const target = other >= 0 ? visibleBoxOf(other) : inputBox(other);
      if (target && target !== box) found.add(target);
    }
  }
  NET.errors.forEach(({ reads }, number) => {
    const end = view.boxes.find((item) => item.error === number);
    const sources = reads.filter((_, place) => place % 2 === 0).map((node) => (node >= 0 ? visibleBoxOf(node) : inputBox(node)));
    if (isAfter && end && sources.includes(box)) found.add(end);
    if (!isAfter && box === end) sources.forEach((source) => source && found.add(source));
  });
  NET.outputs.forEach(([, node], place) => {
    const end = view.boxes.find((item) => item.key === `output${place}` && !item.home);
    if (isAfter && end && box.nodes.includes(drawnOf(node))) found.add(end);
    if (!isAfter && box === end && visibleBoxOf(node)) found.add(visibleBoxOf(node));
  });
  if (isAfter && box.key.startsWith("input") && !box.home) {
    const input = -1 - Number(box.key.slice(5));
    NODES.reads.forEach((reads, node) => {
      const target = reads.some((other, place) => place % 2 === 0 && other === input) && visibleBoxOf(node);
      if (target) found.add(target);
    });
  }
  return [...found];
}

// The nearest box beside another one, across the flow.
function beside(box, sign) {
  const middle = (item, axis) => item.at[axis] + item.at[axis + 2] / 2;
  const others = view.boxes.filter((item) => sign * (middle(item, ACROSS) - middle(box, ACROSS)) > 4);
  const score = (item) => Math.abs(middle(item, ACROSS) - middle(box, ACROSS)) + 3 * Math.abs(middle(item, ALONG) - middle(box, ALONG));
  return others.sort((a, b) => score(a) - score(b))[0];
}

function focusBox(box) {
  if (!box) return;
  bringIntoView(box.at);
  choose(box);
}

function choose(box, focus = true) {
  if (!box) return;
  if (box.group !== undefined) select({ group: box.group }, idOf(box), focus);
  else if (box.error !== undefined) select({ error: box.error }, idOf(box), focus);
  else if (box.nodes.length) select({ node: box.nodes[0], box: idOf(box) }, idOf(box), focus);
  else select({ end: box.key }, idOf(box), focus);
}

function focusedGroup(element) {
  const id = element?.dataset?.id || "";
  return id.startsWith("frame:") ? Number(id.slice(6)) : null;
}

// The first box in an open block, in order of execution.
function firstIn(group) {
  const inside = view.boxes.filter(({ home }) => groupsAround(home).includes(group));
  return inside.sort((a, b) => (a.nodes[0] ?? Infinity) - (b.nodes[0] ?? Infinity))[0];
}

// What has the focus in the drawing, or else what is selected.
function focusedElement() {
  const element = document.activeElement;
  return element?.dataset?.id ? element : elementOf(state.selected?.id || "");
}

function onArrow(key) {
  const element = focusedElement();
  const frame = focusedGroup(element);
  const box = frame === null ? boxById(element?.dataset?.id || "") : firstIn(frame);
  if (!box) return focusBox(view.boxes[0]);
  if (frame !== null) return focusBox(box);
  const [back, forward, left, right] = DOWN ? ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"] : ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
  if (key === left || key === right) return focusBox(beside(box, key === right ? 1 : -1));
  if (key !== forward && key !== back) return undefined;
  const forwards = (key === forward) !== box.goesBack;
  const sign = key === forward ? 1 : -1;
  const order = neighbours(box, forwards).sort((a, b) => (a.goesBack !== box.goesBack) - (b.goesBack !== box.goesBack) || sign * (a.at[ALONG] - b.at[ALONG]));
  return focusBox(order[0]);
}

function onEnter() {
  const element = focusedElement();
  const frame = focusedGroup(element);
  if (frame !== null) return closeGroup(frame);
  const box = boxById(element?.dataset?.id || "");
  if (!box) return undefined;
  if (opens(box)) return openBox(box);
  choose(box);
  return showSide(true);
}

function onEscape() {
  const element = focusedElement();
  const frame = focusedGroup(element);
  if (frame !== null) return closeGroup(frame);
  const box = boxById(element?.dataset?.id || "");
  if (box && box.home) return closeGroup(box.home);
  return select(null);
}

const ACTIONS = {
  PageDown: () => slide(ALONG, 0.85 * room()[ALONG]),
  PageUp: () => slide(ALONG, -0.85 * room()[ALONG]),
  Home: () => slide(ALONG, -Infinity),
  End: () => slide(ALONG, Infinity),
  "+": () => zoom(1.25),
  "=": () => zoom(1.25),
  "-": () => zoom(0.8),
  0: () => arrange(false),
  1: () => arrange(true),
  e: openAll,
  c: closeAll,
  t: () => toggleTheme(),
  m: () => {
    const options = ["", ...Object.keys(METRICS)];
    setMetric(options[(options.indexOf(state.metric) + 1) % options.length]);
  },
  "/": () => {
    query.focus();
    query.select();
  },
  "?": () => byId("keys").showModal(),
  Enter: onEnter,
  Escape: onEscape,
  Backspace: onEscape,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const { target, key } = event;
  if (target === query) {
    if (key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
    else if (key === "Escape") {
      query.value = "";
      search();
      query.blur();
      focusedElement()?.focus({ preventScroll: true });
    } else return;
    event.preventDefault();
    return;
  }
  if (target.closest("select, input, #text")) return;
  if (target.closest("button, a") && (key === "Enter" || key === " ")) return;
  if (key.startsWith("Arrow")) onArrow(key);
  else if (key === " " && target.closest("#canvas")) onEnter();
  else if (Object.hasOwn(ACTIONS, key)) ACTIONS[key]();
  else return;
  event.preventDefault();
});
