"""Pairs of an old and a new network: what the plan says, compared with both networks run in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import cnngraph
from cnngraph.migration import Options, plan

HEAD = "cnngraph: 1\ninput: [3, 16, 16]\nparams: {classes: 10, width: 8}\n"
RESIDUAL = """\
nodes:
  conv1: {op: conv, out: $width, kernel: 3, padding: half, bias: false}
  bn1: batch_norm
  relu: relu
  layer1:
    repeat: 2
    nodes:
      conv1: {op: conv, out: $width, kernel: 3, padding: half, bias: false}
      bn1: batch_norm
      relu1: relu
      conv2: {op: conv, out: $width, kernel: 3, padding: half, bias: false}
      bn2: batch_norm
      sum: {op: add, from: [bn2, in]}
      relu2: relu
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""
GATE = """\
      bn2: batch_norm
      se:
        nodes:
          pool: global_avg_pool
          fc1: {op: linear, out: 4}
          act: relu
          fc2: {op: linear, out: $width}
          gate: sigmoid
          map: {op: reshape, shape: [$width, 1, 1], axes: CHW}
          out: {op: mul, from: [in, map]}
      sum: {op: add, from: [se, in]}
"""
SCALED = """\
      bn2: batch_norm
      sum1: {op: add, from: [bn2, in]}
      conv3: {op: conv, out: $width, kernel: 1}
      gamma: {op: parameter, shape: [$width, 1, 1], init: 0.1}
      scaled: {op: mul, from: [conv3, gamma]}
      sum: {op: add, from: [scaled, sum1]}
"""
MIXED = """\
nodes:
  conv1: {op: conv, out: $width, kernel: 3, padding: half, bias: false}
  bn1: batch_norm
  relu: relu
  depthwise: {op: conv, out: $width, kernel: 3, groups: $width, padding: half, bias: false}
  bn2: batch_norm
  act: silu
  conv2: {op: conv, out: 16, kernel: 1, bias: false}
  bn3: batch_norm
  cat: {op: concat, from: [bn3, act]}
  conv3: {op: conv, out: 4, kernel: 3, stride: 2}
  flat: flatten
  fc: {op: linear, out: $classes}
"""
FOLDED = (
    MIXED.replace(", bias: false", "")
    .replace("  bn1: batch_norm\n", "")
    .replace("  bn2: batch_norm\n", "")
    .replace("  bn3: batch_norm\n", "")
    .replace("bn3, act", "conv2, act")
)
PLAIN = """\
nodes:
  features:
    nodes:
    - {op: conv, out: 8, kernel: 3}
    - relu
    - {op: conv, out: 16, kernel: 3}
    - relu
    - {op: conv, out: 32, kernel: 3}
    - relu
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""
TOKENS = """\
nodes:
  patch: {op: conv, out: 8, kernel: 4, stride: 4}
  position: {op: parameter, shape: [8, 4, 4], init: {normal: {std: 1}}}
  sum: {op: add, from: [patch, position]}
  norm: layer_norm
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""


def with_norms(text: str) -> str:
    for number in (1, 2, 3):
        text = text.replace("    - relu\n", f"    - batch_norm # {number}\n    - RELU\n", 1)
    return text.replace("RELU", "relu")


@dataclass(frozen=True)
class Pair:
    """The old and the new spec, and what is expected: counts, and the part of the output that is preserved."""

    old: str
    new: str
    counts: dict[str, int]
    options: dict[str, Any] = field(default_factory=dict)
    inputs: Callable[[Tensor], Tensor] | None = None  # from the input of the new network to that of the old one
    images: tuple[int, ...] = (3, 16, 16)
    outputs: tuple[int, ...] | None = None  # of the old network
    head: str = HEAD
    preserved: bool = True


