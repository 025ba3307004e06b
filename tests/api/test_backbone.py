"""`cnngraph.backbone`: the inner tensors of a network, without what they do not need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torchvision.models.feature_extraction import create_feature_extractor

import cnngraph


@pytest.mark.parametrize(
    ("name", "paths", "channels", "strides"),
    [
        ("resnet18", ["layer1", "layer4"], [64, 512], [4, 32]),
        ("mobilenet_v2", ["features.1", "features.3", "features.17"], [16, 24, 320], [2, 4, 32]),
        ("vgg11", ["features.4", "features.20"], [128, 512], [2, 32]),
    ],
)
def test_features_equal_those_of_torchvision(
    name: str, paths: list[str], channels: list[int], strides: list[int], tmp_path: Path
) -> None:
    theirs = torchvision.models.get_model(name, weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours: Any = cnngraph.backbone(name, paths, weights=tmp_path / "weights.pth", input=(3, 64, 64)).eval()
    assert (ours.channels, ours.strides) == (channels, strides)
    images = torch.randn(2, 3, 64, 64)
    expected = create_feature_extractor(theirs, paths)(images)
    for feature, other in zip(ours(images), expected.values(), strict=True):
        torch.testing.assert_close(feature, other)
    assert not any(key.startswith(("fc", "classifier")) for key in ours.state_dict())


def test_one_feature_is_a_tensor_with_a_name_for_its_path() -> None:
    model: Any = cnngraph.backbone("googlenet_mnist", ["inception1.wide.0"])
    assert model(torch.zeros(1, 1, 28, 28)).shape[1] == model.channels[0]
    several = cnngraph.backbone("googlenet_mnist", ["inception1.wide.0", "conv1"])
    assert several(torch.zeros(1, 1, 28, 28))._fields == ("inception1_wide_0", "conv1")


def test_a_wrong_path_is_an_error() -> None:
    with pytest.raises(cnngraph.SpecError, match="did you mean `layer1`"):
        cnngraph.backbone("resnet18", ["layr1"])
