// The text of the specs, with the lines of what is selected.
const source = byId("source");
let shownFile = null;

function sourceLink(at) {
  if (!at) return "";
  const [file, line] = at;
  const go = (event) => {
    event.preventDefault();
    showSource(at);
  };
  const { name } = FACTS.files[file];
  return h("a", { href: "#", class: "place", title: name, onclick: go }, `${shortName(name)}:${line}`);
}

const shortName = (name) => name.split("/").slice(-2).join("/");

function showSource([file, first, last]) {
  source.hidden = false;
  byId("side").classList.add("with-source");
  if (shownFile !== file) {
    shownFile = file;
    byId("files").replaceChildren(...FACTS.files.map((item, number) => h("button", { "aria-pressed": String(number === file), onclick: () => showSource([number, 1, 0]) }, shortName(item.name))), h("button", { class: "hide", "aria-label": "Close the source", onclick: hideSource }, "×"));
    byId("text").replaceChildren(h("ol", {}, FACTS.files[file].text.split("\n").map((line) => h("li", {}, line || " "))));
  }
  const lines = byId("text").querySelectorAll("li");
  lines.forEach((line, index) => line.classList.toggle("marked", index + 1 >= first && index + 1 <= last));
  byId("text").scrollTop = lines[first - 1] ? lines[first - 1].offsetTop - 48 : 0;
  remember();
}

function hideSource() {
  source.hidden = true;
  shownFile = null;
  byId("side").classList.remove("with-source");
}
