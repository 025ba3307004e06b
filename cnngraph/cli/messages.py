"""What the command line prints: messages and diagnostics, coloured on a terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO, TypeAlias

from cnngraph.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Styled: TypeAlias = "list[tuple[str, str]]"  # a line's parts, each with rich's name of its style

MOST_SHOWN = 50  # diagnostics of one file; the rest is counted
PARTS = (  # of a diagnostic's lines, and their style; an empty one is the severity's
    (re.compile(r" *(?P<part>-->|=|\||\d+ \|)"), "bold blue"),
    (re.compile(r" *\| *(?P<part>\^+)$"), ""),
    (re.compile(r" *(?P<part>help:)"), "bold green"),
)
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_coloured(stream: TextIO) -> bool:
    """Whether to colour what goes to the stream: a terminal, and nobody asked for plain text."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def console(*, to_stderr: bool = False, width: int | None = None) -> Console:
    """A rich console for stdout or stderr; long lines stay whole, and text is never taken for markup."""
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    return Console(
        file=stream,
        width=width,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=True,
        no_color=not is_coloured(stream),
    )


def printable(text: str) -> str:
    """The text without what would steer a terminal: a spec may come from a stranger."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """The same on a line of its own: nothing that follows may look as if it were ours."""
    return printable(text).replace("\n", "\N{REPLACEMENT CHARACTER}")


def json_text(value: object, indent: int | None = None) -> str:
    """The value as JSON, with escapes for what would steer a terminal."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def complain(message: str, kind: str = "error") -> None:
    """One line on stderr: `error: …`."""
    line = printable(f"{kind}: {message}")
    if not is_coloured(sys.stderr):
        print(line, file=sys.stderr)
        return
    from rich.text import Text

    console(to_stderr=True).print(Text.assemble((f"{kind}:", "bold red"), line[len(kind) + 1 :]))


def print_diagnostics(diagnostics: Sequence[Diagnostic], *, to_stderr: bool) -> None:
    """The diagnostics, an empty line between them; of very many the first, and how many more there are."""
    stream = sys.stderr if to_stderr else sys.stdout
    sys.stdout.flush()  # what stands there comes first, also where both go into one file
    texts = [printable(str(each)) for each in diagnostics[:MOST_SHOWN]]
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
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_styled(lines: Iterable[Styled]) -> None:
    """Lines on stdout, coloured on a terminal."""
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
