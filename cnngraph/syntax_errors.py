"""What a YAML parser complains of, in the terms of the person who wrote the text."""

from __future__ import annotations

import re
from typing import Any

from cnngraph.diagnostics import Diagnostic, Source, Span

MAX_SEARCHED = 1_000  # characters of a line that are searched for what wants quotes
MAX_SHOWN = 500  # characters of a line above
UNQUOTED_INDEX = re.compile(r":\s*([^\"',{}]*\$[\w.]*\[[^\]]*\][^,}]*)")
GLUED = re.compile(r"\s*[\w.]+:[^\s:]")
WORD_BEFORE = re.compile(r"\s(\w+)\s*$")
QUOTE_AHEAD = re.compile(r":\s*('[^']*'\s*[=!<>+*/-][^,}]*)")


def syntax_error(source: Source, error: Exception, too_deep: str) -> Diagnostic:
    """The parser's complaint in the author's terms; `too_deep` is what is said of a bound on nesting."""
    began, mark = (getattr(error, name, None) for name in ("context_mark", "problem_mark"))
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    mark = mark or began
    if mark is None:
        return Diagnostic("E102", f"{source.name} is not YAML: {problem}")
    span = _at(source, mark)
    if "nesting depth" in problem:  # newer parsers have a bound of their own, and look far ahead
        return Diagnostic("E501", too_deep, span)
    line = source.line(span.line)
    if not line.strip() and span.line > 1:
        line = source.line(span.line - 1)
    start = max(0, mark.column - MAX_SEARCHED // 2)
    line = line[start : start + MAX_SEARCHED]
    unquoted = UNQUOTED_INDEX.search(line) or QUOTE_AHEAD.search(line)
    if unquoted:
        help = f'quote the expression: "{unquoted.group(1).strip()}"'
        return Diagnostic("E102", f"this is not YAML: {problem}", span, help=help)
    context: str = getattr(error, "context", None) or ""
    found = _misplaced(source, span, problem)
    if began is not None:
        found = found or _unfinished(source, context, _at(source, began), span)
    message, place, mend = found or (f"this is not YAML: {problem}", span, None)
    return Diagnostic("E102", message, place, help=mend)


type_of_complaint = tuple[str, Span, str | None] | None


def _at(source: Source, mark: Any) -> Span:
    return Span(source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)


def _misplaced(source: Source, span: Span, problem: str) -> type_of_complaint:
    """A complaint about one place alone."""
    if source.line(span.line)[span.column - 1 :].startswith("\t"):
        return "a tab cannot indent", span, "indent with spaces, not with tabs"
    if "mapping values" not in problem and "expected ':'" not in problem:
        return None
    glued = next((each for each in (span.line, span.line - 1) if GLUED.match(source.line(each)[:MAX_SEARCHED])), None)
    if glued:
        name, value = source.line(glued)[:MAX_SEARCHED].split(":", 1)
        place = Span(source, glued, 1 + len(name), glued, 2 + len(name))
        return "a colon needs a space behind it", place, f"{name.strip()}: {value.strip()}"
    if "mapping values" not in problem:
        return None
    help = "a colon and a space begin a value: check the indentation, or quote the text"
    return f"this is not YAML: {problem}", span, help


def _unfinished(source: Source, context: str, began: Span, span: Span) -> type_of_complaint:
    """A complaint about something that began further up and does not go on as it should."""
    line = source.line(span.line)
    before, after = line[: span.column - 1], line[span.column - 1 :]
    if "quoted scalar" in context:
        return "this quote is not closed", began, "it needs a second one at the end of the text"
    if "simple key" in context:
        return "a colon is missing here", began, "a name, a colon and a space begin each entry"
    if "flow" in context:
        opened = source.line(began.line)[began.column - 1 :][:1]
        if began.line < span.line:
            closing = {"[": "]", "{": "}"}.get(opened, "")
            return f"this {opened} is not closed", began, f"a {closing} is missing at its end"
        word = WORD_BEFORE.search(before[-MAX_SEARCHED:])
        if not word or not after.startswith(":"):
            return None
        return f"a comma is missing before {word[1]}", span, f"… , {word[1]}: …"
    if after[:1] in ("}", "]"):
        return f"this {after[:1]} closes nothing", span, "remove it, or open one further up"
    listed, item = "sequence" in context or "collection" in context, after.startswith(("- ", "-\n")) or after == "-"
    if before.strip(" -") or not context.startswith("while parsing a block"):
        return None
    if began.column == span.column and listed != item:
        what = "a list's item stands among names" if item else "a name stands among the items of a list"
        return what, span, "they are all named, or all begin with -"
    above = next((each for each in range(span.line - 1, 0, -1) if source.line(each).strip()), 1)
    other = source.line(above)[:MAX_SHOWN]
    name, indent = other.split(":")[0].strip(" -"), len(other) - len(other.lstrip())
    help = f"what belongs together begins below each other: {name} at line {above} is indented by {indent}"
    return f"this line is indented by {span.column - 1}, as nothing above it is", span, help
