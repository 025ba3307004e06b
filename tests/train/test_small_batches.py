"""Batch norm of one value per channel is an error before the first step, exactly where PyTorch would raise."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnngraph
from cnngraph import SpecError
from cnngraph.recipe.data import ImageFolder
from tests.train.support import RECIPE, train_graph

NETWORKS = {
    "vector": "[flatten, {op: linear, out: 6}, batch_norm, {op: linear, out: 2}]",
    "small_map": "[global_avg_pool, {op: reshape, shape: [1, 1, 1]}, batch_norm, flatten, {op: linear, out: 2}]",
    "training_only": None,
    "map": "[{op: conv, out: 6, kernel: 3}, batch_norm, global_avg_pool, {op: linear, out: 2}]",
    "layer_norm": "[flatten, {op: linear, out: 6}, layer_norm, {op: linear, out: 2}]",
}
TWO_HEADS = """\
nodes:
  flat: flatten
  logits: {op: linear, out: 2}
  aux: {from: flat, nodes: [{op: linear, out: 6}, batch_norm, {op: linear, out: 2}]}
outputs: {logits: logits, aux: aux}
training_only: [aux]
"""


def written(folder: Path, name: str) -> str:
    nodes = NETWORKS[name]
    text = f"nodes: {nodes}\n" if nodes else TWO_HEADS
    (folder / f"{name}.yaml").write_text(f"cnngraph: 1\ninput: [1, 6, 6]\n{text}")
    return str(folder / f"{name}.yaml")


def images(folder: Path, count: int) -> Path:
    """Training images of two classes, and one validation image per class."""
    for part, images in (("train", count), ("val", 2)):
        for number in range(images):
            place = folder / part / "ab"[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(0, 255, (6, 6), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize(("batch_size", "count"), [(1, 4), (2, 4), (2, 5), (4, 5), (8, 3)])
@pytest.mark.parametrize("name", NETWORKS)
def test_single_values_are_an_error_exactly_where_pytorch_raises(
    tmp_path: Path, name: str, batch_size: int, count: int, accumulate: int
) -> None:
    graph = cnngraph.load(written(tmp_path, name))
    recipe = replace(RECIPE, data=ImageFolder(), epochs=1, batch_size=batch_size, accumulate=accumulate)
    refused = batch_size == 1 and name in ("vector", "small_map", "training_only")
    with pytest.raises(SpecError, match="`batch_size` 1 is too small") if refused else nullcontext() as caught:
        train_graph(
            graph,
            recipe,
            spec_text="",
            out=tmp_path / "run",
            data_dir=images(tmp_path / "data", count),
            device="cpu",
        )
    if caught:
        assert caught.value.diagnostics[0].help == "use at least `--set train.batch_size=2`"
        assert not (tmp_path / "run").exists()
