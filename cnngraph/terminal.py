"""Terminal output: everything that is printed goes through here and is made safe.

`guarded` wraps stdout and stderr, so that the output of `print` and of libraries is escaped, too. Colours and progress
bars come only from `console`, which bypasses the wrapper and escapes the text between its own control codes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

from cnngraph.text import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderHook


class _Guard:
    """A stream that escapes the text written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write the text, escaped."""
        self.stream.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write the lines, escaped."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Escape everything written to stdout and stderr, and replace characters that their encodings lack."""
    with ExitStack() as stack:
        for name, redirect in (("stdout", redirect_stdout), ("stderr", redirect_stderr)):
            stream = getattr(sys, name) or _nowhere(stack)
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")  # for × and ├ on a terminal that only supports ASCII
            stack.enter_context(redirect(stream if isinstance(stream, _Guard) else _Guard(stream)))
        yield


def _nowhere(stack: ExitStack) -> TextIO:
    """A replacement for a stream that was closed before the program started."""
    return stack.enter_context(open(os.devnull, "w", encoding="utf-8"))


def unguarded(stream: TextIO) -> TextIO:
    """The underlying stream, for trusted text with control codes."""
    return stream.stream if isinstance(stream, _Guard) else stream


def is_coloured(stream: TextIO) -> bool:
    """Whether to colour the output: the stream is a terminal, and the user did not ask for plain text."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def console(*, to_stderr: bool = False, width: int | None = None) -> Console:
    """A rich console for stdout or stderr, which neither wraps lines nor interprets markup, and escapes the text."""
    from rich.console import Console  # slow to import, and not needed for plain output

    stream = unguarded(sys.stderr if to_stderr else sys.stdout)
    made = Console(
        file=stream,
        width=width,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=True,
        no_color=not is_coloured(stream),
    )
    made.push_render_hook(_escaping())
    return made


def _escaping() -> RenderHook:
    """A hook that escapes all text that a console prints, but not the console's own control codes."""
    from rich.console import RenderHook
    from rich.segment import Segment

    class Escaped:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
            for segment in console.render(self.inner, options):
                yield segment if segment.control else Segment(visible(segment.text), segment.style)

    class Hook(RenderHook):
        def process_renderables(self, renderables: list[Any]) -> list[Any]:
            return [Escaped(item) for item in renderables]

    return Hook()
