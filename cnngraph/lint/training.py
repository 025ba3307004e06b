"""Whether a network, a recipe and its data fit each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.graph.graph import Graph

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe
    from cnngraph.recipe.fit import ImageFacts


def misfits(
    recipe: Recipe,
    graph: Graph,
    span: Span | None = None,
    *,
    input_span: Span | None = None,
    images: ImageFacts | None = None,
) -> list[Diagnostic]:
    """The errors that prevent training a network with a recipe, on `images` if these were read.

    Errors are reported at `span`, or else at the input, where `input_span` is known, and at the outputs.
    """
    from cnngraph.lint.freezing import FreezePlan, check_trainable
    from cnngraph.lint.patterns import check_patterns
    from cnngraph.recipe import check_fit
    from cnngraph.recipe.fit import Norm, check_batches

    outputs = {name: graph.type_of(ref) for name, ref in graph.outputs.items()}
    places = {name: graph.nodes[ref.node].span for name, ref in graph.outputs.items() if ref.node >= 0 and not span}
    place = span or input_span or graph.root.span
    always_frozen = {path for path, epochs in FreezePlan.for_graph(recipe, graph).norms.items() if math.isinf(epochs)}
    norms = (
        Norm(node.path, graph.type_of(node.reads[0]), node.span)
        for node in graph.nodes
        if node.op == "batch_norm" and not node.unused and (node.shares or node.path) not in always_frozen
    )
    found = check_fit(
        recipe,
        graph.inputs,
        outputs,
        span=place,
        places=places,
        params=graph.params,
        shape=images.shape if images else None,
        classes=images.classes if images else None,
    )
    count = images.count if images else None
    found += check_batches(recipe, norms, count)
    return found + (check_patterns(recipe, graph) or check_trainable(recipe, graph))
