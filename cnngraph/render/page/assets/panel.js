// The details of what is selected, and the tooltip.
const details = byId("details");

function showDetails() {
  const chosen = state.selected;
  if (!NET) details.replaceChildren();
  else if (!chosen) details.replaceChildren(...overview());
  else if (chosen.group !== undefined) details.replaceChildren(...groupDetails(chosen.group));
  else if (chosen.error !== undefined) details.replaceChildren(...errorDetails(chosen.error));
  else if (chosen.node !== undefined) details.replaceChildren(...nodesDetails(chosen.node));
  else details.replaceChildren(...terminalDetails(chosen));
  details.scrollTop = 0;
}

function overview() {
  const all = NODES.path.map((_, node) => node);
  const metric = state.metric && state.metric !== "field" ? state.metric : "params";
  const most = all.filter((node) => NODES[metric][node]).sort((a, b) => NODES[metric][b] - NODES[metric][a]).slice(0, 8);
  return [
    h("h2", {}, NET.name),
    NET.about && h("p", {}, NET.about),
    h("dl", {}, ends("input", NET.inputs.map(([name, shape]) => [name, NET.shapes[shape]])), ends("output", NET.outputs.map(([name, node, output]) => [name, sourceOf(node, output).shape])), numbers(all), h("dt", {}, "operations"), h("dd", {}, all.length.toLocaleString("en"))),
    ...errorsIn(""),
    most.length ? h("h3", {}, `Most ${METRICS[metric].name}`) : null,
    h("ol", { class: "most" }, most.map((node) => h("li", {}, nodeLink(node), h("span", {}, METRICS[metric].show(NODES[metric][node]))))),
    h("p", { class: "hint" }, "Click a block to open it, and an operation for its details. Press ? for keys."),
  ].filter(Boolean);
}

// The inputs or outputs of the network; a single one needs no name.
function ends(kind, tensors) {
  if (!tensors.length) return [];
  const rows = tensors.map(([name, shape]) => h("div", {}, tensors.length > 1 ? [h("code", {}, name), " "] : [], shape));
  return [h("dt", {}, tensors.length > 1 ? `${kind}s` : kind), h("dd", {}, rows)];
}

// The sums over operations; `each` are those of every one of several equal blocks.
function numbers(nodes, each = []) {
  const extra = (metric) => {
    const sums = new Set(each.map((part) => total(part, metric)));
    return each.length > 1 && sums.size === 1 ? ` (${METRICS[metric].show(...sums)} each)` : "";
  };
  return SUMMED.flatMap((metric) => {
    const value = total(nodes, metric);
    const isExact = (metric === "params" || metric === "macs") && value >= 1000;
    const text = isExact ? value.toLocaleString("en") : METRICS[metric].show(value);
    return [h("dt", {}, { params: "parameters", macs: "MACs" }[metric] || metric), h("dd", {}, text + extra(metric) + share(metric, value))];
  });
}

// The part of the whole network's time.
function share(metric, value) {
  const all = metric === "time" ? total(NODES.path.map((_, node) => node), metric) : 0;
  const part = all ? (100 * value) / all : 0;
  return part && part < 100 ? ` (${part < 0.1 ? "< 0.1" : part.toFixed(part < 9.95 ? 1 : 0)} %)` : "";
}

