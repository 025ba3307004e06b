"""How IPython and notebooks show the results of the API's functions."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Protocol

MAX_PICTURE = 500_000  # bytes of a plot that a notebook shows


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
    """PNG files as HTML, without those that are missing or large."""
    for file in files:
        try:
            data = file.read_bytes() if file.stat().st_size <= MAX_PICTURE else b""
        except OSError:
            continue
        if data:
            yield f'<img alt="{escape(file.stem)}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'
