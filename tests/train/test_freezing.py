"""Frozen parameters: compared with PyTorch, resumed at any time, and with every other option of the training loop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

import cnngraph
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from cnngraph.lint.training import misfits
from cnngraph.recipe.clipping import Clip
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.freezing import Freeze
from cnngraph.recipe.optimizers import Adam, AdamW, Optimizer, Sgd
from cnngraph.recipe.reading import load_recipe
from cnngraph.recipe.schedules import Cosine, Warmup
from cnngraph.train.augment.preparation import Preparation
from cnngraph.train.loop.loader import TrainingLoader
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.run import Tools
from tests.train.support import CPU, RECIPE, RecordingReporter, at_batch, run, stripe_splits, train_graph

EPOCHS, STEPS = 4, 5  # 36 images in batches of 8
GRADUAL = (Freeze(match="**", exclude="6", epochs=2), Freeze(match=("0", "1")), Freeze(match=("3", "4"), epochs=1))
SPEC = """\
cnngraph: 1
name: staged
input: [1, 8, 8]
blocks:
  unit: {params: {out: }, nodes: {conv: {op: conv, out: $out, kernel: 3, padding: half}, bn: batch_norm, relu: relu}}
nodes:
  stem: {op: unit, out: 4}
  layer: {op: unit, repeat: 2, out: 6}
  plain: {op: batch_norm, affine: false}
  fc: [flatten, {op: linear, out: 4}]
"""


def network() -> nn.Sequential:
    """A network without dropout, so that no random numbers are drawn."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, bias=False),
        nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 4),
    )  # fmt: skip


def graph_of(text: str = SPEC) -> Graph:
    graph = compile_text(Source("staged.yaml", text), Path()).graph
    assert graph
    return graph


def in_pytorch(make: Callable[[Any], torch.optim.Optimizer], rates: Iterable[float]) -> dict[str, Tensor]:
    """Gradual unfreezing in plain PyTorch: module 3 and 4 join the optimizer in epoch 2, 0 and 1 never do."""
    model = network()
    modules: list[nn.Module] = list(model)
    for module in modules[:5]:
        module.requires_grad_(False)
    optimizer = make(list(model[6].parameters()))
    batches = TrainingLoader(stripe_splits().train, Preparation.of(RECIPE, 1, CPU), 8, RECIPE.seed, CPU).batches()
    for number, rate in zip(range(EPOCHS * STEPS), rates, strict=True):
        model.train()
        for module in modules[: 2 if number >= STEPS else 5]:
            module.eval()
        if number == STEPS:
            for module in modules[3:5]:
                module.requires_grad_(True)
            optimizer.add_param_group({"params": [*modules[3].parameters(), *modules[4].parameters()]})
        for group in optimizer.param_groups:
            group["lr"] = rate
        images, labels = next(batches)
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(model(images), labels))
        optimizer.step()
    return {name: tensor.detach() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        (Sgd(lr=0.05, momentum=0.9, weight_decay=0.1), lambda own: torch.optim.SGD(own, 0.05, 0.9, weight_decay=0.1)),
        (Adam(lr=0.05), lambda own: torch.optim.Adam(own, 0.05)),
        (AdamW(lr=0.05, weight_decay=0.5), lambda own: torch.optim.AdamW(own, 0.05, weight_decay=0.5)),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_gradual_unfreezing_equals_pytorch(
    tmp_path: Path, optimizer: Optimizer, make: Callable[[Any], torch.optim.Optimizer]
) -> None:
    reporter = RecordingReporter()
    result = run(tmp_path, network=network(), optimizer=optimizer, freeze=GRADUAL, epochs=EPOCHS, reporter=reporter)
    expected = in_pytorch(make, [optimizer.lr] * (EPOCHS * STEPS))
    for name, tensor in load_file(tmp_path / "last.safetensors").items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-5, msg=name)
    assert reporter.notes == ["epoch 2: 412 of 456 parameters are trained"]
    assert result.epochs[-1].learning_rate == optimizer.lr


def states(folder: Path, epochs: int = EPOCHS) -> list[dict[str, Tensor]]:
    """The weights after each epoch."""
    return [load_file(folder / f"epoch-{epoch:04}.safetensors") for epoch in range(1, epochs + 1)]


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor], module: str) -> bool:
    """Whether all parameters and statistics of a module are the same bit for bit."""
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items() if name.startswith(f"{module}."))


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "ema": {"ema": 0.9},
    "compile": {"compile": True},
    "checkpoint": {"checkpoint": "**"},
    "clip": {"clip": Clip(norm=0.1)},
    "accumulate": {"accumulate": 2},
    "bf16": {"precision": "bf16"},
    "schedule": {"schedule": Cosine(), "warmup": Warmup(epochs=1, start=0.5)},
    "no_validation": {"validation": None},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_neither_weights_nor_statistics_move_while_frozen(tmp_path: Path, options: dict[str, Any]) -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    splits = stripe_splits(validation="validation" not in options)
    run(tmp_path, splits=splits, network=model, freeze=GRADUAL, epochs=EPOCHS, keep_every=1, **options)
    first, second, *_, last = states(tmp_path)
    assert [same(before, state, module) for state in (first, last) for module in "01"] == [True] * 4
    assert [same(before, first, module) for module in "346"] == [True, True, False]
    assert [same(first, second, module) for module in "346"] == [False, False, False]


