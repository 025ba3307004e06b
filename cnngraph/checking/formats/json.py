"""A report as JSON; its schema is `check.schema.json`."""

from __future__ import annotations

from cnngraph.checking.report import CheckReport


def to_json(report: CheckReport) -> dict[str, object]:
    """The whole report as plain values."""
    files = [
        {
            "file": file.file,
            "kind": file.kind.value if file.kind else None,
            "ok": file.ok,
            "facts": dict(file.facts),
            "diagnostics": [diagnostic.to_dict() for diagnostic in file.diagnostics],
        }
        for file in report.files
    ]
    return {"ok": report.ok, "files": files, "skipped": list(report.skipped)}
