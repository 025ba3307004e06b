"""`cnngraph check --fix` and `--diff`: apply verified fixes, or print them as a diff."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from cnngraph.cli.messages import print_diagnostics
from cnngraph.cli.options import Reading
from cnngraph.cli.reading import find_plugins
from cnngraph.compilation import fix_spec
from cnngraph.diagnostics import SpecError
from cnngraph.document import Table, parse, read_file
from cnngraph.file_kinds import SPEC, kind_of
from cnngraph.fixes.apply import Fixed
from cnngraph.lint.run import Lint
from cnngraph.lint.selection import Selection
from cnngraph.text import one_line, visible


def apply_fixes(specs: Iterable[str], reading: Reading, selection: Selection, *, to_stderr: bool) -> None:
    """Apply the fixes to the files and print each one. Raises WriteError."""
    for spec in specs:
        if (found := _fixed(spec, reading, selection)) is not None:
            found.write()
            for fix in found.applied:
                print(one_line(f"fixed {fix}"), file=sys.stderr if to_stderr else sys.stdout)


def show_fixes(specs: Iterable[str], reading: Reading, selection: Selection) -> bool:
    """Print the fixes as a unified diff, and the remaining diagnostics to stderr. Raises WriteError.

    Returns whether there is no error and nothing to fix.
    """
    shown: set[str] = set()
    ok = True
    for spec in specs:
        found = _fixed(spec, reading, selection)
        if found is None:
            continue
        diffs = [file.diff() for file in found.files.values()]
        print(*(visible(diff) for diff in diffs if diff not in shown), sep="", end="")  # several files may import one
        shown.update(diffs)
        if found.diagnostics:
            print_diagnostics(found.diagnostics, to_stderr=True)
        ok = ok and found.ok and not diffs
    return ok


def _fixed(spec: str, reading: Reading, selection: Selection) -> Fixed | None:
    """The fixes of a spec; None for a recipe or an experiment."""
    find_plugins(reading.plugins)
    try:
        document = parse(read_file(Path(spec)))[0]
    except SpecError:
        document = None
    kind = kind_of(document) if isinstance(document, Table) else None
    if kind is not None and kind[0] != SPEC:
        return None
    lint = Lint(own=True, changes=reading.train, selection=selection)
    return fix_spec(
        spec, reading.params, reading.input, max_nodes=reading.max_nodes, plugins=reading.plugins, lint=lint.run
    )
