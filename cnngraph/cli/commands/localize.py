"""`cnngraph localize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnngraph.cli.command import command
from cnngraph.cli.complete import complete_nodes
from cnngraph.cli.messages import complain, json_rows, print_styled, terminal_width
from cnngraph.cli.options import Format, format_option, number
from cnngraph.cli.trained import (
    OpenClassifier,
    classifier_options,
    exit_on_problems,
    images_argument,
    percent,
    trained_argument,
)

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.runs.class_maps import ClassMaps
    from cnngraph.runs.localization import Localization


@command(
    ("cnngraph localize runs/net-1 cat.jpg", "locate the most probable class"),
    ("cnngraph localize runs/net-1 street.jpg --class bicycle", "locate this class"),
    ("cnngraph localize resnet18 photos/ --weights torchvision -o maps", "a folder, with published weights"),
    ("cnngraph localize vgg16 cat.jpg --weights torchvision --layer features.22", "Grad-CAM at an earlier layer"),
    ("cnngraph localize runs/net-1 cat.jpg --threshold 0.5 --format json", "a tighter box, as JSON"),
)
@trained_argument
@images_argument
@click.option("--class", "name", metavar="NAME", help="The class to locate. Default: the most probable one.")
@click.option(
    "--threshold",
    type=number(0.0, 1.0),
    default=0.2,
    metavar="FRACTION",
    help="The box contains the positions that score at least this fraction of the maximum.",
)
@click.option(
    "--layer",
    metavar="NAME",
    help="Use Grad-CAM at the output of this node or block, as in cnngraph show. Default: the last feature map.",
    shell_complete=complete_nodes,
)
@click.option(
    "-o",
    "--output",
    type=Path,
    default=Path("localized"),
    metavar="FOLDER",
    help="Folder for the pictures; created if missing.",
)
@classifier_options
@format_option
def localize(
    trained: str,
    images: tuple[Path, ...],
    name: str | None,
    threshold: float,
    layer: str | None,
    output: Path,
    format: Format,
    classifier_of: OpenClassifier,
) -> None:
    """Draw where in images a network sees a class.

    For a network that ends with global average pooling and linear layers, such as resnet18, the classifier is applied
    at every position of the last feature map, instead of after the pooling: the mean of this map of scores is the score
    of the class (CAM, Zhou et al. 2016). For any other network, such as vgg16, the channels of the last feature map are
    weighted by the gradient of the score and summed (Grad-CAM, Selvaraju et al. 2017). No training is needed.

    A picture shows the image, the map over the image in grey, and the map with a colour scale. Positions of at least
    half the maximum are outlined. The box, dashed, is the smallest one around all positions above the threshold (Yu et
    al. 2017), and is printed in pixels of the image: left, top, right, bottom.
    """
    classifier = classifier_of(trained)

    from cnngraph.runs.image_files import find_image_files, output_names
    from cnngraph.runs.localizer import Localizer
    from cnngraph.train.data.walking import Ignored

    ignored = Ignored()
    localizer = Localizer(classifier, name, threshold, layer)
    files = list(find_image_files(images, ignored))
    if ignored.counts:
        complain(f"ignored {ignored}", "note")
    names = output_names(files)
    output.mkdir(parents=True, exist_ok=True)
    found: list[tuple[Localization, Path]] = []
    for place, picture in zip(localizer.localize(files), names, strict=True):
        found.append((place, output / picture))
        if not place.error:
            place.draw(output / picture)
    if format == "json":
        print(json_rows(place.to_dict() | ({} if place.error else {"picture": str(path)}) for place, path in found))
    elif any(not place.error for place, _ in found):
        _print(found, localizer.maps)
    exit_on_problems([place.error for place, _ in found], images)


def _print(found: list[tuple[Localization, Path]], maps: ClassMaps) -> None:
    from cnngraph.cli.layout import Column, in_columns
    from cnngraph.numbers import show_sizes

    columns = (
        Column("image", cut="middle"),
        Column("class", cut="end"),
        Column("probability", right=True),
        Column("score", right=True),
        Column("box"),
        Column("picture", cut="middle"),
    )
    rows = (_cells(place, path) for place, path in found if not place.error)
    method: list[Styled] = [[], [("map: ", "dim"), (f"{maps.method} at {maps.layer}, {show_sizes(maps.shape)}", "")]]
    print_styled([*in_columns(columns, rows, terminal_width()), *method])


def _cells(place: Localization, picture: Path) -> list[Styled]:
    box = ", ".join(str(round(side)) for side in place.box) if place.box else "no position scores above 0"
    return [
        [(str(place.image), "")],
        [(place.label, "")],
        [(percent(place.probability), "")],
        [(f"{place.score:.2f}", "")],
        [(box, "bold")],
        [(str(picture), "")],
    ]
