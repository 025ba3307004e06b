"""`cnngraph train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph import run_files
from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_networks, complete_recipes, complete_runs
from cnngraph.cli.messages import complain, count, print_styled
from cnngraph.cli.options import Reading, reading_options
from cnngraph.cli.published import expectations, weights_option
from cnngraph.cli.training import data_dir_option, device_option, dry_run_option, quiet_option
from cnngraph.launch import free_cores, is_launched
from cnngraph.packages import require_extra

if TYPE_CHECKING:
    from cnngraph.backend import WeightsFile
    from cnngraph.graph.graph import Graph
    from cnngraph.recipe import Recipe


@command(
    ("cnngraph train googlenet_mnist --recipe digits", "digits that come along, half a minute"),
    ("cnngraph train net.yaml", "by the spec's own recipe"),
    ("cnngraph train net.yaml --set train.epochs=3 --set train.optimizer.lr=0.01", "with single fields changed"),
    ("cnngraph train net.yaml --recipe photos --data-dir my_photos", "a folder of images, one folder a class"),
    ("cnngraph train resnet18 --weights torchvision --set classes=10", "from published weights"),
    ("cnngraph train net.yaml --dry-run", "see what would be done"),
    ("cnngraph train --resume runs/net-1", "go on after Ctrl-C"),
)
@argument(
    "spec",
    required=False,
    metavar="SPEC",
    help="The spec: a network of the library by its name, or a YAML file. With --resume it can be left out.",
    shell_complete=complete_networks,
)
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="Train by this recipe instead of the spec's: a name, or a .yaml file.",
    shell_complete=complete_recipes,
)
@click.option("--out", type=Path, metavar="FOLDER", help="The run's folder; by default runs/NETWORK-1, -2, …")
@data_dir_option
@click.option(
    "--resume",
    type=Path,
    metavar="RUN",
    help="Go on with the run in this folder, where it stopped.",
    shell_complete=complete_runs,
)
@weights_option
@device_option
@quiet_option
@click.option("--tensorboard", is_flag=True, help="Write the figures for TensorBoard, too, into the run's folder.")
@dry_run_option
@reading_options
def train(
    spec: str | None,
    recipe: str | None,
    out: Path | None,
    data_dir: Path | None,
    resume: Path | None,
    weights: str | None,
    device: str | None,
    quiet: bool,
    tensorboard: bool,
    dry_run: bool,
    reading: Reading,
) -> None:
    """Train a network by a recipe.

    Everything about the run is kept in a folder of its own:  the resolved spec and recipe, the
    environment, metrics, curves and checkpoints. Ctrl-C ends a run with a checkpoint, and --resume goes on from there
    by the run's own spec and recipe.
    """
    if dry_run and (resume is not None or is_launched()):
        raise click.BadParameter("a dry run is of a new run, in one process", param_hint="--dry-run")
    if resume is not None:
        if recipe or out or weights:
            message = "a run goes on by its own recipe, in its own folder, with its own weights"
            raise click.BadParameter(message, param_hint="--resume")
        job = _resumed(resume, spec, reading)
    elif spec is not None:
        job = _begun(spec, reading, recipe)
    else:
        raise click.BadParameter("give a spec, or --resume RUN", param_hint="SPEC")

    require_extra("train")  # some of it is needed at the end only
    opened = _opened(weights, job.graph) if weights else None
    if dry_run:
        _dry_run(job, out, data_dir, device, opened, quiet)
        return

    from cnngraph.train import run_training

    result = run_training(
        job.graph,
        job.recipe,
        spec_text=job.spec_text,
        out=resume or out,
        data_dir=data_dir,
        resume=resume is not None,
        device=device,
        weights=opened,
        quiet=quiet,
        tensorboard=tensorboard,
        cores=free_cores(),
    )
    if result.interrupted:
        raise Exit(130)


def _opened(weights: str, graph: Graph) -> WeightsFile:
    """The weights to begin with. What is to be expected of them is a warning."""
    from cnngraph.backend import open_weights
    from cnngraph.elaborate.bases import base_names

    opened = open_weights(weights, base_names(graph))
    for warning in expectations(opened, graph):
        complain(warning, "warning")
    return opened


def _dry_run(
    job: _Job, out: Path | None, data_dir: Path | None, device: str | None, weights: WeightsFile | None, quiet: bool
) -> None:
    """Print what would be done. Raises SpecError for all that would keep the run from starting."""
    from cnngraph.train.data.facts import DataReader
    from cnngraph.train.dry_run import dry_run
    from cnngraph.train.record.progress import opening
    from cnngraph.train.record.run_folder import RunFolder

    lines: list[str] = []
    data = DataReader(data_dir, lines.append)
    folder = RunFolder.planned(out, job.graph.name)
    made = dry_run(job.graph, job.recipe, data, folder, device=device, weights=weights, cores=free_cores())
    steps = "" if made.steps is None else f" of {count(made.steps, 'step')}"
    epochs = f"{count(made.facts.epochs, 'epoch')}{steps}, batch size {made.batch_size:,}"
    lines += [*opening(made.facts), epochs, "dry run: nothing was trained or written"]
    if not quiet:
        print_styled([[(line, "")] for line in lines])


@dataclass(frozen=True, slots=True)
class _Job:
    """What is trained, and how. `spec_text` is the spec in one piece, with the recipe in it."""

    graph: Graph
    recipe: Recipe
    spec_text: str


def _begun(spec: str, how: Reading, given: str | None) -> _Job:
    """A new run."""
    from cnngraph.cli.reading import compile_unlinted, network_of, refuse_mistakes
    from cnngraph.language.write import write_spec
    from cnngraph.lint.run import Lint
    from cnngraph.recipe import to_dict
    from cnngraph.recipe.changed import find_table, read_changed

    compilation = compile_unlinted(spec, how)
    if not compilation.ok:
        refuse_mistakes(compilation)
    graph = network_of(compilation, spec)
    assert compilation.spec
    table, name = find_table(compilation.spec.train, given)
    recipe = read_changed(table, how.train, name)
    refuse_mistakes(Lint(recipe).run(compilation))
    return _Job(graph, recipe, write_spec(compilation.spec, to_dict(recipe)))


def _resumed(run: Path, spec: str | None, how: Reading) -> _Job:
    """A run to go on with; a spec beside it must be the run's."""
    for name in (run_files.SPEC, run_files.RECIPE):
        if not (run / name).is_file():
            complain(f"{run} is not the folder of a run: there is no {name} in it")
            raise Exit(1)
    if (how.params or how.input) and spec is None:
        raise click.BadParameter("a run goes on with its own network; train.NAME alone can change", param_hint="--set")
    own = Reading(train=how.train, plugins=how.plugins, max_nodes=how.max_nodes)
    job = _begun(str(run / run_files.SPEC), own, str(run / run_files.RECIPE))
    if spec is not None:
        from cnngraph.cli.reading import compile_unlinted, network_of, refuse_mistakes

        beside = compile_unlinted(spec, how)
        if not beside.ok:
            refuse_mistakes(beside)
        if network_of(beside, spec).state != job.graph.state:
            complain(f"the run in {run} is of another network than {spec}")
            raise Exit(1)
    return job
