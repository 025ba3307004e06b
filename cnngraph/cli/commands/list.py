"""`cnngraph list`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_networks
from cnngraph.cli.messages import complain, count, json_text, print_styled, terminal_width
from cnngraph.cli.options import Format, format_option

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.library import Network

HEADER = ("network", "family", "parameters", "MACs", "input", "published error", "paper")
RIGHT = (False, False, True, True)


@command(
    ("cnngraph list", "all there are"),
    ("cnngraph list densenet", "whose name has this in it"),
    ("cnngraph list 'resnet*' 'vgg*_bn'", "whose name is like one of these"),
    ("cnngraph list --format json", "for a program"),
)
@argument(
    "patterns",
    nargs=-1,
    metavar="[PATTERN...]",
    help="A part of a name, or a whole name with * and ?; by default all.",
    shell_complete=complete_networks,
)
@format_option
def list_(patterns: tuple[str, ...], format: Format) -> None:
    """Print the networks that come with cnngraph.

    Each goes by its name wherever a spec is asked for: cnngraph show NAME, cnngraph.build("NAME"), extends: NAME.
    Multiply-accumulates (MACs) are those of convolutions and linear layers, for one image of the input's size.
    """
    from cnngraph.library import catalogue

    networks = catalogue()
    found = [each for each in networks if _fits(each.name, patterns)]
    if format == "json":
        print("[\n" + ",\n".join(f"  {json_text(asdict(each))}" for each in found) + "\n]" if found else "[]")
    elif found:
        _print_table(found)
    if patterns and not found:
        complain(_nothing(patterns, [each.name for each in networks]))
        raise Exit(1)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    if not patterns:
        return True
    return any(
        fnmatchcase(name, each.lower()) if any(star in each for star in "*?[") else each.lower() in name
        for each in patterns
    )


def _nothing(patterns: Sequence[str], names: Iterable[str]) -> str:
    from cnngraph.diagnostics import did_you_mean

    mend = next(
        (mend for each in patterns if (mend := did_you_mean(each, names))), "cnngraph list prints all there are"
    )
    return f"no network is called like {' or '.join(patterns)}: {mend}"


def _print_table(networks: Sequence[Network]) -> None:
    from cnngraph.cli.layout import cut, in_columns

    width = terminal_width()
    lines = in_columns(HEADER, map(_cells, networks), RIGHT, HEADER.index("paper"), width)
    if width is not None:
        lines = [cut(each, width) for each in lines]
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
