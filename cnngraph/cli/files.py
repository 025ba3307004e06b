"""What may be written where."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click


def check_output(path: Path, endings: Iterable[str] = (), option: str = "--output") -> None:
    """Refuse a file in no folder, one that is none, or whose ending names no format. Raises click.BadParameter."""
    known = list(endings)
    if known and path.suffix.lower() not in known:
        wanted = " or ".join(filter(None, (", ".join(known[:-1]), known[-1])))
        raise click.BadParameter(f"{path} must end in {wanted}", param_hint=option)
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    if path.is_dir():
        raise click.BadParameter(f"{path} is a folder", param_hint=option)
    if path.exists() and not path.is_file():  # such as /dev/null, in whose place a file would be put
        raise click.BadParameter(f"{path} is no plain file", param_hint=option)
