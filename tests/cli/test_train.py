from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import cnngraph
from cnngraph import packages
from cnngraph.recipe import load_recipe
from cnngraph.train import Reporter, Request
from cnngraph.train.record.progress import Silent
from tests.cli.conftest import Cli
from tests.library import ROOT, network

TINY = """\
cnngraph: 1
name: tiny
input: [1, 28, 28]
params: {classes: 10}
nodes: [flatten, {op: linear, out: $classes}]
train: {data: digits, epochs: 2, batch_size: 200, optimizer: sgd}
"""


@pytest.fixture
def tiny(folder: Path) -> str:
    (folder / "tiny.yaml").write_text(TINY.replace("optimizer: sgd", "optimizer: {name: sgd, lr: 0.1}"))
    return "tiny.yaml"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The request that the command passes to a trainer that does nothing."""
    asked: dict[str, Any] = {}

    def run_training(request: Request, reporter: Reporter) -> SimpleNamespace:
        asked.update({field.name: getattr(request, field.name) for field in dataclasses.fields(request)})
        asked["quiet"] = type(reporter) is Silent
        return SimpleNamespace(interrupted=False)

    monkeypatch.setattr(import_module("cnngraph.train"), "run_training", run_training)
    return asked


def test_recipe_of_the_spec(cli: Cli, tiny: str, told: dict[str, Any]) -> None:
    assert cli("train", tiny, "--out", "run", "--data", "data", "--device", "cpu", "--quiet").code == 0
    assert told["graph"].name == "tiny"
    assert (told["recipe"].epochs, told["recipe"].optimizer.lr) == (2, 0.1)
    assert (told["out"], told["data_dir"], told["device"]) == (Path("run"), Path("data"), "cpu")
    assert (told["quiet"], told["resume"]) == (True, False)


def test_set_changes_recipe_keys(cli: Cli, tiny: str, told: dict[str, Any]) -> None:
    assert cli("train", tiny, "--set", "train.epochs=3", "--set", "train.optimizer.lr=0.5").code == 0
    assert (told["recipe"].epochs, told["recipe"].optimizer.lr, told["recipe"].batch_size) == (3, 0.5, 200)


def test_set_expands_an_optimizer_name(cli: Cli, folder: Path, told: dict[str, Any]) -> None:
    (folder / "tiny.yaml").write_text(TINY.replace("optimizer: sgd", "optimizer: adam"))
    assert cli("train", "tiny.yaml", "--set", "train.optimizer.lr=0.5").code == 0
    assert (told["recipe"].optimizer.name, told["recipe"].optimizer.lr) == ("adam", 0.5)


def test_recipe_option_replaces_the_specs_recipe(cli: Cli, tiny: str, folder: Path, told: dict[str, Any]) -> None:
    assert cli("train", tiny, "--recipe", "digits", "--set", "train.seed=7").code == 0
    assert (told["recipe"].name, told["recipe"].epochs, told["recipe"].seed) == ("digits", 8, 7)
    (folder / "mine.yaml").write_text("{data: mnist, epochs: 1, optimizer: adam}")
    assert cli("train", tiny, "--recipe", "mine.yaml").code == 0
    assert (told["recipe"].name, told["recipe"].data.name) == ("mine", "mnist")


def test_bundled_network_by_name(cli: Cli, folder: Path, told: dict[str, Any]) -> None:
    assert cli("train", "googlenet_mnist", "--recipe", "digits").code == 0
    assert (told["graph"].name, told["recipe"].name) == ("googlenet_mnist", "digits")
    assert cli("train", "googlenet_mnits").err.endswith("  help: did you mean `googlenet_mnist`?\n")


@pytest.mark.parametrize("name", ["residual_mnist_conv_shortcut", "resnet_cifar_222"])
def test_resolved_spec_is_self_contained(cli: Cli, folder: Path, told: dict[str, Any], name: str) -> None:
    assert cli("train", network(name), "--set", "train.epochs=3", "--set", "classes=10").code == 0
    (folder / "resolved.yaml").write_text(told["spec_text"])
    again = cnngraph.load("resolved.yaml")
    assert again.state == told["graph"].state
    assert [(node.path, node.op, node.inputs) for node in again.nodes] == [
        (node.path, node.op, node.inputs) for node in told["graph"].nodes
    ]
    recipe = told["recipe"]
    assert cli("train", "resolved.yaml").code == 0
    assert told["recipe"] == recipe


def test_initial_weights(cli: Cli, tiny: str, told: dict[str, Any]) -> None:
    assert cli("train", tiny).code == 0
    assert told["weights"] is None
    assert cli("build", tiny, "-o", "tiny.safetensors").code == 0
    assert cli("train", tiny, "--weights", "tiny.safetensors").code == 0
    assert str(getattr(told["weights"], "path", "")) == "tiny.safetensors"
    ran = cli("train", tiny, "--weights", "torchvision")
    assert ran.err.startswith("error[E705]: torchvision has no network `tiny`\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe", "digit"], "error[E606]: there is no recipe called `digit`\n  help: did you mean `digits`?\n"),
        (["--recipe", "nowhere.yaml"], "error[E606]: cannot read nowhere.yaml: there is no such file\n"),
        (["--recipe", "digits", "--set", "train.epochs=none"], "error[E603]: `epochs` must be an integer"),
        (["--set", "train.epoch=3"], "error[E602]: a recipe has no key `epoch`\n"),
        (["--set", "clases=3"], "error[E303]: the spec has no param `clases`\n"),
        (["--recipe", "tiny.yaml"], "error[E601]: tiny.yaml is a spec, not a recipe\n --> tiny.yaml:1:1\n"),
        (["--recipe", "under.yaml"], "error[E601]: a recipe file has no `train` key\n --> under.yaml:2"),
        (
            ["--recipe", "undre.yaml"],
            "error[E606]: cannot read undre.yaml: there is no such file\n  help: did you mean `under.yaml`?",
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
    wanted = "an experiment" if command == "experiment" else "a spec"
    assert f": quick.yaml is a recipe, not {wanted}\n --> quick.yaml:2:1\n" in ran.err
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
    assert "epoch 1/1" in ran.out
    assert json.loads((folder / "run" / "metrics.json").read_text())["finished"]
    assert cnngraph.load("run/spec.yaml").state == cnngraph.load(tiny).state
    assert load_recipe("run/recipe.yaml").epochs == 1
    ran = cli("train", "--resume", "run")
    assert ran.code == 1
    assert "use `--set train.epochs=2` to train it further" in ran.err
    ran = cli("train", tiny, "--resume", "run", "--set", "train.epochs=2")
    assert (ran.code, ran.err) == (0, "")
    assert "epoch 2/2" in ran.out
    assert "epoch 1/2" not in ran.out
    assert load_recipe("run/recipe.yaml").epochs == 2


def test_resuming_a_folder_without_a_run(cli: Cli, tiny: str, folder: Path, told: dict[str, Any]) -> None:
    ran = cli("train", "--resume", "run")
    assert (ran.code, ran.err) == (1, "error[E631]: run is not the folder of a run: there is no spec.yaml in it\n")
    (folder / "run").mkdir()
    (folder / "run" / "spec.yaml").write_text(TINY.replace("optimizer: sgd", "optimizer: adam"))
    (folder / "run" / "recipe.yaml").write_text("{data: digits, epochs: 1, optimizer: adam}")
    assert cli("train", "--resume", "run").code == 0
    assert (told["resume"], told["out"], told["recipe"].optimizer.name) == (True, Path("run"), "adam")
    ran = cli("train", tiny, "--resume", "run", "--set", "classes=3")
    assert (ran.code, ran.err) == (1, "error[E631]: the run in run trains another network than tiny.yaml\n")
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
        while not run.stdout.readline().startswith(b"epoch"):
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors == b""
    done = len((folder / "run" / "metrics.csv").read_text().splitlines())
    ran = cli("train", "--resume", "run", "--set", f"train.epochs={done + 1}")
    assert ran.code == 0
    assert f"epoch {done + 1}/{done + 1}" in ran.out


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
    assert done.stdout.count("epoch 1/2") == 1
    assert json.loads((folder / "run" / "environment.json").read_text())["processes"] == 2


@pytest.mark.parametrize("mistake", ["nodes", "batch_size"])
def test_one_of_two_processes_prints_the_error(tiny: str, folder: Path, mistake: str) -> None:
    arguments = ["--set", "train.batch_size=3"] if mistake == "batch_size" else ["--set", "clases=3"]
    done = torchrun(folder, tiny, "--out", "run", *arguments)
    assert done.returncode == 1
    assert done.stderr.count("error[") == 1
    assert ("E636" in done.stderr) == (mistake == "batch_size")
    assert not (folder / "run").exists()


def test_dry_run_does_everything_but_train(cli: Cli, tiny: str, folder: Path) -> None:
    ran = cli("train", tiny, "--dry-run", "--device", "cpu", "--set", "train.batch_size=500")
    assert (ran.code, ran.err) == (0, "")
    *images, network, run, steps, end = ran.out.splitlines()
    assert [line.partition(":")[0] for line in images] == ["train", "validation", "test"]
    assert network.startswith(
        "tiny · 7,850 parameters · embedded digits (5,400 train, 600 validation, 2,000 test) · cpu"
    )
    assert (run, steps) == ("runs/tiny-1", "2 epochs of 11 steps, batch size 500")
    assert end == "dry run: nothing was trained or written"
    assert cli("train", tiny, "--dry-run", "--quiet") == (0, "", "")
    assert list(folder.iterdir()) == [folder / tiny]


def test_dry_run_downloads_nothing(cli: Cli, tiny: str, folder: Path) -> None:
    ran = cli("train", tiny, "--dry-run", "--set", "train.data=mnist", "--data-dir", "sets")
    assert ran.code == 0
    assert ran.out.startswith("MNIST is not in sets: the run downloads it\ntiny · 7,850 parameters · MNIST · ")
    assert "\n2 epochs, batch size 200\n" in ran.out
    assert list(folder.iterdir()) == [folder / tiny]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "classes=7"], "error[E611]: embedded digits has 10 classes, but the network's output is 7\n"),
        (["--set", "train.data.classes=['3', '8']"], "error[E611]: embedded digits has 2 classes"),
        (["--set", "train.data=folder", "--data-dir", "nowhere"], "error[E621]"),
        (["--device", "nonsense"], "error[E640]"),
        (["--out", "full"], "error[E632]: full is not empty"),
        (["--out", "tiny.yaml/run"], "error[E632]: cannot write to tiny.yaml/run: "),
        (["--recipe", "digitss"], "error[E606]"),
    ],
)
def test_dry_run_finds_the_errors_of_a_run(cli: Cli, tiny: str, folder: Path, options: list[str], message: str) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "something").touch()
    ran = cli("train", tiny, "--dry-run", *options)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err
    real = cli("train", tiny, *options)
    assert (real.code, message in real.err) == (1, True)


def test_dry_run_prints_steps_and_folder(cli: Cli, tiny: str, folder: Path) -> None:
    words = ("train", tiny, "--device", "cpu", "--set", "train.epochs=1")
    dry = cli(*words, "--dry-run").out.splitlines()
    real = cli(*words).out.splitlines()
    assert dry[:5] == real[:5]
    assert Path(dry[4], "metrics.json").is_file()
    assert cli(*words, "--dry-run").out.splitlines()[4] == "runs/tiny-2"
    state = torch.load(Path(dry[4], "state.pt"), weights_only=True)
    assert dry[5] == f"1 epoch of {state['steps']} steps, batch size 200"


def test_dry_run_needs_a_new_run(cli: Cli) -> None:
    ran = cli("train", "--resume", "runs/x", "--dry-run")
    assert ran.code == 2
    assert "a dry run needs a new run" in ran.err


HANDLERS = """
from ignite.engine import Events

