// Puts the drawings of open groups into each other. The drawing of a group makes room for a frame in place of a closed
// box: along each axis, what is beyond the box moves, and nothing comes nearer to anything else.
const DOWN = FACTS.down;
const ARROW = 5;
const GAP = 22; // between a frame and what is around it, in which arrows find their places
const [ALONG, ACROSS] = DOWN ? [1, 0] : [0, 1];

const SNAP = 1; // what is nearer together is at the same place, so that a straight line stays straight

// A map of coordinates that keeps all distances or enlarges them, so that each of `needs` has its room.
function stretched(size, wanted) {
  const all = [0, size, ...wanted.flatMap((need) => [need.from, need.to])].sort((a, b) => a - b);
  const marks = all.filter((mark, index) => !index || mark - all[index - 1] > SNAP);
  const snap = (value) => marks.findLast((mark) => mark <= value);
  const needs = wanted.map(({ from, to, room }) => ({ from: snap(from), to: snap(to), room }));
  const places = [];
  const at = new Map();
  marks.forEach((mark, index) => {
    let place = index ? places[index - 1] + mark - marks[index - 1] : mark;
    for (const need of needs) {
      if (need.to === mark && at.has(need.from)) place = Math.max(place, at.get(need.from) + need.room);
    }
    places.push(place);
    at.set(mark, place);
  });
  return (value) => {
    if (value <= marks[0]) return places[0] + value - marks[0];
    const index = marks.findIndex((mark) => mark >= value);
    if (index < 0) return places[places.length - 1] + value - marks[marks.length - 1];
    const part = (value - marks[index - 1]) / (marks[index] - marks[index - 1]);
    return places[index - 1] + part * (places[index] - places[index - 1]);
  };
}

// The drawing of a group: its element, size, where tensors cross its border, and the places of everything in it.
function draw(number, open) {
  const { drawing } = GROUPS[number];
  const inner = new Map(); // the drawings of open groups, by box
  const needs = [[], []];
  for (const [key, box] of Object.entries(drawing.boxes)) {
    if (box.group === undefined || !open.has(box.group) || !GROUPS[box.group].drawing) continue;
    const built = draw(box.group, open);
    built.spine = spineOf(drawing, key, built);
    inner.set(key, built);
    built.gaps = ["entries", "exits"].map((side, end) => (isApart(drawing, key, built, side, 1 - end) ? GAP : 0));
    const [from, to] = [box.at[ALONG], box.at[ALONG] + box.at[ALONG + 2]];
    needs[ALONG].push({ from, to, room: built.size[ALONG] + built.gaps[0] + built.gaps[1] });
    const [start, length] = [box.at[ACROSS], box.at[ACROSS + 2]];
    const middle = start + length / 2;
    needs[ACROSS].push({ from: start, to: middle, room: built.spine });
    needs[ACROSS].push({ from: middle, to: start + length, room: built.size[ACROSS] - built.spine });
  }
  const maps = [0, 1].map((axis) => stretched(drawing.size[axis], needs[axis]));
  const size = [0, 1].map((axis) => maps[axis](drawing.size[axis]));
  return assemble(number, inner, maps, size);
}

// Where the main arrow into a box enters its frame, across the flow.
function spineOf(drawing, key, built) {
  const { at } = drawing.boxes[key];
  const middle = at[ACROSS] + at[ACROSS + 2] / 2;
  const ends = [[1, "entries"], [0, "exits"]];
  for (const [end, side] of ends) {
    for (const arrow of drawing.arrows) {
      if (arrow[end] !== key || built[side][arrow[2]] === undefined) continue;
      const points = arrow[4];
      const place = end ? points[points.length - 2 + ACROSS] : points[ACROSS];
      const spine = built[side][arrow[2]] + middle - place;
      return Math.min(Math.max(spine, 0), built.size[ACROSS]);
    }
  }
  return built.size[ACROSS] / 2;
}

