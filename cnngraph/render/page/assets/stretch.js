// Puts the drawings of open groups into each other. The drawing of a group makes room for a frame in place of a closed
// box: along each axis, what is beyond the box moves, and nothing comes nearer to anything else.
const DOWN = FACTS.down;
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
  const shapes = over.filter((mark) => !places.has(mark.dataset.key)).map(textIn);
  const routes = routesOf({ drawing, places, inner, maps }, shapes);
  const notes = new Map(shapes.map((shape) => [shape.mark, noteAt(shape, maps)]));
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

// The text of a mark beside the boxes: its middle, and about half of its width and height.
function textIn(mark) {
  const text = mark.querySelector("text");
  const [run] = text ? text.getElementsByTagName("tspan") : [];
  const font = run ? Number(run.getAttribute("font-size")) : 0;
  const at = text ? [Number(text.getAttribute("x")), Number(text.getAttribute("y")) - 0.36 * font] : null;
  return { mark, at, half: text ? [0.29 * font * text.textContent.length, font / 2] : [0, 0] };
}

// Where a text goes, and the room it takes. Shapes stay on their arrows.
function noteAt({ at, half, across, along }, maps) {
  if (!at) return { extent: [0, 0, 0, 0], shift: null };
  const middle = at.map((value, axis) => maps[axis](value));
  if (across !== undefined) middle[ACROSS] = across;
  if (along !== undefined) middle[ALONG] = along;
  const [x, y] = middle;
  return { extent: [x - half[0], y - half[1], x + half[0], y + half[1]], shift: [x - at[0], y - at[1]], middle };
}

function moveNote(mark, { shift, middle }, { part, point }) {
  const moved = point(middle, part(middle[ALONG]));
  mark.setAttribute("transform", `translate(${[0, 1].map((axis) => shift[axis] + moved[axis] - middle[axis]).join(" ")})`);
}
