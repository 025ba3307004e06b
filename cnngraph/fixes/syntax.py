"""YAML typos: adds, removes or replaces single characters near the location of a syntax error."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cnngraph.diagnostics import Diagnostic, Edit
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.written import COMMENT, Written
from cnngraph.syntax_errors import UNQUOTED_PATHS

MOST_LINES = 4  # above the error
CLOSING = {"{": "}", "[": "]"}


def slips(written: Written, error: Diagnostic, above: int = MOST_LINES) -> Iterator[Candidate]:
    """Changes of one or two characters on the line of an error and those above it."""
    assert error.span is not None
    for distance, number in enumerate(range(error.span.line, max(0, error.span.line - above), -1)):
        if number > len(written.lines):
            continue
        line = COMMENT.sub("", written.lines[number - 1]).rstrip()
        for cost, start, end, new, what in _changes(written, number, line):
            edit = Edit(written.place(number, start + 1, end + 1), new)
            cost += 0.3 * distance + (0.001 * abs(start + 1 - error.span.column) if not distance else 0.0)
            yield Candidate(cost, f"{what} at {error.span.file}:{number}", (edit,))


Change = tuple[float, int, int, str, str]


def _changes(written: Written, number: int, line: str) -> Iterator[Change]:
    yield from _tabs(line)
    yield from _colons(line)
    yield from _commas(line)
    yield from _brackets(line)
    yield from _quotes(line)
    yield from _indentation(written, number, line)


def _tabs(line: str) -> Iterator[Change]:
    match = re.match(r"[ \t]*\t[ \t]*", line)
    if match:
        for width in (2, 4, 6, 8):
            yield 0.8, 0, match.end(), " " * width, "indent with spaces"


def _colons(line: str) -> Iterator[Change]:
    for match in re.finditer(r"(?<=\w):(?=[^\s:])", line):
        yield 0.9, match.start(), match.end(), ": ", "add a space after the colon"
    for match in re.finditer(r"(?<=[{,])\s*(\w+) (?=[^\s:,}\]]+)", line):
        yield 1.0, match.end() - 1, match.end(), ": ", f"add a colon after `{match[1]}`"
    match_ = re.match(r"\s*(?:- )?([\w.$-]+) +(?=\S)", line)
    if match_ and not line[match_.end(1) :].startswith(":"):
        yield 1.0, match_.end(1), match_.end(), ": ", f"add a colon after `{match_[1]}`"
    bare = re.fullmatch(r"\s*(?:- )?([\w.$]+)", line)
    if bare:
        yield 1.1, len(line), len(line), ":", f"add a colon after `{bare[1]}`"


def _commas(line: str) -> Iterator[Change]:
    for match in re.finditer(r"(?<=[\w\]}\"'])\s+(?=[\w.]+:(\s|$))", line):
        yield 1.0, match.start(), match.end(), ", ", "add the missing comma"
    for match in re.finditer(r"(?<=[\w\]}\"'])\s+(?=[\w\[{\"'$])", line):
        yield 1.5, match.start(), match.end(), ", ", "add the missing comma"
    for match in re.finditer(r",(?=\s*[,}\]])", line):
        yield 1.6, match.start(), match.end(), "", "remove the comma"


def _brackets(line: str) -> Iterator[Change]:
    opened = list(_unmatched(line))
    for at, bracket in opened:
        if bracket in "}]":
            yield 1.0, at, at + 1, "", f"remove the `{bracket}`"
    missing = "".join(CLOSING[bracket] for _, bracket in reversed(opened) if bracket in CLOSING)
    for closing in dict.fromkeys([missing, *missing, "}", "]"]):
        if closing:
            yield 1.0 if closing == missing else 1.4, len(line), len(line), closing, f"add the missing `{closing}`"
            for match in list(re.finditer(r"(?=, [\w.]+: )|(?=[}\]])|(?=, [{\[\w\"'$])", line)):
                yield 1.3, match.start(), match.start(), closing, f"add the missing `{closing}`"
    more = sum(bracket in "}]" for _, bracket in opened)
    for bracket in "[{":
        for match in re.finditer(r"(?<=: )(?=\S)|(?<=[\[,] )(?=\w)|(?<=[\[{])(?=\S)|(?<=- )(?=\w)", line):
            yield 1.4, match.start(), match.start(), bracket, f"add the missing `{bracket}`"
    for match in re.finditer(r"[\]}]", line):
        yield 1.1 if more else 1.7, match.start(), match.end(), "", f"remove the `{match[0]}`"
        yield (
            1.6,
            match.start(),
            match.end(),
            "]" if match[0] == "}" else "}",
            "replace it with the matching bracket",
        )


def _unmatched(line: str) -> Iterator[tuple[int, str]]:
    """The unmatched brackets of a line."""
    waiting: list[tuple[int, str]] = []
    for at, letter in enumerate(line):
        if letter in CLOSING:
            waiting.append((at, letter))
        elif letter in "}]":
            if waiting and CLOSING[waiting[-1][1]] == letter:
                waiting.pop()
            else:
                yield at, letter
    yield from waiting


def _quotes(line: str) -> Iterator[Change]:
    for quote in "\"'":
        if line.count(quote) % 2:
            for match in re.finditer(r"$|(?=[,}\]]+)", line):
                yield 1.1, match.start(), match.start(), quote, "add the missing closing quote"
            for match in re.finditer(r"(?<=: )(?=\S)|(?<=, )(?=\S)|(?<=\[)(?=\S)", line):
                yield 1.2, match.start(), match.start(), quote, "add the missing opening quote"
            for match in list(re.finditer(r"(?<=\w)(?!\w)|(?<!\w)(?=\w)", line))[-40:]:
                yield 1.3, match.start(), match.start(), quote, "add the missing quote"
            for match in re.finditer(quote, line):
                yield 1.5, match.start(), match.end(), "", "remove the quote"
    for match in re.finditer(r": ([^\"'{\[,}\]][^,}]*[\[{(][^\"']*?[\])}])(?=[,}]|$)", line):
        yield 1.0, match.start(1), match.end(1), f'"{match[1]}"', "quote the expression"
    if paths := list(UNQUOTED_PATHS.finditer(line)):
        start, end = paths[0].start(), paths[-1].end()
        yield 0.9, start, end, UNQUOTED_PATHS.sub(r'"\g<0>"', line[start:end]), "quote the path"
    for match in re.finditer(r"(?<=: )([^\"'\s\[{][^\"']*?)(?=(, [\w.]+: )|}|$)", line):
        if match[1]:
            yield 1.4, match.start(1), match.end(1), f'"{match[1]}"', "quote the string"


def _indentation(written: Written, number: int, line: str) -> Iterator[Change]:
    indent = len(line) - len(line.lstrip())
    if not line.strip():
        return
    near = written.lines[max(0, number - 6) : number + 5]
    widths = {len(line_) - len(line_.lstrip()) for line_ in near if line_.strip()}
    above = written.lines[number - 2] if number > 1 else ""
    last = len(above) - len(above.lstrip())
    for width in sorted({*widths, last, last + 2, max(0, last - 2)}, key=lambda width: abs(width - indent)):
        if width != indent:
            yield 1.2 + 0.1 * abs(width - indent), 0, indent, " " * width, f"indent by {width} spaces"
