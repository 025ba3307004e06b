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
    from cnngraph.compilation import Compilation
    from cnngraph.graph.graph import Graph
    from cnngraph.graph.nodes import SizeLimit
    from cnngraph.language.model import Spec


@command(
    ("cnngraph show net.yaml", "all nodes"),
    ("cnngraph show net.yaml --depth 1", "only the top level"),
    ("cnngraph show net.yaml --set classes=4 --input 3x320x320", "override values"),
    ("cnngraph show net.yaml --format json", "as JSON"),
    ("cnngraph show net.yaml --resolved", "as a plain spec: one node for each operation"),
    ("cnngraph show blocks/residual", "the blocks of a library"),
)
@spec_argument
@click.option("--depth", type=number(1), metavar="N", help="Show N levels of nesting; deeper levels are aggregated.")
@click.option(
    "--resolved",
    is_flag=True,
    help="Print a plain spec of the network, without blocks, repeats, params, `extends` and `change`.",
)
@format_option
@reading_options
def show(spec: str, depth: int | None, resolved: bool, format: Format, reading: Reading) -> None:
    """Print a network as a table of nodes and blocks, or the blocks of a library.

    The columns are output shape, parameters and multiply-accumulates (MACs). A row shows its inputs (←) unless it only
    reads the row above. If the spec has errors, the table shows the valid part, and the errors are printed to stderr.
    """
    from cnngraph.cli.reading import compile_file, valid_part

    if format == "json" and depth is not None:
        raise click.BadParameter("--depth applies only to text output: JSON contains all nodes")
    if resolved and (depth is not None or format == "json"):
        raise click.BadParameter("--resolved cannot be combined with --depth or --format")
    compilation = compile_file(spec, reading)
    graph = valid_part(compilation)
    if resolved:
        _print_resolved(graph if compilation.ok else None, compilation)
    elif graph is not None and format == "json":
        print(_json(facts(graph, _frozen(compilation))))
    elif graph is not None:
        _print_table(graph, depth, _frozen(compilation), complete=compilation.ok)
    elif compilation.ok and compilation.spec:
        if depth is not None:
            raise click.BadParameter("--depth applies only to networks, but this is a library of blocks")
        _print_blocks(compilation.spec, format)
    if compilation.diagnostics:
        print_diagnostics(compilation.diagnostics, to_stderr=True)
    if not compilation.ok:
        raise Exit(1)


def _print_resolved(graph: Graph | None, compilation: Compilation) -> None:
    """The plain spec; nothing for one with errors, which are printed by the caller."""
    from cnngraph.graph.plain_spec import plain_spec

    if graph is not None:
        print(plain_spec(graph), end="")
    elif compilation.ok:
        raise click.BadParameter("--resolved applies only to networks, but this is a library of blocks")


def _print_blocks(spec: Spec, format: Format) -> None:
    from cnngraph.blocks import describe
    from cnngraph.cli.block_text import library_json, library_lines

    library = describe(spec)
    if format == "json":
        print(json_text([library_json(library)], indent=2))
    else:
        print_styled(library_lines(library, terminal_width()))


def _frozen(compilation: Compilation) -> int:
    """How many parameters the spec's recipe freezes, at least in the first epochs."""
    from cnngraph.lint.freezing import frozen_count

    recipe, graph = compilation.recipe, compilation.graph
    return frozen_count(recipe, graph) if recipe and graph else 0


def facts(graph: Graph, frozen: int) -> dict[str, object]:
    """The graph for JSON, with the names of the Python API. The spec's recipe freezes `frozen` parameters."""
    nodes = [
        {
            "path": node.path,
            "op": node.op,
            "inputs": list(node.inputs),
            "shape": node.shape,
            "num_params": node.num_params,
            "macs": node.macs,
            "file": node.file,
            "line": node.line,
        }
        for node in graph.nodes
    ]
    limits = [
        {
            "input": limit.input,
            "axis": limit.axis,
            "built": limit.built,
            "sizes": [limit.sizes[0], limit.sizes[-1], limit.sizes.step],
            "causes": [{"what": what, "file": span.file, "line": span.line} for what, span in limit.causes],
        }
        for limit in graph.size_limits
    ]
    return {
        "name": graph.name,
        "about": graph.about,
        "paper": graph.paper,
        "published": dict(graph.published),
        "input_shapes": graph.input_shapes,
        "output_shapes": graph.output_shapes,
        "num_params": graph.num_params,
        "num_frozen": frozen,
        "macs": graph.macs,
        "size_limits": limits,
        "nodes": nodes,
    }


def _json(facts: dict[str, object]) -> str:
    """JSON with one line for each field and for each node."""
    lines = []
    for name, value in facts.items():
        if isinstance(value, list) and value:
            items = ",\n".join(f"    {json_text(item)}" for item in value)
            lines.append(f'  "{name}": [\n{items}\n  ]')
        else:
            lines.append(f'  "{name}": {json_text(value)}')
    return "{\n" + ",\n".join(lines) + "\n}"


def _print_table(graph: Graph, depth: int | None, frozen: int, *, complete: bool) -> None:
    """Print the network's name and description, the table, and the totals."""
    from cnngraph.cli.layout import lay_out
    from cnngraph.cli.table import TreeTable, summary
    from cnngraph.numbers import percent

    width = terminal_width()
    lines: list[Styled] = [[(graph.name, "bold")]]
    errors = ", ".join(f"{name} {percent(error)}" for name, error in graph.published.items())
    for text, style in ((graph.about, ""), (graph.paper, "dim"), (errors and f"published error: {errors}", "dim")):
        plain = one_line(" ".join(text.split()))
        lines += [[(line, style)] for line in textwrap.wrap(plain, width or len(plain) + 1)]
    lines += [[], *lay_out(TreeTable(graph, depth).rows(), width), []]
    end, style = ("", "bold") if complete else (", up to the error", "bold yellow")
    lines += [[(summary(graph) + end, style)]]
    if frozen:
        lines += [[(f"its recipe freezes {frozen:,} of {graph.num_params:,} parameters", "")]]
    lines += [[(_limit(limit), "")] for limit in graph.size_limits]
    print_styled(lines if complete else [*lines, []])


def _limit(limit: SizeLimit) -> str:
    """The valid sizes of one axis of an input, and why."""
    sizes = limit.sizes
    steps = f" in steps of {sizes.step}" if sizes.step > 1 else ""
    fits = f"{sizes[0]} to {sizes[-1]}{steps}" if len(sizes) > 1 else f"only {limit.built}"
    (what, span), *others = limit.causes
    more = f", and {len(others)} more" if others else ""
    return f"{limit.axis} of {limit.input}: {fits}, because of {what} at {span}{more}"
