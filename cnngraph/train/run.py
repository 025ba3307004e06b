"""`run_training`, the entry point of training: from a graph and a recipe to a trained network in a run's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnngraph.backend import WeightsFile, WeightsReport, check_weights, load_weights, lower, refuse_misfit
from cnngraph.diagnostics import Diagnostic, warnings_of
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.launch import Cores, local_rank
from cnngraph.lint.freezing import check_initial_weights, frozen_count
from cnngraph.lint.training import misfits
from cnngraph.recipe import Recipe
from cnngraph.recipe.data import ImageNet, NamedSet
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType
from cnngraph.train.data.changes import images_to_resume
from cnngraph.train.data.identity import identity_of
from cnngraph.train.data.load_splits import announce, data_dir_of, data_root, facts_of, load_splits
from cnngraph.train.data.loading import Note
from cnngraph.train.data.normalization import with_normalization
from cnngraph.train.data.split import Splits
from cnngraph.train.loop.device import check_device, choose_device, reproducible, set_threads
from cnngraph.train.loop.engine import train
from cnngraph.train.loop.handlers import Handler, check_handlers
from cnngraph.train.loop.job import Job
from cnngraph.train.loop.loggers import LogHandler, check_loggers
from cnngraph.train.record.failures import reporting_failures
from cnngraph.train.record.progress import Reporter, Silent
from cnngraph.train.record.records import Result, RunSummary
from cnngraph.train.record.resume_checks import document_digests
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.resuming import ResumedRun, initial_weights_of, open_run, weights_origin
from cnngraph.train.world import MIN_IMAGES_PER_PROCESS, World, process_group


@frozen
class Request:
    """A network to train, the recipe, and options of the run.

    `spec_text` is written to the folder's spec.yaml. `out` is the folder, `runs/<network>-<n>` by default; with
    `resume` it is the folder of the run to resume, by default the latest of this network. `data_dir` is the folder of
    image sets or images; by default a resumed run uses its own. `device` overrides the recipe's. `weights` are initial
    weights instead of random ones; only a classifier with another number of classes may not fit. `cores` are the ones
    for PyTorch's threads; by default the number of threads is not changed. `handlers` are attached to the engine, and
    `log` names loggers, which log each epoch, and with `log_every` also the loss of every so many steps.
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


@frozen
class Tools:
    """The functions that a run calls to read images, build the network and check the fit. Tests replace them."""

    load_images: Callable[[Recipe, TensorType, Path | None, Note], Splits] = load_splits
    build: Callable[[Graph], nn.Module] = lower
    misfits: Callable[..., list[Diagnostic]] = misfits


TOOLS = Tools()


def run_training(request: Request, reporter: Reporter | None = None, tools: Tools = TOOLS) -> Result:
    """Train a network by a recipe, and write metrics, checkpoints and weights to the run's folder.

    `reporter` gets progress reports. Ctrl-C ends a run with a checkpoint: the result is `interrupted`. Each of the
    processes that torchrun started calls this, and gets the same result.
    Raises SpecError for errors in the request, before the first batch if possible, and PackageError if the package of
    a logger is missing.
    """
    check_handlers(request.handlers)
    check_loggers(request.log)
    device = choose_device(request.recipe.device if request.device is None else request.device)
    with (
        process_group(device) as world,
        closing(reporter if reporter and world.leads else Silent()) as shown,
        ExitStack() as locks,  # on the folder, so that no other process writes into it
    ):
        setup = RunSetup(request, device, world, shown, tools)
        setup.check()
        resumed = setup.open_resumed_run(locks)
        weights, report = setup.initial_weights(resumed)
        splits, root = setup.images(resumed)
        recipe = with_normalization(request.recipe, splits.train, shown.note)
        with reproducible(device, recipe.seed, recipe.deterministic):
            model = setup.model(weights, report)
            folder = setup.folder(resumed, locks)
            state = resumed.state if resumed else None
            threads = set_threads(request.cores, state.get("threads") if state else None)
            with reporting_failures(folder):
                origin = weights_origin(weights, report, folder, model)
                sha256 = setup.write_documents(resumed, folder, recipe, splits, root, origin)
                shown.begin(setup.facts(recipe, splits, threads, folder, state))
                job = setup.job(model, recipe, splits, folder, sha256, has_weights=weights is not None)
                result = train(job, state)
                setup.save_broken(splits, folder)
                return result


