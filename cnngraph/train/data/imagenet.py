"""Reads an unpacked ImageNet: folders named by WordNet ID, and files with class names and labels of `val` images."""

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
from cnngraph.train.data.folder import EXTENSIONS_HELP, files_and_labels, find_class_files
from cnngraph.train.data.folder_splits import count_ignored, folders_in, images_in
from cnngraph.train.data.loading import ImageLoader, Note
from cnngraph.train.data.split import Split, Splits
from cnngraph.train.data.walking import Ignored, refuse_system_folder

if TYPE_CHECKING:
    from cnngraph.tensor_type import TensorType

KAGGLE = Path("ILSVRC", "Data", "CLS-LOC")  # the images' folder in Kaggle's archive
NAMES, SOLUTION, META = "LOC_synset_mapping.txt", "LOC_val_solution.csv", "meta.bin"


def read_imagenet(data: ImageNet, recipe: Recipe, input_type: TensorType, data_dir: Path | None, note: Note) -> Splits:
    """Read ImageNet; `val` is the test split. Raises SpecError (E621)."""
    root = (data_dir or Path()) / (data.path or "")
    refuse_system_folder(root)
    images = root / KAGGLE if (root / KAGGLE / "train").is_dir() else root
    if not (images / "train").is_dir():
        raise SpecError.of(
            "E621",
            f"{root} has no folder `train`, so it is not ImageNet",
            help="use `--data-dir` with the folder of ImageNet",
        )
    names, val_labels = _names(root)
    chosen = _chosen(data, folders_in(images / "train"), names)
    ignored = Ignored()
    loader = ImageLoader.of(data, recipe, input_type, root, note)
    files, labels = _files_and_labels(images / "train", chosen, ignored)
    present = set(labels.tolist())
    if empty := [wnid for label, wnid in enumerate(chosen) if label not in present]:
        raise SpecError.of("E621", f"{images / 'train'} has no images of the class {empty[0]}", help=EXTENSIONS_HELP)
    train = Split.all_of(loader.images(images / "train", files, labels))
    test = None
    if (images / "val").is_dir():
        files, labels = _validation(images / "val", root, chosen, val_labels, ignored)
        test = Split.all_of(loader.images(images / "val", files, labels))
    if ignored.counts:
        note(f"{root}: ignored {ignored}")
    return Splits(tuple(_unique(chosen, names)), train, None, test, loader.broken)


def _files_and_labels(folder: Path, chosen: Sequence[str], ignored: Ignored) -> tuple[list[str], torch.Tensor]:
    """The files in the class folders, and their labels."""
    count_ignored(folder, chosen, "folders that are not a class", ignored)
    return files_and_labels(find_class_files(folder, chosen, ignored))


def _names(root: Path) -> tuple[dict[str, str], list[str]]:
    """The first name of each class by WordNet ID, and the classes of the flat `val` images in order, if known."""
    names: dict[str, str] = {}
    val_labels: list[str] = []
    try:
        if (root / META).is_file():
            synsets, val_labels = torch.load(root / META, weights_only=True)
            names = {str(wnid): str(words[0]) for wnid, words in synsets.items()}
            val_labels = [str(wnid) for wnid in val_labels]
        if (root / NAMES).is_file():
            lines = (root / NAMES).read_text(encoding="utf-8").splitlines()
            pairs = (line.partition(" ") for line in lines if line.strip())
            names = {wnid: words.split(",")[0].strip() for wnid, _, words in pairs}
    except Exception as error:  # damaged archives and pickles raise anything
        raise _unreadable(f"{META} or {NAMES}", root, error) from None
    return names, val_labels


def _unreadable(name: str, root: Path, error: Exception) -> SpecError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return SpecError.of(
        "E621", f"{name} in {root} cannot be read: {reason}", help="unpack it again, or remove it: it is optional"
    )


def _unique(wnids: Sequence[str], names: dict[str, str]) -> list[str]:
    """The names of classes; names that occur twice, such as `crane`, get their WordNet ID appended."""
    found = [names.get(wnid, wnid) for wnid in wnids]
    count = Counter(names.values())
    return [f"{name} ({wnid})" if count[name] > 1 else name for name, wnid in zip(found, wnids, strict=True)]


def _chosen(data: ImageNet, wnids: list[str], names: dict[str, str]) -> Sequence[str]:
    """The classes to train on, by WordNet ID."""
    if len(wnids) < 2:
        raise SpecError.of("E621", f"ImageNet's `train` needs at least two class folders, but has {len(wnids)}")
    by_name = dict(zip(_unique(wnids, names), wnids, strict=True)) | {wnid: wnid for wnid in wnids}
    for name in data.classes or ():
        if name not in by_name:
            raise SpecError.of("E621", f"this copy of ImageNet has no class {name}", help=did_you_mean(name, by_name))
    return [by_name[name] for name in data.classes] if data.classes else wnids


def _validation(
    folder: Path, root: Path, chosen: Sequence[str], val_labels: list[str], ignored: Ignored
) -> tuple[list[str], torch.Tensor]:
    """The files of `val` and their labels."""
    if any((folder / wnid).is_dir() for wnid in chosen):
        return _files_and_labels(folder, chosen, ignored)
    files = [folder / name for name in sorted(images_in(folder))]
    if (root / SOLUTION).is_file():
        known = _solution(root)
        wnids = [known.get(file.stem, "") for file in files]
    elif len(val_labels) == len(files):
        wnids = val_labels
    elif val_labels:
        message = f"{META} in {root} has labels for {len(val_labels):,} images, but {folder} has {len(files):,}"
        raise SpecError.of("E621", message, help=f"unpack the images again, or replace {META} with {SOLUTION}")
    else:
        help = f"put {SOLUTION} or torchvision's {META} next to it, or the images into one folder per class"
        raise SpecError.of("E621", f"the labels of the images in {folder} are unknown", help=help)
    label_of = {wnid: label for label, wnid in enumerate(chosen)}
    kept = [(str(file), label_of[wnid]) for file, wnid in zip(files, wnids, strict=True) if wnid in label_of]
    if not kept:
        raise SpecError.of("E621", f"{folder} has no images of the classes to train on")
    if others := len(files) - len(kept):
        ignored.add_many("images of other classes", others, folder.name)
    return [file for file, _ in kept], torch.tensor([label for _, label in kept])


def _solution(root: Path) -> dict[str, str]:
    """The class of each flat `val` image, from Kaggle's CSV file."""
    try:
        with (root / SOLUTION).open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            return {row["ImageId"]: row["PredictionString"].split()[0] for row in rows if row.get("PredictionString")}
    except (OSError, ValueError, LookupError, AttributeError, csv.Error) as error:
        raise _unreadable(SOLUTION, root, error) from None
