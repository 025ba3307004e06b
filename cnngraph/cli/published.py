"""The option `--weights` of build and train, and the params that published weights were trained with."""

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
    help="Initial weights: a .safetensors file, a .pth file (loaded without executing code), torchvision for its "
    "default published weights, or torchvision:IMAGENET1K_V1 for specific ones.",
)


def expectations(opened: WeightsFile, graph: Graph) -> Iterator[str]:
    """The `--set` options with which the weights were trained, if the network has other values."""
    for name, value in opened.expects.items():
        if graph.params.get(name, value) != value:
            shown = str(value).lower() if isinstance(value, bool) else value
            yield f"{opened.name} expects --set {name}={shown}"
