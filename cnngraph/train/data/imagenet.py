"""ImageNet as it is unpacked: folders by WordNet's numbers, names and the labels of flat `val` images beside them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.recipe.data import ImageNet
from cnngraph.recipe.model import Recipe
from cnngraph.train.data.folder import ENDINGS_HELP, files_of, labelled
from cnngraph.train.data.images import Part, Parts
from cnngraph.train.data.layout import folders_in, images_in, pass_over
from cnngraph.train.data.loading import Loading, Note
from cnngraph.train.data.walking import Passed, check_place

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

KAGGLE = Path("ILSVRC", "Data", "CLS-LOC")  # where its archive has the images
NAMES, SOLUTION, META = "LOC_synset_mapping.txt", "LOC_val_solution.csv", "meta.bin"


def read_imagenet(data: ImageNet, recipe: Recipe, wanted: TensorType, data_dir: Path | None, note: Note) -> Parts:
    """Its images: `val` is the test part. Raises SpecError (E621)."""
    root = (data_dir or Path()) / (data.path or "")
    check_place(root)
    images = root / KAGGLE if (root / KAGGLE / "train").is_dir() else root
    if not (images / "train").is_dir():
        raise SpecError.of(
            "E621", f"{root} has no folder train, so it is not ImageNet", help="--data-dir names its folder"
        )
    names, in_order = _names(root)
    chosen = _chosen(data, folders_in(images / "train"), names)
    passed = Passed()
    loading = Loading.of(data, recipe, wanted, root, note)
    own = _labelled(images / "train", chosen, passed)
    present = set(own[1].tolist())
    if absent := [number for label, number in enumerate(chosen) if label not in present]:
        raise SpecError.of("E621", f"{images / 'train'} has no images of the class {absent[0]}", help=ENDINGS_HELP)
    train = Part.whole(loading.images(images / "train", *own))
    test = None
    if (images / "val").is_dir():
        files = _validation(images / "val", root, chosen, in_order, passed)
        test = Part.whole(loading.images(images / "val", *files))
    if passed.counts:
        note(f"{root}: passed over {passed}")
    return Parts(tuple(_unique(chosen, names)), train, None, test, loading.broken)


def _labelled(folder: Path, chosen: Sequence[str], passed: Passed) -> tuple[list[str], torch.Tensor]:
    """The files in folders of classes, and their labels."""
    pass_over(folder, chosen, "folders that are no class", passed)
    return labelled(files_of(folder, chosen, passed))


def _names(root: Path) -> tuple[dict[str, str], list[str]]:
    """The first name of each class by its number, and the classes of the flat `val` images in order, where known."""
    names: dict[str, str] = {}
    in_order: list[str] = []
    try:
        if (root / META).is_file():
            synsets, in_order = torch.load(root / META, weights_only=True)
            names = {str(number): str(words[0]) for number, words in synsets.items()}
            in_order = [str(each) for each in in_order]
        if (root / NAMES).is_file():
            lines = (root / NAMES).read_text(encoding="utf-8").splitlines()
            pairs = (line.partition(" ") for line in lines if line.strip())
            names = {number: words.split(",")[0].strip() for number, _, words in pairs}
    except Exception as error:  # whatever damage does to an archive or a pickle, which is loaded without its code
        raise _unreadable(f"{META} or {NAMES}", root, error) from None
    return names, in_order


def _unreadable(name: str, root: Path, error: Exception) -> SpecError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return SpecError.of(
        "E621", f"{name} in {root} cannot be read: {reason}", help="unpack it again, or remove it to go without it"
    )


def _unique(numbers: Sequence[str], names: dict[str, str]) -> list[str]:
    """The names of classes; of two of one name (there are two kinds of crane) each with its number."""
    found = [names.get(each, each) for each in numbers]
    count = Counter(names.values())
    return [f"{name} ({number})" if count[name] > 1 else name for name, number in zip(found, numbers, strict=True)]


def _chosen(data: ImageNet, numbers: list[str], names: dict[str, str]) -> Sequence[str]:
    """The classes to train on, by number."""
    if len(numbers) < 2:
        raise SpecError.of(
            "E621", f"ImageNet's train has one folder for each of at least two classes, here it has {len(numbers)}"
        )
    by_name = dict(zip(_unique(numbers, names), numbers, strict=True)) | {each: each for each in numbers}
    for each in data.classes or ():
        if each not in by_name:
            raise SpecError.of("E621", f"ImageNet has no class {each} here", help=did_you_mean(each, by_name))
    return [by_name[each] for each in data.classes] if data.classes else numbers


def _validation(
    folder: Path, root: Path, chosen: Sequence[str], in_order: list[str], passed: Passed
) -> tuple[list[str], torch.Tensor]:
    """The files of `val` and their labels."""
    if any((folder / each).is_dir() for each in chosen):
        return _labelled(folder, chosen, passed)
    files = [folder / name for name in sorted(images_in(folder))]
    if (root / SOLUTION).is_file():
        known = _solution(root)
        numbers = [known.get(each.stem, "") for each in files]
    elif len(in_order) == len(files):
        numbers = in_order
    elif in_order:
        message = f"{META} in {root} has labels of {len(in_order):,} images, and {folder} has {len(files):,}"
        raise SpecError.of("E621", message, help=f"unpack the images again, or remove {META} for {SOLUTION}")
    else:
        help = f"{SOLUTION} or torchvision's {META} beside it, or a folder for each class in it"
        raise SpecError.of(
            "E621", f"{folder} has its images in one folder, and nothing says of which classes they are", help=help
        )
    label = {number: index for index, number in enumerate(chosen)}
    kept = [(str(file), label[number]) for file, number in zip(files, numbers, strict=True) if number in label]
    if not kept:
        raise SpecError.of("E621", f"{folder} has no images of the classes that are trained on")
    if others := len(files) - len(kept):
        passed.add_many("images of other classes", others, folder.name)
    return [file for file, _ in kept], torch.tensor([each for _, each in kept])


def _solution(root: Path) -> dict[str, str]:
    """The class of each flat `val` image, from Kaggle's table."""
    try:
        with (root / SOLUTION).open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            return {row["ImageId"]: row["PredictionString"].split()[0] for row in rows if row.get("PredictionString")}
    except (OSError, ValueError, LookupError, AttributeError, csv.Error) as error:
        raise _unreadable(SOLUTION, root, error) from None
