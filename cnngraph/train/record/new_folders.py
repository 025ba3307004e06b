"""Folders for new runs: their names and numbers, and what keeps one from being used."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from cnngraph import run_files
from cnngraph.diagnostics import SpecError

BEFORE_IT_BEGINS = {
    run_files.LOCK,
    run_files.DATA,
    run_files.ENVIRONMENT,
    run_files.IMAGES,
    run_files.RECIPE,
}  # what is left of a run that died while its folder was made


def refuse_contents(out: Path) -> None:
    """Raise SpecError (E632) for a folder that has something in it, but for what a run leaves that never began."""
    if {path.name for path in out.iterdir() if path.suffix != ".partial"} - BEFORE_IT_BEGINS:
        help = "name another folder, or go on with the run in it by --resume"
        raise SpecError.of("E632", f"{out} has something in it, and no run is overwritten", help=help)


def unwritable(path: Path, reason: str) -> SpecError:
    """The error for a folder in which nothing can be written."""
    return SpecError.of("E632", f"cannot write to {path}: {reason}")


def folder_name(network: str) -> str:
    """The network's name as a folder may be called."""
    return re.sub(r"[^\w.-]+", "_", network).strip(".") or "run"


def numbered(runs: Path, network: str) -> dict[int, Path]:
    """The folders of a network's runs by their numbers."""
    pattern = re.compile(re.escape(folder_name(network)) + r"-(\d+)")
    found = {pattern.fullmatch(each.name): each for each in runs.iterdir()} if runs.is_dir() else {}
    return {int(match[1]): path for match, path in found.items() if match}


def counted(runs: Path, network: str) -> Path:
    """A new folder with the next number; two runs that begin at once get two folders."""
    number = max(numbered(runs, network), default=0)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            number += 1
            path = runs / f"{folder_name(network)}-{number}"
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise unwritable(runs, error.strerror or str(error)) from None


def planned_folder(out: Path | None, runs: Path, network: str) -> Path:
    """The folder that a new run would have, as far as is known without writing. Raises SpecError (E632)."""
    path = out or runs / f"{folder_name(network)}-{max(numbered(runs, network), default=0) + 1}"
    try:
        above = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not above.is_dir():
            raise unwritable(path, f"{above} is not a folder")
        if not os.access(above, os.W_OK | os.X_OK):
            raise unwritable(path, os.strerror(errno.EACCES))
        if path.exists():
            refuse_contents(path)
    except OSError as error:
        raise unwritable(path, error.strerror or str(error)) from None
    return path
