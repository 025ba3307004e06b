"""Expressions: `$in.channels // 2`, `$stride != 1 or $in.channels != $out`, `$depths[$i + 1]`.

A small language of its own, read by an operator-precedence parser; nothing is ever handed to Python. An expression
is read once and evaluated often. Whatever the text, reading and evaluating take bounded time, memory and nesting.
"""

from __future__ import annotations

import re
from dataclasses import field
from functools import lru_cache

from cnngraph.frozen import Frozen
from cnngraph.language.expressions.grammar import check_length, read
from cnngraph.language.expressions.syntax import ExpressionError, Lookup, Name, Node, Reference, shape_error
from cnngraph.language.expressions.values import SHAPE_WORDS, ShapeValue, Value, shown
from cnngraph.language.names import MAX_PATH

__all__ = [
    "SHAPE_WORDS",
    "Expression",
    "ExpressionError",
    "Lookup",
    "Reference",
    "ShapeValue",
    "evaluate",
    "is_expression",
    "parse_expression",
    "substitute",
]


class Expression(Frozen):
    """A parsed expression; two are equal if their texts are.

    `references` are all the `$names` in it, in the order of the text.
    """

    text: str
    root: Node = field(compare=False, repr=False)
    references: tuple[Reference, ...] = field(compare=False, repr=False)

    @property
    def certain_references(self) -> list[Reference]:
        """The references that are looked up whenever the expression is evaluated: `if`, `and` and `or` skip others."""
        return [each.reference for each in self.root.certain() if isinstance(each, Name)]

    @property
    def bare_reference(self) -> Reference | None:
        """The reference, if the expression is nothing but one (`$unit`, `$item.op`)."""
        return self.root.reference if isinstance(self.root, Name) else None


def is_expression(text: str) -> bool:
    """Whether a string in a spec is an expression: it has a `$` in it."""
    return "$" in text


@lru_cache(maxsize=8192)
def parse_expression(text: str) -> Expression:
    """Read an expression. Raises ExpressionError."""
    return _parse(text, 0, len(text))


def evaluate(expression: Expression, lookup: Lookup) -> Value:
    """The value: a number, text, truth value, null, list or table. Raises ExpressionError.

    `lookup` is given each reference as it is met (what `or`, `and` and `if` pass over is not met), and gives the
    value of its name and how many parts of its trail that took; its own errors pass through.
    """
    value = expression.root.value(lookup)
    if type(value) is ShapeValue:
        raise shape_error(expression.root, value)
    return value


def substitute(text: str, lookup: Lookup) -> str:
    """A path or a name with its `$i` and `${expression}` replaced: `branches.$i`, `stage${$i + 1}`.

    After `$i` a dot belongs to the path. Raises ExpressionError: for any other `$`, or where a value is neither a
    whole number nor a text.
    """
    if "$" not in text:
        return text
    written = "".join(each if isinstance(each, str) else _as_name(each, lookup) for each in _pieces(text))
    if len(written) > MAX_PATH:
        raise ExpressionError(f"the path has more than {MAX_PATH:,} characters", 0, len(text), code="E503")
    return written


def _as_name(expression: Expression, lookup: Lookup) -> str:
    value = evaluate(expression, lookup)
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    mend = "use `//`, `int(…)` or `round(…)` to get an integer" if isinstance(value, float) else None
    message = f"a name or path needs an integer or a string, got `{shown(value)}`"
    raise ExpressionError(message, expression.root.start, expression.root.end, mend, "E403")


_PIECE = re.compile(r"\$\{(?P<inner>(?:[^'\"}]|'[^']*'|\"[^\"]*\")*)\}|(?P<name>\$[A-Za-z_][A-Za-z0-9_]*)|\$")
_PLAIN = re.compile(r"[\w.*-]*")


@lru_cache(maxsize=8192)
def _pieces(text: str) -> tuple[str | Expression, ...]:
    """The text cut into what stands as it is and what is evaluated."""
    check_length(text)
    pieces: list[str | Expression] = []
    end = 0
    for found in _PIECE.finditer(text):
        pieces.append(_plain(text, end, found.start()))
        end = found.end()
        if found["inner"] is not None:
            pieces.append(_parse(text, *found.span("inner")))
        elif found["name"]:
            pieces.append(_parse(text, *found.span("name")))
        else:
            raise ExpressionError(
                "in a name or path, `$` must be followed by a name or by `{…}`", found.start(), end, "write `${…}`"
            )
    pieces.append(_plain(text, end, len(text)))
    return tuple(pieces)


def _plain(text: str, start: int, end: int) -> str:
    """What stands between the expressions: letters, digits and dots."""
    found = _PLAIN.match(text, start, end)
    if found and found.end() == end:
        return found.group()
    raise ExpressionError("in a name or path, only `$name` and `${…}` are evaluated", 0, len(text), "wrap it in `${…}`")


def _parse(text: str, start: int, end: int) -> Expression:
    root = read(text, start, end)
    references = tuple(each.reference for each in root.walk() if isinstance(each, Name))
    return Expression(text[start:end], root, tuple(sorted(references, key=lambda each: each.start)))
