"""What `check` makes of planted errors, on a small fixed sample; `python -m tests.planted --all` is the large one."""

from __future__ import annotations

import pytest

from tests.planted.measure import Result, sample, share, table


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return list(sample(seed=0, count=3))


def test_one_slip_is_one_error(results: list[Result]) -> None:
    assert share(result.one for result in results) >= 97, table(results)


def test_the_slip_is_at_the_error_or_named_by_it(results: list[Result]) -> None:
    assert share(result.at_line for result in results) >= 97, table(results)


def test_most_errors_have_a_fix(results: list[Result]) -> None:
    assert share(result.offered for result in results) >= 85, table(results)


def test_a_fix_leaves_nothing_wrong(results: list[Result]) -> None:
    """Where one slip shows as two errors, the fix of one may leave the other."""
    assert share(result.passes for result in results if result.offered and result.one) == 100, table(results)


def test_fixes_give_the_network_that_was_meant(results: list[Result]) -> None:
    assert share(result.right for result in results if result.offered) >= 95, table(results)
