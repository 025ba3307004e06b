"""Parameters and multiply-accumulates of the examples: those of their papers, and those that PyTorch counts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import cnngraph
from tests.library import LIBRARY


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("botnet50", 20.8),  # Srinivas et al. 2021
        ("cbamresnet50", 28.09),  # Woo et al. 2018
        ("coatnet_0", 25),  # Dai et al. 2021
    ],
)
def test_parameters_in_the_paper(name: str, millions: float) -> None:
    assert cnngraph.load(name).num_params / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("path", sorted((LIBRARY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_multiply_accumulates_of_an_example_are_those_that_pytorch_counts(path: Path) -> None:
    graph = cnngraph.load(path)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # two images: batch norms need them
        cnngraph.build(graph).train()(*(torch.empty(2, *shape) for shape in graph.input_shapes.values()))
    images = [2 if node.types[0].batched else 1 for node in graph.nodes]  # tables of positions are computed once
    assert counter.get_total_flops() == 2 * sum(
        node.macs * times for node, times in zip(graph.nodes, images, strict=True)
    )
