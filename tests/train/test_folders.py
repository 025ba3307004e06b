"""Image folders: recognised splits, classes and files, skipped entries, and errors."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnngraph import SpecError
from cnngraph.recipe.data import ImageFolder
from cnngraph.tensor_type import TensorType
from cnngraph.train.data import walking
from cnngraph.train.data.folder_splits import split_of
from cnngraph.train.data.formats import EXTENSIONS
from cnngraph.train.data.load_splits import announce, load_splits
from cnngraph.train.data.split import Splits
from tests.train.support import RECIPE

COLOUR = TensorType.map(3, 8, 8)


def lay(root: Path, *folders: str, count: int = 4, ending: str = "png") -> None:
    """Write images into folders relative to `root`."""
    for place, name in enumerate(folders):
        folder = root / name
        assert folder.is_relative_to(root)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = np.random.default_rng(100 * place + number).integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.{ending}")


def load(root: Path, notes: list[str] | None = None, **data: Any) -> Splits:
    recipe = replace(RECIPE, data=ImageFolder(**data), validation=0.25)
    note_list = [] if notes is None else notes
    return load_splits(recipe, COLOUR, root, note_list.append)


def refused(root: Path, **data: Any) -> tuple[str, str, str]:
    with pytest.raises(SpecError) as caught:
        load(root, **data)
    (found,) = caught.value.diagnostics
    return found.code, found.message, found.help or ""


def names_of(splits: Splits) -> list[str]:
    return sorted(splits.train.images.names)


# Splits.


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Valid", "Test"),
        ("TRAIN", "DEV", "TEST"),
        ("training", "validation", "testing"),
        ("Training", "Validation", "Testing"),
        ("training_set", "validation_set", "test_set"),
        ("train_set", "val-set", "testset"),
        ("seg_train", "seg_val", "seg_test"),
        ("TrainingData", "ValidationData", "TestData"),
        ("train images", "valid images", "test images"),
        ("train2017", "val2017", "test2017"),
        ("flowers_train", "flowers_val", "flowers_test"),
        ("01_train", "02_valid", "03_test"),
    ],
)
def test_splits_have_many_names(tmp_path: Path, train: str, validation: str, test: str) -> None:
    lay(tmp_path / train, "ant", "bee", count=4)
    lay(tmp_path / validation, "ant", "bee", count=1)
    lay(tmp_path / test, "ant", "bee", count=2)
    (tmp_path / "readme.txt").write_text("")
    splits = load(tmp_path)
    assert splits.classes == ("ant", "bee")
    assert [len(part or ()) for part in (splits.train, splits.validation, splits.test)] == [8, 2, 4]
    assert splits.train.images.names[0] == f"{train}/ant/0.png"


@pytest.mark.parametrize(
    "name", ["testimony", "trainer", "tests and trials", "device", "value", "training shoes", "data", "images", "7"]
)
def test_other_folder_names_are_no_splits(name: str) -> None:
    assert split_of(name) is None


def test_a_split_in_a_nested_folder_of_the_same_name(tmp_path: Path) -> None:
    lay(tmp_path / "seg_train" / "seg_train", "ant", "bee")
    lay(tmp_path / "seg_test" / "seg_test", "ant", "bee")
    lay(tmp_path, "seg_pred/seg_pred")
    notes: list[str] = []
    splits = load(tmp_path, notes)
    assert splits.classes == ("ant", "bee")
    assert len(splits.test or ()) == 8
    assert notes == [f"{tmp_path}: ignored folders beside the splits: 1 (seg_pred)"]


def test_test_images_without_classes_are_skipped(tmp_path: Path) -> None:
    lay(tmp_path, "train/ant", "train/bee", "test1")
    notes: list[str] = []
    assert load(tmp_path, notes).test is None
    assert any("splits without class folders: 1 (test1)" in note for note in notes)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (
            ("train/ant", "train/bee", "Training/ant", "Training/bee"),
            "Training and train in {} could each be the train",
        ),
        (("train/a", "train/b", "val/a", "dev/a"), "dev and val in {} could each be the validation images"),
        (("test/a", "test/b", "val/a"), "{} has test and val, which are names of splits, but no folder of training"),
        (("ant", "bee", "test"), "{} has test, which is the name of a split, but no folder of"),
        (("ant", "bee", "train"), "{}/train could be the training images or, like ant, bee, a class"),
        (("train/ant", "train/bee", "ant", "bee"), "{} and {}/train both have the classes ant, bee"),
        (("train/train/a", "train/test/a", "test/a"), "test, train in {}/train could be splits or classes"),
        (("cat_train/a", "cat_test/a", "dog_train/a", "dog_test/a"), "are splits of several data sets"),
        (
            ("photos/ant", "photos/bee", "cam", "old plots"),
            "{}/photos has all its images in the folders ant, bee",
        ),
        (("cam", "runs/net-1", "old plots"), "{}/runs has all its images in the folders net-1"),
        (
            ("ant/day", "ant/night", "bee/day", "bee/night"),
            "{}/ant has all its images in the folders day, night",
        ),
    ],
)
def test_ambiguous_folders_are_an_error(tmp_path: Path, folders: tuple[str, ...], message: str) -> None:
    lay(tmp_path, *folders)
    code, reported, help = refused(tmp_path)
    assert code == "E624"
    assert message.replace("{}", str(tmp_path)) in reported
    assert help


def test_a_few_images_next_to_classes_do_not_make_a_class(tmp_path: Path) -> None:
    lay(tmp_path, "photos/ant", "photos/bee", "cam")
    lay(tmp_path, "photos", count=1)
    code, reported, help = refused(tmp_path)
    assert (code, f"{tmp_path}/photos has most of its images in the folders ant, bee" in reported) == ("E624", True)
    assert help.startswith(f"did you mean {tmp_path}/photos?")


def test_given_classes_are_not_ambiguous(tmp_path: Path) -> None:
    lay(tmp_path, "bus", "train", "car/red", "car/blue", "test")
    splits = load(tmp_path, classes=("bus", "train", "car", "test"))
    assert [len(splits.train) + len(splits.validation or ()), splits.test] == [20, None]
    assert splits.classes == ("bus", "train", "car", "test")


def test_images_in_equally_named_folders_of_each_class(tmp_path: Path) -> None:
    lay(tmp_path, "train/n01/images", "train/n02/images")
    splits = load(tmp_path)
    assert splits.classes == ("n01", "n02")
    assert splits.train.images.names[0] == "train/n01/images/0.png"


def test_the_folder_inside_an_archive_is_suggested(tmp_path: Path) -> None:
    lay(tmp_path, "flowers/ant", "flowers/bee")
    assert refused(tmp_path)[2] == f"did you mean {tmp_path / 'flowers'}, which has the folders ant, bee?"


# Entries that are never data.

CLUTTER = (
    ".hidden", ".ipynb_checkpoints", "__MACOSX", "@eaDir", ".AppleDouble", "lost+found", "$RECYCLE.BIN",
    "System Volume Information", ".Trash-1000", ".git", "__pycache__", "#recycle", ".thumbnails",
)  # fmt: skip


@pytest.mark.parametrize("name", CLUTTER)
def test_system_entries_are_skipped_at_any_depth(tmp_path: Path, name: str) -> None:
    lay(tmp_path, "train/ant", "train/bee", "train/bee/more", "test/ant", "test/bee")
    expected = names_of(load(tmp_path))
    for place in (".", "train", "test", "train/ant", "train/bee/more"):
        lay(tmp_path / place, f"{name}/ant", name)
    notes: list[str] = []
    splits = load(tmp_path, notes)
    assert splits.classes == ("ant", "bee")
    assert names_of(splits) == expected
    assert len(splits.test or ()) == 8
    assert notes == [f"{tmp_path}: ignored hidden or system entries: 5 ({name})"]


def test_system_folders_are_recognised_in_any_case(tmp_path: Path) -> None:
    lay(tmp_path, "ant", "bee", "ant/@EADIR", "$Recycle.Bin", "ant/__macosx", "LOST+FOUND")
    assert len(names_of(load(tmp_path))) == 8


@pytest.mark.parametrize(
    "name", ["._0.png", ".0.jpg", "Thumbs.db", "desktop.ini", "ehthumbs.db", "~$0.png", ".DS_Store"]
)
def test_system_files_are_skipped(tmp_path: Path, name: str) -> None:
    lay(tmp_path, "ant", "bee")
    (tmp_path / "ant" / name).write_bytes(b"\0\5\x16\7")
    notes: list[str] = []
    assert len(names_of(load(tmp_path, notes))) == 8
    assert notes == [f"{tmp_path}: ignored hidden or system entries: 1 ({name})"]


def test_skipped_files_are_counted_by_ending(tmp_path: Path) -> None:
    lay(tmp_path, "ant", "bee")
    for name in ("a.txt", "b.txt", "c.jpg.tmp", "d", "e.zip", "f.mp4"):
        (tmp_path / "ant" / name).write_text("")
    lay(tmp_path, "", count=1)
    notes: list[str] = []
    load(tmp_path, notes)
    (note,) = notes
    assert note.startswith(f"{tmp_path}: ignored images outside the class folders: 1 (0.png); other files: 6 (")
    assert note.endswith(", …)")


@pytest.mark.parametrize("ending", ["jfif", "jpe", "jp2", "avif", "webp", "PNG", "JPeG", "tiff", "bmp", "ppm", "gif"])
def test_every_format_of_pillow_is_read(tmp_path: Path, ending: str) -> None:
    lay(tmp_path, "ant", "bee", ending=ending)
    assert len(names_of(load(tmp_path))) == 8


def test_unsafe_formats_are_not_read(tmp_path: Path) -> None:
    assert not {".eps", ".ps", ".pdf", ".wmf", ".h5", ".mpg"} & {*EXTENSIONS}
    lay(tmp_path, "ant", "bee")
    Image.new("RGB", (8, 8)).save(tmp_path / "ant" / "0.png", format="EPS")
    code, message, _ = refused(tmp_path)
    assert (code, message.endswith("0.png: it is empty or not in a known image format")) == ("E621", True)


# Links, pipes, endless trees.


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("ant/up", ".."),
        ("ant/up", "../.."),
        ("ant/self", "."),
        ("ant/again", "more"),
        ("ant/0copy.png", "0.png"),
        ("ant/other", "../bee"),
        ("ant/other.png", "../bee/0.png"),
        ("ant/more/back", ".."),
        ("loop", "."),
        ("up", ".."),
        ("ant/gone.png", "nowhere.png"),
        ("ant/round", "round"),
        ("ant/round.png", "round.png"),
    ],
)
def test_links_to_images_of_the_folder_are_skipped(tmp_path: Path, link: str, target: str) -> None:
    root = tmp_path / "data"
    lay(root, "ant", "ant/more", "bee")
    before = names_of(load(root))
    (root / link).symlink_to(target)
    notes: list[str] = []
    splits = load(root, notes)
    assert splits.classes == ("ant", "bee")
    assert names_of(splits) == before
    (note,) = notes
    assert f"1 ({Path(link).name})" in note


def test_recursive_links_are_not_followed(tmp_path: Path) -> None:
    lay(tmp_path, "ant", "bee")
    for number in range(5):
        (tmp_path / "ant" / f"link{number}").symlink_to(tmp_path / "ant")
        (tmp_path / "bee" / f"link{number}").symlink_to(tmp_path)
    assert len(names_of(load(tmp_path))) == 8


def test_links_to_other_folders_are_followed(tmp_path: Path) -> None:
    lay(tmp_path, "elsewhere/ant", "elsewhere/more", "elsewhere/single", "data/bee")
    root = tmp_path / "data"
    (root / "ant").symlink_to(tmp_path / "elsewhere" / "ant")
    (root / "bee" / "more").symlink_to(tmp_path / "elsewhere" / "more")
    (root / "bee" / "one.png").symlink_to(tmp_path / "elsewhere" / "single" / "0.png")
    (root / "bee" / "two.png").symlink_to(tmp_path / "elsewhere" / "single" / "0.png")
    assert names_of(load(root)) == [
        *(f"ant/{number}.png" for number in range(4)),
        *(f"bee/{number}.png" for number in range(4)),
        *(f"bee/more/{number}.png" for number in range(4)),
        "bee/one.png",
    ]


def test_equal_splits_are_an_error_and_shared_images_a_note(tmp_path: Path) -> None:
    lay(tmp_path, "train/ant", "train/bee", "test/bee")
    (tmp_path / "val").symlink_to("train")
    assert refused(tmp_path)[:2] == ("E624", f"{tmp_path}/train and {tmp_path}/val are the same folder")
    (tmp_path / "val").unlink()
    (tmp_path / "test" / "ant").symlink_to("../train/ant")
    notes: list[str] = []
    load(tmp_path, notes)
    assert notes == [f"warning: test and train share images through links to {tmp_path.resolve()}/train/ant"]


def test_two_classes_in_one_folder_are_an_error(tmp_path: Path) -> None:
    lay(tmp_path, "ant", "bee")
    (tmp_path / "cat").symlink_to("bee")
    assert refused(tmp_path)[:2] == ("E621", f"the classes bee and cat in {tmp_path} are the same folder")


def test_pipes_are_skipped(tmp_path: Path) -> None:
    lay(tmp_path, "ant", "bee")
    os.mkfifo(tmp_path / "ant" / "pipe.png")
    (tmp_path / "ant" / "device.png").symlink_to("/dev/zero")
    notes: list[str] = []
    assert len(names_of(load(tmp_path, notes))) == 8
    assert notes == [f"{tmp_path}: ignored pipes, sockets or devices: 2 (device.png, pipe.png)"]


@pytest.mark.parametrize("place", ["/", "/proc", "/proc/self", "/sys", "/dev", "/proc/self/root"])
def test_system_folders_are_an_error(place: str) -> None:
    code, message, help = refused(Path(place))
    assert (code, message.startswith(f"{place} is ")) == ("E625", True)
    assert help == "name the folder that contains the images"


def test_the_search_for_images_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MAX_OTHERS", 50)
    lay(tmp_path, "ant", "bee")
    for number in range(60):
        (tmp_path / "ant" / f"{number}.c").write_text("")
    code, message, _ = refused(tmp_path)
    assert code == "E625"
    assert message.startswith("only ")
    assert "51 are not; the search was stopped" in message
    lay(tmp_path, "ant", "bee", count=8)
    assert len(names_of(load(tmp_path))) == 16


def test_the_depth_of_the_search_is_bounded(tmp_path: Path) -> None:
    lay(tmp_path, "ant", "bee")
    (tmp_path / "ant" / Path(*["deep"] * 40)).mkdir(parents=True)
    code, message, _ = refused(tmp_path)
    assert (code, message.endswith("is more than 32 folders deep")) == ("E625", True)


# Notes.


def test_classes_and_counts_are_reported(tmp_path: Path) -> None:
    lay(tmp_path / "train", "ant", "bee")
    lay(tmp_path / "test", "ant", count=1)
    notes: list[str] = []
    announce(load(tmp_path), notes.append)
    assert notes == [
        "train: 6 images · ant: 3, bee: 3",
        "validation: 2 images · ant: 1, bee: 1",
        "test: 1 image · ant: 1, bee: 0",
    ]


def test_many_classes_are_abbreviated(tmp_path: Path) -> None:
    lay(tmp_path, *(f"c{number:02}" for number in range(11)), count=2)
    lay(tmp_path, "c05", count=9)
    notes: list[str] = []
    announce(load(tmp_path), notes.append)
    assert notes[0] == "train: 17 images · 11 classes, c00: 1 … c10: 1 (1 to 7 each)"


def test_a_class_of_broken_files_is_reported(tmp_path: Path) -> None:
    lay(tmp_path, "ant", "bee")
    for file in (tmp_path / "bee").iterdir():
        file.write_bytes(b"junk")
    code, message, _ = refused(tmp_path, broken="skip")
    assert (code, message) == ("E621", f"none of the 4 images of the class bee in {tmp_path} can be read")
