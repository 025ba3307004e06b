"""Arguments and options shared by several commands, and their types."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import click

from cnngraph.cli.command import argument
from cnngraph.cli.complete import complete_networks, complete_parameters
from cnngraph.frozen import frozen

if TYPE_CHECKING:
    from cnngraph.document import Value
    from cnngraph.language.load import Override
    from cnngraph.lint.selection import Selection

Function = TypeVar("Function", bound=Callable[..., Any])
Format: TypeAlias = Literal["text", "json"]
MAX_NODES = 50_000
TRAIN = "train."


class WrongNumberError(click.BadParameter):
    """An invalid number; the message starts with the option's name."""

    def format_message(self) -> str:
        """`--depth must be an integer of at least 1, got 0`."""
        return f"{max(self.param.opts, key=len)} {self.message}" if self.param else self.message


def number(least: float, most: float | None = None) -> Callable[[object], Any]:
    """The type of an option for numbers in a range: floats if `least` is a float, else integers."""

    def parsed(value: object) -> Any:
        from cnngraph.document import core_scalar
        from cnngraph.fields import FieldError, Float, Int

        bounds = [bound for bound in (least, most) if bound is not None]
        kind = Float(*bounds) if isinstance(least, float) else Int(*map(int, bounds))
        try:
            return kind.convert(core_scalar(str(value)))
        except FieldError as error:
            raise WrongNumberError(error.message) from None

    return parsed


def choice(*names: str) -> click.Choice[str]:
    """The type of an option that is one of a few words, in upper or lower case: `--page A4`."""
    return click.Choice(names, case_sensitive=False)


spec_argument = argument(
    "spec",
    metavar="SPEC",
    help="A YAML file, or the name of a bundled network (see cnngraph list).",
    shell_complete=complete_networks,
)
format_option = click.option("--format", type=choice("text", "json"), default="text", help="Output format.")
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="MODULE",
    help="Import a Python module that defines more ops. Repeatable.",
)
max_nodes_option = click.option(
    "--max-nodes",
    type=number(1),
    default=MAX_NODES,
    metavar="N",
    help="Maximum number of operations that a spec may expand to.",
)
_set_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=complete_parameters,
    help="Set a param to a YAML value; train.NAME sets a key of the recipe. Repeatable.",
)
_input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="CxHxW",
    help="Set the input's shape, such as 3x320x320, or that of one of several inputs: left=3x32x32. Repeatable.",
)


def reading_options(command: Function) -> Function:
    """Add --set, --input, --plugin and --max-nodes to a command, which receives them as `reading`."""

    @functools.wraps(command)
    def call(
        *, sets: Sequence[str], inputs: Sequence[str], plugins: Sequence[str], max_nodes: int, **values: Any
    ) -> Any:
        return command(reading=_reading(sets, inputs, plugins, max_nodes), **values)

    function: Any = call
    for option in (max_nodes_option, plugin_option, _input_option, _set_option):  # click lists the last one first
        function = option(function)
    return function  # type: ignore[no-any-return]


_select_option = click.option(
    "--select",
    "selected",
    multiple=True,
    metavar="CODES",
    help="Report only these warnings: codes or prefixes, such as W401,W6. Errors are always reported.",
)
_ignore_option = click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="CODES",
    help="Do not report these warnings, such as W401,W6.",
)


def selection_options(command: Function) -> Function:
    """Add --select and --ignore to a command, which receives them as `selection`."""

    @functools.wraps(command)
    def call(*, selected: Sequence[str], ignored: Sequence[str], **values: Any) -> Any:
        return command(selection=_selection(selected, ignored), **values)

    function: Any = call
    for option in (_ignore_option, _select_option):
        function = option(function)
    return function  # type: ignore[no-any-return]


def _selection(selected: Sequence[str], ignored: Sequence[str]) -> Selection:
    """The selection of warnings. Raises click.BadParameter for an unknown code."""
    from cnngraph.lint.selection import EVERYTHING, UnknownCodeError, select

    if not selected and not ignored:
        return EVERYTHING
    chosen, left_out = (
        [code.strip() for text in texts for code in text.split(",") if code.strip()] for texts in (selected, ignored)
    )
    try:
        return select(chosen, left_out)
    except UnknownCodeError as error:
        option = "--select" if error.code in chosen else "--ignore"
        raise click.BadParameter(str(error), param_hint=option) from None


@frozen
class Reading:
    """How to read a spec: the values of the shared options."""

    params: tuple[Override, ...] = ()
    train: tuple[Override, ...] = ()  # names without `train.`
    input: Value | None = None
    plugins: tuple[str, ...] = ()
    max_nodes: int = MAX_NODES


def _reading(sets: Iterable[str], inputs: Sequence[str], plugins: Iterable[str], max_nodes: int) -> Reading:
    """Parse the shared options. Raises click.BadParameter."""
    from cnngraph.cli.overrides import override, shape

    overrides = [override(text) for text in sets]
    return Reading(
        params=tuple(item for item in overrides if not item.name.startswith(TRAIN)),
        train=tuple(
            replace(item, name=item.name.removeprefix(TRAIN)) for item in overrides if item.name.startswith(TRAIN)
        ),
        input=shape(inputs) if inputs else None,
        plugins=tuple(plugins),
        max_nodes=max_nodes,
    )
