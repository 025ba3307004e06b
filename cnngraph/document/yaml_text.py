"""Parses YAML into values with source locations. The only module that imports yaml.

Safe for untrusted text: no tags, anchors, aliases or merge keys, bounded size and nesting, and only scalars, lists
and mappings are constructed. Scalars follow YAML 1.2's core schema; a duplicate key is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NoReturn

import yaml

from cnngraph.diagnostics import Diagnostic, DiagnosticList, Source, Span
from cnngraph.document.files import LIMITS, RAISE, Limits
from cnngraph.document.scalars import core_scalar
from cnngraph.document.values import Entry, Listing, Scalar, Table, Value
from cnngraph.syntax_errors import (
    COLON,
    GLUED_KEY,
    Typo,
    control_character,
    is_escaped_path,
    key_typo,
    separate_numbers,
    syntax_error,
    text_typo,
)

MAX_CUT = 9  # digits after a decimal comma
MAX_KEY = 500  # characters
MAX_NESTING = 100
TOO_DEEP = f"nested more than {MAX_NESTING} levels deep"
LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FREE_TEXT = frozenset({"about", "paper", "name"})  # keys with free text, which is not checked for typos
INSTEAD_OF_ANCHOR = "define a block and use it twice: `blocks: {name: {op: …}}`, then `op: name`"
# more digits than an integer of 64 bits has; a float is written with up to 17, and with zeros before them
HUGE_NUMBER = re.compile(r"[-+]?([0-9]{19,}|[0-9.]{40,})([eE].*)?|0[ox][0-9a-fA-F]{16,}|[-+0-9.]+[eE][-+]?[0-9]{4,}")


def parse(source: Source, limits: Limits = LIMITS) -> tuple[Value | None, list[Diagnostic]]:
    """Parse a text. Returns its value, None if nothing can be read, and the errors in its YAML."""
    if wrong := control_character(source):
        return None, [wrong]
    reader = _Reader(source, limits)
    try:
        value = reader.document()
    except yaml.YAMLError as error:
        wrong = syntax_error(source, error, TOO_DEEP)
        near = wrong.line and reader.diagnostics and reader.diagnostics[-1].line in (wrong.line, wrong.line - 1)
        return None, reader.diagnostics if near else [*reader.diagnostics, wrong]
    except _RefusedError as refused:
        return None, [*reader.diagnostics, refused.diagnostic]
    return value, reader.diagnostics


class _RefusedError(Exception):
    """The text exceeds a limit or uses an unsupported YAML feature; reading stops."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class _Reader:
    """Builds values from the parser's events, so that expansion, construction and nesting are bounded."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.diagnostics = DiagnosticList()
        self.values = 0
        self.events: Iterator[yaml.Event] = yaml.parse(source.text, Loader=LOADER)

    def document(self) -> Value | None:
        value = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _RefusedError(
                        Diagnostic("E102", "a file must contain a single YAML document", self.span(event))
                    )
            elif isinstance(event, yaml.NodeEvent):
                value = self.value(event, 0)
        return value

    def value(self, event: yaml.Event, depth: int, key: str = "") -> Value:
        self.check(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, key)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Value] = []
            for inner in self.events:
                if isinstance(inner, yaml.SequenceEndEvent):
                    return Listing(self.split_numbers(items), self.span(event, inner))
                items.append(self.value(inner, depth + 1, key))
        return self.table(event, depth)

    def scalar(self, event: yaml.ScalarEvent, key: str) -> Scalar:
        """A scalar; typos in it are reported and corrected."""
        plain = not event.style  # None or an empty string, depending on the loader
        text, span = event.value, self.span(event)
        if plain and key not in FREE_TEXT and (typo := text_typo(text)):
            self.report_typo(typo, span)
            if not typo.meant:
                raise _RefusedError(self.diagnostics.pop())
            text = typo.meant
        elif event.style == '"' and is_escaped_path(text, self.source.line(span.line)[span.column - 1 :]):
            message = "in double quotes a backslash starts an escape sequence"
            self.diagnostics.append(Diagnostic("E102", message, span, help="use single quotes, or `/` in a path"))
        return Scalar(core_scalar(text) if plain else text, span, not plain)

    def report_typo(self, typo: Typo, span: Span) -> None:
        """Report a typo in an unquoted string, at its character if that is on the first line."""
        column = span.column + typo.start
        if span.line == span.end_line or column <= len(self.source.line(span.line)):
            span = Span(self.source, span.line, column, span.line, column + 1)
        self.diagnostics.append(Diagnostic("E102", typo.message, span, help=typo.help))

    def split_numbers(self, items: list[Value]) -> tuple[Value, ...]:
        """To YAML, `[64 128]` has one item: report the missing comma and continue with two."""
        found: list[Value] = []
        for item in items:
            text = item.value if isinstance(item, Scalar) and not item.quoted else None
            numbers = separate_numbers(text) if isinstance(text, str) else []
            if not numbers:
                found.append(item)
                continue
            message = f"missing comma between `{numbers[0]}` and `{numbers[1]}`"
            help = f"write `{', '.join(numbers)}`"
            self.diagnostics.append(Diagnostic("E102", message, item.span, help=help))
            found += [Scalar(core_scalar(number), item.span) for number in numbers]
        return tuple(found)

    def split_glued_key(self, key: str, value: Value, span: Span) -> tuple[str, Value]:
        """To YAML, `{kernel:3}` is a key without a value: report the missing space and continue with `kernel: 3`."""
        glued = GLUED_KEY.fullmatch(key) if isinstance(value, Scalar) and value.value is None else None
        if glued is None:
            return key, value
        self.report_typo(Typo(len(glued[1]), COLON, f"write `{glued[1]}: {glued[2]}`"), span)
        return glued[1], Scalar(core_scalar(glued[2]), span)

    def table(self, start: yaml.Event, depth: int) -> Table:
        entries: dict[str, Entry] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                return Table(self.join_split_values(list(entries.values())), self.span(start, event))
            self.check(event, depth)
            span = self.span(event)
            key = self.key(event)
            value = self.value(next(self.events), depth + 1, key)
            if isinstance(event, yaml.ScalarEvent) and not event.style:
                key, value = self.split_glued_key(key, value, span)
            if key in entries:
                first = entries[key].key_span
                notes = (f"the first `{key}` is at {first}",)
                message, help = f"duplicate key `{key}`", "remove one of them"
                self.diagnostics.append(Diagnostic("E103", message, span, notes=notes, help=help, key=key))
                continue
            entries[key] = Entry(key, span, value)
        raise AssertionError("the parser always ends a mapping")

    def key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self.refuse("E102", "a key must be a string", event)
        key: str = event.value
        if key == "<<":
            self.refuse("E104", "YAML merge keys are not supported", event, INSTEAD_OF_ANCHOR)
        if len(key) > MAX_KEY:
            self.refuse("E501", f"the key has {len(key):,} characters, the maximum is {MAX_KEY}", event)
        if not event.style and (typo := key_typo(key)):
            self.report_typo(typo, self.span(event))
            raise _RefusedError(self.diagnostics.pop())
        return key

    def join_split_values(self, entries: list[Entry]) -> tuple[Entry, ...]:
        """To YAML, `{k: min($x, 2)}` has two keys: report the unquoted comma and continue with the intended value."""
        joined: list[Entry] = []
        for entry in entries:
            before = joined[-1] if joined else None
            if before and (number := _cut_number(before, entry)):
                joined[-1] = replace(before, value=number[0])
                message = f"the value of `{before.key}` ends at the comma"
                self.diagnostics.append(Diagnostic("E105", message, before.value.span, help=number[1]))
            elif before and _continues(before.value, entry.value):
                text = f"{before.value.plain()}, {entry.key}"
                help = f'quote the value: `{before.key}: "{text}"`'
                meant: Value = Scalar(text, before.value.span, True)
                if text.startswith("(") and text.endswith(")") and "$" not in text:  # a Python tuple
                    help = f"write a list: `{before.key}: [{text[1:-1]}]`"
                    parts = [core_scalar(part.strip()) for part in text[1:-1].split(",")]
                    meant = Listing(tuple(Scalar(part, before.value.span) for part in parts), before.value.span)
                message = f"the value of `{before.key}` ends at the comma"
                self.diagnostics.append(Diagnostic("E105", message, before.value.span, help=help))
                joined[-1] = replace(before, value=meant)
            else:
                joined.append(entry)
        return tuple(joined)

    def check(self, event: yaml.Event, depth: int) -> None:
        self.values += 1
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):  # always undefined: an anchor stops reading
            message = f"`*{event.anchor}` is a YAML alias, and aliases are not supported"
            help = f'quote it if it is a pattern: `"*{event.anchor}"`; to reuse a node, {INSTEAD_OF_ANCHOR}'
            self.refuse("E104", message, event, help)
        if getattr(event, "anchor", None):
            self.refuse("E104", "YAML anchors and aliases are not supported", event, INSTEAD_OF_ANCHOR)
        if tag and tag != "!":
            self.refuse("E104", f"the YAML tag `{tag[:40]}` is not supported", event, "remove it")
        if depth > MAX_NESTING:
            self.refuse("E501", TOO_DEEP, event)
        if self.values > self.limits.values:
            self.refuse("E501", f"{self.source.name} has more than {self.limits.values:,} values", event, RAISE)
        if isinstance(event, yaml.ScalarEvent) and not event.style and HUGE_NUMBER.fullmatch(event.value):
            self.refuse("E501", "the number has more than 18 digits", event)

    def refuse(self, code: str, message: str, event: yaml.Event, help: str | None = None) -> NoReturn:
        raise _RefusedError(Diagnostic(code, message, self.span(event), help=help))

    def span(self, start: yaml.Event, end: yaml.Event | None = None) -> Span:
        first, last = start.start_mark, (end or start).end_mark
        assert first is not None  # the parser sets marks on all events
        assert last is not None
        return Span(self.source, first.line + 1, first.column + 1, last.line + 1, last.column + 1)


def _continues(value: Value, after: Value) -> bool:
    """Whether a value has an unclosed bracket and is followed by a key without a value."""
    if not (isinstance(value, Scalar) and isinstance(value.value, str) and isinstance(after, Scalar)):
        return False
    text = value.value
    opened = text.count("(") > text.count(")") or text.count("[") > text.count("]")
    return opened and after.value is None and not value.quoted


def _cut_number(before: Entry, after: Entry) -> tuple[Value, str] | None:
    """The intended value of `p: 0,5` or `kernel: 3,3`, which YAML reads as two keys, and how to write it."""
    first, span = before.value.plain(), before.value.span
    if isinstance(first, bool) or not isinstance(first, int) or not after.key.isdecimal():
        return None
    if not isinstance(after.value, Scalar) or after.value.value is not None or len(after.key) > MAX_CUT:
        return None
    written = f"{before.key}: {first}.{after.key}"
    if first == 0:
        return Scalar(float(f"0.{after.key}"), span), f"write a decimal point: `{written}`"
    pair = Listing((Scalar(first, span), Scalar(int(after.key), span)), span)
    return pair, f"write a list, `{before.key}: [{first}, {after.key}]`, or a decimal point: `{written}`"
