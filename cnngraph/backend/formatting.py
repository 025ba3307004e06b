"""Python source laid out as ruff and black format it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

WIDTH = 88  # the default of ruff and black
STEP = 4
LOOP = " for _ in range"  # of a generator, whose element has lines of its own
TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[\[({]|[\])}]|,|[^\[({\])},'"]+""")


def format_statement(text: str, indent: int = 0) -> list[str]:
    """A one-line statement as one or more lines: a line that is too long is broken at its brackets."""
    pad = " " * indent
    if indent + len(text) <= WIDTH:
        return [pad + text]
    element, loop, count = text.partition(LOOP)
    if loop and all(element.count(one) == element.count(two) for one, two in ("()", "[]")):
        return [*format_statement(element, indent), f"{pad}{loop.strip()}{count}"]
    opened = _bracket(text, first=text.startswith(("def ", "class ")))
    if opened is None:
        return [pad + text]
    start, stop = opened
    head, body, tail = text[:start], text[start : stop - 1], text[stop - 1 :]
    targets, is_assignment, value = text.partition(" = ")
    names = targets.split(", ")
    if (
        is_assignment
        and indent + len(f"{targets} = (") > WIDTH
        and len(names) > 1
        and all(map(str.isidentifier, names))
    ):
        return [f"{pad}(", *(f"{pad}{' ' * STEP}{name}," for name in names), f"{pad}) = {value}"]
    if is_assignment and indent + len(head) > WIDTH and indent + STEP + len(value) <= WIDTH:
        return [f"{pad}{targets} = (", pad + " " * STEP + value, f"{pad})"]
    if indent + STEP + len(body) <= WIDTH and not _is_lone_parameter(head, body):
        return [pad + head, pad + " " * STEP + body, pad + tail]
    lines = [pad + head]
    items = list(_items(body))
    comma = "," if len(items) > 1 or _is_lone_parameter(head, body) else ""
    for item in items:
        lines += format_statement(f"{item}{comma}", indent + STEP)
    return [*lines, pad + tail]


def quoted(text: str) -> str:
    """A string as a literal in double quotes, unless it contains some."""
    literal = repr(text)
    if literal[0] == "'" and '"' not in literal:
        return '"' + literal[1:-1] + '"'
    return literal


def literal(value: object) -> str:
    """A number, a string, or a tuple or list of them as source."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, tuple | list):
        inner = ", ".join(map(literal, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise TypeError(f"{type(value).__name__} has no literal")


def _bracket(text: str, first: bool) -> tuple[int, int] | None:
    """Where the contents of the last (or first) outermost bracket pair start, and where the pair ends."""
    found = None
    depth = start = 0
    for token in TOKEN.finditer(text):
        if token[0] in "([{":
            depth += 1
            start = token.end() if depth == 1 else start
        elif token[0] in ")]}":
            depth -= 1
            if depth == 0 and token.start() > start:
                found = start, token.end()
                if first:
                    break
    return found


def _items(body: str) -> Iterator[str]:
    """The texts between the outermost commas."""
    depth = start = 0
    for token in TOKEN.finditer(body):
        depth += (token[0] in "([{") - (token[0] in ")]}")
        if depth == 0 and token[0] == ",":
            yield body[start : token.start()].strip()
            start = token.end()
    if body[start:].strip():
        yield body[start:].strip()


def _is_lone_parameter(head: str, body: str) -> bool:
    return head.startswith("def ") and "," not in body
