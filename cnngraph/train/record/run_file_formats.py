"""Reads and writes the files of a run, atomically: JSON, plots, weights and the state from which it is resumed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from cnngraph import run_files
from cnngraph.atomic_files import clean, readable, write, write_text
from cnngraph.backend.weights.checksum import checksum_fits
from cnngraph.diagnostics import SpecError
from cnngraph.stored_documents import VERSION, check_version, is_regular_file
from cnngraph.train.record.plots import save_figure
from cnngraph.train.record.resume_checks import STATE_VERSION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = [
    "clean",
    "damaged_file",
    "intact",
    "read_metadata",
    "read_state",
    "read_weights",
    "restart_help",
    "write",
    "write_figure",
    "write_json",
    "write_state",
    "write_text",
]


MAGIC = b"\ncnngraph-state "  # the start of the line that follows the archive in a state file
TRAILER = re.compile(rb"\ncnngraph-state (\d{4}) sha256 ([0-9a-f]{64})\n")
TRAILER_LENGTH = len(MAGIC) + 4 + len(" sha256 ") + 64 + 1
CHUNK = 2**20


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write plain values as a JSON document of the current version."""
    versioned = {"version": VERSION, **value}
    text = json.dumps(versioned, indent=2, ensure_ascii=False)
    if any("\ud800" <= char <= "\udfff" for char in text):  # a file name that is not UTF-8
        text = json.dumps(versioned, indent=2)
    write_text(path, text + "\n")


def write_figure(path: Path, figure: Figure) -> None:
    """Write a matplotlib figure as PNG, SVG or PDF, by the extension of the path."""
    write(path, lambda temporary: save_figure(figure, temporary, format=path.suffix[1:].lower()))


def read_weights(path: Path, *, require_checksum: bool = True) -> dict[str, Tensor]:
    """Read a state_dict from a safetensors file after verifying its checksum.

    With `require_checksum`, a file without a checksum, as older versions wrote, is refused. Raises SpecError (E647) if
    the file is damaged.
    """
    try:
        fits = checksum_fits(path)
        if fits or (fits is None and not require_checksum):
            with readable(path) as name:
                weights: dict[str, Tensor] = load_file(str(name))
            return weights
    except (OSError, ValueError, SafetensorError) as error:
        raise damaged_file(
            path, str(error).strip().splitlines()[-1] if str(error).strip() else "", _use_other_weights(path)
        ) from None
    problem = "it has no checksum" if fits is None else "its content does not match its checksum"
    raise damaged_file(path, problem, _use_other_weights(path))


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file."""
    with readable(path) as name, safe_open(str(name), framework="pt") as file:
        return dict(file.metadata() or {})


def intact(path: Path) -> bool:
    """Whether a weights file has a valid checksum."""
    try:
        return bool(checksum_fits(path))
    except (OSError, ValueError):
        return False


def damaged_file(path: Path, problem: str, help: str | None = None) -> SpecError:
    """The error for a binary file that was changed after the run wrote it."""
    return SpecError.of("E647", f"{path} is damaged: {problem}", help=help)


def _use_other_weights(path: Path) -> str:
    """The help for a damaged weights file: use other weights of the run."""
    files = (run_files.weights_file(path.parent, name) for name in run_files.kept_weights(path.parent))
    others = [file.stem for file in files if file != path and intact(file)]
    if not others:
        return "restore it from a copy"
    return "use other weights from this run: " + " or ".join(f"`--weights {name}`" for name in others[:4])


class _Hashing:
    """A writable file that hashes what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write to the file and update the hash."""
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        """Flush the file."""
        self.file.flush()


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values that `read_state` can read without executing code.

    The file is a PyTorch archive followed by a line with the state's version and the archive's SHA-256.
    """

    def save_to(temporary: Path) -> None:
        with temporary.open("wb") as file:  # for a path, torch would not report why writing failed
            hashing = _Hashing(file)
            try:
                torch.save(dict(state), hashing)  # type: ignore[arg-type]
            except RuntimeError as error:
                raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None
            file.write(MAGIC + f"{STATE_VERSION:04} sha256 {hashing.digest.hexdigest()}\n".encode())

    write(path, save_to)


def read_state(path: Path) -> dict[str, Any]:
    """Read what `write_state` wrote, with tensors on the CPU.

    Raises SpecError: E647 if the file is damaged, before any of its content is used; E646 if a newer cnngraph wrote it.
    """
    try:
        _verify(path)
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except SpecError:
        raise
    except OSError as error:
        raise damaged_file(path, error.strerror or str(error), restart_help(path.parent)) from None
    except Exception:  # PyTorch raises nearly anything for other files
        raise damaged_file(path, "it is not the state of a run", restart_help(path.parent)) from None
    return state


def _verify(path: Path) -> None:
    """Raise SpecError if a state file was changed after it was written."""
    if not is_regular_file(path):
        raise damaged_file(path, "it is missing", restart_help(path.parent))
    size = path.stat().st_size - TRAILER_LENGTH
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in range(0, max(0, size), CHUNK):
            digest.update(file.read(min(CHUNK, size - start)))
        found = TRAILER.fullmatch(file.read())
    if not found:
        problem = "it has no checksum at its end: it is truncated, or was written by an older cnngraph"
        raise damaged_file(path, problem, restart_help(path.parent))
    check_version(int(found[1]), STATE_VERSION, path)
    if digest.hexdigest() != found[2].decode():
        raise damaged_file(path, "its content does not match its checksum", restart_help(path.parent))


def restart_help(folder: Path) -> str:
    """The help for a lost state: restore it, or start a new run from weights that are intact."""
    for name in (run_files.LAST, run_files.BEST):
        weights = run_files.weights_file(folder, name)
        if intact(weights):
            command = f"cnngraph train {folder / run_files.SPEC} --weights {weights}"
            return f"restore it from a copy, or start a new run from the run's {name} weights: `{command}`"
    return "restore it from a copy, or start a new run"
