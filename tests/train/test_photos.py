"""A run on a folder of photographs, and resuming it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnngraph
from cnngraph.diagnostics import Source
from cnngraph.document import Table, parse
from cnngraph.recipe import Recipe, load_recipe, read_recipe
from cnngraph.recipe.augment import Augment, RandomResizedCrop
from cnngraph.recipe.data import ImageFolder, Normalize
from tests.train.support import RecordingReporter, train_graph

SPEC = """\
cnngraph: 1
name: tiny
input: [3, 8, 8]
params: {classes: 2}
nodes: [{op: conv, out: 4, kernel: 3}, relu, flatten, {op: linear, out: $classes}]
"""
CROP = Augment(random_resized_crop=RandomResizedCrop(size=(8, 8)))


def lay(root: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("ant", "bee"):
        (root / name).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(0, 256, (12 + number, 20, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
        (root / name / "9.jpg").write_text("no image")


def read(path: Path) -> Recipe:
    table, _ = parse(Source("recipe.yaml", path.read_text(encoding="utf-8")))
    assert isinstance(table, Table)
    recipe, found = read_recipe(table, name="again")
    assert recipe, found
    return recipe


@pytest.mark.parametrize("augment", [Augment(), CROP])
def test_broken_files_and_measured_values_are_recorded(tmp_path: Path, augment: Augment) -> None:
    lay(tmp_path / "photos")
    (tmp_path / "net.yaml").write_text(SPEC)
    recipe = replace(
        load_recipe("photos"),
        data=ImageFolder(broken="skip"),
        augment=augment,
        normalize="data",
        epochs=1,
        batch_size=4,
        workers=0,
        validation=0.4,
    )
    graph, reporter = cnngraph.load(tmp_path / "net.yaml"), RecordingReporter()
    places = {"data_dir": tmp_path / "photos", "out": tmp_path / "run"}
    train_graph(graph, recipe, spec_text=SPEC, reporter=reporter, **places)  # type: ignore[arg-type]
    skipped = (tmp_path / "run" / "skipped.txt").read_text(encoding="utf-8").splitlines()
    assert skipped == [str(tmp_path / "photos" / name / "9.jpg") for name in ("ant", "bee")]
    assert any("skipped 2 unreadable images: see skipped.txt" in note for note in reporter.notes)
    kept = read(tmp_path / "run" / "recipe.yaml")
    assert isinstance(kept.normalize, Normalize)
    assert kept.normalize.mean == pytest.approx([0.5] * 3, abs=0.05)
    again = RecordingReporter()
    more = replace(kept, epochs=2, workers=1)
    result = train_graph(graph, more, spec_text=SPEC, reporter=again, resume=True, **places)  # type: ignore[arg-type]
    assert len(result.epochs) == 2
    assert not any("normalize: data" in note for note in again.notes)
