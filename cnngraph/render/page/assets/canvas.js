// The drawing on the screen: which groups are open, what is selected, zoom and pan.
const canvas = byId("canvas");
const world = byId("world");
const state = { open: new Set([0]), x: 0, y: 0, scale: 1, selected: null, metric: "" };
let view = { boxes: [], frames: [], size: [0, 0], starts: {} };
let hasMoved = false; // whether the reader has zoomed or moved the drawing

const LEAST = 0.8; // the scale at which texts can still be read
const READABLE = 1.2;
const FEW = 7; // a first view has at least as many boxes, even if they are too small to be read at once
const MANY = 80; // and at most as many

function render() {
  if (!NET) return;
  const focused = canvas.contains(document.activeElement) ? document.activeElement.dataset.id : "";
  view = drawAll(state.open);
  view.boxOf = new Map(view.boxes.flatMap((box) => box.nodes.map((node) => [node, box]))); // of each drawn operation
  world.replaceChildren(view.element);
  for (const box of view.boxes) prepareBox(box);
  for (const frame of view.frames) prepareFrame(frame);
  colour();
  showMatches();
  if (state.selected?.id) state.selected.id = shownFor(state.selected.id);
  markSelected();
  if (focused) elementOf(shownFor(focused))?.focus({ preventScroll: true });
  document.dispatchEvent(new Event("drawn"));
}

const idOf = (box) => `${box.home}:${box.key}`;
const boxById = (id) => view.boxes.find((box) => idOf(box) === id);
const frameOf = (number) => view.frames.find((frame) => frame.group === number);
const itemOf = (id) => id && [...view.boxes, ...view.frames].find(({ element }) => element.dataset.id === id); // a box or frame
const elementOf = (id) => canvas.querySelector(`[data-id="${CSS.escape(id)}"]`);
const opens = (box) => box.group !== undefined && Boolean(GROUPS[box.group].drawing);

// What is visible of the box or frame with this id, whatever was opened or closed: itself, the frame in place of the box,
// or the closed block that it is in.
function shownFor(id) {
  const [home, key] = [id.slice(0, id.indexOf(":")), id.slice(id.indexOf(":") + 1)];
  const inside = home === "frame" ? Number(key) : Number(home);
  const closed = groupsAround(inside).find((number) => !state.open.has(number));
  if (closed !== undefined) return PLACE_OF[closed].join(":");
  const group = home === "frame" ? undefined : GROUPS[inside].drawing.boxes[key].group;
  return group !== undefined && frameOf(group) ? `frame:${group}` : id;
}

function prepareBox(box) {
  const { element } = box;
  element.dataset.id = idOf(box);
  element.setAttribute("tabindex", "0");
  element.setAttribute("role", "button");
  element.setAttribute("aria-label", labelOf(box));
  if (box.group === undefined) return;
  element.classList.add("closed");
  element.setAttribute("aria-expanded", "false");
  if (!opens(box)) return;
  const { origin } = box;
  element.append(
    s("g", { class: "plus", transform: `translate(${origin[0] + origin[2] - 1} ${origin[1] + 1})` }, s("circle", { r: 4.5 }), s("path", { d: "M-2.3,0H2.3M0,-2.3V2.3" }))
  );
}

function prepareFrame(frame) {
  const { element, group } = frame;
  element.dataset.id = `frame:${group}`;
  element.setAttribute("tabindex", "0");
  element.setAttribute("role", "button");
  element.setAttribute("aria-expanded", "true");
  element.setAttribute("aria-label", `block ${GROUPS[group].path}, open`);
}

const errorText = ({ path, code, message }) => `error ${code} at ${path}: ${message}`;

function labelOf(box) {
  if (box.group !== undefined) {
    const group = GROUPS[box.group];
    return `closed block ${group.path}${group.block ? `, ${group.block}` : ""}, ${box.nodes.length} operations`;
  }
  if (box.error !== undefined) return errorText(NET.errors[box.error]);
  if (!box.nodes.length) return box.element.textContent.trim();
  const last = box.nodes[box.nodes.length - 1];
  return `${box.nodes.map((node) => opOf(node)[0]).join(", ")}: ${NODES.path[last]}, output ${shapes(last)}`;
}

