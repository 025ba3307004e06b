"""Files that are whole or not there, whenever the process dies: each is written beside its place and then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class WriteError(OSError):
    """A file cannot be written; what stood in its place stands there still."""


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Let `writer` write a file beside `path`, then put it in its place. Raises WriteError."""
    beside = path.with_name(f".{path.name}.partial")
    try:
        writer(beside)
        _reach_the_disk(beside)
        os.replace(beside, path)
    except OSError as error:
        raise WriteError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def clean(folder: Path) -> None:
    """Take away what a process that died in the middle of `write` left in a folder."""
    for each in folder.glob(".*.partial"):
        with suppress(OSError):
            each.unlink()


def _reach_the_disk(path: Path) -> None:
    """Wait until a file's content is safe, so that after a power cut, too, its name stands for a whole file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8."""
    write(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write plain values as JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure of matplotlib's, as PNG, SVG or PDF by the path's ending."""
    write(path, lambda beside: figure.savefig(beside, format=path.suffix[1:].lower()))


def write_weights(path: Path, state: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
    """Write a state_dict as safetensors, with facts as its metadata."""
    tensors = {key: each.detach().to("cpu", copy=True).contiguous() for key, each in state.items()}
    metadata = {"format": "pt"} | {key: str(each) for key, each in facts.items()}
    write(path, lambda beside: beside.write_bytes(save(tensors, metadata)))


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state_dict from safetensors."""
    weights: dict[str, Tensor] = load_file(str(path))
    return weights


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values so that `read_state` reads them without running code."""

    def save_into(beside: Path) -> None:
        with beside.open("wb") as file:  # given a path, torch would not say why it cannot write
            try:
                torch.save(dict(state), file)
            except RuntimeError as error:
                raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None

    write(path, save_into)


def read_state(path: Path) -> dict[str, Any]:
    """What `write_state` wrote; its tensors come to the CPU."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
