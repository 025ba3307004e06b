"""Whether a network, a recipe and its data fit each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from cnngraph.compilation import Compilation
from cnngraph.diagnostics import Diagnostic, Severity, Span
from cnngraph.graph.graph import Graph
from cnngraph.language.load import Override

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe
    from cnngraph.recipe.fit import ImageFacts

WARNINGS = {"E605": "W605", "E610": "W610", "E611": "W611", "E612": "W612", "E613": "W613", "E614": "W614"}
OWN_RECIPE = "the spec's own recipe cannot train the network as it is"


def own_recipe_misfits(compilation: Compilation, changes: Iterable[Override] = ()) -> tuple[Diagnostic, ...]:
    """Why a network that stands cannot be trained by the recipe of its own spec, as warnings: another may suit it.

    `changes` are those of single words of the recipe. Raises SpecError where they are wrong.
    """
    spec, graph = compilation.spec, compilation.graph
    if not compilation.ok or graph is None or spec is None or spec.train is None:
        return ()

    from cnngraph.recipe.changed import find_table, read_changed

    table, name = find_table(spec.train, None)
    return tuple(
        replace(each, code=WARNINGS[each.code], severity=Severity.WARNING, notes=(*each.notes, OWN_RECIPE))
        for each in misfits(read_changed(table, changes, name), graph)
    )


def misfits(
    recipe: Recipe, graph: Graph, span: Span | None = None, *, images: ImageFacts | None = None
) -> list[Diagnostic]:
    """What keeps a network from training by a recipe, on `images` if these were read.

    Errors are reported at `span`, or else at the network and its outputs.
    """
    from cnngraph.lint.patterns import check_patterns
    from cnngraph.recipe import check_fit
    from cnngraph.recipe.fit import Norm, check_batches

    outputs = {name: graph.type_of(ref) for name, ref in graph.outputs.items()}
    places = {name: graph.nodes[ref.node].span for name, ref in graph.outputs.items() if ref.node >= 0 and not span}
    place = span or graph.root.span
    norms = (
        Norm(each.path, graph.type_of(each.reads[0]), each.span)
        for each in graph.nodes
        if each.op == "batch_norm" and not each.unused
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
    return found + check_batches(recipe, norms, count) + check_patterns(recipe, graph)
