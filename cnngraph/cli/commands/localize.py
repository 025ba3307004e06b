"""`cnngraph localize`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnngraph.cli.command import command
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
    from cnngraph.runs.localization import Localization


@command(
    ("cnngraph localize runs/net-1 cat.jpg", "locate the most probable class"),
    ("cnngraph localize runs/net-1 street.jpg --class bicycle", "locate this class"),
    ("cnngraph localize resnet18 photos/ --weights torchvision -o maps", "a folder, with published weights"),
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
    output: Path,
    format: Format,
    classifier_of: OpenClassifier,
) -> None:
    """Draw where in images a network sees a class.

    The network must pool its last map globally before the classifier: resnet18, googlenet, densenet121 and
    squeezenet1_1 do, alexnet and vgg16 do not. Applied at every position instead of after the pooling, the classifier
    yields a map of scores (Zhou et al. 2016), whose mean is the score of the class; no training is needed. The map is
    drawn over the image, with the smallest box around all positions above the threshold (Yu et al. 2017). The box is
    printed in pixels of the image: left, top, right, bottom.
    """
    classifier = classifier_of(trained)

    from cnngraph.runs.heatmap import heatmap_figure
    from cnngraph.runs.image_files import find_image_files, output_names
    from cnngraph.runs.localization import Localizer
    from cnngraph.train.data.walking import Ignored
    from cnngraph.train.record.run_file_formats import write_figure

    ignored = Ignored()
    localizer = Localizer(classifier, name, threshold)
    files = list(find_image_files(images, ignored))
    if ignored.counts:
        complain(f"ignored {ignored}", "note")
    names = output_names(files)
    output.mkdir(parents=True, exist_ok=True)
    found: list[tuple[Localization, Path]] = []
    for place, picture in zip(localizer.localize(files), names, strict=True):
        found.append((place, output / picture))
        if not place.problem:
            write_figure(output / picture, heatmap_figure(place))
    if format == "json":
        print(json_rows(place.to_dict() | ({} if place.problem else {"picture": str(path)}) for place, path in found))
    elif any(not place.problem for place, _ in found):
        _print(found)
    exit_on_problems([place.problem for place, _ in found], images)


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
    rows = (_cells(place, path) for place, path in found if not place.problem)
    print_styled(in_columns(columns, rows, terminal_width()))


def _cells(place: Localization, picture: Path) -> list[Styled]:
    box = ", ".join(str(round(side)) for side in place.box) if place.box else "no position scores above 0"
    return [
        [(str(place.file), "")],
        [(place.name, "")],
        [(percent(place.probability), "")],
        [(f"{place.score:.2f}", "")],
        [(box, "bold")],
        [(str(picture), "")],
    ]
