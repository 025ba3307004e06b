"""From a graph and a recipe to a trained network in a folder: the one entry to training."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from cnngraph.backend import WeightsFile, WeightsReport, check_weights, load_weights, lower, refuse_misfit
from cnngraph.backend.weights.files import read_weights
from cnngraph.diagnostics import Diagnostic, SpecError, warnings_of
from cnngraph.graph.graph import Graph
from cnngraph.launch import Cores, local_rank
from cnngraph.lint.training import misfits
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import ImageNet, NamedSet
from cnngraph.recipe.sets import SETS
from cnngraph.stored import is_regular_file
from cnngraph.tensor_type import TensorType
from cnngraph.train.data.changes import same_images
from cnngraph.train.data.identity import Identity, identity_of
from cnngraph.train.data.images import Parts
from cnngraph.train.data.normalization import with_figures
from cnngraph.train.data.open import Note, announce, data_root, facts_of, load_parts
from cnngraph.train.loop.engine import train
from cnngraph.train.loop.machine import check_machine, choose_device, reproducible, settle_threads
from cnngraph.train.record import files
from cnngraph.train.record.progress import Reporter, Showing, Silent, reporter_for
from cnngraph.train.record.records import Epoch, Facts, Result, settled
from cnngraph.train.record.run_folder import RESTORE, RunFolder
from cnngraph.train.record.state import check_documents, check_form, check_recipe, documents_of
from cnngraph.train.record.tensorboard import with_events
from cnngraph.train.record.trouble import troubles_told
from cnngraph.train.world import FEWEST, World, joined


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
    cores: Cores | None = None,
) -> Result:
    """Train a network by a recipe, and write everything about it to a folder of its own.

    `spec_text` is kept as the folder's spec.yaml. `out` is the folder, `runs/<network>-<n>` by default; with
    `resume` it is the folder of the run to go on with, the latest of this network by default. `data_dir` is where
    image sets are kept, or the folder of images; a resumed run remembers its own. `weights` are what the network
    begins with instead of fresh ones; they must fit, but for a classifier with another number of classes. Ctrl-C ends
    a run with a checkpoint: the result is `interrupted`. With `tensorboard` the figures are written as events, too.
    `cores` are those that PyTorch's threads may use; without, the number of threads stays what it is.
    Of several processes that torchrun started each calls this, and has the same result.
    Raises SpecError for all that is wrong, before the first batch where it can be known then.
    """
    chosen = choose_device(recipe.device if device is None else device)
    with (
        joined(chosen) as world,
        Showing(_shown(reporter, quiet, tensorboard, world)) as shown,
        ExitStack() as held,  # the folder: nobody else writes into it from before it is read
    ):
        _refuse([*misfits(recipe, graph), *check_machine(recipe, chosen), *_too_small(recipe, world)], shown.note)
        begun = world.from_leader(_begun(out, graph.name, recipe, held) if resume and world.leads else None)
        if begun and not begun.state:  # it died before its first checkpoint, and begins as it began
            weights = first_weights(begun)
        report = _fitting(weights, graph) if weights else None
        data_dir = data_dir or (begun.data_dir if begun else None)
        parts = _load_in_turn(world, recipe, next(iter(graph.inputs.values())), data_dir, shown.note)
        root = data_root(recipe, data_dir)
        if begun and begun.identity:
            parts = same_images(begun.folder.path, begun.identity, parts, root, bool(begun.state), shown.note)
        announce(parts, shown.note)
        known = misfits(recipe, graph)
        images = misfits(recipe, graph, images=facts_of(parts))
        _refuse([each for each in images if each not in known], shown.note)
        recipe = with_figures(recipe, parts.train, shown.note)
        with reproducible(chosen, recipe.seed, recipe.deterministic):
            model = lower(graph)
            if report and weights:
                load_weights(model, weights)
                fresh = f", {', '.join(report.fresh_layers)} fresh" if report.fresh else ""
                shown.note(f"{report.file}: {len(report.loaded):,} of {report.expected:,} weights{fresh}")
            made = world.from_leader(None if begun or not world.leads else RunFolder.new(out, graph.name))
            folder = replace(begun.folder if begun else made, writes=world.leads)
            if not begun:
                held.enter_context(folder.held())
            state = begun.state if begun else None
            threads = settle_threads(cores, state.get("threads") if state else None)
            with troubles_told(folder):
                identity = begun.identity if begun and state else None
                if not state:
                    identity = identity_of(parts, root) if world.leads else None
                    folder.save_data(title_of(recipe), parts, recipe.figures(parts.shape[0]), identity)
                    origin = _origin(weights, report)
                    folder.begin(spec_text, recipe, str(chosen), data_dir, origin, world.size)
                folder.save_broken(parts.broken)
                done = state["done"] if state else 0
                shown.begin(_facts(graph, recipe, parts, chosen, threads, folder, done, world.size))
                result = train(
                    model,
                    recipe,
                    parts,
                    folder,
                    network=graph.name,
                    device=chosen,
                    reporter=shown,
                    state=state,
                    world=world,
                    images=identity.sha256 if identity else None,
                    documents=documents_of(folder.path, recipe) if world.leads else {},
                )
                broken = {name for each in world.all(parts.broken) for name in each}
                folder.save_broken(sorted(broken))
                if broken:
                    shown.note(f"images that cannot be read and were skipped: {len(broken):,}, see skipped.txt")
                return result


def _shown(reporter: Reporter | None, quiet: bool, tensorboard: bool, world: World) -> Reporter:
    """Who tells of the run: of several processes the leader alone."""
    return with_events(reporter or reporter_for(quiet), tensorboard) if world.leads else Silent()


def _too_small(recipe: Recipe, world: World) -> list[Diagnostic]:
    """Batches of which not every process gets its part (E636)."""
    least = FEWEST * world.size
    if world.size == 1 or recipe.batch_size >= least:
        return []
    message = f"batch_size {recipe.batch_size} is not enough for {world.size} processes, of which each takes its share"
    return [Diagnostic("E636", message, help=f"--set train.batch_size={least} is the least")]


def _load_in_turn(world: World, recipe: Recipe, wanted: TensorType, data_dir: Path | None, note: Note) -> Parts:
    """The images of a run. On each machine one process looks for them first, since it may have to download them."""
    if local_rank():
        world.wait()
    parts = load_parts(recipe, wanted, data_dir, note)
    if not local_rank():
        world.wait()
    return parts


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
        raise SpecError([Diagnostic("E631", message, help="begin a new one without --resume")])
    return read_weights(path, origin["file"])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Begun:
    """A run to go on with: its folder, what it was given, and what it saved last, None where it saved nothing yet."""

    folder: RunFolder
    data_dir: Path | None
    weights: dict[str, Any] | None
    state: dict[str, Any] | None
    identity: Identity | None = None


def _begun(out: Path | None, network: str, recipe: Recipe, held: ExitStack) -> Begun:
    """The run in a folder, which is held from now on. Raises SpecError (E631) where there is nothing left to do."""
    folder = RunFolder.existing(out, network)
    held.enter_context(folder.held())
    identity = folder.identity()
    if not folder.state.exists() and not folder.last.exists():  # the state is written before any weights
        return Begun(folder, folder.data_dir, folder.weights, None, identity)
    state = files.read_state(folder.state)
    check_form(state, folder.state)
    check_recipe(state, recipe)
    if state["data"] != (identity.sha256 if identity else None):
        message = f"{folder.state} and {folder.path / 'data.json'} are of different runs"
        raise SpecError([Diagnostic("E645", message, help=RESTORE)])
    check_documents(state["documents"], folder.path, recipe, RESTORE)
    stopped = settled(tuple(map(Epoch.of, state["epochs"])), recipe.early_stopping)
    if folder.finished and (stopped or state["done"] >= state["steps"] * recipe.epochs):
        help = f"--set train.epochs={2 * recipe.epochs} trains it further"
        if stopped:
            help = "--set train.early_stopping=none trains it further"
        raise SpecError([Diagnostic("E631", f"the run in {folder.path} is finished", help=help)])
    return Begun(folder, folder.data_dir, folder.weights, state, identity)


def _facts(
    graph: Graph,
    recipe: Recipe,
    parts: Parts,
    device: torch.device,
    threads: str,
    folder: RunFolder,
    resumed_at: int,
    processes: int,
) -> Facts:
    named = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else threads
    return Facts(
        network=graph.name,
        parameters=graph.num_params,
        data=title_of(recipe),
        parts={name: len(part) for name, part in named.items() if part},
        device=where if processes == 1 else f"{processes} processes, each on {where}",
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


def _refuse(diagnostics: list[Diagnostic], note: Note) -> None:
    """Raise SpecError where there is an error; else report the warnings."""
    for warning in warnings_of(diagnostics):
        note(str(warning))
