"""The values of a document, each with its place in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from cnngraph.diagnostics import Span

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, truth value or null, and where it stands. `quoted`: it was written in quotes."""

    value: str | int | float | bool | None
    span: Span
    quoted: bool = False

    def plain(self) -> Plain:
        """The value without its place."""
        return self.value


@dataclass(frozen=True, slots=True)
class Listing:
    """A list."""

    items: tuple[Value, ...]
    span: Span

    def plain(self) -> Plain:
        """The value without its place."""
        return [each.plain() for each in self.items]


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` of a table."""

    key: str
    key_span: Span
    value: Value


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with text keys, in the order of the file."""

    entries: tuple[Entry, ...]
    span: Span

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def get(self, key: str) -> Entry | None:
        """The entry of that key."""
        return next((each for each in self.entries if each.key == key), None)

    def plain(self) -> Plain:
        """The value without its place."""
        return {each.key: each.value.plain() for each in self.entries}

    def replaced(self, path: list[str], value: Value) -> Table:
        """A table with the value at a path of keys laid in; tables on the way are made where they are missing."""
        key, rest = path[0], path[1:]
        old = self.get(key)
        if rest:
            inner = old.value if old and isinstance(old.value, Table) else Table((), value.span)
            value = inner.replaced(rest, value)
        if old:
            entries = tuple(replace(each, value=value) if each is old else each for each in self.entries)
        else:
            entries = (*self.entries, Entry(key, value.span, value))
        return replace(self, entries=entries)


Value: TypeAlias = "Scalar | Listing | Table"


def texts_in(value: Value) -> Iterator[str]:
    """Every text of a value, those in its lists and mappings too; no keys."""
    if isinstance(value, Scalar):
        if isinstance(value.value, str):
            yield value.value
        return
    for each in value.items if isinstance(value, Listing) else [entry.value for entry in value]:
        yield from texts_in(each)


def value_of(plain: object, span: Span) -> Value:
    """A plain Python value as a document's, all of it at one place. Raises TypeError for what YAML does not have."""
    if plain is None or isinstance(plain, str | bool | int | float):
        return Scalar(plain, span, quoted=True)
    if isinstance(plain, list | tuple):
        return Listing(tuple(value_of(each, span) for each in plain), span)
    if isinstance(plain, dict):
        return Table(tuple(Entry(str(key), span, value_of(each, span)) for key, each in plain.items()), span)
    raise TypeError(f"a spec consists of numbers, strings, lists and mappings, not {type(plain).__name__}")
