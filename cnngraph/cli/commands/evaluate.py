"""`cnngraph evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnngraph.cli.command import command
from cnngraph.cli.complete import complete_weights
from cnngraph.cli.messages import complain, count, json_text, print_diagnostics, print_styled, terminal_width
from cnngraph.cli.options import Format, choice, format_option, max_nodes_option, number, plugin_option
from cnngraph.cli.output_paths import check_output
from cnngraph.cli.trained import device_option, open_run, percent, run_argument
from cnngraph.numbers import loss
from cnngraph.packages import require_extra
from cnngraph.runs.pictures import PICTURES
from cnngraph.runs.wrong_predictions import TABLES

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.runs.evaluation import Evaluation
    from cnngraph.train.record.scores import ClassScore

MAX_ROWS = 40  # classes in the table; if there are more, the worst are shown


@command(
    ("cnngraph evaluate runs/net-1", "evaluate the best weights on the test images"),
    ("cnngraph evaluate runs/net-1 --split validation --weights last", "other images and weights"),
    ("cnngraph evaluate runs/net-1 --data-dir new_photos --split all", "all images of another folder"),
    ("cnngraph evaluate runs/net-1 --wrong 25 -o wrong.png", "draw the 25 most confident wrong predictions"),
    ("cnngraph evaluate runs/net-1 --wrong 1000 -o wrong.csv", "list wrong predictions, as CSV or JSON"),
    ("cnngraph evaluate runs/net-1 --format json -o confusion.svg", "print JSON, draw an SVG"),
)
@run_argument
@click.option(
    "--split",
    type=choice("test", "validation", "train", "all"),
    default="test",
    help="The split to evaluate.",
)
@click.option(
    "--weights",
    metavar="best|last|epoch-N",
    help="The weights to use. Default: best, or last if no best epoch was chosen.",
    shell_complete=complete_weights,
)
@click.option(
    "--data-dir",
    "--data",
    "data_dir",
    type=Path,
    metavar="FOLDER",
    help="The data folder. Default: the one that the run was trained on.",
)
@click.option(
    "--wrong",
    type=number(1),
    metavar="N",
    help="Draw the N most confident wrong predictions, with class, prediction and file.",
)
@click.option(
    "-o",
    "--output",
    type=Path,
    metavar="FILE",
    help="Picture of the confusion matrix: .png, .svg or .pdf; with --wrong, of the wrong predictions, or a list of "
    "them: .csv or .json. Default: a .png file in RUN.",
)
@device_option
@format_option
@plugin_option
@max_nodes_option
def evaluate(
    run: Path,
    split: str,
    weights: str | None,
    data_dir: Path | None,
    wrong: int | None,
    output: Path | None,
    device: str,
    format: Format,
    plugins: tuple[str, ...],
    max_nodes: int,
) -> None:
    """Evaluate a trained network class by class.

    Prints loss and top-1 and top-5 accuracy, precision and recall of each class, and draws the confusion matrix. Images
    are preprocessed as in training, without random augmentation. The splits are those recorded by the run; images that
    were changed, removed or added since are reported.
    """
    if output:
        check_output(output, (*PICTURES, *TABLES) if wrong else PICTURES)
    require_extra("train")  # fails now rather than at the end
    opened = open_run(run, plugins, max_nodes)

    from cnngraph.runs.evaluation import evaluate_run

    result = evaluate_run(
        opened,
        split=split,
        weights=weights,
        data_dir=data_dir,
        device=device,
        note=lambda text: complain(text, "note"),
        wrong=wrong or 0,
    )
    if result.warnings:
        print_diagnostics(result.warnings, to_stderr=True)
    picture = (None if wrong else output) or _default_picture(run, "confusion", result, data_dir)
    result.draw(picture)
    wrong_file = (output or _default_picture(run, "wrong", result, data_dir)) if wrong else None
    if wrong_file:
        result.write_wrong(wrong_file)
    if format == "json":
        files = {"picture": str(picture)} | ({"wrong_file": str(wrong_file)} if wrong_file else {})
        print(json_text(result.to_dict() | files))
    else:
        _print(result, picture, wrong_file)


def _default_picture(run: Path, kind: str, result: Evaluation, data_dir: Path | None) -> Path:
    """The file of the picture: the run's own if weights and data are the run's, else another name."""
    chosen = result.run.choose_weights(None)
    more = [result.weights] * (result.weights != chosen) + ([data_dir.resolve().name] if data_dir else [])
    return run / f"{'_'.join([kind, result.split, *filter(None, more)])}.png"


def _print(result: Evaluation, picture: Path, wrong_file: Path | None) -> None:
    from cnngraph.cli.layout import Column, in_columns

    report = result.report
    images = count(report.images, f"{result.split} image" if result.split != "all" else "image")
    rows = report.by_class()
    note = ""
    if len(rows) > MAX_ROWS:
        rows = sorted(rows, key=lambda row: (row.recall is None, row.recall or 0.0))[:MAX_ROWS]
        note = f"… {MAX_ROWS} of {len(report.classes):,} classes: those with the lowest recall"
    top5 = [] if report.top5 is None else [f"top-5 {percent(report.top5)}"]
    columns = [Column("class", cut="end"), *(Column(title, right=True) for title in ("images", "precision", "recall"))]
    lines: list[Styled] = [
        [(result.run.graph.name, "bold"), (f" · {result.weights} weights · {result.data} · {images}", "")],
        [(" · ".join([f"loss {loss(report.loss)}", f"top-1 {percent(report.accuracy)}", *top5]), "bold")],
        [],
        *in_columns(columns, map(_cells, rows), terminal_width()),
    ]
    if note:
        lines.append([(note, "dim")])
    lines += [[], [("confusion matrix: ", "dim"), (str(picture), "")]]
    if wrong_file:
        many = f"{len(result.wrong or ()):,} of {report.images - report.correct:,}"
        lines.append([("wrong predictions: ", "dim"), (f"{wrong_file}, {many}, most confident first", "")])
    print_styled(lines)


def _cells(score: ClassScore) -> list[Styled]:
    texts = [score.name, f"{score.images:,}", percent(score.precision), percent(score.recall)]
    return [[(text, "")] for text in texts]
