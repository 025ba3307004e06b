"""`cnngraph features`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_nodes
from cnngraph.cli.messages import count, json_text, print_styled
from cnngraph.cli.options import Format, choice, format_option, number
from cnngraph.cli.output_paths import check_output
from cnngraph.cli.trained import OpenClassifier, classifier_options, trained_argument
from cnngraph.runs.pictures import PICTURES


@command(
    ("cnngraph features runs/net-1 cat.jpg --node layer1.0", "the output of a block"),
    ("cnngraph features runs/net-1 cat.jpg --node layer1.0.add -o add.png", "the output of an operation"),
    ("cnngraph features resnet18 cat.jpg --node layer4 --weights torchvision", "with published weights"),
)
@trained_argument
@argument("image", type=Path, metavar="IMAGE", help="The image file.")
@click.option(
    "--node",
    required=True,
    metavar="NAME",
    help="The path of a node or block, as in cnngraph show.",
    shell_complete=complete_nodes,
)
@click.option(
    "--most",
    type=number(1, 256),
    default=64,
    metavar="N",
    help="Draw at most the first N channels.",
)
@click.option(
    "--scale",
    type=choice("each", "all"),
    default="each",
    help="Colour every channel from its own minimum to its maximum, or all with the same scale.",
)
@click.option(
    "-o",
    "--output",
    type=Path,
    default=Path("features.png"),
    metavar="FILE",
    help="Output file: .png, .svg or .pdf.",
)
@classifier_options
@format_option
def features(
    trained: str,
    image: Path,
    node: str,
    most: int,
    scale: Literal["each", "all"],
    output: Path,
    format: Format,
    classifier_of: OpenClassifier,
) -> None:
    """Draw the output of a node for an image.

    A map is drawn as a grid of its channels next to the image, from the minimum (dark) to the maximum (bright); a
    vector as bars. This shows, for example, the gridding artefacts of dilation, and channels that are zero everywhere.
    """
    check_output(output, PICTURES)
    classifier = classifier_of(trained)

    from cnngraph.numbers import show_sizes
    from cnngraph.runs.features import features as compute

    found = compute(classifier, node, image)
    found.draw(output, most, scale)
    if format == "json":
        print(json_text(found.to_dict() | {"picture": str(output)}))
        return
    silent = f" · {count(found.zero_channels, 'channel')} zero everywhere" if found.zero_channels else ""
    print_styled(
        [[(node, "bold"), (f" · {show_sizes(found.shape)}{silent}", "")], [("picture: ", "dim"), (str(output), "")]]
    )
