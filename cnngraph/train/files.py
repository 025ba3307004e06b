"""What a run writes, each file whole or not there: JSON, figures, weights and what a run goes on from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from cnngraph.files import clean, readable, write, write_text
from cnngraph.train.figures import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = [
    "clean",
    "read_state",
    "read_weights",
    "write",
    "write_figure",
    "write_json",
    "write_state",
    "write_text",
]


def write_json(path: Path, value: object) -> None:
    """Write plain values as JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure of matplotlib's, as PNG, SVG or PDF by the path's ending."""
    write(path, lambda beside: save_figure(figure, beside, format=path.suffix[1:].lower()))


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state_dict from safetensors."""
    with readable(path) as name:
        weights: dict[str, Tensor] = load_file(str(name))
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
