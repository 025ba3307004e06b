"""`cnngraph features`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnngraph.cli.files import check_output
from cnngraph.cli.help import examples
from cnngraph.cli.messages import count, json_text, print_styled
from cnngraph.cli.options import MAX_NODES, Format, FormatOption, MaxNodesOption, PluginOption, number
from cnngraph.cli.trained import PICTURES, AnyWeightsOption, DeviceOption, TrainedArgument, open_classifier
from cnngraph.packages import require

ImageArgument = Annotated[Path, typer.Argument(metavar="IMAGE", help="The image file.", show_default=False)]
NodeOption = Annotated[
    str,
    typer.Option(
        "--node", metavar="NAME", help="A node or a block by its path, as cnngraph show has it.", show_default=False
    ),
]
MostOption = Annotated[
    int,
    typer.Option(
        "--most", metavar="N", parser=number("--most", 1, 256), help="How many channels are drawn, from the first on."
    ),
]
OutputOption = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The picture: .png, .svg or .pdf.")]


@examples(
    ("cnngraph features runs/net-1 cat.jpg --node layer1.0", "what a block makes of a picture"),
    ("cnngraph features runs/net-1 cat.jpg --node layer1.0.add -o add.png", "an operation without a module, too"),
    ("cnngraph features resnet18 cat.jpg --node layer4 --weights torchvision", "by published weights"),
)
def features(
    trained: TrainedArgument,
    image: ImageArgument,
    node: NodeOption,
    most: MostOption = 64,
    output: OutputOption = Path("features.png"),
    weights: AnyWeightsOption = None,
    device: DeviceOption = "auto",
    format: FormatOption = Format.TEXT,
    plugins: PluginOption = None,
    max_nodes: MaxNodesOption = MAX_NODES,
) -> None:
    """Draw what a node of a network makes of an image.

    A grid of its channels' maps, each from its least number (dark) to its largest (bright); of a vector, bars. The
    grids that dilation leaves are seen so, and channels that are silent.
    """
    check_output(output, PICTURES)
    require("matplotlib")  # which is needed at the end
    classifier = open_classifier(trained, weights, device, plugins, max_nodes)

    from cnngraph.numbers import show_sizes
    from cnngraph.runs.features import features as compute
    from cnngraph.runs.features import features_figure
    from cnngraph.train.record.files import write_figure

    found = compute(classifier, node, image)
    write_figure(output, features_figure(found, most))
    if format is Format.JSON:
        print(json_text(found.to_dict() | {"picture": str(output)}))
        return
    silent = f" · {count(found.silent, 'channel')} 0 everywhere" if found.silent else ""
    print_styled(
        [[(node, "bold"), (f" · {show_sizes(found.shape)}{silent}", "")], [("picture: ", "dim"), (str(output), "")]]
    )
