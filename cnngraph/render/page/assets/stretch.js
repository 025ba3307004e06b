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

// The drawing of everything, in the shape of a U if the network has it.
function drawAll(open) {
  return bent(open) || draw(0, open);
}

// The drawing of a group: its element, size, where tensors cross its border, and the places of everything in it. `bend`
// is the U of which it is a part; after its turn, the flow goes back.
function draw(number, open, bend = null, goesBack = false) {
  const drawing = drawingOf(number, bend);
  const inner = new Map(); // the drawings of open groups, by box
  const needs = [[], []];
  for (const [key, box] of Object.entries(drawing.boxes)) {
    if (box.group === undefined || !open.has(box.group) || !GROUPS[box.group].drawing) continue;
    const built = draw(box.group, open, bend, goesBack || Boolean(bend && !number && bend.isAfter(box)));
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
  if (bend) needs[ALONG].push(...(bend.spaces.get(number) || []));
  const maps = [0, 1].map((axis) => stretched(drawing.size[axis], needs[axis]));
  const size = [0, 1].map((axis) => maps[axis](drawing.size[axis]));
  return assemble({ number, drawing, inner, maps, size, bend, goesBack });
}

// The drawing of a group in a U is that without the skips.
function drawingOf(number, bend) {
  const { drawing, chain } = GROUPS[number];
  if (!bend || !chain) return drawing;
  const boxes = Object.entries(drawing.boxes).map(([key, box]) => [key, { ...box, at: chain.boxes[key] }]);
  return { ...chain, boxes: Object.fromEntries(boxes), template: `chain${number}` };
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

function assemble(part) {
  const { number, drawing, inner, maps } = part;
  const element = s("g", { class: "level" });
  const boxes = [];
  const frames = [];
  const places = placesOf(drawing, inner, maps);
  const parts = document.importNode(byId(drawing.template || `drawing${number}`).content.firstElementChild, true);
  const marks = [...parts.children];
  const over = marks.filter((mark) => !mark.classList.contains("frame"));
  const routes = drawing.arrows.map((arrow) => routeOf(arrow, drawing, places, inner, maps));
  const notes = new Map(over.filter((mark) => !places.has(mark.dataset.key)).map((mark) => [mark, noteAt(mark, maps)]));
  const texts = [...notes.values()].filter((note) => note.shift).map((note) => note.extent);
  const moving = movingOf(part, places, texts, routes);
  const { size } = moving;
  for (const mark of marks) {
    if (!mark.classList.contains("frame")) continue;
    const [rect] = mark.getElementsByTagName("rect");
    rect.setAttribute("width", size[0]);
    rect.setAttribute("height", size[1]);
    mark.append(closeButton(size));
    element.append(mark);
    frames.push({ group: number, at: [0, 0, ...size], element: mark });
  }
  for (const route of routes) element.append(...arrowOf(route, moving));
  for (const mark of over) {
    const key = mark.dataset.key;
    const built = inner.get(key);
    if (places.has(key)) places.set(key, movedPlace(moving, places.get(key)));
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
    if (places.has(key)) move(mark, drawing.boxes[key].at, places.get(key));
    else if (notes.get(mark).shift) moveNote(mark, notes.get(mark), moving);
    if (places.has(key)) {
      const box = boxOf(part, key, mark, places.get(key));
      if (box.goesBack) turnShape(mark, box.origin);
      boxes.push(box);
    }
    element.append(mark);
  }
  const inside = [...inner.values()].map((built) => built.starts);
  return { element, size, boxes, frames, starts: Object.assign({}, moving.starts, ...inside), ...crossings(part, moving) };
}

// The rectangles of all boxes of a drawing and of the frames that are open in place of them.
function placesOf(drawing, inner, maps) {
  const places = new Map();
  for (const [key, box] of Object.entries(drawing.boxes)) {
    const built = inner.get(key);
    const size = built ? built.size : [box.at[2], box.at[3]];
    const place = [0, 1].map((axis) => maps[axis](box.at[axis] + box.at[axis + 2] / 2) - size[axis] / 2);
    if (built) {
      place[ACROSS] = maps[ACROSS](box.at[ACROSS] + box.at[ACROSS + 2] / 2) - built.spine;
      const start = maps[ALONG](box.at[ALONG]);
      const free = maps[ALONG](box.at[ALONG] + box.at[ALONG + 2]) - start - built.size[ALONG];
      place[ALONG] = start + (free + built.gaps[0] - built.gaps[1]) / 2;
    }
    places.set(key, [...place, ...size]);
  }
  return places;
}

// How everything in a drawing is moved at last: into columns, to a U, or not at all. `part` is the column or side of a
// U in which something is, by its place along the flow, and `point` the new place of a point in one.
function movingOf(part, places, texts, routes) {
  const { number, size, bend, goesBack } = part;
  if (bend && !number) return bending(part, places, texts, routes);
  if (goesBack) return mirroring(part);
  const columns = bend ? null : columnsOf(number, size, places, texts, routes);
  const starts = bend || GROUPS[number].parent ? {} : { [number]: columns ? columns.starts : [] };
  return { size, part: () => 0, last: 0, point: (point) => point, ...columns, starts };
}

function movedPlace({ part, point }, [x, y, w, h]) {
  const at = part([x, y][ALONG] + [w, h][ALONG] / 2);
  const [one, two] = [point([x, y], at), point([x + w, y + h], at)];
  return [Math.min(one[0], two[0]), Math.min(one[1], two[1]), w, h];
}

function boxOf({ number, drawing, goesBack, bend }, key, element, at) {
  const box = drawing.boxes[key];
  const { group, error, legend } = box;
  return { home: number, key, group, error, legend, nodes: nodesOf(box), element, at, origin: box.at, goesBack: goesBack || Boolean(bend && !number && bend.isAfter(box)) };
}

// Where tensors enter and leave a drawing, across the flow.
function crossings({ drawing, maps, size }, { point, last }) {
  const moved = (side, along, at) => Object.fromEntries(Object.entries(drawing[side]).map(([key, place]) => [key, point(flowPoint(maps[ACROSS](place), along), at)[ACROSS]]));
  return { entries: moved("entries", 0, 0), exits: moved("exits", size[ALONG], last) };
}

// A point by its places across and along the flow.
const flowPoint = (across, along) => (DOWN ? [across, along] : [along, across]);

function closeButton(size) {
  return s(
    "g",
    { class: "close", transform: `translate(${size[0] - 9} 8)` },
    s("circle", { r: 5 }),
    s("path", { d: "M-2.5,0H2.5" })
  );
}

// The slanted sides of a box are those of the flow.
function turnShape(mark, at) {
  const shape = mark.firstElementChild;
  if (shape.tagName !== "polygon") return;
  const sum = 2 * at[ALONG] + at[ALONG + 2];
  for (const point of shape.points) {
    if (ALONG) point.y = sum - point.y;
    else point.x = sum - point.x;
  }
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
  return { extent: [x - half, y - font / 2, x + half, y + font / 2], shift: [x - at[0], y - at[1]], middle: [x, y] };
}

function moveNote(mark, { shift, middle }, { part, point }) {
  const moved = point(middle, part(middle[ALONG]));
  mark.setAttribute("transform", `translate(${[0, 1].map((axis) => shift[axis] + moved[axis] - middle[axis]).join(" ")})`);
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
