"""Initial weights: PyTorch's own, then the last rule that fits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from cnngraph import SpecError
from cnngraph.backend import lower
from cnngraph.ir.graph import InitRule
from cnngraph.ops.init import InitCall
from tests.backend.support import built, graph_of

NODES = """
    nodes:
      stem: {op: conv, out: 8, kernel: 3}
      bn: batch_norm
      stage: {repeat: 2, nodes: {conv: {op: conv, out: 8, kernel: 1, bias: false}, bn3: batch_norm}}
      gamma: {op: parameter, shape: [8, 1, 1], init: 0.25}
      mul: {op: mul, from: [stage, gamma]}
    """


def test_the_last_rule_that_fits_sets_a_module() -> None:
    model = built(f"""{NODES}
    init:
      - {{match: batch_norm, weight: 0.5, bias: 0.25}}
      - {{match: conv, weight: zeros, bias: 3}}
      - {{match: "stage.*.bn3", weight: 0}}
    """)
    assert model.bn.weight.unique().tolist() == [0.5]
    assert model.bn.bias.unique().tolist() == [0.25]
    assert model.stem.weight.unique().tolist() == [0]
    assert model.stem.bias.unique().tolist() == [3]
    assert model.stage[1].bn3.weight.unique().tolist() == [0]
    assert model.stage[1].bn3.bias.unique().tolist() == [0], "the other rule does not add to it"
    assert model.gamma.unique().tolist() == [0.25], "a free parameter is no module"


def test_rules_draw_in_the_order_of_modules() -> None:
    rules = """
    init:
      - {match: conv, weight: {kaiming_normal: {mode: fan_out, nonlinearity: relu}}}
      - {match: "stage.**", weight: {normal: {std: 2}}}
    """
    torch.manual_seed(3)
    model = built(NODES + rules)
    torch.manual_seed(3)
    by_hand = built(NODES)
    with torch.no_grad():
        nn.init.kaiming_normal_(by_hand.stem.weight, mode="fan_out", nonlinearity="relu")
        for unit in by_hand.stage:
            nn.init.normal_(unit.conv.weight, std=2)
            nn.init.normal_(unit.bn3.weight, std=2)
    for (key, one), other in zip(model.state_dict().items(), by_hand.state_dict().values(), strict=True):
        assert torch.equal(one, other), key


def test_a_function_that_refuses_a_shape_is_told() -> None:
    rule = InitRule("batch_norm", {"weight": InitCall("kaiming_normal", {})})
    with pytest.raises(SpecError, match=r"E703.*batch_norm cannot fill bn\.weight \(8\) by kaiming_normal"):
        lower(replace(graph_of(NODES), init=(rule,)))
