"""Explains YAML syntax errors in the author's terms, and finds typos that YAML accepts.

A typo that YAML accepts (`kernel:3`, `[64 128]`, `relu# why`) is a `Typo`.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from cnngraph.characters import code_point, control, find_look_alike, to_ascii
from cnngraph.diagnostics import Diagnostic, Source, Span
from cnngraph.text import in_backticks

MAX_SEARCHED = 1_000  # characters of a line that are searched
MAX_SHOWN = 500  # characters of a previous line that are used
UNQUOTED_INDEX = re.compile(r":\s*([^\"',{}]*\$[\w.]*\[[^\]]*\][^,}]*)")
# between braces or brackets, a path with an index is not read as a string: `from: halves[1]`
UNQUOTED_PATHS = re.compile(r"""(?<![\w.$"'\]])[A-Za-z_$][\w.$-]*\[[^\[\]"']*\]""")
GLUED = re.compile(r"\s*[\w.]+:[^\s:]")
WORD_BEFORE = re.compile(r"\s(\w+)\s*$")
NUMBERS = re.compile(r"[-+]?\d[\d.]*(?:\s+[-+]?\d[\d.]*)+")
GLUED_KEY = re.compile(r"([A-Za-z_][\w.-]*):(\S.*)", re.DOTALL)
GLUED_COMMENT = re.compile(r"(?<=\S)#(?=\s)")
DRIVE = re.compile(r"[A-Za-z]:\\")
ESCAPE = re.compile(r"\\.?")
SINGLE_QUOTED = re.compile(r"(?<![\w'])'(?:[^']|'')*'(?=[^\s,:\]}#])")
DOUBLE_QUOTED = re.compile(r"(?<![\w\"])\"(?:[^\"\\]|\\.)*\"(?=[^\s,:\]}#])")
GLUED_DASH = re.compile(r"(\s*)-([A-Za-z_{\[].*)")
VALUE = re.compile(r"^(\s*(?:- )?)([\w.-]+): +(.*?)\s*$")
ITEM = re.compile(r"[^,\]}]*")
GLUED_DASHES = re.compile(r"-[A-Za-z_]\w+( -[A-Za-z_]\w+)+")
QUOTE_AHEAD = re.compile(r":\s*('[^']*'\s*[=!<>+*/-][^,}]*)")


def syntax_error(source: Source, error: Exception, too_deep: str) -> Diagnostic:
    """The parser's error in the author's terms; `too_deep` is the message for too deep nesting."""
    opening, mark = (getattr(error, name, None) for name in ("context_mark", "problem_mark"))
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    mark = mark or opening
    if mark is None:
        return Diagnostic("E102", f"{source.name} is not valid YAML: {problem}")
    span = _at(source, mark)
    if "nesting depth" in problem:  # newer parsers have a limit of their own, and read far ahead
        return Diagnostic("E501", too_deep, span)
    if hidden := _hidden(source, span):
        return hidden
    line = source.line(span.line)
    if not line.strip() and span.line > 1:
        line = source.line(span.line - 1)
    start = max(0, mark.column - MAX_SEARCHED // 2)
    line = line[start : start + MAX_SEARCHED]
    unquoted = UNQUOTED_INDEX.search(line) or QUOTE_AHEAD.search(line)
    if unquoted:
        help = f'quote the expression: `"{unquoted.group(1).strip()}"`'
        return Diagnostic("E102", f"invalid YAML: {problem}", span, help=help)
    if paths := UNQUOTED_PATHS.findall(line):
        listed = in_backticks(f'"{path}"' for path in dict.fromkeys(paths))
        help = f"quote a path with an index between braces or brackets: {listed}"
        return Diagnostic("E102", f"invalid YAML: {problem}", span, help=help)
    context: str = getattr(error, "context", None) or ""
    found = _misplaced(source, span, problem)
    if opening is not None:
        found = found or _unfinished(source, context, problem, _at(source, opening), span)
    message, place, advice = found or (f"invalid YAML: {problem}", span, None)
    return Diagnostic("E102", message, place, help=advice)


Complaint = tuple[str, Span, str | None] | None


def _at(source: Source, mark: Any) -> Span:
    return Span(source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)


def _misplaced(source: Source, span: Span, problem: str) -> Complaint:
    """An error at a single position."""
    rest = source.line(span.line)[span.column - 1 :]
    if rest.startswith("\t"):
        return "tabs are not allowed in indentation", span, "indent with spaces"
    if "escape character" in problem:
        return _escape(source, span)
    if "cannot start any token" in problem and rest[:1] in "@`%" and rest[:1]:
        help = f"quote it: `{_quoted_at(source.line(span.line)[:MAX_SEARCHED], span.column)}`"
        return f"an unquoted string cannot start with `{rest[0]}`", span, help
    if rest.startswith(",") and ("expected key" in problem or "expected '-'" in problem):
        return "unexpected comma after a value", span, "remove it: commas separate values only inside `{ }` and `[ ]`"
    for number in (span.line, span.line - 1):
        if dash := GLUED_DASH.fullmatch(source.line(number)[:MAX_SEARCHED]):
            place = Span(source, number, len(dash[1]) + 1, number, len(dash[1]) + 2)
            return DASH, place, f"write `- {dash[2]}`"
    if "mapping values" not in problem and "expected ':'" not in problem:
        return None
    glued = next(
        (number for number in (span.line, span.line - 1) if GLUED.match(source.line(number)[:MAX_SEARCHED])), None
    )
    if glued:
        name, value = source.line(glued)[:MAX_SEARCHED].split(":", 1)
        place = Span(source, glued, 1 + len(name), glued, 2 + len(name))
        return COLON, place, f"write `{name.strip()}: {value.strip()}`"
    if "mapping values" not in problem:
        return None
    line = source.line(span.line)[:MAX_SEARCHED]
    if (written := VALUE.match(line)) and span.column > len(written[1]) + len(written[2]) + 1:
        return (
            "unexpected second colon in a value",
            span,
            f"quote the value: `{_quoted_at(line, written.start(3) + 1)}`",
        )
    help = "check the indentation, or quote the string: a colon followed by a space starts a value"
    return f"invalid YAML: {problem}", span, help


def _early_quote(source: Source, line: int, ended: re.Match[str]) -> Complaint:
    """A quote inside a quoted string, which ends it."""
    text = source.line(line)
    place = Span(source, line, ended.end(), line, ended.end() + 1)
    end = text.rfind(ended[0][0])
    inner = text[ended.start() + 1 : end] if end > ended.end() else ended[0][1:-1]
    if ended[0][0] == "'":
        return "the string ends at this quote", place, f'use double quotes: `"{inner}"`'
    return "the string ends at this quote", place, f"use single quotes: `'{inner}'`"


def _escape(source: Source, span: Span) -> Complaint:
    """A backslash in double quotes that does not start an escape sequence."""
    line = source.line(span.line)
    column = max(line.rfind("\\", 0, span.column), 0)
    found = ESCAPE.match(line, column)
    place = Span(source, span.line, column + 1, span.line, column + 3)
    message = f"`{found[0] if found else 'this'}` is not an escape sequence: in double quotes a backslash starts one"
    return message, place, "use single quotes, or `/` in a path"


def _quoted_at(line: str, column: int) -> str:
    """The unquoted string at a column, in double quotes: the value of a key, or an item up to its comma."""
    written = VALUE.match(line)
    if written and written.start(3) == column - 1:
        return f"{written[2]}: {_quoted(written[3])}"
    return _quoted(ITEM.match(line, column - 1)[0].strip())  # type: ignore[index]  # it matches anything


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _hidden(source: Source, span: Span) -> Diagnostic | None:
    """A character that only looks like the required one, in the line of the error or the one before."""
    for number in (span.line, span.line - 1):
        line = source.line(number)[:MAX_SEARCHED]
        code = line.partition(" #")[0]
        found = find_look_alike(code, name=True)
        if found and code.lstrip()[:1] != "#":
            place = Span(source, number, found.start + 1, number, found.start + 2)
            return Diagnostic("E102", found.message, place, help=f"write `{to_ascii(code, name=True).strip()}`")
    return None


COLON = "missing space after a colon"
DASH = "missing space after a dash"


class Typo(NamedTuple):
    """A typo that YAML accepts: its position in the text, message, help, and the intended text.

    `meant` is empty if no string was intended; then nothing after it can be trusted.
    """

    start: int
    message: str
    help: str
    meant: str = ""


def key_typo(key: str) -> Typo | None:
    """A typo in a key: `params:{a`, `-op`, or a non-breaking space."""
    if found := find_look_alike(key, name=True):
        return Typo(found.start, found.message, f"write `{to_ascii(key, name=True).strip()}`")
    if (glued := GLUED_KEY.fullmatch(key)) and glued[2][0] in "{[":
        return Typo(len(glued[1]), COLON, f"write `{glued[1]}: {glued[2]}…`")
    if dash := GLUED_DASH.fullmatch(key):
        return Typo(0, DASH, f"write `- {dash[2]}`")
    return None


def text_typo(text: str) -> Typo | None:
    """A typo in an unquoted string."""
    if comment := GLUED_COMMENT.search(text):
        rest = text[: comment.start()].rstrip()
        return Typo(
            comment.start(), "missing space before a comment", f"write `{rest}  {text[comment.start() :]}`", rest
        )
    if GLUED_DASHES.fullmatch(text):
        return Typo(0, DASH, f"write `- {text[1:].partition(' ')[0]}`")
    if found := find_look_alike(text):
        meant = to_ascii(text).strip()
        help = f"write `{meant}`, or quote the string if the character is intended"
        structure = any(meant.count(mark) > text.count(mark) for mark in ",[]{}") or ": " in meant
        return Typo(found.start, found.message, help, "" if structure else meant.strip("\"'"))
    return None


def separate_numbers(text: str) -> list[str]:
    """The numbers in `64 128`; an empty list for any other text."""
    return text.split() if NUMBERS.fullmatch(text) else []


def is_escaped_path(text: str, written: str) -> bool:
    r"""Whether a Windows path was written in double quotes, where YAML reads `\n` as a line break."""
    return not text.isprintable() and bool(DRIVE.match(written.lstrip('"')))


def control_character(source: Source) -> Diagnostic | None:
    """The error for the first character that is not allowed in YAML, if any."""
    found = control(source.text)
    if found is None:
        return None
    before = source.text[: found.start()]
    line, column = before.count("\n") + 1, found.start() - before.rfind("\n")
    span = Span(source, line, column, line, column + 1)
    return Diagnostic("E102", f"{code_point(found[0])} is not allowed in YAML", span, help="remove it")


def _unfinished(source: Source, context: str, problem: str, start: Span, span: Span) -> Complaint:
    """An error in something that started further up."""
    line = source.line(span.line)
    if ended := SINGLE_QUOTED.search(line[:MAX_SEARCHED]) or DOUBLE_QUOTED.search(line[:MAX_SEARCHED]):
        return _early_quote(source, span.line, ended)
    before, after = line[: span.column - 1], line[span.column - 1 :]
    if "quoted scalar" in context and "escape" not in problem:
        return "this quote is never closed", start, "add the closing quote at the end of the string"
    if "simple key" in context:
        return "missing colon", start, "write each entry as `name: value`"
    if "flow" in context:
        opened = source.line(start.line)[start.column - 1 :][:1]
        if start.line < span.line:
            closing = {"[": "]", "{": "}"}.get(opened)
            return f"this `{opened}` is never closed", start, f"add the missing `{closing}`"
        word = WORD_BEFORE.search(before[-MAX_SEARCHED:])
        if not word or not after.startswith(":"):
            return None
        return f"missing comma before `{word[1]}`", span, f"write `…, {word[1]}: …`"
    if "alias" in context or "anchor" in context:
        help = f"quote it: `{_quoted_at(source.line(start.line)[:MAX_SEARCHED], start.column)}`"
        return f"an unquoted string cannot start with `{'*' if 'alias' in context else '&'}`", start, help
    if after[:1] in ("}", "]"):
        return f"unmatched `{after[:1]}`", span, "remove it, or add the missing opening bracket"
    listed, item = "sequence" in context or "collection" in context, after.startswith(("- ", "-\n")) or after == "-"
    if before.strip(" -") or not context.startswith("while parsing a block"):
        return None
    if start.column == span.column and listed != item:
        message = "list item among named entries" if item else "named entry among the items of a list"
        return message, span, "name all entries, or start all of them with `-`"
    above = next((index for index in range(span.line - 1, 0, -1) if source.line(index).strip()), 1)
    other = source.line(above)[:MAX_SHOWN]
    name, indent = other.split(":")[0].strip(" -"), len(other) - len(other.lstrip())
    help = f"entries of one mapping must line up: `{name}` on line {above} is indented by {indent} spaces"
    return f"this line's indentation ({span.column - 1}) matches no line above it", span, help
