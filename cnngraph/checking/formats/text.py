"""A report as text: the diagnostics of each file, then its verdict."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.checking.report import CheckReport, FileReport, Kind, counted, plural
from cnngraph.diagnostics import Diagnostic
from cnngraph.frozen import frozen
from cnngraph.numbers import show_count


@frozen
class Verdict:
    """The summary line of a file; `file` is empty for the line about skipped files."""

    file: str
    ok: bool
    verdict: str
    facts: str = ""


def to_text(report: CheckReport) -> Iterator[tuple[Diagnostic, ...] | Verdict]:
    """The parts of the output in order: diagnostics, which are printed between empty lines, and verdicts."""
    for file in report.files:
        if file.diagnostics:
            yield file.diagnostics
        yield Verdict(file.file, file.ok, _verdict(file), _facts(file) if file.ok else "")
    if report.skipped:
        skipped = plural(len(report.skipped), "YAML file")
        yield Verdict("", True, f"skipped {skipped}: not a spec, recipe or experiment")


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
            variants, runs = plural(int(facts["variants"]), "variant"), plural(int(facts["runs"]), "run")
            return f"an experiment with {variants} and {runs}"
    size = f"{plural(int(facts['parameters']), 'parameter')}, {show_count(int(facts['macs']))} MACs"
    if "recipe" not in facts:
        return size
    data = ""
    if "images" in facts:
        images, classes = int(facts["images"]), int(facts["classes"])
        data = f" and its data: {plural(images, 'training image')} of {classes:,} classes"
    return f"{size}, fits the recipe {facts['recipe']}{data}"
