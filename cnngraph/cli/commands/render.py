"""`cnngraph render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnngraph.cli.help import examples
from cnngraph.cli.messages import say
from cnngraph.cli.options import (
    MAX_NODES,
    InputOption,
    MaxNodesOption,
    PluginOption,
    SetOption,
    SpecArgument,
    number,
    reading,
)

OutputOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="The drawing; its ending names the format: .svg, .png, .pdf, .dot, or .mmd for Mermaid.",
        show_default=False,
    ),
]
DepthOption = Annotated[
    int | None,
    typer.Option(
        "--depth",
        metavar="N",
        parser=number("--depth", 1),
        help="Draw N levels of names; deeper blocks are one box, equal rounds one ×6.",
    ),
]


@examples(
    ("cnngraph render net.yaml -o net.svg", "everything, as far as it is readable"),
    ("cnngraph render net.yaml -o net.pdf --depth 1", "the top level, for a paper"),
    ("cnngraph render net.yaml -o net.mmd", "for a README that draws Mermaid"),
)
def render(
    spec: SpecArgument,
    output: OutputOption,
    depth: DepthOption = None,
    sets: SetOption = None,
    inputs: InputOption = None,
    plugins: PluginOption = None,
    max_nodes: MaxNodesOption = MAX_NODES,
) -> None:
    """Draw a network.

    Blocks are frames, operations are coloured by kind, shapes stand on the edges. Without --depth the drawing has as
    many levels as make a readable picture.
    """
    from cnngraph.cli.files import check_output
    from cnngraph.cli.reading import compile_network
    from cnngraph.render import FORMATS
    from cnngraph.render import render as draw

    check_output(output, FORMATS)
    graph = compile_network(spec, reading(sets, inputs, plugins, max_nodes))
    draw(graph, output, depth=depth)
    say(f"wrote {output}")