function groupDetails(number) {
  const group = GROUPS[number];
  const all = withCopies(group.nodes);
  const kinds = new Map();
  for (const node of all) kinds.set(opOf(node)[0], (kinds.get(opOf(node)[0]) || 0) + 1);
  const ops = [...kinds].sort((a, b) => b[1] - a[1]).map(([op, times]) => `${times} ${op}`);
  const isOpen = Boolean(frameOf(number));
  const button = group.drawing && number
    ? h("button", { onclick: () => (isOpen ? closeGroup(number) : openBox(view.boxes.find((box) => box.group === number))) }, isOpen ? "Close" : "Open")
    : h("span", { class: "hint" }, group.drawing ? "" : "too large to be drawn open");
  const last = COPIES.get(group.nodes[group.nodes.length - 1])?.slice(-1)[0];
  return [
    h("h2", {}, h("code", {}, group.path)),
    h("p", { class: "lead" }, group.block ? ["block ", h("code", {}, group.block), " "] : [], button),
    h(
      "dl",
      {},
      numbers(all, partsOf(all, group.paths)),
      last === undefined ? [] : [h("dt", {}, "receptive field"), h("dd", {}, fieldText(NODES.field[last]))],
      h("dt", {}, "operations"),
      h("dd", {}, ops.join(", ")),
      group.paths.length > 1 ? [h("dt", {}, `${group.paths.length} equal`), h("dd", {}, list(group.paths))] : [],
      h("dt", {}, "source"),
      h("dd", {}, sourceLink(group.at))
    ),
    ...errorsIn(`${group.path}.`),
  ];
}

// The nodes with errors whose paths start like this.
function errorsIn(start) {
  const found = NET.errors.filter(({ path }) => path.startsWith(start));
  if (!found.length) return [];
  const rows = found.map(({ path, code, at }) => h("li", {}, h("code", {}, `${code} ${path}`), sourceLink(at)));
  return [h("h3", { class: "wrong" }, `${found.length} error${found.length > 1 ? "s" : ""}`), h("ul", { class: "most" }, rows)];
}

function errorDetails(number) {
  const { path, code, message, reads, at } = NET.errors[number];
  const inputs = readsOf(reads);
  return [
    h("h2", { class: "wrong" }, h("span", { class: "op" }, code), " ", h("code", {}, path)),
    h("p", {}, message.replaceAll("`", "")),
    h(
      "dl",
      {},
      inputs.length ? [h("dt", {}, inputs.length > 1 ? "inputs" : "input"), h("dd", {}, inputs)] : [],
      h("dt", {}, "source"),
      h("dd", {}, sourceLink(at))
    ),
  ];
}

// The operations in each of several equal blocks.
function partsOf(nodes, paths) {
  const parts = new Map(paths.map((path) => [path, []]));
  const depth = paths.length ? paths[0].split(".").length : 0;
  for (const node of nodes) parts.get(NODES.path[node].split(".").slice(0, depth).join("."))?.push(node);
  return [...parts.values()];
}

const list = (paths) => (paths.length > 4 ? `${paths[0]}, …, ${paths[paths.length - 1]}` : paths.join(", "));

// The operations in the box of a node; of those that stand for several, the iteration of the node is shown.
function nodesDetails(node) {
  const home = HOME[drawnOf(node)];
  const inBox = nodesOf(GROUPS[home[0]].drawing.boxes[home[1]]);
  const copies = COPIES.get(drawnOf(node));
  const index = copies.indexOf(node);
  const shown = GROUPS[home[0]].drawing.boxes[home[1]].group === undefined ? inBox : [drawnOf(node)];
  const parts = shown.map((other) => COPIES.get(other)[COPIES.get(other).length === copies.length ? index : 0]);
  const chooser = copies.length > 1 ? iterations(copies, node) : null;
  return [chooser, ...parts.flatMap((part) => nodeDetails(part, parts.length > 1 && part === node))].filter(Boolean);
}

function iterations(copies, node) {
  const options = copies.slice(0, 400).map((copy) => h("option", { value: copy, selected: copy === node }, NODES.path[copy]));
  if (!copies.slice(0, 400).includes(node)) options.unshift(h("option", { value: node, selected: true }, NODES.path[node]));
  const chooser = h("select", { "aria-label": "Iteration" }, options);
  chooser.addEventListener("change", () => select({ ...state.selected, node: Number(chooser.value) }, state.selected.id, false));
  return h("p", { class: "lead" }, `one of ${copies.length} equal: `, chooser);
}

