"""`train`: trains a network by a recipe, and writes the run to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cnngraph.api.arguments import (
    InputShape,
    Params,
    Plugins,
    RecipeArgument,
    checked_channels,
    input_value,
    overrides,
    patterns,
    plugin_names,
    recipe_changes,
    recipe_value,
    spelled,
)
from cnngraph.api.compiling import graph_of
from cnngraph.api.jobs import TrainingJob, new_job, resumed_job, same_network
from cnngraph.api.progress import Note, ProgressCallback, ignore_progress
from cnngraph.api.results import TrainResult
from cnngraph.compilation import Compilation, compile_spec
from cnngraph.document import Table, Value
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.initial_weights import InitialWeights
from cnngraph.language.load import Override
from cnngraph.packages import explained, require_extra

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cnngraph.backend import WeightsFile
    from cnngraph.train.loop.handlers import Handler


@explained()
def train(
    spec: str | Path | None = None,
    /,
    *,
    recipe: RecipeArgument | None = None,
    params: Params | None = None,
    changes: Params | None = None,
    seed: int | None = None,
    input: InputShape | None = None,
    weights: str | Path | None = None,
    from_: str | Path | Graph | None = None,
    partial: bool = False,
    fresh: str | Iterable[str] = (),
    leave: str | Iterable[str] = (),
    input_channels: Literal["sum", "mean", "cycle"] | None = None,
    classes: Sequence[int] | None = None,
    data_dir: str | Path | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    device: str | None = None,
    handlers: Iterable[Handler] = (),
    log: Iterable[str] = (),
    log_every: int | None = None,
    progress: ProgressCallback = ignore_progress,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
) -> TrainResult:
    """Train a network by a recipe, and write metrics, checkpoints and weights to the run's folder.

    `spec` is a bundled network by name, or a YAML file by path; `params` overrides its params, `input` its input.
    `recipe` is a bundled recipe by name, a file, or a mapping with the keys of a recipe file; by default it is the
    spec's own. `changes` overrides single keys by dotted names: `{"epochs": 3, "optimizer.lr": 0.01}`; `seed` is short
    for one of them.

    `weights` are initial weights, as in `load_weights`; by default those that `weights` in the spec names for its
    networks, and with "none" random ones. The run measures them before the first step. `partial` loads what fits,
    `fresh` are patterns of weights of the network to initialise, and `leave` are patterns of weights of the file to
    ignore. With `from_` the weights are those of another network, a spec or a graph of `load`, and are adapted to this
    one as by `migrate`, to which `fresh`, `input_channels` and `classes` are passed.

    `data_dir` is the folder of image sets, or of your own images. `out` is the run's folder, by default
    `runs/NETWORK-1`, `-2`, …; an existing run is never overwritten. `resume` is the folder of a run to resume with its
    own spec and recipe; only `changes` apply then. `device` is `auto`, `cpu`, `cuda` or the like, by default the
    recipe's.

    `handlers` are attached to the training engine: functions, pairs of an event and a function, and ignite's handlers
    (see docs/handlers.md). `log` names loggers (`tensorboard`, `mlflow`, …), which log each epoch; with `log_every`
    also the loss of every so many steps.

    `progress` is called with an event for everything that happens; `cnngraph.print_progress` prints a line for each
    epoch. Ctrl-C ends the run with a checkpoint: the result is `interrupted`.

    Raises SpecError for all errors, before the first batch if possible; TypeError for arguments that exclude each
    other; PackageError, an ImportError, if a package is missing.
    """
    arguments = _TrainArguments(
        spec=None if spec is None else str(spec),
        recipe=recipe_value(recipe),
        params=overrides(params),
        changes=recipe_changes(changes, seed),
        input=input_value(input),
        plugins=plugin_names(plugins),
        max_nodes=max_nodes,
    )
    chosen = InitialWeights(
        None if weights is None else str(weights),
        from_,
        partial,
        patterns(fresh),
        patterns(leave),
        checked_channels(input_channels),
        None if classes is None else tuple(map(int, classes)),
    )
    if problem := chosen.contradiction(spelled, resumed=resume is not None):
        raise TypeError(problem)
    if resume is not None and (recipe is not None or out is not None):
        raise TypeError("a resumed run keeps its recipe and folder: leave out `recipe` and `out`")
    folder = resume if resume is not None else out
    job = arguments.new_job() if resume is None else arguments.resumed_job(Path(resume))
    require_extra("train")  # all of it now, although some is needed only at the end of a run
    return run_job(
        job,
        folder=None if folder is None else Path(folder),
        resume=resume is not None,
        data_dir=None if data_dir is None else Path(data_dir),
        weights=arguments.initial_weights(chosen, job.graph) if resume is None else None,
        device=device,
        handlers=tuple(handlers),
        log=(log,) if isinstance(log, str) else tuple(log),
        log_every=log_every,
        progress=progress,
    )


@frozen
class _TrainArguments:
    """The arguments of `train` that determine network and recipe."""

    spec: str | None
    recipe: str | Table | None
    params: tuple[Override, ...]
    changes: tuple[Override, ...]
    input: Value | None
    plugins: tuple[str, ...]
    max_nodes: int

    def new_job(self) -> TrainingJob:
        """The job of a new run. Raises SpecError, or TypeError without a spec."""
        if self.spec is None:
            raise TypeError("train needs a spec, or `resume` with a run folder")
        return new_job(self._compilation(self.spec), self.spec, self.recipe, self.changes)

    def resumed_job(self, run: Path) -> TrainingJob:
        """The job of the run in a folder. Raises SpecError, or TypeError for params or an input without a spec."""
        if self.spec is None and (self.params or self.input):
            raise TypeError("a resumed run keeps its network: pass `params` and `input` only with a spec")
        job = resumed_job(run, self.changes, plugins=self.plugins, max_nodes=self.max_nodes)
        if self.spec is not None:
            same_network(job, self._compilation(self.spec), self.spec, run)
        return job

    def initial_weights(self, chosen: InitialWeights, graph: Graph) -> WeightsFile | None:
        """Initial weights for a network; those of another one are migrated. Raises SpecError."""
        from cnngraph.backend import initial_weights

        if (old := chosen.old) is not None:
            old = graph_of(old, None, () if isinstance(old, Graph) else self.plugins, self.max_nodes, None)
        return initial_weights(chosen, graph, old)

    def _compilation(self, spec: str) -> Compilation:
        return compile_spec(spec, self.params, self.input, max_nodes=self.max_nodes, plugins=self.plugins)


def run_job(
    job: TrainingJob,
    *,
    folder: Path | None,
    resume: bool,
    data_dir: Path | None,
    weights: WeightsFile | None,
    device: str | None,
    handlers: tuple[Handler, ...],
    log: tuple[str, ...],
    log_every: int | None,
    progress: ProgressCallback,
) -> TrainResult:
    """Train a job. The other arguments are those of `train`."""
    from cnngraph.api.reporting import CallbackReporter, train_result
    from cnngraph.train import Request, run_training

    for warning in job.warnings:
        progress(Note(str(warning)))
    request = Request(
        job.graph,
        job.recipe,
        job.spec_text,
        out=folder,
        data_dir=data_dir,
        resume=resume,
        device=device,
        weights=weights,
        handlers=handlers,
        log=log,
        log_every=log_every,
    )
    return train_result(job.graph.name, run_training(request, CallbackReporter(job.graph.name, progress)))
