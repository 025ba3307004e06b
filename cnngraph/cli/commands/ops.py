"""`cnngraph ops`."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_ops
from cnngraph.cli.messages import complain, count, print_styled, terminal_width
from cnngraph.cli.options import plugin_option

if TYPE_CHECKING:
    from cnngraph.cli.messages import Styled
    from cnngraph.ops.op import Op

WIDTH = 100  # of output that is not for a terminal


@command(
    ("cnngraph ops", "list all ops"),
    ("cnngraph ops conv", "the manual of one op: parameters, defaults, examples"),
    ("cnngraph ops max_pool avg_pool", "the manuals of several ops"),
)
@argument(
    "names", nargs=-1, metavar="[OP...]", help="Names of ops. Default: list all ops.", shell_complete=complete_ops
)
@plugin_option
def ops(names: Sequence[str], plugins: tuple[str, ...]) -> None:
    """List the operations that a node can use, or print their manuals.

    The manual of an op has its parameters with their defaults, and examples with output shapes.
    """
    from cnngraph.cli.reading import find_plugins
    from cnngraph.ops.registry import builtin_ops, installed_ops, load_ops

    find_plugins(plugins)
    known = {**builtin_ops(), **load_ops(plugins), **installed_ops()}
    if unknown := [name for name in names if name not in known]:
        complain(_unknown(unknown[0], known))
        raise Exit(1)
    width = terminal_width() or WIDTH
    if names:
        print_styled([line for name in names for line in _manual(known[name], width)][:-1])
    else:
        print_styled(_overview(known, width))


def _unknown(name: str, known: Mapping[str, object]) -> str:
    from cnngraph.diagnostics import did_you_mean
    from cnngraph.ops.registry import absent_op, equivalent_op

    other, absent = equivalent_op(name), absent_op(name)
    near = absent if absent is not None else did_you_mean(name, known)
    meant = f"its name here is {other}" if other else near or "cnngraph ops lists all"
    return f"unknown op {name}: {meant}"


def _overview(known: Mapping[str, type[Op]], width: int) -> Iterator[Styled]:
    """The chapters of the manual, with one line for each op."""
    from cnngraph.cli.layout import cut
    from cnngraph.ops.manual import in_chapters
    from cnngraph.ops.schema import summary

    longest = max(map(len, known))
    for chapter, members in in_chapters(known.values()):
        yield [(chapter, "bold")]
        for member in members:
            line: Styled = [(f"  {member.name:<{longest}}   ", "cyan"), (summary(member), "")]
            yield cut(line, width)
        yield []
    yield [(count(len(known), "op"), "bold"), (" · run cnngraph ops NAME for its manual", "dim")]


def _manual(op: type[Op], width: int) -> Iterator[Styled]:
    """The manual of one op, followed by an empty line."""
    from cnngraph.ops.manual import example_rows, parameter_rows, reads

    yield [(op.name, "bold")]
    for paragraph in (inspect.getdoc(op) or "").split("\n\n"):
        yield from ([(line, "")] for line in _wrapped(paragraph, width))
        yield []
    yield [(f"{reads(op)}.", "")]
    yield []
    parameters = parameter_rows(op)
    longest = max((len(name) for name, *_ in parameters), default=0) + 5
    for name, takes, default, doc in parameters:
        values = f"{takes}; {f'default {default}' if default else 'required'}"
        first, *rest = [*_wrapped(values, width - longest), *_wrapped(doc, width - longest)]
        yield [(f"  {name:<{longest - 2}}", "cyan"), (first, "")]
        yield from ([(" " * longest + line, "")] for line in rest)
    if parameters and op.examples:
        yield []
    for node, shapes, weights in example_rows(op):
        yield [(node, "cyan")]
        yield [("  ", ""), (" · ".join(filter(None, (shapes, weights))), "dim")]
    yield []


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(24, width))
