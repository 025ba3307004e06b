"""How `check` reports planted errors, on a small fixed sample; `python -m tests.planted --all` runs a large one."""

from __future__ import annotations

import pytest

from tests.planted.measure import Result, sample, share, table


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return list(sample(seed=0, count=3))


def test_most_slips_are_one_error(results: list[Result]) -> None:
    assert share(result.single for result in results) >= 97, table(results)


def test_most_errors_are_on_the_line_of_the_slip_or_name_it(results: list[Result]) -> None:
    assert share(result.at_line for result in results) >= 95, table(results)


def test_most_errors_have_a_fix(results: list[Result]) -> None:
    assert share(result.offered for result in results) >= 85, table(results)


def test_a_fix_leaves_no_error(results: list[Result]) -> None:
    """If a slip causes two errors, the fix of one may leave the other; a fix may also reveal a hidden error."""
    assert share(result.passes for result in results if result.offered and result.single) >= 98, table(results)


def test_most_fixes_restore_the_original_network(results: list[Result]) -> None:
    assert share(result.right for result in results if result.offered) >= 91, table(results)
