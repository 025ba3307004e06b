"""`cnngraph train`: recipes and settings, resuming, Ctrl-C, several processes."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cnngraph
from cnngraph.recipe import load_recipe
from cnngraph.train import Reporter, Request
from cnngraph.train.record.progress import Silent
from tests.cli.conftest import TINY, Cli
from tests.library import ROOT, network


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The request that the command passes to a trainer that does nothing."""
    asked: dict[str, Any] = {}

    def run_training(request: Request, reporter: Reporter) -> SimpleNamespace:
        asked.update({field.name: getattr(request, field.name) for field in dataclasses.fields(request)})
        asked["quiet"] = type(reporter) is Silent
        return SimpleNamespace(interrupted=False)

    monkeypatch.setattr(import_module("cnngraph.train"), "run_training", run_training)
    return asked


def test_recipe_of_the_spec(cli: Cli, tiny: str, requested: dict[str, Any]) -> None:
    assert cli("train", tiny, "--out", "run", "--data", "data", "--device", "cpu", "--quiet").code == 0
    assert requested["graph"].name == "tiny"
    assert (requested["recipe"].epochs, requested["recipe"].optimizer.lr) == (2, 0.1)
    assert (requested["out"], requested["data_dir"], requested["device"]) == (Path("run"), Path("data"), "cpu")
    assert (requested["quiet"], requested["resume"]) == (True, False)


def test_set_changes_recipe_keys(cli: Cli, tiny: str, requested: dict[str, Any]) -> None:
    assert cli("train", tiny, "--set", "train.epochs=3", "--set", "train.optimizer.lr=0.5").code == 0
    assert (requested["recipe"].epochs, requested["recipe"].optimizer.lr, requested["recipe"].batch_size) == (
        3,
        0.5,
        200,
    )


def test_set_expands_an_optimizer_name(cli: Cli, folder: Path, requested: dict[str, Any]) -> None:
    (folder / "tiny.yaml").write_text(TINY.replace("optimizer: sgd", "optimizer: adam"))
    assert cli("train", "tiny.yaml", "--set", "train.optimizer.lr=0.5").code == 0
    assert (requested["recipe"].optimizer.name, requested["recipe"].optimizer.lr) == ("adam", 0.5)


def test_recipe_option_replaces_the_specs_recipe(cli: Cli, tiny: str, folder: Path, requested: dict[str, Any]) -> None:
    assert cli("train", tiny, "--recipe", "digits", "--set", "train.seed=7").code == 0
    assert (requested["recipe"].name, requested["recipe"].epochs, requested["recipe"].seed) == ("digits", 8, 7)
    (folder / "mine.yaml").write_text("{data: mnist, epochs: 1, optimizer: adam}")
    assert cli("train", tiny, "--recipe", "mine.yaml").code == 0
    assert (requested["recipe"].name, requested["recipe"].data.name) == ("mine", "mnist")


def test_bundled_network_by_name(cli: Cli, folder: Path, requested: dict[str, Any]) -> None:
    assert cli("train", "googlenet_mnist", "--recipe", "digits").code == 0
    assert (requested["graph"].name, requested["recipe"].name) == ("googlenet_mnist", "digits")
    assert cli("train", "googlenet_mnits").err.endswith("  help: did you mean `googlenet_mnist`?\n")


@pytest.mark.parametrize("name", ["residual_mnist_conv_shortcut", "resnet_cifar_222"])
def test_resolved_spec_is_self_contained(cli: Cli, folder: Path, requested: dict[str, Any], name: str) -> None:
    assert cli("train", network(name), "--set", "train.epochs=3", "--set", "classes=10").code == 0
    (folder / "resolved.yaml").write_text(requested["spec_text"])
    again = cnngraph.load("resolved.yaml")
    assert again.state == requested["graph"].state
    assert [(node.path, node.op, node.inputs) for node in again.nodes] == [
        (node.path, node.op, node.inputs) for node in requested["graph"].nodes
    ]
    recipe = requested["recipe"]
    assert cli("train", "resolved.yaml").code == 0
    assert requested["recipe"] == recipe


