"""Expressions are bounded in size, depth and time, and random texts raise only `ExpressionError`."""

from __future__ import annotations

import inspect
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnngraph.language.expressions.evaluate import (
    ExpressionError,
    evaluate,
    parse_expression,
    substitute,
)
from tests.language.expression_names import lookup, refusal, run, same


@pytest.mark.parametrize(
    "text",
    [
        "(" * 60 + "1" + ")" * 60,
        "[" * 60 + "]" * 60,
        "-" * 60 + "1",
        "not " * 60 + "true",
        "$widths" + "[0]" * 60,
        "2" + "** 1" * 60,
        "1 if true else " * 60 + "1",
        "abs(" * 60 + "1" + ")" * 60,
        "max(0 or 1 and 1<1+1*" * 48 + "1" + ")" * 48,
        "1 + " * 600 + "1",
        "'" + "a" * 3000 + "'",
        "[" * 60 + "1" + " for $a in [1]]" * 60,
    ],
)
def test_nesting_and_length_are_bounded(text: str) -> None:
    """The nesting limit applies long before Python's recursion limit, so callers keep stack space."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 450)
    try:
        error = refusal(text)
    finally:
        sys.setrecursionlimit(before)
    assert error
    assert error.code == "E503"


@pytest.mark.parametrize(
    "text",
    [
        "[1 for $a in range(10000) for $b in range(10000) if false]",
        "[[1 for $b in range(10000) if false] for $a in range(10000)]",
        "[sum(range(10000)) for $a in range(10000)]",
        "[1 for $a in range(99) for $b in [1 for $c in range(9999)]]",
        "[1" + " for $a in range(10)" * 9 + "]",
        "[" * 40 + "1" + " for $a in range(10)]" * 40,
        "[$a" + " + 1 * 1" * 200 + " for $a in range(9999)]",
    ],
)
def test_the_work_of_a_comprehension_is_bounded(text: str) -> None:
    started = time.perf_counter()
    error = refusal(text)
    assert error
    assert error.code == "E503"
    assert time.perf_counter() - started < 5


def test_a_long_chain_is_not_nesting() -> None:
    assert run("1" + "+1" * 900) == 901
    assert run("true" + " and true" * 200) is True


def test_49_nested_brackets_are_allowed() -> None:
    assert run("(" * 49 + "1" + ")" * 49) == 1


def evaluate_repeatedly(text: str, value: object, times: int) -> None:
    """Params that each use the one before: `a1: [$a0, $a0]`, `a2: [$a1, $a1]` …"""
    parsed = parse_expression(text)
    for _ in range(times):
        value = evaluate(parsed, lambda _, value=value: (value, 0))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("[$a, $a]", [1], "elements in total"),
        ("$a + $a", [1], "elements in total"),
        ("[$a]", [1], "lists are nested"),
        ("$a + $a", "text", "the maximum is 10,000 characters"),
        ("$a * $a", 3, "too large"),
        ("$a * $a", 3.0, "infinite or NaN"),
    ],
)
def test_growth_across_params_is_bounded(text: str, value: object, message: str) -> None:
    before = time.perf_counter()
    with pytest.raises(ExpressionError, match=message):
        evaluate_repeatedly(text, value, 5000)
    assert time.perf_counter() - before < 1


_SOUP = """
    $x $half $flag $act $widths $in $in.channels $halves.0 $item.width $rows[0].out $huge $empty 0 1 2.5 1e3 9 'a' true
    null ( ) [ ] , : + - * / // % ** == != < <= > >= and or not if else min( max( abs( round( floor( int( len( sum(
    range( make_divisible( relu && ! = ^ ? $ ${ } . ' \" é [1,2] [0] [:1] .0 .channels
"""


_VALUES = (
    "$x $half $flag $act $widths $in $in.width $halves $halves.0 $item $rows[0] $huge $empty 0 -1 9 1e9 'a' null [[1]]"
)
_OPERATORS = "+ - * / // % ** == != < <= > >= and or"


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(_SOUP.split()), max_size=20).map("".join) | st.text(max_size=60))
def test_random_texts_raise_only_expression_errors(text: str) -> None:
    for use in (run, lambda text: substitute(text, lookup)):
        error = refusal(text, use)
        assert error is None or (error.message and 0 <= error.start <= error.end <= len(text))


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(_VALUES.split()), st.sampled_from(_OPERATORS.split())), min_size=1, max_size=8)
)
def test_random_values_raise_only_expression_errors(pairs: list[tuple[str, str]]) -> None:
    text = " ".join(f"{value} {symbol}" for value, symbol in pairs) + " $x"
    error = refusal(text)
    assert error is None or (error.code != "E401" and 0 <= error.start < error.end <= len(text))


def _numbers() -> st.SearchStrategy[str]:
    """Numeric expressions in x and y, valid here and in Python; brackets are rare, so that precedence matters."""
    leaves = st.sampled_from(["$x", "$y", "0", "1", "2", "7", "0.5", "1e2", "[3, 1, 2][1]", "len([4, 5][1:])"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        operators = st.sampled_from([" + ", " - ", " * ", " / ", " // ", " % ", " ** ", "-", "*"])
        comparisons = st.sampled_from([" == ", " != ", " < ", " <= ", " > ", " >= "])
        plain = st.one_of(
            st.tuples(inner, operators, inner).map("".join),
            inner.map("-{}".format),
            inner.map("({})".format),
            inner.map("round(({}) * 0.5)".format),
            inner.map("abs({})".format),
            st.tuples(inner, inner).map(lambda pair: f"max({pair[0]}, min({pair[1]}, 3))"),
            st.tuples(inner, inner).map(lambda pair: f"sum([{pair[0]}, {pair[1]}])"),
        )
        condition = st.tuples(inner, comparisons, inner).map("".join)
        tests = st.lists(st.tuples(st.sampled_from(["", "not "]), condition).map("".join), min_size=1, max_size=3)
        joined = st.tuples(tests, st.sampled_from([" and ", " or "])).map(lambda pair: pair[1].join(pair[0]))
        return plain | st.tuples(inner, joined, inner).map(lambda three: f"({three[0]} if {three[1]} else {three[2]})")

    return st.recursive(leaves, grow, max_leaves=15)


@settings(max_examples=600, deadline=None)
@given(_numbers(), st.integers(-9, 9), st.integers(-9, 9) | st.floats(-9, 9))
def test_agrees_with_python(text: str, x: int, y: float) -> None:
    values = {"x": x, "y": y}
    error = refusal(text, lambda text: evaluate(parse_expression(text), lambda reference: (values[reference.name], 0)))
    if error is None:
        value = evaluate(parse_expression(text), lambda reference: (values[reference.name], 0))
        assert same(value, eval(text.replace("$", ""), values))
    else:  # Python raises too or returns a complex number, or the result is too large
        assert error.code in ("E404", "E503")
