"""`model_source`: a self-contained Python file that builds the same network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch

import cnngraph
from cnngraph.backend import lower, model_source, save_weights
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.ops.op import Layer, Op, layer
from cnngraph.ops.registry import Registry
from cnngraph.tensor_type import TensorType
from tests.backend.support import graph_of, inputs_of
from tests.backend.test_modules import EVERYTHING
from tests.library import CHOSEN, NETWORKS, ROOT, network

RUFF = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
INITIALISED = """
    nodes:
      stem: {op: conv, out: 8, kernel: 3}
      a: {op: conv, out: 8, kernel: 1, bias: false}
      bn: batch_norm
      stage: {nodes: [{op: conv, out: 8, kernel: 1}, {op: conv, out: 8, kernel: 1}, {op: drop_path, p: 0.1}]}
      scaled: {op: parameter, shape: [8, 1, 1], init: {normal: {std: 0.1}}}
      mul: {op: mul, from: [stage, scaled]}
      gate: {op: gate, mode: exclusive, bias: -6, from: [mul, bn]}
      pool: global_avg_pool
      fc: {op: linear, out: 3}
    init:
      - {match: conv, weight: {kaiming_normal: {mode: fan_out, nonlinearity: relu}}, bias: 0}
      - {match: batch_norm, weight: 0.5, bias: 0}
      - {match: "stage.*", weight: {trunc_normal: {std: 0.02}}}
      - {match: fc, weight: {normal: {std: 0.01}}, bias: 1}
    """
HYPHENS = """
    blocks:
      unit:
        params: {out: }
        nodes:
          scale-to: {op: parameter, shape: [$out, 1, 1]}
          conv-by: {op: conv, from: in, out: $out, kernel: 1}
          mul: {op: mul, from: [conv-by, scale-to]}
    nodes: {block1: {repeat: 2, name: block1-0, op: unit, out: 4 + $i}}
    """
NESTED = """
    blocks:
      unit:
        params: {out: 4}
        nodes:
          conv: {op: conv, out: $out, kernel: 3, padding: half}
          halves: {op: chunk, chunks: 2}
          gamma: {op: parameter, shape: [4, 1, 1], init: 0.5}
          scaled: {op: mul, from: [in, gamma]}
          concat: {op: concat, from: [halves.1, scaled, halves.0]}
    nodes:
      stem.0: {op: conv, out: 4, kernel: 1}
      stem.1: batch_norm
      dense: {repeat: 2, op: conv, out: 2, kernel: 1, carry: concat}
      body:
        nodes:
          narrow: {op: conv, out: 4, kernel: 1}
          a: unit
          b: {op: conv, out: 4, kernel: 1}
          tap: {op: add, from: [b, a.scaled]}
      old: {op: conv, out: 2, kernel: 1, unused: true}
      again: {share: stem.0, from: body.tap}
      add: {op: add, from: [again, stem.1]}
    outputs: {aux: body.tap, end: add}
    training_only: [aux]
    """
TABLES = """
    input: [64, 1, 1]
    blocks:
      shift:
        params: {by: }
        nodes:
          by: {op: constant, value: $by, axes: C}
          sum: {op: add, from: [in, by]}
    nodes:
      f: {op: constant, value: "[$k for $k in range(64)]", axes: C}
      mul: {op: mul, from: [in, f]}
      a: {op: shift, by: "[$k for $k in range(64)]"}
      b: {op: shift, by: "[$k / 7 - 3 for $k in range(64)]"}
      c: {op: shift, by: "[$k for $k in range(64)]"}
      short: {op: shift, by: [2]}
      names: {op: constant, value: "[[max($a - $b, 0) for $a in range(64)] for $b in range(3)]", dtype: int64}
      chosen: {op: index, from: [short, names]}
    """
GRAPHS = {
    "everything": graph_of(EVERYTHING),
    "initialised": graph_of(INITIALISED),
    "hyphens": graph_of(HYPHENS),
    "googlenet_mnist": cnngraph.load(network("googlenet_mnist")),
    "resnet_cifar": cnngraph.load(network("resnet_cifar"), depth=8, join="exclusive_gating"),
    "nested": graph_of(NESTED),
    "tables": graph_of(TABLES),
}
SCRIPT = """
import runpy, sys
sys.modules["cnngraph"] = None  # it must do without
import torch
from safetensors.torch import load_file
for name in sys.argv[2:]:
    scope = runpy.run_path(f"{sys.argv[1]}/{name}.py")
    torch.manual_seed(7)
    model = [value for value in scope.values() if isinstance(value, type) and issubclass(value, torch.nn.Module)][-1]()
    fresh = load_file(f"{sys.argv[1]}/{name}.safetensors")
    state = model.state_dict()
    assert sorted(state) == sorted(fresh)
    for key, wanted in fresh.items():
        assert torch.equal(state[key], wanted), key
    inputs, keys, outputs = torch.load(f"{sys.argv[1]}/{name}.pth")
    assert list(state) == keys
    for training, wanted in zip((True, False), outputs):
        torch.manual_seed(8)
        found = model.train(training)(*inputs)
        found = list(found) if isinstance(found, tuple) else [found]
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other)
"""


def test_the_file_builds_the_same_network_without_cnngraph(tmp_path: Path) -> None:
    for name, graph in GRAPHS.items():
        (tmp_path / f"{name}.py").write_text(model_source(graph), encoding="utf-8")
        torch.manual_seed(7)
        model = lower(graph)
        save_weights(model, tmp_path / f"{name}.safetensors")
        outputs = []
        for training in (True, False):
            torch.manual_seed(8)
            result = model.train(training)(*inputs_of(graph))
            outputs.append(list(result) if isinstance(result, tuple) else [result])
        torch.save((inputs_of(graph), list(model.state_dict()), outputs), tmp_path / f"{name}.pth")
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), *GRAPHS], check=True)


def test_long_lists_of_numbers_are_written_once_and_in_rows() -> None:
    source = model_source(GRAPHS["tables"])
    tables = source[source.index("# fmt: off") : source.index("# fmt: on")]
    assert [line for line in tables.splitlines() if line.endswith(" = (")] == ["F_2 = (", "B = (", "NAMES = ("]
    assert "value: tuple[float, ...]" in source
    assert source.count("62.0, 63.0,") == 1
    assert len(tables.splitlines()) < 50


def test_the_file_can_be_run(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(model_source(GRAPHS["googlenet_mnist"]), encoding="utf-8")
    done = subprocess.run([sys.executable, str(file)], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("GooglenetMnist(")
    assert done.stdout.endswith(f"{GRAPHS['googlenet_mnist'].num_params:,} parameters\n")


@pytest.mark.parametrize("paths", [CHOSEN, pytest.param(NETWORKS, marks=pytest.mark.zoo)], ids=["some", "all"])
def test_the_source_is_formatted(tmp_path: Path, paths: list[Path]) -> None:
    graphs = GRAPHS | {path.stem: cnngraph.load(path) for path in paths}
    for name, graph in graphs.items():
        (tmp_path / f"{name}.py").write_text(model_source(graph), encoding="utf-8")
    subprocess.run([RUFF, "format", "--isolated", "--check", str(tmp_path)], check=True)
    subprocess.run([RUFF, "check", "--isolated", "--extend-select", "I,UP,B", str(tmp_path)], check=True)


def test_differences_between_uses_are_arguments_of_the_class() -> None:
    source = model_source(GRAPHS["googlenet_mnist"])
    assert source.count("class Inception(") == 1
    assert "    def __init__(self, in_channels: int) -> None:" in source
    assert "self.inception1 = Inception(10)" in source
    assert "self.inception2 = Inception(20)" in source
    assert "self.conv1 = nn.Conv2d(1, 10, kernel_size=5)" in source


def test_a_use_with_another_forward_is_another_class() -> None:
    source = model_source(cnngraph.load(network("resnet_cifar_222")))
    assert "self.layer2 = nn.Sequential(BasicWithDownsample(16, 32), Basic(32))" in source


def test_many_equal_modules_are_a_loop() -> None:
    assert "*(Unit(16) for _ in range(5))" in model_source(cnngraph.load(network("resnet_cifar"), depth=32))


def test_init_rules_are_a_function() -> None:
    assert """
