"""Names of nodes and scopes as a drawing shows them."""

from __future__ import annotations

from itertools import takewhile

from cnngraph.graph.nodes import Node
from cnngraph.render.likeness import stem

MEANINGLESS = frozenset({"block", "body", "module"})


def short_path(path: str) -> str:
    """The path from its last component that is not a number: `layer2.0` for `body.layer2.0`."""
    parts = path.split(".")
    first = next((index for index in range(len(parts) - 1, -1, -1) if stem(parts[index])), 0)
    return ".".join(parts[first:])


def says_nothing(name: str) -> bool:
    """Whether a name only says that there is a part of something: `block.1`."""
    return all(part.isdigit() or part in MEANINGLESS for part in name.split("."))


def beside(path: str, other: str) -> str:
    """Another path from the innermost scope that contains both: `fc1` for `a.se.fc1`, seen from `a.se.fc2`."""
    parts, ours = other.split("."), path.split(".")
    common = takewhile(lambda pair: pair[0] == pair[1], zip(parts[:-1], ours[:-1], strict=False))
    return ".".join(parts[len(list(common)) :])


def repeats_op(node: Node, label: str) -> bool:
    """Whether the name of a node only repeats its op or the label: `bn1` for a batch_norm, `scale_activation`, `0`."""
    name, op = stem(node.path.rpartition(".")[2]), node.op
    plain, kind = name.replace("_", ""), node.operation.kind
    initials = "".join(word[0] for word in op.split("_"))
    if plain in op.replace("_", "") or plain == initials or kind.startswith(plain) or plain in label.split():
        return True
    return any(word == kind or word.endswith(op) for word in map(stem, name.split("_")))
