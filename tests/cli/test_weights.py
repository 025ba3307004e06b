from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision import models

import cnngraph
from tests.cli.conftest import ONE, Cli
from tests.library import network

CLASSES = ONE.replace("params: {out: 4}", "params: {classes: 10}").replace("$out", "4").replace("10}]", "$classes}]")
EXTENDED = "cnngraph: 1\nextends: one.yaml\nparams: {out: 6}\n"


def weights(spec: str = "one.yaml", **params: object) -> dict[str, Tensor]:
    """Random weights of the network."""
    return {key: torch.full(shape, 1.0) for key, shape in cnngraph.load(spec, params=params).state.items()}


def test_weights_that_fit(cli: Cli, one: str) -> None:
    save_file(weights(), "theirs.safetensors")
    ran = cli("weights", one, "theirs.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "block   weights   fit   missing   other shape   only in the file\n"
        "conv          2     2\n"
        "head          2     2\n"
        "\n"
        "theirs.safetensors fits one: 4 of 4 weights\n"
    )


def test_weights_that_do_not_fit(cli: Cli, one: str) -> None:
    theirs = weights()
    del theirs["conv.bias"]
    torch.save({"state_dict": theirs | {"head.1.bias": torch.zeros(7), "old.weight": torch.zeros(3)}}, "theirs.pth")
    ran = cli("weights", one, "theirs.pth")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        "block   weights   fit   missing   other shape   only in the file\n"
        "conv          2     1         1\n"
        "head          2     1                       1\n"
        "old                                                            1\n"
        "\n"
        "1 missing in the file:\n"
        "  conv.bias\n"
        "1 with a different shape:\n"
        "  head.1.bias: 7 in the file, 10 in the network\n"
        "1 only in the file:\n"
        "  old.weight\n"
        "\n"
        "The file has the weights under state_dict.\n"
        "theirs.pth does not fit one: 2 of 4 weights, 1 missing, 1 with a different shape, 1 only in the file\n"
    )


