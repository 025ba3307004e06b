"""The folder of a run, read back: everything needed to use its network, without the original spec and recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from cnngraph import run_files
from cnngraph.backend import lower
from cnngraph.compilation import compile_spec
from cnngraph.diagnostics import Diagnostic, Severity, SpecError, warnings_of
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.lint.run import Lint
from cnngraph.lint.training import misfits
from cnngraph.recipe import Recipe, load_recipe
from cnngraph.recipe.data import Normalize
from cnngraph.recipe.fit import ImageFacts
from cnngraph.recipe.sets import SETS
from cnngraph.train.record import run_file_formats
from cnngraph.train.record.resume_checks import check_documents
from cnngraph.train.record.run_folder import RESTORE, RunFolder
from cnngraph.train.run import data_title


@frozen
class DataFacts:
    """What a run recorded about its images: classes in label order, and their shape C×H×W before cropping."""

    title: str
    classes: tuple[str, ...]
    image: tuple[int, int, int]


@frozen
class TrainedRun:
    """A run with trained weights, finished or not. `recipe.normalize` has the mean and std that were used.

    An `old` run was written before its files had versions and checksums. `notices` are warnings about the network.
    """

    folder: RunFolder
    graph: Graph
    recipe: Recipe
    data: DataFacts | None
    old: bool = False
    notices: tuple[Diagnostic, ...] = ()

    @classmethod
    def open(cls, path: Path, *, plugins: Sequence[str] = (), max_nodes: int = MAX_NODES) -> TrainedRun:
        """Read the folder of a run.

        Raises SpecError: E650 if it is not the folder of a run, E645 if it is damaged, and the errors of its spec.
        """
        for name in (run_files.SPEC, run_files.RECIPE):
            if not (path / name).is_file():
                raise SpecError.of("E650", f"{path} is not a run folder: it contains no {name}")
        compilation = compile_spec(f"{path}/{run_files.SPEC}", plugins=plugins, max_nodes=max_nodes)
        notices = warnings_of(Lint(verify=False).run(compilation).diagnostics)
        if compilation.graph is None:
            raise SpecError.of("E650", f"{path}/{run_files.SPEC} is a library of blocks, not a network")
        recipe = load_recipe(f"{path}/{run_files.RECIPE}")
        folder = RunFolder(path)
        facts = folder.data()
        if facts is None:
            return cls(folder, compilation.graph, recipe, _data_of_set(recipe), True, notices)
        normalize = Normalize(mean=tuple(facts["mean"]), std=tuple(facts["std"])) if facts["mean"] else None
        channels, height, width = facts["image"]
        data = DataFacts(facts["title"], tuple(facts["classes"]), (channels, height, width))
        recipe = replace(recipe, normalize=normalize)
        images = ImageFacts(data.image, len(data.classes))
        notices += warnings_of(misfits(recipe, compilation.graph, images=images))
        return cls(folder, compilation.graph, recipe, data, not facts.get("version"), notices)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """Warnings about the network, and about what cannot be verified in a run written by an older version."""
        if not self.old:
            return self.notices
        message = f"{self.folder.path} was written by an older cnngraph: its weights have no checksum to verify"
        return (*self.notices, Diagnostic("W647", message, severity=Severity.WARNING))

    def require_data(self) -> DataFacts:
        """The facts about the images. Raises SpecError (E650) for a run of a version that did not record them."""
        if self.data is None:
            message = f"{self.folder.path} has no data.json, so the names of its classes are unknown"
            help = "the run was written by an older cnngraph: train the network again with `cnngraph train`"
            raise SpecError.of("E650", message, help=help)
        return self.data

    def choose_weights(self, which: str | None) -> str:
        """The name of the requested weights; by default `best` if a best epoch was chosen, else `last`.

        Raises SpecError (E650) if the run has no such weights.
        """
        which = which or (run_files.BEST if self.folder.best.is_file() else run_files.LAST)
        if "/" in which or not self.weights_file(which).is_file():
            available = run_files.kept_weights(self.folder.path)
            help = (
                f"use `--weights {' or '.join(available)}`"
                if available
                else f"finish an epoch with `cnngraph train --resume {self.folder.path}`"
            )
            raise SpecError.of("E650", f"{self.folder.path} has no {which} weights", help=help)
        return which

    def weights_file(self, which: str) -> Path:
        """The file of the weights called `best`, `last` or `epoch-0010`."""
        return run_files.weights_file(self.folder.path, which)

    def model(self, which: str, device: torch.device) -> nn.Module:
        """The network with its weights, in eval mode.

        Raises SpecError: E650 if the weights do not fit the network, E645 if spec, recipe or data have been changed
        since the weights were written.
        """
        file = self.weights_file(which)
        weights = run_file_formats.read_weights(file, require_checksum=not self.old)
        check_documents(run_file_formats.read_metadata(file), self.folder.path, self.recipe, RESTORE)
        model = lower(replace(self.graph, init=()))  # no initialisation: the weights are overwritten
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise SpecError.of("E650", f"the weights in {file} do not fit {self.graph.name}: {reason}") from None
        model.graph = self.graph  # type: ignore[assignment]
        return model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def _data_of_set(recipe: Recipe) -> DataFacts | None:
    """The facts about a named set, known from the recipe alone; None for a folder."""
    known = SETS.get(recipe.data.name)
    if known is None:
        return None
    channels, *size = known.shape
    height, width = recipe.data.resize or size
    return DataFacts(data_title(recipe), recipe.data.classes or known.classes, (channels, height, width))
