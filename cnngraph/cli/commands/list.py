"""`cnngraph list`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_networks
from cnngraph.cli.messages import complain, count, json_text, print_styled, terminal_width
from cnngraph.cli.options import Format, format_option

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.library import Network


@command(
    ("cnngraph list", "all there are"),
    ("cnngraph list densenet", "whose name has this in it"),
    ("cnngraph list 'resnet*' 'vgg*_bn'", "whose name is like one of these"),
    ("cnngraph list --format json", "for a program"),
    ("cnngraph list --blocks", "the blocks that a spec can import"),
)
@argument(
    "patterns",
    nargs=-1,
    metavar="[PATTERN...]",
    help="A part of a name, or a whole name with * and ?; by default all.",
    shell_complete=complete_networks,
)
@click.option("--blocks", is_flag=True, help="Print the blocks of the library instead, with their params.")
@format_option
def list_(patterns: tuple[str, ...], blocks: bool, format: Format) -> None:
    """Print the networks that come with cnngraph.

    Each goes by its name wherever a spec is asked for: cnngraph show NAME, cnngraph.build("NAME"), extends: NAME.
    Multiply-accumulates (MACs) are those of convolutions and linear layers, for one image of the input's size.
    """
    if blocks:
        _list_blocks(patterns, format)
        return
    from cnngraph.library import catalogue

    networks = catalogue()
    found = [each for each in networks if _fits(each.name, patterns)]
    if format == "json":
        print("[\n" + ",\n".join(f"  {json_text(asdict(each))}" for each in found) + "\n]" if found else "[]")
    elif found:
        _print_table(found)
    if patterns and not found:
        complain(_nothing("network", patterns, [each.name for each in networks]))
        raise Exit(1)


def _list_blocks(patterns: tuple[str, ...], format: Format) -> None:
    """The blocks of the library whose names fit."""
    from cnngraph.blocks import bundled_libraries
    from cnngraph.cli.block_text import COLUMNS, block_rows, library_json
    from cnngraph.cli.layout import in_columns

    libraries = list(bundled_libraries())
    found = [(each, [block for block in each.blocks if _fits(block.name, patterns)]) for each in libraries]
    rows = block_rows(found)
    if format == "json":
        chosen = [replace(each, blocks=tuple(some)) for each, some in found if some]
        print(json_text([library_json(each) for each in chosen], indent=2))
    elif rows:
        table = in_columns(COLUMNS, rows, terminal_width())
        hint = " · cnngraph show LIBRARY prints how each is used"
        print_styled([*table, [], [(count(len(rows), "block"), "bold"), (hint, "dim")]])
    if patterns and not rows:
        complain(_nothing("block", patterns, [block.name for each in libraries for block in each.blocks]))
        raise Exit(1)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    if not patterns:
        return True
    return any(
        fnmatchcase(name, each.lower()) if any(star in each for star in "*?[") else each.lower() in name
        for each in patterns
    )


def _nothing(what: str, patterns: Sequence[str], names: Iterable[str]) -> str:
    from cnngraph.diagnostics import did_you_mean

    mend = next((mend for each in patterns if (mend := did_you_mean(each, names))), "without a name all are listed")
    return f"no {what} is called like {' or '.join(patterns)}: {mend}"


def _print_table(networks: Sequence[Network]) -> None:
    from cnngraph.cli.layout import Column, in_columns

    columns = (
        Column("network", cut="middle", least=24),
        Column("family", optional=2),
        Column("parameters", right=True),
        Column("MACs", right=True),
        Column("input", cut="end"),
        Column("published error", cut="end", optional=1),
        Column("paper", cut="end", least=20, optional=3),
    )
    lines = in_columns(columns, map(_cells, networks), terminal_width())
    print_styled([*lines, [], [(count(len(networks), "network"), "bold")]])


def _cells(network: Network) -> list[Styled]:
    from cnngraph.numbers import percent, show_count, show_sizes

    texts = [
        (network.name, "bold"),
        (network.family, "dim"),
        (f"{network.num_params:,}", ""),
        (show_count(network.macs), ""),
        (", ".join(map(show_sizes, network.input_shapes.values())), ""),
        (", ".join(f"{name} {percent(error)}" for name, error in network.published.items()), ""),
        (network.paper, "dim"),
    ]
    return [[each] for each in texts]
