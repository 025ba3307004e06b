"""Help texts: a summary, examples, and two columns of arguments and options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from cnngraph.terminal import console, unguarded

if TYPE_CHECKING:
    from rich.console import Console

Example: TypeAlias = "tuple[str, str]"  # a shell command, and what it does
WIDEST = 100


def print_help(ctx: click.Context) -> None:
    """Print the help of a command. It is trusted text, so its colour codes are not escaped."""
    print(ctx.get_help(), file=unguarded(sys.stdout))


def summary(command: click.Command) -> str:
    """The first line of a command's docstring."""
    return (command.help or "").partition("\n")[0]


def command_help(command: click.Command, ctx: click.Context, examples: Sequence[Example]) -> str:
    """The help text of a command, coloured on a terminal."""
    return _help(command, ctx, examples, ())


def group_help(
    group: click.Group, ctx: click.Context, examples: Sequence[Example], commands: Sequence[tuple[str, str]]
) -> str:
    """The help text of the program, with the names and summaries of its commands."""
    return _help(group, ctx, examples, commands)


def _help(
    command: click.Command, ctx: click.Context, examples: Sequence[Example], commands: Sequence[tuple[str, str]]
) -> str:
    out = console()
    out.width = min(WIDEST, out.width)
    out.soft_wrap = False
    _, _, rest = (command.help or "").partition("\n\n")
    params = command.get_params(ctx)
    arguments = [param for param in params if isinstance(param, click.Argument)]
    options = [param for param in params if isinstance(param, click.Option) and not param.hidden]
    with out.capture() as text:
        out.print(summary(command))
        if rest:
            out.print(f"\n{_unwrapped(rest)}")
        usage = [ctx.command_path, *map(_metavar, arguments), "COMMAND" if commands else "", "[OPTIONS]"]
        out.print(f"\nUsage: {' '.join(filter(None, usage))}", style="bold")
        _section(out, "Examples", examples, "cyan")
        _section(out, "Commands", commands, "bold cyan")
        _section(out, "Arguments", [(_metavar(param), getattr(param, "help", "")) for param in arguments], "bold cyan")
        _section(out, "Options", [(_flags(param), _explained(param)) for param in options], "bold cyan")
    return "\n".join(line.rstrip() for line in text.get().splitlines()) + "\n"


def _section(out: Console, title: str, rows: Sequence[tuple[str, str]], style: str) -> None:
    """A titled list in two columns, or with each text below its name if the names are too long."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    out.print(f"\n{title}:", style="bold")
    left = max(len(name) for name, _ in rows)
    if out.width - left < max(len(text) for _, text in rows) + 4 and left > out.width // 2:
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
    """Join the lines of each paragraph; the console wraps them at its width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _metavar(param: click.Parameter) -> str:
    """`FILE`, or `text|json` for a choice."""
    if param.metavar:
        return param.metavar
    return "|".join(param.type.choices) if isinstance(param.type, click.Choice) else str(param.name).upper()


def _flags(option: click.Option) -> str:
    """`-o, --output FILE`, or `--fold, --no-fold`."""
    flags = ", ".join([*sorted(option.opts, key=len), *option.secondary_opts])
    return flags if option.is_flag else f"{flags} {_metavar(option)}"


def _explained(option: click.Option) -> str:
    """The option's help, with its default if it is a string, number or path."""
    shown = isinstance(option.default, str | int | float | Path) and not isinstance(option.default, bool)
    return f"{option.help or ''} [{option.default}]" if shown else option.help or ""
