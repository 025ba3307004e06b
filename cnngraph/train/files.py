"""Files that are whole or not there: each is written beside its place and then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Let `writer` write a file beside `path`, then put it in its place."""
    beside = path.with_name(f".{path.name}.partial")
    try:
        writer(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


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
    write(path, lambda beside: torch.save(dict(state), beside))


def read_state(path: Path) -> dict[str, Any]:
    """What `write_state` wrote; its tensors come to the CPU."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
