"""The repairs that the elaboration found for an error, as edits of the text."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.diagnostics import Diagnostic, Edit
from cnngraph.diagnostics.repairs import PadRepair, ParameterRepair, ProjectionRepair, Repair
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.edges import insert_before
from cnngraph.fixes.written import Written

PARAMETERS = 1.2  # what it costs to take several parameters for wrong; for one, see `numbers`
PAD = 0.6  # an even window was to keep the size: nothing else does
PROJECTION = 2.3  # likelier than to give up the shortcut, but not than any other change of the branch


def repaired(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Each repair of an error whose node is in this text."""
    for repair in error.repairs:
        if edits := edits_of(written, repair):
            costs = {PadRepair: PAD, ProjectionRepair: PROJECTION}
            yield Candidate(costs.get(type(repair), PARAMETERS), repair.title, edits)


def edits_of(written: Written, repair: Repair) -> tuple[Edit, ...]:
    """The edits that a repair consists of; none where the text does not show where."""
    match repair:
        case ParameterRepair():
            found = [_set(written, repair, each.parameter) for each in repair.settings]
        case PadRepair():
            found = _padded(written, repair)
        case ProjectionRepair():
            found = _projected(written, repair)
    return tuple(each for each in found if each) if all(found) else ()


def _set(written: Written, repair: ParameterRepair, parameter: str) -> Edit | None:
    """One parameter with the value that it needs, where it is written, or added to the node."""
    setting = next(each for each in repair.settings if each.parameter == parameter)
    if setting.origin is not None:
        is_here = written.entry_of(setting.origin) is not None
        return Edit(setting.origin, setting.value) if is_here else None
    node = written.at(repair.span)
    return written.add_entry(node, parameter, setting.value) if node is not None else None


def _padded(written: Written, repair: PadRepair) -> list[Edit | None]:
    node = written.at(repair.span)
    if node is None or node.get("from") or (repair.padding and written.entry_of(repair.padding) is None):
        return []
    found = [insert_before(written, node, repair.node, "pad")]
    own = node.get("padding")
    if repair.padding is not None:
        found.append(written.remove_entry(own) if own and own.value.span == repair.padding else None)
    return found


def _projected(written: Written, repair: ProjectionRepair) -> list[Edit | None]:
    node = written.at(repair.span)
    path = next((each for each in node.reads if each.value == repair.name), None) if node is not None else None
    if node is None or path is None or node.scope.numbered or len(node.reads) < 2:
        return []
    name = next(each for each in ("short", "project", "projection", "shortcut_1x1") if each not in node.scope.names)
    return [insert_before(written, node, repair.node, name), Edit(path.span, name)]
