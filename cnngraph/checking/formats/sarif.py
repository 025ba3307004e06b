"""A report as SARIF 2.1.0, a format for code scanning services and editors.

See https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; the section numbers below refer to that page.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, TypeAlias
from urllib.parse import quote

from cnngraph.checking.report import CheckReport, FileReport
from cnngraph.diagnostics import Cause, Diagnostic, Fix, Severity, Span
from cnngraph.lint.codes import all_codes
from cnngraph.version import __version__

Json: TypeAlias = dict[str, Any]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def to_sarif(report: CheckReport) -> Json:
    """A log of one run, with a result for each diagnostic and a rule for each code."""
    found = list(report.each_once())
    codes = sorted({diagnostic.code for _, diagnostic in found})
    numbers = {code: number for number, code in enumerate(codes)}
    severities = {diagnostic.code: diagnostic.severity for _, diagnostic in found}
    driver = {
        "name": "cnngraph",
        "version": __version__,
        "rules": [_rule(code, severities[code]) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(file, diagnostic, numbers[diagnostic.code]) for file, diagnostic in found],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, severity: Severity) -> Json:
    """A code, with its explanation if there is one (3.49)."""
    rule: Json = {"id": code, "defaultConfiguration": {"level": severity.value}}
    if entry := all_codes().get(code):
        rule["shortDescription"] = {"text": f"{entry.title[0].upper()}{entry.title[1:]}"}
        rule["fullDescription"] = {"text": entry.explanation[0]}
        rule["help"] = {"text": "\n\n".join(entry.explanation)}
    return rule


def _result(report: FileReport, diagnostic: Diagnostic, rule: int) -> Json:
    span = report.in_file(diagnostic.span)
    place: Json = {"physicalLocation": _physical(span) if span else {"artifactLocation": _artifact(report.file)}}
    if diagnostic.node:
        place["logicalLocations"] = [{"fullyQualifiedName": diagnostic.node, "kind": "member"}]
    lines = [diagnostic.message, *diagnostic.notes, *diagnostic.advice()]
    result: Json = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity.value,
        "message": {"text": "\n".join(lines)},
        "locations": [place],
    }
    causes = {(cause.span, cause.key): cause for cause in diagnostic.causes if report.in_file(cause.span)}
    if causes:
        result["relatedLocations"] = [_related(cause) for cause in causes.values()]
    fixes = [_fix(fix) for fix in diagnostic.fixes if all(report.in_file(edit.span) for edit in fix.edits)]
    if fixes:
        result["fixes"] = fixes
    return result


def _related(cause: Cause) -> Json:
    """A possible cause (3.27.22)."""
    what = cause.span.text if not cause.key else f"{cause.key}: {cause.span.text}"
    expected = f", which should be {' or '.join(cause.values)}" if cause.values else ""
    return {"physicalLocation": _physical(cause.span), "message": {"text": f"because of {what}{expected}"}}


def _fix(fix: Fix) -> Json:
    """The edits of a fix, grouped by file (3.55)."""
    files = dict.fromkeys(edit.span.file for edit in fix.edits)
    changes = [
        {
            "artifactLocation": _artifact(file),
            "replacements": [
                {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
                for edit in fix.edits
                if edit.span.file == file
            ],
        }
        for file in files
    ]
    return {"description": {"text": fix.instruction}, "artifactChanges": changes}


def _physical(span: Span) -> Json:
    return {"artifactLocation": _artifact(span.file), "region": _region(span)}


def _artifact(file: str) -> Json:
    """A file as a URI, relative to the working directory or absolute (3.4)."""
    path = PurePath(file)
    return {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix(), errors="surrogateescape")}


def _region(span: Span) -> Json:
    """A region of a text. Its end is exclusive, like that of a span (3.30)."""
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
