"""A built network behaves like a handwritten one: printing, pickling, copying, moving, hooks, export, compile."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import cnngraph
from cnngraph.backend import lower
from tests.backend.support import as_list, built, graph_of, inputs_of
from tests.library import ROOT, network

# A tap, a list, a container, a free parameter, sharing, numbered scopes and an auxiliary output.
EVERYTHING = """
    nodes:
      stem.0: {op: conv, out: 4, kernel: 3, padding: half}
      stage:
        nodes:
          left: [{op: conv, out: 4, kernel: 1}, batch_norm, relu]
          halves: {op: chunk, chunks: 2}
          gamma: {op: parameter, shape: [2, 1, 1], init: 0.5}
          scaled: {op: mul, from: [halves.0, gamma]}
          cat: {op: concat, from: [scaled, halves.1]}
          sum: {op: add, from: [cat, left]}
      squeeze: {op: conv, out: 4, kernel: 1}
      again: {share: squeeze, from: stage.left.1}
      add: {op: add, from: [squeeze, again]}
      act: relu
      head: [global_avg_pool, {op: linear, out: 3}]
      aux: {from: stage.scaled, nodes: [global_avg_pool, {op: linear, out: 3}]}
    outputs: {logits: head, aux: aux}
    training_only: [aux]
    """


@pytest.fixture(scope="module")
def graph() -> cnngraph.Graph:
    return graph_of(EVERYTHING)


@pytest.fixture
def model(graph: cnngraph.Graph) -> Any:
    torch.manual_seed(0)
    return lower(graph)


def assert_same(one: object, other: object) -> None:
    for mine, theirs in zip(as_list(one), as_list(other), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_keys_and_shapes_are_those_of_the_graph(graph: cnngraph.Graph, model: Any) -> None:
    assert list(graph.state.items()) == [(key, tuple(tensor.shape)) for key, tensor in model.state_dict().items()]
    assert "stage.gamma" in graph.state
    assert not any(key.startswith("again") for key in graph.state)


def test_the_model_has_its_graph(graph: cnngraph.Graph, model: Any) -> None:
    assert model.graph is graph
    assert copy.deepcopy(model).graph is graph


def test_repr() -> None:
    text = str(cnngraph.build(network("googlenet_mnist")))
    assert text.startswith("GooglenetMnist(\n  (conv1): Conv2d(1, 10, kernel_size=(5, 5), stride=(1, 1))")
    assert "(wide): Sequential(" in text


def test_the_source_of_classes_is_available(model: Any) -> None:
    source = inspect.getsource(type(model.stage))
    assert source.startswith("class Stage(nn.Module):\n    def forward(self, x: Tensor)")
    assert inspect.getsource(type(model.stage).forward) in source


def test_hooks_are_called_for_every_module_that_runs(model: Any) -> None:
    seen: list[str] = []
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: seen.append(name))
    model(torch.randn(2, 4, 6, 6))
    containers = {"stem"}
    assert set(seen) == {name for name, _ in model.named_modules()} - containers
    assert seen.count("squeeze") == 2


def test_deepcopy(model: Any) -> None:
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.stage.gamma.fill_(7)
    assert model.stage.gamma.mean() == 0.5
    assert type(other.stage) is type(model.stage)


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_pickle(model: Any, graph: cnngraph.Graph, protocol: int) -> None:
    model.eval()
    other = pickle.loads(pickle.dumps(model, protocol))
    assert_same(other(*inputs_of(graph)), model(*inputs_of(graph)))
    assert other.graph.state == graph.state


def test_pickles_are_loaded_in_a_new_process(model: Any, graph: cnngraph.Graph, tmp_path: Path) -> None:
    inputs = inputs_of(graph)
    results = model(*inputs)
    torch.save((model, model.stage, results), tmp_path / "all.pth")
    script = f"""
import torch
model, stage, results = torch.load({str(tmp_path / "all.pth")!r}, weights_only=False)
inputs = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
again = model(inputs)
assert again._fields == results._fields == ("logits", "aux")
torch.testing.assert_close(again.logits, results.logits)
assert type(stage) is type(model.stage)
assert len(stage(model.stem[0](inputs))) == 3
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_outputs_are_a_pytree_tuple(model: Any, graph: cnngraph.Graph) -> None:
    results = model(*inputs_of(graph))
    assert results._fields == ("logits", "aux")
    leaves, spec = pytree.tree_flatten(results)
    assert len(leaves) == 2
    assert type(pytree.tree_unflatten(leaves, spec)) is type(results)
    assert type(pickle.loads(pickle.dumps(results))) is type(results)


