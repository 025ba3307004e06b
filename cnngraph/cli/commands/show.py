"""`cnngraph show`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph.cli.command import command
from cnngraph.cli.messages import json_text, print_diagnostics, print_styled, terminal_width
from cnngraph.cli.options import Format, Reading, format_option, number, reading_options, spec_argument
from cnngraph.text import one_line

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.graph.graph import Graph
    from cnngraph.graph.nodes import SizeLimit
    from cnngraph.language.model import Spec


@command(
    ("cnngraph show net.yaml", "every node"),
    ("cnngraph show net.yaml --depth 1", "only the top level"),
    ("cnngraph show net.yaml --set classes=4 --input 3x320x320", "with other values"),
    ("cnngraph show net.yaml --format json", "for a program"),
    ("cnngraph show blocks/residual", "a library of blocks"),
)
@spec_argument
@click.option("--depth", type=number(1), metavar="N", help="Show N levels of names; what is deeper is summed up.")
@format_option
@reading_options
def show(spec: str, depth: int | None, format: Format, reading: Reading) -> None:
    """Print a network as a table of its nodes and blocks, or the blocks of a library.

    Each has its shape, parameters and multiply-accumulates (MACs). A row says what it reads (←) where that is not the
    row above. Where the spec is wrong, the table has the part that stands, and the mistakes follow on stderr.
    """
    from cnngraph.cli.overrides import COMMAND_LINE
    from cnngraph.cli.reading import compile_file

    if format == "json" and depth is not None:
        raise click.BadParameter("--depth goes with text: JSON has every node")
    compilation = compile_file(spec, reading)
    graph = compilation.graph
    if any(each.span and each.span.file == COMMAND_LINE for each in compilation.diagnostics):
        graph = None  # the part that stands is not what was asked for
    if graph is not None and format == "json":
        print(_json(facts(graph)))
    elif graph is not None:
        _print_table(graph, depth, complete=compilation.ok)
    elif compilation.ok and compilation.spec:
        if depth is not None:
            raise click.BadParameter("--depth is for networks, and this is a library of blocks")
        _print_blocks(compilation.spec, format)
    if compilation.diagnostics:
        print_diagnostics(compilation.diagnostics, to_stderr=True)
    if not compilation.ok:
        raise Exit(1)


def _print_blocks(spec: Spec, format: Format) -> None:
    from cnngraph.blocks import describe
    from cnngraph.cli.block_text import library_json, library_lines

    library = describe(spec)
    if format == "json":
        print(json_text([library_json(library)], indent=2))
    else:
        print_styled(library_lines(library, terminal_width()))


def facts(graph: Graph) -> dict[str, object]:
    """The graph's facts under the names that they have in Python."""
    nodes = [
        {
            "path": each.path,
            "op": each.op,
            "inputs": list(each.inputs),
            "shape": each.shape,
            "num_params": each.num_params,
            "macs": each.macs,
            "file": each.file,
            "line": each.line,
        }
        for each in graph.nodes
    ]
    limits = [
        {
            "input": each.input,
            "axis": each.axis,
            "built": each.built,
            "sizes": [each.sizes[0], each.sizes[-1], each.sizes.step],
            "causes": [{"what": what, "file": span.file, "line": span.line} for what, span in each.causes],
        }
        for each in graph.size_limits
    ]
    return {
        "name": graph.name,
        "about": graph.about,
        "paper": graph.paper,
        "published": dict(graph.published),
        "input_shapes": graph.input_shapes,
        "output_shapes": graph.output_shapes,
        "num_params": graph.num_params,
        "macs": graph.macs,
        "size_limits": limits,
        "nodes": nodes,
    }


def _json(facts: dict[str, object]) -> str:
    """JSON with a line for each fact and for each node."""
    lines = []
    for name, value in facts.items():
        if isinstance(value, list) and value:
            items = ",\n".join(f"    {json_text(each)}" for each in value)
            lines.append(f'  "{name}": [\n{items}\n  ]')
        else:
            lines.append(f'  "{name}": {json_text(value)}')
    return "{\n" + ",\n".join(lines) + "\n}"


def _print_table(graph: Graph, depth: int | None, *, complete: bool) -> None:
    """The network's name and purpose, the table, the totals."""
    from cnngraph.cli.layout import lay_out
    from cnngraph.cli.table import Tabulation, summary
    from cnngraph.numbers import percent

    width = terminal_width()
    lines: list[Styled] = [[(graph.name, "bold")]]
    errors = ", ".join(f"{name} {percent(error)}" for name, error in graph.published.items())
    for text, style in ((graph.about, ""), (graph.paper, "dim"), (errors and f"published error: {errors}", "dim")):
        plain = one_line(" ".join(text.split()))
        lines += [[(line, style)] for line in textwrap.wrap(plain, width or len(plain) + 1)]
    lines += [[], *lay_out(Tabulation(graph, depth).rows(), width), []]
    end, style = ("", "bold") if complete else (", up to the mistake", "bold yellow")
    lines += [[(summary(graph) + end, style)]]
    lines += [[(_limit(each), "")] for each in graph.size_limits]
    print_styled(lines if complete else [*lines, []])


def _limit(limit: SizeLimit) -> str:
    """Which sizes a side of an input can have, and why."""
    sizes = limit.sizes
    steps = f" in steps of {sizes.step}" if sizes.step > 1 else ""
    fits = f"{sizes[0]} to {sizes[-1]}{steps}" if len(sizes) > 1 else f"only {limit.built}"
    (what, span), *others = limit.causes
    more = f", and {len(others)} more" if others else ""
    return f"{limit.axis} of {limit.input}: {fits}, because of {what} at {span}{more}"
