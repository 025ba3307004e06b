"""From a graph and a recipe to a trained network in a folder: the one entry to training."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from cnngraph.backend import WeightsFile, WeightsReport, check_weights, load_weights, lower, refuse_misfit
from cnngraph.backend.weights_file import read_weights
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.ir.graph import Graph
from cnngraph.recipe import Recipe, check_fit
from cnngraph.recipe.data import ImageNet, NamedSet
from cnngraph.recipe.sets import SETS
from cnngraph.train import files
from cnngraph.train.data import load_parts
from cnngraph.train.engine import train
from cnngraph.train.images import Parts
from cnngraph.train.machine import check_machine, choose_device, reproducible
from cnngraph.train.normalization import with_figures
from cnngraph.train.patterns import check_patterns
from cnngraph.train.progress import Reporter, Showing, reporter_for
from cnngraph.train.records import Epoch, Facts, Result, settled
from cnngraph.train.run_folder import RunFolder
from cnngraph.train.tensorboard import with_events
from cnngraph.train.trouble import troubles_told


def run_training(
    graph: Graph,
    recipe: Recipe,
    *,
    spec_text: str,
    out: Path | None = None,
    data_dir: Path | None = None,
    resume: bool = False,
    device: str | None = None,
    weights: WeightsFile | None = None,
    quiet: bool = False,
    tensorboard: bool = False,
    reporter: Reporter | None = None,
) -> Result:
    """Train a network by a recipe, and write everything about it to a folder of its own.

    `spec_text` is kept as the folder's spec.yaml. `out` is the folder, `runs/<network>-<n>` by default; with
    `resume` it is the folder of the run to go on with, the latest of this network by default. `data_dir` is where
    image sets are kept, or the folder of images; a resumed run remembers its own. `weights` are what the network
    begins with instead of fresh ones; they must fit, but for a classifier with another number of classes. Ctrl-C ends
    a run with a checkpoint: the result is `interrupted`. With `tensorboard` the figures are written as events, too.
    Raises SpecError for all that is wrong, before the first batch where it can be known then.
    """
    chosen = choose_device(device or recipe.device)
    with Showing(with_events(reporter or reporter_for(quiet), tensorboard)) as shown:
        _refuse(_misfits(graph, recipe) or check_machine(recipe, chosen))
        folder, state = _resumed(out, graph.name, recipe) if resume else (None, None)
        if folder:  # one that died before its first checkpoint begins again, with the weights that it began with
            weights = None if state else first_weights(folder)
        report = _fitting(weights, graph) if weights else None
        data_dir = data_dir or (folder.data_dir if folder else None)
        parts = load_parts(recipe, next(iter(graph.inputs.values())), data_dir, shown.note)
        _refuse(_misfits(graph, recipe, shape=parts.shape, classes=len(parts.classes)))
        recipe = with_figures(recipe, parts.train, shown.note)
        with reproducible(chosen, recipe.seed, recipe.deterministic):
            model = lower(graph)
            if report and weights:
                load_weights(model, weights)
                fresh = f", {', '.join(report.fresh_layers)} fresh" if report.fresh else ""
                shown.note(f"{report.file}: {len(report.loaded):,} of {report.expected:,} weights{fresh}")
            folder = folder or RunFolder.new(out, graph.name)
            with troubles_told(folder):
                if not state:
                    folder.save_data(title_of(recipe), parts, recipe.figures(parts.shape[0]))
                    folder.begin(spec_text, recipe, str(chosen), data_dir, _origin(weights, report))
                folder.save_broken(parts.broken)
                shown.begin(_facts(graph, recipe, parts, chosen, folder, state["done"] if state else 0))
                result = train(
                    model, recipe, parts, folder, network=graph.name, device=chosen, reporter=shown, state=state
                )
                folder.save_broken(parts.broken)
                if parts.broken:
                    shown.note(f"images that cannot be read and were skipped: {len(parts.broken):,}, see skipped.txt")
                return result


def _misfits(graph: Graph, recipe: Recipe, **images: Any) -> list[Diagnostic]:
    """What keeps the network from training by the recipe, on images of that `shape` and so many `classes`."""
    outputs = {name: graph.type_of(ref) for name, ref in graph.outputs.items()}
    places = {name: graph.nodes[ref.node].span for name, ref in graph.outputs.items() if ref.node >= 0}
    found = check_fit(recipe, graph.inputs, outputs, span=graph.root.span, places=places, params=graph.params, **images)
    return found + check_patterns(recipe, graph)


def _fitting(weights: WeightsFile, graph: Graph) -> WeightsReport:
    """What becomes of the weights. Raises SpecError (E706) where they do not fit."""
    report = check_weights(weights, graph)
    refuse_misfit(report, graph.name)
    return report


def _origin(weights: WeightsFile | None, report: WeightsReport | None) -> dict[str, Any] | None:
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


def first_weights(folder: RunFolder) -> WeightsFile | None:
    """The weights that a run began with. Raises SpecError (E631) where they are not what they were."""
    origin = folder.weights
    if origin is None:
        return None
    path = Path(origin["path"])
    if not path.is_file() or _digest(path) != origin["sha256"]:
        message = f"the run in {folder.path} has no checkpoint yet, and the weights it began with are gone: {path}"
        raise SpecError([Diagnostic("E631", message, help="begin a new one without --resume")])
    return read_weights(path, origin["file"])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _resumed(out: Path | None, network: str, recipe: Recipe) -> tuple[RunFolder, dict[str, Any] | None]:
    """The folder and the state to go on from, None where none was saved yet.

    Raises SpecError (E631) where there is nothing left to do.
    """
    folder = RunFolder.existing(out, network)
    if not folder.state.is_file():
        return folder, None
    try:
        state = files.read_state(folder.state)
    except Exception:  # a broken file makes torch raise nearly anything
        raise SpecError([Diagnostic("E631", f"the checkpoint {folder.state} is broken and cannot be read")]) from None
    stopped = settled(tuple(map(Epoch.of, state["epochs"])), recipe.early_stopping)
    if folder.finished and (stopped or state["done"] >= state["steps"] * recipe.epochs):
        help = f"--set train.epochs={2 * recipe.epochs} trains it further"
        if stopped:
            help = "--set train.early_stopping=none trains it further"
        raise SpecError([Diagnostic("E631", f"the run in {folder.path} is finished", help=help)])
    return folder, state


def _facts(
    graph: Graph, recipe: Recipe, parts: Parts, device: torch.device, folder: RunFolder, resumed_at: int
) -> Facts:
    named = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    threads = torch.get_num_threads()
    cpu = f"cpu, {threads} thread{'s' if threads > 1 else ''}"
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return Facts(
        network=graph.name,
        parameters=graph.num_params,
        data=title_of(recipe),
        parts={name: len(part) for name, part in named.items() if part},
        device=where,
        epochs=recipe.epochs,
        folder=folder.path,
        resumed_at=resumed_at,
    )


def title_of(recipe: Recipe) -> str:
    """What a person calls the images."""
    match recipe.data:
        case NamedSet(name=name):
            return SETS[name].title
        case ImageNet():
            return "ImageNet"
    return "image folder"


def _refuse(diagnostics: list[Diagnostic]) -> None:
    if diagnostics:
        raise SpecError(diagnostics)
