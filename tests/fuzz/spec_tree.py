"""A spec as a tree of plain values, and its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

PLAIN = re.compile(r"[A-Za-z_][\w.-]*|\d+")
SPECIAL = {"null", "true", "false", "Null", "True", "False", "NULL", "TRUE", "FALSE"}


class Expr(str):
    """An expression, as opposed to a plain string."""


@dataclass
class NodeTree:
    """A node as written; `name` is empty in a list."""

    name: str = ""
    op: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    nodes: ScopeTree | None = None
    share: str | None = None
    reads: list[str] | None = None
    when: Any = None
    otherwise: list[str] | None = None
    repeat: Any = None
    carry: str = "last"
    back: Any = None  # with `carry` as "last": how many iterations back are read
    gives: str = ""
    round_name: str = ""
    first: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    flat: bool = False
    expect: list[Any] | None = None
    unused: bool = False

    def name_of(self, number: int) -> str:
        """The name of an iteration; empty if it is called by its number."""
        stem = self.round_name.rstrip("0123456789")
        return f"{stem}{int(self.round_name[len(stem) :]) + number}" if self.round_name else ""

    def entries(self) -> dict[str, Any]:
        """Its keys and values, except `nodes`."""
        pairs: list[tuple[str, Any, bool]] = [
            ("repeat", self.repeat, self.repeat is not None),
            ("op", self.op, self.op is not None),
            ("share", self.share, self.share is not None),
            ("from", self.reads[0] if self.reads and len(self.reads) == 1 else self.reads, self.reads is not None),
            *((key, value, True) for key, value in self.arguments.items()),
            ("first", self.first, bool(self.first)),
            ("last", self.last, bool(self.last)),
            ("carry", self.back or self.carry, self.back is not None or self.carry != "last"),
            ("gives", self.gives, bool(self.gives)),
            ("name", self.round_name, bool(self.round_name)),
            ("when", self.when, self.when is not None),
            ("else", self.otherwise, self.otherwise is not None),
            ("flat", True, self.flat),
            ("expect", self.expect, self.expect is not None),
            ("unused", True, self.unused),
        ]
        return {key: value for key, value, given in pairs if given}


@dataclass
class ScopeTree:
    """Nodes, by name or in a list; `order` is the textual order if it differs from execution order."""

    children: list[NodeTree]
    numbered: bool
    order: list[int] | None = None

    def as_written(self) -> list[NodeTree]:
        """The nodes in textual order."""
        return self.children if self.order is None else [self.children[place] for place in self.order]


@dataclass
class BlockTree:
    """A block's definition; `file` is empty for the main file."""

    name: str
    params: dict[str, Any]
    inputs: list[str] | None
    body: NodeTree
    file: str = ""
    examples: dict[str, Any] = field(default_factory=dict)  # the values of its params while it was drawn


@dataclass
class SpecTree:
    """A network. `variant`: params and blocks that are overridden by a spec that extends it."""

    inputs: dict[str, list[int]]
    params: dict[str, Any]
    blocks: dict[str, BlockTree]
    nodes: ScopeTree
    outputs: dict[str, str] = field(default_factory=dict)
    training_only: list[str] = field(default_factory=list)
    init: list[dict[str, Any]] = field(default_factory=list)
    variant: dict[str, dict[str, Any]] | None = None


def written(value: Any) -> str:
    """A value in YAML's flow style."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{written(key)}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) and value not in SPECIAL and not value.isdecimal() else quoted(value)
    return repr(value)


def quoted(text: str) -> str:
    """A string in quotes."""
    return '"' + text + '"' if "'" in text else f"'{text}'"


def scope_lines(scope: ScopeTree) -> Iterator[str]:
    """The lines of a scope's nodes."""
    for node in scope.as_written():
        head = "-" if scope.numbered else f"{node.name if PLAIN.fullmatch(node.name) else quoted(node.name)}:"
        yield from node_lines(head, node)


def node_lines(head: str, node: NodeTree, more: Mapping[str, Any] | None = None) -> Iterator[str]:
    """The lines of a node after its name or dash."""
    entries = {**(more or {}), **node.entries()}
    if node.nodes is None:
        alone = list(entries) == ["op"] and head != "block:"
        yield f"{head} {written(entries['op'] if alone else entries)}"
        return
    if head == "-":
        yield f"- nodes:{'' if node.nodes.children else ' []'}"
    else:
        yield head
        yield "  nodes:"
    yield from (f"    {line}" for line in scope_lines(node.nodes))
    yield from (f"  {key}: {written(value)}" for key, value in entries.items())


def block_lines(blocks: Iterable[BlockTree]) -> Iterator[str]:
    """The lines of block definitions."""
    for block in blocks:
        more: dict[str, Any] = {"params": block.params} if block.params else {}
        if block.inputs is not None:
            more["inputs"] = block.inputs
        yield from node_lines(f"{block.name}:", block.body, more)


def section(key: str, lines: Iterable[str]) -> list[str]:
    """A key with its lines, or nothing if there are none."""
    inner = [f"  {line}" for line in lines]
    return [f"{key}:", *inner] if inner else []


def spec_files(spec: SpecTree, main: str) -> dict[str, str]:
    """The texts of all files by name: the main file, imported blocks, and the base."""
    imported = [block for block in spec.blocks.values() if block.file]
    files = {name: library_text(b for b in imported if b.file == name) for name in {b.file for b in imported}}
    if spec.variant is None:
        return {main: spec_text(spec, sorted(files)), **files}
    other_blocks = {name: replace(block, body=NodeTree(op="relu")) for name, block in spec.variant["blocks"].items()}
    base = replace(spec, params={**spec.params, **spec.variant["params"]}, blocks={**spec.blocks, **other_blocks})
    head = ["cnngraph: 1", "extends: base.yaml"]
    params = section("params", (f"{key}: {written(spec.params[key])}" for key in spec.variant["params"]))
    blocks = section("blocks", block_lines(spec.variant["blocks"].values()))
    return {main: "\n".join([*head, *params, *blocks]) + "\n", "base.yaml": spec_text(base, sorted(files)), **files}


def spec_text(spec: SpecTree, imports: Iterable[str] = ()) -> str:
    """The text of a spec."""
    lines = ["cnngraph: 1"]
    lines += [f"import: {written(list(imports))}"] if imports else []
    single = spec.inputs.get("in")
    lines.append(f"input: {written(single if single is not None else spec.inputs)}")
    lines += section("params", (f"{key}: {written(value)}" for key, value in spec.params.items()))
    lines += section("blocks", block_lines(block for block in spec.blocks.values() if not block.file))
    lines += section("nodes", scope_lines(spec.nodes))
    lines += [f"outputs: {written(spec.outputs)}"] if spec.outputs else []
    lines += [f"training_only: {written(spec.training_only)}"] if spec.training_only else []
    lines += section("init", (f"- {written(rule)}" for rule in spec.init))
    return "\n".join(lines) + "\n"


def library_text(blocks: Iterable[BlockTree]) -> str:
    """The text of a library of blocks."""
    return "\n".join(["cnngraph: 1", *section("blocks", block_lines(blocks))]) + "\n"
