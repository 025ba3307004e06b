"""A report as workflow commands, which GitHub shows as annotations in a pull request.

See https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from cnngraph.checking.report import CheckReport, FileReport
from cnngraph.diagnostics import Diagnostic
from cnngraph.text import one_line

DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
PROPERTY = {**DATA, ":": "%3A", ",": "%2C"}


def to_github(report: CheckReport) -> str:
    """One line for each diagnostic."""
    return "".join(f"{_command(file, diagnostic)}\n" for file, diagnostic in report.each_once())


def _command(report: FileReport, diagnostic: Diagnostic) -> str:
    properties = [*_place(report, diagnostic), ("title", f"cnngraph {diagnostic.code}")]
    attributes = ",".join(f"{name}={_escaped(str(value), PROPERTY)}" for name, value in properties)
    lines = [diagnostic.message, *diagnostic.notes, *diagnostic.advice()]
    return f"::{diagnostic.severity} {attributes}::{_escaped(chr(10).join(map(one_line, lines)), DATA)}"


def _place(report: FileReport, diagnostic: Diagnostic) -> Iterator[tuple[str, str | int]]:
    """The file and the place in it. GitHub only accepts columns if the place is in a single line."""
    span = report.in_file(diagnostic.span)
    yield "file", PurePath(span.file if span else report.file).as_posix()
    if span:
        yield "line", span.line
        yield "endLine", span.end_line
        if span.line == span.end_line:
            yield "col", span.column
            yield "endColumn", span.end_column


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
