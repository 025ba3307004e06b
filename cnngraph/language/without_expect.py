"""Removes `expect` from a base: its shapes do not hold for a variant that changes its nodes."""

from __future__ import annotations

from dataclasses import replace

from cnngraph.document import Entry, Listing, Table, Value
from cnngraph.language.model import Library, NodeSpec, ScopeSpec, Spec


def without_expect(spec: Spec) -> Spec:
    """The spec without the expected shapes of its nodes, and of those in its blocks and imports."""
    nodes = _scope(spec.nodes) if spec.nodes else None
    return replace(spec, nodes=nodes, library=_library(spec.library, {}))


def _library(library: Library, known: dict[int, Library]) -> Library:
    if id(library) not in known:
        blocks = {name: replace(block, body=_node(block.body)) for name, block in library.blocks.items()}
        imports = tuple(_library(imported, known) for imported in library.imports)
        known[id(library)] = replace(library, blocks=blocks, imports=imports)
    return known[id(library)]


def _scope(scope: ScopeSpec) -> ScopeSpec:
    return replace(scope, children=tuple(map(_node, scope.children)))


def _node(node: NodeSpec) -> NodeSpec:
    repeat = node.repeat
    if repeat is not None:
        count, first, last = _rows(repeat.count), _entries(repeat.first), _entries(repeat.last)
        repeat = replace(repeat, count=count, first=first, last=last)
    return replace(node, expect=None, nodes=_scope(node.nodes) if node.nodes else None, repeat=repeat)


def _rows(count: Value) -> Value:
    if not isinstance(count, Listing):
        return count
    rows = (replace(row, entries=_entries(row.entries)) if isinstance(row, Table) else row for row in count.items)
    return replace(count, items=tuple(rows))


def _entries(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.key != "expect")
