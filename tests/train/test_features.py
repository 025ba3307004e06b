"""Recipe options of steps, loss and weights; runs that use them are resumed exactly."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

import cnngraph
from cnngraph.lint.patterns import check_patterns
from cnngraph.recipe.clipping import Clip
from cnngraph.recipe.model import Loss
from cnngraph.recipe.optimizers import Adam, AdamW, ParameterGroup, RmsProp, Sgd
from cnngraph.recipe.schedules import Exponential, OneCycle, Plateau, Polynomial, Step, Warmup
from cnngraph.train.data.split import Split
from cnngraph.train.loop.activation_checkpointing import checkpoint_blocks
from cnngraph.train.loop.device import check_device, reproducible
from cnngraph.train.loop.objective import Objective, class_weights
from cnngraph.train.loop.training_step import TrainingStep
from cnngraph.train.record.progress import Silent
from cnngraph.train.record.run_folder import RunFolder
from tests.train.support import CPU, RECIPE, at_batch, run, small_network, stripe_splits, stripes, train_graph
from tests.train.test_engine import metrics_of, press_ctrl_c, same_weights

SPEC = """
cnngraph: 1
name: net
input: [1, 28, 28]
nodes:
  layer: {repeat: 2, nodes: [relu]}
  head: [flatten, {op: linear, out: 10}]
"""
FEATURES: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": Sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)},
    "adam": {"optimizer": Adam(lr=0.01, amsgrad=True)},
    "adamw": {"optimizer": AdamW(lr=0.01, groups=(ParameterGroup(match=("bias", "1"), weight_decay=0.0),))},
    "rmsprop": {"optimizer": RmsProp(lr=0.001, momentum=0.5, centered=True)},
    "groups": {
        "optimizer": Sgd(
            lr=0.1, momentum=0.5, groups=(ParameterGroup(match="5", lr=0.02), ParameterGroup(match="0", lr=0.0))
        )
    },
    "exponential": {"schedule": Exponential(gamma=0.5)},
    "one_cycle": {"schedule": OneCycle()},
    "polynomial": {"schedule": Polynomial(power=2), "warmup": Warmup(steps=7)},
    "plateau": {"schedule": Plateau(patience=0, threshold=0.3)},
    "warmup": {"schedule": Step(at=(2,)), "warmup": Warmup(epochs=1, start=0.1, shape="constant")},
    "smoothing": {"loss": Loss(label_smoothing=0.1)},
    "weights": {"loss": Loss(class_weights=(1.0, 2.0, 0.5, 1.0))},
    "balanced": {"loss": Loss(class_weights="balanced")},
    "clip norm": {"clip": Clip(norm=0.1)},
    "clip value": {"clip": Clip(value=0.01)},
    "accumulate": {"accumulate": 3, "optimizer": Adam(lr=0.01)},
    "ema": {"ema": 0.8},
    "early stopping": {"early_stopping": 1},
    "bf16": {"precision": "bf16"},
    "fp16": {"precision": "fp16"},
    "checkpoint": {"checkpoint": ("0", "1")},
    "all": {
        "optimizer": RmsProp(lr=0.001, momentum=0.5, groups=(ParameterGroup(match="bias", weight_decay=0.0),)),
        "schedule": Plateau(patience=0, threshold=0.3), "warmup": Warmup(steps=3), "accumulate": 2, "ema": 0.9,
        "clip": Clip(norm=1.0), "loss": Loss(label_smoothing=0.1), "checkpoint": "0", "precision": "fp16",
    },
}  # fmt: skip


@pytest.mark.parametrize("feature", FEATURES)
def test_a_run_with_any_option_is_resumed_exactly(tmp_path: Path, feature: str) -> None:
    changes = {"epochs": 3} | FEATURES[feature]
    if changes.get("precision") == "fp16" and check_device(replace(RECIPE, precision="fp16"), CPU):
        pytest.skip("no fp16 on this processor")
    whole = run(tmp_path / "whole", **changes)
    steps = 5 * len(whole.epochs)
    step = random.Random().randint(1, steps - 1)
    half = run(tmp_path / "half", network=at_batch(step, press_ctrl_c), **changes)
    assert half.interrupted, step
    done = run(tmp_path / "half", network=small_network(5), resume=True, **changes)
    assert metrics_of(done) == metrics_of(whole), step
    assert done.test == whole.test, step
    for name in ("best.safetensors", "last.safetensors"):
        assert same_weights(tmp_path / "half" / name, tmp_path / "whole" / name), step


def test_label_smoothing_and_class_weights() -> None:
    logits, labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 1])
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0])
    made, reported = Objective(Loss(label_smoothing=0.2), weights)(logits, labels)
    assert torch.equal(made, F.cross_entropy(logits, labels, weights, label_smoothing=0.2))
    assert torch.equal(reported, F.cross_entropy(logits, labels))


def test_auxiliary_heads_have_the_same_loss() -> None:
    logits, labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 1])
    objective = Objective(Loss(label_smoothing=0.2, auxiliary=0.5))
    made, _ = objective((logits, 2 * logits), labels)
    expected = F.cross_entropy(logits, labels, label_smoothing=0.2) + 0.5 * F.cross_entropy(
        2 * logits, labels, label_smoothing=0.2
    )
    assert torch.equal(made, expected)


def test_balanced_weights_count_the_training_split() -> None:
    images = stripes(12)
    split = Split(images, torch.tensor([0, 4, 8, 1, 2, 6]))
    weights = class_weights(Loss(class_weights="balanced"), split, 5)
    assert weights is not None
    assert weights.tolist() == pytest.approx([6 / 15, 6 / 5, 6 / 10, 0, 0])
    assert class_weights(Loss(), split, 5) is None


def test_balanced_weights_are_used_by_a_run(tmp_path: Path) -> None:
    splits = stripe_splits()
    uneven = replace(splits, train=Split(splits.train.images, splits.train.indices[[0, 4, 8, 12, 16, 20, 1, 2, 3, 5]]))
    run(tmp_path / "even", splits=uneven, epochs=1)
    run(tmp_path / "balanced", splits=uneven, epochs=1, loss=Loss(class_weights="balanced"))
    assert not same_weights(tmp_path / "even" / "last.safetensors", tmp_path / "balanced" / "last.safetensors")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip drawing, which would dominate the run time."""
    monkeypatch.setattr(RunFolder, "save_curves", lambda *arguments: None)
    monkeypatch.setattr(RunFolder, "save_scores", lambda *arguments: None)


