"""Commands: functions with a docstring, examples, arguments and options; and their group, which imports them lazily.

@command(("cnngraph check net.yaml", "find every error"))
@argument("spec", metavar="SPEC", help="The spec.")
@reading_options
def check(spec: str, reading: Reading) -> None:
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, TypeVar

import click

from cnngraph.cli.help import Example, command_help, group_help, print_help, summary

Function = TypeVar("Function", bound=Callable[..., Any])


class Argument(click.Argument):
    """An argument with a help text."""

    def __init__(self, *names: Any, help: str = "", **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.help = help


class Command(click.Command):
    """A command whose help has examples."""

    def __init__(self, *arguments: Any, examples: tuple[Example, ...] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = examples

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The option --help, with coloured output."""
        return _printing(super().get_help_option(ctx))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text into the formatter."""
        formatter.write(command_help(self, ctx, self.examples))


class Group(click.Group):
    """The program. Its commands are modules of one package, each imported when it is used."""

    def __init__(
        self, *arguments: Any, package: str, names: tuple[str, ...], examples: tuple[Example, ...], **attributes: Any
    ) -> None:
        super().__init__(*arguments, **attributes)
        self.package, self.names, self.examples = package, names, examples

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the help text."""
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Command | None:
        """The command of that name, from the module of that name."""
        if cmd_name not in self.names:
            return None
        return next(_commands_in(f"{self.package}.{cmd_name}", cmd_name))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that the arguments name. Raises click.UsageError, with a similar name if there is one."""
        if args[0] not in self.names and not ctx.resilient_parsing:
            from cnngraph.diagnostics import did_you_mean

            suggestion = did_you_mean(args[0], self.names) or f"the commands are {', '.join(self.names)}"
            ctx.fail(f"unknown command {args[0]}: {suggestion}")
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The option --help, with coloured output."""
        return _printing(super().get_help_option(ctx))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text into the formatter, with a line for each command."""
        commands = [(name, summary(command)) for name in self.names if (command := self.get_command(ctx, name))]
        formatter.write(group_help(self, ctx, self.examples, commands))


def command(*examples: Example) -> Callable[[Callable[..., None]], Command]:
    """Convert a function to the command of its name; `list_` becomes `list`. Its docstring is the help text."""

    def make(function: Callable[..., None]) -> Command:
        return click.command(function.__name__.rstrip("_"), cls=Command, examples=examples)(function)

    return make


def argument(name: str, **attributes: Any) -> Callable[[Function], Function]:
    """Like click.argument, but with a help text."""
    return click.argument(name, cls=Argument, **attributes)


def _commands_in(module: str, name: str) -> Iterator[Command]:
    values = vars(import_module(module)).values()
    return (value for value in values if isinstance(value, Command) and value.name == name)


def _printing(option: click.Option | None) -> click.Option | None:
    """The option --help, changed to print with `print_help`."""

    def callback(ctx: click.Context, param: click.Parameter, is_set: bool) -> None:
        if is_set and not ctx.resilient_parsing:
            print_help(ctx)
            ctx.exit()

    if option is not None:
        option.callback = callback
    return option
