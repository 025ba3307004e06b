"""Edits of a spec's text, for fixes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnngraph.diagnostics import Edit, Span
from cnngraph.document import Listing, Table

if TYPE_CHECKING:
    from cnngraph.fixes.written import Written, WrittenNode


def set_entry(text: Written, node: WrittenNode, key: str, value: str) -> Edit | None:
    """Set a key of a node, or add it; None if that takes more than one edit."""
    entry = node.get(key)
    return Edit(entry.value.span, value) if entry else text.add_entry(node, key, value)


def remove_node(text: Written, node: WrittenNode) -> Edit | None:
    """Remove a node; None if it is the only one, or is not on one line."""
    siblings = node.scope.nodes
    if len(siblings) < 2 or node.start.line != node.value.span.end_line:
        return None
    if node.entry:
        return text.remove_entry(node.entry)
    span, at = node.value.span, siblings.index(node)
    if text.lines[span.line - 1][: span.column - 1].strip() in ("-", ""):  # an item on its own line
        is_dashed = "-" in text.lines[span.line - 1][: span.column - 1]
        return Edit(Span(text.source, span.line, 1, span.line + 1, 1), "") if is_dashed else None
    if at:
        before = siblings[at - 1].value.span
        return Edit(Span(text.source, before.end_line, before.end_column, span.end_line, span.end_column), "")
    after = siblings[at + 1].value.span
    return Edit(Span(text.source, span.line, span.column, after.line, after.column), "")


def input_path(node: WrittenNode) -> str | None:
    """The path of a node's single input: its `from`, or the node above."""
    if reads := node.reads:
        return str(reads[0].value) if len(reads) == 1 else None
    at = node.scope.nodes.index(node)
    if not at:
        return node.scope.inputs[0] if len(node.scope.inputs) == 1 else None
    above = node.scope.nodes[at - 1]
    return above.name or str(at - 1)


def remove_key(text: Written, outer: str, key: Span) -> Edit | None:
    """Remove the key at a span from the mapping under `outer`; the only key together with `outer`."""
    for entry in text.keys():  # noqa: SIM118  # a method of its own
        table = entry.value
        if entry.key != outer or not isinstance(table, Table):
            continue
        if found := next((inner for inner in table if inner.key_span == key), None):
            return text.remove_entry(entry if len(table.entries) == 1 else found)
    return None


def swapped(value: Listing) -> Edit | None:
    """Rewrite `[height, width, channels]` as `[channels, height, width]`, if all three are numbers."""
    sizes = [item.plain() for item in value.items]
    if len(sizes) != 3 or not all(isinstance(size, int) for size in sizes):
        return None
    return Edit(value.span, f"[{sizes[2]}, {sizes[0]}, {sizes[1]}]")
