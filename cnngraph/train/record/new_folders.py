"""Folders for new runs: names, numbers and checks."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from cnngraph import run_files
from cnngraph.diagnostics import SpecError

WRITTEN_BEFORE_START = {
    run_files.LOCK,
    run_files.DATA,
    run_files.ENVIRONMENT,
    run_files.IMAGES,
    run_files.RECIPE,
}  # what a run leaves that was killed before it started


def refuse_contents(out: Path) -> None:
    """Raise SpecError (E632) if a folder is not empty, except for the leftovers of a run that never started."""
    if {path.name for path in out.iterdir() if path.suffix != ".partial"} - WRITTEN_BEFORE_START:
        help = "use another folder, or resume the run in it with `--resume`"
        raise SpecError.of("E632", f"{out} is not empty, and runs are never overwritten", help=help)


def unwritable(path: Path, reason: str) -> SpecError:
    """The error for a folder that is not writable."""
    return SpecError.of("E632", f"cannot write to {path}: {reason}")


def folder_name(network: str) -> str:
    """The network's name as a valid folder name."""
    return re.sub(r"[^\w.-]+", "_", network).strip(".") or "run"


def numbered_folders(runs: Path, network: str) -> dict[int, Path]:
    """The folders of a network's runs, by number."""
    pattern = re.compile(re.escape(folder_name(network)) + r"-(\d+)")
    found = {pattern.fullmatch(path.name): path for path in runs.iterdir()} if runs.is_dir() else {}
    return {int(match[1]): path for match, path in found.items() if match}


def create_numbered_folder(runs: Path, network: str) -> Path:
    """Create the folder with the next number; two runs that start at the same time get different folders."""
    number = max(numbered_folders(runs, network), default=0)
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
    """The folder that a new run would get, determined without writing. Raises SpecError (E632)."""
    path = out or runs / f"{folder_name(network)}-{max(numbered_folders(runs, network), default=0) + 1}"
    try:
        existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if not existing.is_dir():
            raise unwritable(path, f"{existing} is not a folder")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise unwritable(path, os.strerror(errno.EACCES))
        if path.exists():
            refuse_contents(path)
    except OSError as error:
        raise unwritable(path, error.strerror or str(error)) from None
    return path