// Opens or closes groups. What was under the pointer stays where it is.
function change(groups, isOpen, anchor) {
  const before = anchor && placeOf(anchor);
  starts = view.starts;
  for (const group of groups) {
    if (isOpen) groupsAround(group).forEach((number) => state.open.add(number));
    else for (const number of [...state.open]) if (number && groupsAround(number).includes(group)) state.open.delete(number);
  }
  render();
  const after = anchor && (placeOf(anchor) || placeOf({ frame: anchor.group }));
  if (before && after) {
    const axis = ACROSS ? 1 : 0;
    const shift = [before[0] - after[0], before[1] - after[1]];
    shift[axis] = before[axis] + before[axis + 2] / 2 - after[axis] - after[axis + 2] / 2;
    state.x += shift[0] * state.scale;
    state.y += shift[1] * state.scale;
  }
  place();
  remember();
}

function placeOf({ group, frame }) {
  const found = frameOf(frame ?? group) || view.boxes.find((box) => box.group === (frame ?? group));
  return found && found.at;
}

function openBox(box) {
  if (!opens(box)) return;
  change([box.group], true, { group: box.group });
  bringIntoView(frameOf(box.group).at);
  select({ group: box.group }, `frame:${box.group}`);
}

function closeGroup(number) {
  if (!number) return;
  change([number], false, { group: number });
  const box = view.boxes.find((item) => item.group === number);
  if (box) select({ group: number }, idOf(box));
}

function openAll() {
  state.open = new Set(GROUPS.map((_, number) => number));
  arrange(!hasMoved);
}

function closeAll() {
  state.open = new Set([0]);
  arrange(true);
}

// Chooses the columns for the window, and fits the drawing to it. What has the focus stays in view.
function arrange(readable) {
  starts = null;
  render();
  fit(readable);
  const focused = itemOf(document.activeElement?.dataset?.id);
  if (focused) bringIntoView(focused.at);
}

// When there is less room, such as for a panel, what is selected stays in view.
function keepSelected() {
  const chosen = itemOf(state.selected?.id);
  if (!chosen) return;
  const isOut = room().some((size, axis) => {
    const start = state[axis ? "y" : "x"] + chosen.at[axis] * state.scale;
    return start > size - MARGIN || start + chosen.at[axis + 2] * state.scale < MARGIN;
  });
  if (isOut) bringIntoView(chosen.at);
}

// Zoom and pan.
function place() {
  world.setAttribute("transform", `translate(${state.x} ${state.y}) scale(${state.scale})`);
}

function room() {
  return [canvas.clientWidth || 800, canvas.clientHeight || 600];
}

function zoom(factor, x = room()[0] / 2, y = room()[1] / 2) {
  const scale = Math.min(Math.max(state.scale * factor, 0.02), 12);
  state.x = x - ((x - state.x) * scale) / state.scale;
  state.y = y - ((y - state.y) * scale) / state.scale;
  state.scale = scale;
  hasMoved = true;
  place();
  remember();
}

// The groups that are open at first: those that were asked for, or as many levels as can be read at once. A level that
// shows next to nothing is followed by the next one in any case.
function firstOpen() {
  if (FACTS.open) return new Set(FACTS.open);
  const levels = [];
  for (const { parent } of GROUPS) levels.push(parent === null ? 0 : levels[parent] + 1);
  let chosen = new Set([0]);
  for (let depth = 2; depth <= Math.max(...levels) + 1; depth++) {
    const open = new Set([...levels.keys()].filter((number) => levels[number] < depth && GROUPS[number].drawing));
    if (boxesOf(open) > MANY) break;
    const isReadable = wholeScale(drawAll(open).size) >= LEAST;
    if (!isReadable && boxesOf(chosen) >= FEW) break;
    chosen = open;
    if (!isReadable) break;
  }
  return chosen;
}

// The number of boxes that are drawn if these groups are open.
function boxesOf(open) {
  const all = [...open].map((number) => Object.keys(GROUPS[number].drawing.boxes).length);
  return all.reduce((sum, count) => sum + count, 0) - open.size + 1;
}

const MARGIN = 16;

