"""Wrong values: other spellings of the value, and values of the same parameter elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from cnngraph.diagnostics import Diagnostic, Edit, Question, Span
from cnngraph.document import Entry, Table, core_scalar
from cnngraph.fields import TRUTHS, Bool, Kind, fields_of
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.vocabulary import choices_of
from cnngraph.fixes.written import TOKEN, Written, WrittenNode, is_node_key
from cnngraph.language.keys import CARRIES, GIVES
from cnngraph.ops.registry import builtin_ops

MOST_SIBLINGS = 5
UNQUOTE = "write it without quotes"
ONE_MEANING = 1.15  # the maximum cost of a rewritten value that has only one meaning
TRUTH = {**TRUTHS, "1": "true", "0": "false", "none": "false"}
NUMBERS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "none": "0", "zero": "0"}
OPERATORS = (
    (re.compile(r"(?<![=!<>])=(?![=!<>])"), "=="),
    (re.compile(r"=!"), "!="),
    (re.compile(r"=>"), ">="),
    (re.compile(r"=<"), "<="),
    (re.compile(r"<>"), "!="),
    (re.compile(r"\s*&&?\s*"), " and "),
    (re.compile(r"\s*\|\|?\s*"), " or "),
    (re.compile(r"!(?!=)\s*"), "not "),
    (re.compile(r"\^"), "**"),
    (re.compile(r"(?<![/])/(?![/])"), "//"),
    (re.compile(r"==="), "=="),
)


def values(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Other values at an error, and where the value was first written."""
    assert error.span is not None
    seen: set[tuple[int, int]] = set()
    own = [(error.span, "")] + [(cause.span, cause.key) for cause in error.causes[:1] if cause.key]
    for span, key in own:
        if span.source != written.source or (span.line, span.column) in seen:
            continue
        seen.add((span.line, span.column))
        for place, entry in _places(written, span):
            yield from _at(written, place, entry.key if entry else key, entry, error)


