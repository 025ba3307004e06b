"""A spec's text with the locations of its nodes, names and values, and edits of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from functools import cached_property

from cnngraph.diagnostics import Edit, Source, Span
from cnngraph.document import Entry, Listing, Scalar, Table, Value, parse, scalars_in
from cnngraph.frozen import frozen
from cnngraph.language.keys import NODE_KEYS

TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)


@frozen(slots=False, eq=False)
class WrittenScope:
    """`nodes` of the file, a block or a node. `inputs` are the names of its inputs."""

    inputs: tuple[str, ...]
    block: WrittenBlock | None
    numbered: bool
    outer: WrittenScope | None = None
    nodes: list[WrittenNode] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names of its nodes; none in a list."""
        return [node.name for node in self.nodes if node.name]


@frozen(slots=False, eq=False)
class WrittenNode:
    """A node: a `name: value` entry, or an item of a list."""

    entry: Entry | None
    value: Value
    scope: WrittenScope
    inner: WrittenScope | None = None

    @property
    def name(self) -> str:
        """Its name; empty in a list."""
        return self.entry.key if self.entry else ""

    @property
    def start(self) -> Span:
        """Where it starts: its name, or the item."""
        return self.entry.key_span if self.entry else self.value.span

    @property
    def op(self) -> str:
        """The op or block that it uses; empty for nodes and share."""
        if isinstance(self.value, Scalar):
            return str(self.value.value)
        found = self.get("op")
        return str(found.value.plain()) if found else ""

    def get(self, key: str) -> Entry | None:
        """One of its entries."""
        return self.value.get(key) if isinstance(self.value, Table) else None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Its entries; empty if it is only an op's name."""
        return self.value.entries if isinstance(self.value, Table) else ()

    @property
    def reads(self) -> list[Scalar]:
        """The paths in its `from`."""
        found = self.get("from")
        values = found.value.items if found and isinstance(found.value, Listing) else [found.value] if found else []
        return [value for value in values if isinstance(value, Scalar)]


@frozen(slots=False, eq=False)
class WrittenBlock:
    """A block's definition."""

    entry: Entry
    params: tuple[Entry, ...]
    node: WrittenNode | None = None


