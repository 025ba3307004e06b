"""Names and their values for tests of expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnngraph.language.expressions.evaluate import (
    ExpressionError,
    Reference,
    ShapeValue,
    evaluate,
    parse_expression,
)
from cnngraph.tensor_type import TensorType

VALUES: dict[str, Any] = {
    "i": 3,
    "x": 3,
    "half": 0.5,
    "zero": 0,
    "stride": 1,
    "out": 64,
    "flag": True,
    "off": False,
    "nothing": None,
    "act": "relu",
    "huge": 10**4000,
    "endless": float("inf"),
    "widths": [64, 128, 256],
    "empty": [],
    "item": {"width": 3, "kernel": 5},
    "rows": [{"out": 16}, {"out": 24}],
    "in": ShapeValue(TensorType.map(64, 56, 28)),
    "vector": ShapeValue(TensorType.vector(512)),
    "halves": ShapeValue((TensorType.map(32, 8, 8), TensorType.map(32, 8, 4))),
}


def lookup(reference: Reference) -> tuple[object, int]:
    """The test's params and nodes; `$block.conv` is a path to a node."""
    if reference.name == "block" and reference.trail[:1] == ("conv",):
        return ShapeValue(TensorType.map(7, 5, 3)), 1
    if reference.name not in VALUES:
        raise ExpressionError(f"${reference.name} is not known", reference.start, reference.end, code="E402")
    return VALUES[reference.name], 0


def run(text: str) -> Any:
    """The value of an expression over the test's names."""
    return evaluate(parse_expression(text), lookup)


def refusal(text: str, use: Callable[[str], object] = run) -> ExpressionError | None:
    """The error that a text raises, if it does."""
    try:
        use(text)
    except ExpressionError as error:
        return error
    return None


def same(value: Any, expected: Any) -> bool:
    """Equal and of one type."""
    return type(value) is type(expected) and bool(value == expected)
