"""Wrong ops: another op that has the node's parameters."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.diagnostics import Diagnostic, Edit, Question
from cnngraph.document import Scalar
from cnngraph.fields import fields_of
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.written import Written, WrittenNode, is_node_key
from cnngraph.ops.registry import builtin_ops


def other_ops(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Ops that have all parameters of the node, or of the use of a block that is a single op."""
    assert error.span is not None
    node = written.around(error.span)
    if node is None:
        return
    keys = {entry.key for entry in node.entries if not is_node_key(entry.key)}
    block = written.blocks.get(node.op)
    body = next((other for other in written.nodes if block and other.entry is block.entry), None)
    yield from _fitting(written, node, keys)
    if body is not None:
        yield from _fitting(written, body, keys | {entry.key for entry in body.entries if not is_node_key(entry.key)})


def _fitting(written: Written, node: WrittenNode, keys: set[str]) -> Iterator[Candidate]:
    op = node.get("op")
    span = op.value.span if op else node.value.span if isinstance(node.value, Scalar) else None
    if span is None or not keys:
        return
    keys = keys - {"params", "inputs"}
    for rank, (name, other) in enumerate(builtin_ops().items()):
        fields = fields_of(other)
        lacks = [field for field in fields.values() if field.required and field.name not in keys]
        if name != node.op and keys <= set(fields) and (len(keys) > 1 or _akin(name, node.op)):
            used = written.name_counts[name]
            cost = 1.3 + 0.01 * rank + 0.5 * len(lacks) - 0.1 * min(used, 3)
            yield Candidate(cost, Question(f"the op `{name}` at {node.start}"), (Edit(span, name),))


def _akin(name: str, other: str) -> bool:
    """Whether the names of two ops have a part in common; a common parameter alone is too little evidence."""
    return bool(set(name.split("_")) & set(other.split("_")))
