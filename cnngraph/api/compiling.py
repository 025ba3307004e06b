"""`load`, `check`, `build` and `load_weights`: from a spec to its graph, its diagnostics and its module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.api.arguments import InputShape, Params, Plugins, input_value, overrides, plugin_names, recipe_changes
from cnngraph.api.results import CheckResult
from cnngraph.compilation import Compilation, compile_spec, network_of
from cnngraph.elaborate.bases import base_names
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.graph.graph import Graph
from cnngraph.packages import explained, require_extra

if TYPE_CHECKING:
    from torch import nn

    from cnngraph.backend import WeightsReport
    from cnngraph.recipe.fit import ReadImages


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
    """Everything that is wrong with a spec, a library of blocks, a recipe, an experiment, or a folder of such files.

    Names of the library are accepted for each. With a `recipe`, by its name or path, every network must fit it, with
    single keys changed by `changes`; with `data_dir` the recipe's data are read from there, and must fit as well.
    `params`, `input`, `plugins` and `max_nodes` are as in `load`.

    Raises nothing for what is wrong with the files: ask the result whether it is `ok`. Needs no PyTorch without
    `data_dir`.
    """
    from cnngraph.checking import CheckOptions, check_paths

    options = CheckOptions(
        params=overrides(params, more_params),
        train=recipe_changes(changes, None),
        input=input_value(input),
        plugins=plugin_names(plugins),
        max_nodes=max_nodes,
        recipe=None if recipe is None else str(recipe),
        images=None if data_dir is None else _images_in(Path(data_dir)),
    )
    report = check_paths([str(file)], options)
    return CheckResult(
        str(file), tuple(found for _, found in report.each_once()), tuple(each.file for each in report.files)
    )


def _images_in(data_dir: Path) -> ReadImages:
    """What reads the data of a recipe from a folder. Raises ValueError where it is none."""
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