def test_no_module_is_built(cli: Cli, one: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr("cnngraph.backend.modules.build.build_layer", fail)
    save_file(weights(), "theirs.safetensors")
    assert cli("weights", one, "theirs.safetensors", "--save", "ours.safetensors").code == 0


def test_renames_to_paste_into_the_spec(cli: Cli, one: str, folder: Path) -> None:
    save_file({f"trunk.{key}": tensor for key, tensor in weights().items()}, "theirs.safetensors")
    ran = cli("weights", one, "theirs.safetensors")
    assert ran.code == 1
    paste = 'weights:\n  renames:\n    "trunk.**": "**"\n'
    assert f"\nWith these lines in the spec, all weights fit (4 of 4 weights):\n{paste}\n" in ran.out
    assert "\ntheirs.safetensors does not fit one: " in ran.out
    (folder / "one.yaml").write_text(ONE + paste)
    assert cli("weights", one, "theirs.safetensors").code == 0


def test_renames_for_a_bundled_network_extend_it(cli: Cli, folder: Path) -> None:
    state = cnngraph.load("googlenet_mnist").state
    save_file({f"trunk.{key}": torch.zeros(shape) for key, shape in state.items()}, "theirs.safetensors")
    ran = cli("weights", "googlenet_mnist", "theirs.safetensors")
    paste = 'cnngraph: 1\nextends: googlenet_mnist\nweights:\n  renames:\n    "trunk.**": "**"\n'
    assert f"\nWith these lines in a new spec, all weights fit (34 of 34 weights):\n{paste}" in ran.out
    (folder / "own.yaml").write_text(paste)
    assert cli("weights", "own.yaml", "theirs.safetensors").code == 0


def test_another_number_of_classes_is_not_an_error(cli: Cli, folder: Path) -> None:
    (folder / "one.yaml").write_text(CLASSES)
    save_file(weights(), "theirs.safetensors")
    ran = cli("weights", "one.yaml", "theirs.safetensors", "--set", "classes=3")
    assert (ran.code, ran.err) == (0, "")
    assert (
        "2 initialised, because the number of outputs differs:\n  head.1.weight: 10×256 in the file, 3×256 in the"
        in ran.out
    )
    assert ran.out.endswith("\ntheirs.safetensors fits one: 2 of 4 weights, head.1 freshly initialised\n")
    ran = cli("build", "one.yaml", "--weights", "theirs.safetensors", "--set", "classes=3", "-o", "ours.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert (
        "\ntheirs.safetensors: 2 of 4 weights loaded\n2 initialised, because the number of outputs differs:\n"
        in ran.out
    )
    ours = load_file("ours.safetensors")
    assert ours["head.1.weight"].shape == (3, 256)
    assert torch.equal(ours["conv.weight"], weights()["conv.weight"])
    ran = cli("build", "one.yaml", "--weights", "ours.safetensors")
    assert ran.code == 1  # the number of classes was not changed by --set


def test_json(cli: Cli, one: str, folder: Path) -> None:
    theirs = {f"trunk.{key}": tensor for key, tensor in weights(out=6).items()}
    save_file(theirs, "theirs.safetensors")
    (folder / "extended.yaml").write_text(EXTENDED)
    ran = cli("weights", "extended.yaml", "theirs.safetensors", "--format", "json")
    assert (ran.code, ran.err) == (1, "")
    facts = json.loads(ran.out)
    assert facts == {
        "network": "extended",
        "file": "theirs.safetensors",
        "fits": False,
        "weights": 4,
        "fit": 0,
        "missing": list(weights()),
        "misshapen": [],
        "unexpected": sorted(theirs),
        "fresh": [],
        "left_out": [],
        "blocks": [
            {"name": "conv", "weights": 2, "fit": 0, "missing": 2, "misshapen": 0, "unexpected": 0},
            {"name": "head", "weights": 2, "fit": 0, "missing": 2, "misshapen": 0, "unexpected": 0},
            {"name": "trunk", "weights": 0, "fit": 0, "missing": 0, "misshapen": 0, "unexpected": 4},
        ],
        "suggested_renames": {"trunk.**": "**"},
    } | {"unexpected": facts["unexpected"]}
    assert sorted(facts["unexpected"]) == sorted(theirs)


def test_large_block_is_split(cli: Cli, folder: Path) -> None:
    (folder / "net.yaml").write_text(
        "cnngraph: 1\ninput: [3, 8, 8]\nnodes:\n  features:\n    nodes:\n      stem: {op: conv, out: 4, kernel: 1}\n"
        "      stages: {repeat: 3, nodes: [{op: conv, out: 4, kernel: 1}, batch_norm]}\n"
        "  fc: [global_avg_pool, {op: linear, out: 3}]\n"
    )
    save_file(weights("net.yaml"), "theirs.safetensors")
    rows = cli("weights", "net.yaml", "theirs.safetensors").out.splitlines()[1:4]
    found = [(row.split()[0], row.split()[1]) for row in rows]
    assert found == [("features.stem", "2"), ("features.stages.0–2", "21"), ("fc", "2")]


def test_weights_are_converted(cli: Cli, one: str, folder: Path) -> None:
    theirs = {f"module.{key}": tensor for key, tensor in weights().items()}
    torch.save({"model": theirs, "epoch": 3}, "theirs.pth")
    ran = cli("weights", one, "theirs.pth", "--save", "ours.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("\ntheirs.pth fits one: 4 of 4 weights\nwrote ours.safetensors\n")
    ours = load_file("ours.safetensors")
    assert all(torch.equal(ours[key], tensor) for key, tensor in weights().items())
    assert sorted(path.name for path in folder.iterdir()) == ["one.yaml", "ours.safetensors", "theirs.pth"]
    assert cli("build", one, "--weights", "ours.safetensors").code == 0


def test_unexpected_keys_are_not_converted(cli: Cli, one: str) -> None:
    save_file(weights() | {"old.weight": torch.zeros(3)}, "theirs.safetensors")
    ran = cli("weights", one, "theirs.safetensors", "--save", "ours.safetensors")
    assert ran.code == 0  # the file has all weights of the network
    assert ran.out.endswith("wrote ours.safetensors, without 1 weight that the network does not have\n")
    assert sorted(load_file("ours.safetensors")) == sorted(weights())


def test_nothing_is_written_if_weights_are_missing(cli: Cli, folder: Path) -> None:
    (folder / "one.yaml").write_text(CLASSES)
    save_file(weights(), "theirs.safetensors")
    ran = cli("weights", "one.yaml", "theirs.safetensors", "--set", "classes=3", "--save", "ours.safetensors")
    assert ran.code == 1
    assert ran.err.startswith("error: cannot write ours.safetensors: 2 weights would be missing, because ")
    assert ran.err.endswith(" is freshly initialised\n")
    assert not (folder / "ours.safetensors").exists()


@pytest.mark.parametrize(
    ("save", "message"),
    [
        ("ours.pth", "ours.pth must end in .safetensors"),
        ("nowhere/ours.safetensors", "there is no folder nowhere"),
        ("theirs.safetensors", "theirs.safetensors is the input file"),
        ("./theirs.safetensors", "theirs.safetensors is the input file"),
    ],
)
def test_invalid_output_paths(cli: Cli, one: str, save: str, message: str) -> None:
    save_file(weights(), "theirs.safetensors")
    before = Path("theirs.safetensors").read_bytes()
    ran = cli("weights", one, "theirs.safetensors", "--save", save)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: invalid value for --save: {message}\n")
    assert Path("theirs.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.pth", "error[E704]: cannot read nowhere.pth: file not found"),
        ("one.yaml", "error[E704]: one.yaml is not a weights file: it is text"),
        ("torchvision", "error[E705]: torchvision has no network `one`\n"),
    ],
)
def test_file_that_is_not_a_weights_file(cli: Cli, one: str, name: str, message: str) -> None:
    ran = cli("weights", one, name)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(message)


