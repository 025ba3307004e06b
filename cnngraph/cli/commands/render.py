"""`cnngraph render`."""

from __future__ import annotations

from pathlib import Path

import click

from cnngraph.cli.command import command
from cnngraph.cli.messages import say
from cnngraph.cli.options import Reading, number, reading_options, spec_argument


@command(
    ("cnngraph render net.yaml -o net.svg", "everything, as far as it is readable"),
    ("cnngraph render net.yaml -o net.pdf --depth 1", "the top level, for a paper"),
    ("cnngraph render net.yaml -o net.mmd", "for a README that draws Mermaid"),
)
@spec_argument
@click.option(
    "--output",
    "-o",
    type=Path,
    required=True,
    metavar="FILE",
    help="The drawing; its ending names the format: .svg, .png, .pdf, .dot, or .mmd for Mermaid.",
)
@click.option(
    "--depth",
    type=number(1),
    metavar="N",
    help="Draw N levels of names; deeper blocks are one box, equal rounds one ×6.",
)
@reading_options
def render(spec: str, output: Path, depth: int | None, reading: Reading) -> None:
    """Draw a network.

    Blocks are frames, operations are coloured by kind, shapes stand on the edges. Without --depth the drawing has as
    many levels as make a readable picture.
    """
    from cnngraph.cli.files import check_output
    from cnngraph.cli.reading import compile_network
    from cnngraph.render import FORMATS
    from cnngraph.render import render as draw

    check_output(output, FORMATS)
    graph = compile_network(spec, reading)
    draw(graph, output, depth=depth)
    say(f"wrote {output}")