def test_initial_weights(cli: Cli, tiny: str, requested: dict[str, Any]) -> None:
    assert cli("train", tiny).code == 0
    assert requested["weights"] is None
    assert cli("build", tiny, "-o", "tiny.safetensors").code == 0
    assert cli("train", tiny, "--weights", "tiny.safetensors").code == 0
    assert str(getattr(requested["weights"], "path", "")) == "tiny.safetensors"
    ran = cli("train", tiny, "--weights", "torchvision")
    assert ran.err.startswith("error[E705]: torchvision has no network `tiny`\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe", "digit"], "error[E606]: there is no recipe called `digit`\n  help: did you mean `digits`?\n"),
        (["--recipe", "nowhere.yaml"], "error[E606]: cannot read nowhere.yaml: file not found\n"),
        (["--recipe", "digits", "--set", "train.epochs=none"], "error[E603]: `epochs` must be an integer"),
        (["--set", "train.epoch=3"], "error[E602]: a recipe has no key `epoch`\n"),
        (["--set", "clases=3"], "error[E303]: the spec has no param `clases`\n"),
        (["--recipe", "tiny.yaml"], "error[E601]: tiny.yaml is a spec, not a recipe\n --> tiny.yaml:1:1\n"),
        (
            ["--recipe", "under.yaml"],
            "error[E601]: the keys of a recipe file belong at the top level, not under `train`\n --> under.yaml:2",
        ),
        (
            ["--recipe", "undre.yaml"],
            "error[E606]: cannot read undre.yaml: file not found\n  help: did you mean `under.yaml`?",
        ),
    ],
)
def test_invalid_recipe(cli: Cli, tiny: str, words: list[str], message: str) -> None:
    Path("under.yaml").write_text("about: x\ntrain: {data: digits, epochs: 1, optimizer: adam}\n")
    ran = cli("train", tiny, *words)
    assert (ran.code, ran.out, ran.err.count("error[")) == (1, "", 1)
    assert ran.err.startswith(message)


@pytest.mark.parametrize("name", ["epochs", "optimizer.lr", "lr"])
def test_recipe_key_without_train_prefix(cli: Cli, tiny: str, name: str) -> None:
    ran = cli("train", tiny, "--set", f"{name}=3")
    word = {"lr": "optimizer.lr"}.get(name, name)
    assert ran.err.startswith(f"error[E303]: the spec has no param `{name}`\n")
    assert ran.err.endswith(f"  help: did you mean `train.{word}`?\n")


@pytest.mark.parametrize("command", ["train", "experiment"])
def test_recipe_instead_of_a_network(cli: Cli, folder: Path, command: str) -> None:
    (folder / "quick.yaml").write_text("about: x\ndata: digits\nepochs: 1\noptimizer: adam\n")
    ran = cli(command, "quick.yaml")
    assert (ran.code, ran.err.count("error[")) == (1, 1)
    expected = "an experiment" if command == "experiment" else "a spec"
    assert f": quick.yaml is a recipe, not {expected}\n --> quick.yaml:2:1\n" in ran.err
    assert ran.err.endswith("  help: to train a network with it, run `cnngraph train SPEC --recipe quick.yaml`\n")


def test_run_folder_instead_of_a_weights_file(cli: Cli, tiny: str, folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "last.safetensors").write_text("")
    ran = cli("train", tiny, "--weights", "run")
    assert ran.err == (
        "error[E704]: cannot read run: it is the folder of a run\n  help: its weights are in run/last.safetensors\n"
    )
    ran = cli("train", tiny, "--weights", tiny)
    assert ran.err == f"error[E704]: {tiny} is not a weights file: it is text\n"
    ran = cli("predict", "run", "x.png", "--weights", "torchvision")
    assert ran.code == 1
    assert ran.err.startswith("error[E650]: run is a folder, but torchvision weights need the name of a network")


def test_recipe_errors_point_to_the_recipe(cli: Cli, tiny: str, folder: Path) -> None:
    text = (
        "data: digits\nepochs: 1\noptimizer: {name: sgd, lr: 0.1, groups: [{match: nothing}]}\n"
        "loss: {auxiliary: {aux: 1}}\ncheckpoint: nothing\n"
    )
    (folder / "mine.yaml").write_text(text)
    ran = cli("train", tiny, "--recipe", "mine.yaml", "--set", "train.loss.class_weights=[1, 2]")
    places = re.findall(r"error\[(\w+)\].*\n *--> (.*):\d+\n", ran.err)
    assert places == [
        ("E605", "command line:1"), ("E613", "mine.yaml:4"), ("E614", "mine.yaml:3"), ("E614", "mine.yaml:5"),
    ]  # fmt: skip


