"""Atomic writing of files: each file is written next to its destination and then renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

NO_ROOM = {errno.EFBIG, errno.ENOSPC, errno.EDQUOT, errno.EIO}
NAME_PREFIX = 50  # characters of a file's name in that of its temporary file; the full name could become too long


class WriteError(OSError):
    """A file cannot be written; the previous file, if any, is unchanged."""


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Let `writer` write a temporary file next to `path`, then rename it to `path`.

    If there is a symbolic link, the file that it refers to is written, and the link stays. A file that is replaced
    keeps its mode. Raises WriteError, also if it is read-only, which renaming would ignore.
    """
    target = Path(os.path.realpath(path))
    temporary = _temporary(target)
    try:
        mode = _mode(target)
        writer(temporary)
        _flush_to_disk(temporary)
        if mode is not None:  # after all writing and reading, which the mode may forbid
            temporary.chmod(mode)
        os.replace(temporary, target)
    except Exception as error:
        cause = _os_error(error)
        if cause is None:
            raise
        raise WriteError(cause.errno, cause.strerror or str(cause), str(path)) from error  # name the file itself
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    r"""Write text as UTF-8. Raises WriteError.

    A lone surrogate, which represents a byte of a file name that is not UTF-8, becomes `\udcff` as in JSON.
    """
    write(path, lambda temporary: temporary.write_text(text, encoding="utf-8", errors="backslashreplace"))


def clean(folder: Path) -> None:
    """Delete temporary files that a process left in a folder because it was killed during `write`."""
    for leftover in folder.glob(".*.partial"):
        with suppress(OSError):
            leftover.unlink()


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """A path for libraries that only accept names in UTF-8: the path itself, or a temporary link to it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with TemporaryDirectory() as folder:
            link = Path(folder) / f"link{path.suffix}"
            link.symlink_to(path.absolute())
            yield link
    else:
        yield path


def is_read_only(path: Path) -> bool:
    """Whether there is a file that must not be written, even by a superuser."""
    return path.is_file() and not (path.stat().st_mode & 0o222 and os.access(path, os.W_OK))


def _mode(path: Path) -> int | None:
    """The mode of the file at a path; None if there is none. Raises OSError if it is read-only, or a loop of links."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if is_read_only(path):
        raise OSError(errno.EACCES, "the file is read-only")
    return path.stat().st_mode & 0o777 if path.is_file() else None


def _os_error(error: BaseException | None) -> OSError | None:
    """The OSError behind an error, even if a library raised another error while closing its file."""
    if isinstance(error, OSError):
        return error
    while error := error and error.__context__:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return error
    return None


def _temporary(path: Path) -> Path:
    """A unique temporary name, even if two processes write the same file at once."""
    return path.parent / f".{path.name[:NAME_PREFIX]}.{os.urandom(4).hex()}.partial"


def _flush_to_disk(path: Path) -> None:
    """Wait until the content is on disk, so that the renamed file is complete even after a power failure."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
