"""Repairs: changes of nodes that would remove an error as far as the shapes show, and the sentence for each.

They are what the elaboration knows, in terms of nodes and parameters. Whether the text with such a change is free of
the error is found out by `cnngraph.fixes`, which makes edits of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cnngraph.diagnostics.help import Question
from cnngraph.diagnostics.source import Span


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter with the value that it would need. `origin` is where its value is written now, if it has one."""

    parameter: str
    value: str
    origin: Span | None = None

    def __str__(self) -> str:
        return f"{self.parameter}: {self.value}"


@dataclass(frozen=True, slots=True)
class ParameterRepair:
    """Other values for parameters of one node, which begins at `span`."""

    op: str
    span: Span
    settings: tuple[Setting, ...]

    @property
    def title(self) -> str:
        """`did you mean stride: 1 at spec.yaml:16?`"""
        text = ", ".join(map(str, self.settings))
        origins = [each.origin for each in self.settings if each.origin is not None]
        if len(origins) == len(self.settings):
            return Question(f"`{text}` at {origins[0]}")
        verb = "change" if origins else "add"
        return f"{verb} `{text}` {'in' if origins else 'to'} the `{self.op}` at {self.span}"


@dataclass(frozen=True, slots=True)
class PadRepair:
    """A node of `pad` before the op at `span`, in place of the op's own padding, which is written at `padding`."""

    op: str
    span: Span
    node: str
    padding: Span | None

    @property
    def title(self) -> str:
        """`put {op: pad, …} before the max_pool at spec.yaml:5`."""
        remove = ", and remove its padding" if self.padding else ""
        return f"insert `{self.node}` before the `{self.op}` at {self.span}{remove}"


@dataclass(frozen=True, slots=True)
class ProjectionRepair:
    """A convolution of what the node at `span` reads under `name`; the node is to read that instead."""

    span: Span
    name: str
    node: str

    @property
    def title(self) -> str:
        """`project the shortcut, and read that instead of in: {op: conv, from: in, …}`."""
        return f"project the shortcut and read the projection instead of `{self.name}`: `{self.node}`"


Repair: TypeAlias = ParameterRepair | PadRepair | ProjectionRepair
