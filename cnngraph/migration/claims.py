"""What a plan preserves: for each output, or the last tensor before it, the equal tensor of the old network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref
from cnngraph.migration.inserted import Roles
from cnngraph.migration.layers import Adaptation
from cnngraph.migration.matching import Matches
from cnngraph.migration.modules import Module, changes_of, owner
from cnngraph.migration.plan import Claim
from cnngraph.migration.values import Known, OldValues, Value
from cnngraph.ops.op import Op

ADAPTED_FIELDS = {"conv": ("out", "kernel", "padding", "bias", "groups"), "linear": ("out", "bias")}


@dataclass(slots=True)
class Claims:
    """Makes the claims from what is known about the tensors of the new network."""

    old: Graph
    new: Graph
    theirs: Mapping[str, Module]
    ours: Mapping[str, Module]
    matches: Matches
    roles: Roles
    adaptations: Mapping[str, Adaptation]
    values: Mapping[Ref, Value]
    old_values: OldValues
    is_fresh: Callable[[str], bool]  # whether a person asked for a fresh weight

    def all(self) -> Iterator[Claim]:
        """What is preserved of each output in eval mode."""
        names = {name: ref for name, ref in self.new.outputs.items() if name not in self.new.training_only}
        old_names = [name for name in self.old.outputs if name not in self.old.training_only]
        for number, (name, ref) in enumerate(names.items()):
            old_name = name if name in old_names else old_names[number] if len(old_names) == len(names) else None
            yield self.claim(name, ref, None if old_name is None else self.old.outputs[old_name])

    def claim(self, name: str, ref: Ref, old_ref: Ref | None) -> Claim:
        value = self.values.get(ref)
        target = None if old_ref is None else self.old_values.canonical(old_ref)
        if isinstance(value, Known) and value.is_plain and value.ref == target:
            return Claim(name, True, name, ref, value.ref, value.origin, value.grey, value.nearly)
        reason = "the old network has no such output" if target is None else self.reason(ref)
        at = self.last_known(ref)
        if at is None:
            return Claim(name, False, reason=reason)
        known = self.values[at]
        assert isinstance(known, Known)
        path = self.new.nodes[at.node].path
        return Claim(name, False, path, at, known.ref, known.origin, known.grey, known.nearly, reason)

    def backwards(self, ref: Ref) -> Iterator[Ref]:
        """The tensors on which a tensor depends, latest first, as far as they are not known."""
        waiting, seen = {ref}, set[Ref]()
        while waiting:
            latest = max(waiting)
            waiting.discard(latest)
            if latest in seen:
                continue
            seen.add(latest)
            yield latest
            if latest.node >= 0 and not isinstance(self.values.get(latest), Known):
                waiting.update(self.new.nodes[latest.node].reads)

    def last_known(self, ref: Ref) -> Ref | None:
        """The last tensor before an output that equals one of the old network, if that is more than an input."""
        for found in self.backwards(ref):
            value = self.values.get(found)
            if isinstance(value, Known):
                return found if found.node >= 0 and value.is_plain else None
        return None

    def reason(self, ref: Ref) -> str:
        """Why an output is not preserved: the first module on the way whose output is not known."""
        unknown = [found for found in self.backwards(ref) if found.node >= 0 and self.values.get(found) is None]
        first = min(unknown, default=None)
        if first is None:
            return "it is another tensor of the old network"
        node = self.new.nodes[first.node]
        path = owner(node)
        before = self.theirs.get(self.matches.old.get(path, ""))
        operation = before.operation if before else self.old_operation(node.path)
        if operation is not None and operation.name != node.op:
            return f"because {node.path} is {node.op} instead of {operation.name}"
        if path in self.ours and all(map(self.is_fresh, self.ours[path].keys)):
            return f"because {path} is fresh"
        if path in self.roles.inserted or (path in self.ours and path not in self.matches.old):
            return f"because {path} is new"
        if path in self.adaptations and not self.adaptations[path].possible:
            return f"because {path} is fresh"
        notes = [*self.adaptations[path].notes] if path in self.adaptations else []
        if operation is not None:
            notes += changes_of(operation, node.operation, ADAPTED_FIELDS.get(node.op, ()))
        return f"because of {node.path}: {'; '.join(notes)}" if notes else f"because {node.path} reads something else"

    def old_operation(self, path: str) -> Op | None:
        """The operation at a path of the old network."""
        return next((node.operation for node in self.old.nodes if node.path == path), None)
