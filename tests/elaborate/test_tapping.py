"""Inner tensors of a network by path: of nodes, blocks and list elements."""

from __future__ import annotations

import re

import pytest
import torch

import cnngraph
from cnngraph import Graph, SpecError
from cnngraph.graph.nodes import Ref
from cnngraph.passes.tap import tapped, tensor_at
from tests.library import network

PATHS = {
    "googlenet_mnist": ["inception1.wide.0", "inception1.deep", "inception2", "relu1", "classifier.1"],
    "resnet_cifar_222": ["bn", "layer1.0.add", "layer2.0.downsample", "layer2", "layer3.1.conv2"],
    "googlenet": ["inception3a.branch2", "maxpool4", "conv1.bn"],
}


@pytest.mark.parametrize("name", PATHS)
def test_tapped_tensors_equal_the_outputs_of_the_modules(name: str) -> None:
    graph = cnngraph.load(network(name))
    model = cnngraph.build(graph).eval()
    images = torch.randn(2, *next(iter(graph.inputs.values())).sizes)
    compared = 0
    for path in PATHS[name]:
        captured: list[torch.Tensor] = []
        inner = cnngraph.build(tapped(graph, {"x": tensor_at(graph, path)})).eval()
        assert list(inner.state_dict()) == list(model.state_dict())
        inner.load_state_dict(model.state_dict())
        with torch.inference_mode():
            output = inner(images)
            try:
                module = model.get_submodule(path)
            except AttributeError:  # an expression, such as add
                continue
            module.register_forward_hook(lambda *call, captured=captured: captured.append(call[2].clone()))
            model(images)
        torch.testing.assert_close(output, captured[0])
        compared += 1
        assert tuple(output.shape[1:]) == graph.type_of(tensor_at(graph, path)).sizes
    assert compared


@pytest.fixture
def lists(tmp_path: object) -> Graph:
    from pathlib import Path

    file = Path(str(tmp_path)) / "lists.yaml"
    file.write_text(
        """
cnngraph: 1
input: [4, 8, 8]
outputs: {logits: head, extra: aux}
training_only: [extra]
nodes:
  halves: {op: chunk, chunks: 2}
  join: {op: add, from: [halves.0, halves.1]}
  aux: {from: join, nodes: [global_avg_pool, {op: linear, out: 3}]}
  head: {from: join, nodes: [flatten, {op: linear, out: 3}]}
"""
    )
    return cnngraph.load(file)


def test_list_elements_and_the_input_can_be_tapped(lists: Graph) -> None:
    images = torch.randn(1, 4, 8, 8)
    outputs = {name: tensor_at(lists, name) for name in ("halves[1]", "in")}
    assert outputs["in"] == Ref(-1)
    with torch.inference_mode():
        second, image = cnngraph.build(tapped(lists, {"a": outputs["halves[1]"], "b": outputs["in"]})).eval()(images)
    assert torch.equal(second, images[:, 2:])
    assert torch.equal(image, images)


@pytest.mark.parametrize(
    ("path", "help"),
    [
        ("halves", "its value is a list; choose one of halves[0], halves[1]"),
        ("jion", "did you mean `join`?"),
        ("head.7", "did you mean `head.0`?"),
        ("aux.0", None),
        ("nothing.at.all", "choose one of in, halves[0], halves[1], join, head"),
    ],
)
def test_an_unknown_path_is_an_error(lists: Graph, path: str, help: str | None) -> None:
    with pytest.raises(SpecError, match=re.escape(f"`lists` has no node `{path}` that runs")) as caught:
        tensor_at(lists, path)
    (error,) = caught.value.diagnostics
    assert error.code == "E652"
    assert help is None or error.help == help
