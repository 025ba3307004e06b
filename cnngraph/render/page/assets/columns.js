// A drawing that is longer than the window is broken into columns, like text, where only one straight arrow goes on.
const GUTTER = 30; // between columns, in which that arrow goes up to the next one
const ABOVE = 16; // a column that continues another one
const BELOW = 14;
const GAIN = 1.15; // by which columns must enlarge the drawing
const GAIN_IF_READABLE = 1.4;
const MOST_COLUMNS = 6;
const MOST_PARTS = 400; // boxes of a drawing that is broken

const AROUND = [40, 120]; // what else is in the window if a block is broken, about

// The keys of the boxes that are first in the columns after the first one, by the number of the group; null to choose
// the columns anew. When a block is opened or closed, the others stay in their columns.
let starts = null;

// The columns of the drawing of a group, from its boxes, the extents of its notes and the routes of its arrows; null if
// it is one. Only the whole network and the blocks in it are broken.
function columnsOf(number, size, places, notes, routes) {
  if (!DOWN || places.size > MOST_PARTS || GROUPS[number].parent) return null;
  const kept = starts?.[number];
  if (kept && !kept.length) return null;
  const extents = [...[...places.values()].map(([x, y, w, h]) => [x, y, x + w, y + h]), ...notes];
  const keys = [...places.keys()].sort((one, two) => places.get(one)[1] - places.get(two)[1]);
  const after = (cut) => keys.find((key) => places.get(key)[1] > cut);
  const all = cutsOf(extents, routes);
  const pad = number ? 10 : 6;
  if (kept) return broken(extents, routes, all.filter((cut) => kept.includes(after(cut))), after, pad);
  const scaleOf = ([w, h]) => wholeScale(number ? [w + AROUND[0], h + AROUND[1]] : [w, h]);
  let [best, scale] = [null, scaleOf(size)];
  if (scale >= 1 || !all.length) return null;
  const least = scale * (scale >= LEAST ? GAIN_IF_READABLE : GAIN);
  for (let count = 2; count <= MOST_COLUMNS; count++) {
    const columns = broken(extents, routes, chosen(all, size[1], count), after, pad);
    const reached = columns ? Math.min(READABLE, scaleOf(columns.size)) : 0;
    if (reached >= Math.max(LEAST, least, best ? GAIN * scale : 0)) [best, scale] = [columns, reached];
  }
  return best;
}

// The middles of the gaps in which nothing is but one straight arrow.
function cutsOf(extents, routes) {
  const cuts = [];
  let end = -Infinity;
  for (const [, top, , bottom] of [...extents].sort((a, b) => a[1] - b[1])) {
    if (top - end > 8 && end > -Infinity) {
      const crossing = routes.filter((route) => reaches(route, end + 2, top - 2));
      if (crossing.length === 1 && isStraight(crossing[0])) cuts.push((end + top) / 2);
    }
    end = Math.max(end, bottom);
  }
  return cuts;
}

const reaches = ({ points, stub }, from, to) => [points, stub].some((line) => line.length && Math.min(...line.map((point) => point[1])) < to && Math.max(...line.map((point) => point[1])) > from);

const isStraight = ({ points }) => points.every((point) => Math.abs(point[0] - points[0][0]) < 1);

// The cuts that make columns of similar height.
function chosen(cuts, height, count) {
  const found = new Set();
  for (let place = 1; place < count; place++) {
    const ideal = (place * height) / count;
    found.add(cuts.reduce((best, cut) => (Math.abs(cut - ideal) < Math.abs(best - ideal) ? cut : best)));
  }
  return [...found].sort((one, two) => one - two);
}

function broken(extents, routes, cuts, after, pad) {
  const columnOf = (y) => cuts.filter((cut) => cut < y).length;
  const ends = routes.map(({ points }) => [points[0], points[points.length - 1]].map((point) => columnOf(point[1])));
  if (ends.some(([from, to]) => Math.abs(to - from) > 1)) return null;
  const inside = routes.filter((_, place) => ends[place][0] === ends[place][1]).flatMap(({ points, stub }) => [...points, ...stub]);
  const all = [...extents, ...inside.map(([x, y]) => [x, y, x, y])];
  const columns = [];
  let x = 0;
  let above = ABOVE; // the first box of every column is at the same height
  for (let place = 0; place <= cuts.length; place++) {
    const part = all.filter(([, top, , bottom]) => columnOf((top + bottom) / 2) === place);
    const [left, top, right, bottom] = [0, 1, 2, 3].map((side) => (side < 2 ? Math.min : Math.max)(...part.map((extent) => extent[side])));
    if (!place) above = Math.max(ABOVE, top);
    const shift = [x - left + (place ? 0 : left), place ? above - top : 0];
    columns.push({ shift, left: x, bottom: bottom + shift[1] + BELOW });
    x += right - left + (place ? 0 : left) + GUTTER;
  }
  const size = [x - GUTTER + pad, Math.max(...columns.map((column) => column.bottom))];
  const point = ([left, top], at) => [left + columns[at].shift[0], top + columns[at].shift[1]];
  const between = (route) => betweenColumns(route, columns, columnOf, above);
  return { size, part: columnOf, last: cuts.length, point, between, bottom: size[1], starts: cuts.map(after) };
}

// An arrow from one column to the next: down, through the gutter, up, and down into its head.
function betweenColumns({ points }, columns, columnOf, above) {
  const [start, end] = [points[0], points[points.length - 1]];
  const [one, two] = [start, end].map((point) => columns[columnOf(point[1])]);
  const gutter = two.left - GUTTER / 2;
  const [from, to] = [[start, one], [end, two]].map(([point, { shift }]) => [point[0] + shift[0], point[1] + shift[1]]);
  const low = one.bottom - BELOW / 2;
  return [from, [from[0], low], [gutter, low], [gutter, above - 10], [to[0], above - 10], to];
}

// A line with rounded corners.
function bentLine(corners, radius = 5) {
  const toward = (from, to) => {
    const length = distance(from, to) || 1;
    const part = Math.min(radius, length / 2) / length;
    return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
  };
  let path = `M${pair(corners[0])}`;
  for (let place = 1; place < corners.length - 1; place++) {
    const [before, here, after] = corners.slice(place - 1, place + 2);
    path += `L${pair(toward(here, before))}Q${pair(here)} ${pair(toward(here, after))}`;
  }
  return `${path}L${pair(corners[corners.length - 1])}`;
}