// Links to the tensors that are read, with their shapes.
function readsOf(flat) {
  const reads = [];
  for (let place = 0; place < flat.length; place += 2) {
    const source = sourceOf(flat[place], flat[place + 1]);
    reads.push(h("div", {}, source.node === undefined ? h("code", {}, source.name) : nodeLink(source.node, source.name), ` ${source.shape}`));
  }
  return reads;
}

function nodeDetails(node, isChosen) {
  const [op, , ...parameters] = opOf(node);
  const path = NODES.path[node];
  const reads = readsOf(NODES.reads[node]);
  const rows = parameters.map(([name, value, isDefault]) => h("tr", { class: isDefault ? "default" : "" }, h("th", { scope: "row" }, name), h("td", {}, value)));
  const weights = NET.ops[NODES.weights[node]].map(([name, shape]) => `${name || "value"} ${shape}`);
  return [
    h("h2", { class: isChosen ? "chosen" : "" }, h("span", { class: "op" }, op), " ", h("code", {}, path)),
    NODES.note[node] && h("p", { class: "lead" }, NODES.note[node]),
    rows.length ? h("table", {}, h("tbody", {}, rows)) : null,
    h(
      "dl",
      {},
      h("dt", {}, reads.length > 1 ? "inputs" : "input"),
      h("dd", {}, reads.length ? reads : "none"),
      h("dt", {}, "output"),
      h("dd", {}, shapes(node)),
      weights.length ? [h("dt", {}, "weights"), h("dd", {}, weights.join(", "))] : [],
      numbers([node]),
      h("dt", {}, "receptive field"),
      h("dd", {}, fieldText(NODES.field[node])),
      h("dt", {}, "source"),
      h("dd", {}, sourceLink(NODES.at[node]), usedAt(node))
    ),
  ].filter(Boolean);
}

// Where the block around an operation is used, if that is in another place.
function usedAt(node) {
  const home = HOME[drawnOf(node)];
  const around = groupsAround(home[0]).filter((number) => number && GROUPS[number].at).reverse();
  const places = around.map((number) => GROUPS[number].at).filter((at, index, all) => [NODES.at[node], ...all].findIndex((other) => other.join() === at.join()) === index + 1);
  return places.length ? h("div", {}, "used at ", places.slice(0, 3).flatMap((at, index) => [index ? ", " : "", sourceLink(at)])) : null;
}

function terminalDetails(chosen) {
  const box = boxById(chosen.id);
  return [h("h2", {}, box ? box.element.textContent : ""), ...overview().slice(1)];
}

function nodeLink(node, text = NODES.path[node]) {
  return h("a", { href: "#", onclick: (event) => (event.preventDefault(), reveal(node)) }, h("code", {}, text));
}

// The tooltip of a box.
const tip = byId("tip");

function showTip(box, x, y) {
  const nodes = withCopies(box.nodes);
  if (box.error !== undefined) tip.replaceChildren(h("strong", {}, NET.errors[box.error].path), h("div", {}, errorText(NET.errors[box.error])));
  else if (nodes.length) tip.replaceChildren(...summaryOf(box, nodes));
  else return hideTip();
  tip.hidden = false;
  const width = Math.min(340, window.innerWidth - 16);
  tip.style.maxWidth = `${width}px`;
  tip.style.left = `${Math.max(8, Math.min(x + 14, window.innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > window.innerHeight ? y - 12 - tip.offsetHeight : y + 18}px`;
}

function summaryOf(box, nodes) {
  const last = box.nodes[box.nodes.length - 1];
  const title = box.group !== undefined ? GROUPS[box.group].path : NODES.path[last];
  const facts = [`${shapes(last)}`, `${count(total(nodes, "params"))} parameters`, `${count(total(nodes, "macs"))} MACs`, memory(total(nodes, "memory")), ...(NODES.time ? [duration(total(nodes, "time"))] : []), `sees ${fieldText(NODES.field[last])}`];
  return [h("strong", {}, title), h("div", {}, facts.join(" · ")), opens(box) ? h("small", {}, "click to open") : ""];
}

function hideTip() {
  tip.hidden = true;
}
