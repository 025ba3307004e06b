"""Tables in terminals of any width."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cnngraph.cli.layout import Column, in_columns

COLUMNS = (
    Column("run", cut="middle"),
    Column("test", right=True),
    Column("epochs", right=True, once=True),
    Column("recipe", cut="end", optional=1),
)
RUN = "runs/shortcuts/residual_mnist_original-seed1"


def lines(rows: Sequence[tuple[str, ...]], width: int | None, columns: tuple[Column, ...] = COLUMNS) -> list[str]:
    """The lines of a table without their styles."""
    styled = in_columns(columns, [[[(text, "")] for text in row] for row in rows], width)
    return ["".join(text for text, _ in line) for line in styled]


def test_a_table_in_a_file_is_complete() -> None:
    assert lines([(RUN, "98.1 %", "3/3", "lr 0.1")], None) == [
        "run                                              test   epochs   recipe",
        f"{RUN}   98.1 %      3/3   lr 0.1",
    ]


def test_paths_are_cut_in_the_middle() -> None:
    assert lines([(RUN, "98.1 %", "3/3", "lr 0.1")], 50)[1] == "runs/sh…_original-seed1   98.1 %      3/3   lr 0.1"


def test_what_all_rows_have_is_stated_once() -> None:
    rows = [(RUN, "98.1 %", "3/3", f"lr {rate}") for rate in (0.1, 0.2)]
    assert lines(rows, 66) == [
        "run                                              test   recipe",
        f"{RUN}   98.1 %   lr 0.1",
        f"{RUN}   98.1 %   lr 0.2",
        "all: epochs 3/3",
    ]


def test_optional_columns_are_left_out_last_and_named() -> None:
    assert lines([(RUN, "98.1 %", "3/3", "lr 0.1, momentum 0.9")], 36) == [
        "run                    test   epochs",
        "runs/…iginal-seed1   98.1 %      3/3",
        "columns hidden to fit a width of 36:",
        "`recipe`",
    ]


@given(
    st.lists(st.tuples(*[st.text("abc/ \n", max_size=60)] * 4), max_size=5),
    st.integers(60, 200),
)
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    columns = tuple(Column(title, cut=cut) for title, cut in zip("abcd", ("end", "middle") * 2, strict=True))
    assert max(map(len, lines(rows, width, columns))) <= width
