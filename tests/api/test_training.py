"""`train`, `evaluate`, `predict` and `experiment`, on a tenth of the digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms.functional import pil_to_tensor

import cnngraph
from cnngraph import EpochDone, Evaluating, Event, InitialWeightsEvaluated, Note, RunEnded, RunStarted, StepsDone
from cnngraph.train.data.named_sets import _bundled


@pytest.fixture
def digits(tmp_path: Path) -> list[Path]:
    """Ten test images as files."""
    _, test = _bundled()
    files = []
    (tmp_path / "digits").mkdir()
    for number in range(0, 2000, 200):
        files.append(tmp_path / "digits" / f"{int(test.labels[number])}-{number}.png")
        Image.fromarray(test.pixels[number, :, :, 0].numpy()).save(files[-1])
    return files


def test_a_run_and_its_result(spec: str, capfd: pytest.CaptureFixture[str]) -> None:
    result = cnngraph.train(spec, out="run", changes={"epochs": 3, "optimizer.lr": 0.02}, seed=4)
    assert capfd.readouterr() == ("", "")
    assert (result.network, result.folder, result.interrupted) == ("spots", Path("run"), False)
    assert [row.epoch for row in result.epochs] == [1, 2, 3]
    assert all(row.validation and row.test is None for row in result.epochs)
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert result.test
    assert result.test._asdict() == metrics["test"]
    assert result.accuracy == metrics["test"]["accuracy"]
    assert [row.train.loss for row in result.epochs] == [row["train_loss"] for row in metrics["epochs"]]
    assert result.best
    assert result.best.epoch == metrics["best_epoch"]
    recipe = Path("run/recipe.yaml").read_text()
    assert "lr: 0.02" in recipe
    assert "seed: 4" in recipe
    assert str(result).count("\n") == 3


def test_events(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []
    result = cnngraph.train(spec, out="run", progress=events.append)
    kinds = [type(event) for event in events]
    (start,) = [event for event in events if isinstance(event, RunStarted)]
    assert (start.network, start.epochs, start.folder, start.resumed_at) == ("spots", 2, Path("run"), 0)
    assert set(start.images) == {"train", "validation", "test"}
    assert [event.metrics for event in events if isinstance(event, EpochDone)] == list(result.epochs)
    assert [event.split for event in events if isinstance(event, Evaluating)] == ["validation"] * 2 + ["test"]
    assert kinds[0] is Note
    assert events[-1] == RunEnded(events[-1].text, result)
    assert all(1 <= event.step <= event.steps for event in events if isinstance(event, StepsDone))
    for event in events:
        cnngraph.print_progress(event)
    lines = capsys.readouterr().out.splitlines()
    table = next(number for number, line in enumerate(lines) if line.startswith("epoch "))
    assert [line.split()[0] for line in lines[table : table + 3]] == ["epoch", "1/2", "2/2"]
    assert lines[-1].endswith("· run")
    assert lines[-1].startswith("best epoch ")


@pytest.mark.parametrize(
    "recipe",
    [
        {"data": "digits", "epochs": 1, "batch_size": 50, "optimizer": {"name": "sgd", "lr": 0.1}, "device": "cpu"},
        "mine.yaml",
        Path("mine.yaml"),
    ],
)
def test_a_recipe_is_a_mapping_or_a_file(spec: str, recipe: Any) -> None:
    Path("mine.yaml").write_text("{data: digits, epochs: 1, batch_size: 50, optimizer: {name: sgd, lr: 0.1}}")
    result = cnngraph.train(spec, recipe=recipe, device="cpu")
    assert result.folder == Path("runs/spots-1")
    assert len(result.epochs) == 1
    assert "name: sgd" in (result.folder / "recipe.yaml").read_text()


def test_errors_are_raised_before_anything_is_written(spec: str) -> None:
    more: dict[str, Any]
    for more, message in (
        ({"recipe": {"data": "digits", "epoch": 1}}, "E602"),
        ({"changes": {"optimiser.lr": 1}}, "did you mean `optimizer`"),
        ({"params": {"clases": 3}}, "classes"),
        ({"params": {"classes": 3}}, "E611"),
        ({"recipe": "digit"}, "did you mean `?digits"),
    ):
        with pytest.raises(cnngraph.SpecError, match=message):
            cnngraph.train(spec, **more)
    for more, message in (
        ({"changes": {"seed": 1}, "seed": 2}, "`seed` is passed twice"),
        ({"resume": "run", "out": "other"}, "a resumed run keeps its"),
        ({"from_": "spots.yaml"}, "`from_` needs `weights`"),
        ({"epochs": 3}, "epochs"),
    ):
        with pytest.raises(TypeError, match=message):
            cnngraph.train(spec, **more)
    with pytest.raises(TypeError, match="needs a spec"):
        cnngraph.train()
    with pytest.raises(TypeError, match="a resumed run keeps its network"):
        cnngraph.train(resume="run", params={"classes": 3})
    assert [path.name for path in Path().iterdir()] == [spec]


WIDER = "cnngraph: 1\nextends: spots.yaml\nparams: {input: 12}\n"


@pytest.mark.parametrize("old", ["spots.yaml", Path("spots.yaml"), "graph"])
def test_weights_of_another_network_are_measured_before_the_first_step(result: cnngraph.TrainResult, old: Any) -> None:
    Path("wider.yaml").write_text(WIDER)
    events: list[Event] = []
    more = cnngraph.train(
        "wider.yaml",
        weights="run/best.safetensors",
        from_=cnngraph.load("spots.yaml") if old == "graph" else old,
        out="more",
        progress=events.append,
    )
    assert result.best
    assert result.best.validation
    assert result.initial is None
    assert more.initial
    assert more.initial.accuracy == result.best.validation.accuracy
    assert more.initial.loss == pytest.approx(result.best.validation.loss, rel=1e-5)
    (event,) = [event for event in events if isinstance(event, InitialWeightsEvaluated)]
    assert (event.split, event.metrics) == ("validation", more.initial)
    assert [line.split()[0] for line in event.text.splitlines()] == ["epoch", "start"]
    assert [row.epoch for row in more.epochs] == [1, 2]
    recorded = {"split": "validation", **more.initial._asdict()}
    assert json.loads(Path("more/metrics.json").read_text())["initial"] == recorded
    with pytest.raises(cnngraph.SpecError, match="E706"):
        cnngraph.train("wider.yaml", weights="run/best.safetensors", out="other")
    longer = cnngraph.train(resume="more", changes={"epochs": 3})
    assert longer.initial == more.initial
    assert json.loads(Path("more/metrics.json").read_text())["initial"] == recorded


NESTED = """\
cnngraph: 1
input: [1, 28, 28]
weights: {body: run/best.safetensors}
nodes: {body: {net: ./spots.yaml}, relu: relu, fc: {op: linear, out: 10}}
"""


@pytest.mark.parametrize(
    ("text", "arguments"),
    [(WIDER, {"weights": "run/best.safetensors", "from_": "spots.yaml"}), (NESTED, {"recipe": "digits"})],
    ids=["of another network", "of a network in it"],
)
def test_a_run_restarts_without_the_files_of_its_initial_weights(
    result: cnngraph.TrainResult, text: str, arguments: dict[str, Any]
) -> None:
    """A run that stops before its first checkpoint keeps weights that it adapted or composed in its folder."""
    Path("net.yaml").write_text(text)

    def stop(engine: Engine) -> None:
        raise KeyboardInterrupt

    whole = cnngraph.train("net.yaml", **arguments, out="whole")
    stopped = cnngraph.train("net.yaml", **arguments, out="stopped", handlers=[(Events.STARTED, stop)])
    assert stopped.interrupted
    assert not Path("stopped/state.pt").exists()
    Path("run/best.safetensors").unlink()
    for name in ("spots.yaml", "net.yaml"):
        Path(name).unlink()
    restarted = cnngraph.train(resume="stopped")
    assert (restarted.initial, restarted.test) == (whole.initial, whole.test)
    found, expected = (load_file(f"{run}/last.safetensors") for run in ("stopped", "whole"))
    assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())


def test_a_run_is_resumed(result: cnngraph.TrainResult, spec: str) -> None:
    with pytest.raises(cnngraph.SpecError, match="is finished"):
        cnngraph.train(resume="run")
    with pytest.raises(cnngraph.SpecError, match="trains a different network"):
        cnngraph.train(spec, resume="run", params={"input": 3})
    more = cnngraph.train(spec, resume=result.folder, changes={"epochs": 3})
    assert [row.epoch for row in more.epochs] == [1, 2, 3]
    assert more.epochs[:2] == result.epochs


def test_initial_weights(spec: str, result: cnngraph.TrainResult) -> None:
    still = {"optimizer.lr": 1e-12}
    tuned = cnngraph.train(spec, out="tuned", weights=result.folder / "last.safetensors", changes=still)
    before, after = (run.load_model("last").state_dict() for run in (result, tuned))
    assert all(torch.allclose(before[key], after[key], atol=1e-6) for key in before)


def test_evaluate_equals_the_result_of_training(result: cnngraph.TrainResult) -> None:
    done = cnngraph.evaluate(result, device="cpu")
    assert result.test
    assert done.accuracy == pytest.approx(result.test.accuracy)
    assert done.loss == pytest.approx(result.test.loss, rel=1e-4)
    assert (done.split, done.weights, done.images) == ("test", "best", 200)
    assert sum(row.images for row in done.classes) == sum(map(sum, done.confusion)) == 200
    validation = cnngraph.evaluate("run", "validation", weights="last", device="cpu")
    last = result.epochs[-1].validation
    assert last
    assert validation.accuracy == pytest.approx(last.accuracy)
    assert "precision" in str(done)
    assert done.draw("confusion.svg").read_text().startswith("<?xml")
    with pytest.raises(ValueError, match=r"must end in \.png"):
        done.draw("confusion.gif")
    with pytest.raises(cnngraph.SpecError, match="E622"):
        cnngraph.evaluate("run", "tset")
    with pytest.raises(cnngraph.SpecError, match="E650"):
        cnngraph.evaluate("nothing")


def test_images_in_any_form_get_the_same_predictions(result: cnngraph.TrainResult, digits: list[Path]) -> None:
    by_file = cnngraph.predict(result, digits, device="cpu")
    assert [found.image for found in by_file] == digits
    pictures = [Image.open(file) for file in digits]
    tensors = [pil_to_tensor(picture) for picture in pictures]
    forms: list[list[cnngraph.Prediction]] = [
        cnngraph.predict(result, pictures, device="cpu"),
        cnngraph.predict("run", torch.stack(tensors), device="cpu"),
        cnngraph.predict(Path("run"), [tensor / 255 for tensor in tensors], device="cpu"),
    ]
    for found in forms:
        assert [prediction.guesses for prediction in found] == [prediction.guesses for prediction in by_file]
        assert all(prediction.image is None for prediction in found)
    (folder,) = {file.parent for file in digits}
    assert {found.image for found in cnngraph.predict("run", folder)} == set(digits)
    assert result.load_model()(torch.stack(tensors).float()).shape == (10, 10)
    (first,) = cnngraph.predict(result, digits[0], top=2)
    assert len(first.guesses) == 2
    assert (first.label, first.probability) == first.guesses[0]
    assert f"{digits[0]}: {first.label}" in str(first)


def test_invalid_images(result: cnngraph.TrainResult, digits: list[Path]) -> None:
    Path("broken.png").write_bytes(b"no image")
    with pytest.raises(cnngraph.SpecError, match=r"E621.*broken\.png"):
        cnngraph.predict(result, ["broken.png", digits[0]])
    broken, fine = cnngraph.predict(result, ["broken.png", digits[0]], strict=False)
    assert broken.error
    assert not fine.error
    with pytest.raises(ValueError, match=r"broken\.png"):
        _ = broken.label
    with pytest.raises(TypeError, match="an image must be a file, a folder, a Pillow image or a tensor, not int"):
        cnngraph.predict(result, [3])  # type: ignore[list-item]
    for tensor in (torch.zeros(28, 28), torch.full((1, 28, 28), 2.0), torch.zeros(1, 28, 28, dtype=torch.int64)):
        with pytest.raises(ValueError, match=r"an? .*tensor must"):
            cnngraph.predict(result, tensor)
    with pytest.raises(ValueError, match="top must be at least 1"):
        cnngraph.predict(result, digits, top=0)


def test_an_experiment(spec: str) -> None:
    Path("widths.yaml").write_text(
        "{about: Widths, specs: [{spec: spots.yaml, params: {input: 2}, label: two}, spots.yaml], seeds: 2}"
    )
    events: list[Event] = []
    done = cnngraph.experiment("widths.yaml", progress=events.append)
    assert (done.name, done.folder, done.interrupted, dict(done.failed)) == ("widths", Path("runs/widths"), False, {})
    assert [(row.name, row.planned, len(row.runs)) for row in done.variants] == [("two", 2, 2), ("spots", 2, 2)]
    narrow, wide = done.variants
    assert narrow.parameters < wide.parameters
    assert narrow.mean == pytest.approx(sum(narrow.accuracies) / 2)
    assert narrow.std is not None
    assert all((run / "metrics.json").is_file() for run in narrow.runs)
    assert done.report
    assert done.report.is_file()
    lines = [event.text for event in events if event.text]
    assert sum("seed" in line for line in lines) == 4
    assert sum(isinstance(event, RunEnded) for event in events) == 4
    again = cnngraph.experiment("widths.yaml")
    assert [row.accuracies for row in again.variants] == [row.accuracies for row in done.variants]
    with pytest.raises(TypeError, match="an experiment file has its own recipes"):
        cnngraph.experiment("widths.yaml", recipes=["digits"])


def test_an_experiment_of_specs(spec: str) -> None:
    done = cnngraph.experiment([spec], seeds=1, out="one")
    assert (done.folder, len(done.variants), done.variants[0].std) == (Path("one"), 1, None)
    assert "accuracy" in str(done)


def photos(folder: Path) -> Path:
    """A folder of images of two classes, six each."""
    for label, shade in (("dark", 20), ("light", 220)):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            Image.new("L", (28, 28), shade + number).save(folder / label / f"{number}.png")
    return folder


def test_the_environment_names_the_data_folder(
    spec: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = (photos(tmp_path_factory.mktemp(name) / "photos") for name in ("ours", "other"))
    recipe = {"data": "folder", "epochs": 1, "batch_size": 4, "validation": 0.3, "optimizer": "adam", "device": "cpu"}
    monkeypatch.delenv("CNNGRAPH_DATA_DIR", raising=False)
    with pytest.raises(cnngraph.SpecError, match="E62"):
        cnngraph.train(spec, recipe=recipe, params={"classes": 2})
    monkeypatch.setenv("CNNGRAPH_DATA_DIR", str(ours))
    result = cnngraph.train(spec, recipe=recipe, params={"classes": 2}, out="run")
    recorded = json.loads(Path("run/environment.json").read_text())["data_dir"]
    assert Path(recorded) == ours
    monkeypatch.setenv("CNNGRAPH_DATA_DIR", str(other))
    again = cnngraph.evaluate(
        result, "validation", device="cpu"
    )  # the images of the run, whatever the variable says now
    assert (again.images, again.warnings) == (4, ())
    named = cnngraph.train(spec, recipe=recipe, params={"classes": 2}, data_dir=ours, out="named")
    assert Path(json.loads((named.folder / "environment.json").read_text())["data_dir"]) == ours
