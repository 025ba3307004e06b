"""Options for the initial weights of build, train and weights, and the params that published weights expect."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cnngraph.cli.complete import complete_networks, complete_weights
from cnngraph.cli.migrating import MigrationChoices, input_channels_option
from cnngraph.cli.options import Reading
from cnngraph.frozen import frozen

if TYPE_CHECKING:
    from cnngraph.backend import Choices, WeightsFile
    from cnngraph.graph.graph import Graph

Function = TypeVar("Function", bound=Callable[..., Any])

_weights_option = click.option(
    "--weights",
    metavar="FILE|torchvision",
    shell_complete=complete_weights,
    help="Initial weights: a .safetensors file, a .pth file (loaded without executing code), or torchvision for its "
    "published weights; torchvision:resnet50 for those of another network, torchvision:IMAGENET1K_V1 for a version. By "
    "default the weights that the spec names for its networks; none for random weights.",
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


_from_option = click.option(
    "--from",
    "old",
    metavar="OLD",
    shell_complete=complete_networks,
    help="The weights are those of this network, and are adapted to SPEC as by cnngraph migrate.",
)


@frozen
class InitialWeights:
    """The values of the options: where weights are, and what may not fit."""

    source: str | None = None
    partial: bool = False
    fresh: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    old: str | None = None
    input_channels: str = ""

    def open(self, graph: Graph, reading: Reading | None = None) -> WeightsFile | None:
        """The opened weights, None for random ones; those of `old`, a spec, are migrated. Raises SpecError."""
        if self.source is None and not graph.weights:
            return None
        return self.opened(graph) if self.old is None else self.migrated(self.old, graph, reading or Reading())

    def migrated(self, old: str, graph: Graph, reading: Reading) -> WeightsFile:
        """The weights of another network, adapted to this one."""
        assert self.source is not None
        choices = MigrationChoices(self.input_channels)
        old_graph = choices.old_graph(old, reading)

        from cnngraph.backend import MigratedWeights

        return MigratedWeights.open(self.source, old_graph, graph, choices.options(self.fresh))

    def opened(self, graph: Graph) -> WeightsFile | None:
        """The opened weights of a source, or those that the spec names."""
        from cnngraph.backend import initial_weights

        return initial_weights(self.source, graph, self.choices())

    def choices(self) -> Choices:
        """What may not fit."""
        from cnngraph.backend import Choices

        return Choices(self.partial, self.fresh, self.leave)


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
    """Add --weights, --from and what may not fit to a command, which receives them as `weights`."""

    @functools.wraps(command)
    def call(
        *,
        weights: str | None,
        partial: bool,
        fresh: tuple[str, ...],
        leave: tuple[str, ...],
        old: str | None,
        input_channels: str | None,
        **values: Any,
    ) -> Any:
        chosen = InitialWeights(weights, partial, fresh, leave, old, input_channels or "")
        _check_combination(chosen)
        return command(weights=chosen, **values)

    function: Any = call
    options = (_leave_option, _fresh_option, _partial_option, input_channels_option, _from_option, _weights_option)
    for option in options:  # click lists the last one first
        function = option(function)
    return function  # type: ignore[no-any-return]


def _check_combination(weights: InitialWeights) -> None:
    """Raise click.BadParameter for options that need another one, or exclude each other."""
    needs_weights = {
        "--partial": weights.partial,
        "--fresh": weights.fresh,
        "--leave": weights.leave,
        "--from": weights.old,
    }
    for option, value in needs_weights.items():
        if value and weights.source is None:
            raise click.BadParameter("it needs --weights", param_hint=option)
    if weights.input_channels and weights.old is None:
        raise click.BadParameter("it needs --from", param_hint="--input-channels")
    if weights.old is not None and (weights.partial or weights.leave):
        option = "--partial" if weights.partial else "--leave"
        raise click.BadParameter("with --from, every weight that fits is used", param_hint=option)


def expectations(opened: WeightsFile, graph: Graph) -> Iterator[str]:
    """The `--set` options with which the weights were trained, if the network has other values."""
    for name, value in opened.expects.items():
        if graph.params.get(name, value) != value:
            shown = str(value).lower() if isinstance(value, bool) else value
            yield f"{opened.name} expects --set {name}={shown}"
