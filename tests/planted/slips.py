"""The registry of slips, and helpers that pick a place and edit it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from cnngraph.diagnostics import Edit, Span
from cnngraph.ops.registry import builtin_ops
from tests.planted.places import Place, ValidSpec

LETTERS = "abcdefghijklmnopqrstuvwxyz"
Slip = tuple[Edit, str]
Kind = Callable[[list[Place], ValidSpec, Random], Slip | None]
KINDS: dict[str, Kind] = {}


def kind(function: Kind) -> Kind:
    """Register a kind under its function's name."""
    KINDS[function.__name__] = function
    return function


def misspell(word: str, random: Random) -> str:
    """A word with one letter added, removed or replaced, or two letters swapped."""
    at = random.randrange(len(word))
    match random.choice(["more", "less", "other", "swap"]):
        case "more":
            return word[:at] + random.choice(LETTERS) + word[at:]
        case "less" if len(word) > 2:
            return word[:at] + word[at + 1 :]
        case "swap" if len(word) > 2 and at + 1 < len(word) and word[at] != word[at + 1]:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + random.choice([letter for letter in LETTERS if letter != word[at]]) + word[at + 1 :]


def pick(found: list[Place], random: Random, role: str, test: Callable[[Place], bool] = lambda _: True) -> Place | None:
    fitting = [place for place in found if place.role == role and test(place)]
    return random.choice(fitting) if fitting else None


def misspelt(place: Place | None, random: Random) -> Slip | None:
    if place is None or not isinstance(place.value, str) or len(place.value) < 2 or "$" in place.value:
        return None
    new = misspell(place.value, random)
    return Edit(place.span, new), f"{place.value} → {new}"


def changed(place: Place | None, new: object) -> Slip | None:
    return (Edit(place.span, str(new)), f"{place.key}: {place.value} → {new}") if place is not None else None


def is_map(place: Place) -> bool:
    return isinstance(place.value, list) and [type(size) for size in place.value] == [int, int, int]


def is_op(place: Place) -> bool:
    return place.value in builtin_ops()


def removed(place: Place | None, spec: ValidSpec) -> Slip | None:
    """An edit that removes an entry of a flow mapping with one adjacent comma."""
    if place is None or place.entry_span is None or place.entry_span.line != place.entry_span.end_line:
        return None
    entry = place.entry_span
    line = spec.text.splitlines()[entry.line - 1]
    start, end = entry.column - 1, entry.end_column - 1
    if line[end : end + 2] == ", ":
        end += 2
    elif line[start - 2 : start] == ", ":
        start -= 2
    elif line[start - 1 : start] != "{":
        return None
    return Edit(Span(entry.source, entry.line, start + 1, entry.line, end + 1), ""), f"{place.value} removed"


def in_comment(text: str, at: int) -> bool:
    return "#" in text[text.rfind("\n", 0, at) + 1 : at]


def plain(value: object) -> str:
    return f'"{value}"' if any(bracket in str(value) for bracket in "{}[]") else str(value)


def source_text(text: str, span: Span) -> str:
    return text.splitlines()[span.line - 1][span.column - 1 : span.end_column - 1]


def line_of(spec: ValidSpec, place: Place) -> str:
    return spec.text.splitlines()[place.span.line - 1]


def end_of(span: Span) -> Span:
    return Span(span.source, span.end_line, span.end_column, span.end_line, span.end_column)


def span_of(found: list[Place], text: str, start: int, end: int) -> Span:
    def at(offset: int) -> tuple[int, int]:
        return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)

    return Span(found[0].span.source, *at(start), *at(end))
