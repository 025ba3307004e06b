"""`--weights` of build and train, and what published weights expect of the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from cnngraph.cli.complete import complete_weights

if TYPE_CHECKING:
    from cnngraph.backend import WeightsFile
    from cnngraph.graph.graph import Graph

weights_option = click.option(
    "--weights",
    metavar="FILE|torchvision",
    shell_complete=complete_weights,
    help="Begin with these weights: .safetensors, or .pth, of which no code is run; torchvision for its published "
    "ones, torchvision:IMAGENET1K_V1 for those of that name.",
)


def expectations(opened: WeightsFile, graph: Graph) -> Iterator[str]:
    """Params with which the weights were trained and the network was not built."""
    for name, value in opened.expects.items():
        if graph.params.get(name, value) != value:
            shown = str(value).lower() if isinstance(value, bool) else value
            yield f"{opened.name} expects --set {name}={shown}"
