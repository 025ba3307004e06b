"""Help texts: what a command does, examples first, then its arguments and options in two columns."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from typer.core import TyperCommand, TyperGroup

from cnngraph.terminal import console, unguarded

if TYPE_CHECKING:
    from rich.console import Console

Function = TypeVar("Function", bound=Callable[..., Any])
WIDEST = 100
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {}  # by a command's name: its line, and what it does


def examples(*lines: tuple[str, str]) -> Callable[[Function], Function]:
    """Give a command examples: each a line for the shell, and what it does."""

    def register(function: Function) -> Function:
        EXAMPLES[command_name(function)] = lines
        return function

    return register


def command_name(function: Callable[..., Any]) -> str:
    """What a function is called on the command line: `list_` is called list."""
    return function.__name__.rstrip("_")


class Command(TyperCommand):
    """A command whose help reads as below."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option --help, which prints in colours."""
        return _printing(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help text into the formatter."""
        formatter.write(_help(self, ctx))


class Group(TyperGroup):
    """The program, with its commands listed in its help."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option --help, which prints in colours."""
        return _printing(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help text into the formatter."""
        commands = [(name, _summary(self.commands[name])) for name in self.list_commands(ctx)]
        formatter.write(_help(self, ctx, commands))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name; the one that may have been meant is told where there is none."""
        if args[0] not in self.commands:
            from cnngraph.diagnostics import did_you_mean

            mend = did_you_mean(args[0], self.commands) or f"there are {', '.join(self.commands)}"
            ctx.fail(f"there is no command {args[0]}: {mend}")
        return super().resolve_command(ctx, args)


def print_help(ctx: Any) -> None:
    """Print the help of a command, which is all ours: its colours are no escapes of strangers."""
    print(ctx.get_help(), file=unguarded(sys.stdout))


def _printing(option: Any) -> Any:
    """The option --help, made to print with `print_help`."""

    def callback(ctx: Any, param: Any, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            print_help(ctx)
            ctx.exit()

    option.callback = callback
    return option


def _summary(command: Any) -> str:
    """The first line of the help."""
    return inspect.cleandoc(command.help or "").partition("\n")[0]


def _help(command: Any, ctx: Any, commands: Sequence[tuple[str, str]] = ()) -> str:
    """The whole text, coloured where stdout is a terminal."""
    out = console()
    out.width = min(WIDEST, out.width)
    out.soft_wrap = False
    _, _, rest = inspect.cleandoc(command.help or "").partition("\n\n")
    params = [each for each in command.get_params(ctx) if not getattr(each, "hidden", False)]
    arguments = [each for each in params if each.param_type_name == "argument"]
    options = [each for each in params if each.param_type_name == "option"]
    with out.capture() as text:
        out.print(_summary(command))
        if rest:
            out.print(f"\n{_unwrapped(rest)}")
        words = [ctx.command_path, *(_metavar(each) for each in arguments), "COMMAND" if commands else "", "[OPTIONS]"]
        out.print(f"\nUsage: {' '.join(filter(None, words))}", style="bold")
        _section(out, "Examples", EXAMPLES.get(ctx.info_name or "", ()), "cyan")
        _section(out, "Commands", commands, "bold cyan")
        _section(out, "Arguments", [(_metavar(each), each.help or "") for each in arguments], "bold cyan")
        _section(out, "Options", [(_flags(each), _explained(each)) for each in options], "bold cyan")
    return "\n".join(line.rstrip() for line in text.get().splitlines()) + "\n"


def _section(out: Console, title: str, rows: Sequence[tuple[str, str]], style: str) -> None:
    """A titled list: in two columns, or where the left one leaves no room, each text below what it explains."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    out.print(f"\n{title}:", style="bold")
    left = max(len(each) for each, _ in rows)
    if out.width - left < max(len(each) for _, each in rows) + 4 and left > out.width // 2:
        for name, text in rows:
            out.print(Padding(Text(name, style), (0, 0, 0, 2)), Padding(Text(text), (0, 0, 0, 6)))
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(Text(f"  {name}", style), Text(text))
    out.print(table)


def _unwrapped(text: str) -> str:
    """Paragraphs on one line each; the console breaks them where its width wants."""
    return "\n\n".join(" ".join(each.split()) for each in text.split("\n\n"))


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _flags(option: Any) -> str:
    """`-o, --output FILE`."""
    flags = ", ".join(sorted(option.opts, key=len))
    return flags if option.is_flag or option.name == "help" else f"{flags} {_metavar(option)}"


def _explained(option: Any) -> str:
    """The option's help with its default, where that says something."""
    text = option.help or ""
    default = option.default
    if default is None or callable(default) or isinstance(default, bool | list | tuple) or option.show_default is False:
        return text
    return f"{text} [{getattr(default, 'value', default)}]"