PAIRS = {
    "same": Pair(RESIDUAL, RESIDUAL, {"copied": 32}),
    "renamed": Pair(
        RESIDUAL,
        RESIDUAL.replace("layer1:", "stage:").replace("conv1:", "first:").replace("bn1", "norm"),
        {"copied": 2, "renamed": 30},
    ),
    "classes kept": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 30, "adapted": 2},
        {"classes": (1, 5, 9)},
        outputs=(1, 5, 9),
        head=HEAD.replace("classes: 10", "classes: 3"),
    ),
    "grey": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 31, "adapted": 1},
        inputs=lambda image: image.expand(-1, 3, -1, -1),
        images=(1, 16, 16),
        head=HEAD.replace("[3,", "[1,"),
    ),
    "nine channels": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 31, "adapted": 1},
        {"input_channels": "sum"},
        inputs=lambda image: image[:, :3],
        images=(9, 16, 16),
        head=HEAD.replace("[3,", "[9,"),
    ),
    "larger kernel": Pair(
        RESIDUAL, RESIDUAL.replace("kernel: 3", "kernel: 5", 1), {"copied": 31, "adapted": 1}
    ),
    "gates": Pair(
        RESIDUAL,
        RESIDUAL.replace(GATE[:22], "").replace("      sum: {op: add, from: [bn2, in]}\n", GATE),
        {"copied": 28, "adapted": 4, "fresh": 8},
    ),
    "gates of hardsigmoid": Pair(
        RESIDUAL,
        RESIDUAL.replace(GATE[:22], "")
        .replace("      sum: {op: add, from: [bn2, in]}\n", GATE)
        .replace("sigmoid", "hardsigmoid"),
        {"copied": 28, "adapted": 4, "fresh": 8},
    ),
    "a branch with LayerScale": Pair(
        RESIDUAL,
        RESIDUAL.replace(SCALED[:22], "").replace("      sum: {op: add, from: [bn2, in]}\n", SCALED),
        {"copied": 32, "fresh": 6},
    ),
    "a layer in a residual branch": Pair(
        RESIDUAL,
        RESIDUAL.replace("[bn2, in]", "[extra, in]").replace(
            "      sum:", "      extra: {op: conv, out: $width, kernel: 3, padding: half}\n      sum:"
        ),
        {"copied": 32, "fresh": 4},
    ),
    "deeper": Pair(RESIDUAL, RESIDUAL.replace("repeat: 2", "repeat: 4"), {"copied": 32, "fresh": 24}),
    "inserted in a sequence": Pair(
        PLAIN,
        PLAIN.replace(
            "    - {op: conv, out: 16",
            "    - {op: conv, out: 8, kernel: 3, padding: half}\n    - relu\n    - {op: conv, out: 16",
        ),
        {"copied": 4, "renamed": 4, "fresh": 2},
    ),
    "norms added everywhere": Pair(PLAIN, with_norms(PLAIN), {"copied": 4, "renamed": 4, "fresh": 15}),
    "wider": Pair(RESIDUAL, RESIDUAL, {"copied": 6, "adapted": 26}, head=HEAD.replace("width: 8", "width: 12")),
    "wider, depthwise and concatenated": Pair(
        MIXED, MIXED, {"copied": 10, "adapted": 12}, head=HEAD.replace("width: 8", "width: 20")
    ),
    "wider before flatten": Pair(MIXED, MIXED.replace("out: 4,", "out: 9,"), {"copied": 19, "adapted": 3}),
    "norms folded": Pair(MIXED, FOLDED, {"copied": 4, "adapted": 6, "dropped": 3}),
    "norms unfolded": Pair(FOLDED, MIXED, {"copied": 7, "renamed": 3, "fresh": 12}),
    "classes": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 30, "fresh": 2, "dropped": 2},
        head=HEAD.replace("classes: 10", "classes: 3"),
        preserved=False,
    ),
    "narrower": Pair(
        RESIDUAL, RESIDUAL, {"copied": 6, "adapted": 26}, head=HEAD.replace("width: 8", "width: 5"), preserved=False
    ),
    "another activation": Pair(PLAIN, PLAIN.replace("relu", "silu"), {"copied": 8}, preserved=False),
    "smaller kernel": Pair(
        RESIDUAL, RESIDUAL.replace("kernel: 3", "kernel: 1", 1), {"copied": 31, "adapted": 1}, preserved=False
    ),
    "cycled channels": Pair(
        RESIDUAL,
        RESIDUAL,
        {"copied": 31, "adapted": 1},
        images=(4, 16, 16),
        head=HEAD.replace("[3,", "[4,"),
        preserved=False,
    ),
    "positions": Pair(
        TOKENS,
        TOKENS.replace("4, 4]", "8, 8]"),
        {"copied": 6, "adapted": 1},
        images=(3, 32, 32),
        head=HEAD.replace("16, 16", "32, 32"),
        preserved=False,
    ),
}  # fmt: skip


