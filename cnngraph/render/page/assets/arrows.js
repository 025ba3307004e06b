// Arrows whose ends follow the boxes that have moved and the frames that were opened.
const ARROW = 5;

// The arrows of a drawing, whose ends follow the boxes and frames that have moved. Those without detours have room for
// their shapes beside each other.
function routesOf(here, shapes) {
  const { arrows } = here.drawing;
  const direct = arrows.map((arrow) => directEnds(arrow, here));
  const tensors = arrows.map(([tail, , source]) => `${tail} ${source}`);
  const others = new Set(tensors.filter((_, place) => !direct[place])); // all arrows of a tensor start at one place
  const chosen = new Map(); // the first arrow of each tensor
  direct.forEach((ends, place) => ends && !others.has(tensors[place]) && !chosen.has(tensors[place]) && chosen.set(tensors[place], ends));
  for (const ends of chosen.values()) ends.shape = shapeOf(ends, shapes);
  spread([...chosen.values()].filter((ends) => ends.shape));
  return arrows.map((arrow, place) => {
    if (others.has(tensors[place])) return routeOf(arrow, here, shapes);
    const { shape, start } = chosen.get(tensors[place]);
    const route = directRoute(arrow, { ...direct[place], start }, here);
    if (shape) shape.across = route.points[0][ACROSS];
    return route;
  });
}

// The shape between the end of a box and the start of an arrow.
const shapeOf = ({ from, end }, shapes) => shapes.find(({ at }) => at && Math.abs(at[ACROSS] - from[ACROSS]) < 1.5 && at[ALONG] > end && at[ALONG] < from[ALONG]);

// Moves the starts of arrows of one box or frame apart, as far as their shapes need it.
function spread(all) {
  const ordered = all.sort((a, b) => a.start - b.start);
  ordered.forEach((ends, place) => {
    const before = ordered.slice(0, place).findLast(({ tail }) => tail === ends.tail);
    if (before) ends.start = Math.max(ends.start, before.start + before.shape.half[ACROSS] + ends.shape.half[ACROSS] + 4);
  });
}

// Where an arrow starts and stops, across the flow, if it has no detour and one of its ends is at an open frame; else null.
function directEnds([tail, head, source, , flat], { drawing, places, inner }) {
  const [one, two] = [drawing.boxes[tail], drawing.boxes[head]];
  if (!one || !two || !(inner.has(tail) || inner.has(head))) return null;
  const points = withoutIdle(flat);
  const [from, to] = [points[0], points[points.length - 1]];
  const [low, high] = [from[ACROSS], to[ACROSS]].sort((a, b) => a - b);
  if (points.some((point) => point[ACROSS] < low - 1 || point[ACROSS] > high + 1)) return null;
  const end = one.at[ALONG] + one.at[ALONG + 2];
  if (to[ALONG] < from[ALONG] || from[ALONG] < end - 1 || Math.abs(to[ALONG] - two.at[ALONG]) > 1) return null;
  if (Object.values(drawing.boxes).some(({ at }) => at[ALONG] < to[ALONG] - 1 && at[ALONG] + at[ALONG + 2] > from[ALONG] + 1)) return null;
  const across = (key, side, point) => {
    const built = inner.get(key);
    return places.get(key)[ACROSS] + (built ? built[side][source] : point[ACROSS] - drawing.boxes[key].at[ACROSS]);
  };
  const [leaves, start, stop] = [across(tail, "exits", from), across(tail, "exits", from), across(head, "entries", to)];
  return Number.isNaN(start + stop) ? null : { tail, from, end, leaves, start, stop };
}

// An arrow without a detour: from where the tensor leaves one box or frame to where it enters the other.
function directRoute([tail, head, , style], { from, end, leaves, start, stop }, { places, inner, maps }) {
  const border = flowPoint(leaves, places.get(tail)[ALONG] + places.get(tail)[ALONG + 2]);
  const hasShape = from[ALONG] > end + 1;
  const edge = flowPoint(start, maps[ALONG](end));
  const stub = hasShape && edge[ALONG] - border[ALONG] > 2 ? [border, ...bend(border, edge)] : [];
  const first = hasShape ? flowPoint(start, maps[ALONG](from[ALONG])) : border;
  const points = [first, ...bend(first, flowPoint(stop, places.get(head)[ALONG]))];
  return { tail, head, style, goesOn: inner.has(head), leaves: false, points, stub };
}

function routeOf([tail, head, source, style, flat], here, shapes) {
  const { drawing, inner, maps } = here;
  const before = withoutIdle(flat);
  const mapped = before.map((point) => [maps[0](point[0]), maps[1](point[1])]);
  const started = attached(mapped, before[0], tail, "exits", source, here);
  const ended = attached(started.points.reverse(), before[before.length - 1], head, "entries", source, here);
  const shape = started.border !== undefined && shapeOf({ from: before[0], end: started.end }, shapes);
  if (shape) shape.along = started.border + shape.at[ALONG] - started.end;
  const goesOn = inner.has(head) || !drawing.boxes[head];
  const leaves = !drawing.boxes[head];
  return { tail, head, style, goesOn, leaves, points: ended.points.reverse(), stub: started.stub }; // stub: to the shape below a box
}

