"""Diagnostics: what is wrong with a source, where, why, and how to fix it."""

from cnngraph.diagnostics.diagnostic import (
    MAX_ERRORS,
    Diagnostic,
    DiagnosticList,
    Severity,
    SpecError,
    diagnostics_html,
    has_errors,
    warnings_of,
)
from cnngraph.diagnostics.edits import Cause, Edit, Fix, apply_edits, compose_edits
from cnngraph.diagnostics.help import Guess, Known, Question, Suggestion, did_you_mean
from cnngraph.diagnostics.source import Source, Span

__all__ = [
    "MAX_ERRORS",
    "Cause",
    "Diagnostic",
    "DiagnosticList",
    "Edit",
    "Fix",
    "Guess",
    "Known",
    "Question",
    "Severity",
    "Source",
    "Span",
    "SpecError",
    "Suggestion",
    "apply_edits",
    "compose_edits",
    "diagnostics_html",
    "did_you_mean",
    "has_errors",
    "warnings_of",
]
