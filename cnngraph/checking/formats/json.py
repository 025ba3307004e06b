"""A report as JSON, for programs; its schema is `check.schema.json`."""

from __future__ import annotations

from cnngraph.checking.report import CheckReport


def to_json(report: CheckReport) -> dict[str, object]:
    """Everything that the text says, as plain values."""
    files = [
        {
            "file": found.file,
            "kind": found.kind.value if found.kind else None,
            "ok": found.ok,
            "facts": dict(found.facts),
            "diagnostics": [diagnostic.to_dict() for diagnostic in found.diagnostics],
        }
        for found in report.files
    ]
    return {"ok": report.ok, "files": files, "skipped": list(report.skipped)}
