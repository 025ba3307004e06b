"""`cnngraph localize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph.cli.command import command
from cnngraph.cli.messages import complain, json_text, print_styled, terminal_width
from cnngraph.cli.options import Format, format_option, max_nodes_option, number, plugin_option
from cnngraph.cli.trained import (
    any_weights_option,
    device_option,
    images_argument,
    open_classifier,
    percent,
    trained_argument,
)
from cnngraph.packages import require_extra

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.runs.localization import Localization

HEADER = ("image", "class", "probability", "score", "box", "picture")
RIGHT = (False, False, True, True, False)


@command(
    ("cnngraph localize runs/net-1 cat.jpg", "where the likeliest class is seen"),
    ("cnngraph localize runs/net-1 street.jpg --class bicycle", "where this class would be"),
    ("cnngraph localize resnet18 photos/ --weights torchvision -o maps", "a folder, by published weights"),
    ("cnngraph localize runs/net-1 cat.jpg --threshold 0.5 --format json", "a tighter box, for a program"),
)
@trained_argument
@images_argument
@click.option("--class", "name", metavar="NAME", help="Where is this class? By default the likeliest one.")
@click.option(
    "--threshold",
    type=number(0.0, 1.0),
    default=0.2,
    metavar="SHARE",
    help="What part of the largest score a place in the box has.",
)
@click.option(
    "-o",
    "--output",
    type=Path,
    default=Path("localized"),
    metavar="FOLDER",
    help="Where the pictures go; it is made where it is not.",
)
@any_weights_option
@device_option
@format_option
@plugin_option
@max_nodes_option
def localize(
    trained: str,
    images: tuple[Path, ...],
    name: str | None,
    threshold: float,
    output: Path,
    weights: str | None,
    device: str,
    format: Format,
    plugins: tuple[str, ...],
    max_nodes: int,
) -> None:
    """Show where in images a network sees a class.

    The network must pool its whole last map before its classifier: resnet18, googlenet, densenet121 and squeezenet1_1
    do, alexnet and vgg16 do not. Without the pooling the classifier gives scores for every place (Zhou et al. 2016),
    whose mean is the class's score; nothing is trained for it. They are drawn over the picture, with the smallest box
    around all places above the threshold (Yu et al. 2017); its corners are printed in pixels of the picture: left, top,
    right, bottom.
    """
    require_extra("train")  # some of it is needed at the end only
    classifier = open_classifier(trained, weights, device, plugins, max_nodes)

    from cnngraph.runs.heatmap import heatmap_figure
    from cnngraph.runs.image_files import find_image_files, output_names
    from cnngraph.runs.localization import Localizer
    from cnngraph.train.data.walking import Passed
    from cnngraph.train.record.files import write_figure

    passed = Passed()
    localizer = Localizer(classifier, name, threshold)
    files = list(find_image_files(images, passed))
    if passed.counts:
        complain(f"passed over {passed}", "note")
    names = output_names(files)
    output.mkdir(parents=True, exist_ok=True)
    found: list[tuple[Localization, Path]] = []
    for place, picture in zip(localizer.localize(files), names, strict=True):
        found.append((place, output / picture))
        if not place.problem:
            write_figure(output / picture, heatmap_figure(place))
    if format == "json":
        rows = [each.to_dict() | ({} if each.problem else {"picture": str(picture)}) for each, picture in found]
        print("[\n" + ",\n".join(f"  {json_text(each)}" for each in rows) + "\n]" if rows else "[]")
    elif any(not each.problem for each, _ in found):
        _print(found)
    for each, _ in found:
        if each.problem:
            complain(each.problem)
    if not found:
        complain(f"there are no images in {', '.join(map(str, images))}")
    if not found or any(each.problem for each, _ in found):
        raise Exit(1)


def _print(found: list[tuple[Localization, Path]]) -> None:
    from cnngraph.cli.layout import Column, in_columns

    columns = (
        Column("image", cut="middle"),
        Column("class", cut="end"),
        Column("probability", right=True),
        Column("score", right=True),
        Column("box"),
        Column("picture", cut="middle"),
    )
    rows = (_cells(each, picture) for each, picture in found if not each.problem)
    print_styled(in_columns(columns, rows, terminal_width()))


def _cells(place: Localization, picture: Path) -> list[Styled]:
    box = ", ".join(str(round(each)) for each in place.box) if place.box else "no place speaks for it"
    texts = [str(place.file), place.name, percent(place.probability), f"{place.score:.2f}", box, str(picture)]
    return [[(text, "bold" if column == HEADER.index("box") else "")] for column, text in enumerate(texts)]
