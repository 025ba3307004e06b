"""`cnngraph render`."""

from __future__ import annotations

from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from cnngraph.cli.command import command
from cnngraph.cli.complete import complete_devices
from cnngraph.cli.messages import complain, print_diagnostics, say
from cnngraph.cli.options import Reading, choice, number, reading_options, spec_argument

if TYPE_CHECKING:
    from cnngraph.graph.graph import Graph
    from cnngraph.graph.node_times import NodeTimes

NONE = "none"
HOW_TO_ENLARGE = (
    "for larger text, draw a block alone (`--node PATH`) or fewer levels (`--depth 1`), choose a larger page, "
    "or draw without a page (`--page none`)"
)
UP_TO_ERROR = {False: "the network up to the error", True: "the network up to the error, without times"}


@command(
    ("cnngraph render net.yaml -o net.svg", "as SVG, with as much detail as fits an A4 page"),
    ("cnngraph render net.yaml -o net.pdf --page slide --title ResNet-50", "from left to right, for a slide"),
    ("cnngraph render net.yaml -o net.svg --open layer2.0", "the top level, and one block open"),
    ("cnngraph render net.yaml -o block.pdf --node layer2.0", "one block alone"),
    ("cnngraph render net.yaml -o net.tex --style volumes", "feature maps in perspective, for a paper in LaTeX"),
    ("cnngraph render net.yaml -o net.html", "as one interactive page, to send to someone"),
    ("cnngraph render net.yaml -o net.html --time", "with the measured time of every operation"),
    ("cnngraph render net.yaml -o net.mmd", "as Mermaid, for a README"),
)
@spec_argument
@click.option(
    "--output",
    "-o",
    type=Path,
    required=True,
    metavar="FILE",
    help="Output file: .svg, .png, .pdf, .tex (TikZ), .html (interactive), .dot, .mmd for Mermaid, or "
    ".model-explorer.json.",
)
@click.option(
    "--page",
    type=choice("a4", "slide", "column", NONE),
    default="a4",
    show_default=True,
    help="Fit the drawing to a page, a 16:9 slide or a column of a paper, with text of at least 6 pt (slide: 9 pt).",
)
@click.option(
    "--style",
    type=choice("boxes", "volumes"),
    default="boxes",
    show_default=True,
    help="Draw operations as boxes, or feature maps as volumes in perspective, from left to right.",
)
@click.option(
    "--direction",
    type=choice("down", "right"),
    help="Direction of the flow; by default right on a slide, else down, or what keeps text large.",
)
@click.option(
    "--depth",
    type=number(1),
    metavar="N",
    help="Draw N levels of nesting; each deeper block becomes one box. By default as many as fit the page.",
)
@click.option(
    "--open",
    "opened",
    multiple=True,
    metavar="PATTERN",
    help="Draw the blocks at these paths open (layer2.0, *.attention), and others as boxes. Repeatable.",
)
@click.option("--node", metavar="PATH", help="Draw only the block at this path.")
@click.option("--fold/--no-fold", default=None, help="Draw equal iterations of a repeat as one (×6), or each.")
@click.option("--shapes/--no-shapes", default=True, help="Show the shapes of tensors.")
@click.option(
    "--legend/--no-legend", default=None, help="Explain the colours and lines that occur. By default for volumes only."
)
@click.option("--title", metavar="TEXT", help="A title above the drawing.")
@click.option("--scale", type=number(0.01, 100.0), default=1.0, metavar="X", help="Enlarge the drawing by this factor.")
@click.option("--theme", type=choice("light", "dark", "print"), default="light", help="The colours.")
@click.option("--font", metavar="NAME", help="Font family of .svg, .html and .dot; it should be as wide as Helvetica.")
@click.option(
    "--time",
    "timed",
    is_flag=True,
    help="Measure the time of every operation for one image in eval mode, which an .html page shows. Needs PyTorch.",
)
@click.option(
    "--device",
    metavar="cpu|cuda",
    help="The device to measure on. Default: cpu.",
    shell_complete=complete_devices,
)
@reading_options
def render(
    spec: str,
    output: Path,
    page: str,
    opened: tuple[str, ...],
    timed: bool,
    device: str | None,
    reading: Reading,
    **options: Any,
) -> None:
    """Draw a network.

    Blocks are frames, operations are boxes coloured by kind, and the shapes of tensors stand below the boxes. Equal
    iterations are drawn once (×6). A long network is broken into columns, like text. A .tex file compiles alone, and a
    paper can \\input it. If the spec has errors, the valid part is drawn, with the nodes that have errors in red.
    """
    from cnngraph.cli.output_paths import check_output
    from cnngraph.cli.reading import compile_file, valid_part
    from cnngraph.compilation import network_of
    from cnngraph.render import FORMATS, Settings, format_of
    from cnngraph.render import render as draw

    check_output(output, FORMATS)
    if device is not None and not timed:
        raise click.UsageError("--device is where --time measures; add --time")
    if timed and format_of(output) != "html":
        raise click.UsageError("--time needs an .html file: other drawings do not show times")
    compilation = compile_file(spec, reading)
    if compilation.diagnostics:
        print_diagnostics(compilation.diagnostics, to_stderr=True)
    graph = network_of(compilation, spec) if compilation.ok else valid_part(compilation)
    if graph is None or not (graph.nodes or graph.errors):
        raise Exit(1)
    times = _measured(graph, device or "cpu") if timed and compilation.ok else None
    settings = Settings(open=opened, page=None if page == NONE else page, times=times, **options)
    try:
        too_small = draw(graph, output, settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    say(f"wrote {output}{f': {times}' if times else ''}" if compilation.ok else f"wrote {output}: {UP_TO_ERROR[timed]}")
    if too_small is not None:
        turned = "; without `--direction` it may be larger" if settings.direction else ""
        complain(
            f"the smallest text is {floor(10 * too_small) / 10:.1f} pt on the page{turned}; {HOW_TO_ENLARGE}", "note"
        )
    if not compilation.ok:
        raise Exit(1)


def _measured(graph: Graph, device: str) -> NodeTimes:
    """The times of the operations. Raises SpecError (E640) for a device that this machine lacks."""
    from cnngraph.backend.node_times import measure_node_times
    from cnngraph.train.loop.device import choose_device

    try:
        return measure_node_times(graph, choose_device(device))
    except NotImplementedError as error:  # an operation that the device lacks
        complain(f"PyTorch cannot run the network on {device}: {next(iter(str(error).splitlines()), '')}")
        raise Exit(1) from None
