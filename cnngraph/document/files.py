"""Reads spec files as UTF-8, with a size limit."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import BinaryIO

from cnngraph.diagnostics import Source, Span, SpecError
from cnngraph.frozen import frozen

WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
RAISE = "if this is intended, raise the limit with `--max-nodes`"


@frozen
class Limits:
    """Limits on the size of a text; what it expands to is limited elsewhere."""

    bytes: int = 4_000_000
    values: int = 250_000

    def scaled(self, factor: float) -> Limits:
        """The limits multiplied by a factor of at least 1."""
        factor = max(1.0, factor)
        return Limits(int(self.bytes * factor), int(self.values * factor))


LIMITS = Limits()


def read_file(path: Path, name: str | None = None, limits: Limits = LIMITS) -> Source:
    """Read a file; `name` is how messages refer to it. Raises SpecError if it cannot be read."""
    name = name or str(path)
    try:
        status = path.stat()
        if what := no_file(status):
            raise SpecError.of("E101", f"cannot read {name}: it is {what}")
        if status.st_size > limits.bytes:
            raise _too_large(name, limits)
        return _decoded(name, path, path.read_bytes())
    except OSError as error:
        reason = "file not found" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise SpecError.of("E101", f"cannot read {name}: {reason}") from None
    except ValueError:  # a null byte in the path
        raise SpecError.of("E101", f"cannot read {name}: file not found") from None


def read_stream(stream: BinaryIO, name: str, limits: Limits = LIMITS) -> Source:
    """Read a stream, such as standard input; `name` is how messages refer to it. Raises SpecError as `read_file`."""
    data = stream.read(limits.bytes + 1)
    if len(data) > limits.bytes:
        raise _too_large(name, limits)
    return _decoded(name, None, data)


def _too_large(name: str, limits: Limits) -> SpecError:
    return SpecError.of("E501", f"{name} is larger than {limits.bytes:,} bytes, the maximum for a spec", help=RAISE)


def _decoded(name: str, path: Path | None, data: bytes) -> Source:
    """Decode a file's bytes. Raises SpecError if they are not UTF-8."""
    wide = next((encoding for start, encoding in WIDE.items() if data.startswith(start)), None)
    if wide is None and len(data) > 1 and 0 in data[:2] and data[:2] != b"\0\0":
        wide = "UTF-16"
    if wide:
        raise SpecError.of("E101", f"cannot read {name}: it is encoded as {wide}", help="save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
        before = data[start : start + error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        source = Source(name, data[start:].decode("utf-8", "replace"))
        message = f"cannot read {name}: it is not UTF-8 (byte 0x{error.object[error.start]:02X})"
        span = Span(source, line, column, line, column + 1)
        raise SpecError.of("E101", message, span, help="save it as UTF-8") from None
    return Source(name, text.replace("\r\n", "\n").replace("\r", "\n"), path)


def no_file(status: os.stat_result) -> str | None:
    """What a path is if not a regular file, else None. Reading a pipe or a device might never end."""
    if stat.S_ISREG(status.st_mode):
        return None
    return "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
