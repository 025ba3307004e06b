"""What the commands for trained networks share: their arguments and options, and the network that they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnngraph.cli.command import argument
from cnngraph.cli.complete import complete_devices, complete_runs, complete_trained, complete_weights
from cnngraph.cli.messages import print_diagnostics

if TYPE_CHECKING:
    from cnngraph.runs.classifier import Classifier
    from cnngraph.runs.trained_run import TrainedRun

run_argument = argument("run", type=Path, metavar="RUN", help="The run's folder.", shell_complete=complete_runs)
trained_argument = argument(
    "trained",
    metavar="RUN",
    help="The run's folder; with --weights torchvision, a network by its name.",
    shell_complete=complete_trained,
)
images_argument = argument(
    "images", type=Path, nargs=-1, required=True, metavar="IMAGE...", help="Image files, or folders of them."
)
any_weights_option = click.option(
    "--weights",
    metavar="best|last|torchvision",
    shell_complete=complete_weights,
    help="A run's best or last weights, or epoch-0010, by default the best; torchvision for the published "
    "ones of a network, torchvision:IMAGENET1K_V1 for those of that name.",
)
device_option = click.option(
    "--device", default="auto", metavar="auto|cpu|cuda", help="Where the network runs.", shell_complete=complete_devices
)
PICTURES = (".png", ".svg", ".pdf")


def open_run(path: Path, plugins: tuple[str, ...], max_nodes: int) -> TrainedRun:
    """The run in a folder. Raises SpecError where there is none."""
    from cnngraph.cli.reading import find_plugins
    from cnngraph.runs.trained_run import TrainedRun

    find_plugins(plugins)
    run = TrainedRun.open(path, plugins=plugins, max_nodes=max_nodes)
    if run.warnings:
        print_diagnostics(run.warnings, to_stderr=True)
    return run


def open_classifier(
    trained: str, weights: str | None, device: str, plugins: tuple[str, ...], max_nodes: int
) -> Classifier:
    """The network of a run, or one with published weights. Raises SpecError."""
    from cnngraph.cli.reading import find_plugins
    from cnngraph.runs import classifier

    find_plugins(plugins)
    opened = classifier.open_classifier(trained, weights, device, plugins=plugins, max_nodes=max_nodes)
    if opened.warnings:
        print_diagnostics(opened.warnings, to_stderr=True)
    return opened


def percent(part: float | None) -> str:
    """`98.75 %`, or a dash where there is nothing to measure on."""
    return "–" if part is None else f"{100 * part:.2f} %"
