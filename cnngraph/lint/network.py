"""The argument of a rule: the checked network, its spec as written, and its recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.diagnostics import Diagnostic, Source, Span
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.language.model import Ignore, NodeSpec, Spec

if TYPE_CHECKING:
    from cnngraph.fixes.written import Written
    from cnngraph.recipe import Recipe

MAX_FIXED_TEXT = 60_000  # characters of a text that fixes are proposed for


@frozen(slots=False)
class Network:
    """A spec without errors. A library of blocks has no `graph`.

    `recipe` is the recipe that the network is trained with, if known; `chosen` is whether the user selected it rather
    than the spec. The spec is in `folder`. `reported` are the compiler's warnings, `unused_ignores` the entries of
    `ignore` that suppress nothing.
    """

    spec: Spec
    graph: Graph | None
    folder: Path
    recipe: Recipe | None = None
    chosen: bool = False
    reported: tuple[Diagnostic, ...] = ()
    unused_ignores: tuple[Ignore, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The operations in order of execution; empty for a library of blocks."""
        return self.graph.nodes if self.graph else ()

    @cached_property
    def uses(self) -> Mapping[Span, list[Node]]:
        """The operations by span; a node in a block has one operation per use and iteration."""
        found: dict[Span, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.span, []).append(node)
        return found

    def producer(self, ref: Ref) -> Node | None:
        """The operation that computes a tensor; None for an input of the network."""
        return self.nodes[ref.node] if ref.node >= 0 else None

    @cached_property
    def written(self) -> Mapping[Span, NodeSpec]:
        """The nodes of the spec and of all available blocks, as written, by span."""
        return {node.name.span: node for node in nodes_of(self.spec)}

    @cached_property
    def misfits(self) -> list[Diagnostic]:
        """The errors that prevent training the network with its recipe."""
        from cnngraph.lint.training import misfits

        place = self.spec.input.span if self.spec.input else None
        return misfits(self.recipe, self.graph, input_span=place) if self.recipe and self.graph else []

    @cached_property
    def text(self) -> Written:
        """The text of the spec's own file, for fixes; empty if it is too large."""
        from cnngraph.fixes.written import Written  # rarely needed

        source = self.spec.source
        return Written(source if len(source.text) <= MAX_FIXED_TEXT else Source(source.name, ""))


def nodes_of(spec: Spec) -> Iterator[NodeSpec]:
    """Every node as written: those of the spec, its blocks' bodies, and those of imported blocks."""
    yield from spec.nodes.walk() if spec.nodes else ()
    for library in spec.library.with_imports():
        for block in library.blocks.values():
            yield block.body
            yield from block.body.nodes.walk() if block.body.nodes else ()
