"""What operations must have in common to be drawn as one."""

from __future__ import annotations

import re
from functools import cache

from cnngraph.fields import fields_of
from cnngraph.graph.nodes import Node
from cnngraph.ops.op import Op

VARYING = {"dropout": ("p",), "arithmetic": ("factor", "shift")}  # parameters that may differ, by kind of op


def likeness(node: Node) -> tuple[object, ...]:
    """Its name without a number, its operation, and whether it runs."""
    name = stem(node.path.rpartition(".")[2])
    return name, compared(node.operation), node.shares, node.training_only, node.unused, len(node.types)


def compared(operation: Op) -> tuple[object, ...]:
    """The op and its parameters. Drop rates and factors may differ."""
    cls = type(operation)
    return (cls, *[repr(getattr(operation, name)) for name in _compared(cls)])


@cache
def _compared(cls: type[Op]) -> tuple[str, ...]:
    return tuple(name for name in fields_of(cls) if name not in VARYING.get(cls.kind, ()))


def stem(name: str) -> str:
    """A name without the number at its end; an empty string for an index."""
    return re.sub("[0-9]+$", "", name)