// Whether arrows meet the box in other places than they cross its frame.
function isApart(drawing, key, built, side, end) {
  const box = drawing.boxes[key].at;
  return drawing.arrows.some((arrow) => {
    const crossing = built[side][arrow[2]];
    if (arrow[end] !== key || crossing === undefined) return false;
    const points = arrow[4];
    const place = end ? points[points.length - 2 + ACROSS] : points[ACROSS];
    return Math.abs(crossing - built.spine - (place - box[ACROSS] - box[ACROSS + 2] / 2)) > 3;
  });
}

function assemble(number, inner, maps, strip) {
  const { drawing } = GROUPS[number];
  const element = s("g", { class: "level" });
  const boxes = [];
  const frames = [];
  const places = new Map(); // of each box: its rectangle, moved
  for (const [key, box] of Object.entries(drawing.boxes)) {
    const built = inner.get(key);
    const half = built ? built.size : [box.at[2], box.at[3]];
    const place = [0, 1].map((axis) => maps[axis](box.at[axis] + box.at[axis + 2] / 2) - half[axis] / 2);
    if (built) {
      place[ACROSS] = maps[ACROSS](box.at[ACROSS] + box.at[ACROSS + 2] / 2) - built.spine;
      const start = maps[ALONG](box.at[ALONG]);
      const free = maps[ALONG](box.at[ALONG] + box.at[ALONG + 2]) - start - built.size[ALONG];
      place[ALONG] = start + (free + built.gaps[0] - built.gaps[1]) / 2;
    }
    places.set(key, [...place, ...half]);
  }
  const parts = document.importNode(byId(`drawing${number}`).content.firstElementChild, true);
  const marks = [...parts.children];
  const over = marks.filter((mark) => !mark.classList.contains("frame"));
  const routes = drawing.arrows.map((arrow) => routeOf(arrow, drawing, places, inner, maps));
  const notes = new Map(over.filter((mark) => !places.has(mark.dataset.key)).map((mark) => [mark, noteAt(mark, maps)]));
  const texts = [...notes.values()].filter((note) => note.shift).map((note) => note.extent);
  const columns = columnsOf(number, strip, places, texts, routes);
  const size = columns ? columns.size : strip;
  for (const mark of marks) {
    if (!mark.classList.contains("frame")) continue;
    const [rect] = mark.getElementsByTagName("rect");
    rect.setAttribute("width", size[0]);
    rect.setAttribute("height", size[1]);
    mark.append(closeButton(size));
    element.append(mark);
    frames.push({ group: number, at: [0, 0, ...size], element: mark });
  }
  for (const route of routes) element.append(...arrowOf(route, columns));
  for (const mark of over) {
    const key = mark.dataset.key;
    const built = inner.get(key);
    const place = places.get(key);
    if (place) {
      const shift = shiftAt(columns, place[1] + place[3] / 2);
      places.set(key, [place[0] + shift[0], place[1] + shift[1], place[2], place[3]]);
    }
    if (built) {
      const [x, y] = places.get(key);
      built.element.setAttribute("transform", `translate(${x} ${y})`);
      element.append(built.element);
      for (const list of ["boxes", "frames"]) {
        for (const item of built[list]) {
          item.at = [item.at[0] + x, item.at[1] + y, item.at[2], item.at[3]];
          (list === "boxes" ? boxes : frames).push(item);
        }
      }
      continue;
    }
    if (place) move(mark, drawing.boxes[key].at, places.get(key));
    else if (notes.get(mark).shift) moveNote(mark, notes.get(mark), columns);
    if (places.has(key)) boxes.push(boxOf(number, key, mark, places.get(key)));
    element.append(mark);
  }
  const inside = [...inner.values()].map((built) => built.starts);
  const kept = GROUPS[number].parent ? {} : { [number]: columns ? columns.starts : [] };
  return { element, size, boxes, frames, starts: Object.assign(kept, ...inside), ...crossings(drawing, maps, columns) };
}

function boxOf(number, key, element, at) {
  const box = GROUPS[number].drawing.boxes[key];
  return { home: number, key, group: box.group, error: box.error, legend: box.legend, nodes: nodesOf(box), element, at };
}