def init_weights(model: nn.Module) -> None:
    \"\"\"Initialise the weights.\"\"\"
    for name, module in model.named_modules():
        if name == "fc":
            nn.init.normal_(module.weight, std=0.01)
            nn.init.ones_(module.bias)
        elif re.fullmatch(r"stage\\.[^.]*", name):
            if getattr(module, "weight", None) is not None:
                nn.init.trunc_normal_(module.weight, std=0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 0.5)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
""" in model_source(GRAPHS["initialised"])


LONG = "the_linear_layer_which_gives_a_score_for_each_class"


@pytest.mark.parametrize(
    ("match", "asked"),
    [
        ("linear", "isinstance(module, nn.Linear | nn.Conv2d):"),
        ("fc", 'name == "fc" or isinstance(module, nn.Conv2d):'),
        (LONG, f'(\n            name == "{LONG}"\n            or isinstance(module, nn.Conv2d)\n        ):'),
    ],
)
def test_equal_init_rules_are_merged(match: str, asked: str) -> None:
    name = "fc" if match == "linear" else match
    graph = graph_of(
        f"""
        nodes: {{conv: {{op: conv, out: 4, kernel: 1}}, pool: global_avg_pool, {name}: {{op: linear, out: 3}}}}
        init: [{{match: conv, bias: 0}}, {{match: {match}, bias: 0}}]
        """
    )
    assert f"        if {asked}\n            nn.init.zeros_(module.bias)\n" in model_source(graph)


def test_a_hyphen_in_a_pattern_is_escaped_once() -> None:
    graph = graph_of(
        """
        nodes: {a-1: [{op: conv, out: 4, kernel: 1}, relu], b-1: [{op: conv, out: 4, kernel: 1}]}
        init: [{match: "a-1.*", bias: 0}]
        """
    )
    assert 're.fullmatch(r"a\\-1\\.[^.]*", name)' in model_source(graph)


@pytest.mark.parametrize(
    "name", ["", '"""', "a\\", "import os", "class", "3d", "F", "Any", "DropPath", "é×\u2028", "\x00"]
)
def test_name_and_description_cannot_inject_code(name: str) -> None:
    graph = graph_of(
        "nodes: {conv: {op: conv, out: 4, kernel: 1}, drop: {op: drop_path, p: 0.1}, pad: {op: pad, padding: 1}}"
    )
    odd = replace(graph, name=name, about=f'{name}"""\nraise SystemExit(1)\n"""\\')
    scope: dict[str, object] = {"__name__": "generated"}
    exec(compile(model_source(odd), "model.py", "exec"), scope)
    lower(odd)(torch.zeros(1, 4, 6, 6))


