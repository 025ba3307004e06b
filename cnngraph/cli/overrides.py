"""Parses `--set` and `--input` to values with their locations on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import click

from cnngraph.diagnostics import Source, Span
from cnngraph.document import Entry, Listing, Scalar, Table, Value, parse
from cnngraph.language.load import Override

COMMAND_LINE = "command line"  # the file name in diagnostics about options
INPUT = re.compile(r"(?:([A-Za-z_]\w*)=)?(\d{1,9}(?:[x×]\d{1,9})*)")
NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def override(text: str) -> Override:
    """Parse `classes=4`: a param and its value in YAML. Raises click.BadParameter."""
    from cnngraph.recipe.changed import in_recipe

    name, equals, written = text.partition("=")
    if not equals:
        raise _bad("--set", f"{text} must have the form NAME=VALUE, such as classes=4")
    if not NAME.fullmatch(name) or name == "train":
        raise _bad("--set", f"{text} must start with the name of a param, such as classes=4")
    shown = f"--set {text}"
    value, errors = parse(Source(COMMAND_LINE, " " * (len(shown) - len(written)) + written))
    if errors:
        raise _bad("--set", f"{text}: {errors[0].message}")
    if value is None:
        raise _bad("--set", f"{text} has no value; write null, or '' for an empty string")
    return Override(name, _in(Source(COMMAND_LINE, shown), value), in_recipe(name))


def shape(texts: Sequence[str]) -> Value:
    """Parse `3x320x320` to a list of sizes, or `left=3x32x32` etc. to a mapping. Raises click.BadParameter."""
    entries: list[Entry] = []
    for text in texts:
        found = INPUT.fullmatch(text)
        if not found or not all(map(int, re.split("[x×]", found[2]))):
            raise _bad("--input", f"{text} is not a shape such as 3x224x224 (channels, height, width)")
        name, sizes = found[1], _sizes(text, found)
        if not name and len(texts) == 1:
            return sizes
        if not name:
            raise _bad("--input", f"several inputs need names, such as --input left={text}")
        if name in (entry.key for entry in entries):
            raise _bad("--input", f"{name} is set twice")
        entries.append(Entry(name, _span(sizes.span.source, len("--input "), len("--input ") + len(name)), sizes))
    return Table(tuple(entries), entries[0].value.span)


def _bad(option: str, message: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint=option)


def _sizes(text: str, found: re.Match[str]) -> Listing:
    shown = f"--input {text}"
    source, start = Source(COMMAND_LINE, shown), len(shown) - len(found[2])
    items = [
        Scalar(int(size[0]), _span(source, start + size.start(), start + size.end()))
        for size in re.finditer(r"\d+", found[2])
    ]
    return Listing(tuple(items), _span(source, start, len(shown)))


def _span(source: Source, start: int, end: int) -> Span:
    return Span(source, 1, start + 1, 1, end + 1)


def _in(source: Source, value: Value) -> Value:
    """The value with its locations moved to another source."""
    span = replace(value.span, source=source)
    match value:
        case Scalar():
            return replace(value, span=span)
        case Listing(items=items):
            return Listing(tuple(_in(source, item) for item in items), span)
        case Table(entries=entries):
            moved = [
                Entry(entry.key, replace(entry.key_span, source=source), _in(source, entry.value)) for entry in entries
            ]
            return Table(tuple(moved), span)