function arrowOf(route, moving) {
  const { tail, head, style, goesOn, leaves, points, stub } = route;
  const css = `arrow ${style}`.trim();
  const attributes = { "data-tail": tail, "data-head": head };
  const [from, at] = [points[0], points[points.length - 1]].map((point) => moving.part(point[ALONG]));
  if (from !== at) return bentArrow(moving.between(route), css, attributes, goesOn);
  const [moved, start] = [points, stub].map((line) => line.map((point) => moving.point(point, at)));
  const end = moved[moved.length - 1];
  const line = start.length ? curve(start) : "";
  const rest = moving.bottom && leaves ? `V${moving.bottom}` : ""; // from the end of its column to the border
  if (goesOn) return [s("path", { class: css, d: line + curve(moved) + rest, ...attributes })];
  const before = [...moved].reverse().find((point) => distance(point, end) > 0.01) || moved[0];
  const [back, along] = behind(end, before);
  return [s("path", { class: css, d: line + curve([...moved.slice(0, -1), back]), ...attributes }), tipOf(end, back, along, css, attributes)];
}

// An arrow with rounded corners.
function bentArrow(corners, css, attributes, goesOn = false) {
  if (goesOn) return [s("path", { class: css, d: bentLine(corners), ...attributes })];
  const [before, end] = corners.slice(-2);
  const [back, along] = behind(end, before);
  return [s("path", { class: css, d: bentLine([...corners.slice(0, -1), back]), ...attributes }), tipOf(end, back, along, css, attributes)];
}

// Where the head of an arrow begins, and its direction.
function behind(end, before) {
  const length = distance(before, end) || 1;
  const along = [(end[0] - before[0]) / length, (end[1] - before[1]) / length];
  return [[end[0] - ARROW * along[0], end[1] - ARROW * along[1]], along];
}

// The head of an arrow.
function tipOf(end, back, along, css, attributes) {
  const sides = [1, -1].map((side) => [back[0] + side * ARROW * 0.36 * along[1], back[1] - side * ARROW * 0.36 * along[0]]);
  return s("polygon", { class: css, points: [end, ...sides].map(pair).join(" "), ...attributes });
}

// The points of a curve, without segments of no length.
function withoutIdle(flat) {
  const points = [];
  for (let place = 0; place < flat.length; place += 2) points.push([flat[place], flat[place + 1]]);
  const kept = [points[0]];
  for (let place = 1; place < points.length; place += 3) {
    const segment = points.slice(place, place + 3);
    if (segment.some((point) => distance(point, kept[kept.length - 1]) > 0.1)) kept.push(...segment);
  }
  return kept.length > 1 ? kept : points;
}

// The points of an arrow that starts (or, reversed, ends) at a box, with this end where the box or frame is now.
function attached(points, original, key, side, source, { drawing, places, inner, maps }) {
  const box = drawing.boxes[key];
  if (!box) return { points, stub: [] }; // at the border of the frame
  const place = places.get(key);
  const built = inner.get(key);
  const isStart = side === "exits";
  const wasAt = isStart ? box.at[ALONG] + box.at[ALONG + 2] : box.at[ALONG];
  const target = [0, 1].map((axis) => original[axis] + place[axis] - box.at[axis]);
  const beyond = (original[ALONG] - wasAt) * (isStart ? 1 : -1);
  if (beyond < -1) return { points: fromSide(points, target, original, box, place, built), stub: [] };
  const crossing = built && built[side][source];
  if (built) target[ACROSS] = crossing === undefined ? points[0][ACROSS] : place[ACROSS] + crossing;
  target[ALONG] = isStart ? place[ALONG] + place[ALONG + 2] : place[ALONG];
  const [first, ...rest] = points;
  if (beyond > 1 && !built && first[ALONG] - target[ALONG] > beyond + 2) { // the shape stays at its box
    const start = [...first];
    start[ALONG] = target[ALONG] + beyond;
    return { points: [start, ...bend(start, first), ...rest], stub: [], border: target[ALONG], end: wasAt };
  }
  if (beyond > 1) {
    const edge = [...first];
    edge[ALONG] = maps[ALONG](wasAt);
    const isAway = Math.abs(edge[ALONG] - target[ALONG]) > 2;
    return { points, stub: isAway ? [target, ...bend(target, edge)] : [] };
  }
  if (Math.abs(first[ALONG] - target[ALONG]) > 4) return { points: [target, ...bend(target, first), ...rest], stub: [] };
  return { points: joined(target, first, rest), stub: [] };
}

// An arrow with another start; a short straight line at the start is merged with what follows.
function joined(target, first, rest) {
  if (Math.abs(first[ACROSS] - target[ACROSS]) < 0.3) return [target, ...rest];
  const [next, , end, , before, after] = rest;
  const isStraight = (one, two) => one && two && Math.abs(one[ACROSS] - two[ACROSS]) < 0.5;
  if (isStraight(end, first) && isStraight(before, after)) return [target, ...bend(target, after), ...rest.slice(6)];
  const moved = [...next];
  moved[ACROSS] = target[ACROSS];
  return [target, moved, ...rest.slice(1)];
}

function fromSide(points, target, original, box, place, built) {
  if (built) {
    const isBeyond = original[ACROSS] > box.at[ACROSS] + box.at[ACROSS + 2] / 2;
    target[ACROSS] = place[ACROSS] + (isBeyond ? place[ACROSS + 2] : 0);
    target[ALONG] = points[0][ALONG];
  }
  const shift = [0, 1].map((axis) => target[axis] - points[0][axis]);
  const [, next, ...rest] = points;
  return [target, [next[0] + shift[0], next[1] + shift[1]], ...rest];
}

// A curve from one point to another, along the flow at both.
function bend(start, end) {
  const half = (start[ALONG] + end[ALONG]) / 2;
  return [start, end].map((point) => (DOWN ? [point[0], half] : [half, point[1]])).concat([end]);
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const pair = (point) => `${point[0].toFixed(1)},${point[1].toFixed(1)}`;

function curve(points) {
  let path = `M${pair(points[0])}`;
  for (let place = 1; place < points.length; place += 3) path += `C${points.slice(place, place + 3).map(pair).join(" ")}`;
  return path;
}
