"""A run's folder, read: all that is needed to use its network, without the files that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from cnngraph import run_files
from cnngraph.backend import lower
from cnngraph.compilation import compile_spec
from cnngraph.diagnostics import Diagnostic, Severity, SpecError, warnings_of
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.graph.graph import Graph
from cnngraph.lint.run import Lint
from cnngraph.lint.training import misfits
from cnngraph.recipe import Recipe, load_recipe
from cnngraph.recipe.data import Normalize
from cnngraph.recipe.fit import ImageFacts
from cnngraph.recipe.sets import SETS
from cnngraph.train.record import files
from cnngraph.train.record.run_folder import RESTORE, RunFolder
from cnngraph.train.record.state import check_documents
from cnngraph.train.run import title_of


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a run knows of its images: classes in the order of the labels, and C×H×W before they are cropped."""

    title: str
    classes: tuple[str, ...]
    image: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that was trained, to its end or not. The recipe's `normalize` are the figures that were used.

    An `old` one was written before its files had versions and checksums. `notices` are warnings about the network.
    """

    folder: RunFolder
    graph: Graph
    recipe: Recipe
    data: DataFacts | None
    old: bool = False
    notices: tuple[Diagnostic, ...] = ()

    @classmethod
    def open(cls, path: Path, *, plugins: Sequence[str] = (), max_nodes: int = MAX_NODES) -> FinishedRun:
        """Read a run's folder. Raises SpecError: E650 where it is none, E645 where it is damaged, the spec's errors."""
        for name in (run_files.SPEC, run_files.RECIPE):
            if not (path / name).is_file():
                raise SpecError.of("E650", f"{path} is not the folder of a run: there is no {name} in it")
        compilation = compile_spec(f"{path}/{run_files.SPEC}", plugins=plugins, max_nodes=max_nodes)
        notices = warnings_of(Lint(verify=False).run(compilation).diagnostics)
        if compilation.graph is None:
            raise SpecError.of("E650", f"{path}/{run_files.SPEC} is a library of blocks: there is no network in it")
        recipe = load_recipe(f"{path}/{run_files.RECIPE}")
        folder = RunFolder(path)
        facts = folder.data()
        if facts is None:
            return cls(folder, compilation.graph, recipe, _known(recipe), True, notices)
        figures = Normalize(mean=tuple(facts["mean"]), std=tuple(facts["std"])) if facts["mean"] else None
        channels, height, width = facts["image"]
        data = DataFacts(facts["title"], tuple(facts["classes"]), (channels, height, width))
        recipe = replace(recipe, normalize=figures)
        known = ImageFacts(data.image, len(data.classes))
        notices += warnings_of(misfits(recipe, compilation.graph, images=known))
        return cls(folder, compilation.graph, recipe, data, not facts.get("version"), notices)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is likely wrong with the network, and what cannot be verified in a run of an older version."""
        if not self.old:
            return self.notices
        message = f"{self.folder.path} was written by an older cnngraph: its weights have no checksum to verify"
        return (*self.notices, Diagnostic("W647", message, severity=Severity.WARNING))

    def need_data(self) -> DataFacts:
        """The facts of the images. Raises SpecError (E650) for a run that was made before they were written down."""
        if self.data is None:
            message = f"{self.folder.path} has no data.json: the run does not know the names of its classes"
            raise SpecError.of(
                "E650", message, help="it was made by an older cnngraph; cnngraph train makes a new run that knows them"
            )
        return self.data

    def chosen(self, which: str | None) -> str:
        """Which weights: as asked for, or the best where a best epoch was chosen. Raises SpecError (E650)."""
        which = which or (run_files.BEST if self.folder.best.is_file() else run_files.LAST)
        if "/" in which or not self.weights_file(which).is_file():
            there = run_files.kept_weights(self.folder.path)
            help = f"--weights {' or '.join(there)}" if there else "no epoch of the run was finished"
            raise SpecError.of("E650", f"{self.folder.path} has no {which} weights", help=help)
        return which

    def weights_file(self, which: str) -> Path:
        """The file of the best or the last weights, or of those that were kept on the way: `epoch-0010`."""
        return run_files.weights_file(self.folder.path, which)

    def model(self, which: str, device: torch.device) -> nn.Module:
        """The network with its weights, in eval mode.

        Raises SpecError: E650 where they are not its own, E645 where spec, recipe or data are not those of the weights.
        """
        file = self.weights_file(which)
        weights = files.read_weights(file, require_checksum=not self.old)
        check_documents(files.read_metadata(file), self.folder.path, self.recipe, RESTORE)
        model = lower(replace(self.graph, init=()))  # what a rule would fill in is read from the file
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise SpecError.of(
                "E650", f"the weights in {file} cannot be read into {self.graph.name}: {reason}"
            ) from None
        model.graph = self.graph  # type: ignore[assignment]
        return model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def _known(recipe: Recipe) -> DataFacts | None:
    """What the recipe alone says of its images: of a named set everything, of a folder nothing."""
    known = SETS.get(recipe.data.name)
    if known is None:
        return None
    channels, *size = known.shape
    height, width = recipe.data.resize or size
    return DataFacts(title_of(recipe), recipe.data.classes or known.classes, (channels, height, width))
