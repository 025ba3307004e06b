"""Dilated residual networks without pooling: the classifier gives scores at every position of the map."""

from __future__ import annotations

import pytest
import torch

import cnngraph
from tests.library import network


@pytest.mark.parametrize("name", ["drn_a_18", "drn_a_50", "drn_c_26", "drn_c_58", "drn_d_24"])
def test_a_dense_classifier_gives_a_map(name: str) -> None:
    graph = cnngraph.load(network(name), dense=True)
    assert list(graph.output_shapes.values()) == [(1000, 28, 28)]
    assert graph.state == cnngraph.load(network(name)).state


@pytest.mark.parametrize("name", ["drn_a_18", "drn_b_26", "drn_d_22"])
def test_the_logits_are_the_means_of_the_dense_scores(name: str) -> None:
    pooled = cnngraph.build(network(name), classes=7).double().eval()
    dense = cnngraph.build(network(name), classes=7, dense=True).double().eval()
    dense.load_state_dict(pooled.state_dict())
    image = torch.randn(2, 3, 65, 96, dtype=torch.float64)
    with torch.no_grad():
        scores, logits = dense(image), pooled(image)
    assert scores.shape == (2, 7, 9, 12)
    torch.testing.assert_close(scores.mean((2, 3)), logits)
