"""`cnngraph evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnngraph.cli.command import command
from cnngraph.cli.complete import complete_weights
from cnngraph.cli.files import check_output
from cnngraph.cli.messages import complain, count, json_text, print_diagnostics, print_styled, terminal_width
from cnngraph.cli.options import Format, format_option, max_nodes_option, plugin_option
from cnngraph.cli.trained import PICTURES, device_option, open_run, percent, run_argument
from cnngraph.numbers import loss
from cnngraph.packages import require_extra

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.runs.evaluation import Evaluation
    from cnngraph.train.record.scores import ClassScore

MOST_ROWS = 40  # classes that are listed; of more, the worst


@command(
    ("cnngraph evaluate runs/net-1", "the test images, with the best weights"),
    ("cnngraph evaluate runs/net-1 --part validation --weights last", "other images, other weights"),
    ("cnngraph evaluate runs/net-1 --data-dir new_photos --part all", "every image of another folder"),
    ("cnngraph evaluate runs/net-1 --format json -o confusion.svg", "for a program, and a picture for a paper"),
)
@run_argument
@click.option(
    "--part",
    type=click.Choice(["test", "validation", "train", "all"]),
    default="test",
    help="Which images.",
)
@click.option(
    "--weights",
    metavar="best|last|epoch-N",
    help="Which weights; by default the best, where one was chosen.",
    shell_complete=complete_weights,
)
@click.option(
    "--data-dir",
    "--data",
    "data_dir",
    type=Path,
    metavar="FOLDER",
    help="Where the images are; by default where they were when it was trained.",
)
@click.option(
    "-o", "--output", type=Path, metavar="FILE", help="The picture: .png, .svg or .pdf; by default in the run's folder."
)
@device_option
@format_option
@plugin_option
@max_nodes_option
def evaluate(
    run: Path,
    part: str,
    weights: str | None,
    data_dir: Path | None,
    output: Path | None,
    device: str,
    format: Format,
    plugins: tuple[str, ...],
    max_nodes: int,
) -> None:
    """Measure a trained network class by class.

    Loss, top-1, top-5, and for each class precision (how much of what was taken for it is it) and recall (how much of
    it was found); the confusion matrix as a picture. Images are prepared as they were in training, without chance. The
    splits are those that the run recorded; images that were changed, removed or added since are reported.
    """
    if output:
        check_output(output, PICTURES)
    require_extra("train")  # some of it is needed at the end only
    opened = open_run(run, plugins, max_nodes)

    from cnngraph.runs.evaluation import evaluate_run

    done = evaluate_run(
        opened,
        split=part,
        weights=weights,
        data_dir=data_dir,
        device=device,
        note=lambda text: complain(text, "note"),
    )
    if done.warnings:
        print_diagnostics(done.warnings, to_stderr=True)
    picture = output or _beside(run, done, data_dir)
    done.draw(picture)
    if format == "json":
        print(json_text(done.to_dict() | {"picture": str(picture)}))
    else:
        _print(done, picture)


def _beside(run: Path, done: Evaluation, data_dir: Path | None) -> Path:
    """Where the picture goes: the run's own for what the run would have drawn, another one for all else."""
    chosen = done.run.choose_weights(None)
    more = [done.weights] * (done.weights != chosen) + ([data_dir.resolve().name] if data_dir else [])
    return run / f"{'_'.join(['confusion', done.split, *filter(None, more)])}.png"


def _print(done: Evaluation, picture: Path) -> None:
    from cnngraph.cli.layout import Column, in_columns

    report = done.report
    images = count(report.images, f"{done.split} image" if done.split != "all" else "image")
    rows = report.by_class()
    note = ""
    if len(rows) > MOST_ROWS:
        rows = sorted(rows, key=lambda each: (each.recall is None, each.recall or 0.0))[:MOST_ROWS]
        note = f"… the {MOST_ROWS} of {len(report.classes):,} classes that are found least"
    top5 = [] if report.top5 is None else [f"top-5 {percent(report.top5)}"]
    columns = [Column("class", cut="end"), *(Column(title, right=True) for title in ("images", "precision", "recall"))]
    lines: list[Styled] = [
        [(done.run.graph.name, "bold"), (f" · {done.weights} weights · {done.data} · {images}", "")],
        [(" · ".join([f"loss {loss(report.loss)}", f"top-1 {percent(report.accuracy)}", *top5]), "bold")],
        [],
        *in_columns(columns, map(_cells, rows), terminal_width()),
    ]
    if note:
        lines.append([(note, "dim")])
    print_styled([*lines, [], [("confusion matrix: ", "dim"), (str(picture), "")]])


def _cells(each: ClassScore) -> list[Styled]:
    texts = [each.name, f"{each.images:,}", percent(each.precision), percent(each.recall)]
    return [[(text, "")] for text in texts]
