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
from cnngraph.cli.messages import complain, count, json_rows, json_text, print_styled, terminal_width
from cnngraph.cli.options import Format, format_option

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.library import Network


@command(
    ("cnngraph list", "all networks"),
    ("cnngraph list densenet", "networks whose name contains densenet"),
    ("cnngraph list 'resnet*' 'vgg*_bn'", "networks whose name matches one of these patterns"),
    ("cnngraph list --format json", "as JSON"),
    ("cnngraph list --blocks", "the blocks that a spec can import"),
)
@argument(
    "patterns",
    nargs=-1,
    metavar="[PATTERN...]",
    help="Part of a name, or a pattern with * and ?. Default: all.",
    shell_complete=complete_networks,
)
@click.option("--blocks", is_flag=True, help="List the bundled blocks and their params instead.")
@format_option
def list_(patterns: tuple[str, ...], blocks: bool, format: Format) -> None:
    """List the bundled networks.

    Use their names wherever a spec is expected: cnngraph show NAME, cnngraph.build("NAME"), extends: NAME.
    Multiply-accumulates (MACs) count convolutions and linear layers for one image.
    """
    if blocks:
        _list_blocks(patterns, format)
        return
    from cnngraph.library import catalogue

    networks = catalogue()
    found = [network for network in networks if _matches(network.name, patterns)]
    if format == "json":
        print(json_rows(map(asdict, found)))
    elif found:
        _print_table(found)
    if patterns and not found:
        complain(_nothing("network", patterns, [network.name for network in networks]))
        raise Exit(1)


def _list_blocks(patterns: tuple[str, ...], format: Format) -> None:
    """List the bundled blocks whose names match."""
    from cnngraph.blocks import bundled_libraries
    from cnngraph.cli.block_text import COLUMNS, block_rows, library_json
    from cnngraph.cli.layout import in_columns

    libraries = list(bundled_libraries())
    found = [(library, [block for block in library.blocks if _matches(block.name, patterns)]) for library in libraries]
    rows = block_rows(found)
    if format == "json":
        chosen = [replace(library, blocks=tuple(blocks)) for library, blocks in found if blocks]
        print(json_text(list(map(library_json, chosen)), indent=2))
    elif rows:
        table = in_columns(COLUMNS, rows, terminal_width())
        hint = " · run cnngraph show LIBRARY for examples"
        print_styled([*table, [], [(count(len(rows), "block"), "bold"), (hint, "dim")]])
    if patterns and not rows:
        complain(_nothing("block", patterns, [block.name for library in libraries for block in library.blocks]))
        raise Exit(1)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    if not patterns:
        return True
    return any(
        fnmatchcase(name, pattern.lower()) if any(star in pattern for star in "*?[") else pattern.lower() in name
        for pattern in patterns
    )


def _nothing(what: str, patterns: Sequence[str], names: Iterable[str]) -> str:
    from cnngraph.diagnostics import did_you_mean

    everything = f"run cnngraph list{' --blocks' if what == 'block' else ''} for all"
    help = next((help for pattern in patterns if (help := did_you_mean(pattern, names))), everything)
    return f"no {what} matches {' or '.join(patterns)}: {help}"


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
    return [[text] for text in texts]
