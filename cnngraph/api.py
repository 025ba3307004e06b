"""What a Python program calls: load, check, build and load_weights. PyTorch is imported by the last two alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnngraph.compilation import compile_spec
from cnngraph.diagnostics import Diagnostic, Source, Span, SpecError
from cnngraph.document import value_of
from cnngraph.elaborate.bases import base_names
from cnngraph.graph.graph import Graph
from cnngraph.language.load import Override
from cnngraph.lint.run import Lint
from cnngraph.packages import explained

if TYPE_CHECKING:
    from torch import nn

    from cnngraph.backend import WeightsReport


def load(spec: str | Path, /, **params: Any) -> Graph:
    """The checked graph of a spec, a file or a name of the library; `params` replace the spec's.

    Raises SpecError. Needs no PyTorch.
    """
    compilation = compile_spec(spec, _overrides(params))
    if not compilation.ok:
        raise SpecError(compilation.diagnostics)
    if compilation.graph is None:
        raise SpecError([Diagnostic("E107", f"{spec} is a library of blocks: there is no network in it")])
    return compilation.graph


def check(spec: str | Path, /, **params: Any) -> list[Diagnostic]:
    """All errors and warnings of a spec, a file or a name of the library; an empty list if it is fine."""
    return list(Lint(own=True).run(compile_spec(spec, _overrides(params))).diagnostics)


@explained()
def build(spec_or_graph: str | Path | Graph, /, **params: Any) -> nn.Module:
    """The network as a torch.nn.Module, with fresh weights. The spec is a file or a name of the library.

    Raises SpecError; PackageError, an ImportError, where PyTorch is not installed or is broken.
    """
    from cnngraph.backend import lower

    if isinstance(spec_or_graph, Graph):
        if params:
            raise TypeError("params belong to a spec; a graph has its values already")
        return lower(spec_or_graph)
    return lower(load(spec_or_graph, **params))


@explained()
def load_weights(model: nn.Module, weights: str | Path, *, strict: bool = True) -> WeightsReport:
    """Load weights into a network that was built here, and report on every key.

    `weights` is a file, .safetensors or .pth, of which no code is run; `"torchvision"` takes those that it publishes,
    `"torchvision:IMAGENET1K_V1"` those of that name. The renames of the network's spec are applied. All must fit but
    a classifier that a param gives another number of classes, which stays as it is; else SpecError is raised, and the
    model is as it was. Without `strict` what fits is loaded. PackageError where a package is missing.
    """
    from cnngraph.backend import load_weights, open_weights

    graph = getattr(model, "graph", None)
    names = base_names(graph) if isinstance(graph, Graph) else [type(model).__name__]
    return load_weights(model, open_weights(weights, names), strict=strict)


def _overrides(params: dict[str, Any]) -> list[Override]:
    overrides = []
    for name, value in params.items():
        text = f"{name}={value!r}"
        span = Span(Source("arguments", text), 1, 1, 1, len(text) + 1)
        try:
            overrides.append(Override(name, value_of(value, span)))
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
    return overrides
