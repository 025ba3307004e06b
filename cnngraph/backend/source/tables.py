"""Long lists of numbers in generated source: each is written once, in rows, before the classes that use it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cnngraph.backend.formatting import STEP, WIDTH, literal
from cnngraph.backend.source.constructors import Argument, Call, Definition, Name

FORMATTER_OFF, FORMATTER_ON = "# fmt: off", "# fmt: on"  # formatters write one number per line
SHORT = 20  # the longest list of which several are written in a line


def move_tables(definitions: Sequence[Definition], reserved: set[str]) -> str:
    """Replace the tables in the constructors by names, which are not `reserved`, and return their definitions."""
    names: dict[str, str] = {}  # by literal: 1 and 1.0 differ
    rows: list[str] = []

    def moved(value: Any, path: tuple[str, ...]) -> Any:
        if not _is_table(value):
            return value
        written = literal(value)
        if written not in names:
            names[written] = _new_name(path, reserved.union(names.values()))
            rows.extend([f"{names[written]} = (", *_rows(value, STEP), ")"])
        return Name(names[written])

    for definition in definitions:
        for child, call in definition.children.items():
            definition.children[child] = _replaced(call, (child,), moved)
    return "\n".join([FORMATTER_OFF, *rows, FORMATTER_ON]) if rows else ""


def _is_table(value: Any) -> bool:
    """Whether a value is a list of numbers, or of such lists, that does not fit into one line."""
    return isinstance(value, tuple) and _has_only_numbers(value) and len(literal(value)) > WIDTH


def _has_only_numbers(value: Any) -> bool:
    return all(map(_has_only_numbers, value)) if isinstance(value, tuple) else type(value) in (int, float)


def _replaced(call: Call, path: tuple[str, ...], moved: Any) -> Call:
    arguments: list[Argument] = []
    for argument in call.arguments:
        here = (*path, argument.name)
        value = argument.value
        value = _replaced(value, here, moved) if isinstance(value, Call) else moved(value, here)
        arguments.append(replace(argument, value=value))
    return replace(call, arguments=tuple(arguments))


def _new_name(path: tuple[str, ...], taken: set[str]) -> str:
    """`RELATIVE_POSITION_INDEX` for the value of the constant `relative_position_index`."""
    words = [re.sub(r"\W", "_", word).upper() for word in path[:-1] if not word.isdecimal()]
    base = words[-1] if words else "TABLE"
    base = base if base.isidentifier() else f"TABLE_{base}"
    number, name = 2, base
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


def _rows(value: tuple[Any, ...], indent: int) -> Iterator[str]:
    """The items of a table: as many numbers or short lists in a line as fit, and each longer list in its own lines."""
    pad = line = " " * indent
    for item in value:
        written = f"{literal(item)},"
        if isinstance(item, tuple) and len(written) > SHORT:
            if len(line) > indent:
                yield line
            line = pad
            fits = indent + len(written) <= WIDTH
            yield from [pad + written] if fits else [f"{pad}(", *_rows(item, indent + STEP), f"{pad}),"]
        elif len(line) > indent and len(line) + 1 + len(written) > WIDTH:
            yield line
            line = pad + written
        else:
            line += written if len(line) == indent else f" {written}"
    if len(line) > indent:
        yield line
