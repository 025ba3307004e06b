"""`cnngraph predict`."""

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
    from collections.abc import Iterator

    from cnngraph.cli.messages import Styled
    from cnngraph.runs.prediction import Prediction

HEADER = ("image", "class", "probability")


@command(
    ("cnngraph predict runs/net-1 cat.jpg dog.png", "what two pictures show"),
    ("cnngraph predict runs/net-1 holidays/ --top 1", "every image in a folder and below"),
    ("cnngraph predict resnet50 cat.jpg --weights torchvision", "by published weights, without any training"),
    ("cnngraph predict runs/net-1 cat.jpg --format json", "for a program"),
)
@trained_argument
@images_argument
@click.option("--top", type=number(1), default=5, metavar="N", help="How many of the likeliest classes.")
@any_weights_option
@device_option
@format_option
@plugin_option
@max_nodes_option
def predict(
    trained: str,
    images: tuple[Path, ...],
    top: int,
    weights: str | None,
    device: str,
    format: Format,
    plugins: tuple[str, ...],
    max_nodes: int,
) -> None:
    """Say what images show.

    They are prepared just as the run's own images are evaluated. An image that cannot be read is named, the others
    are answered all the same, and the exit code is 1.
    """
    require_extra("train")
    classifier = open_classifier(trained, weights, device, plugins, max_nodes)

    from cnngraph.runs.image_files import find_image_files
    from cnngraph.runs.prediction import predict
    from cnngraph.train.data.walking import Passed

    passed = Passed()
    found = list(predict(classifier, find_image_files(images, passed), top))
    if passed.counts:
        complain(f"passed over {passed}", "note")
    if format == "json":
        print("[\n" + ",\n".join(f"  {json_text(each.to_dict())}" for each in found) + "\n]" if found else "[]")
    elif any(each.guesses for each in found):
        _print(found)
    for each in found:
        if each.problem:
            complain(each.problem)
    if not found:
        complain(f"there are no images in {', '.join(map(str, images))}")
    if not found or any(each.problem for each in found):
        raise Exit(1)


def _print(found: list[Prediction]) -> None:
    from cnngraph.cli.layout import Column, in_columns

    columns = (Column("image", cut="middle"), Column("class", cut="end"), Column("probability", right=True))
    print_styled(in_columns(columns, _rows(found), terminal_width()))


def _rows(found: list[Prediction]) -> Iterator[list[Styled]]:
    for each in found:
        for place, guess in enumerate(each.guesses):
            style = "" if place else "bold"
            image = "" if place else str(each.file)
            yield [[(image, "")], [(guess.name, style)], [(percent(guess.probability), style)]]
