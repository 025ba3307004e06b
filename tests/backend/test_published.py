"""Weights published by torchvision, served from local files: nothing is downloaded."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision import models

import cnngraph
from cnngraph import Graph, SpecError
from cnngraph.backend import WeightsFile, check_weights, open_weights
from cnngraph.backend.weights import published
from cnngraph.backend.weights.tables import Table
from cnngraph.elaborate.bases import base_names
from tests.library import network

SQUEEZENET = models.SqueezeNet1_1_Weights.IMAGENET1K_V1


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to which torchvision downloads."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture(scope="module")
def squeezenet() -> Graph:
    return cnngraph.load(network("squeezenet1_1"))


def zeros(graph: Graph) -> dict[str, Tensor]:
    return {key: torch.zeros(shape) for key, shape in graph.state.items()}


def publish(path: Path, weights: dict[str, Tensor], chosen: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serve a file at torchvision's URL; like published files, its name contains a prefix of its SHA-256."""
    torch.save(weights, path)
    file = path.with_name(f"{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth")
    path.rename(file)
    monkeypatch.setattr(chosen.value, "url", file.as_uri())
    return file


@pytest.fixture
def file(squeezenet: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return publish(tmp_path / "squeezenet.pth", zeros(squeezenet), SQUEEZENET, monkeypatch)


@pytest.mark.parametrize("choice", ["torchvision", "torchvision:IMAGENET1K_V1"])
def test_weights_are_downloaded_once(squeezenet: Graph, file: Path, hub: Path, choice: str) -> None:
    opened = open_weights(choice, base_names(squeezenet))
    assert opened.name == "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert opened.path == hub / file.name
    assert check_weights(opened, squeezenet).ok
    file.unlink()
    assert open_weights(choice, base_names(squeezenet)).shapes == opened.shapes


def test_a_spec_can_use_the_weights_of_a_spec_that_it_extends(squeezenet: Graph, file: Path, tmp_path: Path) -> None:
    base = network("squeezenet1_1")
    (tmp_path / "squeezenet1_1.yaml").write_text(f"cnngraph: 1\nextends: {base.parent.name}/{base.name}\n")
    (tmp_path / "mine.yaml").write_text("cnngraph: 1\nextends: squeezenet1_1.yaml\nparams: {classes: 4}\n")
    graph = cnngraph.load(tmp_path / "mine.yaml")
    report = check_weights(open_weights("torchvision", base_names(graph)), graph)
    assert (report.ok, report.fresh_layers) == (True, ["classifier.1"])
    model = cnngraph.build(graph)
    assert cnngraph.load_weights(model, "torchvision").fresh_layers == ["classifier.1"]


def test_a_broken_download_leaves_no_file(squeezenet: Graph, file: Path, hub: Path) -> None:
    file.write_bytes(b"something else")
    with pytest.raises(
        SpecError, match=r"cannot download SqueezeNet1_1_Weights\.IMAGENET1K_V1: invalid hash"
    ) as caught:
        open_weights("torchvision", ["squeezenet1_1"])
    assert caught.value.diagnostics[0].code == "E705"
    assert list(hub.iterdir()) == []


def test_a_damaged_file_must_be_deleted(squeezenet: Graph, file: Path, hub: Path) -> None:
    open_weights("torchvision", ["squeezenet1_1"])
    (hub / file.name).write_bytes(b"half of it")
    with pytest.raises(SpecError, match=r"SqueezeNet1_1_Weights\.IMAGENET1K_V1") as caught:
        open_weights("torchvision", ["squeezenet1_1"])
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.help) == ("E704", f"delete {hub / file.name} to download it again")


def test_a_failed_download_explains_a_manual_download(file: Path, hub: Path) -> None:
    file.unlink()
    with pytest.raises(SpecError, match="cannot download SqueezeNet1_1_Weights") as caught:
        open_weights("torchvision", ["squeezenet1_1"])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E705"
    assert diagnostic.help == f"check the connection, or download {file.as_uri()} to {hub / file.name} by hand"


