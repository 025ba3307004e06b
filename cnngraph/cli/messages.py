"""What the command line prints: messages and diagnostics, coloured on a terminal."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from cnngraph.diagnostics import Diagnostic, Severity
from cnngraph.terminal import console, is_coloured
from cnngraph.text import json_safe, one_line

if TYPE_CHECKING:
    from rich.text import Text

Styled: TypeAlias = "list[tuple[str, str]]"  # the parts of a line, each with the name of a rich style

MOST_SHOWN = 50  # diagnostics of one file; the others are only counted
PARTS = (  # parts of a diagnostic's lines with their styles; an empty style means that of the severity
    (re.compile(r" *(?P<part>-->|=|\||\d+ \|)"), "bold blue"),
    (re.compile(r" *\| *(?P<part>\^+)$"), ""),
    (re.compile(r" *(?P<part>help:|fix:)"), "bold green"),
)


def json_text(value: object, indent: int | None = None) -> str:
    """The value as JSON, in which NaN and infinite numbers are null.

    Control characters are escaped, and if stdout is not in UTF-8, all characters but ASCII.
    """
    import json

    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "").replace("_", "")
    return json_safe(json.dumps(_finite(value), indent=indent, ensure_ascii=not encoding.startswith("utf")))


def json_rows(values: Iterable[object]) -> str:
    """A JSON array with one item per line."""
    rows = [f"  {json_text(value)}" for value in values]
    return "[\n" + ",\n".join(rows) + "\n]" if rows else "[]"


def _finite(value: object) -> object:
    """The value with null for NaN and infinite numbers, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def say(text: str) -> None:
    """Print one line to stdout."""
    print(one_line(text))


def complain(message: str, kind: str = "error") -> None:
    """Print one line to stderr: `error: …`."""
    line = one_line(f"{kind}: {message}")
    if not is_coloured(sys.stderr):
        print(line, file=sys.stderr)
        return
    from rich.text import Text

    console(to_stderr=True).print(Text.assemble((f"{kind}:", "bold red"), line[len(kind) + 1 :]))


def print_diagnostics(diagnostics: Sequence[Diagnostic], *, to_stderr: bool) -> None:
    """Print diagnostics separated by empty lines: at most MOST_SHOWN, and the number of the others."""
    stream = sys.stderr if to_stderr else sys.stdout
    sys.stdout.flush()  # keeps the order if both streams go to one file
    texts = [str(diagnostic) for diagnostic in diagnostics[:MOST_SHOWN]]
    if len(diagnostics) > MOST_SHOWN:
        texts.append(f"… and {len(diagnostics) - MOST_SHOWN:,} more")
    if not is_coloured(stream):
        print("\n\n".join(texts), file=stream)
        return
    out = console(to_stderr=to_stderr)
    for number, text in enumerate(texts):
        if number:
            out.print()
        out.print(_coloured(text))


def terminal_width() -> int | None:
    """The width of the terminal; None if stdout is a file or a pipe."""
    from shutil import get_terminal_size

    return get_terminal_size().columns if sys.stdout.isatty() else None


def print_styled(lines: Iterable[Styled]) -> None:
    """Print lines to stdout, coloured on a terminal. Line breaks inside a line are escaped."""
    lines = [[(one_line(text), style) for text, style in line] for line in lines]
    if not is_coloured(sys.stdout):
        print("\n".join("".join(text for text, _ in line) for line in lines))
        return
    from rich.text import Text

    out = console()
    for line in lines:
        out.print(Text.assemble(*line))


def count(number: int, thing: str) -> str:
    """`1 error`, `3 errors`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def count_severities(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`."""
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    return ", ".join(count(counts[severity], severity.value) for severity in Severity if counts[severity])


def _coloured(text: str) -> Text:
    """A diagnostic with styles for its severity, gutter, underline, help and fix."""
    from rich.text import Text

    head, *lines = text.split("\n")
    severity, colon, message = head.partition(":")
    colour = "yellow" if severity.startswith(Severity.WARNING) else "red"
    parts = [Text.assemble((severity, f"bold {colour}"), (colon + message, "bold"))]
    for line in lines:
        part = Text(line)
        for pattern, style in PARTS:
            if found := pattern.match(line):
                part.stylize(style or f"bold {colour}", *found.span("part"))
        parts.append(part)
    return Text("\n").join(parts)