class Written:
    """The text of one file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.lines = source.text.splitlines()
        document, errors = parse(source)
        self.document = document if isinstance(document, Table) else None
        self.broken = self.document is None or any(error.code in ("E102", "E104", "E105") for error in errors)
        self.nodes: list[WrittenNode] = []
        self.blocks: dict[str, WrittenBlock] = {}
        self.params: tuple[Entry, ...] = ()
        self.top: WrittenScope | None = None
        if self.document is not None:
            self._read(self.document)

    # -- reading

    def _read(self, document: Table) -> None:
        self.params = _entries(document.get("params"))
        for entry in _entries(document.get("blocks")):
            table = entry.value if isinstance(entry.value, Table) else None
            params = _entries(table.get("params")) if table else ()
            inputs = table.get("inputs") if table else None
            names = tuple(map(str, _plain_list(inputs.value))) if inputs else ("in",)
            block = WrittenBlock(entry, params)
            self.blocks[entry.key] = block
            outer = WrittenScope(names, block, False)
            self._node(entry, entry.value, outer)
        nodes = document.get("nodes")
        input_ = document.get("input")
        names = tuple(entry.key for entry in input_.value) if input_ and isinstance(input_.value, Table) else ("in",)
        if nodes is not None:
            self.top = self._scope(nodes.value, names, None, None)

    def _scope(
        self, value: Value, inputs: tuple[str, ...], block: WrittenBlock | None, outer: WrittenScope | None
    ) -> WrittenScope:
        scope = WrittenScope(inputs, block, isinstance(value, Listing), outer)
        if isinstance(value, Listing):
            for item in value.items:
                self._node(None, item, scope)
        elif isinstance(value, Table):
            for entry in value:
                self._node(entry, entry.value, scope)
        return scope

    def _node(self, entry: Entry | None, value: Value, scope: WrittenScope) -> None:
        inner: Value | None = value if isinstance(value, Listing) else None
        if isinstance(value, Table) and (nodes := value.get("nodes")):
            inner = nodes.value
        is_body = entry is not None and scope.block is not None and entry is scope.block.entry
        outer = None if is_body else scope
        node = WrittenNode(entry, value, scope)
        scope.nodes.append(node)
        self.nodes.append(node)
        if inner is not None:
            inputs = scope.inputs if is_body else ("in",)
            below = self._scope(inner, inputs, scope.block, outer)
            object.__setattr__(node, "inner", below)

    # -- looking up

    def at(self, span: Span) -> WrittenNode | None:
        """The node that starts at a span."""
        return self._by_start.get((span.line, span.column)) if span.source == self.source else None

    @cached_property
    def _by_start(self) -> dict[tuple[int, int], WrittenNode]:
        return {(node.start.line, node.start.column): node for node in reversed(self.nodes)}

    def around(self, span: Span) -> WrittenNode | None:
        """The innermost node that contains a span."""
        found = None
        for node in self.nodes if span.source == self.source else ():
            first, last = node.start, node.value.span
            inside = (first.line, first.column) <= (span.line, span.column) <= (last.end_line, last.end_column)
            if inside:
                found = node  # inner nodes come later
        return found

    def entry_of(self, span: Span) -> Entry | None:
        """The entry whose value is at a span."""
        return self._by_value.get((span.line, span.column)) if span.source == self.source else None

    @cached_property
    def _by_value(self) -> dict[tuple[int, int], Entry]:
        return {(entry.value.span.line, entry.value.span.column): entry for entry in _all_entries(self.document)}

    def unused_params(self, block: WrittenBlock | None = None) -> list[str]:
        """The params of the file that no expression in it uses, or those of a block that none in the block uses."""
        text, params = self.text, self.params
        if block is not None:
            first, last = block.entry.key_span.line, block.entry.value.span.end_line
            text, params = "\n".join(self.lines[first - 1 : last]), block.params
        return [param.key for param in params if not re.search(rf"\$\{{?{re.escape(param.key)}\b", text)]

    def scalars(self) -> Iterator[Scalar]:
        """All scalar values."""
        yield from scalars_in(self.document) if self.document else ()

    def keys(self) -> Iterator[Entry]:
        """All entries."""
        yield from _all_entries(self.document)

    @cached_property
    def name_counts(self) -> Counter[str]:
        """How often each name occurs in the text, without comments."""
        return Counter(TOKEN.findall(COMMENT.sub("", self.text)))

    @cached_property
    def values(self) -> dict[str, Counter[str]]:
        """The values of each key, as written, with their numbers of occurrences."""
        found: dict[str, Counter[str]] = {}
        for entry in self.keys():
            text = self.slice(entry.value.span)
            if text and "\n" not in text and not isinstance(entry.value, Table):
                found.setdefault(entry.key, Counter())[text] += 1
        return found

    def slice(self, span: Span) -> str:
        """The text of a span, if that is on one line."""
        if span.line != span.end_line or span.line > len(self.lines):
            return ""
        return self.lines[span.line - 1][span.column - 1 : span.end_column - 1]

    # -- edits

    def place(self, line: int, column: int, end: int | None = None) -> Span:
        """A span on one line; columns count from 1, the end is exclusive."""
        return Span(self.source, line, column, line, column if end is None else end)

    def after(self, span: Span) -> Span:
        """The empty span after another one."""
        return Span(self.source, span.end_line, span.end_column, span.end_line, span.end_column)

    def add_entry(self, node: WrittenNode, key: str, text: str) -> Edit | None:
        """Add an entry to a node."""
        value = node.value
        if isinstance(value, Scalar):
            return Edit(value.span, f"{{op: {self.slice(value.span)}, {key}: {text}}}")
        if not isinstance(value, Table) or not value.entries:
            return None
        return self.add_to_table(value, key, text)

    def add_to_table(self, table: Table, key: str, text: str) -> Edit:
        """Add an entry to a mapping, after its last one-line entry."""
        last = table.entries[-1]
        if self.lines[table.span.line - 1][table.span.column - 1 : table.span.column] == "{":
            end = self.after(last.value.span)
            behind = " " if isinstance(last.value, Scalar) and last.value.value is None else ""
            return Edit(end, f"{behind}, {key}: {text}")
        first = table.entries[0]
        indent = " " * (first.key_span.column - 1)
        short = [entry for entry in table if entry.key_span.line == entry.value.span.line == entry.value.span.end_line]
        line = (short[-1] if short else first).value.span.end_line  # not after nested nodes, which end far below
        end_of_line = len(COMMENT.sub("", self.lines[line - 1]).rstrip()) + 1
        return Edit(self.place(line, end_of_line), f"\n{indent}{key}: {text}")

    def remove_entry(self, entry: Entry) -> Edit | None:
        """Remove an entry from a mapping."""
        first, last = entry.key_span, entry.value.span
        if first.line != last.end_line:
            return None
        line = self.lines[first.line - 1]
        start, end = first.column - 1, last.end_column - 1
        end = max(end, first.end_column)
        rest = line[end:]
        if line[:start].rstrip().endswith(("{", ",")) or rest.lstrip().startswith((",", "}")):
            if rest.startswith(", "):
                end += 2
            elif rest.startswith(","):
                end += 1
            elif line[:start].endswith(", "):
                start -= 2
            return Edit(self.place(first.line, start + 1, end + 1), "")
        if not line[:start].strip():
            return Edit(Span(self.source, first.line, 1, first.line + 1, 1), "")
        return None


def _entries(entry: Entry | None) -> tuple[Entry, ...]:
    return entry.value.entries if entry and isinstance(entry.value, Table) else ()


def _plain_list(value: Value) -> list[object]:
    return [item.plain() for item in value.items] if isinstance(value, Listing) else [value.plain()]


def _all_entries(value: Value | None) -> Iterator[Entry]:
    if isinstance(value, Table):
        for entry in value:
            yield entry
            yield from _all_entries(entry.value)
    elif isinstance(value, Listing):
        for item in value.items:
            yield from _all_entries(item)


def is_node_key(key: str) -> bool:
    """Whether a key of a node is one of the language, not a parameter of its op."""
    return key in NODE_KEYS
