"""Weights on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from cnngraph import SpecError
from cnngraph.backend import load_weights, save_weights
from tests.backend.support import built

SPEC = """
    nodes:
      features:
        nodes:
          conv0: {op: conv, out: 4, kernel: 1}
          block: {repeat: 2, name: layer1, nodes: {norm1: batch_norm, act: relu}}
      pool: global_avg_pool
      fc: {op: linear, out: 3}
    """


@pytest.fixture
def model() -> Any:
    return built(SPEC)


def filled(model: Any) -> dict[str, torch.Tensor]:
    return {key: torch.full_like(each, number) for number, (key, each) in enumerate(model.state_dict().items())}


@pytest.mark.parametrize("ending", ["safetensors", "pth", "pt"])
def test_all_that_fits_is_loaded(model: Any, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"weights.{ending}"
    weights = filled(model)
    if ending == "safetensors":
        save_file(weights, file)
    else:
        torch.save(weights, file)
    report = load_weights(model, file)
    assert report.ok
    assert report.loaded == tuple(weights)
    assert str(report) == f"{file}: {len(weights)} of {len(weights)} weights loaded"
    assert all(torch.equal(each, weights[key]) for key, each in model.state_dict().items())


def test_what_does_not_fit_is_told(model: Any, tmp_path: Path) -> None:
    weights = filled(model)
    before = model.fc.weight.clone()
    del weights["features.conv0.bias"]
    weights["fc.weight"] = torch.zeros(1000, 4)
    weights["old.weight"] = torch.zeros(1)
    save_file(weights, tmp_path / "weights.safetensors")
    report = load_weights(model, tmp_path / "weights.safetensors")
    assert not report.ok
    assert report.missing == ("features.conv0.bias",)
    assert report.unexpected == ("old.weight",)
    assert [each.key for each in report.misshapen] == ["fc.weight"]
    assert "fc.weight: 1000×4 in the file, 3×4 in the network" in str(report)
    assert torch.equal(model.fc.weight, before)
    assert model.fc.bias.unique().tolist() == [list(filled(model)).index("fc.bias")]


def test_counters_that_old_files_lack_are_not_missed(model: Any, tmp_path: Path) -> None:
    weights = {key: each for key, each in filled(model).items() if not key.endswith("num_batches_tracked")}
    torch.save(weights, tmp_path / "old.pth")
    assert load_weights(model, tmp_path / "old.pth").ok


def test_stars_in_renames_keep_their_places(model: Any, tmp_path: Path) -> None:
    weights = filled(model)
    published = {
        key.replace("features.", "backbone.").replace("norm1", "norm.1").replace("layer", "denselayer"): each
        for key, each in weights.items()
    }
    save_file(published, tmp_path / "weights.safetensors")
    renames = {
        "backbone.block.denselayer*.norm.1.*": "features.block.layer*.norm1.*",
        "backbone.**": "features.**",
    }
    assert load_weights(model, tmp_path / "weights.safetensors", renames).ok
    assert all(torch.equal(each, weights[key]) for key, each in model.state_dict().items())


@pytest.mark.parametrize("renames", [{"a.*": "b"}, {"fc.weight": "fc.bias"}])
def test_renames_that_cannot_be_are_refused(model: Any, tmp_path: Path, renames: dict[str, str]) -> None:
    save_file(filled(model), tmp_path / "weights.safetensors")
    with pytest.raises(SpecError, match="E704"):
        load_weights(model, tmp_path / "weights.safetensors", renames)


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_checkpoints_are_unwrapped(model: Any, tmp_path: Path, wrapper: str) -> None:
    weights = {f"module.{key}": each for key, each in filled(model).items()}
    torch.save({wrapper: weights, "epoch": 3}, tmp_path / "checkpoint.pth")
    assert load_weights(model, tmp_path / "checkpoint.pth").ok


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch pwned",)


def test_a_pickle_with_code_is_refused(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.weight": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(SpecError, match="more than tensors"):
        load_weights(model, tmp_path / "hostile.pth")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("name", "content"), [("a.safetensors", b"x"), ("a.pth", b"x"), ("a.pth", b""), ("a.npz", b"x")]
)
def test_files_that_cannot_be_read_are_told(model: Any, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpecError, match="E704"):
        load_weights(model, tmp_path / name)


@pytest.mark.parametrize("name", ["none.safetensors", "none.pth"])
def test_a_file_that_is_not_there_is_told(model: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match="there is no file"):
        load_weights(model, tmp_path / name)


def test_a_model_without_memory_takes_the_files(model: Any, tmp_path: Path) -> None:
    save_weights(model, tmp_path / "weights.safetensors")
    with torch.device("meta"):
        empty = built(SPEC)
    assert load_weights(empty, tmp_path / "weights.safetensors").ok
    assert torch.equal(empty.fc.weight, model.fc.weight)


def test_saved_weights_come_back(model: Any, tmp_path: Path) -> None:
    model.to(memory_format=torch.channels_last)
    save_weights(model, tmp_path / "weights.safetensors")
    other = built(SPEC)
    assert load_weights(other, tmp_path / "weights.safetensors").ok
    assert all(torch.equal(each, model.state_dict()[key]) for key, each in other.state_dict().items())


def test_tensors_in_the_same_memory_are_saved_apart(tmp_path: Path) -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    second.bias = nn.Parameter(first.weight.detach()[0])
    tied = nn.Sequential(first, second)
    save_weights(tied, tmp_path / "tied.safetensors")
    found = load_file(tmp_path / "tied.safetensors")
    assert sorted(found) == sorted(tied.state_dict())
    assert torch.equal(found["0.weight"], found["1.weight"])


def test_a_failed_save_leaves_the_old_file(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.safetensors"
    save_weights(model, file)
    before = file.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("cnngraph.backend.weights.save_file", fail)
    with pytest.raises(OSError, match="no space"):
        save_weights(model, file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
