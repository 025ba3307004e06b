"""`load`, `check`, `build` and `load_weights`: from a spec to its graph, its diagnostics and its module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.api.arguments import InputShape, Params, Plugins, input_value, overrides, plugin_names
from cnngraph.api.results import CheckResult
from cnngraph.compilation import Compilation, compile_spec, network_of
from cnngraph.elaborate.bases import base_names
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.graph.graph import Graph
from cnngraph.lint.run import Lint
from cnngraph.packages import explained

if TYPE_CHECKING:
    from torch import nn

    from cnngraph.backend import WeightsReport


def load(
    spec: str | Path,
    /,
    *,
    input: InputShape | None = None,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
    params: Params | None = None,
    **more_params: object,
) -> Graph:
    """The checked graph of a spec: a network of the library by its name, or a YAML file by its path.

    Keyword arguments replace params of the spec: `load("resnet18", classes=10)`. A param that is called like one of
    these arguments is given in `params`. `input` replaces the network's input, C×H×W without the batch, or a mapping
    of such by input name. `plugins` are modules that bring more ops, `max_nodes` the most operations that the spec may
    expand to.

    Raises SpecError for all that is wrong with the spec, and TypeError for a value that YAML does not have. Needs no
    PyTorch.
    """
    return network_of(_compile(spec, input, plugins, max_nodes, params, more_params), str(spec))


def check(
    spec: str | Path,
    /,
    *,
    input: InputShape | None = None,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
    params: Params | None = None,
    **more_params: object,
) -> CheckResult:
    """Everything that is wrong with a spec, warnings too; the arguments are those of `load`.

    Raises nothing for what is wrong with the spec: ask the result whether it is `ok`. Needs no PyTorch.
    """
    compilation = _compile(spec, input, plugins, max_nodes, params, more_params)
    return CheckResult(str(spec), tuple(Lint(own=True).run(compilation).diagnostics))


@explained()
def build(
    spec_or_graph: str | Path | Graph,
    /,
    *,
    input: InputShape | None = None,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
    params: Params | None = None,
    **more_params: object,
) -> nn.Module:
    """The network as a torch.nn.Module with fresh weights; the arguments are those of `load`, or a graph alone.

    PyTorch's random generator draws the weights. `model.graph` is the graph.

    Raises SpecError for all that is wrong; TypeError where a graph is given params; PackageError, an ImportError,
    where PyTorch is not installed or is broken.
    """
    from cnngraph.backend import lower

    return lower(graph_of(spec_or_graph, input, plugins, max_nodes, params, more_params))


@explained()
def load_weights(model: nn.Module, weights: str | Path, *, strict: bool = True) -> WeightsReport:
    """Load weights into a network that was built here, and report on every key.

    `weights` is a file, .safetensors or .pth, which is read without running code in it; `"torchvision"` takes the
    weights that torchvision publishes, `"torchvision:IMAGENET1K_V1"` those of that name. The renames of the network's
    spec are applied. Everything must fit but a classifier whose number of classes a param changes, which keeps its
    fresh weights; else SpecError is raised, and the model is unchanged. Without `strict`, what fits is loaded.
    """
    from cnngraph.backend import load_weights, open_weights

    graph = getattr(model, "graph", None)
    names = base_names(graph) if isinstance(graph, Graph) else [type(model).__name__]
    return load_weights(model, open_weights(weights, names), strict=strict)


def graph_of(
    spec_or_graph: str | Path | Graph,
    input: InputShape | None,
    plugins: Plugins,
    max_nodes: int,
    params: Params | None,
    more_params: Params | None = None,
) -> Graph:
    """The graph itself, or that of a spec. Raises SpecError, and TypeError where a graph is given what a spec takes."""
    if not isinstance(spec_or_graph, Graph):
        compilation = _compile(spec_or_graph, input, plugins, max_nodes, params, more_params)
        return network_of(compilation, str(spec_or_graph))
    if params or more_params or plugins or input is not None:
        raise TypeError("params, input and plugins apply to a spec; the values of a graph are fixed")
    return spec_or_graph


def _compile(
    spec: str | Path,
    input: InputShape | None,
    plugins: Plugins,
    max_nodes: int,
    params: Params | None,
    more_params: Params | None,
) -> Compilation:
    changes = overrides(params, more_params)
    return compile_spec(spec, changes, input_value(input), max_nodes=max_nodes, plugins=plugin_names(plugins))
