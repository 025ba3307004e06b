"""`cnngraph runs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_runs
from cnngraph.cli.messages import complain, count, json_rows, print_diagnostics, print_styled, say, terminal_width
from cnngraph.cli.options import Format, choice, format_option, number
from cnngraph.cli.output_paths import check_output
from cnngraph.cli.trained import percent
from cnngraph.packages import require_extra
from cnngraph.runs.pictures import PICTURES

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.runs.overview import RunRow

RUNS = Path("runs")
ALL = 0  # the number of runs of each network to draw, if all are drawn


def _most(value: object) -> int:
    """The type of --best."""
    return ALL if value in (ALL, "all") else int(number(1)(value))


@command(
    ("cnngraph runs", "all in the folder runs"),
    ("cnngraph runs --sort test", "best test accuracy first"),
    ("cnngraph runs runs/net-1 runs/net-4 -o both.svg", "compare two runs, and draw their curves in one picture"),
    ("cnngraph runs -o all.svg --best 1", "draw the curves of the best run of each network"),
    ("cnngraph runs --format json", "as JSON"),
)
@argument(
    "folders",
    type=Path,
    nargs=-1,
    metavar="[FOLDER...]",
    help="Runs, or folders that contain runs at any depth. Default: runs.",
    shell_complete=complete_runs,
)
@click.option(
    "--sort",
    type=choice("name", "test", "best", "seconds", "parameters", "began"),
    default="name",
    help="Sort key: accuracies best first, others ascending.",
)
@click.option("-o", "--output", type=Path, metavar="FILE", help="Draw all curves into one picture: .png, .svg or .pdf.")
@click.option(
    "--best",
    type=_most,
    metavar="K|all",
    help="Draw the K best runs of each network and its params, or all. Default: all of up to 10 runs, otherwise the 3 "
    "best runs of each of the 10 best networks.",
)
@format_option
def runs(folders: tuple[Path, ...], sort: str, output: Path | None, best: int | None, format: Format) -> None:
    """List runs and compare them.

    Prints network, data, parameters, epochs, the accuracy of the best epoch on the validation images and of the kept
    weights on the test images, seconds and state, and the keys of the recipes that differ between the runs. A run with
    a damaged file is listed without the contents of that file, the file is reported, and the exit code is 1.
    """
    from cnngraph.runs.overview import SORTS, differences, find_runs, read_run

    if best is not None and not output:
        raise click.UsageError("--best chooses the runs that -o draws; add -o FILE")
    if output:
        check_output(output, PICTURES)
        require_extra("train")  # matplotlib, at the end
    places = list(folders) or [RUNS]
    for place in places:
        if not place.is_dir():
            complain(f"there is no folder {place}")
            raise Exit(1)
    rows = SORTS[sort](list(map(read_run, find_runs(places))))
    if not rows:
        complain(f"there are no runs in {', '.join(map(str, places))}")
        raise Exit(1)
    if format == "json":
        print(json_rows(row.to_dict() for row in rows))
    else:
        _print(rows, differences(rows))
    problems = [problem for row in rows for problem in row.problems]
    if problems:
        print_diagnostics(problems, to_stderr=True)
    if output:
        drawn = _draw(rows, output, best)
        if format == "text":
            say(f"curves: {output}, {drawn}")
    if problems:
        raise Exit(1)


def _draw(rows: list[RunRow], output: Path, best: int | None) -> str:
    """Draw the curves. Returns how many runs are drawn."""
    if not any(row.epochs for row in rows):
        complain("no run has finished an epoch: there is nothing to draw")
        raise Exit(1)
    from cnngraph.runs.comparison import comparison_figure, selected
    from cnngraph.train.record.run_file_formats import write_figure

    selection = selected(rows, best)
    write_figure(output, comparison_figure(selection))
    return selection.summary


def _print(rows: list[RunRow], different: list[dict[str, Any]]) -> None:
    from cnngraph.cli.layout import Column, in_columns

    columns = [
        Column("run", cut="middle"),
        Column("test", right=True),
        Column("best", right=True),
        Column("epochs", right=True, once=True),
        Column("parameters", right=True, once=True, optional=2),
        Column("seconds", right=True, optional=3),
        Column("state", once=True),
        Column("network", cut="middle", once=True, optional=1),
        Column("data", cut="end", once=True, optional=4),
    ]
    if any(different):
        columns.append(Column("recipe", cut="end"))
    lines = in_columns(columns, (cells[: len(columns)] for cells in map(_cells, rows, different)), terminal_width())
    print_styled([*lines, [], [(count(len(rows), "run"), "bold")]])


def _cells(row: RunRow, different: dict[str, Any]) -> list[Styled]:
    recipe = ", ".join(f"{key} {_shown(value)}" for key, value in different.items())
    texts = [
        (str(row.path), "bold"),
        (percent(row.test.get("accuracy")), "bold"),
        (percent(row.best.get("accuracy")), ""),
        (f"{len(row.epochs)}/{row.planned or '?'}", ""),
        (f"{row.parameters:,}" if row.parameters is not None else "?", ""),
        (f"{row.seconds:,.1f}", ""),
        (row.state, "" if row.state == "finished" else "yellow"),
        (row.network, ""),
        (row.data, ""),
        (recipe, "dim"),
    ]
    return [[text] for text in texts]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
