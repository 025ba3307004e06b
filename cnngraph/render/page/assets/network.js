// The network: operations, groups, and how they are connected.
const FACTS = JSON.parse(document.getElementById("facts").textContent);
const NET = FACTS.network;
const NODES = NET ? NET.nodes : { path: [] };
const GROUPS = NET ? NET.groups : [];
const COPIES = new Map(); // all operations that a drawn one represents, by the drawn one
const READERS = NODES.path.map(() => []); // [reader, the index among its outputs]
const HOME = []; // the group in whose drawing each drawn operation has a box, and the key of the box
const PLACE_OF = []; // the group in whose drawing each group is closed in a box, and the key of the box

for (let node = 0; node < NODES.path.length; node++) {
  const drawn = drawnOf(node);
  if (!COPIES.has(drawn)) COPIES.set(drawn, []);
  COPIES.get(drawn).push(node);
  for (let place = 0; place < NODES.reads[node].length; place += 2) {
    const source = NODES.reads[node][place];
    if (source >= 0) READERS[source].push([node, NODES.reads[node][place + 1]]);
  }
}
GROUPS.forEach((group, number) => {
  if (!group.drawing) return;
  for (const [key, box] of Object.entries(group.drawing.boxes)) {
    if (box.group !== undefined) PLACE_OF[box.group] = [number, key];
    const nodes = box.group === undefined || !GROUPS[box.group].drawing ? nodesOf(box) : [];
    for (const node of nodes) HOME[node] = [number, key];
  }
});

function drawnOf(node) {
  return NET.standIn[node] ?? node;
}

function nodesOf(box) {
  return box.group !== undefined ? GROUPS[box.group].nodes : box.nodes || [];
}

function withCopies(nodes) {
  return nodes.flatMap((node) => COPIES.get(node) || []);
}

function groupsAround(number) {
  const found = [];
  for (let at = number; at !== null; at = GROUPS[at].parent) found.unshift(at);
  return found;
}

// The sum over operations of a column, or the largest receptive field (null: all of the input).
function total(nodes, metric) {
  if (metric !== "field") return nodes.reduce((sum, node) => sum + NODES[metric][node], 0);
  return nodes.reduce((most, node) => Math.max(most, ...(NODES.field[node] || [Infinity])), 0);
}

const shapes = (node) => NODES.types[node].map((number) => NET.shapes[number]).join(", ");
const opOf = (node) => NET.ops[NODES.op[node]];

function sourceOf(node, output) {
  if (node < 0) return { name: NET.inputs[-1 - node][0], shape: NET.shapes[NET.inputs[-1 - node][1]] };
  const name = NODES.types[node].length > 1 ? `${NODES.path[node]}[${output}]` : NODES.path[node];
  return { name, shape: NET.shapes[NODES.types[node][output]], node };
}

function fieldText(field) {
  if (field === null) return "all of the input";
  return field.length ? field.join("×") : "none of the input";
}

function count(number) {
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (number >= 0.9995 * size) {
      const digits = number < 9.995 * size ? 2 : number < 99.95 * size ? 1 : 0;
      return `${(number / size).toFixed(digits)} ${unit}`;
    }
  }
  return String(Math.round(number));
}

function memory(bytes) {
  for (const [unit, size] of [["GB", 2 ** 30], ["MB", 2 ** 20], ["kB", 1024]]) {
    if (bytes >= size) return `${(bytes / size).toPrecision(3)} ${unit}`;
  }
  return `${bytes} B`;
}

// A time in seconds with three significant digits.
function duration(seconds) {
  for (const [unit, size] of [["s", 1], ["ms", 1e-3], ["µs", 1e-6]]) {
    if (seconds >= 0.9995 * size) return `${(seconds / size).toFixed(seconds < 9.995 * size ? 2 : seconds < 99.95 * size ? 1 : 0)} ${unit}`;
  }
  return "0";
}

const METRICS = {
  params: { name: "parameters", show: (value) => count(value) },
  macs: { name: "MACs", show: (value) => count(value) },
  memory: { name: "memory of outputs (float32, one image)", show: (value) => memory(value) },
  field: { name: "receptive field", show: (value) => (value === Infinity ? "all" : `${value} px`) },
};
if (NODES.time) METRICS.time = { name: "time (eval mode, one image)", show: duration };
const SUMMED = ["params", "macs", "memory", ...(NODES.time ? ["time"] : [])]; // metrics of which a block has the sum

// An HTML element with attributes, listeners and children. Texts become text nodes.
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const byId = (id) => document.getElementById(id);
