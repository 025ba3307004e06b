"""What a run that is resumed was given and saved, and the weights that a run begins with."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnngraph.backend import WeightsFile, WeightsReport
from cnngraph.backend.weights.files import read_weights
from cnngraph.diagnostics import SpecError
from cnngraph.recipe import Recipe
from cnngraph.stored_documents import is_regular_file
from cnngraph.train.data.identity import Identity
from cnngraph.train.record import files
from cnngraph.train.record.records import Epoch, stopped_early
from cnngraph.train.record.run_folder import RESTORE, RunFolder
from cnngraph.train.record.state import check_documents, check_recipe, check_structure


@dataclass(frozen=True, slots=True)
class Begun:
    """A run to go on with: its folder, what it was given, and what it saved last, None where it saved nothing yet."""

    folder: RunFolder
    data_dir: Path | None
    weights: dict[str, Any] | None
    state: dict[str, Any] | None
    identity: Identity | None = None


def begun_in(out: Path | None, network: str, recipe: Recipe, lock: ExitStack) -> Begun:
    """The run in a folder, which is held from now on. Raises SpecError (E631) where there is nothing left to do."""
    folder = RunFolder.existing(out, network)
    lock.enter_context(folder.locked())
    identity = folder.identity()
    if not folder.state.exists() and not folder.last.exists():  # the state is written before any weights
        return Begun(folder, folder.data_dir, folder.weights, None, identity)
    state = files.read_state(folder.state)
    check_structure(state, folder.state)
    check_recipe(state, recipe)
    if state["data"] != (identity.sha256 if identity else None):
        message = f"{folder.state} and {folder.path / 'data.json'} are of different runs"
        raise SpecError.of("E645", message, help=RESTORE)
    check_documents(state["documents"], folder.path, recipe, RESTORE)
    stopped = stopped_early(tuple(map(Epoch.of, state["epochs"])), recipe.early_stopping)
    if folder.finished and (stopped or state["done"] >= state["steps"] * recipe.epochs):
        help = f"--set train.epochs={2 * recipe.epochs} trains it further"
        if stopped:
            help = "--set train.early_stopping=none trains it further"
        raise SpecError.of("E631", f"the run in {folder.path} is finished", help=help)
    return Begun(folder, folder.data_dir, folder.weights, state, identity)


def first_weights(begun: Begun) -> WeightsFile | None:
    """The weights that a run began with. Raises SpecError (E631) where they are not what they were."""
    origin = begun.weights
    if origin is None:
        return None
    path = Path(origin["path"])
    if not is_regular_file(path) or _digest(path) != origin["sha256"]:
        message = (
            f"the run in {begun.folder.path} has no checkpoint yet, and the weights it began with are gone: {path}"
        )
        raise SpecError.of("E631", message, help="begin a new one without --resume")
    return read_weights(path, origin["file"])


def origin_of(weights: WeightsFile | None, report: WeightsReport | None) -> dict[str, Any] | None:
    """Which weights a run began with, for its folder."""
    if weights is None or report is None:
        return None
    return {
        "file": weights.name,
        "path": str(weights.path.resolve()),
        "sha256": _digest(weights.path),
        "loaded": len(report.loaded),
        "fresh": report.fresh_layers,
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
