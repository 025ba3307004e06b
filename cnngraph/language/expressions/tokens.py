"""Splits the text of an expression into tokens."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from cnngraph.language.expressions.tree import ExpressionError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<reference>\$[A-Za-z_][A-Za-z0-9_]*(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+))*)
    | (?P<member>(?<=[\])])(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+))+)
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<text>'[^']*'|"[^"]*")
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol>\*\*|//|===|!==|[=!<>]=|<>|&&|\|\||[-+*/%<>()\[\],:=!^&|?])
    )""",
    re.VERBOSE,
)
HELPS = {
    "&&": "write `and`",
    "&": "write `and`",
    "||": "write `or`",
    "|": "write `or`",
    "!": "write `not`",
    "=": "write `==` to compare",
    "===": "write `==`",
    "!==": "write `!=`",
    "<>": "write `!=`",
    "^": "write `**` for a power",
    "?": "write `a if condition else b`",
    "in": "write `$x == 'a' or $x == 'b'`",
    "is": "write `==`",
    "for": "write one element and one `for` in brackets: `[$x + 1 for $x in $list]`",
    "×": "write `*`",
    "·": "write `*`",
    "÷": "write `/`",
    "−": "write `-`",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
}


class Token(NamedTuple):
    """A token of a `kind`: `text` between two positions."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str, start: int, end: int) -> list[Token]:
    """The tokens of `text[start:end]`, and one of the kind `end`. Raises ExpressionError."""
    found_tokens = []
    while start < end:
        found = _TOKEN.match(text, start, end)
        if found is None or found.lastgroup is None:
            blank = len(text[start:end]) - len(text[start:end].lstrip())
            if start + blank == end:
                break
            _unreadable(text, start + blank, end)
        found_tokens.append(Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup), found.end()))
        start = found.end()
    found_tokens.append(Token("end", "", end, end))
    return found_tokens


def _unreadable(text: str, start: int, end: int) -> NoReturn:
    char = text[start]
    if char in "'\"":
        raise ExpressionError(f"the string has no closing {char}", start, end, f"close it with {char}")
    if text.startswith("${", start):
        help = "write `$name`; `${…}` is for names and paths"
        raise ExpressionError("`${…}` is not allowed in an expression", start, start + 2, help)
    if char == "$":
        raise ExpressionError("`$` must be followed by a name", start, start + 1, "write `$name`")
    if char in "{}":
        raise ExpressionError("an expression cannot contain a mapping", start, start + 1, "make the mapping a param")
    if char == ".":
        help = "write `$name.channels` without spaces"
        raise ExpressionError("`.` must follow a name without a space", start, start + 1, help)
    raise ExpressionError(f"unexpected `{char}` in an expression", start, start + 1, HELPS.get(char))