def stepped(network: nn.Module, *batches: tuple[Tensor, Tensor, float, bool], **changes: Any) -> TrainingStep:
    """The learner after training on batches."""
    training_step = TrainingStep(network, replace(RECIPE, **changes), CPU)
    for images, labels, share, last in batches:
        training_step.train_on_batch(images, labels, share, last)
    return training_step


def plain_network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))


def test_accumulated_batches_equal_one_large_batch(tmp_path: Path) -> None:
    """36 images in batches of 8, three to a step: 24 and 12 images, as in a run with batches of 24."""
    networks = plain_network(), plain_network()
    some = run(tmp_path / "some", network=networks[0], accumulate=3, warmup=Warmup(steps=3), schedule=Polynomial())
    large = run(tmp_path / "large", network=networks[1], batch_size=24, warmup=Warmup(steps=3), schedule=Polynomial())
    assert [epoch.learning_rate for epoch in some.epochs] == [epoch.learning_rate for epoch in large.epochs]
    for one, other in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_clipping() -> None:
    images, labels = torch.randn(6, 1, 8, 8), torch.tensor([0, 1, 2, 3, 1, 0])
    for clip in (None, Clip(norm=0.1), Clip(value=0.01)):
        network = plain_network()
        before = [parameter.detach().clone() for parameter in network.parameters()]
        stepped(network, (images, labels, 1.0, True), optimizer=Sgd(lr=1), clip=clip)
        moves = torch.cat(
            [(new.detach() - old).flatten() for new, old in zip(network.parameters(), before, strict=True)]
        )
        size, largest = moves.norm().item(), moves.abs().max().item()
        assert (size == pytest.approx(0.1, rel=1e-3)) == (clip == Clip(norm=0.1))
        assert (largest == pytest.approx(0.01, rel=1e-3)) == (clip == Clip(value=0.01))


def test_averaged_weights_are_evaluated_and_saved(tmp_path: Path) -> None:
    network, learned = small_network(), []
    network.register_forward_pre_hook(
        lambda module, images: learned.append(module.training) if module is network else None
    )
    result = run(tmp_path, network=network, ema=0.5, epochs=2)
    assert result.best
    assert all(learned)  # the raw weights were never evaluated
    kept = load_file(tmp_path / "best.safetensors")
    assert all(torch.equal(tensor, kept[key]) for key, tensor in network.state_dict().items())


def test_the_moving_average() -> None:
    images, labels = torch.randn(6, 1, 8, 8), torch.tensor([0, 1, 2, 3, 1, 0])
    training_step = TrainingStep(plain_network(), replace(RECIPE, ema=0.75), CPU)
    training_step.train_on_batch(images, labels)
    first = training_step.model.state_dict()["1.weight"].clone()
    assert torch.equal(training_step.evaluated_weights()["1.weight"], first)
    training_step.train_on_batch(images, labels)
    second = training_step.model.state_dict()["1.weight"]
    assert torch.allclose(training_step.evaluated_weights()["1.weight"], 0.75 * first + 0.25 * second)
    assert set(training_step.evaluated_weights()) == set(training_step.model.state_dict())


