"""What a run writes, each file whole or not there: JSON, figures, weights and the state that a run is resumed from."""

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
from cnngraph.backend.weights.checksum import checksum_fits
from cnngraph.diagnostics import SpecError
from cnngraph.files import clean, readable, write, write_text
from cnngraph.stored_documents import VERSION, check_version, is_regular_file
from cnngraph.train.record.plots import save_figure
from cnngraph.train.record.state import STATE_VERSION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = [
    "clean",
    "corrupt",
    "intact",
    "read_facts",
    "read_state",
    "read_weights",
    "restart",
    "write",
    "write_figure",
    "write_json",
    "write_state",
    "write_text",
]


MAGIC = b"\ncnngraph-state "  # what the line begins with that follows the archive in a state file
TRAILER = re.compile(rb"\ncnngraph-state (\d{4}) sha256 ([0-9a-f]{64})\n")
TRAILER_LENGTH = len(MAGIC) + 4 + len(" sha256 ") + 64 + 1
CHUNK = 2**20


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write plain values as a JSON document of the current version."""
    versioned = {"version": VERSION, **value}
    text = json.dumps(versioned, indent=2, ensure_ascii=False)
    if any("\ud800" <= each <= "\udfff" for each in text):  # a file's name that is not UTF-8
        text = json.dumps(versioned, indent=2)
    write_text(path, text + "\n")


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure of matplotlib's, as PNG, SVG or PDF by the path's ending."""
    write(path, lambda beside: save_figure(figure, beside, format=path.suffix[1:].lower()))


def read_weights(path: Path, *, sealed: bool = True) -> dict[str, Tensor]:
    """A state_dict from safetensors, whose checksum is verified first.

    A file without a checksum is refused, unless it need not be `sealed`: older versions wrote none. Raises SpecError
    (E647) where the file is damaged.
    """
    try:
        fits = checksum_fits(path)
        if fits or (fits is None and not sealed):
            with readable(path) as name:
                weights: dict[str, Tensor] = load_file(str(name))
            return weights
    except (OSError, ValueError, SafetensorError) as error:
        raise corrupt(path, str(error).strip().splitlines()[-1] if str(error).strip() else "", _other(path)) from None
    problem = "it has no checksum" if fits is None else "its content does not match its checksum"
    raise corrupt(path, problem, _other(path))


def read_facts(path: Path) -> dict[str, str]:
    """What a readable file of weights says of itself."""
    with readable(path) as name, safe_open(str(name), framework="pt") as file:
        return dict(file.metadata() or {})


def intact(path: Path) -> bool:
    """Whether a file of weights has a checksum that is right."""
    try:
        return bool(checksum_fits(path))
    except (OSError, ValueError):
        return False


def corrupt(path: Path, problem: str, help: str | None = None) -> SpecError:
    """A binary file of a run was changed after it was written."""
    return SpecError.of("E647", f"{path} is damaged: {problem}", help=help)


def _other(path: Path) -> str:
    """What to do about a damaged file of weights: use others of the run."""
    files = (run_files.weights_file(path.parent, name) for name in run_files.kept_weights(path.parent))
    others = [file.stem for file in files if file != path and intact(file)]
    return f"use other weights of the run: --weights {' or '.join(others[:4])}" if others else "restore it from a copy"


class _Hashing:
    """A file to write to that keeps the hash of what is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write and count in."""
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        """Flush the file."""
        self.file.flush()


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values so that `read_state` reads them without running code.

    The file is PyTorch's archive, followed by a line with the version of the state and the archive's SHA-256.
    """

    def save_into(beside: Path) -> None:
        with beside.open("wb") as file:  # given a path, torch would not say why it cannot write
            hashing = _Hashing(file)
            try:
                torch.save(dict(state), hashing)  # type: ignore[arg-type]
            except RuntimeError as error:
                raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None
            file.write(MAGIC + f"{STATE_VERSION:04} sha256 {hashing.digest.hexdigest()}\n".encode())

    write(path, save_into)


def read_state(path: Path) -> dict[str, Any]:
    """What `write_state` wrote; its tensors come to the CPU.

    Raises SpecError: E647 where the file is damaged, which is known before anything in it is used; E646 where a newer
    cnngraph wrote it.
    """
    try:
        _verify(path)
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except SpecError:
        raise
    except OSError as error:
        raise corrupt(path, error.strerror or str(error), restart(path.parent)) from None
    except Exception:  # PyTorch raises nearly anything for what is no archive of its own
        raise corrupt(path, "it holds no state of a run", restart(path.parent)) from None
    return state


def _verify(path: Path) -> None:
    """Raise SpecError where a state file is not as it was written."""
    if not is_regular_file(path):
        raise corrupt(path, "it is missing", restart(path.parent))
    size = path.stat().st_size - TRAILER_LENGTH
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in range(0, max(0, size), CHUNK):
            digest.update(file.read(min(CHUNK, size - start)))
        found = TRAILER.fullmatch(file.read())
    if not found:
        problem = "it ends without a checksum, so it is cut short, or was written by an older cnngraph"
        raise corrupt(path, problem, restart(path.parent))
    check_version(int(found[1]), STATE_VERSION, path)
    if digest.hexdigest() != found[2].decode():
        raise corrupt(path, "its content does not match its checksum", restart(path.parent))


def restart(folder: Path) -> str:
    """What to do where a run's state is lost: begin with the weights that are left."""
    for name in (run_files.LAST, run_files.BEST):
        weights = run_files.weights_file(folder, name)
        if intact(weights):
            command = f"cnngraph train {folder / run_files.SPEC} --weights {weights}"
            return f"restore it from a copy, or start a new run from the run's {name} weights: {command}"
    return "restore it from a copy, or start a new run"
