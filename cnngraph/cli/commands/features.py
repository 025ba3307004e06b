"""`cnngraph features`."""

from __future__ import annotations

from pathlib import Path

import click

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_nodes
from cnngraph.cli.files import check_output
from cnngraph.cli.messages import count, json_text, print_styled
from cnngraph.cli.options import Format, format_option, max_nodes_option, number, plugin_option
from cnngraph.cli.trained import PICTURES, any_weights_option, device_option, open_classifier, trained_argument
from cnngraph.packages import require_extra


@command(
    ("cnngraph features runs/net-1 cat.jpg --node layer1.0", "what a block makes of a picture"),
    ("cnngraph features runs/net-1 cat.jpg --node layer1.0.add -o add.png", "an operation without a module, too"),
    ("cnngraph features resnet18 cat.jpg --node layer4 --weights torchvision", "by published weights"),
)
@trained_argument
@argument("image", type=Path, metavar="IMAGE", help="The image file.")
@click.option(
    "--node",
    required=True,
    metavar="NAME",
    help="A node or a block by its path, as cnngraph show has it.",
    shell_complete=complete_nodes,
)
@click.option(
    "--most",
    type=number(1, 256),
    default=64,
    metavar="N",
    help="How many channels are drawn, from the first on.",
)
@click.option(
    "-o",
    "--output",
    type=Path,
    default=Path("features.png"),
    metavar="FILE",
    help="The picture: .png, .svg or .pdf.",
)
@any_weights_option
@device_option
@format_option
@plugin_option
@max_nodes_option
def features(
    trained: str,
    image: Path,
    node: str,
    most: int,
    output: Path,
    weights: str | None,
    device: str,
    format: Format,
    plugins: tuple[str, ...],
    max_nodes: int,
) -> None:
    """Draw what a node of a network makes of an image.

    A grid of its channels' maps, each from its least number (dark) to its largest (bright); of a vector, bars. The
    grids that dilation leaves are seen so, and channels that are silent.
    """
    check_output(output, PICTURES)
    require_extra("train")  # some of it is needed at the end only
    classifier = open_classifier(trained, weights, device, plugins, max_nodes)

    from cnngraph.numbers import show_sizes
    from cnngraph.runs.features import features as compute
    from cnngraph.runs.features import features_figure
    from cnngraph.train.record.files import write_figure

    found = compute(classifier, node, image)
    write_figure(output, features_figure(found, most))
    if format == "json":
        print(json_text(found.to_dict() | {"picture": str(output)}))
        return
    silent = f" · {count(found.zero_channels, 'channel')} 0 everywhere" if found.zero_channels else ""
    print_styled(
        [[(node, "bold"), (f" · {show_sizes(found.shape)}{silent}", "")], [("picture: ", "dim"), (str(output), "")]]
    )