def test_early_stopping(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"optimizer": Sgd(lr=1e-30), "network": plain_network(), "early_stopping": 2}
    result = run(tmp_path, epochs=9, **changes)
    assert not result.interrupted
    assert [epoch.number for epoch in result.epochs] == [1, 2, 3]
    assert result.test
    again = run(tmp_path, epochs=9, resume=True, **changes)
    assert len(again.epochs) == 3
    further = run(tmp_path, epochs=9, resume=True, **changes | {"early_stopping": 4})
    assert len(further.epochs) == 5


def test_activation_checkpointing_computes_the_same() -> None:
    images, labels = torch.randn(6, 1, 8, 8), torch.tensor([0, 1, 2, 3, 1, 0])
    calls = 0

    def count(module: nn.Module, arguments: object) -> None:
        nonlocal calls
        calls += 1

    networks = []
    for checkpoint in (None, "**"):
        network = nn.Sequential(nn.Sequential(*small_network()[:4]), *small_network()[4:])
        network[0][0].register_forward_pre_hook(count)  # type: ignore[index]
        torch.manual_seed(1)
        batch = (images, labels, 1.0, True)
        stepped(network, batch, batch, checkpoint=checkpoint)
        networks.append(network.state_dict())
    assert calls == 2 + 4
    assert list(networks[0]) == list(networks[1])
    assert all(torch.equal(networks[0][key], networks[1][key]) for key in networks[0])


def test_which_blocks_are_checkpointed(tmp_path: Path) -> None:
    network = nn.Module()
    network.layer = nn.ModuleList([nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())])
    network.head = nn.Sequential(nn.ReLU())
    assert checkpoint_blocks(network, ("layer.*", "**")) == ["layer.0", "layer.1", "head"]
    assert "training" not in repr(network)
    (tmp_path / "net.yaml").write_text(SPEC)
    graph = cnngraph.load(tmp_path / "net.yaml")
    assert not check_patterns(replace(RECIPE, checkpoint="layer.*"), graph)
    (diagnostic,) = check_patterns(replace(RECIPE, checkpoint="layr.*"), graph)
    assert (diagnostic.code, diagnostic.message) == ("E614", "`checkpoint: layr.*` matches no module of `net`")


def test_unsupported_precision_and_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise RuntimeError("\nnothing of the kind here\nmore of it")

    monkeypatch.setattr("torch.nn.functional.conv2d", refuse)
    monkeypatch.setattr(torch, "compile", refuse)
    found = check_device(replace(RECIPE, precision="fp16", compile=True), CPU)
    assert [diagnostic.code for diagnostic in found] == ["E641", "E642"]
    assert [diagnostic.notes for diagnostic in found] == [("nothing of the kind here",)] * 2
    assert not check_device(replace(RECIPE, precision="bf16"), CPU)
    (tmp_path / "net.yaml").write_text(SPEC)
    recipe = replace(RECIPE, precision="fp16", device="cpu")
    with pytest.raises(cnngraph.SpecError, match="`precision: fp16` does not work on cpu"):
        train_graph(cnngraph.load(tmp_path / "net.yaml"), recipe, spec_text="", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_deterministic_algorithms() -> None:
    def said() -> tuple[bool, bool]:
        return torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark

    before, cuda = said(), torch.device("cuda")  # the settings exist without a GPU as well
    with reproducible(cuda, 0, deterministic=True):
        assert said() == (True, False)
    with reproducible(cuda, 0, deterministic=False):
        assert said() == (False, True)
    with reproducible(CPU, 0, deterministic=True):
        assert said() == before
    assert said() == before


def test_fp16_scales_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    if check_device(replace(RECIPE, precision="fp16"), CPU):
        pytest.skip("no fp16 on this processor")
    seen: list[torch.dtype] = []
    network = small_network()
    network[0].register_forward_hook(lambda module, images, output: seen.append(output.dtype))
    images, labels = torch.randn(6, 1, 8, 8), torch.tensor([0, 1, 2, 3, 1, 0])
    training_step = stepped(network, (images, labels, 1.0, True), precision="fp16")
    assert seen == [torch.float16]
    assert training_step.scaler.get_scale() > 1
    assert training_step.state_dict()["scaler"]["_growth_tracker"] == 1


def test_a_compiled_network_keeps_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fake backend, because compiling is slow."""
    compiling = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module: compiling(module, backend="eager"))
    run(tmp_path / "eager")
    run(tmp_path / "compiled", compile=True)
    assert same_weights(tmp_path / "eager" / "last.safetensors", tmp_path / "compiled" / "last.safetensors")

    class Stopping(Silent):
        def epoch(self, *facts: object) -> None:
            press_ctrl_c()

    half = run(tmp_path / "half", reporter=Stopping(), compile=True)
    assert half.interrupted
    run(tmp_path / "half", network=small_network(5), compile=True, resume=True)
    assert same_weights(tmp_path / "half" / "last.safetensors", tmp_path / "compiled" / "last.safetensors")