def count(training):
    training.trainer.add_event_handler(Events.EPOCH_COMPLETED, write, training.folder / "epochs.txt")

def write(engine, path):
    with path.open("a") as file:
        file.write(f"{engine.state.epoch} {engine.state.iteration}\\n")

def fail(engine):
    raise ValueError("no more")

failing = (Events.ITERATION_COMPLETED, fail)
"""


def test_handler_in_the_working_directory(cli: Cli, tiny: str, folder: Path, fresh_modules: None) -> None:
    (folder / "train_handlers.py").write_text(HANDLERS)
    assert cli("train", tiny, "--quiet", "--out", "run", "--handler", "train_handlers:count").code == 0
    assert (folder / "run" / "epochs.txt").read_text() == "1 27\n2 54\n"


def test_failing_handler(cli: Cli, tiny: str, folder: Path, fresh_modules: None) -> None:
    (folder / "train_handlers.py").write_text(HANDLERS)
    ran = cli("train", tiny, "--quiet", "--out", "run", "--handler", "train_handlers:failing")
    assert ran.code == 1
    assert ran.err == (
        "error[E649]: the handler `fail` failed: ValueError: no more\n"
        f"  = raised at {folder / 'train_handlers.py'}:12\n"
        "  help: fix the handler\n"
    )


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (
            ["--handler", "train_handlers:cuont"],
            1,
            "error[E649]: the module `train_handlers` has no `cuont`\n  help: did you mean `count`?",
        ),
        (["--handler", "train_handler:count"], 1, "error[E649]: there is no module `train_handler` for the handler"),
        (["--handler", "train_handlers:HANDLERS"], 1, "error[E649]: the module `train_handlers` has no `HANDLERS`"),
        (
            ["--handler", "train_handlers:__name__"],
            1,
            "error[E649]: `'train_handlers'` is not a handler: it is of type str",
        ),
        (["--handler", "count"], 2, "error: --handler must be MODULE:NAME, as in my_handlers:log_rate, got count"),
        (["--log", "tensorbord"], 2, "error: "),
        (["--log-every", "10"], 2, "error: --log-every needs a logger: --log tensorboard"),
    ],
)
def test_wrong_handlers_and_loggers(
    cli: Cli, tiny: str, folder: Path, fresh_modules: None, options: list[str], code: int, message: str
) -> None:
    (folder / "train_handlers.py").write_text(HANDLERS)
    ran = cli("train", tiny, "--out", "run", *options)
    assert ran.code == code
    assert ran.err.startswith(message)
    assert not (folder / "run").exists()


def test_a_logger_without_its_package(cli: Cli, tiny: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = packages._is_there
    monkeypatch.setattr(packages, "_is_there", lambda module: module != "wandb" and there(module))
    ran = cli("train", tiny, "--out", "run", "--log", "wandb")
    assert ran.code == 1
    assert ran.err.startswith("error: W&B is not installed\n")
    assert "pip install wandb" in ran.err
    assert not (folder / "run").exists()


@pytest.fixture
def fresh_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import modules in the working directory anew, and unload them afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("train_handlers", None)
