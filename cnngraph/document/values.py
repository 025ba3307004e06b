"""The values of a document, each with its location in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from cnngraph.diagnostics import Span
from cnngraph.frozen import frozen

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"


@frozen
class Scalar:
    """A string, number, boolean or null with its location. `quoted`: it was written in quotes."""

    value: str | int | float | bool | None
    span: Span
    quoted: bool = False

    def plain(self) -> Plain:
        """The value without its location."""
        return self.value


@frozen
class Listing:
    """A list."""

    items: tuple[Value, ...]
    span: Span

    def plain(self) -> Plain:
        """The value without its location."""
        return [item.plain() for item in self.items]


@frozen
class Entry:
    """One `key: value` of a mapping."""

    key: str
    key_span: Span
    value: Value


@frozen
class Table:
    """A mapping with string keys, in the order of the file."""

    entries: tuple[Entry, ...]
    span: Span

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def get(self, key: str) -> Entry | None:
        """The entry of that key."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def plain(self) -> Plain:
        """The value without its location."""
        return {entry.key: entry.value.plain() for entry in self.entries}

    def replaced(self, path: list[str], value: Value) -> Table:
        """The mapping with the value at a path of keys replaced; missing mappings on the way are created."""
        key, rest = path[0], path[1:]
        old = self.get(key)
        if rest:
            inner = old.value if old and isinstance(old.value, Table) else Table((), value.span)
            value = inner.replaced(rest, value)
        if old:
            entries = tuple(replace(entry, value=value) if entry is old else entry for entry in self.entries)
        else:
            entries = (*self.entries, Entry(key, value.span, value))
        return replace(self, entries=entries)


Value: TypeAlias = "Scalar | Listing | Table"


def scalars_in(value: Value) -> Iterator[Scalar]:
    """Every scalar in a value, including those in its lists and mappings, but not keys."""
    if isinstance(value, Scalar):
        yield value
        return
    for item in value.items if isinstance(value, Listing) else [entry.value for entry in value]:
        yield from scalars_in(item)


def texts_in(value: Value) -> Iterator[str]:
    """Every string in a value, including those in its lists and mappings, but not keys."""
    return (scalar.value for scalar in scalars_in(value) if isinstance(scalar.value, str))


def value_of(plain: object, span: Span) -> Value:
    """Convert a plain Python value to a document value at `span`. Raises TypeError for other types than YAML's."""
    if plain is None or isinstance(plain, str | bool | int | float):
        return Scalar(plain, span, quoted=True)
    if isinstance(plain, list | tuple):
        return Listing(tuple(value_of(item, span) for item in plain), span)
    if isinstance(plain, dict):
        return Table(tuple(Entry(str(key), span, value_of(item, span)) for key, item in plain.items()), span)
    raise TypeError(f"a spec consists of numbers, strings, lists and mappings, not {type(plain).__name__}")
