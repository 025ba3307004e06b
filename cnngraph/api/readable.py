"""How IPython and notebooks show the results of the API's functions."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Protocol

MAX_PICTURE = 2_000_000  # bytes of a plot that a notebook shows


class Printer(Protocol):
    """The printer that IPython passes to `_repr_pretty_`."""

    def text(self, text: str) -> None:
        """Write a string."""


class Readable:
    """Base class that shows its `str` in IPython and notebooks."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def plots(files: Iterable[Path]) -> Iterator[str]:
    """PNG and SVG files as HTML, without those that are missing or large."""
    for file in files:
        try:
            data = file.read_bytes() if file.is_file() and file.stat().st_size <= MAX_PICTURE else b""
        except OSError:
            continue
        yield from embedded(file.stem, data, "svg+xml" if file.suffix == ".svg" else "png")


def embedded(description: str, data: bytes, kind: str = "png") -> Iterator[str]:
    """A picture as HTML, in which no script of an SVG is run; nothing for a large or empty one."""
    if 0 < len(data) <= MAX_PICTURE:
        source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        yield f'<img alt="{escape(description)}" src="{source}">'


def percent(fraction: float | None) -> str | None:
    """`98.75 %`; None without a value."""
    return None if fraction is None else f"{100 * fraction:.2f} %"


def named_percent(name: str, fraction: float | None) -> str:
    """`accuracy 98.75 %`, or a dash without a value."""
    return f"{name} {percent(fraction) or '–'}"
