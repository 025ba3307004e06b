"""What a recipe freezes in a network, and when."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cnngraph.diagnostics import Diagnostic, Severity
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.lint.patterns import Matcher, parameter_names

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe
    from cnngraph.recipe.freezing import Freeze

STATISTICS = "running_mean"  # the buffer of norms that behave differently in eval mode


@frozen(slots=False)
class FreezePlan:
    """For how many epochs parameters (by name) and norms with running statistics (by path) are frozen.

    This is infinite for the whole run. What is never frozen is left out.
    """

    parameters: Mapping[str, float]
    norms: Mapping[str, float]

    @classmethod
    def of(cls, entries: Sequence[Freeze], matcher: Matcher, names: Iterable[str], norms: Iterable[str]) -> FreezePlan:
        """The plan for a network with these parameters and norms."""
        parameters = {}
        of_module: dict[str, list[float]] = {}
        for name in names:
            index = matcher.last_of(entries, name)
            epochs = 0.0 if index is None else float(entries[index].epochs or math.inf)
            of_module.setdefault(name.rpartition(".")[0], []).append(epochs)
            if epochs:
                parameters[name] = epochs
        frozen = {path: min(of_module.get(path) or [_module_epochs(entries, matcher, path)]) for path in norms}
        return cls(parameters, {path: epochs for path, epochs in frozen.items() if epochs})

    @classmethod
    def for_graph(cls, recipe: Recipe, graph: Graph) -> FreezePlan:
        """The plan of a recipe for a network."""
        if not recipe.freeze:
            return cls({}, {})
        norms = (node.path for node in graph.nodes if STATISTICS in node.buffers and not node.shares)
        return cls.of(recipe.freeze or (), Matcher.of(graph), parameter_names(graph), norms)

    def frozen_after(self, epochs: int) -> set[str]:
        """The names of the parameters that are still frozen after some epochs."""
        return {name for name, frozen in self.parameters.items() if frozen > epochs}


def _module_epochs(entries: Sequence[Freeze], matcher: Matcher, path: str) -> float:
    """For how many epochs a module without parameters is frozen."""
    for entry in reversed(entries):
        if matcher.selects_module(entry, path):
            return float(entry.epochs or math.inf)
    return 0.0


def frozen_count(recipe: Recipe, graph: Graph, epochs: int = 0) -> int:
    """How many numbers in a network's parameters are frozen after some epochs."""
    if not recipe.freeze:
        return 0
    frozen = FreezePlan.for_graph(recipe, graph).frozen_after(epochs)
    return sum(math.prod(shape) for name, shape in graph.state.items() if name in frozen)


def check_initial_weights(recipe: Recipe, graph: Graph, loaded: Collection[str]) -> list[Diagnostic]:
    """Warn if parameters are frozen for the whole run that no weights were loaded for (W617)."""
    if not recipe.freeze:
        return []
    plan = FreezePlan.for_graph(recipe, graph)
    fresh = [name for name, epochs in plan.parameters.items() if math.isinf(epochs) and name not in loaded]
    if not fresh:
        return []
    count = sum(math.prod(graph.state[name]) for name in fresh)
    more = f" and {len(fresh) - 1:,} more" if len(fresh) > 1 else ""
    message = f"`freeze` keeps {count:,} parameters at their random initial values: {fresh[0]}{more}"
    help = "start from trained weights with `--weights FILE`, or do not freeze these parameters"
    return [Diagnostic("W617", message, recipe.places.get("freeze"), severity=Severity.WARNING, help=help)]


def check_trainable(recipe: Recipe, graph: Graph) -> list[Diagnostic]:
    """Report a recipe with which no parameter would be trained, at least in the first epochs (E616)."""
    plan = FreezePlan.for_graph(recipe, graph)
    trained = _parameters_of_loss(recipe, graph)
    if trained - plan.frozen_after(0):
        return []
    if not trained:
        message = f"`{graph.name}` has no parameter that the loss depends on, so there is nothing to train"
        return [Diagnostic("E616", message, graph.root.span, help="add a layer with weights, such as `linear`")]
    epochs = min(plan.parameters[name] for name in trained)
    when = "" if math.isinf(epochs) else f" in the first {f'{epochs:.0f} epochs' if epochs > 1 else 'epoch'}"
    message = f"`freeze` leaves no parameter of `{graph.name}` to train{when}"
    place = recipe.places.get("freeze")
    return [Diagnostic("E616", message, place, help="leave out the last layer with `exclude: head`")]


def _parameters_of_loss(recipe: Recipe, graph: Graph) -> set[str]:
    """The names of the parameters that the loss depends on."""
    auxiliary = recipe.loss.auxiliary
    first, *others = graph.outputs
    weights = {name: auxiliary.get(name, 0.0) if isinstance(auxiliary, Mapping) else auxiliary for name in others}
    waiting = [graph.outputs[name].node for name in (first, *(name for name in others if weights[name]))]
    seen = set(waiting)
    while waiting:
        index = waiting.pop()
        reads = {ref.node for ref in graph.nodes[index].reads} - seen if index >= 0 else set()
        seen |= reads
        waiting += reads
    owners = {graph.nodes[index].shares or graph.nodes[index].path for index in seen if index >= 0}
    return {name for name in parameter_names(graph) if name in owners or name.rpartition(".")[0] in owners}
