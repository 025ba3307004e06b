"""Places where a spec can be damaged: keys and values with their role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnngraph.diagnostics import Source, Span
from cnngraph.document import Entry, Listing, Scalar, Table, Value, parse
from cnngraph.language.keys import NODE_KEYS


@dataclass(frozen=True)
class ValidSpec:
    """A spec without errors."""

    name: str
    text: str
    folder: Path


@dataclass(frozen=True)
class Place:
    """A key or value of a spec with its role; `owner` is the op of its node."""

    role: str
    span: Span
    value: object
    key: str = ""
    owner: str = ""
    entry_span: Span | None = None  # of the entry including its key


def places(spec: ValidSpec) -> list[Place]:
    """Every place of a spec, in textual order."""
    document, _ = parse(Source(spec.name, spec.text))
    assert isinstance(document, Table)
    return list(_top(document))


def _top(table: Table) -> Iterator[Place]:
    for entry in table:
        yield Place("top key", entry.key_span, entry.key)
        if entry.key == "input":
            yield Place("input", entry.value.span, entry.value.plain())
        elif entry.key == "params" and isinstance(entry.value, Table):
            yield from _params(entry.value)
        elif entry.key == "blocks" and isinstance(entry.value, Table):
            for block in entry.value:
                yield Place("block name", block.key_span, block.key)
                if isinstance(block.value, Table):
                    params = block.value.get("params")
                    yield from _params(params.value) if params and isinstance(params.value, Table) else ()
                yield from _node(block.value, block, in_block=True)
        elif entry.key == "nodes":
            yield from _scope(entry.value)


def _params(table: Table) -> Iterator[Place]:
    for entry in table:
        yield Place("param name", entry.key_span, entry.key)
        if entry.value.plain() is not None:
            yield from _value(entry.value, "param default", entry.key, "", entry)


def _scope(value: Value) -> Iterator[Place]:
    if isinstance(value, Listing):
        for item in value.items:
            yield from _node(item, None)
    elif isinstance(value, Table):
        for entry in value:
            yield Place("node name", entry.key_span, entry.key, entry_span=_entry_span(entry))
            yield from _node(entry.value, entry)


def _entry_span(entry: Entry) -> Span:
    a, b = entry.key_span, entry.value.span
    return Span(a.source, a.line, a.column, b.end_line, b.end_column)


def _node(value: Value, entry: Entry | None, in_block: bool = False) -> Iterator[Place]:
    if isinstance(value, Scalar):
        yield Place("op", value.span, value.value, owner=str(value.value))
        return
    if isinstance(value, Listing):
        yield from _scope(value)
        return
    op = value.get("op")
    owner = str(op.value.plain()) if op else ""
    if entry is None:
        yield Place("item", value.span, owner)
    for item in value:
        if in_block and item.key in ("params", "inputs"):
            continue
        if item.key == "nodes":
            yield Place("node key", item.key_span, item.key, owner=owner)
            yield from _scope(item.value)
        elif item.key in ("first", "last"):
            yield Place("node key", item.key_span, item.key, owner=owner)
            if isinstance(item.value, Table):
                for parameter in item.value:
                    yield from _value(parameter.value, "parameter value", parameter.key, owner, parameter)
        elif item.key == "op":
            yield Place("op key", item.key_span, item.key, owner=owner)
            yield Place("op", item.value.span, item.value.plain(), owner=owner)
        elif item.key in NODE_KEYS:
            yield Place("node key", item.key_span, item.key, owner=owner, entry_span=_entry_span(item))
            yield from _value(item.value, item.key, item.key, owner, item)
        else:
            yield Place("parameter name", item.key_span, item.key, owner=owner, entry_span=_entry_span(item))
            yield from _value(item.value, "parameter value", item.key, owner, item)


def _value(value: Value, role: str, key: str, owner: str, entry: Entry) -> Iterator[Place]:
    yield Place(role, value.span, value.plain(), key, owner, _entry_span(entry))
    if isinstance(value, Listing):
        for item in value.items:
            if isinstance(item, Scalar):
                yield Place(f"{role} item", item.span, item.value, key, owner)
