"""Expressions: `$in.channels // 2`, `$stride != 1 or $in.channels != $out`, `$depths[$i + 1]`.

A small language with its own operator-precedence parser; nothing is executed as Python code. An expression is parsed
once and evaluated often. Parsing and evaluation take bounded time, memory and nesting for any input.
"""

from __future__ import annotations

import re
from dataclasses import field
from functools import lru_cache

from cnngraph.frozen import Frozen
from cnngraph.language.expressions.parser import check_length, read, read_index
from cnngraph.language.expressions.tree import ExpressionError, Lookup, Name, Node, Reference, shape_error
from cnngraph.language.expressions.values import ShapeValue, Value, shown
from cnngraph.language.names import MAX_PATH

__all__ = [
    "Expression",
    "ExpressionError",
    "Lookup",
    "Reference",
    "ShapeValue",
    "evaluate",
    "parse_expression",
    "path_expressions",
    "substitute",
]


class Expression(Frozen):
    """A parsed expression; two are equal if their texts are equal.

    `references` are its `$names` in order of appearance.
    """

    text: str
    root: Node = field(compare=False, repr=False)
    references: tuple[Reference, ...] = field(compare=False, repr=False)

    @property
    def certain_references(self) -> list[Reference]:
        """The references that every evaluation looks up: `if`, `and` and `or` may skip the others."""
        return [node.reference for node in self.root.certain() if isinstance(node, Name)]

    @property
    def bare_reference(self) -> Reference | None:
        """The reference, if the expression is a single reference (`$unit`, `$item.op`)."""
        return self.root.reference if isinstance(self.root, Name) else None


@lru_cache(maxsize=8192)
def parse_expression(text: str) -> Expression:
    """Parse an expression. Raises ExpressionError."""
    return _parse(text, 0, len(text))


def evaluate(expression: Expression, lookup: Lookup) -> Value:
    """Evaluate an expression to a number, string, boolean, null, list or mapping. Raises ExpressionError.

    `lookup` is called for each reference that is evaluated (`or`, `and` and `if` skip some). It returns the value of
    the name and how many parts of the trail it consumed; its exceptions propagate.
    """
    value = expression.root.value(lookup)
    if type(value) is ShapeValue:
        raise shape_error(expression.root, value)
    return value


def substitute(text: str, lookup: Lookup) -> str:
    """A path or a name with its `$i` and `${expression}` replaced: `branches.$i`, `stage${$i + 1}`.

    After `$i` a dot belongs to the path. An index is an expression, too, and so are the bounds of a slice: `halves[$i +
    1]`, `maps[$i:]`. Raises ExpressionError: for any other `$`, or where a value is neither an integer nor a string.
    """
    if "$" not in text:
        return text
    pieces = _pieces(text)
    written = "".join(piece if isinstance(piece, str) else _as_name(piece, lookup) for piece in pieces)
    if len(written) > MAX_PATH:
        raise ExpressionError(f"the path has more than {MAX_PATH:,} characters", 0, len(text), code="E503")
    return written


def path_expressions(text: str) -> list[Expression]:
    """The expressions in a path or a name. Raises ExpressionError."""
    return [piece for piece in _pieces(text) if isinstance(piece, Expression)]


def _as_name(expression: Expression, lookup: Lookup) -> str:
    value = evaluate(expression, lookup)
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    help = "use `//`, `int(…)` or `round(…)` to get an integer" if isinstance(value, float) else None
    message = f"a name or path needs an integer or a string, got `{shown(value)}`"
    raise ExpressionError(message, expression.root.start, expression.root.end, help, "E403")


_PIECE = re.compile(
    r"""
      \$\{(?P<inner>(?:[^'\"}]|'[^']*'|\"[^\"]*\")*)\}
    | (?P<name>\$[A-Za-z_][A-Za-z0-9_]*)
    | \[(?P<index>[^$]*\$.*)\]$
    | \$
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[\w.*-]*(\[[-0-9:]+\])?")


@lru_cache(maxsize=8192)
def _pieces(text: str) -> tuple[str | Expression, ...]:
    """The text split into literal strings and expressions."""
    check_length(text)
    pieces: list[str | Expression] = []
    end = 0
    for found in _PIECE.finditer(text):
        pieces.append(_plain(text, end, found.start()))
        end = found.end()
        if found["inner"] is not None:
            pieces.append(_parse(text, *found.span("inner")))
        elif found["index"]:
            pieces += ["[", *_index(text, *found.span("index")), "]"]
        elif found["name"]:
            pieces.append(_parse(text, *found.span("name")))
        else:
            raise ExpressionError(
                "in a name or path, `$` must be followed by a name or by `{…}`", found.start(), end, "write `${…}`"
            )
    pieces.append(_plain(text, end, len(text)))
    return tuple(pieces)


def _plain(text: str, start: int, end: int) -> str:
    """The literal text between expressions: letters, digits and dots."""
    found = _PLAIN.match(text, start, end)
    if found and found.end() == end:
        return found.group()
    raise ExpressionError("in a name or path, only `$name` and `${…}` are evaluated", 0, len(text), "wrap it in `${…}`")


def _index(text: str, start: int, end: int) -> list[str | Expression]:
    """The expressions in an index, or in the bounds of a slice, with the colons between them."""
    pieces: list[str | Expression] = []
    for number, bound in enumerate(read_index(text, start, end)):
        pieces += [":"] if number else []
        pieces += [_expression(bound)] if bound is not None else []
    return pieces


def _parse(text: str, start: int, end: int) -> Expression:
    return _expression(read(text, start, end), text[start:end])


def _expression(root: Node, text: str = "") -> Expression:
    references = sorted(root.names(), key=lambda reference: reference.start)
    return Expression(text or root.text, root, tuple(references))