def arguments(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """The parameters of the blocks around an error, rewritten."""
    for cause in error.causes:
        node = written.at(cause.span) if not cause.key else None
        for entry in _arguments_of(node) if node is not None else ():
            raw = written.slice(entry.value.span)
            for cost, new in rewritten(written, raw) if raw else ():
                if new != raw and cost <= ONE_MEANING:
                    title = Question(f"`{entry.key}: {new}` at {entry.key_span}")
                    yield Candidate(cost + 0.2, title, (Edit(entry.value.span, new),))


def _arguments_of(node: WrittenNode) -> Iterator[Entry]:
    """The parameters of a node, including those of its first and last iteration."""
    for entry in node.entries:
        if entry.key in ("first", "last") and isinstance(entry.value, Table):
            yield from entry.value
        elif not is_node_key(entry.key) or entry.key == "repeat":
            yield entry


def _places(written: Written, span: Span) -> Iterator[tuple[Span, Entry | None]]:
    """The value at a span: that of an entry, or the scalar that contains the span."""
    entry = written.entry_of(span)
    yield (entry.value.span, entry) if entry else (span, None)
    if entry is None:
        for scalar in written.scalars():
            other = scalar.span
            if other.line == span.line == other.end_line and other.column <= span.column < other.end_column:
                yield other, written.entry_of(other)
                return


def _at(written: Written, span: Span, key: str, entry: Entry | None, error: Diagnostic) -> Iterator[Candidate]:
    raw = written.slice(span)
    if not raw:
        return
    node = written.around(span)
    for cost, new in rewritten(written, raw, key in truths() or error.key in truths()):
        if new != raw:
            guess = key if cost > ONE_MEANING or (key == "out" and len(new) < 2) else ""
            yield Candidate(cost, _title(raw, span, key, new, error), (Edit(span, new),), guess)
    for cost, new, support in (*_options(written, node, key), *_siblings(written, node, key, raw)):
        if new != raw:
            yield Candidate(cost, _title(raw, span, key, new, error), (Edit(span, new),), key or "value", support)
    kind = _kind(node, key)
    if (
        entry is not None
        and kind is not None
        and raw in ("null", "none", "None")
        and (edit := written.remove_entry(entry))
    ):
        yield Candidate(2.4, f"remove `{entry.key}: {raw}`", (edit,))


def _title(raw: str, span: Span, key: str, new: str, error: Diagnostic) -> str:
    """The title of a changed value: `` did you mean `stride: 2` at net.yaml:7? ``"""
    place = f" at {span}" if error.span is None or error.span.line != span.line else ""
    if raw in (f"'{new}'", f'"{new}"') and not place:
        return UNQUOTE
    return Question(f"`{f'{key}: {new}' if key else new}`{place}")


def rewritten(written: Written, raw: str, truth: bool = False) -> Iterator[tuple[float, str]]:
    """The values that the text of a value may stand for, with costs."""
    bare = raw.strip("\"'")
    if bare != raw:
        yield 0.8, bare
    value = core_scalar(bare) if bare else None
    if bare.lower() in TRUTH and (value is bare or truth):
        yield 0.9, TRUTH[bare.lower()]
    if bare.lower() in NUMBERS:
        yield 1.1, NUMBERS[bare.lower()]
    if isinstance(value, float) and abs(value) < 1e9:
        yield 1.1, str(int(value))
        yield 1.2, str(int(value) + 1)
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        yield 1.0, str(-value)
    if unit := re.fullmatch(r"(\d+)\s*[A-Za-z]+", bare):
        yield 1.0, unit[1]
    if isinstance(value, str) and re.fullmatch(r"[-+\d,_ ']+", bare) and any(character.isdigit() for character in bare):
        yield 1.0, re.sub(r"[^-+\d]", "", bare)
    if isinstance(value, str):
        yield from _expressions(written, raw, bare)


def _expressions(written: Written, raw: str, bare: str) -> Iterator[tuple[float, str]]:
    """Corrections of an expression: operators of other languages, and missing `$`."""
    for pattern, right in OPERATORS:
        if pattern.search(bare):
            yield 1.0, raw[: raw.index(bare)] + pattern.sub(right, bare) + raw[raw.index(bare) + len(bare) :]
    if not bare.startswith("$") and ":" not in bare:
        yield from ((1.1, f"${bare}"), (1.3, f'"${bare}"'))
    tokens = [token for token in TOKEN.finditer(raw) if not raw[: token.start()].endswith(("$", "."))]
    for match in tokens[:6]:
        yield 1.1, f"{raw[: match.start()]}${raw[match.start() :]}"
    if len(tokens) > 1:
        names = {*(param.key for param in written.params), "in", "from", "i", "item"}
        for block in written.blocks.values():
            names |= {param.key for param in block.params}
        dollars = TOKEN.sub(lambda m: m[0] if raw[: m.start()].endswith("$") or m[0] not in names else f"${m[0]}", raw)
        yield 1.0, dollars


@cache
def truths() -> frozenset[str]:
    """The keys and parameters that take a boolean."""
    fields = [field for op in builtin_ops().values() for field in fields_of(op).values()]
    return frozenset({"flat", "unused", "when", *(field.name for field in fields if isinstance(field.kind, Bool))})


def _kind(node: WrittenNode | None, key: str) -> Kind | None:
    op = builtin_ops().get(node.op) if node else None
    field = fields_of(op).get(key) if op else None
    return field.kind if field else None


def _options(written: Written, node: WrittenNode | None, key: str) -> Iterator[tuple[float, str, int]]:
    """The options of a parameter that has only a few."""
    kind = _kind(node, key)
    options = list(choices_of(kind)) if kind else []
    if isinstance(kind, Bool) or key in ("flat", "unused", "bias"):
        options += ["true", "false"]
    if key == "carry":
        options += CARRIES
    if key == "gives":
        options += GIVES
    for option in options:
        support = written.values.get(key, Counter())[option]
        yield 2.2 - 0.1 * min(support, 5), option, support


def _siblings(written: Written, node: WrittenNode | None, key: str, raw: str) -> Iterator[tuple[float, str, int]]:
    """The values of the same parameter elsewhere, those of the same op first, most frequent first."""
    for rank, (value, times) in enumerate(usual_counts(written, node.op if node else "", key, raw)):
        yield 2.0 + 0.2 * rank, value, times


def usual(written: Written, op: str, key: str, other_than: str = "") -> list[str]:
    """The values that a parameter has elsewhere in the file, likeliest first."""
    return [text for text, _ in usual_counts(written, op, key, other_than)]


def usual_counts(written: Written, op: str, key: str, other_than: str = "") -> list[tuple[str, int]]:
    """The same with their numbers of occurrences; those in the same op count ten times."""
    counts = dict(written.values.get(key, {}))
    for node in written.nodes:
        entry = node.get(key)
        text = written.slice(entry.value.span) if entry and node.op == op else ""
        if text in counts:
            counts[text] += 10
    counts.pop(other_than, None)
    found = [
        (text, times) for text, times in sorted(counts.items(), key=lambda pair: -pair[1]) if text and "{" not in text
    ]
    return found[:MOST_SIBLINGS]


def from_params(written: Written, node: WrittenNode | None, key: str) -> list[str]:
    """Params that a value may come from: unused ones, and those with the parameter's name."""
    block = node.scope.block if node else None
    found: list[str] = []
    if block is not None:
        found += [param.key for param in block.params if param.key == key]
        found += written.unused_params(block)
    found += [param.key for param in written.params if param.key == key]
    found += written.unused_params()
    expressions = [f"${name}" for name in dict.fromkeys(found)]
    if node is not None and key == "groups" and node.op != "channel_shuffle":  # depthwise
        out = node.get("out")
        text = written.slice(out.value.span) if out else ""
        expressions += [text] if "$" in text else ["$from.channels"]
    return list(dict.fromkeys(expressions))


def missing(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Add a missing parameter: from a param of the same name, or with a value used elsewhere."""
    assert error.span is not None
    key, node = error.key, written.at(error.span) or written.around(error.span)
    if error.code != "E206" or not key or node is None:
        return
    values_: list[tuple[float, str, int]] = []
    values_ += [(0.8 + 0.1 * rank, text, -1) for rank, text in enumerate(from_params(written, node, key))]
    counts = usual_counts(written, node.op, key)
    values_ += [(1.5 + 0.2 * rank, text, times) for rank, (text, times) in enumerate(counts)]
    if key == "out":  # any number would be valid
        values_ = [value for value in values_ if value[2] < 0]
    for cost, text, times in values_:
        edit = written.add_entry(node, key, text)
        if edit:
            title = f"add `{key}: {text}` to the `{node.op or 'node'}` at {node.start}"
            yield Candidate(cost, title, (edit,), key if times >= 0 else "", times)
