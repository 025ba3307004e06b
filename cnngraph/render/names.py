"""Names of nodes and scopes as a drawing shows them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, takewhile

from cnngraph.graph.nodes import Node
from cnngraph.render.likeness import stem

MAX_NUMBERS = 4  # of paths that are listed


def short_path(path: str) -> str:
    """The path from its last component that is not a number: `layer2.0` for `body.layer2.0`."""
    parts = path.split(".")
    first = next((index for index in range(len(parts) - 1, -1, -1) if stem(parts[index])), 0)
    return ".".join(parts[first:])


def range_of(paths: Sequence[str]) -> str:
    """Several paths as one: `layer2.1–3`, or `layer2.1, 3, 5` if there are others between them."""
    first, last = paths[0], paths[-1]
    words = stem(first)
    numbers = [path.removeprefix(words) for path in paths]
    if len(paths) == 1:
        return first
    if not all(path.startswith(words) and number.isdecimal() for path, number in zip(paths, numbers, strict=True)):
        return f"{first} … {last.rpartition('.')[2]}"
    if all(int(one) + 1 == int(two) for one, two in pairwise(numbers)):
        dash = " … " if words.endswith("-") else "–"
        return f"{first}{dash}{numbers[-1]}"
    shown = numbers if len(numbers) <= MAX_NUMBERS else [*numbers[: MAX_NUMBERS - 2], "…", numbers[-1]]
    return f"{words}{', '.join(shown)}"


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
