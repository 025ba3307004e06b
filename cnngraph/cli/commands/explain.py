"""`cnngraph explain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_codes
from cnngraph.cli.messages import json_text, print_styled, terminal_width
from cnngraph.cli.options import Format, format_option

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.diagnostics.codes import Code

WIDEST = 100


@command(
    ("cnngraph explain E203", "explain one code"),
    ("cnngraph explain e203 w320", "explain several codes; case is ignored"),
    ("cnngraph explain", "list all codes"),
    ("cnngraph explain E203 --format json", "as JSON"),
)
@argument(
    "codes",
    nargs=-1,
    metavar="[CODE...]",
    help="Codes, shown in brackets in errors and warnings. Default: list all codes.",
    shell_complete=complete_codes,
)
@format_option
def explain(codes: tuple[str, ...], format: Format) -> None:
    """Explain the code of an error or warning.

    Prints what the code means, why it is an error and how to fix it, with a wrong and a right example. The same is in
    docs/errors.md.
    """
    from cnngraph.lint.codes import all_codes

    entries = [_found(name) for name in codes] or list(all_codes().values())
    if format == "json":
        print(json_text([entry.to_dict() for entry in entries], indent=2))
    elif codes:
        width = min(WIDEST, terminal_width() or WIDEST)
        for number, entry in enumerate(entries):
            print_styled([*([[]] if number else []), *_explained(entry, width)])
    else:
        print_styled(_listed())


def _found(name: str) -> Code:
    """The entry of a code. Raises click.UsageError for an unknown one."""
    from cnngraph.diagnostics import did_you_mean
    from cnngraph.lint.codes import all_codes

    if entry := all_codes().get(name.upper()):
        return entry
    help = did_you_mean(name.upper(), all_codes()) or "cnngraph explain lists all codes"
    raise click.UsageError(f"unknown code {name}: {help}")


def _listed() -> Iterator[Styled]:
    """All codes with their titles, by group."""
    from cnngraph.lint.codes import all_groups

    for number, group in enumerate(all_groups()):
        if number:
            yield []
        yield [(group.title, "bold")]
        for entry in group.codes:
            yield [("  ", ""), (entry.code, _style(entry)), (f"  {entry.title}", "")]


def _explained(entry: Code, width: int) -> Iterator[Styled]:
    yield [(f"{entry.severity}[{entry.code}]", _style(entry)), (f": {entry.title}", "bold")]
    for paragraph in entry.explanation:
        yield []
        yield from ([(line, "")] for line in wrap(paragraph, width))
    if not entry.wrong or not entry.right:
        yield []
        yield from ([(line, "dim")] for line in wrap(f"No example: {entry.without_example}", width))
        return
    wrong, right = entry.wrong, entry.right
    changed = right.changed_from(wrong)
    yield from _example("Wrong", wrong.texts, wrong.images, wrong.commands)
    images = right.images if right.images != wrong.images else {}
    commands = right.commands if right.commands != wrong.commands or not (changed or images) else ()
    yield from _example("Right", changed, images, commands)


def _example(
    title: str, files: Mapping[str, str], images: Mapping[str, int], commands: Sequence[str]
) -> Iterator[Styled]:
    """The files of an example, and its commands."""
    for name, content in files.items():
        yield from ([], [(f"{title}, {name}:", "bold")], [])
        yield from ([(f"    {line}" if line else "", "")] for line in content.splitlines())
    if images:
        yield from ([], [(f"{title}, folders of images:", "bold")], [])
        yield from ([(f"    {folder}: {count}", "")] for folder, count in images.items())
    if commands and not files and not images:
        yield from ([], [(f"{title}:", "bold")])
    if commands:
        yield []
        yield from ([(f"    $ {line}", "cyan")] for line in commands)


def _style(entry: Code) -> str:
    return "bold red" if entry.severity == "error" else "bold yellow"
