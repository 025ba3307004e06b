"""Arguments and options shared by the commands for trained networks, and opening these networks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click
from click.exceptions import Exit

from cnngraph.cli.command import argument
from cnngraph.cli.complete import complete_devices, complete_runs, complete_trained, complete_weights
from cnngraph.cli.messages import complain, print_diagnostics
from cnngraph.cli.options import max_nodes_option, plugin_option
from cnngraph.packages import require_extra

if TYPE_CHECKING:
    from cnngraph.runs.classifier import Classifier
    from cnngraph.runs.trained_run import TrainedRun

Function = TypeVar("Function", bound=Callable[..., Any])
OpenClassifier: TypeAlias = "Callable[[str], Classifier]"

run_argument = argument("run", type=Path, metavar="RUN", help="The run's folder.", shell_complete=complete_runs)
trained_argument = argument(
    "trained",
    metavar="RUN",
    help="The run's folder; with --weights torchvision, the name of a bundled network.",
    shell_complete=complete_trained,
)
images_argument = argument(
    "images", type=Path, nargs=-1, required=True, metavar="IMAGE...", help="Image files, or folders of images."
)
device_option = click.option(
    "--device",
    default="auto",
    metavar="auto|cpu|cuda",
    help="The device to run on.",
    shell_complete=complete_devices,
)
_weights_option = click.option(
    "--weights",
    metavar="best|last|torchvision",
    shell_complete=complete_weights,
    help="A run's best or last weights, or those of an epoch, such as epoch-0010 (default: best); torchvision for a "
    "network's default published weights, or torchvision:IMAGENET1K_V1 for specific ones.",
)


def open_run(path: Path, plugins: tuple[str, ...], max_nodes: int) -> TrainedRun:
    """Open the run in a folder. Raises SpecError if there is none."""
    from cnngraph.cli.reading import find_plugins
    from cnngraph.runs.trained_run import TrainedRun

    find_plugins(plugins)
    run = TrainedRun.open(path, plugins=plugins, max_nodes=max_nodes)
    if run.warnings:
        print_diagnostics(run.warnings, to_stderr=True)
    return run


def classifier_options(command: Function) -> Function:
    """Add --weights, --device, --plugin and --max-nodes to a command, which receives `classifier_of`.

    It opens the network of a run, or one with published weights, by the value of `trained_argument`.
    """

    @functools.wraps(command)
    def call(*, weights: str | None, device: str, plugins: tuple[str, ...], max_nodes: int, **values: Any) -> Any:
        def classifier_of(trained: str) -> Classifier:
            return _open_classifier(trained, weights, device, plugins, max_nodes)

        return command(classifier_of=classifier_of, **values)

    function: Any = call
    for option in (max_nodes_option, plugin_option, device_option, _weights_option):  # click lists the last one first
        function = option(function)
    return function  # type: ignore[no-any-return]


def _open_classifier(
    trained: str, weights: str | None, device: str, plugins: tuple[str, ...], max_nodes: int
) -> Classifier:
    require_extra("train")  # fails now rather than at the end
    from cnngraph.cli.reading import find_plugins
    from cnngraph.runs import classifier

    find_plugins(plugins)
    opened = classifier.open_classifier(trained, weights, device, plugins=plugins, max_nodes=max_nodes)
    if opened.warnings:
        print_diagnostics(opened.warnings, to_stderr=True)
    return opened


def exit_on_problems(problems: Sequence[str | None], images: Iterable[Path]) -> None:
    """Print the images that could not be read. Raises Exit if there are any, or if there are no images."""
    found = [problem for problem in problems if problem]
    if not problems:
        found = [f"there are no images in {', '.join(map(str, images))}"]
    for problem in found:
        complain(problem)
    if found:
        raise Exit(1)


def percent(fraction: float | None) -> str:
    """`98.75 %`, or a dash if there is no value."""
    return "–" if fraction is None else f"{100 * fraction:.2f} %"