// The scale at which all of a drawing is in the window.
function wholeScale([w, h]) {
  const [width, height] = room();
  return Math.min((width - 2 * MARGIN) / w, (height - 2 * MARGIN) / h);
}

// All of the drawing, or if that is too small to be read and `readable`, its beginning.
function fit(readable) {
  const [width, height] = room();
  const margin = MARGIN;
  const [w, h] = view.size;
  const whole = wholeScale(view.size);
  const isSmall = readable && whole < LEAST;
  state.scale = isSmall ? Math.max(whole, Math.min(READABLE, (DOWN ? width - 2 * margin : height - 2 * margin) / (DOWN ? w : h))) : Math.min(whole, 2.2);
  state.x = !DOWN && isSmall ? margin : (width - w * state.scale) / 2;
  state.y = DOWN && isSmall ? margin : (height - h * state.scale) / 2;
  place();
  remember();
}

// Moves the drawing along an axis, up to its border; returns whether there was something to scroll.
function slide(axis, distance) {
  const size = room()[axis];
  const name = axis ? "y" : "x";
  const before = state[name];
  const end = size - MARGIN - view.size[axis] * state.scale;
  const [least, most] = end < MARGIN ? [Math.min(end, before), Math.max(MARGIN, before)] : [before, before];
  state[name] = Math.max(least, Math.min(most, before - distance));
  if (state[name] === before) return false;
  hasMoved = true;
  place();
  remember();
  return true;
}

function bringIntoView(at, centre = false) {
  const [width, height] = room();
  const [x, y, w, h] = [state.x + at[0] * state.scale, state.y + at[1] * state.scale, at[2] * state.scale, at[3] * state.scale];
  const margin = 24;
  const shift = (start, length, size) => {
    if (centre && (start < margin || start + length > size - margin)) return size / 2 - start - length / 2;
    if (length > size - 2 * margin || start < margin) return margin - start > 0 || start + Math.min(length, 60) > size ? margin - start : 0;
    return Math.min(0, size - margin - start - length);
  };
  state.x += shift(x, w, width);
  state.y += shift(y, h, height);
  place();
}

// Selection: an operation, a box or a group. `id` is that of its element.
function select(item, id, focus = true) {
  state.selected = item ? { ...item, id } : null;
  markSelected();
  showDetails();
  if (id && focus) elementOf(id)?.focus({ preventScroll: true });
  remember();
}

function markSelected() {
  canvas.querySelectorAll(".selected").forEach((element) => element.classList.remove("selected"));
  canvas.querySelectorAll(".near").forEach((element) => element.classList.remove("near"));
  if (!state.selected) return;
  const element = state.selected.id && elementOf(state.selected.id);
  if (!element) return;
  element.classList.add("selected");
  light(element, "near");
}

// Marks the arrows at a box.
function light(element, css) {
  const isFrame = element.classList.contains("frame");
  const mark = (arrows, key) => arrows.forEach((arrow) => arrow.classList.toggle(css, !isFrame && (arrow.dataset.tail === key || arrow.dataset.head === key)));
  mark(element.parentNode.querySelectorAll(":scope > .arrow:not(.skip)"), element.dataset.key);
  mark(canvas.querySelectorAll(".arrow.skip"), element.dataset.id);
}

// Shows an operation: opens what is around it, and selects its box.
function reveal(node, shown = true) {
  const home = HOME[drawnOf(node)];
  if (!home) return;
  const missing = groupsAround(home[0]).filter((number) => !state.open.has(number));
  if (missing.length) change(missing, true);
  const box = boxById(`${home[0]}:${home[1]}`);
  if (shown) bringIntoView(box.at, true);
  select({ node, box: idOf(box) }, idOf(box), false);
}

function revealGroup(number) {
  const parent = GROUPS[number].parent;
  const missing = parent === null ? [] : groupsAround(parent).filter((around) => !state.open.has(around));
  if (missing.length) change(missing, true);
  const found = frameOf(number) || view.boxes.find((box) => box.group === number);
  if (!found) return;
  bringIntoView(found.at, true);
  select({ group: number }, frameOf(number) ? `frame:${number}` : idOf(found), false);
}
