"""The files of a run's folder: the name of each, in one place. What is in them is said in docs/recipes.md."""

from __future__ import annotations

from pathlib import Path

SPEC = "spec.yaml"
RECIPE = "recipe.yaml"
DATA = "data.json"
IMAGES = "images.csv"  # where the images are files
ENVIRONMENT = "environment.json"
METRICS = "metrics.json"
METRICS_TABLE = "metrics.csv"
CURVES = "curves.png"
STATE = "state.pt"
TENSORBOARD = "tensorboard"  # a folder
LOCK = ".lock"  # held by the process that trains
ENDING = ".safetensors"  # of weights
BEST, LAST = "best", "last"  # the weights of the best epoch, and the latest


def weights_file(folder: Path, which: str) -> Path:
    """The file of the weights called `best`, `last` or `epoch-0010`."""
    return folder / f"{which}{ENDING}"


def epoch_name(epoch: int) -> str:
    """What the weights kept after an epoch are called: `epoch-0010`."""
    return f"epoch-{epoch:04}"


def kept_weights(folder: Path) -> list[str]:
    """What the weights in a folder are called, sorted."""
    return sorted(path.stem for path in folder.glob(f"*{ENDING}"))


def classes_file(folder: Path, split: str) -> Path:
    """The table of how well each class of a split is recognised."""
    return folder / f"classes_{split}.csv"


def confusion_file(folder: Path, split: str) -> Path:
    """The confusion matrix of a split as a picture."""
    return folder / f"confusion_{split}.png"
