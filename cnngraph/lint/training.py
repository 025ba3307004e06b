"""Whether a network, a recipe and its data fit each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.graph.graph import Graph

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe


def misfits(
    recipe: Recipe, graph: Graph, span: Span | None = None, *, count: int | None = None, **images: Any
) -> list[Diagnostic]:
    """The errors that prevent training a network with a recipe, on images with the `shape` and `classes` if given.

    `count` is the number of training images, if known. Errors are reported at `span`, or else at the network and its
    outputs.
    """
    from cnngraph.recipe import check_fit
    from cnngraph.recipe.fit import Norm, check_batches

    outputs = {name: graph.type_of(ref) for name, ref in graph.outputs.items()}
    places = {name: graph.nodes[ref.node].span for name, ref in graph.outputs.items() if ref.node >= 0 and not span}
    place = span or graph.root.span
    norms = (
        Norm(node.path, graph.type_of(node.reads[0]), node.span)
        for node in graph.nodes
        if node.op == "batch_norm" and not node.unused
    )
    found = check_fit(recipe, graph.inputs, outputs, span=place, places=places, params=graph.params, **images)
    return found + check_batches(recipe, norms, count)
