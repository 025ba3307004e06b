"""A network that is called with the wrong inputs says what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import cnngraph
from tests.library import network


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (lambda: torch.zeros(2, 1, 32, 32), "must be N×3×32×32, got 2×1×32×32, which has 1 instead of 3 channels"),
        (lambda: torch.zeros(2, 32, 32, 3), "got 2×32×32×3: move the channels to the front with `permute(0, 3, 1, 2)`"),
        (lambda: torch.zeros(3, 32, 32, dtype=torch.uint8), "got 3×32×32: add the batch axis with `unsqueeze(0)`"),
        (
            lambda: torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
            "of float32, got uint8: convert it with `.to(torch.float32)`",
        ),
        (lambda: torch.zeros(2, 3, 32, 32).double(), "of float32, got float64"),
        (lambda: torch.zeros(2, 3, 32, 32).numpy(), "got a ndarray: convert it with `torch.as_tensor`"),
        (lambda: torch.zeros(2, 3, 32, 32, device="meta"), "on cpu, got one on meta"),
        (lambda: torch.zeros(2, 3), "must be N×3×32×32, got 2×3"),
    ],
)
def test_the_note_names_the_shapes_and_the_fix(images: Callable[[], Any], words: str) -> None:
    model = cnngraph.build(network("cifar2_width")).eval()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever PyTorch raises
        model(images())
    (note,) = caught.value.__notes__
    assert note.startswith("cifar2_width: the input must be N×3×32×32")
    assert words in note


def test_the_number_of_inputs(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "cnngraph: 1\ninput: {left: [3, 8, 8], right: [3, 8, 8]}\nnodes: {sum: {op: add, from: [left, right]}}\n"
    )
    model = cnngraph.build(tmp_path / "two.yaml")
    with pytest.raises(TypeError) as caught:
        model(torch.zeros(1, 3, 8, 8))
    assert caught.value.__notes__ == ["two: the network takes left, right: 2 inputs, got 1"]


def test_other_errors_have_no_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("out of memory")

    model = cnngraph.build(network("cifar2_width"))
    monkeypatch.setattr(model, "forward", fails)
    with pytest.raises(RuntimeError) as caught:
        model(torch.zeros(1, 3, 32, 32))
    assert not getattr(caught.value, "__notes__", [])
