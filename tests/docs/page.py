"""Pages of docs/ as data: fenced blocks, the output of specs, and refreshing a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnngraph.compilation import Compilation
from cnngraph.diagnostics import Diagnostic
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node
from cnngraph.language.keys import FILE_KEYS
from tests.library import ROOT

FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$(?:\n+(?=(?P<next>```text)))?", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# (\S+\.(?:yaml|py))\n")
KEYS = re.compile(r"^([\w.]+):", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A fenced block: its section and number, its text, and the text block below it, if any."""

    name: str
    language: str
    text: str
    below: str | None

    @property
    def file(self) -> str | None:
        """The file name, if the first line gives it."""
        found = FILE_NAME.match(self.text)
        return found[1] if found else None


@dataclass(frozen=True)
class Page:
    """A page of Markdown."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def examples(self) -> Iterator[Example]:
        """Every fenced block of the page except blocks of output."""
        counts: dict[str, int] = {}
        for section, body in self.sections():
            fences = list(FENCE.finditer(body))
            for position, fence in enumerate(fences):
                if fence["language"] == "text":
                    continue
                counts[section] = counts.get(section, 0) + 1
                below = fences[position + 1]["text"] if fence["next"] else None
                yield Example(f"{section} {counts[section]}", fence["language"], fence["text"], below)

    def sections(self) -> Iterator[tuple[str, str]]:
        """Each heading with the text up to the next one."""
        title, lines, fenced = "", list[str](), False
        for line in self.text.splitlines(keepends=True):
            if line.startswith("```"):
                fenced = not fenced
            if line.startswith("#") and not fenced:
                yield title, "".join(lines)
                title, lines = line.strip("# \n"), []
            else:
                lines.append(line)
        yield title, "".join(lines)

    def section(self, title: str) -> str:
        (text,) = [body for heading, body in self.sections() if heading == title]
        return text

    def anchors(self) -> set[str]:
        """The anchors of the headings, as GitHub writes them."""
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title, _ in self.sections()}

    def dead_links(self) -> list[str]:
        """The links whose file or heading does not exist."""
        dead = []
        for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", self.text, flags=re.DOTALL)):
            path, _, anchor = target.partition("#")
            if re.match(r"\w+:", path):
                continue
            file = (self.path.parent / path) if path else self.path
            is_valid = file.exists() and (not anchor or file.suffix != ".md" or anchor in Page(file).anchors())
            if not is_valid:
                dead.append(target)
        return dead

    def refresh(self, old: str, new: str) -> None:
        """Replace the first occurrence of old output by the current one, for --refresh-golden."""
        text = self.text
        assert old in text
        self.path.write_text(text.replace(old, new, 1), encoding="utf-8")


@dataclass(frozen=True)
class Book:
    """Several pages, read as one."""

    path: Path  # of the introductory page
    pages: tuple[Page, ...]

    @property
    def text(self) -> str:
        return "\n".join(page.text for page in self.pages)

    def examples(self) -> Iterator[Example]:
        """The examples of all pages."""
        for page in self.pages:
            yield from page.examples()

    def section(self, title: str) -> str:
        """The section with that title, which must be unique."""
        (text,) = [body for page in self.pages for heading, body in page.sections() if heading == title]
        return text

    def refresh(self, old: str, new: str) -> None:
        """Replace the first occurrence of old output by the current one, for --refresh-golden."""
        next(page for page in self.pages if old in page.text).refresh(old, new)


LANGUAGE_PAGES = (
    "guide/nodes.md",
    "guide/blocks.md",
    "guide/repeats.md",
    "guide/tensors.md",
    "guide/weights.md",
    "guide/messages.md",
    "reference/expressions.md",
    "reference/yaml.md",
)
LANGUAGE = Book(ROOT / "docs" / "language.md", tuple(Page(ROOT / "docs" / name) for name in LANGUAGE_PAGES))
TUTORIAL = Page(ROOT / "docs" / "tutorial.md")


def completed(text: str) -> str:
    """A short example completed to a spec: `nodes`, `input` and `cnngraph` are added if missing."""
    if text[0] in "-[" or not set(KEYS.findall(text)) & set(FILE_KEYS):
        text = "nodes:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    keys = set(KEYS.findall(text))
    if "input" not in keys and "nodes" in keys:
        text += "input: [3, 32, 32]\n"
    return text if "cnngraph" in keys else f"{text}cnngraph: 1\n"


def outcome(compilation: Compilation) -> str:
    """What the page shows below an example: messages without places, or the nodes of the graph."""
    lines = [line for diagnostic in compilation.diagnostics for line in message(diagnostic)]
    if compilation.ok and compilation.graph:
        lines += table(compilation.graph)
    return "".join(f"{line}\n" for line in lines)


def message(diagnostic: Diagnostic) -> Iterator[str]:
    yield f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"
    yield from (f"  {line}" for line in diagnostic.advice(most_fixes=1))


def table(graph: Graph) -> Iterator[str]:
    """`path = op(inputs)  shape` for each node, and the number of parameters."""
    calls = [(node.path, f"{node.shares or node.op}({', '.join(node.inputs)})", node) for node in graph.nodes]
    paths = max((len(path) for path, _, _ in calls), default=0)
    wide = max((len(call) for _, call, _ in calls), default=0)
    for path, call, node in calls:
        yield f"{path:{paths}} = {call:{wide}}  {shape(node)}{remark(node)}"
    if graph.num_params:
        yield f"{graph.num_params:,} parameters"


def shape(node: Node) -> str:
    return ", ".join(map(str, node.types))


def remark(node: Node) -> str:
    return ", never run" if node.unused else ", in training only" if node.training_only else ""
