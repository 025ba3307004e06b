"""The check of input sizes, for networks with values computed from a height or a width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnngraph.backend.formatting import format_statement
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import SizeLimit
from cnngraph.numbers import show_sizes

CHECK_SIZE = "check_size"
PLACES = {"height": -2, "width": -1}


def size_check_source(graph: Graph, variables: Sequence[tuple[str, str]]) -> str:
    """A function that returns its inputs, and raises ValueError for sizes that the network was not built for.

    `variables` are the inputs to check, each with its variable. A trace of the network contains the function as a
    script, so that it raises there, too; it returns its inputs because a trace keeps only calls that return tensors. A
    symbolic trace contains the call.
    """
    names = [variable for _, variable in variables]
    returns = "Tensor" if len(names) == 1 else f"tuple[{', '.join(['Tensor'] * len(names))}]"
    arguments = ", ".join(f"{name}: Tensor" for name in names)
    lines = ["@torch.jit.script_if_tracing", *format_statement(f"def {CHECK_SIZE}({arguments}) -> {returns}:")]
    lines.append('    """Raise ValueError for input sizes that the network was not built for."""')
    for name, variable in variables:
        for limit in graph.size_limits:
            if limit.input == name:
                lines += _refusal(graph, limit, variable)
    lines += format_statement(f"return {', '.join(names)}", 4)
    return "\n".join([*lines, "", "", f'torch.fx.wrap("{CHECK_SIZE}")'])


def _refusal(graph: Graph, limit: SizeLimit, variable: str) -> Iterator[str]:
    size = f"{variable}.shape[{PLACES[limit.axis]}]"
    height, width = (f"{{{variable}.shape[{place}]}}" for place in PLACES.values())
    shape = graph.input_shapes[limit.input]
    several = len(graph.inputs) > 1
    inputs = f"`{_plain(limit.input)}`" if several else "inputs"
    what, span = limit.causes[0]
    place = f"{span.file.replace(chr(92), '/').rpartition('/')[2]}:{span.line}"
    cause = f"{_plain(what)} at {_plain(place)} depends on the {limit.axis}"
    option = f"{_plain(limit.input)}=" if several else ""
    yield from format_statement(f"if {_condition(limit, size)}:", 4)
    yield "        raise ValueError("
    yield f'            "this network was built for {inputs} of {show_sizes(shape)}, "'
    yield f'            f"got {shape[0]}×{height}×{width}: "'
    yield f'            "{cause}; "'
    yield f'            f"rebuild it with --input {option}{shape[0]}x{height}x{width}"'
    yield "        )"


def _condition(limit: SizeLimit, size: str) -> str:
    """A condition that is true for an invalid size."""
    sizes = limit.sizes
    if len(sizes) == 1:
        return f"{size} != {limit.built}"
    bounds = f"not {sizes[0]} <= {size} <= {sizes[-1]}"
    if sizes.step == 1:
        return bounds if sizes[0] > 1 else f"{size} > {sizes[-1]}"
    return f"{size} % {sizes.step} != {limit.built % sizes.step} or {bounds}"


def _plain(text: str) -> str:
    """The text without characters that are special in a string literal or not printable."""
    return "".join(character if character.isprintable() and character not in '"\\{}' else "?" for character in text)
