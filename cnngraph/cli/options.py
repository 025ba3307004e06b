"""The arguments and options that several commands take, and their texts as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cnngraph.document import Value
    from cnngraph.language.load import Override

MAX_NODES = 50_000
TRAIN = "train."


class Format(StrEnum):
    """How facts are printed."""

    TEXT = "text"
    JSON = "json"


class WrongNumberError(typer.BadParameter):
    """A number that an option does not take; its message names the option."""

    def format_message(self) -> str:
        """The message as it is."""
        return str(self.message)


def number(option: str, least: float, most: float | None = None) -> Callable[[str], Any]:
    """The parser of an option that takes numbers within bounds: whole ones, unless `least` is a fraction."""

    def parsed(text: str) -> Any:
        from cnngraph.document import core_scalar
        from cnngraph.fields import FieldError, Float, Int

        bounds = [each for each in (least, most) if each is not None]
        kind = Float(*bounds) if isinstance(least, float) else Int(*map(int, bounds))
        try:
            return kind.convert(core_scalar(str(text)))
        except FieldError as error:
            raise WrongNumberError(f"{option} {error.message}") from None

    return parsed


def complete_name(incomplete: str) -> list[str]:
    """The library's networks that begin so, for the shell; where none does, it completes files."""
    from cnngraph.library import network_files

    return [each for each in network_files() if each.startswith(incomplete)]


SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="The spec: a network of the library by its name (see cnngraph list), or a YAML file.",
        show_default=False,
        autocompletion=complete_name,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Give a param another value, written as in YAML; train.NAME reaches into the recipe. May be repeated.",
    ),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="CxHxW",
        help="Give the network another input: 3x320x320, or by name left=3x32x32. May be repeated.",
    ),
]
PluginOption = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="MODULE", help="Import a Python module that brings more ops. May be repeated."),
]
MaxNodesOption = Annotated[
    int,
    typer.Option(
        "--max-nodes",
        metavar="N",
        parser=number("--max-nodes", 1),
        help="The most single operations that a spec may expand to.",
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", metavar="text|json", help="How to print it.")]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a spec is to be read: what the shared options say."""

    params: tuple[Override, ...] = ()
    train: tuple[Override, ...] = ()  # names without their `train.`
    input: Value | None = None
    plugins: tuple[str, ...] = ()
    max_nodes: int = MAX_NODES


def reading(
    sets: Iterable[str] | None, inputs: Sequence[str] | None, plugins: Iterable[str] | None, max_nodes: int
) -> Reading:
    """The shared options' values. Raises typer.BadParameter for a text that says nothing."""
    from cnngraph.cli.overrides import override, shape

    overrides = [override(each) for each in sets or ()]
    return Reading(
        params=tuple(each for each in overrides if not each.name.startswith(TRAIN)),
        train=tuple(
            replace(each, name=each.name.removeprefix(TRAIN)) for each in overrides if each.name.startswith(TRAIN)
        ),
        input=shape(inputs) if inputs else None,
        plugins=tuple(plugins or ()),
        max_nodes=max_nodes,
    )
