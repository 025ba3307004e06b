"""The published networks that bundled specs are compared with: torchvision's convolutional classifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.overrides import TorchFunctionMode
from torchvision.models import get_model, get_model_weights, list_models
from torchvision.models.densenet import DenseNet

from tests.library import NETWORKS

TRANSFORMERS = ("vit", "swin", "maxvit")
BUILDERS: list[str] = [name for name in list_models(module=torchvision.models) if not name.startswith(TRANSFORMERS)]

# Published networks for which torchvision has the modules but no builder and no weights.
OTHERS: dict[str, Callable[[], nn.Module]] = {"densenet264": lambda: DenseNet(block_config=(6, 12, 64, 48))}
NAMES = [*BUILDERS, *OTHERS]
SPECS = {path.stem: path for path in NETWORKS}

# One or two per family, about a second each: the default suite runs these, `pytest -m zoo` all. For families without
# a small member, the default suite checks one without computing.
SMALL = {
    "alexnet",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "resnet18",
    "resnet50",
    "shufflenet_v2_x0_5",
    "squeezenet1_0",
    "squeezenet1_1",
}

UNCOMPUTED = {"convnext_tiny", "efficientnet_v2_s", "inception_v3", "vgg11_bn"}

# Arguments that make a builder behave as by default, without a warning.
WORDS: dict[str, dict[str, Any]] = {"googlenet": {"init_weights": True}, "inception_v3": {"init_weights": True}}

# Height and width of the images of a training step. The auxiliary classifier of Inception v3 needs a map of 17×17.
TRAINED_AT = {"inception_v3": (299, 299)}
TRAINED_AT_ELSE = (64, 64)

# A size other than the published one, and odd, so that rounding matters where maps are halved.
OTHER_SIZE = (161, 135)


def members(names: Iterable[str] = NAMES, *, computed: bool = False) -> list[Any]:
    """Test parameters, marked if the default suite skips them. `computed`: whether the test runs the network."""
    ordinary = SMALL if computed else SMALL | UNCOMPUTED
    return [pytest.param(name, marks=() if name in ordinary else pytest.mark.zoo) for name in names]


def original(name: str) -> nn.Module:
    """torchvision's network with fresh weights."""
    if name in OTHERS:
        return OTHERS[name]()
    model: nn.Module = get_model(name, weights=None, **WORDS.get(name, {}))
    return model


def published_size(name: str) -> int:
    """The image size of the best published weights."""
    if name in OTHERS:
        return 224
    size: int = get_model_weights(name).DEFAULT.transforms.keywords["crop_size"]
    return size


def published_error(name: str) -> float:
    """The ImageNet top-1 error of the best published weights, in percent."""
    accuracy: float = get_model_weights(name).DEFAULT.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    return round(100 - accuracy, 3)


class _Unfilled(TorchFunctionMode):
    """Creates tensors without memory: shapes are known, values are not."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        words = {**(kwargs or {}), "device": "meta"} if func in (torch.empty, torch.zeros, torch.ones) else kwargs or {}
        return func(*args, **words)


@contextmanager
def unfilled() -> Iterator[None]:
    """Create networks without weights, quickly and in little memory."""
    with _Unfilled():
        yield
