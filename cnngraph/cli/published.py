"""Options for the initial weights of build, train and weights, and the params that published weights expect."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cnngraph.cli.complete import complete_weights

if TYPE_CHECKING:
    from cnngraph.backend import WeightsFile
    from cnngraph.graph.graph import Graph

Function = TypeVar("Function", bound=Callable[..., Any])

_weights_option = click.option(
    "--weights",
    metavar="FILE|torchvision",
    shell_complete=complete_weights,
    help="Initial weights: a .safetensors file, a .pth file (loaded without executing code), or torchvision for its "
    "published weights; torchvision:resnet50 for those of another network, torchvision:IMAGENET1K_V1 for a version.",
)
_partial_option = click.option(
    "--partial", is_flag=True, help="Load the weights that fit, and initialise all others randomly."
)
_fresh_option = click.option(
    "--fresh",
    multiple=True,
    metavar="PATTERN",
    help="Initialise these weights of the network instead of loading them: paths with * and **, as fc or layer4.**. "
    "Repeatable.",
)
_leave_option = click.option(
    "--leave", multiple=True, metavar="PATTERN", help="Leave these weights of the file out. Repeatable."
)


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """The values of the options: where weights are, and what may not fit."""

    source: str | None = None
    partial: bool = False
    fresh: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()

    def open(self, graph: Graph) -> WeightsFile | None:
        """The opened weights, None for random ones. Raises SpecError (E704, E705)."""
        return None if self.source is None else self.opened(graph)

    def opened(self, graph: Graph) -> WeightsFile:
        """The opened weights of a source."""
        assert self.source is not None
        from cnngraph.backend import Choices, open_weights
        from cnngraph.elaborate.bases import base_names

        choices = Choices(self.partial, self.fresh, self.leave)
        return open_weights(self.source, base_names(graph), choices)


def choices_options(command: Function) -> Function:
    """Add --partial, --fresh and --leave to a command, which receives them as `choices`, without a source."""

    @functools.wraps(command)
    def call(*, partial: bool, fresh: tuple[str, ...], leave: tuple[str, ...], **values: Any) -> Any:
        return command(choices=InitialWeights(None, partial, fresh, leave), **values)

    function: Any = call
    for option in (_leave_option, _fresh_option, _partial_option):  # click lists the last one first
        function = option(function)
    return function  # type: ignore[no-any-return]


def weights_options(command: Function) -> Function:
    """Add --weights, --partial, --fresh and --leave to a command, which receives them as `weights`."""

    @functools.wraps(command)
    def call(
        *, weights: str | None, partial: bool, fresh: tuple[str, ...], leave: tuple[str, ...], **values: Any
    ) -> Any:
        if weights is None and (partial or fresh or leave):
            option = "--partial" if partial else "--fresh" if fresh else "--leave"
            raise click.BadParameter("it needs --weights", param_hint=option)
        return command(weights=InitialWeights(weights, partial, fresh, leave), **values)

    function: Any = call
    for option in (_leave_option, _fresh_option, _partial_option, _weights_option):
        function = option(function)
    return function  # type: ignore[no-any-return]


def expectations(opened: WeightsFile, graph: Graph) -> Iterator[str]:
    """The `--set` options with which the weights were trained, if the network has other values."""
    for name, value in opened.expects.items():
        if graph.params.get(name, value) != value:
            shown = str(value).lower() if isinstance(value, bool) else value
            yield f"{opened.name} expects --set {name}={shown}"
