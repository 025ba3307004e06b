"""Options for the initial weights of build, train and weights, and the params that published weights expect."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cnngraph.cli.complete import complete_networks, complete_weights
from cnngraph.cli.migrating import MigrationChoices, migration_options, old_graph
from cnngraph.cli.options import Reading
from cnngraph.frozen import frozen
from cnngraph.initial_weights import InitialWeights

if TYPE_CHECKING:
    from cnngraph.backend import WeightsFile
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
class WeightsOptions:
    """The values of the options; `old_sets` set params of the network that the weights belong to."""

    chosen: InitialWeights
    old_sets: tuple[str, ...] = ()

    @property
    def is_given(self) -> bool:
        """Whether weights were chosen."""
        return self.chosen.source is not None

    def open(self, graph: Graph, reading: Reading) -> WeightsFile | None:
        """The opened weights, None for random ones; those of another network are migrated. Raises SpecError."""
        old = None if self.chosen.old is None else old_graph(str(self.chosen.old), self.old_sets, reading)

        from cnngraph.backend import initial_weights

        return initial_weights(self.chosen, graph, old)


def choices_options(command: Function) -> Function:
    """Add --partial, --fresh and --leave to a command, which receives them as `choices`: `backend.Choices`."""

    @functools.wraps(command)
    def call(*, partial: bool, fresh: tuple[str, ...], leave: tuple[str, ...], **values: Any) -> Any:
        from cnngraph.backend import Choices

        return command(choices=Choices(partial, fresh, leave), **values)

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
        migration: MigrationChoices,
        **values: Any,
    ) -> Any:
        chosen = InitialWeights(weights, old, partial, fresh, leave, migration.input_channels, migration.classes)
        resumed = values.get("resume") is not None
        has_old_params = bool(migration.old_sets)
        problem = chosen.contradiction(_spell, resumed=resumed, old_params="old_set", has_old_params=has_old_params)
        if problem:
            raise click.UsageError(problem)
        return command(weights=WeightsOptions(chosen, migration.old_sets), **values)

    function: Any = migration_options(call)
    options = (_leave_option, _fresh_option, _partial_option, _from_option, _weights_option)
    for option in options:  # click lists the last one first
        function = option(function)
    return function  # type: ignore[no-any-return]


def _spell(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def expectations(opened: WeightsFile, graph: Graph) -> Iterator[str]:
    """The `--set` options with which the weights were trained, if the network has other values."""
    for name, value in opened.expects.items():
        if graph.params.get(name, value) != value:
            shown = str(value).lower() if isinstance(value, bool) else value
            yield f"{opened.name} expects --set {name}={shown}"
