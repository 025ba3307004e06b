"""Building a network of torch.nn modules from a graph."""

from __future__ import annotations

from torch import nn

from cnngraph.backend.modules.build_layer import build_layer
from cnngraph.backend.modules.classes import class_source
from cnngraph.backend.modules.compile_source import compile_class
from cnngraph.backend.modules.initialise import init_weights
from cnngraph.backend.modules.plan import MODULE_LIST, SEQUENTIAL, ScopeModule, plan
from cnngraph.backend.modules.wrong_input import call_with_explanation
from cnngraph.elaborate.elaborate import collector_paused
from cnngraph.graph.graph import Graph


def lower(graph: Graph) -> nn.Module:
    """Build the network as a torch.nn.Module, with initial weights.

    Modules have the hierarchy of the spec and are created in its order, drawing their weights from PyTorch's generator
    as in a network written by hand; then the spec's `init` rules are applied. `model.graph` is the graph. Raises
    SpecError (E703) if a rule cannot be applied.
    """
    with collector_paused():
        modules = plan(graph)
        model = _build(modules)
        init_weights(model, modules, graph.init)
    model.graph = graph  # type: ignore[assignment]
    type(model).__call__ = call_with_explanation  # type: ignore[method-assign]
    type(model)._repr_svg_ = _drawing  # type: ignore[attr-defined]
    return model


def _drawing(model: nn.Module) -> str | None:
    """What a notebook shows below PyTorch's own text."""
    graph = getattr(model, "graph", None)
    return graph._repr_svg_() if isinstance(graph, Graph) else None


def _build(group: ScopeModule) -> nn.Module:
    children = {
        name: _build(child) if isinstance(child, ScopeModule) else build_layer(child.layer)
        for name, child in group.children.items()
    }
    if group.kind == SEQUENTIAL:
        return nn.Sequential(*children.values())
    if group.kind == MODULE_LIST:
        return nn.ModuleList(children.values())
    module = compile_class(class_source(group))()
    for name, child in children.items():
        if isinstance(child, nn.Module):
            module.add_module(name, child)
        else:
            setattr(module, name, child)
    return module
