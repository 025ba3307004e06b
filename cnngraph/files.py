"""Files that are whole or not there, whenever the process dies: each is written beside its place and then renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

NO_ROOM = {errno.EFBIG, errno.ENOSPC, errno.EDQUOT, errno.EIO}
MOST_OF_A_NAME = 50  # characters that tell a person what was being written; a whole name could grow too long


class WriteError(OSError):
    """A file cannot be written; what stood in its place stands there still."""


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Let `writer` write a file beside `path`, then put it in its place. Raises WriteError."""
    beside = _beside(path)
    try:
        writer(beside)
        _reach_the_disk(beside)
        os.replace(beside, path)
    except Exception as error:
        refused = _refused(error)
        if refused is None:
            raise
        raise WriteError(refused.errno, refused.strerror or str(refused), str(path)) from error  # by its own name
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    r"""Write text as UTF-8. Raises WriteError.

    A lone surrogate, which stands for a byte of a file name that is not UTF-8, becomes `\udcff` as in JSON.
    """
    write(path, lambda beside: beside.write_text(text, encoding="utf-8", errors="backslashreplace"))


def clean(folder: Path) -> None:
    """Take away what a process that died in the middle of `write` left in a folder."""
    for leftover in folder.glob(".*.partial"):
        with suppress(OSError):
            leftover.unlink()


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """The path for a library that only takes names in UTF-8: itself, or while it is entered a link to it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with TemporaryDirectory() as folder:
            link = Path(folder) / f"link{path.suffix}"
            link.symlink_to(path.absolute())
            yield link
    else:
        yield path


def _refused(error: BaseException | None) -> OSError | None:
    """The system's refusal, also where a library failed again when it wanted to close its file."""
    if isinstance(error, OSError):
        return error
    while error := error and error.__context__:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return error
    return None


def _beside(path: Path) -> Path:
    """A name that nobody else writes to, also where two write the same file at once."""
    return path.parent / f".{path.name[:MOST_OF_A_NAME]}.{os.urandom(4).hex()}.partial"


def _reach_the_disk(path: Path) -> None:
    """Wait until a file's content is safe, so that after a power cut, too, its name stands for a whole file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