@pytest.mark.parametrize(
    ("choice", "name", "message"),
    [
        ("torchvision", "resnet_18", r"torchvision has no network `resnet_18`\n  help: did you mean `resnet18`\?"),
        ("torchvision", "mine", r"torchvision has no network `mine`\n  help: name one of its networks, as in"),
        ("torchvision:resnet18:V7", "mine", "no weights `V7` for `resnet18`"),
        ("torchvision:resnet5O", "resnet18", r"no weights `resnet5O` for `resnet18`\n.*did you mean `resnet50`\?"),
        ("torchvision:resnet18:V7:x", "mine", "has too many parts"),
        (
            "torchvision:V7",
            "resnet18",
            r"no weights `V7` for `resnet18`\n  help: choose one of IMAGENET1K_V1, DEFAULT$",
        ),
    ],
)
def test_unknown_published_weights(choice: str, name: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        open_weights(choice, [name])
    assert caught.value.diagnostics[0].code == "E705"


def test_densenet_is_published_with_other_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = cnngraph.load(network("densenet121"))
    old = {
        key.replace(".norm1.", ".norm.1.").replace(".conv1.", ".conv.1.").replace(".norm2.", ".norm.2."): tensor
        for key, tensor in zeros(graph).items()
        if not key.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    publish(tmp_path / "densenet.pth", old, models.DenseNet121_Weights.IMAGENET1K_V1, monkeypatch)
    assert check_weights(open_weights("torchvision", base_names(graph)), graph).ok
    torch.save(zeros(graph), tmp_path / "new.pth")
    assert check_weights(open_weights(tmp_path / "new.pth", []), graph).ok


@pytest.mark.parametrize(("name", "chosen"), [("googlenet", models.GoogLeNet_Weights.IMAGENET1K_V1)])
def test_weights_of_auxiliary_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, chosen: Any) -> None:
    graph = cnngraph.load(network(name))
    publish(tmp_path / "weights.pth", zeros(graph), chosen, monkeypatch)
    opened = open_weights("torchvision", base_names(graph))
    assert opened.expects == {"transform_input": True}
    assert check_weights(opened, graph).ok
    ten = cnngraph.load(network(name), classes=10)
    assert check_weights(opened, ten).fresh_layers == ["aux1.fc2", "aux2.fc2", "fc"]
    without = cnngraph.load(network(name), classes=10, aux_logits=False)
    report = check_weights(opened, without)
    assert (report.ok, report.fresh_layers) == (True, ["fc"])
    assert {key.partition(".")[0] for key in report.left_out} == {"aux1", "aux2"}


def test_expected_params_are_params_of_the_network(squeezenet: Graph) -> None:
    for name, expected in published.EXPECTED.items():
        assert set(expected) <= set(cnngraph.load(network(name)).params)


class Shapes(WeightsFile):
    """A weights file that has shapes but no tensors."""

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        super().__init__(Path("shapes"), "shapes", [Table((), shapes)])

    def stored(self) -> dict[str, Tensor]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("name", "classifiers"),
    [
        ("alexnet", ["classifier.6"]),
        ("convnext_tiny", ["classifier.2"]),
        ("densenet121", ["classifier"]),
        ("efficientnet_b0", ["classifier.1"]),
        ("inception_v3", ["AuxLogits.fc", "fc"]),
        ("mnasnet0_5", ["classifier.1"]),
        ("mobilenet_v3_small", ["classifier.3"]),
        ("regnet_y_400mf", ["fc"]),
        ("resnet50", ["fc"]),
        ("shufflenet_v2_x0_5", ["fc"]),
        ("vgg11_bn", ["classifier.6"]),
    ],
)
def test_with_other_classes_everything_but_the_classifier_fits(name: str, classifiers: list[str]) -> None:
    weights = Shapes(cnngraph.load(network(name)).state)
    report = check_weights(weights, cnngraph.load(network(name), classes=10))
    assert (report.ok, report.fresh_layers) == (True, classifiers)
