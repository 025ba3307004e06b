"""`load`, `check`, `build` and `load_weights`: the graph, the diagnostics and the module of a spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.api.arguments import (
    ARGUMENTS,
    InputShape,
    Params,
    Plugins,
    input_value,
    overrides,
    patterns,
    plugin_names,
    recipe_changes,
)
from cnngraph.api.results import CheckResult
from cnngraph.compilation import Compilation, compile_spec, network_of
from cnngraph.diagnostics import SpecError
from cnngraph.elaborate.bases import base_names
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.graph.graph import Graph, show_graphs_with
from cnngraph.packages import explained, require_extra

if TYPE_CHECKING:
    from torch import nn

    from cnngraph.backend import WeightsReport
    from cnngraph.recipe.fit import ReadImages


def _drawing(graph: Graph) -> str | None:
    """The drawing of a graph that a notebook shows, as `render` makes it; None if it has too many boxes."""
    from cnngraph.render import draw  # on demand: most graphs are not shown

    try:
        return draw(graph, "svg").decode()
    except SpecError:
        return None


show_graphs_with(_drawing)


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
    """Compile a spec, and return its graph. `spec` is a bundled network by name, or a YAML file by path.

    Keyword arguments override params of the spec: `load("resnet18", classes=10)`. A param with the name of one of
    these arguments can be passed in `params`. `input` overrides the shape of the network's input, C×H×W without the
    batch; with several inputs it is a mapping of shapes by name. `plugins` are modules with additional ops.
    `max_nodes` limits the number of operations.

    Raises SpecError with all errors of the spec, and TypeError for a value that YAML cannot express. Does not need
    PyTorch.
    """
    return _network(_compile(spec, input, plugins, max_nodes, params, more_params, load), spec)


@explained()
def check(
    file: str | Path,
    /,
    *,
    recipe: str | Path | None = None,
    data_dir: str | Path | None = None,
    changes: Params | None = None,
    input: InputShape | None = None,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
    params: Params | None = None,
    **more_params: object,
) -> CheckResult:
    """Check a spec, a library of blocks, a recipe, an experiment, or a folder of such files.

    `file` can also be the name of a bundled one. With `recipe`, a name or path, every network must fit the recipe;
    `changes` overrides single keys of it. With `data_dir`, the recipe's data is read from there, and must fit as well.
    `params`, `input`, `plugins` and `max_nodes` are as in `load`.

    Errors in the files are not raised: see `ok` of the result. Does not need PyTorch without `data_dir`.
    """
    from cnngraph.checking import CheckOptions, check_paths

    options = CheckOptions(
        params=overrides(params, more_params, check),
        train=recipe_changes(changes, None),
        input=input_value(input),
        plugins=plugin_names(plugins),
        max_nodes=max_nodes,
        recipe=None if recipe is None else str(recipe),
        images=None if data_dir is None else _images_in(Path(data_dir)),
    )
    report = check_paths([str(file)], options)
    diagnostics = tuple(diagnostic for _, diagnostic in report.each_once())
    return CheckResult(str(file), diagnostics, tuple(checked.file for checked in report.files))


def _images_in(data_dir: Path) -> ReadImages:
    """A function that reads a recipe's data from a folder. Raises ValueError if there is no such folder."""
    if not data_dir.is_dir():
        raise ValueError(f"there is no folder {data_dir}")
    require_extra("train")
    from cnngraph.train.data.data_reader import DataReader

    return DataReader(data_dir).facts


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
    """Build a network as a torch.nn.Module with random weights. The arguments are those of `load`, or only a graph.

    The weights are drawn with PyTorch's global random number generator. `model.graph` is the graph.

    Raises SpecError with all errors of the spec; TypeError if params are passed with a graph; PackageError, an
    ImportError, if PyTorch is not installed or is broken.
    """
    from cnngraph.backend import lower

    return lower(graph_of(spec_or_graph, input, plugins, max_nodes, params, more_params, build))


@explained()
def load_weights(
    model: nn.Module,
    weights: str | Path,
    *,
    strict: bool = True,
    fresh: str | Iterable[str] = (),
    leave: str | Iterable[str] = (),
) -> WeightsReport:
    """Load weights into a network of `build`, and report on every key.

    `weights` is a .safetensors file, or a .pth file (loaded without executing code; `FILE:NAME` selects one of several
    sets of weights in it); `"torchvision"` loads the weights that torchvision publishes for the network,
    `"torchvision:resnet50"` those for another one, and `"torchvision:IMAGENET1K_V1"` those of a version. The renames of
    the network's spec are applied. A classifier whose number of classes was changed by a param keeps its random
    weights, and so does what a spec changes in the published network that it extends. If anything else does not fit,
    SpecError is raised and the model is unchanged; without `strict`, all weights that fit are loaded.

    `fresh` are patterns of weights of the network that keep their initial values, such as `"fc"` or `"layer4.**"`;
    `leave` are patterns of weights of the file that are ignored.
    """
    from cnngraph.backend import Choices, load_weights, open_weights

    graph = getattr(model, "graph", None)
    names = base_names(graph) if isinstance(graph, Graph) else [type(model).__name__]
    choices = Choices(not strict, patterns(fresh), patterns(leave))
    return load_weights(model, open_weights(weights, names, choices), strict=strict)


def graph_of(
    spec_or_graph: str | Path | Graph,
    input: InputShape | None,
    plugins: Plugins,
    max_nodes: int,
    params: Params | None,
    more_params: Params | None = None,
    function: Callable[..., object] | None = None,
) -> Graph:
    """The graph itself, or that of a spec. `function` is the one that the user called with `more_params`.

    Raises SpecError, and TypeError if arguments of a spec come with a graph.
    """
    if not isinstance(spec_or_graph, Graph):
        compilation = _compile(spec_or_graph, input, plugins, max_nodes, params, more_params, function)
        return _network(compilation, spec_or_graph)
    if params or more_params or plugins or input is not None:
        raise TypeError("`params`, `input` and `plugins` can only be passed with a spec, not with a graph")
    return spec_or_graph


def _network(compilation: Compilation, spec: str | Path) -> Graph:
    """The graph of a spec. Raises SpecError with its valid part, unless that would ignore a wrong argument."""
    try:
        return network_of(compilation, str(spec))
    except SpecError as error:
        graph, files = compilation.graph, {item.file for item in error.diagnostics}
        if graph is not None and (graph.nodes or graph.errors) and ARGUMENTS not in files:
            error.valid_part = graph
        raise


def _compile(
    spec: str | Path,
    input: InputShape | None,
    plugins: Plugins,
    max_nodes: int,
    params: Params | None,
    more_params: Params | None,
    function: Callable[..., object] | None,
) -> Compilation:
    changes = overrides(params, more_params, function)
    return compile_spec(spec, changes, input_value(input), max_nodes=max_nodes, plugins=plugin_names(plugins))