def test_missing_recipe(cli: Cli, one: str) -> None:
    ran = cli("train", one)
    assert ran.code == 1
    assert ran.err.startswith(
        "error[E606]: no recipe: the spec has no `train`, and `--recipe` is missing\n  help: add `--recipe NAME`"
    )


def test_run_and_resume_with_more_epochs(cli: Cli, tiny: str, folder: Path) -> None:
    ran = cli("train", tiny, "--out", "run", "--set", "train.epochs=1")
    assert (ran.code, ran.err) == (0, "")
    assert "  1/1  " in ran.out
    assert json.loads((folder / "run" / "metrics.json").read_text())["finished"]
    assert cnngraph.load("run/spec.yaml").state == cnngraph.load(tiny).state
    assert load_recipe("run/recipe.yaml").epochs == 1
    ran = cli("train", "--resume", "run")
    assert ran.code == 1
    assert "use `--set train.epochs=2` to train it further" in ran.err
    ran = cli("train", tiny, "--resume", "run", "--set", "train.epochs=2")
    assert (ran.code, ran.err) == (0, "")
    assert "  2/2  " in ran.out
    assert "  1/2  " not in ran.out
    assert load_recipe("run/recipe.yaml").epochs == 2


def test_resuming_a_folder_without_a_run(cli: Cli, tiny: str, folder: Path, requested: dict[str, Any]) -> None:
    ran = cli("train", "--resume", "run")
    assert (ran.code, ran.err) == (1, "error[E631]: run is not a run folder: it contains no spec.yaml\n")
    (folder / "run").mkdir()
    (folder / "run" / "spec.yaml").write_text(TINY.replace("optimizer: sgd", "optimizer: adam"))
    (folder / "run" / "recipe.yaml").write_text("{data: digits, epochs: 1, optimizer: adam}")
    assert cli("train", "--resume", "run").code == 0
    assert (requested["resume"], requested["out"], requested["recipe"].optimizer.name) == (True, Path("run"), "adam")
    ran = cli("train", tiny, "--resume", "run", "--set", "classes=3")
    assert (ran.code, ran.err) == (1, "error[E631]: the run in run trains a different network than tiny.yaml\n")
    assert cli("train", "--resume", "run", "--set", "classes=3").code == 2
    assert cli("train", "--resume", "run", "--out", "other").code == 2
    assert cli("train", "--resume", "run", "--weights", "torchvision").code == 2


def test_ctrl_c_leaves_a_checkpoint_to_resume_from(cli: Cli, tiny: str, folder: Path) -> None:
    words = ["train", tiny, "--out", "run", "--set", "train.epochs=100000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "cnngraph", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as run:
        assert run.stdout
        while b"train loss" not in run.stdout.readline():
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors == b""
    done = len((folder / "run" / "metrics.csv").read_text().splitlines())
    ran = cli("train", "--resume", "run", "--set", f"train.epochs={done + 1}")
    assert ran.code == 0
    assert f"{done + 1}/{done + 1}  " in ran.out


def torchrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`cnngraph train` in two processes."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*launcher, "-m", "cnngraph", "train", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_two_processes_train_one_network(tiny: str, folder: Path) -> None:
    done = torchrun(folder, tiny, "--out", "run")
    assert done.returncode == 0, done.stderr
    *data, opening = done.stdout.splitlines()[:4]
    closing = done.stdout.splitlines()[-1]
    assert [line.partition(":")[0] for line in data] == ["train", "validation", "test"]
    assert opening.endswith("2 processes, each on cpu, 1 thread")
    assert closing.startswith("best epoch 2")
    assert done.stdout.count("  1/2  ") == 1
    assert json.loads((folder / "run" / "environment.json").read_text())["processes"] == 2


@pytest.mark.parametrize("error", ["nodes", "batch_size"])
def test_one_of_two_processes_prints_the_error(tiny: str, folder: Path, error: str) -> None:
    arguments = ["--set", "train.batch_size=3"] if error == "batch_size" else ["--set", "clases=3"]
    done = torchrun(folder, tiny, "--out", "run", *arguments)
    assert done.returncode == 1
    assert done.stderr.count("error[") == 1
    assert ("E636" in done.stderr) == (error == "batch_size")
    assert not (folder / "run").exists()
