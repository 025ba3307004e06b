"""Repairs: changes of nodes that fix the shapes, with a title for each.

The elaboration finds them in terms of nodes and parameters; `cnngraph.fixes` turns them into edits and verifies them.
"""

from __future__ import annotations

from typing import TypeAlias

from cnngraph.diagnostics.help import Question
from cnngraph.diagnostics.source import Span
from cnngraph.frozen import frozen


@frozen
class Setting:
    """A parameter with its required value. `origin` is where the current value is written, if it has one."""

    parameter: str
    value: str
    origin: Span | None = None

    def __str__(self) -> str:
        return f"{self.parameter}: {self.value}"


@frozen
class ParameterRepair:
    """Sets parameters of the node at `span`."""

    op: str
    span: Span
    settings: tuple[Setting, ...]

    @property
    def title(self) -> str:
        """`` did you mean `stride: 1` at spec.yaml:16? ``"""
        text = ", ".join(map(str, self.settings))
        origins = [setting.origin for setting in self.settings if setting.origin is not None]
        if len(origins) == len(self.settings):
            return Question(f"`{text}` at {origins[0]}")
        verb = "change" if origins else "add"
        return f"{verb} `{text}` {'in' if origins else 'to'} the `{self.op}` at {self.span}"


@frozen
class ProjectionRepair:
    """Inserts a convolution of the input `name` of the node at `span`, which reads the convolution instead."""

    span: Span
    name: str
    node: str

    @property
    def title(self) -> str:
        """`` project the shortcut with `{op: conv, from: in, …}`, and read that instead of `in` ``."""
        return f"project the shortcut with `{self.node}`, and read that instead of `{self.name}`"


Repair: TypeAlias = ParameterRepair | ProjectionRepair
