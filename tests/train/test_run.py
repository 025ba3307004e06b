"""`run_training`: from a graph and a recipe to a run folder."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import cnngraph
from cnngraph import Graph, SpecError
from cnngraph.backend import save_weights
from cnngraph.backend.weights.files import read_weights
from cnngraph.document import Table, parse, read_file
from cnngraph.recipe import load_recipe, read_recipe
from cnngraph.recipe.augment import Augment
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.optimizers import Sgd
from cnngraph.train.data.images import InMemory
from cnngraph.train.data.load_splits import load_splits
from cnngraph.train.data.split import Split, Splits
from cnngraph.train.loop.device import available_devices, choose_device
from cnngraph.train.record.run_file_formats import read_weights as read_file_weights
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.run import Tools
from tests.library import network
from tests.train.support import RECIPE, RecordingReporter, train_graph

SPEC = """
cnngraph: 1
name: tiny
input: [1, 28, 28]
params: {classes: 10}
nodes:
  conv: {op: conv, out: 4, kernel: 5, stride: 3}
  relu: relu
  head: [flatten, {op: linear, out: $classes}]
"""


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Graph:
    (tmp_path / "tiny.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return cnngraph.load("tiny.yaml")


def some_digits(*arguments: Any) -> Splits:
    """Every tenth of the embedded digits."""
    splits = load_splits(*arguments)

    def tenth(split: Split | None) -> Split | None:
        return replace(split, indices=split.indices[::10]) if split else None

    train = tenth(splits.train)
    assert train
    return Splits(splits.classes, train, tenth(splits.validation), tenth(splits.test))


train_few = partial(train_graph, tools=Tools(load_images=some_digits))


def test_a_run_and_its_folder(graph: Graph) -> None:
    reporter = RecordingReporter()
    result = train_few(graph, RECIPE, spec_text=SPEC, reporter=reporter, device="cpu")
    folder = Path("runs/tiny-1")
    assert result.folder == folder
    assert result.test
    assert result.test.accuracy > 0.6
    assert {path.name for path in folder.iterdir()} == {
        "best.safetensors", "classes_test.csv", "confusion_test.png", "curves.png", "data.json", "environment.json",
        "last.safetensors", "metrics.csv", "metrics.json", "recipe.yaml", "spec.yaml", "state.pt",
    }  # fmt: skip
    assert (folder / "spec.yaml").read_text() == SPEC
    value, _ = parse(read_file(folder / "recipe.yaml"))
    assert isinstance(value, Table)
    assert read_recipe(value, name="again")[0] == RECIPE
    data = json.loads((folder / "data.json").read_text())
    images = data.pop("images")
    assert {name: split["images"] for name, split in images["splits"].items()} == data["parts"]
    assert data == {
        "version": 1,
        "title": "embedded digits",
        "classes": list("0123456789"),
        "image": [1, 28, 28],
        "mean": [0.1307],
        "std": [0.3081],
        "parts": {"train": 540, "validation": 60, "test": 200},
    }
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert environment["device"] == "cpu"
    (facts,) = reporter.started
    assert (facts.network, facts.parameters, facts.data) == ("tiny", graph.num_params, "embedded digits")
    assert facts.splits == {"train": 540, "validation": 60, "test": 200}
    model = cnngraph.build(graph)
    model.load_state_dict(read_file_weights(folder / "best.safetensors"))


def test_runs_are_numbered_and_never_overwritten(graph: Graph) -> None:
    Path("runs/tiny-7").mkdir(parents=True)
    Path("runs/tiny-x").mkdir()
    once = replace(RECIPE, epochs=1)
    for number in (8, 9):
        assert train_few(graph, once, spec_text=SPEC).folder == Path(f"runs/tiny-{number}")
    assert train_few(graph, once, spec_text=SPEC, out=Path("a/b")).folder == Path("a/b")
    before = {path: path.read_bytes() for path in Path("a/b").iterdir()}
    with pytest.raises(SpecError, match="runs are never overwritten") as caught:
        train_few(graph, once, spec_text=SPEC, out=Path("a/b"))
    assert caught.value.diagnostics[0].code == "E632"
    assert before == {path: path.read_bytes() for path in Path("a/b").iterdir()}


def test_ctrl_c_and_resume(graph: Graph) -> None:
    class Stopping(RecordingReporter):
        def epoch(self, *facts: object) -> None:
            signal.raise_signal(signal.SIGINT)

    recipe = replace(RECIPE, epochs=3)
    whole = train_few(graph, recipe, spec_text=SPEC)
    half = train_few(graph, recipe, spec_text=SPEC, reporter=Stopping())
    assert half.interrupted
    reporter = RecordingReporter()
    done = train_few(graph, recipe, spec_text=SPEC, resume=True, reporter=reporter)
    assert done.folder == half.folder == Path("runs/tiny-2")
    assert reporter.started[0].resumed_at > 0
    assert [epoch.evaluation for epoch in done.epochs] == [epoch.evaluation for epoch in whole.epochs]
    assert done.test == whole.test
    with pytest.raises(SpecError, match="is finished") as caught:
        train_few(graph, recipe, spec_text=SPEC, resume=True)
    assert caught.value.diagnostics[0].help == "use `--set train.epochs=6` to train it further"


def test_a_run_that_stopped_early_is_finished(graph: Graph) -> None:
    recipe = replace(RECIPE, epochs=5, optimizer=Sgd(lr=1e-30), early_stopping=1)
    stopped = train_few(graph, recipe, spec_text=SPEC)
    assert len(stopped.epochs) == 2
    with pytest.raises(SpecError, match="is finished") as caught:
        train_few(graph, recipe, spec_text=SPEC, resume=True)
    assert caught.value.diagnostics[0].help == "use `--set train.early_stopping=none` to train it further"
    done = train_few(graph, replace(recipe, early_stopping=None), spec_text=SPEC, resume=True)
    assert len(done.epochs) == 5


def test_a_run_remembers_its_data_folder(graph: Graph) -> None:
    given: list[object] = []

    def remembering(*arguments: object) -> Splits:
        given.append(arguments[2])
        return some_digits(*arguments)

    tools = Tools(load_images=remembering)
    once = replace(RECIPE, epochs=1)
    train_graph(graph, once, spec_text=SPEC, data_dir=Path("data"), tools=tools)
    train_graph(graph, replace(once, epochs=2), spec_text=SPEC, resume=True, tools=tools)
    assert given == [Path("data"), Path("data").resolve()]


def test_a_run_that_cannot_be_resumed_is_not_changed(graph: Graph) -> None:
    folder = train_few(graph, RECIPE, spec_text=SPEC).folder
    before = {path: path.read_bytes() for path in folder.iterdir()}
    other = replace(RECIPE, epochs=3, seed=1)
    with pytest.raises(SpecError, match="its recipe differs in seed"):
        train_few(graph, other, spec_text="another", resume=True)
    assert before == {path: path.read_bytes() for path in folder.iterdir()}
    (folder / "state.pt").write_bytes(b"broken")
    with pytest.raises(SpecError, match=r"state\.pt is damaged"):
        train_few(graph, replace(RECIPE, epochs=3), spec_text=SPEC, resume=True)


def test_initial_weights_of_a_run(graph: Graph, tmp_path: Path) -> None:
    model = cnngraph.build(graph)
    save_weights(model, tmp_path / "begin.safetensors")
    weights = read_weights(tmp_path / "begin.safetensors")
    still = replace(RECIPE, epochs=1, optimizer=Sgd(lr=1e-30))
    reporter = RecordingReporter()
    folder = train_few(graph, still, spec_text=SPEC, weights=weights, reporter=reporter).folder
    assert [note.split(":")[0] for note in reporter.notes[:-1]] == ["train", "validation", "test"]
    assert reporter.notes[-1] == f"{weights.name}: 4 of 4 weights loaded"
    ended = read_file_weights(folder / "last.safetensors")
    assert all(torch.equal(ended[key], tensor) for key, tensor in model.state_dict().items())
    facts = json.loads((folder / "environment.json").read_text())["weights"]
    digest = hashlib.sha256((tmp_path / "begin.safetensors").read_bytes()).hexdigest()
    path = str(tmp_path / "begin.safetensors")
    options = {"selected": "", "partial": False, "fresh": [], "leave": []}
    expected = {"file": weights.name, "path": path, "sha256": digest, "loaded": 4, "fresh": [], "options": options}
    assert facts == {**expected, "chosen": {}}
    (tmp_path / "begin.safetensors").unlink()
    further = train_few(graph, replace(still, epochs=2), spec_text=SPEC, resume=True)
    ended = read_file_weights(further.folder / "last.safetensors")
    assert all(torch.equal(ended[key], tensor) for key, tensor in model.state_dict().items())


def test_initial_weights_with_other_classes(graph: Graph, tmp_path: Path) -> None:
    five = cnngraph.load("tiny.yaml", classes=5)
    save_weights(cnngraph.build("tiny.yaml"), tmp_path / "ten.safetensors")
    weights = read_weights(tmp_path / "ten.safetensors")
    some = replace(RECIPE, epochs=1, data=NamedSet(name="digits", classes=tuple("01234")))
    folder = train_few(five, some, spec_text=SPEC, weights=weights).folder
    assert json.loads((folder / "environment.json").read_text())["weights"]["fresh"] == ["head.1"]
    save_weights(torch.nn.Linear(3, 3), tmp_path / "linear.safetensors")
    with pytest.raises(SpecError, match="does not fit tiny") as caught:
        train_few(graph, RECIPE, spec_text=SPEC, weights=read_weights(tmp_path / "linear.safetensors"))
    assert caught.value.diagnostics[0].code == "E706"
    assert len(list(Path("runs").iterdir())) == 1


def test_nothing_to_resume(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="runs contains no run of tiny to resume"):
        train_graph(graph, RECIPE, spec_text=SPEC, resume=True)
    with pytest.raises(SpecError, match="contains no run to resume"):
        train_graph(graph, RECIPE, spec_text=SPEC, resume=True, out=tmp_path)


@pytest.mark.usefixtures("graph")
def test_a_misfit_is_an_error_before_anything_is_created() -> None:
    wrong = cnngraph.load("tiny.yaml", classes=7)
    with pytest.raises(SpecError) as caught:
        train_graph(wrong, RECIPE, spec_text=SPEC)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.file) == ("E611", "tiny.yaml")
    assert not Path("runs").exists()


def test_a_data_folder_with_other_classes(graph: Graph) -> None:
    split = Split.all_of(InMemory(torch.zeros(4, 28, 28, 1, dtype=torch.uint8), torch.tensor([0, 1, 2, 0])))
    tools = Tools(load_images=lambda *arguments: Splits(("a", "b", "c"), split, split, None))
    photos = replace(load_recipe("photos"), validation=0.5)
    with pytest.raises(SpecError, match="the folder has 3 classes"):
        train_graph(graph, photos, spec_text=SPEC, tools=tools)


def test_devices() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for device in (
        "tpu",
        "meta",
        "cpu:3",
        "cuda:99",
        "mps" if not torch.backends.mps.is_available() else "hpu",
        "",
    ):
        with pytest.raises(SpecError) as caught:
            choose_device(device)
        (error,) = caught.value.diagnostics
        assert error.code == "E640"
        assert error.help
        assert all(device in error.help for device in ("auto", *available_devices()))
    if not torch.cuda.is_available():
        with pytest.raises(SpecError, match="no CUDA device"):
            choose_device("cuda")


@pytest.mark.parametrize("name", ["googlenet_mnist", "residual_mnist_original"])
def test_bundled_networks_can_be_trained(name: str, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1, augment=Augment(pad=2, crop=(28, 28)), data=NamedSet(name="digits"))
    graph = cnngraph.load(network(name))
    result = train_few(graph, recipe, spec_text="", out=tmp_path / "run")
    assert result.test
    assert re.fullmatch(r"0\.\d+|1\.0", str(result.test.accuracy))


def test_a_run_folder_is_locked(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        (tmp_path / ".state.pt.partial").touch()
        with pytest.raises(SpecError, match="another process is training in") as caught, RunFolder(tmp_path).locked():
            pytest.fail("two are at work")
        assert caught.value.diagnostics[0].code == "E637"
        assert (tmp_path / ".state.pt.partial").exists()
        with RunFolder(tmp_path, writes=False).locked():
            pass
    with folder.locked():
        assert not (tmp_path / ".state.pt.partial").exists()


def test_a_running_run_is_not_resumed(graph: Graph, tmp_path: Path) -> None:
    folder = train_few(graph, RECIPE, spec_text=SPEC, out=tmp_path / "run", device="cpu").folder
    tools = Tools(load_images=lambda *arguments: pytest.fail("the images are read before"))
    with RunFolder(folder).locked(), pytest.raises(SpecError, match="another process is training in"):
        train_graph(graph, replace(RECIPE, epochs=9), spec_text=SPEC, out=folder, resume=True, tools=tools)
    assert not (folder / ".lock").exists()
