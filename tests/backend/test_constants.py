"""Constants of a built network: where they are stored, and how `index` reads them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

import cnngraph
from cnngraph.backend import lower, model_source, save_weights
from tests.backend.support import built, graph_of, inputs_of

NETWORK = """
    input: [4, 3, 3]
    nodes:
      attn:
        nodes:
          order: {op: constant, value: "[3 - $k for $k in range(4)]", dtype: int64, persistent: true}
          table: {op: parameter, shape: [5, 1], init: {normal: {std: 1}}}
          offsets: {op: constant, value: "[[abs($a - $b) for $a in range(4)] for $b in range(4)]", dtype: int64}
          bias: {op: index, from: [table, offsets], dim: 1}
          matrix: {op: reshape, shape: [4, 4]}
          columns: {op: flatten, from: in, start_dim: 2}
          reversed: {op: index, from: [columns, order]}
          mixed: {op: matmul, from: [matrix, reversed]}
      factor: {op: constant, value: 0.5, persistent: true}
      mul: {op: mul, from: [attn, factor]}
    """


def expected(x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    distances = torch.arange(4)[:, None] - torch.arange(4)
    return 0.5 * (table[:, 0][distances.abs()] @ x.flatten(2).flip(1))


def test_a_persistent_constant_has_a_key_and_a_type() -> None:
    graph = graph_of(NETWORK)
    model = lower(graph)
    state = model.state_dict()
    assert list(state) == ["factor", "attn.table", "attn.order"] == list(graph.state)
    assert torch.equal(state["attn.order"], torch.tensor([3, 2, 1, 0]))
    assert graph.num_params == 5 == sum(parameter.numel() for parameter in model.parameters())
    halved = copy.deepcopy(model).half()
    assert halved.state_dict()["attn.order"].dtype == torch.int64
    assert halved.state_dict()["factor"].dtype == torch.float16


def test_constants_are_read_as_indices() -> None:
    graph = graph_of(NETWORK)
    model = lower(graph)
    (x,) = inputs_of(graph)
    wanted = expected(x, model.get_parameter("attn.table"))
    torch.testing.assert_close(model(x), wanted)
    namespace: dict[str, Any] = {"__name__": "network"}
    exec(compile(model_source(graph), "network", "exec"), namespace)
    twin = namespace[type(model).__name__]()
    assert list(twin.state_dict()) == list(model.state_dict())
    twin.load_state_dict(model.state_dict())
    torch.testing.assert_close(twin(x), wanted)


def test_loaded_weights_replace_persistent_constants(tmp_path: Path) -> None:
    graph = graph_of(NETWORK)
    model, other = lower(graph), lower(graph)
    other.load_state_dict({**other.state_dict(), "attn.order": torch.arange(4)})
    save_weights(other, tmp_path / "w.safetensors")
    cnngraph.load_weights(model, tmp_path / "w.safetensors", strict=True)
    assert model.state_dict()["attn.order"].tolist() == [0, 1, 2, 3]


def test_a_shared_scope_shares_its_constants() -> None:
    model = built("""
        input: [2, 3, 3]
        nodes:
          a: {nodes: {c: {op: constant, value: [1, 2], axes: C, persistent: true}, m: {op: mul, from: [in, c]}}}
          b: {share: a}
        """)
    assert list(model.state_dict()) == ["a.c"]
    x = torch.randn(2, 2, 3, 3)
    torch.testing.assert_close(model(x), x * torch.tensor([1.0, 4.0]).view(2, 1, 1))


@pytest.mark.parametrize(
    ("nodes", "code", "message"),
    [
        ("{op: index, from: [in, many]}", "E205", "there is no entry 4: the axis has size 4"),
        ("{op: index, from: [in, few], index: 0}", "E205", "either the parameter `index` or a second input"),
        ("{op: index, from: in}", "E205", "either the parameter `index` or a second input"),
        ("{op: index, from: [in, number]}", "E212", "the second input of `index` must have integers"),
        ("{op: index, from: [few, few]}", "E212", "its first input has integers"),
        ("{op: mul, from: [in, few]}", "E212", "`mul` cannot read integers"),
        ("{op: constant, value: [0, 0.5], dtype: int64}", "E205", "must be integers, got `0.5`"),
    ],
)
def test_wrong_indices_are_refused(nodes: str, code: str, message: str, tmp_path: Path) -> None:
    constants = "\n".join(
        f"  {name}: {{op: constant, value: {value}, unused: true, dtype: {kind}}}"
        for name, value, kind in (("many", [0, 4], "int64"), ("few", [1, -4], "int64"), ("number", [1], "float"))
    )
    path = tmp_path / "net.yaml"
    path.write_text(
        f"cnngraph: 1\ninput: [4, 3, 3]\nnodes:\n{constants}\n  out: {nodes}\n".replace(", unused: true", "")
    )
    with pytest.raises(cnngraph.SpecError) as caught:
        cnngraph.load(path)
    assert any(found.code == code and message in found.message for found in caught.value.diagnostics)
