"""Weights files: loading, saving, renaming, and reports."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import cnngraph
from cnngraph import SpecError
from cnngraph.backend import check_weights, convert_weights, load_weights, save_weights
from cnngraph.backend.weights.files import read_weights
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
    return {key: torch.full_like(tensor, number) for number, (key, tensor) in enumerate(model.state_dict().items())}


@pytest.mark.parametrize("ending", ["safetensors", "pth", "pt"])
def test_weights_are_loaded(model: Any, tmp_path: Path, ending: str) -> None:
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
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.state_dict().items())


def test_weights_that_do_not_fit_are_reported(model: Any, tmp_path: Path) -> None:
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
    assert [mismatch.key for mismatch in report.misshapen] == ["fc.weight"]
    assert "fc.weight: 1000×4 in the file, 3×4 in the network" in str(report)
    assert torch.equal(model.fc.weight, before)
    assert model.fc.bias.unique().tolist() == [list(filled(model)).index("fc.bias")]


def test_counters_that_old_files_lack_are_optional(model: Any, tmp_path: Path) -> None:
    weights = {key: tensor for key, tensor in filled(model).items() if not key.endswith("num_batches_tracked")}
    torch.save(weights, tmp_path / "old.pth")
    assert load_weights(model, tmp_path / "old.pth").ok


def test_stars_in_renames_correspond_in_order(model: Any, tmp_path: Path) -> None:
    weights = filled(model)
    published = {
        key.replace("features.", "backbone.").replace("norm1", "norm.1").replace("layer", "denselayer"): tensor
        for key, tensor in weights.items()
    }
    save_file(published, tmp_path / "weights.safetensors")
    renames = {
        "backbone.block.denselayer*.norm.1.*": "features.block.layer*.norm1.*",
        "backbone.**": "features.**",
    }
    assert load_weights(model, tmp_path / "weights.safetensors", renames).ok
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("renames", [{"a.*": "b"}, {"fc.weight": "fc.bias"}])
def test_invalid_renames_are_rejected(model: Any, tmp_path: Path, renames: dict[str, str]) -> None:
    save_file(filled(model), tmp_path / "weights.safetensors")
    with pytest.raises(SpecError, match="E704"):
        load_weights(model, tmp_path / "weights.safetensors", renames)


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "ema"])
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", ""])
def test_checkpoints_are_unwrapped(model: Any, tmp_path: Path, wrapper: str, prefix: str) -> None:
    weights = {prefix + key: tensor for key, tensor in filled(model).items()}
    torch.save({wrapper: weights, "epoch": 3}, tmp_path / "checkpoint.pth")
    file = read_weights(tmp_path / "checkpoint.pth")
    assert (file.found_in, file.prefix) == ((wrapper,), prefix)
    assert load_weights(model, file).ok
    save_file(weights, tmp_path / "weights.safetensors")
    assert load_weights(model, tmp_path / "weights.safetensors").ok


@pytest.mark.parametrize("zipped", [True, False])
def test_shapes_are_read_without_loading_weights(model: Any, tmp_path: Path, zipped: bool) -> None:
    weights = filled(model)
    torch.save(weights, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    save_file(weights, tmp_path / "a.safetensors")
    shapes = {key: tuple(tensor.shape) for key, tensor in weights.items()}
    assert read_weights(tmp_path / "a.pth").shapes == shapes
    assert read_weights(tmp_path / "a.safetensors").shapes == shapes


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch pwned",)


def test_a_pickle_with_code_is_rejected(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.weight": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(SpecError, match="it contains objects other than tensors"):
        load_weights(model, tmp_path / "hostile.pth")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.safetensors", b"x"), ("a.pth", b"x"), ("a.pth", b""), ("a.bin", b"no pickle\n"), ("a.npz", b"x")],
)
def test_unreadable_files_are_rejected(model: Any, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpecError, match="E704"):
        load_weights(model, tmp_path / name)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_folders_and_pipes_are_not_opened(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"folder.{ending}").mkdir()
    os.mkfifo(tmp_path / f"pipe.{ending}")  # opening it would block until something writes
    for name, what in (("folder", "a folder"), ("pipe", "not a regular file")):
        with pytest.raises(SpecError, match=f"E704.*: it is {what}"):
            read_weights(tmp_path / f"{name}.{ending}")


def test_a_checkpoint_that_contains_itself(tmp_path: Path) -> None:
    content: dict[str, Any] = {}
    content["state_dict"] = content
    torch.save(content, tmp_path / "endless.pth")
    with pytest.raises(SpecError, match="contains no weights"):
        read_weights(tmp_path / "endless.pth")


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.zeros(3, device="meta"),
        lambda: torch.zeros(3, dtype=torch.complex64),
    ],
    ids=["sparse", "meta", "complex"],
)
def test_a_tensor_that_cannot_be_a_weight_is_rejected(tmp_path: Path, make: Callable[[], torch.Tensor]) -> None:
    torch.save({"a": torch.zeros(1), "b": make()}, tmp_path / "odd.pth")
    with pytest.raises(SpecError, match=r"`b` in .*odd\.pth cannot be a weight: it is a "):
        read_weights(tmp_path / "odd.pth")


def test_complex_numbers_in_safetensors_are_rejected(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1), "b": torch.zeros(3, dtype=torch.complex64)}, tmp_path / "odd.safetensors")
    with pytest.raises(SpecError, match=r"`b` in .* cannot be a weight: it is a "):
        read_weights(tmp_path / "odd.safetensors")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_other_dtypes_are_converted(model: Any, tmp_path: Path, dtype: torch.dtype) -> None:
    weights = {key: torch.ones(tensor.shape, dtype=dtype) for key, tensor in model.state_dict().items()}
    save_file(weights, tmp_path / "other.safetensors")
    assert load_weights(model, tmp_path / "other.safetensors").ok
    assert model.fc.weight.dtype == torch.float32
    assert model.fc.weight.unique().tolist() == [1.0]


@pytest.mark.parametrize("name", ["none.safetensors", "none.pth"])
def test_a_missing_file_is_reported(model: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match="file not found"):
        load_weights(model, tmp_path / name)


def test_weights_are_loaded_into_a_model_on_the_meta_device(model: Any, tmp_path: Path) -> None:
    save_weights(model, tmp_path / "weights.safetensors")
    with torch.device("meta"):
        empty = built(SPEC)
    assert load_weights(empty, tmp_path / "weights.safetensors").ok
    assert torch.equal(empty.fc.weight, model.fc.weight)


def test_saved_weights_can_be_loaded(model: Any, tmp_path: Path) -> None:
    model.to(memory_format=torch.channels_last)
    save_weights(model, tmp_path / "weights.safetensors")
    other = built(SPEC)
    assert load_weights(other, tmp_path / "weights.safetensors").ok
    assert all(torch.equal(tensor, model.state_dict()[key]) for key, tensor in other.state_dict().items())


def test_tensors_that_share_memory_are_saved_separately(tmp_path: Path) -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    second.bias = nn.Parameter(first.weight.detach()[0])
    tied = nn.Sequential(first, second)
    save_weights(tied, tmp_path / "tied.safetensors")
    found = load_file(tmp_path / "tied.safetensors")
    assert sorted(found) == sorted(tied.state_dict())
    assert torch.equal(found["0.weight"], found["1.weight"])


# -- networks with another classifier

CLASSIFIER = """\
cnngraph: 1
input: [3, 16, 16]
params: {classes: 10, width: 4, aux: true}
nodes:
  stem: {op: conv, out: $width, kernel: 3}
  body: [{op: conv, out: 8, kernel: 3}, {op: batch_norm, when: $width > 0}]
  aux:
    from: stem
    when: $aux
    else: []
    nodes: [global_avg_pool, {op: linear, out: 6}, relu, {op: linear, out: $classes}]
  pool: {op: global_avg_pool, from: body}
  fc: {op: linear, out: $classes}
