"""A contact sheet of images that were classified wrongly, and writing it, or a table, to a file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnngraph import atomic_files
from cnngraph.runs.wrong_predictions import WrongPrediction, wrong_csv, wrong_json
from cnngraph.train.record import run_file_formats
from cnngraph.train.record.plots import INK, LINE, plot_text, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 400  # on one sheet
CELL, CAPTION, GAP, MARGIN, TITLE = 150, 46, 18, 16, 50  # pixels of the sheet at 100 dots per inch
LONGEST = 22  # characters of a line of a caption
TITLE_LETTER = 10  # pixels of a letter of the title, at most
WRONG, PALE = "#b91c1c", "#64748b"


def write_wrong_predictions(path: Path, wrong: Sequence[WrongPrediction], title: str, total: int) -> None:
    """Write the predictions as a contact sheet (.png, .svg, .pdf), as CSV or as JSON, by the ending of the path.

    `total` is the number of wrong predictions, and `title` names the evaluation.
    """
    match path.suffix.lower():
        case ".csv":
            atomic_files.write_text(path, wrong_csv(wrong))
        case ".json":
            atomic_files.write_text(path, wrong_json(wrong))
        case _:
            run_file_formats.write_figure(path, contact_sheet(wrong, title, total))


def contact_sheet(wrong: Sequence[WrongPrediction], title: str, total: int) -> Figure:
    """The images, each with its file or index, its class, and in red what it was taken for, with the probability.

    The `title`, and below it how many of `total` wrong predictions are drawn.
    """
    from matplotlib.figure import Figure

    shown = wrong[:MOST]
    columns = max(4, math.ceil(math.sqrt(len(shown))))
    rows = max(1, math.ceil(len(shown) / columns))
    width = 2 * MARGIN + columns * (CELL + GAP) - GAP
    height = MARGIN + TITLE + rows * (CELL + CAPTION + GAP)
    figure = Figure(figsize=(width / 100, height / 100), dpi=150)

    def write(x: float, y: float, text: str, size: float, **options: Any) -> None:
        figure.text(x / width, 1 - y / height, plot_text(_short(text)), fontsize=size, **{"color": INK, **options})

    name = plot_text(shortened(title, int((width - 2 * MARGIN) / TITLE_LETTER)))
    figure.text(MARGIN / width, 1 - 22 / height, name, fontsize=10, color=INK, fontweight="bold")
    many = f"{len(shown):,} of {total:,} wrong predictions, most confident first"
    legend = f"{many} · file, class, and in red the prediction" if shown else "no wrong predictions"
    figure.text(MARGIN / width, 1 - 38 / height, legend, fontsize=7.5, color=PALE)
    for number, prediction in enumerate(shown):
        x = MARGIN + (number % columns) * (CELL + GAP)
        y = TITLE + (number // columns) * (CELL + CAPTION + GAP)
        place = x / width, 1 - (y + CELL + CAPTION) / height, CELL / width, CELL / height
        axes = figure.add_axes(place, anchor="NW", xticks=[], yticks=[])
        small = max(prediction.image.size) < CELL
        grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255} if prediction.image.mode == "L" else {}
        axes.imshow(prediction.image, interpolation="nearest" if small else "antialiased", **grey)
        for spine in axes.spines.values():
            spine.set_color(LINE)
        write(x, y + 15, prediction.file or f"{prediction.split} {prediction.index}", 6, color=PALE)
        write(x, y + 28, prediction.true, 8)
        write(x, y + 41, _guess(prediction), 8, color=WRONG, fontweight="bold")
    return figure


def _guess(prediction: WrongPrediction) -> str:
    """`dog 98.1 %`, with a shorter name if the line would be too long."""
    percent = f" {100 * prediction.probability:.1f} %"
    return _short(prediction.predicted, LONGEST - len(percent)) + percent


def _short(text: str, longest: int = LONGEST) -> str:
    """The end of a text that is too long: names of files differ at the end."""
    return text if len(text) <= longest else f"…{text[1 - longest :]}"
