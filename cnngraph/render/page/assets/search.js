// Search by path or op: boxes with matches are marked, Enter goes from one to the next.
const query = byId("query");
let found = { nodes: [], groups: [] };
let current = -1;

function search() {
  const text = query.value.trim().toLowerCase();
  current = -1;
  found = { nodes: [], groups: [] };
  if (text && NET) {
    found.nodes = NODES.path.map((_, node) => node).filter((node) => NODES.path[node].toLowerCase().includes(text) || opOf(node)[0] === text);
    found.groups = GROUPS.map((_, number) => number).filter((number) => number && (GROUPS[number].block.toLowerCase().includes(text) || GROUPS[number].path.toLowerCase() === text));
  }
  showMatches();
}

function showMatches() {
  const text = query.value.trim();
  const drawn = new Set(found.nodes.map(drawnOf));
  const groups = new Set(found.groups);
  canvas.classList.toggle("searching", Boolean(text));
  for (const box of view.boxes) {
    box.element.classList.toggle("match", box.nodes.some((node) => drawn.has(node)) || groups.has(box.group));
  }
  for (const frame of view.frames) frame.element.classList.toggle("match", groups.has(frame.group));
  const all = found.groups.length + found.nodes.length;
  byId("hits").textContent = text ? (current < 0 ? `${all}` : `${current + 1}/${all}`) : "";
}

function nextMatch(step) {
  const all = [...found.groups.map((group) => ({ group })), ...found.nodes.map((node) => ({ node }))];
  if (!all.length) return;
  current = (current + step + all.length) % all.length;
  if (step < 0 && current < 0) current = all.length - 1;
  const item = all[current];
  if (item.group !== undefined) revealGroup(item.group);
  else reveal(item.node);
  showMatches();
}
