"""Libraries of blocks as text and JSON, for `show` and `list --blocks`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cnngraph.cli.layout import Column
from cnngraph.cli.messages import count
from cnngraph.numbers import show_sizes
from cnngraph.text import one_line

if TYPE_CHECKING:
    from cnngraph.blocks import Block, BlockLibrary, Example
    from cnngraph.cli.messages import Styled

COLUMNS = (Column("block"), Column("library"), Column("reads", optional=1), Column("params", cut="end", least=30))
REQUIRED = "required"


def library_json(library: BlockLibrary) -> dict[str, Any]:
    """The library for JSON; the default of a required param is null."""
    return asdict(library)


def library_lines(library: BlockLibrary, width: int | None) -> Iterator[Styled]:
    """A library's description, and its blocks with inputs, params, defaults and examples."""
    yield [(library.name, "bold"), (f" · a library of {count(len(library.blocks), 'block')}", "")]
    about = one_line(library.about)
    yield from ([(line, "")] for line in textwrap.wrap(about, width or len(about) + 1))
    yield []
    yield [("import: ", "dim"), (f"[{library.name}]", "cyan")]
    for block in library.blocks:
        yield []
        yield from _block_lines(block)


def block_rows(libraries: Iterable[tuple[BlockLibrary, Sequence[Block]]]) -> list[list[Styled]]:
    """One row for each selected block of each library."""
    return [
        [
            [(block.name, "bold")],
            [(library.name, "dim")],
            [(", ".join(block.inputs), "")],
            [(", ".join(_param(name, default) for name, default in block.params.items()), "")],
        ]
        for library, blocks in libraries
        for block in blocks
    ]


def _block_lines(block: Block) -> Iterator[Styled]:
    yield [(block.name, "bold cyan")]
    if block.inputs:
        yield [("  reads    ", "dim"), (", ".join(block.inputs), "")]
    longest = max(map(len, block.params), default=0)
    for number, (name, default) in enumerate(block.params.items()):
        value, style = (REQUIRED, "yellow") if default is None else (default, "")
        yield [("           " if number else "  params   ", "dim"), (f"{name:<{longest}}   ", ""), (value, style)]
    if block.op:
        yield [("  is       ", "dim"), (f"{block.op}; its other parameters can also be set", "")]
    if block.example:
        yield [("  example  ", "dim"), (block.example.node, "cyan")]
        yield [("           ", ""), (_outcome(block.example), "dim")]


def _outcome(example: Example) -> str:
    gives = ", ".join(map(show_sizes, example.gives))
    return f"{show_sizes(example.reads)} → {gives}, {count(example.num_params, 'parameter')}"


def _param(name: str, default: str | None) -> str:
    return name if default is None else f"{name}: {default}"
