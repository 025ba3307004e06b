"""`backbone`: a network that returns feature maps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.api.arguments import InputShape, Params, Plugins
from cnngraph.api.compiling import build, graph_of, load_weights
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.graph.graph import Graph
from cnngraph.graph.prune import pruned
from cnngraph.packages import explained
from cnngraph.passes.tap import live_nodes, tensor_at

if TYPE_CHECKING:
    from torch import nn


@explained()
def backbone(
    spec_or_graph: str | Path | Graph,
    features: Sequence[str],
    /,
    *,
    weights: str | Path | None = None,
    input: InputShape | None = None,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
    params: Params | None = None,
    **more_params: object,
) -> nn.Module:
    """Build the part of a network that computes some of its inner tensors, and returns them.

    `features` are paths as `cnngraph show` prints them: `["layer1", "layer4"]`. The module returns a named tuple in
    their order, or a single tensor for one path; a field has the path as its name, with `_` instead of `.`, and
    `feature_0` for the path `0`. What the features do not need, such as the classifier, is left out. `model.channels`
    are the channels of each feature, and `model.strides` the number of pixels of the input per pixel of the feature,
    in both directions.

    `weights` are loaded into the whole network first, as by `load_weights`; the other arguments are those of `load`.
    Raises SpecError for errors of the spec or of the weights, and for a path without a tensor (E652).
    """
    graph = graph_of(spec_or_graph, input, plugins, max_nodes, params, more_params, backbone)
    refs = {_field(path): tensor_at(graph, path) for path in features}
    inner = replace(graph, outputs=refs, training_only=frozenset())
    needed = live_nodes(inner)
    inner = pruned(inner, {index for index in range(len(graph.nodes)) if index not in needed})
    model = build(inner)
    if weights is not None:
        whole = build(graph)
        load_weights(whole, weights)
        kept = model.state_dict().keys()
        model.load_state_dict({key: value for key, value in whole.state_dict().items() if key in kept})
    types = [graph.type_of(ref) for ref in refs.values()]
    first = next(iter(graph.inputs.values()))
    model.channels = [type_.channels for type_ in types]  # type: ignore[assignment]
    model.strides = [  # type: ignore[assignment]
        round(first.height / type_.height) if first.height and type_.height else 1 for type_ in types
    ]
    return model


def _field(path: str) -> str:
    """The name of an output for a path."""
    name = re.sub(r"\W", "_", path)
    return f"feature_{name}" if name[:1].isdigit() else name