@frozen
class RunSetup:
    """The setup of a run before its first step; methods are in the order of their calls. All processes call them."""

    request: Request
    device: torch.device
    world: World
    reporter: Reporter
    tools: Tools

    def check(self) -> None:
        """Raise SpecError for errors that can be found without the images."""
        graph, recipe = self.request.graph, self.request.recipe
        found, unsupported = self.tools.misfits(recipe, graph), check_device(recipe, self.device)
        self.raise_errors([*found, *unsupported, *_too_small(recipe, self.world)])

    def raise_errors(self, found: Iterable[Diagnostic]) -> None:
        """Raise SpecError if there is an error; otherwise report the warnings."""
        for warning in warnings_of(found):
            self.reporter.note(str(warning))

    def open_resumed_run(self, locks: ExitStack) -> ResumedRun | None:
        """The run to resume, None for a new one."""
        request = self.request
        run = None
        if request.resume and self.world.leads:
            run = open_run(request.out, request.graph.name, request.recipe, locks)
        return self.world.broadcast(run)

    def initial_weights(self, resumed: ResumedRun | None) -> tuple[WeightsFile | None, WeightsReport | None]:
        """The initial weights and the report on how they fit; None for random ones.

        A run that died before its first checkpoint uses the weights that it was started with.
        Raises SpecError (E706) if they do not fit.
        """
        weights = initial_weights_of(resumed) if resumed and not resumed.state else self.request.weights
        report = None
        if weights is not None:
            report = check_weights(weights, self.request.graph)
            refuse_misfit(report, self.request.graph.name)
        if not resumed or not resumed.state:
            loaded = report.loaded if report else ()
            self.raise_errors(check_initial_weights(self.request.recipe, self.request.graph, loaded))
        return weights, report

    def images(self, resumed: ResumedRun | None) -> tuple[Splits, Path]:
        """The images and their folder. Raises SpecError if images are missing or damaged, or do not fit.

        On each machine one process reads them first, since it may have to download them.
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
        self.raise_errors(diagnostic for diagnostic in found if diagnostic not in known)
        return splits, root

    def data_dir(self, resumed: ResumedRun | None) -> Path | None:
        """The requested data folder, or that of the run to resume."""
        return data_dir_of(self.request.data_dir, resumed.data_dir if resumed else None)

    def model(self, weights: WeightsFile | None, report: WeightsReport | None) -> nn.Module:
        """The network with its initial weights."""
        model = self.tools.build(self.request.graph)
        if weights and report:
            load_weights(model, weights)
            for line in (report.summary, *weights.statements):
                self.reporter.note(line)
        return model

    def folder(self, resumed: ResumedRun | None, locks: ExitStack) -> RunFolder:
        """The run's folder, created and locked for a new run. Only the first process writes into it."""
        if resumed:
            return replace(resumed.folder, writes=self.world.leads)
        created = RunFolder.new(self.request.out, self.request.graph.name) if self.world.leads else None
        folder = replace(self.world.broadcast(created), writes=self.world.leads)
        locks.enter_context(folder.locked())
        return folder

    def write_documents(
        self,
        resumed: ResumedRun | None,
        folder: RunFolder,
        recipe: Recipe,
        splits: Splits,
        root: Path,
        origin: dict[str, Any] | None,
    ) -> str | None:
        """Write the run's documents, unless it resumes from a state. Returns the digest of the images, if known."""
        identity = resumed.identity if resumed else None
        if not resumed or not resumed.state:
            identity = identity_of(splits, root) if self.world.leads else None
            folder.save_data(data_title(recipe), splits, recipe.mean_and_std(splits.shape[0]), identity)
            device, data_dir = str(self.device), self.data_dir(resumed)
            folder.begin(self.request.spec_text, recipe, device, data_dir, origin, self.world.size)
        folder.save_broken(splits.broken)
        return identity.sha256 if identity else None

    def job(
        self,
        model: nn.Module,
        recipe: Recipe,
        splits: Splits,
        folder: RunFolder,
        images: str | None,
        has_weights: bool,
    ) -> Job:
        """The inputs of the training loop."""
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
            handlers=(*(LogHandler(name, request.log_every) for name in request.log), *request.handlers),
            has_weights=has_weights,
        )

    def facts(
        self, recipe: Recipe, splits: Splits, threads: str, folder: RunFolder, state: dict[str, Any] | None
    ) -> RunSummary:
        """The facts reported at the start; `state` is that of a resumed run."""
        graph, processes = self.request.graph, self.world.size
        named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
        where = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else threads
        return RunSummary(
            network=graph.name,
            parameters=graph.num_params,
            data=data_title(recipe),
            splits={name: len(split) for name, split in named.items() if split},
            device=where if processes == 1 else f"{processes} processes, each on {where}",
            epochs=recipe.epochs,
            folder=folder.path,
            resumed_at=state["done"] if state else 0,
            frozen=frozen_count(recipe, graph, len(state["epochs"]) if state else 0),
        )

    def save_broken(self, splits: Splits, folder: RunFolder) -> None:
        """Write which images any process has skipped."""
        broken = {name for names in self.world.gather(splits.broken) for name in names}
        folder.save_broken(sorted(broken))
        if broken:
            self.reporter.note(
                f"skipped {len(broken):,} unreadable image{'s' if len(broken) > 1 else ''}: see skipped.txt"
            )


def _too_small(recipe: Recipe, world: World) -> list[Diagnostic]:
    """The error for batches too small to share between the processes (E636)."""
    least = MIN_IMAGES_PER_PROCESS * world.size
    if world.size == 1 or recipe.batch_size >= least:
        return []
    message = (
        f"`batch_size: {recipe.batch_size}` is too small for {world.size} processes: "
        f"each needs at least {MIN_IMAGES_PER_PROCESS} images of every batch"
    )
    return [Diagnostic("E636", message, help=f"use at least `--set train.batch_size={least}`")]


def data_title(recipe: Recipe) -> str:
    """The name of a recipe's data for messages."""
    match recipe.data:
        case NamedSet(name=name):
            return SETS[name].title
        case ImageNet():
            return "ImageNet"
    return "image folder"