@pytest.mark.parametrize("stop", [1, 4, STEPS, STEPS + 1, 2 * STEPS, 2 * STEPS + 2])
@pytest.mark.parametrize("options", [{}, {"ema": 0.9, "optimizer": Adam(lr=0.01)}], ids=["sgd", "adam_ema"])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, stop: int, options: dict[str, Any]) -> None:
    changes: dict[str, Any] = {"freeze": GRADUAL, "epochs": EPOCHS, **options}
    run(tmp_path / "whole", network=network(), **changes)
    stopping = at_batch(stop, lambda: signal.raise_signal(signal.SIGINT), network())
    assert run(tmp_path / "half", network=stopping, **changes).interrupted
    run(tmp_path / "half", network=network(), resume=True, **changes)
    whole, half = (load_file(tmp_path / name / "last.safetensors") for name in ("whole", "half"))
    assert all(torch.equal(tensor, half[key]) for key, tensor in whole.items())


def test_a_run_cannot_be_resumed_with_other_frozen_parameters(tmp_path: Path) -> None:
    run(tmp_path, network=network(), freeze=GRADUAL)
    for freeze in (None, GRADUAL[:1]):
        with pytest.raises(cnngraph.SpecError, match="its recipe differs in freeze"):
            run(tmp_path, network=network(), freeze=freeze, epochs=3, resume=True)


def trained(folder: Path, graph: Graph, **changes: Any) -> tuple[RecordingReporter, list[dict[str, Tensor]]]:
    """What a run of two epochs reports, and its weights before training and after each epoch."""
    torch.manual_seed(0)
    model = cnngraph.build(graph)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    reporter, tools = RecordingReporter(), Tools(load_images=lambda *_: stripe_splits(), build=lambda _: model)
    recipe = replace(RECIPE, data=NamedSet(name="digits", resize=(8, 8)), keep_every=1, **changes)
    train_graph(graph, recipe, reporter=reporter, tools=replace(tools, misfits=lambda *_, **__: []), out=folder)
    return reporter, [before, *states(folder, 2)]


@pytest.mark.parametrize(
    ("freeze", "frozen", "still"),
    [
        ([Freeze(match="stem")], 48, {"stem"}),
        ([Freeze(match="layer.*")], 234 + 342, {"layer.0", "layer.1"}),
        ([Freeze(match="norm")], 8 + 12 + 12, {"stem.bn", "layer.0.bn", "layer.1.bn", "plain"}),
        ([Freeze(match=("**.bn.weight", "**.bn.bias"))], 32, {"stem.bn", "layer.0.bn", "layer.1.bn"}),
        ([Freeze(match="bias")], 4 + 6 + 6 + 16 + 4, set()),
        ([Freeze(match="**", exclude=("fc", "norm"))], 40 + 222 + 330, {"stem.conv", "layer.0.conv", "layer.1.conv"}),
        ([Freeze(match="**", exclude="head")], 48 + 234 + 342, {"stem", "layer.0", "layer.1", "plain"}),
        ([Freeze(match="**", exclude="head"), Freeze(match="layer.1", epochs=1)], 624, {"stem", "layer.0", "plain"}),
    ],
)
def test_which_modules_are_frozen(tmp_path: Path, freeze: list[Freeze], frozen: int, still: set[str]) -> None:
    """Parameters and running statistics of these modules are the same after two epochs, and of no others."""
    graph = graph_of()
    reporter, (before, _, last) = trained(tmp_path / "run", graph, freeze=tuple(freeze))
    assert [start.frozen for start in reporter.started] == [frozen]
    modules = ("stem.conv", "stem.bn", "layer.0.conv", "layer.0.bn", "layer.1.conv", "layer.1.bn", "plain", "fc.1")
    unchanged = {module for module in modules if same(before, last, module)}
    assert unchanged == {module for module in modules if any(f"{module}.".startswith(f"{name}.") for name in still)}


@pytest.mark.parametrize("name", ["linear_probe", "finetune"])
def test_the_bundled_recipes(tmp_path: Path, name: str) -> None:
    recipe = load_recipe(name)
    ten_classes = graph_of(SPEC.replace("out: 4}]", "out: 10}]"))
    assert not misfits(replace(recipe, data=NamedSet(name="digits", resize=(8, 8))), ten_classes)
    changes = {key: getattr(recipe, key) for key in ("optimizer", "freeze", "schedule", "warmup")}
    _, (before, _, last) = trained(tmp_path / "run", graph_of(), **changes)
    moved = {key for key, tensor in last.items() if not torch.equal(tensor, before[key])}
    assert moved == ({"fc.1.weight", "fc.1.bias"} if name == "linear_probe" else set(last))


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip drawing, which would dominate the run time."""
    monkeypatch.setattr(RunFolder, "save_curves", lambda *arguments: None)
    monkeypatch.setattr(RunFolder, "save_scores", lambda *arguments: None)
