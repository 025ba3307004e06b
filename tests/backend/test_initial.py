"""Initial weights: PyTorch's defaults, then the last matching rule."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from cnngraph import SpecError
from cnngraph.backend import lower, model_source
from cnngraph.graph.path_patterns import InitRule
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


def test_the_last_matching_rule_applies() -> None:
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
    assert model.stage[1].bn3.bias.unique().tolist() == [0], "the other matching rule does not apply"
    assert model.gamma.unique().tolist() == [0.25], "free parameters match no rule"


def test_rules_draw_random_values_in_module_order() -> None:
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


def test_a_function_that_rejects_a_shape() -> None:
    rule = InitRule("batch_norm", {"weight": InitCall("kaiming_normal", {})})
    with pytest.raises(SpecError, match=r"E703.*`batch_norm` cannot fill `bn\.weight` \(8\) with `kaiming_normal`"):
        lower(replace(graph_of(NODES), init=(rule,)))


NAMES = (
    "weight",
    "bias",
    "data",
    "running_mean",
    "num_batches_tracked",
    "module",
    "name",
    "nn",
    "re",
    "conv",
    "linear",
)
LEAVES = (
    "op: conv, out: 4, kernel: 1",
    "op: conv, out: 4, kernel: 1, bias: false",
    "op: conv_transpose, out: 4, kernel: 1",
    "op: batch_norm",
    "op: batch_norm, affine: false",
    "op: instance_norm, affine: true",
    "op: group_norm, num_groups: 2",
    "op: layer_norm",
    "op: prelu",
    "op: relu",
)
RULES = ("'*'", "'**'", "'*.weight'", "'weight.*'", "'**.bias'", "'*.*'", "'*.0'", "weight", "bias", "conv", "linear")
VALUES = ("weight: 2", "bias: 3", "weight: {normal: {std: 2}}", "weight: 7, bias: {uniform: {a: 1, b: 2}}")


def random_scope(random: Random, depth: int = 0) -> str:
    """A chain of nodes with the names of parameters, variables and functions."""
    nodes, above = [], "in" if depth else "first"
    for name in random.sample(NAMES, random.randint(1, 3)):
        kind = random.choice(("parameter", "mapping", "list", "repeat", "leaf", "leaf"))
        content = (
            f"nodes: {{{random_scope(random, depth + 1)}}}"
            if kind == "mapping" and depth < 2
            else random.choice(LEAVES)
        )
        if kind == "parameter":
            nodes.append(f"{name}: {{op: parameter, shape: [4, 1, 1], init: 5}}")
            content, read, name = "op: mul", f"[{above}, {name}]", f"{name}_by"
        elif kind == "list":
            content, read = f"nodes: [{{{content}}}, relu, {{{random.choice(LEAVES)}}}]", above
        else:
            content, read = f"repeat: 2, {content}" if kind == "repeat" else content, above
        nodes.append(f"{name}: {{from: {read}, {content}}}")
        above = name
    return ", ".join(nodes)


@pytest.mark.parametrize("seed", range(60))
def test_source_and_module_are_initialised_alike(seed: int) -> None:
    random = Random(seed)
    rules = ", ".join(
        f"{{match: {random.choice(RULES)}, {random.choice(VALUES)}}}" for _ in range(random.randint(1, 3))
    )
    graph = graph_of(f"nodes: {{first: {{op: conv, out: 4, kernel: 1}}, {random_scope(random)}}}\ninit: [{rules}]")
    scope: dict[str, Any] = {"__name__": "generated"}
    exec(compile(model_source(graph), "model.py", "exec"), scope)
    torch.manual_seed(1)
    theirs = [value for value in scope.values() if isinstance(value, type) and issubclass(value, nn.Module)][
        -1
    ]().state_dict()
    torch.manual_seed(1)
    ours = lower(graph).state_dict()
    assert list(theirs) == list(ours)
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


@pytest.mark.parametrize("child", ["[batch_norm, sigmoid]", "{op: parameter, shape: [4, 1, 1], init: 5}"])
def test_a_node_called_weight_is_not_a_parameter_of_its_scope(child: str) -> None:
    graph = graph_of(f"""
    nodes:
      a: {{op: conv, out: 4, kernel: 1}}
      b: {{nodes: {{weight: {child}, mul: {{op: mul, from: [in, weight]}}}}}}
    init: [{{match: '*', weight: 1}}]
    """)
    source = model_source(graph)
    assert '        if name == "a":\n            nn.init.ones_(module.weight)\n' in source
