"""Generated forwards compute what a plain interpreter of the graph computes."""

from __future__ import annotations

import copy

import pytest
import torch

import cnngraph
from cnngraph.backend import lower, model_source
from tests.backend.support import as_list, built, graph_of, inputs_of, interpret
from tests.library import NETWORKS, network

SMALL = [
    path
    for path in NETWORKS
    if path.stem.startswith(("googlenet_mnist", "residual_mnist", "cifar2", "resnet_cifar_222"))
    and path.stem != "cifar2_deep_100"
]


def test_node_names_shadow_nothing() -> None:
    graph = graph_of("""
        nodes:
          torch: {op: conv, out: 4, kernel: 1}
          F: {op: conv, from: in, out: 4, kernel: 1}
          x: {op: conv, from: in, out: 4, kernel: 1}
          max: {op: conv, from: in, out: 4, kernel: 1}
          Tensor: {op: pad, from: in, padding: 0}
          cat: {op: concat, from: [torch, F, x, max, Tensor, in]}
        """)
    model = lower(graph)
    (image,) = inputs_of(graph)
    assert torch.equal(model(image), interpret(graph, model, [image])["output"])


def compare_with_interpreter(graph: cnngraph.Graph) -> None:
    model = lower(graph)
    assert list(graph.state.items()) == [(key, tuple(tensor.shape)) for key, tensor in model.state_dict().items()]
    for training in (True, False):
        model.train(training)
        inputs = inputs_of(graph)
        torch.manual_seed(1)
        expected = interpret(graph, copy.deepcopy(model), [tensor.clone() for tensor in inputs])
        torch.manual_seed(1)
        found = [tensor for tensor in as_list(copy.deepcopy(model)(*inputs)) if tensor is not None]
        assert len(found) == len(expected)
        for one, other in zip(found, expected.values(), strict=True):
            assert torch.equal(one, other)
    loss = sum(
        output.sum()
        for output in as_list(model(*[tensor.requires_grad_() * 1 for tensor in inputs]))
        if output is not None
    )
    loss.backward()  # fails if an activation overwrote a tensor that the backward pass needs


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_small_networks_compute_what_the_interpreter_does(path: object) -> None:
    compare_with_interpreter(cnngraph.load(str(path)))


def test_a_large_network_computes_what_the_interpreter_does() -> None:
    compare_with_interpreter(cnngraph.load(network("resnet_cifar"), depth=26, bn="before", relu="before"))


def test_a_long_dense_block_extends_the_previous_concatenation() -> None:
    graph = graph_of("nodes: {dense: {repeat: 300, op: conv, out: 1, kernel: 1, carry: concat}, pool: global_avg_pool}")
    model, images = lower(graph).eval(), inputs_of(graph)
    expected = interpret(graph, model, images)["output"]
    assert torch.equal(model(*images), expected)
    last = model_source(graph).rpartition("torch.cat((")[2].partition(")")[0]
    assert last.count(",") == 1, "it must extend the previous concatenation by one tensor"


@pytest.mark.parametrize(
    "nodes",
    [
        "[{nodes: {n: batch_norm}, unused: true}, {op: mean, when: false, from: in}]",
        "[{op: batch_norm, unused: true}, {op: relu, when: false, from: in}]",
    ],
)
def test_a_network_of_unused_nodes_runs_nothing(nodes: str) -> None:
    """Unused nodes are built for their keys and not run, even if no other node is left."""
    model = built(f"nodes: {nodes}")
    images = torch.rand(1, 4, 1, 1)
    assert torch.equal(model.train()(images), images)  # batch norm would reject a single value
    assert all(not tensor for key, tensor in model.state_dict().items() if key.endswith("num_batches_tracked"))


def test_the_maximum_of_hundreds_of_tensors() -> None:
    """As a tree of calls, because Python's parser rejects 200 nested parentheses."""
    model = built("nodes: [{op: conv, out: 600, kernel: 1}, {op: chunk, chunks: 600}, maximum]")
    images = torch.rand(2, *model.graph.input_shapes["in"])
    assert torch.equal(model(images), model[0](images).amax(1, keepdim=True))
