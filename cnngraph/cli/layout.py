"""Tables on a terminal: columns as wide as their cells, narrowed to the width of the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from cnngraph.cli.messages import Styled
from cnngraph.cli.table import Row
from cnngraph.frozen import frozen
from cnngraph.numbers import show_count
from cnngraph.text import in_backticks, one_line

GAP = "   "
NARROW = 12  # minimum width of a column that may be cut


@frozen
class Column:
    """A column of a table, and what may happen to it in a narrow terminal.

    `cut` shortens cells at their end, or in their middle as suits paths, to `least` characters. `once` leaves out a
    column that is the same in all rows and states its value below the table. Columns with an `optional` above 0 are
    left out, the highest first, where cutting is not enough.
    """

    title: str
    right: bool = False
    cut: str = ""  # "end", "middle" or never
    least: int = NARROW
    once: bool = False
    optional: int = 0


@frozen
class _Cells:
    """A column with its cells, the title first."""

    column: Column
    cells: Sequence[Styled]

    @property
    def natural(self) -> int:
        return max(map(_length, self.cells))

    @property
    def least(self) -> int:
        return min(self.natural, max(self.column.least, len(self.column.title))) if self.column.cut else self.natural


NODES = (
    Column("node"),
    Column("operation", cut="end"),
    Column("shape"),
    Column("parameters", right=True),
    Column("MACs", right=True),
)


def lay_out(rows: Iterable[Row], width: int | None) -> list[Styled]:
    """A network's rows as lines."""
    return in_columns(NODES, map(_cells, rows), width)


def in_columns(columns: Sequence[Column], rows: Iterable[Sequence[Styled]], width: int | None) -> list[Styled]:
    """A header and a line for each row, not wider than `width` as far as the columns allow; None is any width.

    A last line states what all rows have in common and which columns are left out, if there are any.
    """
    lines = [[[(column.title, "dim")] for column in columns], *rows]
    lines = [[[(one_line(text), style) for text, style in cell] for cell in line] for line in lines]
    table = [_Cells(*pair) for pair in zip(columns, zip(*lines, strict=True), strict=True)]
    notes: list[str] = []
    if width is not None:
        table, notes = _chosen(table, width)
    widths = _widths(table, width)
    shown = [_line(table, row, widths) for row in range(len(lines))]
    return [*shown, *([(line, "dim")] for note in notes for line in wrap(note, width or len(note)))]


def _chosen(table: list[_Cells], width: int) -> tuple[list[_Cells], list[str]]:
    """The columns that fit, and notes about the others."""
    notes = []
    if _total([cells.natural for cells in table]) > width:
        same = [cells for cells in table if cells.column.once and len(cells.cells) > 2 and _is_same(cells.cells[1:])]
        table = [cells for cells in table if cells not in same]
        if same:
            notes.append("all: " + " · ".join(f"{cells.column.title} {_text(cells.cells[1])}" for cells in same))
    left_out = []
    while _total([cells.least for cells in table]) > width and any(cells.column.optional for cells in table):
        last = max(table, key=lambda cells: cells.column.optional)
        table.remove(last)
        left_out.append(last.column.title)
    if left_out:
        notes.append(f"columns hidden to fit a width of {width}: {in_backticks(left_out)}")
    return table, notes


def _widths(table: list[_Cells], width: int | None) -> list[int]:
    """The widths of the columns. Of those that may be cut the widest is cut first."""
    widths = [cells.natural for cells in table]
    while width is not None and _total(widths) > width:
        widest = max(range(len(table)), key=lambda number: (widths[number] > table[number].least, widths[number]))
        if widths[widest] <= table[widest].least:
            break
        widths[widest] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _is_same(cells: Sequence[Styled]) -> bool:
    return all(_text(cell) == _text(cells[0]) for cell in cells)


def _text(cell: Styled) -> str:
    return "".join(text for text, _ in cell)


def _length(cell: Styled) -> int:
    return sum(len(text) for text, _ in cell)


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
    """The operation or block, its inputs, and notes."""
    parts = [
        (row.operation, "cyan" if row.is_scope else ""),
        (f"← {row.reads}" if row.reads else "", "dim"),
        (f"({row.notes})" if row.notes else "", "yellow"),
    ]
    given = [(text, style) for text, style in parts if text]
    return [(f" {text}" if number else text, style) for number, (text, style) in enumerate(given)]


def _line(table: Sequence[_Cells], row: int, widths: Sequence[int]) -> Styled:
    line: Styled = []
    for cells, width in zip(table, widths, strict=True):
        cell = cut(cells.cells[row], width, cells.column.cut == "middle")
        blank = (" " * (width - _length(cell)), "")
        line += [blank, *cell] if cells.column.right else [*cell, blank]
        line.append((GAP, ""))
    while line and not line[-1][0].strip():  # no blanks at the end
        line.pop()
    return line


def cut(cell: Styled, width: int, in_middle: bool = False) -> Styled:
    """The cell in at most `width` characters, with an ellipsis for what is left out."""
    length = _length(cell)
    if length <= width:
        return cell
    if in_middle:  # of a path, the end tells more than the beginning
        start = (width - 1) // 3
        return [*_part(cell, 0, start), ("…", "dim"), *_part(cell, length - (width - 1 - start), length)]
    return [*_part(cell, 0, width - 1), ("…", "dim")]


def _part(cell: Styled, start: int, end: int) -> Styled:
    """The characters from `start` to `end` of a cell, in their styles."""
    kept: Styled = []
    position = 0
    for text, style in cell:
        kept.append((text[max(0, start - position) : max(0, end - position)], style))
        position += len(text)
    return [(text, style) for text, style in kept if text]