def test_to_another_dtype_and_device(model: Any, graph: cnngraph.Graph) -> None:
    (image,) = inputs_of(graph)
    assert model.double()(image.double()).logits.dtype == torch.float64
    assert model.bfloat16()(image.bfloat16()).logits.dtype == torch.bfloat16
    assert model.half().stage.gamma.dtype == torch.float16
    assert model.to("meta")(image.half().to("meta")).logits.shape == (2, 3)
    model.to_empty(device="cpu")


def test_building_on_the_meta_device() -> None:
    with torch.device("meta"):
        model = cnngraph.build(network("cifar2_deep_10"))
    assert all(tensor.is_meta for tensor in model.state_dict().values())
    assert model(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 2)


def test_modules_are_created_in_spec_order() -> None:
    torch.manual_seed(5)
    model = built(
        """
        nodes:
          b: {op: conv, from: a, out: 2, kernel: 1}
          a: {op: conv, from: in, out: 4, kernel: 3}
          c: {op: relu, from: b}
        """
    )
    torch.manual_seed(5)
    second, first = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 4, 3)
    assert torch.equal(model.b.weight, second.weight)
    assert torch.equal(model.a.weight, first.weight)


def test_activations_are_inplace_where_nothing_else_reads_their_input() -> None:
    model = built("""
        nodes:
          conv: {op: conv, out: 4, kernel: 1}
          fine: relu
          after_relu: relu
          conv2: {op: conv, out: 4, kernel: 1}
          read_twice: relu
          conv3: {op: conv, from: conv2, out: 4, kernel: 1}
          tapped: {nodes: {conv: {op: conv, out: 4, kernel: 1}, act: relu}}
          shared: {op: conv, from: tapped.conv, out: 4, kernel: 1}
          act: relu
          again: {share: shared, from: read_twice}
          act2: relu
          end: {op: add, from: [act, act2, conv3, tapped]}
          last: relu
        """)
    flags = {name: module.inplace for name, module in model.named_modules() if isinstance(module, nn.ReLU)}
    assert [name for name, inplace in flags.items() if inplace] == ["fine", "last"]


def test_activations_on_the_input_of_a_scope_are_not_inplace() -> None:
    model = built(
        """
        nodes:
          conv: {op: conv, out: 4, kernel: 1}
          scope: [relu]
          first: {op: relu, from: in}
          end: {op: add, from: [scope, first]}
        """
    )
    assert not any(module.inplace for module in model.modules() if isinstance(module, nn.ReLU))


def test_thousands_of_layers() -> None:
    flat = "\n".join(f"          c{number}: relu" for number in range(1000))
    graph = graph_of(f"""
        blocks: {{unit: {{nodes: {{conv: {{op: conv, out: 4, kernel: 1}}, add: {{op: add, from: [conv, in]}}}}}}}}
        nodes:
          units: {{repeat: 1000, op: unit}}
{flat}
        """)
    with torch.device("meta"):
        model: Any = lower(graph)
        assert model(torch.empty(1, 4, 6, 6)).shape == (1, 4, 6, 6)
    assert len({type(unit) for unit in model.units}) == 1
    assert len(str(model)) > 10_000


def test_generated_classes_are_garbage_collected() -> None:
    model = built("nodes: {only_here: {op: conv, out: 4, kernel: 1}, add: {op: add, from: [only_here, in]}}")
    name = type(model).__module__
    assert name in sys.modules
    del model
    gc.collect()
    assert name not in sys.modules


@pytest.mark.parametrize("training", [True, False])
def test_export_with_a_dynamic_batch(model: Any, graph: cnngraph.Graph, training: bool) -> None:
    model.train(training)
    (image,) = inputs_of(graph)
    exported = torch.export.export(
        copy.deepcopy(model), (image,), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},)
    )
    more = torch.cat([image, image])
    assert_same(exported.module()(more), model(more))


@pytest.mark.parametrize("training", [True, False])
def test_symbolic_tracing(model: Any, graph: cnngraph.Graph, training: bool) -> None:
    model.train(training)
    (image,) = inputs_of(graph)
    traced: Any = torch.fx.symbolic_trace(model)
    assert_same(traced(image), model(image))


@pytest.mark.parametrize("training", [True, False])
def test_compile_without_graph_breaks(model: Any, graph: cnngraph.Graph, training: bool) -> None:
    model.train(training)
    (image,) = inputs_of(graph)
    compiled: Any = torch.compile(copy.deepcopy(model), fullgraph=True, backend="eager")
    assert_same(compiled(image), model(image))
