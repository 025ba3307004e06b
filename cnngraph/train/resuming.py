"""Opens a run to resume it, and records and finds the initial weights of a run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import nn

from cnngraph import run_files
from cnngraph.backend import Choices, WeightsFile, WeightsReport, save_weights
from cnngraph.backend.weights.files import read_weights
from cnngraph.diagnostics import SpecError
from cnngraph.frozen import frozen
from cnngraph.initial_weights import sha256_of
from cnngraph.recipe import Recipe
from cnngraph.stored_documents import is_regular_file
from cnngraph.train.data.identity import Identity
from cnngraph.train.record import run_file_formats
from cnngraph.train.record.records import Epoch, stopped_early
from cnngraph.train.record.resume_checks import check_documents, check_recipe, check_structure
from cnngraph.train.record.run_folder import RESTORE, RunFolder


@frozen
class ResumedRun:
    """A run to resume: its folder, data and initial weights, and its last saved `state`, None before the first."""

    folder: RunFolder
    data_dir: Path | None
    weights: dict[str, Any] | None
    state: dict[str, Any] | None
    identity: Identity | None = None


def open_run(out: Path | None, network: str, recipe: Recipe, locks: ExitStack) -> ResumedRun:
    """Open and lock a run to resume it. Raises SpecError: E631 for a finished run, E645 for a damaged one."""
    folder = RunFolder.existing(out, network)
    locks.enter_context(folder.locked())
    identity = folder.identity()
    if not folder.state.exists() and not folder.last.exists():  # the state is written before any weights
        return ResumedRun(folder, folder.data_dir, folder.weights, None, identity)
    state = run_file_formats.read_state(folder.state)
    check_structure(state, folder.state)
    check_recipe(state, recipe)
    if state["data"] != (identity.sha256 if identity else None):
        message = f"{folder.state} and {folder.path / 'data.json'} belong to different runs"
        raise SpecError.of("E645", message, help=RESTORE)
    check_documents(state["documents"], folder.path, recipe, RESTORE)
    stopped = stopped_early(tuple(map(Epoch.of, state["epochs"])), recipe.early_stopping)
    if folder.finished and (stopped or state["done"] >= state["steps"] * recipe.epochs):
        help = f"use `--set train.epochs={2 * recipe.epochs}` to train it further"
        if stopped:
            help = "use `--set train.early_stopping=none` to train it further"
        raise SpecError.of("E631", f"the run in {folder.path} is finished", help=help)
    return ResumedRun(folder, folder.data_dir, folder.weights, state, identity)


def initial_weights_of(run: ResumedRun) -> WeightsFile | None:
    """The weights that a run was started with. Raises SpecError (E631) if their file is missing or was changed."""
    origin = run.weights
    if origin is None:
        return None
    path = Path(origin["path"])
    if not is_regular_file(path) or sha256_of(path) != origin["sha256"]:
        message = (
            f"the run in {run.folder.path} has no checkpoint, and its initial weights are missing or changed: {path}"
        )
        raise SpecError.of("E631", message, help="start a new run without `--resume`")
    file = read_weights(path, origin["file"])
    options = origin.get("options") or {}
    file.selected = options.get("selected", "")
    file.choices = Choices(
        options.get("partial", False), tuple(options.get("fresh", ())), tuple(options.get("leave", ()))
    )
    return file


def weights_origin(
    weights: WeightsFile | None, report: WeightsReport | None, folder: RunFolder, model: nn.Module
) -> dict[str, Any] | None:
    """A record of a run's initial weights, for its folder; None for random ones.

    Weights that are not in one file, such as the adapted ones of another network, are written into the folder.
    """
    if weights is None or report is None:
        return None
    path, chosen = weights.path.resolve(), dict(weights.chosen)
    if weights.is_computed:
        path = (folder.path / run_files.INITIAL).resolve()
        if not folder.writes:
            return None
        save_weights(model, path)
        weights = read_weights(path, weights.name)
    return {
        "file": weights.name,
        "path": str(path),
        "sha256": sha256_of(path),
        "loaded": len(report.loaded),
        "fresh": report.fresh_layers,
        "options": {
            "selected": weights.selected,
            "partial": weights.choices.partial,
            "fresh": weights.choices.fresh,
            "leave": weights.choices.leave,
        },
        "chosen": chosen,
    }
