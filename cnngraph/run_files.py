"""The names of the files in a run's folder. Their contents are documented in docs/recipes.md."""

from __future__ import annotations

from pathlib import Path

SPEC = "spec.yaml"
RECIPE = "recipe.yaml"
DATA = "data.json"
IMAGES = "images.csv"  # only if the images are files
ENVIRONMENT = "environment.json"
METRICS = "metrics.json"
METRICS_TABLE = "metrics.csv"
CURVES = "curves.png"
EXPERIMENT_CURVES = "curves.svg"  # beside the reports of an experiment
STATE = "state.pt"
TENSORBOARD = "tensorboard"  # a folder
LOCK = ".lock"  # locked by the process that is training
ENDING = ".safetensors"  # of weights
INITIAL = "initial.weights"  # safetensors, if the run was started with the adapted weights of another network
BEST, LAST = "best", "last"  # the weights of the best epoch, and the latest ones


def weights_file(folder: Path, which: str) -> Path:
    """The file of the weights called `best`, `last` or `epoch-0010`."""
    return folder / f"{which}{ENDING}"


def epoch_name(epoch: int) -> str:
    """The name of the weights kept after an epoch: `epoch-0010`."""
    return f"epoch-{epoch:04}"


def kept_weights(folder: Path) -> list[str]:
    """The names of the weights in a folder, sorted."""
    return sorted(path.stem for path in folder.glob(f"*{ENDING}"))


def classes_file(folder: Path, split: str) -> Path:
    """The table of metrics per class of a split."""
    return folder / f"classes_{split}.csv"


def confusion_file(folder: Path, split: str) -> Path:
    """The plot of the confusion matrix of a split."""
    return folder / f"confusion_{split}.png"
