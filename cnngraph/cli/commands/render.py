"""`cnngraph render`."""

from __future__ import annotations

from pathlib import Path

import click

from cnngraph.cli.command import command
from cnngraph.cli.messages import say
from cnngraph.cli.options import Reading, number, reading_options, spec_argument


@command(
    ("cnngraph render net.yaml -o net.svg", "as SVG, with as many levels as are readable"),
    ("cnngraph render net.yaml -o net.pdf --depth 1", "the top level only, as PDF"),
    ("cnngraph render net.yaml -o net.mmd", "as Mermaid, for a README"),
)
@spec_argument
@click.option(
    "--output",
    "-o",
    type=Path,
    required=True,
    metavar="FILE",
    help="Output file: .svg, .png, .pdf, .dot, or .mmd for Mermaid.",
)
@click.option(
    "--depth",
    type=number(1),
    metavar="N",
    help="Draw N levels of nesting; each deeper block becomes one box, and equal iterations one box (×3).",
)
@reading_options
def render(spec: str, output: Path, depth: int | None, reading: Reading) -> None:
    """Draw a network.

    Blocks are frames, operations are boxes coloured by kind, and edges are labelled with shapes. Without --depth, as
    many levels are drawn as are readable.
    """
    from cnngraph.cli.output_paths import check_output
    from cnngraph.cli.reading import compile_network
    from cnngraph.render import FORMATS
    from cnngraph.render import render as draw

    check_output(output, FORMATS)
    graph = compile_network(spec, reading)
    draw(graph, output, depth=depth)
    say(f"wrote {output}")
