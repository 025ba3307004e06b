"""The rows of a table as lines, in columns just as wide as they must be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from cnngraph.cli.messages import Styled
from cnngraph.cli.table import Row
from cnngraph.numbers import show_count
from cnngraph.text import one_line

HEADER = ("node", "operation", "shape", "parameters", "MACs")
OPERATION = HEADER.index("operation")
RIGHT = (False, False, False, True, True)
GAP = "   "
NARROWEST = 12  # of what a narrow terminal cuts short


def lay_out(rows: Iterable[Row], width: int | None) -> list[Styled]:
    """A header and a line for each row; wider than `width` only where the operations cannot be cut shorter."""
    return in_columns(HEADER, map(_cells, rows), RIGHT, OPERATION, width)


def in_columns(
    header: Sequence[str], rows: Iterable[list[Styled]], right: Sequence[bool], elastic: int, width: int | None
) -> list[Styled]:
    """A header and a line for each row of cells. Columns stand left or `right`; the `elastic` one is cut to fit."""
    texts = [[[(title, "dim")] for title in header], *rows]
    cells = [[[(one_line(text), style) for text, style in cell] for cell in line] for line in texts]
    lengths = [[sum(len(text) for text, _ in cell) for cell in line] for line in cells]
    widths = [max(column) for column in zip(*lengths, strict=True)]
    if width is not None:
        excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
        widths[elastic] = max(min(widths[elastic], NARROWEST), widths[elastic] - max(0, excess))
    return [_line(line, widths, right) for line in cells]


def _cells(row: Row) -> list[Styled]:
    style = "dim" if row.is_scope else ""
    return [
        [(row.guide, "dim"), (row.name, "bold" if row.is_scope else "")],
        _operation(row),
        [(row.shape, style)],
        [(f"{row.num_params:,}" if row.num_params else "", style)],
        [(show_count(row.macs) if row.macs else "", style)],
    ]


def _operation(row: Row) -> Styled:
    """The operation or block, what it reads, and what is special about it."""
    parts = [
        (row.operation, "cyan" if row.is_scope else ""),
        (f"← {row.reads}" if row.reads else "", "dim"),
        (f"({row.notes})" if row.notes else "", "yellow"),
    ]
    given = [(text, style) for text, style in parts if text]
    return [(f" {text}" if number else text, style) for number, (text, style) in enumerate(given)]


def _line(cells: list[Styled], widths: list[int], right: Sequence[bool]) -> Styled:
    line: Styled = []
    for cell, width, to_right in zip_longest(cells, widths, right):
        text = cut(cell, width)
        blank = " " * (width - sum(len(part) for part, _ in text))
        line += [(blank, ""), *text] if to_right else [*text, (blank, "")]
        line.append((GAP, ""))
    while line and not line[-1][0].strip():  # no blanks at the end
        line.pop()
    return line


def cut(cell: Styled, width: int) -> Styled:
    """The cell in so many characters, the last an ellipsis where something is left out."""
    if sum(len(text) for text, _ in cell) <= width:
        return cell
    kept: Styled = []
    for text, style in cell:
        room = max(0, width - 1 - sum(len(each) for each, _ in kept))
        kept.append((text[:room], style))
    return [*kept, ("…", "dim")]
