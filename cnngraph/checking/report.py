"""The results of a check: one report for each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum

from cnngraph.diagnostics import Diagnostic, Severity, Span, has_errors
from cnngraph.frozen import frozen


class Kind(StrEnum):
    """The kind of a file."""

    SPEC = "spec"
    BLOCKS = "blocks"
    RECIPE = "recipe"
    EXPERIMENT = "experiment"


@frozen
class FileReport:
    """The diagnostics of one file. `kind` is None if the file could not be read.

    `facts` describe a file without errors: `parameters`, `macs`, `blocks`, `variants`, `runs`; with --recipe or
    --data-dir also the name of the `recipe` and the numbers of training `images` and `classes`.
    """

    file: str
    kind: Kind | None
    diagnostics: tuple[Diagnostic, ...] = ()
    facts: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not has_errors(self.diagnostics)

    def in_file(self, span: Span | None) -> Span | None:
        """The span, or None if it is not in a file but on the command line or in an argument."""
        is_in_file = span is not None and (span.source.path is not None or span.source.name == self.file)
        return span if is_in_file else None


@frozen
class CheckReport:
    """The reports of all files. `skipped` are YAML files in folders that are not for cnngraph."""

    files: tuple[FileReport, ...]
    skipped: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no error in any file."""
        return all(report.ok for report in self.files)

    def each_once(self) -> Iterator[tuple[FileReport, Diagnostic]]:
        """Every diagnostic once, with the first file that has it. Files that import the same file share its errors."""
        seen: set[tuple[str, str, Span | None]] = set()
        for report in self.files:
            for diagnostic in report.diagnostics:
                key = diagnostic.code, diagnostic.message, diagnostic.span
                if diagnostic.span is None or key not in seen:
                    seen.add(key)
                    yield report, diagnostic


def counted(diagnostics: tuple[Diagnostic, ...]) -> str:
    """`2 errors, 1 warning`."""
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    return ", ".join(plural(counts[severity], severity.value) for severity in Severity if counts[severity])


def plural(number: int, thing: str) -> str:
    """`1 error`, `3 errors`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