function crossings(drawing, maps, columns) {
  const shift = columns ? columns.columns[columns.columns.length - 1].shift[0] : 0; // tensors leave the last column
  const moved = (side, more) => Object.fromEntries(Object.entries(drawing[side]).map(([key, at]) => [key, maps[ACROSS](at) + more]));
  return { entries: moved("entries", 0), exits: moved("exits", shift) };
}

function closeButton(size) {
  return s(
    "g",
    { class: "close", transform: `translate(${size[0] - 9} 8)` },
    s("circle", { r: 5 }),
    s("path", { d: "M-2.5,0H2.5" })
  );
}

function move(mark, before, after) {
  mark.setAttribute("transform", `translate(${after[0] - before[0]} ${after[1] - before[1]})`);
}

// Where the text of a mark beside the boxes goes, and about how much room it takes.
function noteAt(mark, maps) {
  const text = mark.querySelector("text");
  if (!text) return { extent: [0, 0, 0, 0], shift: null };
  const [run] = text.getElementsByTagName("tspan");
  const font = run ? Number(run.getAttribute("font-size")) : 0;
  const at = [Number(text.getAttribute("x")), Number(text.getAttribute("y")) - 0.36 * font]; // the middle of the text
  const [x, y] = at.map((value, axis) => maps[axis](value));
  const half = (0.5 * font * text.textContent.length) / 2;
  return { extent: [x - half, y - font / 2, x + half, y + font / 2], shift: [x - at[0], y - at[1]], y };
}

function moveNote(mark, { shift, y }, columns) {
  const more = shiftAt(columns, y);
  mark.setAttribute("transform", `translate(${shift[0] + more[0]} ${shift[1] + more[1]})`);
}

// The points of an arrow whose ends follow the boxes and frames that have moved.
function routeOf([tail, head, source, style, flat], drawing, places, inner, maps) {
  const before = withoutIdle(flat);
  const mapped = before.map((point) => [maps[0](point[0]), maps[1](point[1])]);
  const here = { drawing, places, inner, maps };
  const started = attached(mapped, before[0], tail, "exits", source, here);
  const ended = attached(started.points.reverse(), before[before.length - 1], head, "entries", source, here);
  const goesOn = inner.has(head) || !drawing.boxes[head];
  const leaves = !drawing.boxes[head];
  return { tail, head, style, goesOn, leaves, points: ended.points.reverse(), stub: started.stub }; // stub: to the shape below a box
}

function arrowOf(route, columns) {
  const { tail, head, style, goesOn, leaves, points, stub } = route;
  const css = `arrow ${style}`.trim();
  const end = points[points.length - 1];
  const isBroken = columns && columns.columnOf(points[0][1]) !== columns.columnOf(end[1]);
  const shift = isBroken ? [0, 0] : shiftAt(columns, end[1]);
  const transform = shift.some(Boolean) ? { transform: `translate(${shift[0]} ${shift[1]})` } : {};
  const attributes = { "data-tail": tail, "data-head": head, ...transform };
  if (isBroken) {
    const corners = betweenColumns(route, columns);
    const tip = corners[corners.length - 1];
    if (goesOn) return [s("path", { class: css, d: bentLine(corners), ...attributes })];
    const back = [tip[0], tip[1] - ARROW];
    return [s("path", { class: css, d: bentLine([...corners.slice(0, -1), back]), ...attributes }), tipOf(tip, back, [0, 1], css, attributes)];
  }
  const line = stub.length ? curve(stub) : "";
  const rest = columns && leaves ? `V${columns.size[1] - shift[1]}` : ""; // from the end of its column to the border
  if (goesOn) return [s("path", { class: css, d: line + curve(points) + rest, ...attributes })];
  const from = [...points].reverse().find((point) => distance(point, end) > 0.01) || points[0];
  const length = distance(from, end) || 1;
  const along = [(end[0] - from[0]) / length, (end[1] - from[1]) / length];
  const back = [end[0] - ARROW * along[0], end[1] - ARROW * along[1]];
  return [s("path", { class: css, d: line + curve([...points.slice(0, -1), back]), ...attributes }), tipOf(end, back, along, css, attributes)];
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
