"""What the command line prints: messages and diagnostics, coloured on a terminal."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from cnngraph.diagnostics import Diagnostic, Severity
from cnngraph.terminal import console, is_coloured
from cnngraph.text import json_safe, one_line

if TYPE_CHECKING:
    from rich.text import Text

Styled: TypeAlias = "list[tuple[str, str]]"  # a line's parts, each with rich's name of its style

MOST_SHOWN = 50  # diagnostics of one file; the rest is counted
PARTS = (  # of a diagnostic's lines, and their style; an empty one is the severity's
    (re.compile(r" *(?P<part>-->|=|\||\d+ \|)"), "bold blue"),
    (re.compile(r" *\| *(?P<part>\^+)$"), ""),
    (re.compile(r" *(?P<part>help:|fix:)"), "bold green"),
)


def json_text(value: object, indent: int | None = None) -> str:
    """The value as JSON, with escapes for what would steer a terminal, and for all but ASCII where stdout needs it."""
    import json

    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "").replace("_", "")
    return json_safe(json.dumps(value, indent=indent, ensure_ascii=not encoding.startswith("utf")))


def say(text: str) -> None:
    """One line on stdout."""
    print(one_line(text))


def complain(message: str, kind: str = "error") -> None:
    """One line on stderr: `error: …`."""
    line = one_line(f"{kind}: {message}")
    if not is_coloured(sys.stderr):
        print(line, file=sys.stderr)
        return
    from rich.text import Text

    console(to_stderr=True).print(Text.assemble((f"{kind}:", "bold red"), line[len(kind) + 1 :]))


def print_diagnostics(diagnostics: Sequence[Diagnostic], *, to_stderr: bool) -> None:
    """The diagnostics, an empty line between them; of very many the first, and how many more there are."""
    stream = sys.stderr if to_stderr else sys.stdout
    sys.stdout.flush()  # what stands there comes first, also where both go into one file
    texts = [str(each) for each in diagnostics[:MOST_SHOWN]]
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
    """How wide stdout is; None for a file or a pipe, which take any width."""
    from shutil import get_terminal_size

    return get_terminal_size().columns if sys.stdout.isatty() else None


def print_styled(lines: Iterable[Styled]) -> None:
    """Lines on stdout, coloured on a terminal; a line stays one whatever is in it."""
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
    counts = Counter(each.severity for each in diagnostics)
    return ", ".join(count(counts[each], each.value) for each in Severity if counts[each])


def _coloured(text: str) -> Text:
    """A diagnostic's text with its parts told apart: severity, gutter, underline, help."""
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
