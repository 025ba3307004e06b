"""`cnngraph evaluate` reproduces the metrics of the run and reports missing files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.cli.conftest import Cli
from tests.runs.conftest import without_facts
from tests.train.test_data import lay_mnist


def metrics(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "metrics.json").read_text())
    return found


def test_metrics_equal_those_of_the_run(cli: Cli, trained: Path) -> None:
    ran = cli("evaluate", trained, "--device", "cpu", "--format", "json")
    assert ran.code == 0, ran.err
    printed = json.loads(ran.out)
    test = metrics(trained)["test"]
    assert (printed["loss"], printed["top1"]) == (test["loss"], test["accuracy"])  # type: ignore[index]
    assert (printed["weights"], printed["split"], printed["images"], printed["network"]) == (
        "best",
        "test",
        200,
        "spots",
    )
    with (trained / "classes_test.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["recall"] or None for row in rows] == [
        row["recall"] if row["recall"] is None else str(row["recall"]) for row in printed["classes"]
    ]
    assert sum(map(sum, printed["confusion"])) == 200
    assert printed["top1"] < printed["top5"] <= 1
    assert printed["picture"] == str(trained / "confusion_test.png")


def test_last_weights_and_validation_images(cli: Cli, trained: Path) -> None:
    printed = json.loads(cli("evaluate", trained, "--split", "validation", "--weights", "last", "--format", "json").out)
    last = metrics(trained)["epochs"][-1]  # type: ignore[index]
    assert printed["top1"] == last["validation_accuracy"]
    assert printed["images"] == 60


def test_text_output(cli: Cli, trained: Path) -> None:
    before = (trained / "confusion_test.png").read_bytes()
    ran = cli("evaluate", trained, "--split", "all", "-o", trained / "all.svg")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == "spots · best weights · embedded digits · 800 images"
    assert lines[1].startswith("loss ")
    assert lines[3].split() == ["class", "images", "precision", "recall"]
    assert [line.split()[0] for line in lines[4:14]] == list("0123456789")
    assert lines[-1] == f"confusion matrix: {trained / 'all.svg'}"
    assert (trained / "all.svg").read_text().startswith("<?xml")
    assert (trained / "confusion_test.png").read_bytes() == before


def test_an_older_run_on_a_named_set(cli: Cli, trained: Path) -> None:
    (trained / "data.json").unlink()
    without_facts(trained / "best.safetensors")
    printed = json.loads(cli("evaluate", trained, "--format", "json").out)
    assert printed["top1"] == metrics(trained)["test"]["accuracy"]  # type: ignore[index]


def test_missing_files_are_errors(cli: Cli, trained: Path, tmp_path: Path) -> None:
    ran = cli("evaluate", tmp_path)
    assert (ran.code, ran.err) == (
        1,
        f"error[E650]: {tmp_path} is not a run folder: it contains no spec.yaml\n",
    )
    (trained / "best.safetensors").write_bytes(b"broken")
    ran = cli("evaluate", trained)
    assert ran.err.startswith(f"error[E647]: {trained / 'best.safetensors'} is damaged: ")
    assert ran.err.endswith("help: use other weights from this run: `--weights last`\n")
    (trained / "best.safetensors").unlink()
    ran = cli("evaluate", trained, "--weights", "best")
    assert ran.err == f"error[E650]: {trained} has no best weights\n  help: use `--weights last`\n"
    assert "has no ../net-1/last weights" in cli("evaluate", trained, "--weights", "../net-1/last").err
    (trained / "epoch-0001.safetensors").write_bytes((trained / "last.safetensors").read_bytes())
    printed = json.loads(cli("evaluate", trained, "--weights", "epoch-0001", "--format", "json").out)
    assert (printed["weights"], printed["picture"]) == ("epoch-0001", str(trained / "confusion_test_epoch-0001.png"))
    assert json.loads(cli("evaluate", trained, "--format", "json").out)["weights"] == "last"
    (trained / "data.json").write_text('{"image": 3}')
    assert "data.json is damaged" in cli("evaluate", trained).err


def test_the_bundled_digits_take_no_data_folder(cli: Cli, trained: Path, tmp_path: Path) -> None:
    ran = cli("evaluate", trained, "--data", tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(
        "error[E653]: the images of this run are bundled with cnngraph, so `--data-dir` does not apply\n"
    )


def test_a_named_set_in_another_folder_keeps_its_title(cli: Cli, trained: Path, tmp_path: Path) -> None:
    lay_mnist(tmp_path, 20)
    recipe = (trained / "recipe.yaml").read_text()
    (trained / "recipe.yaml").write_text(recipe.replace("name: digits", "name: mnist"))
    without_facts(trained / "best.safetensors")
    ran = cli("evaluate", trained, "--data-dir", tmp_path)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == "spots · best weights · MNIST · 20 test images"


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_another_folder_with_the_classes_of_the_run(
    cli: Cli, trained: Path, tmp_path: Path, order: tuple[str, str]
) -> None:
    """Labels follow the run's classes, whatever the order of the folders and whatever other folders exist."""
    place = tmp_path / "photos"
    for name, count in (("a", 2), ("b", 3), ("c", 1)):
        (place / name).mkdir(parents=True)
        for number in range(count):
            Image.new("L", (30, 30), 200 * (name == "a")).save(place / name / f"{number}.png")
    (trained / "spec.yaml").write_text((trained / "spec.yaml").read_text().replace("classes: 10", "classes: 2"))
    data = json.loads((trained / "data.json").read_text())
    del data["version"], data["images"]  # as in a run of an older version
    (trained / "data.json").write_text(json.dumps({**data, "classes": order, "title": "image folder"}))
    (trained / "recipe.yaml").write_text("{data: folder, epochs: 1, optimizer: adam, validation: 0.3}")
    from safetensors.torch import load_file, save_file

    weights = load_file(trained / "best.safetensors")
    weights["fc.weight"], weights["fc.bias"] = torch.zeros(2, 24), torch.tensor([1.0, 0.0])
    save_file(weights, trained / "best.safetensors")
    ran = cli("evaluate", trained, "--data-dir", place, "--split", "all", "--format", "json")
    assert ran.code == 0, ran.err
    printed = json.loads(ran.out)
    assert printed["picture"].endswith("confusion_all_photos.png")
    assert [row["class"] for row in printed["classes"]] == list(order)
    (place / "a" / "broken.png").write_bytes(b"")
    assert "broken.png" in cli("evaluate", trained, "--data-dir", place, "--split", "all").err
    (trained / "recipe.yaml").write_text(
        "{data: {name: folder, broken: skip}, epochs: 1, optimizer: adam, validation: 0.3}"
    )
    ran = cli("evaluate", trained, "--data-dir", place, "--split", "all")
    assert ran.code == 0
    assert f"note: {place}: ignored folders that are not a class: 1 (c)\n" in ran.err
    assert f"note: skipped {place / 'a' / 'broken.png'}: it cannot be read as an image\n" in ran.err
    ran = cli("evaluate", trained, "--data-dir", place)
    assert ran.code == 1
    assert ran.err.endswith("error[E622]: there are no test images\n  help: use `--split train or all`\n")