def test_keys_are_escaped(cli: Cli, one: str) -> None:
    save_file(weights() | {"a\x1b[31m.b": torch.zeros(1), "c\nit fits": torch.zeros(1)}, "theirs.safetensors")
    ran = cli("weights", one, "theirs.safetensors")
    assert "\x1b" not in ran.out
    assert "\nit fits" not in ran.out + cli("build", one, "--weights", "theirs.safetensors").out
    assert r"a\x1b[31m" in ran.out
    assert "\x1b" not in cli("weights", one, "theirs.safetensors", "--format", "json").out


# -- published weights


@pytest.fixture
def squeezenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """A network whose published weights are replaced by a local file."""
    spec = str(network("squeezenet1_1"))
    torch.save(weights(spec), tmp_path / "squeezenet.pth")
    chosen: Any = models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    monkeypatch.setattr(chosen.value, "url", (tmp_path / "squeezenet.pth").as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return spec


def test_build_with_published_weights(cli: Cli, squeezenet: str) -> None:
    ran = cli("build", squeezenet, "--weights", "torchvision")
    assert (ran.code, ran.err) == (0, "")  # no progress bar outside a terminal
    assert ran.out.endswith("\nSqueezeNet1_1_Weights.IMAGENET1K_V1: 52 of 52 weights loaded\n")
    words = ["--weights", "torchvision:IMAGENET1K_V1", "--set", "classes=10", "-o", "ten.safetensors"]
    ran = cli("build", squeezenet, *words)
    assert (ran.code, ran.err) == (0, "")
    assert (
        ": 50 of 52 weights loaded\n2 initialised, because the number of outputs differs:\n  classifier.1.weight: 1000"
        in ran.out
    )
    assert load_file("ten.safetensors")["features.0.weight"].unique().tolist() == [1.0]


def test_published_weights_are_compared_by_block(cli: Cli, squeezenet: str) -> None:
    ran = cli("weights", squeezenet, "torchvision", "--set", "classes=10")
    assert ran.code == 0
    assert ran.out.endswith(
        "\nSqueezeNet1_1_Weights.IMAGENET1K_V1 fits squeezenet1_1: 50 of 52 weights, classifier.1 freshly initialised\n"
    )


def test_offline_nothing_is_built(cli: Cli, squeezenet: str, tmp_path: Path) -> None:
    (tmp_path / "squeezenet.pth").unlink()
    ran = cli("build", squeezenet, "--weights", "torchvision")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error[E705]: cannot download SqueezeNet1_1_Weights.IMAGENET1K_V1: ")
    assert "\n  help: check the connection, or download file:///" in ran.err


def test_params_of_published_weights_are_reported(
    cli: Cli, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = str(network("googlenet"))
    torch.save(weights(spec), tmp_path / "googlenet.pth")
    chosen: Any = models.GoogLeNet_Weights.IMAGENET1K_V1
    monkeypatch.setattr(chosen.value, "url", (tmp_path / "googlenet.pth").as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    expectation = "\nGoogLeNet_Weights.IMAGENET1K_V1 expects --set transform_input=true\n"
    assert expectation in cli("weights", spec, "torchvision").out
    assert expectation not in cli("weights", spec, "torchvision", "--set", "transform_input=true").out
