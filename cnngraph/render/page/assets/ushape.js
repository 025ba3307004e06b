// A network in the shape of a U: drawn as a chain without its skips, turned back on itself at its smallest maps, with
// the skips across. What goes back is drawn as ever and mirrored along the flow.
const GUTTER_OF_U = 30; // between encoder and decoder
const LANE = 8; // … more for every skip whose ends are not on one level
const TURN = 9; // how far the main path goes below both
const BORDER = 6;
const NEAR = 0.5;
const LOOSE = 6; // the part of a gap that is stretched, before the next box

// The U of the network with these groups open, or null.
function bent(open) {
  const skips = visibleSkips(open);
  const cut = skips.length ? turnOf(skips) : null;
  if (cut === null) return null;
  const isAfter = (box) => box.at[ALONG] > cut;
  const bend = { skips, cut, isAfter, spaces: new Map() };
  let drawn = draw(0, open, bend);
  bend.spaces = spacesOf(skips, drawn);
  if (bend.spaces.size) drawn = draw(0, open, bend);
  return addSkips(bend, drawn) ? drawn : null;
}

// The skips between visible boxes, from the outermost: their ends, and how far each is from the middle of its box, since
// several skips of what is in a closed block end at its box.
function visibleSkips(open) {
  const skips = [];
  for (const [node, , readers, style] of NET.skips) {
    const tail = boxWith(node, open);
    const heads = [...new Set(readers.map((reader) => boxWith(reader, open)))].filter((head) => head !== tail);
    if (heads.length) skips.push({ style, tail, heads });
  }
  const ends = new Map();
  for (const { tail, heads } of skips) for (const end of [tail, ...heads]) ends.set(end, (ends.get(end) || 0) + 1);
  const apart = Math.min(...[...ends].map(([id, count]) => Math.min(PORTS, (boxAt(id)[ALONG + 2] - 2 * ROUND) / count)));
  const used = new Map();
  const port = (end) => {
    const place = used.get(end) || 0;
    used.set(end, place + 1);
    return apart * (place - (ends.get(end) - 1) / 2);
  };
  for (const skip of skips) skip.ports = new Map([skip.tail, ...skip.heads].map((end) => [end, port(end)]));
  return skips;
}

const PORTS = 6; // between the ends of skips at one box
const ROUND = 3; // at its corners

const boxAt = (id) => GROUPS[pathOf(id).at(-1)[0]].drawing.boxes[pathOf(id).at(-1)[1]].at;

// The id of the visible box of a drawn operation or an input.
function boxWith(node, open) {
  if (node < 0) return `0:input${-1 - node}`;
  const closed = groupsAround(HOME[node][0]).find((number) => !open.has(number));
  return (closed === undefined ? HOME[node] : PLACE_OF[closed]).join(":");
}

// The group and the key of the box in it that has this id, or that is around it: from the whole network inwards.
function pathOf(id) {
  const [home, key] = [Number(id.slice(0, id.indexOf(":"))), id.slice(id.indexOf(":") + 1)];
  return [...groupsAround(home).slice(1).map((number) => PLACE_OF[number]), [home, key]];
}

// Where the chain turns: before the last box of the whole network which one arrow enters, between the innermost skip's
// ends; as a place in the drawing with everything closed.
function turnOf(skips) {
  const { boxes, arrows } = drawingOf(0, {});
  const { tail, heads } = skips[skips.length - 1];
  const around = (id) => boxes[pathOf(id)[0][1]].at;
  const [first, last] = [around(tail), around(heads[0])];
  const rows = Object.values(boxes).map(({ at }) => [at[ALONG], at[ALONG] + at[ALONG + 2]]);
  const starts = rows.map(([start]) => start).filter((start) => start >= first[ALONG] + first[ALONG + 2] && start <= last[ALONG]);
  for (const start of starts.sort((a, b) => b - a)) {
    const cut = start - 1;
    const isFree = rows.every(([from, to]) => to <= cut || from >= cut);
    const ends = arrows.map(([, , , , flat]) => [flat[ALONG], flat[flat.length - 2 + ALONG]]);
    const isBetween = skips.every((skip) => around(skip.tail)[ALONG] < cut && skip.heads.every((head) => around(head)[ALONG] > cut));
    if (isFree && isBetween && ends.filter(([from, to]) => from < cut && to > cut).length === 1) return cut;
  }
  return null;
}

// The room to add in each group, so that the ends of all skips are equally far apart on both sides.
function spacesOf(skips, drawn) {
  const spaces = new Map();
  const at = new Map(drawn.boxes.map((box) => [idOf(box), box.at[ALONG] + box.at[ALONG + 2] / 2]));
  for (let place = 1; place < skips.length; place++) {
    const [outer, inner] = [skips[place - 1], skips[place]];
    const tails = [outer.tail, inner.tail];
    const heads = [inner.heads[0], outer.heads[0]];
    if (inner.tail === outer.tail || inner.heads[0] === outer.heads[0]) continue;
    const [down, up] = [tails, heads].map(([one, two]) => Math.abs(at.get(two) - at.get(one)));
    if (Math.abs(down - up) <= NEAR) continue;
    const [number, need] = spaceBetween(down < up ? tails : heads, Math.abs(down - up));
    spaces.set(number, [...(spaces.get(number) || []), need]);
  }
  return spaces;
}

// Room between two boxes, in the innermost group around both: before what follows the first one.
function spaceBetween([one, two], more) {
  const [first, second] = [pathOf(one), pathOf(two)];
  const level = first.findIndex(([, key], depth) => key !== second[depth]?.[1]);
  const [number, key] = first[level];
  const { boxes } = drawingOf(number, {});
  const end = boxes[key].at[ALONG] + boxes[key].at[ALONG + 2];
  const to = Math.min(...Object.values(boxes).map((box) => box.at[ALONG]).filter((start) => start >= end));
  const from = Math.max(end, to - LOOSE);
  return [number, { from, to, room: to - from + more }];
}

