"""Diagnostics: what is wrong with a source, where, why, and how to fix it."""

from cnngraph.diagnostics.diagnostic import (
    MAX_MISTAKES,
    Diagnostic,
    Mistakes,
    Severity,
    SpecError,
    has_errors,
    warnings_of,
)
from cnngraph.diagnostics.edits import Cause, Edit, Fix, apply_edits
from cnngraph.diagnostics.source import Source, Span

__all__ = [
    "MAX_MISTAKES",
    "Cause",
    "Diagnostic",
    "Edit",
    "Fix",
    "Mistakes",
    "Severity",
    "Source",
    "Span",
    "SpecError",
    "apply_edits",
    "has_errors",
    "warnings_of",
]