def test_a_block_may_have_the_name_of_the_network() -> None:
    source = model_source(
        graph_of("""
        blocks: {test_net: {nodes: {conv: {op: conv, out: 4, kernel: 1}, add: {op: add, from: [conv, in]}}}}
        nodes: {a: test_net, b: test_net}
        """)
    )
    assert "self.a = TestNetBlock()" in source
    assert "    model = TestNet()" in source


@dataclass(frozen=True)
class Squash(Op):
    """An op of a plugin, whose layer is a class that the file imports."""

    name: ClassVar[str] = "squash"
    kind: ClassVar[str] = "activation"

    def layer(self, *inputs: TensorType) -> Layer:
        return layer("torch.nn.modules.activation.Hardtanh", min_val=-2.0)


def test_layers_of_a_plugin_are_imported() -> None:
    text = "cnngraph: 1\nname: plugged\ninput: [4, 6, 6]\nnodes: {conv: {op: conv, out: 4, kernel: 1}, end: squash}\n"
    compilation = compile_text(Source("plugged.yaml", text), ROOT, registry=Registry({"squash": Squash}))
    assert compilation.graph is not None
    source = model_source(compilation.graph)
    assert "from torch.nn.modules.activation import Hardtanh\n" in source
    assert "self.end = Hardtanh(min_val=-2.0)" in source
    assert str(lower(compilation.graph)).endswith("(end): Hardtanh(min_val=-2.0, max_val=1.0)\n)")
