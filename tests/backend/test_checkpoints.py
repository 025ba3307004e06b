"""Checkpoints written by training scripts and tools: recognised by content and read without executing code."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import cnngraph
from cnngraph.backend.weights.files import read_weights
from cnngraph.cli.process import run
from cnngraph.diagnostics import SpecError

SPEC = """
cnngraph: 1
name: small
input: [3, 8, 8]
nodes:
  conv: {op: conv, out: 4, kernel: 3}
  bn: batch_norm
  pool: global_avg_pool
  fc: {op: linear, out: 5}
"""
State = dict[str, Tensor]
BYTES = torch.zeros(4, dtype=torch.uint8)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return path


def code_of(*arguments: str) -> int:
    return run(list(arguments))


def counted(state: State) -> dict[str, Any]:
    """The weights and the counters that thop adds."""
    layers = dict.fromkeys(key.rpartition(".")[0] for key in state)
    extra = {f"{layer}.{name}": torch.zeros(1) for layer in layers for name in ("total_ops", "total_params")}
    return {**state, **extra, "total_ops": torch.zeros(1), "total_params": torch.zeros(1)}


class Settings:
    """A user-defined class, which must not be loaded."""

    def __init__(self) -> None:
        self.lr = 0.1


WRITTEN: dict[str, Callable[[nn.Module, State], object]] = {
    "averaged": lambda model, state: AveragedModel(model).state_dict(),
    "averaged_and_parallel": lambda model, state: AveragedModel(nn.DataParallel(model)).state_dict(),
    "profiled": lambda model, state: counted(state),
    "namespace_beside": lambda model, state: {"state_dict": state, "args": argparse.Namespace(lr=0.1, out=Path("x"))},
    "numpy_number_beside": lambda model, state: {"model": state, "best": np.float64(71.2), "shape": np.ones(3)},
    "own_class_beside": lambda model, state: {"net": state, "settings": Settings(), "epoch": 3},
    "optimizer_beside": lambda model, state: {
        "weights": state,
        "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(4, 3, 3, 3)}}},
    },
    "parallel": lambda model, state: {
        "epoch": 90,
        "state_dict": {f"module.{key}": tensor for key, tensor in state.items()},
    },
    "parameters": lambda model, state: {
        key: nn.Parameter(tensor) if tensor.is_floating_point() else tensor for key, tensor in state.items()
    },
    **{
        f"under_{name}": lambda model, state, name=name: {name: state, "epoch": 1}  # type: ignore[misc]
        for name in ("params", "params_ema", "model_state", "network", "student", "generator", "anything at all")
    },
    "two_tables_one_known": lambda model, state: {"params_ema": state, "discriminator": {"w": torch.zeros(2, 2)}},
    "tables_in_tables": lambda model, state: {"checkpoint": {"inner": {"state_dict": state}}, "step": 3},
}


@pytest.mark.parametrize("ending", [".pth", ".pth.tar", ".pkl", ""])
@pytest.mark.parametrize("name", WRITTEN)
def test_weights_are_found_in_a_checkpoint_with_other_entries(name: str, ending: str, spec: Path) -> None:
    model = cnngraph.build(spec)
    state = model.state_dict()
    path = Path(f"{name}{ending}".replace(" ", "_"))
    torch.save(WRITTEN[name](model, state), path, _use_new_zipfile_serialization=ending != ".pkl")
    other = cnngraph.build(spec)
    assert cnngraph.load_weights(other, path).ok
    assert all(torch.equal(tensor, state[key]) for key, tensor in other.state_dict().items())
    assert code_of("weights", str(spec), str(path)) == 0


def test_no_code_of_a_checkpoint_is_executed(spec: Path, tmp_path: Path) -> None:
    """Objects are skipped: neither their class nor their __reduce__ runs."""
    marker = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {marker}",)

    class Builtin:
        def __reduce__(self) -> tuple[object, ...]:
            return eval, (f"open({str(marker)!r}, 'w')",)

    state = cnngraph.build(spec).state_dict()
    for content in (Hostile(), Builtin()):
        torch.save({"state_dict": state, "extra": content}, "hostile.pth")
        with contextlib.suppress(SpecError):
            read_weights("hostile.pth")
        assert not marker.exists()


REJECTED: dict[str, tuple[Callable[[], object], str, str]] = {
    "module": (lambda: nn.Sequential(nn.ReLU()), "a pickled torch.nn.modules.container.Sequential", "state_dict"),
    "numpy": (lambda: {"w": np.ones((2, 2))}, "contains NumPy arrays", "torch.from_numpy"),
    "tensor": (lambda: torch.zeros(3), "contains no weights, only a single tensor", ""),
    "nothing": (lambda: {"epoch": 3, "note": "x"}, "contains no weights, only 'epoch', 'note'", ""),
    "two_tables": (
        lambda: {"generator": {"w": torch.zeros(2, 2)}, "critic": {"w": torch.zeros(2, 2), "b": torch.zeros(2)}},
        "contains several sets of weights: 'generator' (1 tensors), 'critic' (2 tensors)",
        "refused.pth:generator",
    ),
    "sparse": (lambda: {"w": torch.eye(3).to_sparse()}, "`w` in refused.pth cannot be a weight", "dense"),
    "compressed": (lambda: {"w": torch.eye(3).to_sparse_csr()}, "is a sparse tensor", "dense"),
    "nested": (lambda: {"w": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}, "a nested tensor", "dense"),
    "meta": (lambda: {"w": torch.zeros(2, device="meta")}, "on the meta device", "dense"),
    "complex": (lambda: {"w": torch.zeros(2, dtype=torch.complex64)}, "a tensor of complex64", "dense"),
    "quantized": (
        lambda: {"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)},
        "a quantized tensor",
        "dense",
    ),
    "bits": (lambda: {"w": BYTES.view(torch.bits8)}, "a tensor of bits8", "dense"),
    "float4": (lambda: {"w": BYTES.view(torch.float4_e2m1fn_x2)}, "float4_e2m1fn_x2", "dense"),
    "overlap": (lambda: {"w": torch.zeros(1).expand(10**12)}, "elements overlap in memory", "dense"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REJECTED)
def test_content_that_cannot_be_weights_is_an_error(name: str, spec: Path) -> None:
    make, message, help = REJECTED[name]
    try:
        torch.save(make(), "refused.pth")
    except (NotImplementedError, RuntimeError, AttributeError):
        pytest.skip("this version of PyTorch cannot write it")
    with pytest.raises(SpecError) as error:
        cnngraph.load_weights(cnngraph.build(spec), "refused.pth")
    (found,) = error.value.diagnostics
    assert found.code == "E704"
    assert message in found.message
    assert help in (found.help or "")


def test_torchscript_programs_are_an_error(spec: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Sequential(nn.ReLU())), "script.pt")
    with pytest.raises(SpecError, match="it is a TorchScript archive"):
        read_weights("script.pt")


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\x89HDF\r\n", "HDF5"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b'{"a": 1}', "JSON"),
        (b"\x1f\x8b\x08", "gzip"),
    ],
)
def test_other_formats_are_named(start: bytes, what: str, spec: Path) -> None:
    Path("weights.pth").write_bytes(start + bytes(64))
    with pytest.raises(SpecError, match=what):
        read_weights("weights.pth")


def changed(state: State, how: str) -> State:
    change: Callable[[str], str] = {
        "prefix": lambda key: f"trunk.{key}",
        "one_layer": lambda key: key.replace("conv.", "stem.convolution."),
        "all_layers": lambda key: key.replace("conv.", "all.0.").replace("bn.", "all.1.").replace("fc.", "head."),
    }[how]  # fmt: skip
    return {change(key): tensor for key, tensor in state.items()}


@pytest.mark.parametrize("extra", [{}, {"head_of_another.weight": torch.zeros(7, 7)}], ids=["", "and more"])
@pytest.mark.parametrize("how", ["prefix", "one_layer", "all_layers"])
def test_exit_code_text_and_json_agree(how: str, extra: State, spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = cnngraph.build(spec).state_dict()
    torch.save({**changed(state, how), **extra}, "theirs.pth")
    assert code_of("weights", str(spec), "theirs.pth", "--format", "json") == 1
    facts = json.loads(capsys.readouterr().out)
    assert not facts["fits"]
    renames = facts["suggested_renames"]
    spec.write_text(SPEC + f"weights: {{renames: {json.dumps(renames)}}}\n")
    code = code_of("weights", str(spec), "theirs.pth")
    text = capsys.readouterr().out
    assert code_of("weights", str(spec), "theirs.pth", "--format", "json") == code
    facts = json.loads(capsys.readouterr().out)
    assert facts["fits"] == (code == 0) == (" fits small" in text) == (not extra)
    assert facts["fit"] == facts["weights"]
    assert code_of("weights", str(spec), "theirs.pth", "--save", "ours.safetensors") == 0
    spec.write_text(SPEC)
    assert cnngraph.load_weights(cnngraph.build(spec), "ours.safetensors").ok


def test_safetensors_are_recognised_by_content(spec: Path) -> None:
    save_file(cnngraph.build(spec).state_dict(), "weights.bin")
    assert cnngraph.load_weights(cnngraph.build(spec), "weights.bin").ok
