"""Options for migrating weights between networks, and the old network."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cnngraph.cli.options import Reading, choice
from cnngraph.frozen import frozen

if TYPE_CHECKING:
    from cnngraph.graph.graph import Graph

Function = TypeVar("Function", bound=Callable[..., Any])
RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
MAX_CLASSES = 1_000_000

_input_channels_option = click.option(
    "--input-channels",
    type=choice("sum", "mean", "cycle"),
    help="How the first layer is adapted to another number of input channels: each new channel gets an equal part of "
    "the sum of the old weights, their mean, or the old weights in turn. Default: sum for one channel, else cycle.",
)
_classes_option = click.option(
    "--classes",
    metavar="LIST",
    help="The outputs of the new classifier are these outputs of the old one, counted from 0: 0,3,7-9. Without it, a "
    "classifier with another number of outputs is initialised.",
)
_old_set_option = click.option(
    "--old-set",
    "old_sets",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a param of the old network. Repeatable.",
)


@frozen
class MigrationChoices:
    """The values of the options."""

    input_channels: str = ""
    classes: tuple[int, ...] | None = None
    old_sets: tuple[str, ...] = ()


def old_graph(spec: str, old_sets: Iterable[str], reading: Reading) -> Graph:
    """The old network: `--set` and `--input` belong to the new one. Raises Exit if it has errors."""
    from cnngraph.cli.overrides import override
    from cnngraph.cli.reading import compile_network

    params = tuple(override(text) for text in old_sets)
    return compile_network(spec, replace(reading, params=params, train=(), input=None))


def migration_options(command: Function) -> Function:
    """Add --input-channels, --classes and --old-set to a command, which receives them as `migration`."""

    @functools.wraps(command)
    def call(*, input_channels: str | None, classes: str | None, old_sets: tuple[str, ...], **values: Any) -> Any:
        chosen = MigrationChoices(input_channels or "", _classes(classes), old_sets)
        return command(migration=chosen, **values)

    function: Any = call
    for option in (_old_set_option, _classes_option, _input_channels_option):  # click lists the last one first
        function = option(function)
    return function  # type: ignore[no-any-return]


def _classes(text: str | None) -> tuple[int, ...] | None:
    """Parse `0,3,7-9`. Raises click.BadParameter."""
    if text is None:
        return None
    found: list[int] = []
    for part in text.split(","):
        match = RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last - first >= MAX_CLASSES:
            raise click.BadParameter(
                f"{part or text} is not a class such as 3 or a range such as 7-9", param_hint="--classes"
            )
        found += range(first, last + 1)
    return tuple(found)
