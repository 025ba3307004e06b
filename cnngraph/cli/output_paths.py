"""Checks of output paths."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from cnngraph.atomic_files import is_read_only
from cnngraph.text import either


def check_output(path: Path, endings: Iterable[str] = (), option: str = "--output") -> None:
    """Check that a file can be written and has one of the endings. Raises click.BadParameter."""
    known = list(endings)
    name = path.name.lower()
    if str(path) == "-":
        what = f", whose ending determines the format: {either(known)}" if known else ""
        raise click.BadParameter(f"`-` (standard output) is not supported; name a file{what}", param_hint=option)
    if name in known:
        raise click.BadParameter(f"{path} is only an ending; write a name before it", param_hint=option)
    if known and not name.endswith(tuple(known)):
        raise click.BadParameter(f"{path} must end in {either(known)}", param_hint=option)
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    if path.is_dir():
        raise click.BadParameter(f"{path} is a folder", param_hint=option)
    if path.exists() and not path.is_file():  # such as /dev/null, which would be replaced by a file
        raise click.BadParameter(f"{path} is not a regular file", param_hint=option)
    if is_read_only(path):
        raise click.BadParameter(f"{path} is read-only; choose another file", param_hint=option)
