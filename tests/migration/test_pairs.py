"""Pairs of an old and a new network: what the plan says, compared with both networks run in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import cnngraph
from cnngraph.migration import Options, plan
from tests.migration.pairs import HEAD, PAIRS, RESIDUAL, Pair


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


def test_another_norm_keeps_scale_and_bias(migrated: Callable[[Pair], tuple[Any, Any, Any]]) -> None:
    old, new, result = migrated(PAIRS["group norms"])
    theirs, ours = old.state_dict(), new.state_dict()
    for key in ("bn1.weight", "bn1.bias", "layer1.1.bn2.weight", "layer1.1.bn2.bias"):
        assert torch.equal(ours[key], theirs[key])
    (claim,) = result.plan.claims
    assert "function not preserved, because bn1 is group_norm instead of batch_norm" in str(claim)
    notes = {item.key: item.note for item in result.plan.dropped}
    assert notes["bn1.running_mean"] == "group_norm has none"
    _, _, back = migrated(PAIRS["batch norms instead of layer norms"])
    state = back.state
    assert float(state["bn1.running_mean"].abs().max()) == 0
    assert bool((state["bn1.running_var"] == 1).all())


def test_a_new_layer_is_not_taken_for_a_removed_one_elsewhere(
    migrated: Callable[[Pair], tuple[Any, Any, Any]],
) -> None:
    """A larger classifier is not the hidden layer of a new head, and a branch at another place is new."""
    head = RESIDUAL.replace("  fc: {", "  hidden: {op: linear, out: 20}\n  act: relu\n  last: {")
    _, _, result = migrated(Pair(RESIDUAL, head, {}))
    kinds = {tensor.key: tensor.kind for tensor in result.plan.tensors}
    assert {kinds["hidden.weight"], kinds["last.weight"]} == {"fresh"}
    assert [item.key for item in result.plan.dropped] == ["fc.weight", "fc.bias"]


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
