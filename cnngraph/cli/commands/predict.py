"""`cnngraph predict`."""

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
    from collections.abc import Iterator

    from cnngraph.cli.messages import Styled
    from cnngraph.runs.prediction import Prediction


@command(
    ("cnngraph predict runs/net-1 cat.jpg dog.png", "classify two images"),
    ("cnngraph predict runs/net-1 holidays/ --top 1", "classify all images in a folder"),
    ("cnngraph predict resnet50 cat.jpg --weights torchvision", "use published weights, without training"),
    ("cnngraph predict runs/net-1 cat.jpg --format json", "as JSON"),
)
@trained_argument
@images_argument
@click.option(
    "--top",
    type=number(1),
    default=5,
    metavar="N",
    help="Print the N most probable classes.",
)
@classifier_options
@format_option
def predict(
    trained: str,
    images: tuple[Path, ...],
    top: int,
    format: Format,
    classifier_of: OpenClassifier,
) -> None:
    """Classify images.

    Images are preprocessed as in the run's evaluation. Images that cannot be read are reported, the others are still
    classified, and the exit code is 1.
    """
    classifier = classifier_of(trained)

    from cnngraph.runs.image_files import find_image_files
    from cnngraph.runs.prediction import predict
    from cnngraph.train.data.walking import Ignored

    ignored = Ignored()
    predictions = list(predict(classifier, find_image_files(images, ignored), top))
    if ignored.counts:
        complain(f"ignored {ignored}", "note")
    if format == "json":
        print(json_rows(prediction.to_dict() for prediction in predictions))
    elif any(prediction.guesses for prediction in predictions):
        _print(predictions)
    exit_on_problems([prediction.problem for prediction in predictions], images)


def _print(predictions: list[Prediction]) -> None:
    from cnngraph.cli.layout import Column, in_columns

    columns = (Column("image", cut="middle"), Column("class", cut="end"), Column("probability", right=True))
    print_styled(in_columns(columns, _rows(predictions), terminal_width()))


def _rows(predictions: list[Prediction]) -> Iterator[list[Styled]]:
    for prediction in predictions:
        for rank, guess in enumerate(prediction.guesses):
            style = "" if rank else "bold"
            image = "" if rank else str(prediction.file)
            yield [[(image, "")], [(guess.name, style)], [(percent(guess.probability), style)]]
