"""Several sets of weights in one file, and prefixes of wrappers: the network decides."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import cnngraph
from cnngraph.backend.weights.files import read_weights

SPEC = """
cnngraph: 1
name: small
input: [3, 8, 8]
params: {classes: 5}
nodes:
  conv: {op: conv, out: 4, kernel: 3}
  layer: {nodes: {conv: {op: conv, out: 4, kernel: 3}, bn: batch_norm}}
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""
State = dict[str, Tensor]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SPEC)
    return dict(cnngraph.build("small.yaml").state_dict())


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: tensor for key, tensor in state.items()}


def averaged(state: State) -> State:
    return {key: tensor + 1 for key, tensor in state.items()}


def loads(state: State, content: object, selected: str = "", **params: object) -> Any:
    """Save a checkpoint and load it; the loaded weights must be those of `state`."""
    torch.save(content, "theirs.pth")
    model = cnngraph.build("small.yaml", params=params)
    report = cnngraph.load_weights(model, f"theirs.pth{selected}")
    found = model.state_dict()
    assert all(torch.equal(found[key], state[key]) for key in report.loaded)
    return report


CONTENT: dict[str, Callable[[State], object]] = {
    "lightning": lambda state: {"state_dict": prefixed(state, "model.")},
    "lightning of a compiled model": lambda state: {"state_dict": prefixed(state, "model._orig_mod.module.")},
    "backbone": lambda state: prefixed(state, "module.backbone."),
    "compiled inside": lambda state: {key.replace("layer.", "layer._orig_mod."): state[key] for key in state},
    "sharded": lambda state: prefixed(
        {key.replace("layer.", "layer._fsdp_wrapped_module."): state[key] for key in state}, "_fsdp_wrapped_module."
    ),
    "student and a teacher of another size": lambda state: {
        "student": state,
        "teacher": {"conv.weight": torch.zeros(9, 3, 3, 3), "fc.weight": torch.zeros(5, 9)},
    },
    "both in one mapping": lambda state: {**prefixed(state, "student."), "teacher.conv.weight": torch.zeros(2, 2)},
    "usual name, other network": lambda state: {"state_dict": {"x.weight": torch.zeros(2, 2)}, "net_g": state},
    "with its average": lambda state: {"model": state, "model_ema": prefixed(averaged(state), "module.")},
    "as basicsr": lambda state: {"params_ema": averaged(state), "params": state},
}


@pytest.mark.parametrize("name", CONTENT)
def test_the_set_that_fits_is_taken(name: str, state: State) -> None:
    content = CONTENT[name](state)
    model = cnngraph.build("small.yaml")
    torch.save(content, "theirs.pth")
    cnngraph.load_weights(model, "theirs.pth", strict=False)
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
    report = cnngraph.load_weights(cnngraph.build("small.yaml", classes=3), "theirs.pth", strict=False)
    assert report.fresh_layers == ["fc"] or report.unexpected


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda state: {"student": state, "teacher": averaged(state)}, ["student", "teacher"]),
        (lambda state: {"nets": {"a": state, "b": averaged(state)}}, ["nets.a", "nets.b"]),
        (lambda state: prefixed(state, "student.") | prefixed(averaged(state), "teacher."), ["student", "teacher"]),
    ],
)
def test_equal_candidates_are_listed_and_can_be_selected(
    make: Callable[[State], object], names: list[str], state: State
) -> None:
    with pytest.raises(cnngraph.SpecError, match=r"E704.*contains several sets of weights") as caught:
        loads(state, make(state))
    text = str(caught.value)
    assert all(f"'{name}' ({len(state)} tensors)" in text for name in names)
    assert f"`theirs.pth:{names[0]}`" in text
    cnngraph.load_weights(cnngraph.build("small.yaml"), f"theirs.pth:{names[0]}", strict=False)
    model = cnngraph.build("small.yaml")
    cnngraph.load_weights(model, f"theirs.pth:{names[1]}", strict=False)
    assert torch.equal(model.state_dict()["fc.bias"], state["fc.bias"] + 1)
    with pytest.raises(cnngraph.SpecError, match=re.escape("theirs.pth has no weights under `other`")):
        cnngraph.load_weights(model, "theirs.pth:other")


