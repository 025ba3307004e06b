"""From a graph and a recipe to a trained network in a folder: the one entry to training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnngraph.backend import WeightsFile, WeightsReport, check_weights, load_weights, lower, refuse_misfit
from cnngraph.diagnostics import Diagnostic, warnings_of
from cnngraph.graph.graph import Graph
from cnngraph.launch import Cores, local_rank
from cnngraph.lint.training import misfits
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import ImageNet, NamedSet
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType
from cnngraph.train.data.changes import images_to_resume
from cnngraph.train.data.identity import identity_of
from cnngraph.train.data.images import Splits
from cnngraph.train.data.loading import Note
from cnngraph.train.data.normalization import with_normalization
from cnngraph.train.data.splits import announce, data_dir_of, data_root, facts_of, load_splits
from cnngraph.train.loop.device import check_machine, choose_device, reproducible, settle_threads
from cnngraph.train.loop.engine import train
from cnngraph.train.loop.handlers import Handler, check_handlers
from cnngraph.train.loop.job import Job
from cnngraph.train.loop.loggers import Logging, check_loggers
from cnngraph.train.record.failures import reporting_failures
from cnngraph.train.record.progress import Reporter, Silent
from cnngraph.train.record.records import Result, RunSummary
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.record.state import document_digests
from cnngraph.train.resuming import Begun, begun_in, first_weights, origin_of
from cnngraph.train.world import MIN_IMAGES_PER_PROCESS, World, process_group


@dataclass(frozen=True, slots=True)
class Request:
    """What is trained by what, and how.

    `spec_text` is kept as the folder's spec.yaml. `out` is the folder, `runs/<network>-<n>` by default; with
    `resume` it is the folder of the run to resume, the latest of this network by default. `data_dir` is where
    image sets are kept, or the folder of images; a resumed run remembers its own. `device` replaces the recipe's.
    `weights` are the initial weights instead of random ones; they must fit, but for a classifier with another number
    of classes. `cores` are those that PyTorch's threads may use; without, the number of threads stays what it is.
    `handlers` are attached to the engine, and `log` names loggers, which log each epoch, and with `log_every` also the
    loss of every so many steps.
    """

    graph: Graph
    recipe: Recipe
    spec_text: str
    out: Path | None = None
    data_dir: Path | None = None
    resume: bool = False
    device: str | None = None
    weights: WeightsFile | None = None
    cores: Cores | None = None
    handlers: tuple[Handler, ...] = ()
    log: tuple[str, ...] = ()
    log_every: int | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run is made with; whoever tests it may bring other ones."""

    load_images: Callable[[Recipe, TensorType, Path | None, Note], Splits] = load_splits
    build: Callable[[Graph], nn.Module] = lower
    misfits: Callable[..., list[Diagnostic]] = misfits


TOOLS = Tools()


def run_training(request: Request, reporter: Reporter | None = None, tools: Tools = TOOLS) -> Result:
    """Train a network by a recipe, and write everything about it to a folder of its own.

    The reporter is told of progress; none is told where there is none. Ctrl-C ends a run with a checkpoint: the result
    is `interrupted`. Of several processes that torchrun started each calls this, and has the same result.
    Raises SpecError for all that is wrong, before the first batch where it can be known then, and PackageError where
    the package of a logger is missing.
    """
    check_handlers(request.handlers)
    check_loggers(request.log)
    device = choose_device(request.recipe.device if request.device is None else request.device)
    with (
        process_group(device) as world,
        closing(reporter if reporter and world.leads else Silent()) as shown,
        ExitStack() as locked,  # the folder: no other process writes into it from before it is read
    ):
        start = Start(request, device, world, shown, tools)
        start.check()
        resumed = start.resumed(locked)
        weights, report = start.initial_weights(resumed)
        splits, root = start.images(resumed)
        recipe = with_normalization(request.recipe, splits.train, shown.note)
        with reproducible(device, recipe.seed, recipe.deterministic):
            model = start.model(weights, report)
            folder = start.folder(resumed, locked)
            state = resumed.state if resumed else None
            threads = settle_threads(request.cores, state.get("threads") if state else None)
            with reporting_failures(folder):
                sha256 = start.write(resumed, folder, recipe, splits, root, origin_of(weights, report))
                shown.begin(start.facts(recipe, splits, threads, folder, state["done"] if state else 0))
                result = train(start.job(model, recipe, splits, folder, sha256), state)
                start.save_broken(splits, folder)
                return result