// How a drawing is bent: what is after the turn is mirrored and put beside what is before, with the innermost skip on
// one level.
function bending({ inner, maps, size, bend }, places, texts, routes) {
  const turn = maps[ALONG](bend.cut);
  const part = (along) => (along > turn ? 1 : 0);
  const sums = bend.skips.map(({ tail, heads, ports }) => {
    const [from, to] = [middleOf(tail, false, places, inner), middleOf(heads[0], true, places, inner)];
    return from + ports.get(tail) + to - ports.get(heads[0]);
  });
  const mirror = sums[sums.length - 1];
  const extents = [...[...places.values()].map(([x, y, w, h]) => [x, y, x + w, y + h]), ...texts];
  const spans = [[], []];
  for (const extent of extents) spans[part((extent[ALONG] + extent[ALONG + 2]) / 2)].push(extent[ACROSS], extent[ACROSS + 2]);
  for (const { points, stub } of routes) for (const point of [...points, ...stub]) spans[part(point[ALONG])].push(point[ACROSS]);
  const [[left, right], [start, end]] = spans.map((all) => [Math.min(...all), Math.max(...all)]);
  const lanes = sums.filter((sum) => Math.abs(sum - mirror) > NEAR).length;
  const gutter = GUTTER_OF_U + LANE * lanes;
  const shifts = [BORDER - left, BORDER + right - left + gutter - start];
  const above = Math.max(0, size[ALONG] - mirror); // what goes back may be longer
  const low = above + Math.max(turn, mirror - turn) + TURN;
  bend.lane = BORDER + right - left + gutter / 2;
  const point = (at, side) => flowPoint(at[ACROSS] + shifts[side], above + (side ? mirror - at[ALONG] : at[ALONG]));
  const between = ({ points }) => {
    const [from, to] = [point(points[0], 0), point(points[points.length - 1], 1)];
    return [from, flowPoint(from[ACROSS], low), flowPoint(to[ACROSS], low), to];
  };
  return { size: flowPoint(shifts[1] + end + BORDER, low + BORDER), part, last: 1, point, between, starts: {} };
}

// The middle of a box along the chain; what is in a frame that goes back is mirrored already.
function middleOf(id, goesBack, places, inner) {
  const [, key] = pathOf(id)[0];
  const [start, length] = [places.get(key)[ALONG], places.get(key)[ALONG + 2]];
  const built = inner.get(key);
  if (!built) return start + length / 2;
  const { at } = built.boxes.find((box) => idOf(box) === id);
  const middle = at[ALONG] + at[ALONG + 2] / 2;
  return goesBack ? start + length - middle : start + middle;
}

// The flow of what goes back is mirrored; the title of a frame stays where it is, with room for the arrow beside it.
function mirroring({ drawing, maps, size }) {
  const [beside, height] = drawing.title || [0, 0];
  const exits = Object.values(drawing.exits).map(maps[ACROSS]);
  const more = exits.length ? Math.max(0, beside - Math.min(...exits)) : 0;
  const first = maps[ALONG](Math.min(...Object.values(drawing.boxes).map(({ at }) => at[ALONG])));
  const mirrored = (along) => (along >= size[ALONG] - 0.01 ? 0 : size[ALONG] - along + height * Math.min(1, Math.max(0, along) / first));
  const point = (at) => flowPoint(at[ACROSS] + more, mirrored(at[ALONG]));
  return { size: flowPoint(size[ACROSS] + more, size[ALONG]), part: () => 0, last: 0, point, starts: {} };
}

// Draws the skips over everything else; returns whether none of them crosses a box.
function addSkips({ skips, lane }, drawn) {
  const boxes = new Map(drawn.boxes.map((box) => [idOf(box), box]));
  const lines = skips.flatMap((skip, place) => skip.heads.map((head) => [skip, head, acrossTo(skip, boxes.get(skip.tail), boxes.get(head), lane + LANE * ((skips.length - 1) / 2 - place))]));
  for (const [{ tail, style }, head, corners] of lines) {
    if (drawn.boxes.some((box) => ![tail, head].includes(idOf(box)) && crosses(corners, box.at))) return false;
    drawn.element.append(...bentArrow(corners, `arrow skip ${style}`.trim(), { "data-tail": tail, "data-head": head }));
  }
  return true;
}

function acrossTo({ ports }, tail, head, lane) {
  const [start, end] = [tail, head].map((box, isEnd) => {
    const slant = box.element.querySelector("polygon") === box.element.firstElementChild ? SLANTED : 0;
    const side = isEnd ? box.at[ACROSS] + slant : box.at[ACROSS] + box.at[ACROSS + 2] - slant;
    return flowPoint(side, box.at[ALONG] + box.at[ALONG + 2] / 2 + ports.get(idOf(box)));
  });
  if (Math.abs(start[ALONG] - end[ALONG]) <= NEAR) return [start, flowPoint(end[ACROSS], start[ALONG])];
  return [start, flowPoint(lane, start[ALONG]), flowPoint(lane, end[ALONG]), end];
}

const SLANTED = 3; // from the corner of a slanted side to its middle

// Whether a line along and across the flow passes a rectangle.
function crosses(corners, [x, y, w, h]) {
  return corners.slice(1).some((to, place) => {
    const from = corners[place];
    const [left, right] = [from[0], to[0]].sort((a, b) => a - b);
    const [top, bottom] = [from[1], to[1]].sort((a, b) => a - b);
    return left < x + w && right > x && top < y + h && bottom > y;
  });
}
