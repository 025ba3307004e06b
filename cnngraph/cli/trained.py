"""What the commands for finished runs share: their arguments and options, and the run that they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cnngraph.runs.finished import FinishedRun

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.", show_default=False)]
DeviceOption = Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where the network runs.")]
PICTURES = (".png", ".svg", ".pdf")


def open_run(path: Path, plugins: list[str] | None, max_nodes: int) -> FinishedRun:
    """The run in a folder. Raises SpecError where there is none."""
    from cnngraph.cli.reading import find_plugins
    from cnngraph.runs.finished import FinishedRun

    find_plugins(plugins)
    return FinishedRun.open(path, plugins=tuple(plugins or ()), max_nodes=max_nodes)


def percent(part: float | None) -> str:
    """`98.75 %`, or a dash where there is nothing to measure on."""
    return "–" if part is None else f"{100 * part:.2f} %"
