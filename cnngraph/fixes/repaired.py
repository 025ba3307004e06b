"""The repairs that the elaboration found for an error, as edits of the text."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.diagnostics import Diagnostic, Edit
from cnngraph.diagnostics.repairs import ParameterRepair, ProjectionRepair, Repair
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.edges import insert_before
from cnngraph.fixes.written import Written

PARAMETERS = 1.6  # the cost of changing several parameters; for one, see `numbers`
PROJECTION = 2.3  # likelier than removing the shortcut, less likely than any other change of the branch


def repaired(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """The repairs of an error whose nodes are in this text."""
    for repair in error.repairs:
        edits, projects = edits_of(written, repair), isinstance(repair, ProjectionRepair)
        if len(edits) > 1 or (edits and projects):  # others are among `numbers`
            yield Candidate(PROJECTION if projects else PARAMETERS, repair.title, edits)


def edits_of(written: Written, repair: Repair) -> tuple[Edit, ...]:
    """The edits of a repair; empty if the text does not show where to make them."""
    match repair:
        case ParameterRepair():
            found = [_set(written, repair, setting.parameter) for setting in repair.settings]
        case ProjectionRepair():
            found = _projected(written, repair)
    return tuple(edit for edit in found if edit) if all(found) else ()


def _set(written: Written, repair: ParameterRepair, parameter: str) -> Edit | None:
    """Set one parameter where it is written, or add it to the node."""
    setting = next(found for found in repair.settings if found.parameter == parameter)
    if setting.origin is not None:
        is_here = written.entry_of(setting.origin) is not None
        return Edit(setting.origin, setting.value) if is_here else None
    node = written.at(repair.span)
    return written.add_entry(node, parameter, setting.value) if node is not None else None


def _projected(written: Written, repair: ProjectionRepair) -> list[Edit | None]:
    node = written.at(repair.span)
    path = next((read for read in node.reads if read.value == repair.name), None) if node is not None else None
    if node is None or path is None or node.scope.numbered or len(node.reads) < 2:
        return []
    name = next(free for free in ("short", "project", "projection", "shortcut_1x1") if free not in node.scope.names)
    return [insert_before(written, node, repair.node, name), Edit(path.span, name)]