@dataclass(frozen=True, slots=True)
class Start:
    """What happens before the first step, in order. All processes of a world do it."""

    request: Request
    device: torch.device
    world: World
    reporter: Reporter
    tools: Tools

    def check(self) -> None:
        """Raise SpecError for what can be known before anything is read."""
        graph, recipe = self.request.graph, self.request.recipe
        found, machine = self.tools.misfits(recipe, graph), check_machine(recipe, self.device)
        self.refuse([*found, *machine, *_too_small(recipe, self.world)])

    def refuse(self, found: Iterable[Diagnostic]) -> None:
        """Raise SpecError where there is an error. Warnings are reported, and keep nothing from being trained."""
        for warning in warnings_of(found):
            self.reporter.note(str(warning))

    def resumed(self, locked: ExitStack) -> Begun | None:
        """The run to resume, None for a new one."""
        request = self.request
        found = None
        if request.resume and self.world.leads:
            found = begun_in(request.out, request.graph.name, request.recipe, locked)
        return self.world.broadcast(found)

    def initial_weights(self, resumed: Begun | None) -> tuple[WeightsFile | None, WeightsReport | None]:
        """The weights to begin with, if not random ones, and what becomes of them.

        A run that died before its first checkpoint begins with those that it was given then.
        Raises SpecError (E706) where they do not fit.
        """
        weights = first_weights(resumed) if resumed and not resumed.state else self.request.weights
        if weights is None:
            return None, None
        report = check_weights(weights, self.request.graph)
        refuse_misfit(report, self.request.graph.name)
        return weights, report

    def images(self, resumed: Begun | None) -> tuple[Splits, Path]:
        """The images, and the folder that they are in. Raises SpecError where they are not what they have to be.

        On each machine one process looks for them first, since it may have to download them.
        """
        graph, recipe, note = self.request.graph, self.request.recipe, self.reporter.note
        data_dir = self.data_dir(resumed)
        if local_rank():
            self.world.barrier()
        splits = self.tools.load_images(recipe, next(iter(graph.inputs.values())), data_dir, note)
        if not local_rank():
            self.world.barrier()
        root = data_root(recipe, data_dir)
        if resumed and resumed.identity:
            splits = images_to_resume(resumed.folder.path, resumed.identity, splits, root, bool(resumed.state), note)
        announce(splits, note)
        known = self.tools.misfits(recipe, graph)
        found = self.tools.misfits(recipe, graph, images=facts_of(splits))
        self.refuse(each for each in found if each not in known)
        return splits, root

    def data_dir(self, resumed: Begun | None) -> Path | None:
        """The data folder that was given now, or when the run began."""
        return data_dir_of(self.request.data_dir, resumed.data_dir if resumed else None)

    def model(self, weights: WeightsFile | None, report: WeightsReport | None) -> nn.Module:
        """The network with its initial weights."""
        model = self.tools.build(self.request.graph)
        if weights and report:
            load_weights(model, weights)
            fresh = f", {', '.join(report.fresh_layers)} fresh" if report.fresh else ""
            self.reporter.note(f"{report.file}: {len(report.loaded):,} of {report.expected:,} weights{fresh}")
        return model

    def folder(self, resumed: Begun | None, locked: ExitStack) -> RunFolder:
        """The run's folder, which is made here where the run is a new one. The leader writes into it."""
        if resumed:
            return replace(resumed.folder, writes=self.world.leads)
        made = RunFolder.new(self.request.out, self.request.graph.name) if self.world.leads else None
        folder = replace(self.world.broadcast(made), writes=self.world.leads)
        locked.enter_context(folder.locked())
        return folder

    def write(
        self,
        resumed: Begun | None,
        folder: RunFolder,
        recipe: Recipe,
        splits: Splits,
        root: Path,
        origin: dict[str, Any] | None,
    ) -> str | None:
        """Write what the run is about, unless it has a state. Returns the digest of the images, if it is known here."""
        identity = resumed.identity if resumed else None
        if not resumed or not resumed.state:
            identity = identity_of(splits, root) if self.world.leads else None
            folder.save_data(title_of(recipe), splits, recipe.figures(splits.shape[0]), identity)
            device, data_dir = str(self.device), self.data_dir(resumed)
            folder.begin(self.request.spec_text, recipe, device, data_dir, origin, self.world.size)
        folder.save_broken(splits.broken)
        return identity.sha256 if identity else None

    def job(self, model: nn.Module, recipe: Recipe, splits: Splits, folder: RunFolder, images: str | None) -> Job:
        """What the loop is given."""
        request = self.request
        return Job(
            model,
            recipe,
            splits,
            folder,
            network=request.graph.name,
            device=self.device,
            reporter=self.reporter,
            world=self.world,
            images=images,
            documents=document_digests(folder.path, recipe) if self.world.leads else {},
            handlers=(*(Logging(name, request.log_every) for name in request.log), *request.handlers),
        )

    def facts(self, recipe: Recipe, splits: Splits, threads: str, folder: RunFolder, resumed_at: int) -> RunSummary:
        """What a person is told at the beginning."""
        graph, processes = self.request.graph, self.world.size
        named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
        where = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else threads
        return RunSummary(
            network=graph.name,
            parameters=graph.num_params,
            data=title_of(recipe),
            splits={name: len(part) for name, part in named.items() if part},
            device=where if processes == 1 else f"{processes} processes, each on {where}",
            epochs=recipe.epochs,
            folder=folder.path,
            resumed_at=resumed_at,
        )

    def save_broken(self, splits: Splits, folder: RunFolder) -> None:
        """Write which images were skipped, by any of the processes."""
        broken = {name for names in self.world.gather(splits.broken) for name in names}
        folder.save_broken(sorted(broken))
        if broken:
            self.reporter.note(f"images that cannot be read and were skipped: {len(broken):,}, see skipped.txt")


def _too_small(recipe: Recipe, world: World) -> list[Diagnostic]:
    """Batches of which not every process gets its part (E636)."""
    least = MIN_IMAGES_PER_PROCESS * world.size
    if world.size == 1 or recipe.batch_size >= least:
        return []
    message = f"batch_size {recipe.batch_size} is not enough for {world.size} processes, of which each takes its share"
    return [Diagnostic("E636", message, help=f"--set train.batch_size={least} is the least")]


def title_of(recipe: Recipe) -> str:
    """What a person calls the images."""
    match recipe.data:
        case NamedSet(name=name):
            return SETS[name].title
        case ImageNet():
            return "ImageNet"
    return "image folder"