def test_renames_are_applied_to_the_keys_that_they_name(state: State) -> None:
    Path("small.yaml").write_text(SPEC + 'weights: {renames: {"model.**": "**"}}\n')
    assert loads(state, prefixed(state, "model.")).ok
    assert loads(state, {"state_dict": prefixed(state, "module.model.")}).ok


def test_a_network_with_a_wrappers_name_keeps_its_keys(state: State) -> None:
    Path("net.yaml").write_text("cnngraph: 1\ninput: [3]\nnodes: {model: {nodes: {fc: {op: linear, out: 2}}}}\n")
    model = cnngraph.build("net.yaml")
    save_file(model.state_dict(), "net.safetensors")
    assert cnngraph.load_weights(model, "net.safetensors").ok
    assert read_weights("net.safetensors").prefix == ""


def test_a_hostile_number_of_prefixes_is_bounded(state: State) -> None:
    parts = ["module", "model", "net", "backbone", "encoder", "student"]
    content = {
        ".".join([*parts[number % 6 :], *parts[: number % 6]] * 3) + f".{number}": torch.zeros(1)
        for number in range(20_000)
    }
    torch.save(
        {f"table{number}": {key: content[key] for key in list(content)[:300]} for number in range(60)} | content,
        "theirs.pth",
    )
    started = time.process_time()
    with pytest.raises(cnngraph.SpecError):
        cnngraph.load_weights(cnngraph.build("small.yaml"), "theirs.pth")
    assert time.process_time() - started < 30


# -- variants of a network that the file fits

VARIANTS = {
    "another stem": ("params: {classes: 5}\nblocks: {stem: {nodes: {conv: {op: conv, out: 4, kernel: 5}}}}", ["stem"]),
    "a new layer": ("blocks: {body: {nodes: {conv: {op: conv, out: 4, kernel: 3}, more: batch_norm}}}", ["body.more"]),
    "change": (
        "change: [{match: stem.conv, kernel: 5}, {match: body.conv, after: {more: {op: conv, out: 4, kernel: 1}}}]",
        ["body.more", "stem"],
    ),
    "a removed layer": ("change: [{match: body.conv, remove: true}]", []),
    "both and other classes": (
        "params: {classes: 2}\nblocks: {body: {nodes: {conv: {op: conv, out: 4, kernel: 3}, more: batch_norm}}}",
        ["body.more", "fc"],
    ),
}
BASE = """
cnngraph: 1
name: base
input: [3, 8, 8]
params: {classes: 5, width: 4}
blocks:
  stem: {nodes: {conv: {op: conv, out: $width, kernel: 3}}}
  body: {nodes: {conv: {op: conv, out: 4, kernel: 3}}}
nodes:
  stem: stem
  body: body
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_variant_changes_is_fresh(name: str, state: State) -> None:
    Path("base.yaml").write_text(BASE)
    changes, fresh = VARIANTS[name]
    Path("variant.yaml").write_text(f"cnngraph: 1\nextends: base.yaml\n{changes}\n")
    save_file(cnngraph.build("base.yaml").state_dict(), "base.safetensors")
    report = cnngraph.load_weights(cnngraph.build("variant.yaml"), "base.safetensors")
    assert report.ok
    assert sorted(layer.removesuffix(".conv") for layer in report.fresh_layers) == fresh


def test_a_layer_that_params_change_does_not_fit(state: State) -> None:
    Path("base.yaml").write_text(BASE)
    save_file(cnngraph.build("base.yaml").state_dict(), "base.safetensors")
    for spec in ("base.yaml", "wide.yaml"):
        Path("wide.yaml").write_text("cnngraph: 1\nextends: base.yaml\nparams: {width: 6}\n")
        params = {"width": 6} if spec == "base.yaml" else {}
        with pytest.raises(cnngraph.SpecError, match="with a different shape"):
            cnngraph.load_weights(cnngraph.build(spec, params=params), "base.safetensors")
