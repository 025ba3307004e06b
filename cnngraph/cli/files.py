"""Files that are whole or not there, and what may be written where."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import typer


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Let `writer` write a file beside `path`, with the same ending, then put it in its place."""
    beside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        writer(beside)
        os.replace(beside, path)
    except OSError as error:  # the person knows the file by its own name
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8."""
    write(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def check_output(path: Path, endings: Iterable[str] = (), option: str = "--output") -> None:
    """Refuse a file in no folder, or whose ending names no format. Raises typer.BadParameter."""
    known = list(endings)
    if known and path.suffix.lower() not in known:
        wanted = " or ".join(filter(None, (", ".join(known[:-1]), known[-1])))
        raise typer.BadParameter(f"{path} must end in {wanted}", param_hint=option)
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder", param_hint=option)