outputs: {logits: fc, aux: aux}
training_only: [aux]
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder with the classifier and weights for its default params."""
    (tmp_path / "net.yaml").write_text(CLASSIFIER)
    save_weights(cnngraph.build(tmp_path / "net.yaml"), tmp_path / "net.safetensors")
    return tmp_path


def test_with_another_number_of_classes_the_classifiers_are_not_loaded(published: Path) -> None:
    model: Any = cnngraph.build(published / "net.yaml", classes=3)
    fresh = model.fc.weight.clone()
    report = load_weights(model, published / "net.safetensors")
    assert report.ok
    assert report.fresh_layers == ["aux.3", "fc"]
    assert len(report.loaded) == len(model.state_dict()) - 4
    assert torch.equal(model.fc.weight, fresh)
    assert torch.equal(model.stem.weight, load_file(published / "net.safetensors")["stem.weight"])
    assert "4 initialised, because the number of outputs differs:" in str(report)


def test_a_spec_that_extends_the_published_network(published: Path) -> None:
    (published / "mine.yaml").write_text("cnngraph: 1\nextends: net.yaml\nparams: {classes: 3}\n")
    report = check_weights(read_weights(published / "net.safetensors"), cnngraph.load(published / "mine.yaml"))
    assert (report.ok, report.fresh_layers) == (True, ["aux.3", "fc"])


def test_weights_of_removed_auxiliary_heads_are_left_out(published: Path) -> None:
    graph = cnngraph.load(published / "net.yaml", aux=False)
    report = check_weights(read_weights(published / "net.safetensors"), graph)
    assert (report.ok, report.fresh) == (True, ())
    assert sorted(report.left_out) == ["aux.1.bias", "aux.1.weight", "aux.3.bias", "aux.3.weight"]
    both = cnngraph.load(published / "net.yaml", aux=False, classes=3)
    assert check_weights(read_weights(published / "net.safetensors"), both).fresh_layers == ["fc"]


def test_a_convolution_with_its_norm_can_be_the_classifier(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "cnngraph: 1\ninput: [3, 8, 8]\nparams: {classes: 5}\n"
        "nodes: [{op: conv, out: 4, kernel: 3}, {op: conv, out: $classes, kernel: 1}, batch_norm, global_avg_pool]"
    )
    save_weights(cnngraph.build(spec), tmp_path / "net.safetensors")
    report = check_weights(read_weights(tmp_path / "net.safetensors"), cnngraph.load(spec, classes=3))
    assert (report.ok, report.fresh_layers) == (True, ["1", "2"])


def test_weights_of_another_width_do_not_fit(published: Path) -> None:
    report = check_weights(read_weights(published / "net.safetensors"), cnngraph.load(published / "net.yaml", width=6))
    assert not report.ok
    assert not report.fresh
    assert {mismatch.key for mismatch in report.misshapen} == {
        "stem.weight",
        "stem.bias",
        "body.0.weight",
        "aux.1.weight",
    }


def test_a_classifier_of_another_size_without_changed_params_does_not_fit(published: Path) -> None:
    save_weights(cnngraph.build(published / "net.yaml", classes=3), published / "three.safetensors")
    graph = cnngraph.load(published / "net.yaml")
    report = check_weights(read_weights(published / "three.safetensors"), graph)
    assert [mismatch.key for mismatch in report.misshapen] == ["aux.3.weight", "aux.3.bias", "fc.weight", "fc.bias"]
    assert not report.ok
    changed = cnngraph.load(published / "net.yaml", classes=4)
    assert not check_weights(read_weights(published / "three.safetensors"), changed).ok


def test_load_weights_is_strict_by_default(published: Path) -> None:
    model: Any = cnngraph.build(published / "net.yaml", classes=3)
    report = cnngraph.load_weights(model, published / "net.safetensors")
    assert report.fresh_layers == ["aux.3", "fc"]
    other: Any = cnngraph.build(published / "net.yaml", width=6)
    before = {key: tensor.clone() for key, tensor in other.state_dict().items()}
    with pytest.raises(SpecError, match=r"does not fit net: 11 of 15 weights, 4 with a different shape") as caught:
        cnngraph.load_weights(other, published / "net.safetensors")
    assert caught.value.diagnostics[0].code == "E706"
    assert all(torch.equal(tensor, before[key]) for key, tensor in other.state_dict().items())
    assert not cnngraph.load_weights(other, published / "net.safetensors", strict=False).ok
    assert torch.equal(other.fc.weight, load_file(published / "net.safetensors")["fc.weight"])


def test_weights_are_loaded_into_any_module(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "linear.pth")
    model = nn.Linear(2, 3)
    assert cnngraph.load_weights(model, tmp_path / "linear.pth").ok
    with pytest.raises(SpecError, match="does not fit Linear"):
        cnngraph.load_weights(nn.Linear(2, 4), tmp_path / "linear.pth")


def test_weights_are_converted_without_building_the_model(published: Path) -> None:
    tensors = load_file(published / "net.safetensors")
    old = {f"module.{key}": tensor for key, tensor in tensors.items() if not key.endswith("num_batches_tracked")}
    torch.save({"state_dict": old}, published / "old.pth")
    graph = cnngraph.load(published / "net.yaml")
    convert_weights(read_weights(published / "old.pth"), graph, published / "new.safetensors")
    new = load_file(published / "new.safetensors")
    assert {key: tuple(tensor.shape) for key, tensor in new.items()} == graph.state
    assert all(torch.equal(new[key], tensor) for key, tensor in tensors.items())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_torch_save_with_the_ending_safetensors(tmp_path: Path, zipped: bool) -> None:
    (tmp_path / "net.yaml").write_text("cnngraph: 1\ninput: [3, 8, 8]\nnodes: {conv: {op: conv, out: 2, kernel: 1}}\n")
    model, file = cnngraph.build(tmp_path / "net.yaml"), tmp_path / "net.safetensors"
    torch.save(model.state_dict(), file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        SpecError, match=r"is not a safetensors file: it was written by torch\.save\n  help: rename it to \.pth"
    ):
        cnngraph.load_weights(model, file)
    assert len(cnngraph.load_weights(model, file.rename(tmp_path / "net.pth")).loaded) == 2
