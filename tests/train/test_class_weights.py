"""Classes of weight 0 add no loss, no gradient and never a NaN; the causes of non-finite losses are reported."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cnngraph import SpecError
from cnngraph.recipe.augment import Augment
from cnngraph.recipe.clipping import Clip
from cnngraph.recipe.model import Loss
from cnngraph.recipe.optimizers import Adam, Sgd
from cnngraph.train.data.split import Split
from cnngraph.train.loop.objective import Objective
from tests.train.killable import RECIPE as KILLABLE
from tests.train.killable import finished, start_together
from tests.train.support import run, small_network, stripe_splits

WEIGHTS = torch.tensor([0.0, 1.0, 2.0, 0.0])


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("labels", [[0], [0, 0, 0], [0, 3, 3]])
def test_a_batch_of_weight_zero_has_no_loss_and_no_gradient(labels: list[int], smoothing: float, heads: int) -> None:
    logits = torch.randn(len(labels), 4, requires_grad=True)
    output = logits if heads == 1 else (logits, 3 * logits)
    made, reported = Objective(Loss(label_smoothing=smoothing), WEIGHTS)(output, torch.tensor(labels))
    torch.autograd.backward(made)
    assert float(made.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()
    assert torch.equal(reported, F.cross_entropy(logits.detach(), torch.tensor(labels)))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("labels", [[1], [0, 1, 2], [2, 2, 3, 1, 0], "mixed"])
def test_other_batches_equal_pytorch(labels: list[int] | str, smoothing: float) -> None:
    hard = torch.tensor([0, 3] if labels == "mixed" else labels)
    target: Tensor = 0.3 * F.one_hot(hard, 4) + 0.7 * F.one_hot(hard.flip(0), 4) if labels == "mixed" else hard
    logits = torch.randn(len(hard), 4, requires_grad=True)
    made, _ = Objective(Loss(label_smoothing=smoothing), WEIGHTS)(logits, target)
    expected = F.cross_entropy(logits, target, WEIGHTS, label_smoothing=smoothing)
    assert torch.equal(made, expected)
    assert torch.equal(*(torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in (made, expected)))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": Loss(class_weights=(0, 1, 1, 1), label_smoothing=0.1)},
        {"augment": Augment(mixup=0.4)},
        {"augment": Augment(cutmix=1.0)},
        {"accumulate": 3},
        {"clip": Clip(norm=0.5), "optimizer": Adam(lr=0.01)},
        {"ema": 0.9, "precision": "bf16"},
    ],
    ids=["plain", "smoothing", "mixup", "cutmix", "accumulate", "clip", "ema"],
)
def test_a_run_with_batches_of_weight_zero(tmp_path: Path, changes: dict[str, Any]) -> None:
    """With batches of two, some contain only the first class."""
    weighed: dict[str, Any] = {"batch_size": 2, "loss": Loss(class_weights=(0, 1, 1, 1))}
    result = run(tmp_path, **weighed | changes)
    assert all(math.isfinite(epoch.train.loss) and math.isfinite(epoch.evaluation.loss) for epoch in result.epochs)
    assert result.test is not None
    assert math.isfinite(result.test.loss)


def test_several_processes_with_batches_of_weight_zero(tmp_path: Path) -> None:
    recipe = replace(KILLABLE, batch_size=4, loss=Loss(class_weights=(0, 0, 0, 1)))
    for process in start_together(2, tmp_path / "run", recipe):
        process.join(60)
        assert process.exitcode == 0
    assert finished(tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert all(math.isfinite(row["train_loss"]) for row in metrics["epochs"])


def test_all_images_of_weight_zero(tmp_path: Path) -> None:
    splits = stripe_splits()
    first = replace(splits, train=Split(splits.train.images, splits.train.indices[::4]))
    with pytest.raises(SpecError, match="every training image the weight 0"):
        run(tmp_path, splits=first, loss=Loss(class_weights=(0, 1, 1, 1)))


# Causes of a non-finite loss.


def _diverged(folder: Path, **changes: Any) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        run(folder, **changes)
    (found,) = caught.value.diagnostics
    assert found.code == "E630"
    return found.notes[0], found.help or ""


def test_non_finite_initial_weights_are_the_cause(tmp_path: Path) -> None:
    network = small_network()
    with torch.no_grad():
        network.get_parameter("5.weight")[0, 0] = math.nan
    note, help = _diverged(tmp_path, network=network)
    assert note == "the initial values of 5.weight are not finite"
    assert "learning rate" not in help


def test_non_finite_gradients_are_the_cause(tmp_path: Path) -> None:
    """The square root of 0 has a value but no derivative."""
    network = small_network()
    network.append(Root())
    note, help = _diverged(tmp_path, network=network)
    assert note.startswith("the gradient of 0.weight in the first batch is not finite")
    assert "learning rate" not in help


class Root(torch.nn.Module):
    def forward(self, numbers: Tensor) -> Tensor:
        return numbers + (0 * numbers).sqrt()


def test_the_learning_rate_is_the_cause(tmp_path: Path) -> None:
    from cnngraph.recipe.optimizers import ParameterGroup

    _, help = _diverged(tmp_path / "own", optimizer=Sgd(lr=1e30))
    assert help == "lower the learning rate from 1e+30 to 1e+29: `--set train.optimizer.lr=1e+29`"
    groups = (ParameterGroup(match="0", lr=0.0), ParameterGroup(match="5", lr=1e30))
    _, help = _diverged(tmp_path / "group", optimizer=Sgd(lr=0.1, groups=groups))
    assert help == "lower the learning rate of `optimizer.groups.1` from 1e+30 to 1e+29"