def randomized(model: nn.Module) -> nn.Module:
    """The model with weights and statistics as after training, in eval mode."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            fan_in = max(1, tensor[0].numel()) if tensor.dim() > 1 else 1
            tensor.copy_(noise.abs() + 0.5 if key.endswith("var") else noise * (1.5 / fan_in**0.5))
    return model.eval()


@pytest.fixture
def migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Pair], tuple[nn.Module, nn.Module, Any]]:
    """A function that writes the specs and weights of a pair, and migrates: the old and the new model, the result."""
    monkeypatch.chdir(tmp_path)

    def run(pair: Pair) -> tuple[nn.Module, nn.Module, Any]:
        Path("old.yaml").write_text(HEAD + pair.old)
        Path("new.yaml").write_text(pair.head + pair.new)
        old = randomized(cnngraph.build("old.yaml"))
        save_file(old.state_dict(), "old.safetensors")
        result = cnngraph.migrate("old.yaml", "new.yaml", "old.safetensors", **pair.options)
        new = cnngraph.build("new.yaml")
        new.load_state_dict(result.state)
        return old, new.eval(), result

    return run


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_said_to_be_preserved_is(name: str, migrated: Callable[[Pair], tuple[Any, Any, Any]]) -> None:
    pair = PAIRS[name]
    old, new, result = migrated(pair)
    assert {kind: number for kind, number in result.plan.counts.items() if number} == pair.counts
    assert result.preserved == pair.preserved
    (claim,) = result.plan.claims
    if not pair.preserved:
        assert "because" in claim.reason
        return
    images = torch.randn(4, *pair.images)
    if pair.inputs is not None:
        images = images.mean(1, keepdim=True).expand_as(images)
    expected = old(pair.inputs(images) if pair.inputs else images)
    if pair.outputs is not None:
        expected = expected[:, list(pair.outputs)]
    torch.testing.assert_close(new(images), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert result.differences["output"] <= 1e-4 * float(expected.abs().max())
    assert float(expected.std()) > 0.01  # the outputs are not all the same


@pytest.mark.parametrize("name", ["gates", "deeper", "a branch with LayerScale", "wider"])
def test_the_new_weights_can_learn(name: str, migrated: Callable[[Pair], tuple[Any, Any, Any]]) -> None:
    """Nothing is stuck: what starts at zero has a gradient, and copies of a channel have different ones."""
    _, new, result = migrated(PAIRS[name])
    new(torch.randn(4, 3, 16, 16)).square().sum().backward()
    state = dict(new.named_parameters())
    zero = [tensor.key for tensor in result.plan.tensors if tensor.initial is not None and tensor.key in state]
    assert all(state[key].grad.abs().max() > 1e-5 for key in zero)
    if name == "wider":
        gradient = state["layer1.0.conv1.weight"].grad
        assert not torch.allclose(gradient[0], gradient[8], rtol=1e-3)


def test_equal_candidates_are_not_guessed(migrated: Callable[[Pair], tuple[Any, Any, Any]]) -> None:
    text = """\
nodes:
  a: {op: conv, from: in, out: 4, kernel: 1}
  b: {op: conv, from: in, out: 4, kernel: 1}
  sum: {op: add, from: [a, b]}
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""
    new = text.replace("a:", "x:").replace("b:", "y:").replace("[a, b]", "[x, y]")
    _, _, result = migrated(Pair(text, new, {}))
    notes = {tensor.key: tensor.note for tensor in result.plan.tensors if tensor.kind == "fresh"}
    assert notes == dict.fromkeys(
        ["x.weight", "x.bias", "y.weight", "y.bias"], "initialised as usual: 2 old modules fit equally well"
    )


def test_a_gate_without_a_layer_before_it_is_nearly_open(migrated: Callable[[Pair], tuple[Any, Any, Any]]) -> None:
    new = RESIDUAL.replace(
        "  pool: global_avg_pool\n",
        """\
  squeeze: [global_avg_pool, {op: linear, out: $width}, sigmoid, {op: reshape, shape: [$width, 1, 1], axes: CHW}]
  gated: {op: mul, from: [layer1, squeeze]}
  pool: global_avg_pool
""",
    )
    old, model, result = migrated(Pair(RESIDUAL, new, {}))
    (claim,) = result.plan.claims
    assert (claim.preserved, claim.nearly, result.preserved) == (True, True, False)
    images = torch.randn(4, 3, 16, 16)
    features = old(images) - old.fc.bias
    torch.testing.assert_close(model(images) - model.fc.bias, 0.9975273768 * features, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": (0, 77, 1)}, r"class 77 is chosen, but `fc` of `old` has classes 0 to 9"),
        ({"classes": (0, 1)}, r"2 classes are chosen, but `fc` has 3 outputs"),
    ],
)
def test_impossible_classes(
    options: dict[str, Any], message: str, migrated: Callable[[Pair], tuple[Any, Any, Any]]
) -> None:
    with pytest.raises(cnngraph.SpecError, match=f"E707.*{message}"):
        migrated(Pair(RESIDUAL, RESIDUAL, {}, options, head=HEAD.replace("classes: 10", "classes: 3")))


def test_chosen_modules_are_fresh(migrated: Callable[[Pair], tuple[Any, Any, Any]]) -> None:
    _, _, result = migrated(Pair(RESIDUAL, RESIDUAL, {}, {"fresh": ("fc", "layer1.*.bn2")}))
    fresh = {tensor.key.rpartition(".")[0] for tensor in result.plan.tensors if tensor.kind == "fresh"}
    assert fresh == {"fc", "layer1.0.bn2", "layer1.1.bn2"}


@pytest.mark.parametrize(
    ("old", "new", "preserved"),
    [
        ("resnet18", "resnet34", True),
        ("resnet50", "wide_resnet50_2", True),
        ("vgg11", "vgg11_bn", True),
        ("convnext_tiny", "convnext_small", True),
        ("densenet121", "densenet121", True),
        ("densenet121", "densenet169", False),
    ],
)
def test_plans_for_bundled_networks(old: str, new: str, preserved: bool) -> None:
    found = plan(cnngraph.load(old), cnngraph.load(new), Options())
    assert [tensor.key for tensor in found.tensors] == list(cnngraph.load(new).state)
    assert all(claim.preserved == preserved for claim in found.claims)
    sources = {tensor.source for tensor in found.tensors} - {None}
    assert sources | {item.key for item in found.dropped} == set(cnngraph.load(old).state)
