"""DenseNet: published files use other names for the modules of a layer, and dropout is off by default."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torchvision.models import densenet121

import cnngraph
from cnngraph.backend import load_weights
from tests.zoo.originals import SPECS, unfilled
from tests.zoo.test_originals import difference, disturb
from tests.zoo.traces import operations


def test_keys_of_published_files_are_renamed(tmp_path: Path) -> None:
    theirs = densenet121(weights=None).eval()
    disturb(theirs)
    published = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): tensor
        for key, tensor in theirs.state_dict().items()
        if not key.endswith("num_batches_tracked")  # the files are older than this buffer
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in published
    torch.save(published, tmp_path / "densenet121.pth")

    ours = cnngraph.build(SPECS["densenet121"]).eval()
    report = load_weights(ours, tmp_path / "densenet121.pth")
    assert report.ok
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


def test_dropout_is_where_torchvision_has_it() -> None:
    with unfilled():
        ours, theirs = cnngraph.build(SPECS["densenet121"], dropout=0.2), densenet121(weights=None, drop_rate=0.2)
    shape = (2, 3, 64, 64)
    assert difference(operations(ours.train(), shape), operations(theirs.train(), shape)) == ""
