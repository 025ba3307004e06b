"""The options of the command line and the parameters of the Python functions are the same, except where noted."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from safetensors.torch import load_file, save_file

import cnngraph

READING = {"--set": "params", "--input": "input", "--plugin": "plugins", "--max-nodes": "max_nodes"}
FROM = {"--input-channels": "input_channels", "--classes": "classes"}
FITTING = {"--partial": "partial", "--fresh": "fresh", "--leave": "leave"}
TRAINED = {
    "--weights": "weights",
    "--device": "device",
    "--plugin": "plugins",
    "--max-nodes": "max_nodes",
    "--format": "(to_dict)",
}

# The parameter of each option; in brackets where else Python has it.
TABLE: dict[str, dict[str, str]] = {
    "train": {
        **READING,
        **FROM,
        **FITTING,
        "--recipe": "recipe",
        "--out": "out",
        "--data-dir": "data_dir",
        "--resume": "resume",
        "--weights": "weights",
        "--from": "from_",
        "--old-set": "(from_ is a graph of `load` with params)",
        "--device": "device",
        "--quiet": "(progress)",
        "--handler": "handlers",
        "--log": "log",
        "--log-every": "log_every",
        "--dry-run": "(check with data_dir)",
    },
    "migrate": {
        **READING,
        **FROM,
        "--output": "out",
        "--old-set": "old_params",
        "--fresh": "fresh",
        "--seed": "seed",
        "--format": "(to_dict)",
    },
    "evaluate": {
        **TRAINED,
        "--split": "(the second argument)",
        "--data-dir": "data_dir",
        "--wrong": "wrong",
        "--output": "(draw, save_wrong)",
    },
    "predict": {**TRAINED, "--top": "top"},
    "localize": {
        **TRAINED,
        "--class": "class_",
        "--threshold": "threshold",
        "--layer": "layer",
        "--output": "(draw)",
    },
    "features": {
        **TRAINED,
        "--node": "node",
        "--most": "(draw)",
        "--scale": "(draw)",
        "--output": "(draw)",
    },
    "build": {
        **READING,
        **dict.fromkeys((*FITTING, "--weights"), "(load_weights)"),
        **dict.fromkeys((*FROM, "--from", "--old-set"), "(migrate)"),
        "--seed": "(torch.manual_seed)",
        "--output": "(export_source, state_dict)",
    },
}
ONLY_PYTHON = {
    "train": {"changes": "--set train.NAME", "seed": "--set train.seed", "progress": "--quiet"},
    "evaluate": {"progress": "(always printed)"},
    "predict": {"strict": "(exit code 1)"},
    "localize": {"strict": "(exit code 1)"},
    "features": {},
    "build": {"more_params": "--set"},
    "migrate": {},
}


@pytest.mark.parametrize("name", TABLE)
def test_every_option_is_a_parameter(name: str) -> None:
    command: click.Command = getattr(import_module(f"cnngraph.cli.commands.{name}"), name)
    options = {max(param.opts, key=len) for param in command.params if isinstance(param, click.Option)}
    options = {"--data-dir" if option == "--data" else option for option in options} - {"--help"}
    assert options == set(TABLE[name])
    function: Callable[..., Any] = getattr(cnngraph, name)
    parameters = {
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
    }
    named = {value for value in TABLE[name].values() if not value.startswith("(")}
    assert named | set(ONLY_PYTHON[name]) == parameters


OLD = """\
cnngraph: 1
input: [3, 28, 28]
params: {classes: 10, width: 8}
nodes:
  conv: {op: conv, out: $width, kernel: 3, stride: 4}
  relu: relu
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""
NEW = OLD.replace("[3, 28, 28]", "[1, 28, 28]")
RECIPE = {"data": "digits", "epochs": 1, "batch_size": 20, "optimizer": {"name": "sgd", "lr": 1e-9}, "device": "cpu"}


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_digits: None) -> dict[str, torch.Tensor]:
    """Two specs, and weights of the first, in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(OLD)
    Path("new.yaml").write_text(NEW)
    state = {key: torch.randn(shape) for key, shape in cnngraph.load("old.yaml").state.items()}
    save_file(state, "old.safetensors")
    return state


def trained(**arguments: Any) -> dict[str, torch.Tensor]:
    """The last weights of a run whose learning rate is too small to change them."""
    result = cnngraph.train("new.yaml", recipe=RECIPE, **arguments)
    return load_file(result.folder / "last.safetensors")


def test_train_adapts_input_channels_as_chosen(old: dict[str, torch.Tensor]) -> None:
    for mode, expected in (
        ("sum", old["conv.weight"].sum(1, keepdim=True)),
        ("mean", old["conv.weight"].mean(1, keepdim=True)),
    ):
        found = trained(weights="old.safetensors", from_="old.yaml", input_channels=mode)
        torch.testing.assert_close(found["conv.weight"], expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(found["fc.weight"], old["fc.weight"], rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="input_channels must be 'sum', 'mean' or 'cycle', got 'max'"):
        trained(weights="old.safetensors", from_="old.yaml", input_channels="max")


def test_train_keeps_chosen_classes_and_fresh_weights(old: dict[str, torch.Tensor]) -> None:
    order = (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
    found = trained(weights="old.safetensors", from_=cnngraph.load("old.yaml"), classes=order, fresh="conv")
    torch.testing.assert_close(found["fc.weight"], old["fc.weight"].flip(0), rtol=0, atol=1e-6)
    assert float(found["conv.weight"].abs().max()) <= 27**-0.5 * 3  # initialised, not adapted


def test_train_loads_what_fits(old: dict[str, torch.Tensor]) -> None:
    for arguments in ({"partial": True}, {"fresh": "conv.weight"}):
        found = trained(weights="old.safetensors", **arguments)
        torch.testing.assert_close(found["fc.weight"], old["fc.weight"], rtol=0, atol=1e-6)
    save_file({**old, "conv.weight": torch.zeros(8, 1, 3, 3), "extra": torch.zeros(3)}, "more.safetensors")
    assert float(trained(weights="more.safetensors", leave=["extra"])["conv.weight"].abs().max()) < 1e-6
    with pytest.raises(cnngraph.SpecError, match="E706"):
        trained(weights="more.safetensors")


def test_params_and_input_of_both_networks_of_a_migration(old: dict[str, torch.Tensor]) -> None:
    result = cnngraph.migrate(
        "old.yaml", "old.yaml", "old.safetensors", params={"width": 12, "classes": 2}, input=(1, 28, 28), classes=[3, 4]
    )
    assert result.state["conv.weight"].shape == (12, 1, 3, 3)
    assert torch.equal(result.state["fc.bias"], old["fc.bias"][3:5])
    wide = {key: torch.zeros(shape) for key, shape in cnngraph.load("old.yaml", width=5).state.items()}
    save_file(wide, "wide.safetensors")
    done = cnngraph.migrate("old.yaml", "old.yaml", "wide.safetensors", old_params={"width": 5})
    assert done.state["conv.weight"].shape == (8, 3, 3, 3)
    with pytest.raises(TypeError, match="can only be passed with a spec"):
        cnngraph.migrate(cnngraph.load("old.yaml"), "old.yaml", "old.safetensors", old_params={"width": 5})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"from_": "old.yaml"}, "`from_` needs `weights`: a file, or torchvision"),
        ({"partial": True}, "`partial` needs `weights`: a file, or torchvision"),
        ({"fresh": "fc"}, "`fresh` needs `weights`: a file, or torchvision"),
        ({"weights": "none", "from_": "old.yaml"}, "`from_` has no effect on random weights"),
        ({"weights": "w", "input_channels": "sum"}, "`input_channels` needs `from_`"),
        ({"weights": "w", "classes": [1]}, "`classes` needs `from_`"),
        ({"weights": "w", "from_": "old.yaml", "leave": ["x"]}, "`leave` cannot be combined with `from_`"),
        ({"resume": "run", "fresh": "fc"}, "a resumed run keeps its weights: leave out `fresh`"),
        ({"resume": "run", "weights": "w"}, "a resumed run keeps its weights: leave out `weights`"),
        ({"resume": "run", "out": "other"}, "a resumed run keeps its recipe and folder: leave out `recipe` and `out`"),
    ],
)
def test_contradictions(old: dict[str, torch.Tensor], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as raised:
        cnngraph.train(*([] if "resume" in arguments else ["new.yaml"]), **arguments)
    assert str(raised.value).startswith(message)
