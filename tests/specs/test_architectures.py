"""Each small network of the library agrees with an independent implementation: counts, shapes and numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import cnngraph
from tests.library import DATA, network
from tests.specs.probe import probe

FACTS: dict[str, dict[str, Any]] = json.loads((DATA / "architectures.json").read_text())

# The facts' keys in our words, by replacements from left to right. The other networks have the facts' order of keys.
RESIDUAL = {"res_block": "unit", "conv3x3_": "conv", "conv1x1": "join", "fc.": "classifier.1."}
WORDS = {
    "googlenet_mnist": {
        "incep": "inception",
        "branch1x1": "point",
        "branch5x5_1": "wide.0",
        "branch5x5_2": "wide.1",
        "branch3x3_1": "deep.0",
        "branch3x3_2": "deep.1",
        "branch3x3_3": "deep.2",
        "branch_pool": "pool.1",
        "fc.": "classifier.1.",
    },
    "residual_mnist_original": RESIDUAL,
    "residual_mnist_constant_scaling": RESIDUAL,
    "residual_mnist_exclusive_gating": RESIDUAL,
    "residual_mnist_shortcut_only_gating": RESIDUAL,
    "residual_mnist_conv_shortcut": {**RESIDUAL, "conv1x1": "join.conv"},
    "residual_mnist_dropout_shortcut": RESIDUAL,
}


def fact_of_key(name: str, keys: list[str]) -> dict[str, str]:
    """For each of our keys the facts' key."""
    facts = list(FACTS[name]["state"])
    if name not in WORDS:
        return dict(zip(keys, facts, strict=True))
    table = {}
    for fact in facts:
        key = fact
        for theirs, ours in WORDS[name].items():
            key = key.replace(theirs, ours)
        table[key] = fact
    return table


@pytest.mark.parametrize("name", FACTS)
def test_counts_and_shapes_without_pytorch(name: str) -> None:
    graph = cnngraph.load(network(name))
    facts = FACTS[name]
    assert list(graph.input_shapes.values()) == [tuple(facts["input"])]
    assert graph.num_params == facts["params"]
    assert graph.macs == facts["macs"]
    fact = fact_of_key(name, list(graph.state))
    assert {fact[key]: list(shape) for key, shape in graph.state.items()} == facts["state"]


@pytest.mark.parametrize("name", FACTS)
def test_built_module(name: str) -> None:
    graph = cnngraph.load(network(name))
    model = cnngraph.build(graph)
    facts = FACTS[name]
    assert sum(each.numel() for each in model.parameters()) == facts["params"]
    assert {key: tuple(entry.shape) for key, entry in model.state_dict().items()} == graph.state
    if facts["probe"] is None:
        return
    keys = fact_of_key(name, list(graph.state))
    logits = probe(model, keys, tuple(facts["input"]), batch=len(facts["probe"]))
    np.testing.assert_allclose(logits, facts["probe"], rtol=1e-8, atol=1e-9)
