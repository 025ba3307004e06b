"""A report for people: the diagnostics of each file, then a line on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnngraph.checking.report import CheckReport, FileReport, Kind, counted, plural
from cnngraph.diagnostics import Diagnostic
from cnngraph.numbers import show_count


@dataclass(frozen=True, slots=True)
class Verdict:
    """The line on a file, or on a folder's: `file` is empty there."""

    file: str
    ok: bool
    verdict: str
    facts: str = ""


def to_text(report: CheckReport) -> Iterator[tuple[Diagnostic, ...] | Verdict]:
    """The parts in order: a group of diagnostics, which has empty lines around it, or a line."""
    for found in report.files:
        if found.diagnostics:
            yield found.diagnostics
        yield Verdict(found.file, found.ok, _verdict(found), _facts(found) if found.ok else "")
    if report.skipped:
        skipped = plural(len(report.skipped), "YAML file")
        yield Verdict("", True, f"skipped {skipped} without a key of a spec, a recipe or an experiment")


def _verdict(report: FileReport) -> str:
    """`ok`, `ok, 1 warning`, or `2 errors, 1 warning`."""
    found = counted(report.diagnostics)
    return (f"ok, {found}" if found else "ok") if report.ok else found


def _facts(report: FileReport) -> str:
    facts = report.facts
    match report.kind:
        case Kind.RECIPE:
            return "a recipe"
        case Kind.BLOCKS:
            return f"a library of {plural(int(facts['blocks']), 'block')}"
        case Kind.EXPERIMENT:
            return f"an experiment of {plural(int(facts['variants']), 'variant')}, {plural(int(facts['runs']), 'run')}"
    size = f"{plural(int(facts['parameters']), 'parameter')}, {show_count(int(facts['macs']))} MACs"
    if "recipe" not in facts:
        return size
    data = ""
    if "images" in facts:
        images, classes = int(facts["images"]), int(facts["classes"])
        data = f" and its data: {plural(images, 'training image')} of {classes:,} classes"
    return f"{size}, fits the recipe {facts['recipe']}{data}"
