"""`cnngraph train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_networks, complete_recipes, complete_runs
from cnngraph.cli.messages import complain, count, print_diagnostics, print_styled
from cnngraph.cli.options import Reading, choice, number, reading_options
from cnngraph.cli.published import WeightsOptions, expectations, weights_options
from cnngraph.cli.training import data_dir_option, device_option, dry_run_option, quiet_option
from cnngraph.launch import free_cores, is_launched
from cnngraph.packages import require_extra

if TYPE_CHECKING:
    from cnngraph.api.jobs import TrainingJob
    from cnngraph.backend import WeightsFile
    from cnngraph.graph.graph import Graph
    from cnngraph.train import Request


@command(
    ("cnngraph train googlenet_mnist --recipe digits", "train on the bundled digits (half a minute)"),
    ("cnngraph train net.yaml", "use the recipe of the spec"),
    ("cnngraph train net.yaml --set train.epochs=3 --set train.optimizer.lr=0.01", "change keys of the recipe"),
    ("cnngraph train net.yaml --recipe photos --data-dir my_photos", "your own images, one folder per class"),
    ("cnngraph train resnet18 --weights torchvision --set classes=10", "start from published weights"),
    ("cnngraph train net.yaml --dry-run", "print a summary without training"),
    ("cnngraph train --resume runs/net-1", "resume after Ctrl-C"),
)
@argument(
    "spec",
    required=False,
    metavar="SPEC",
    help="A YAML file, or the name of a bundled network (see cnngraph list). Optional with --resume.",
    shell_complete=complete_networks,
)
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="Use this recipe instead of the spec's: the name of a bundled recipe, or a YAML file.",
    shell_complete=complete_recipes,
)
@click.option("--out", type=Path, metavar="FOLDER", help="The run's folder. Default: runs/NETWORK-1, -2, …")
@data_dir_option
@click.option(
    "--resume",
    type=Path,
    metavar="RUN",
    help="Resume the run in this folder.",
    shell_complete=complete_runs,
)
@weights_options
@device_option
@quiet_option
@click.option(
    "--handler",
    "handlers",
    multiple=True,
    metavar="MODULE:NAME",
    help="Attach a handler to the training loop: a function, or an Ignite handler. Repeatable.",
)
@click.option(
    "--log",
    multiple=True,
    type=choice("tensorboard", "mlflow", "wandb", "clearml", "neptune", "visdom"),
    help="Also log metrics and recipe to this logger. Repeatable.",
)
@click.option("--log-every", type=number(1), metavar="STEPS", help="With --log, also log the loss every STEPS steps.")
@dry_run_option
@reading_options
def train(
    spec: str | None,
    recipe: str | None,
    out: Path | None,
    data_dir: Path | None,
    resume: Path | None,
    weights: WeightsOptions,
    device: str | None,
    quiet: bool,
    handlers: tuple[str, ...],
    log: tuple[str, ...],
    log_every: int | None,
    dry_run: bool,
    reading: Reading,
) -> None:
    """Train a network with a recipe.

    The run is stored in its own folder: the resolved spec and recipe, the environment, metrics, curves and checkpoints.
    Ctrl-C stops the run with a checkpoint, and --resume continues from there with the run's spec and recipe.
    """
    if dry_run and (resume is not None or is_launched()):
        raise click.BadParameter("a dry run cannot be combined with --resume or torchrun", param_hint="--dry-run")
    job = _job(spec, recipe, reading, resume, changed=bool(recipe or out))
    if log_every and not log:
        raise click.UsageError("--log-every needs a logger, such as --log tensorboard")

    if job.warnings:
        print_diagnostics(job.warnings, to_stderr=True)
    require_extra("train")  # fails now rather than after hours
    from cnngraph.train import Request, load_handlers, reporter_for, run_training

    request = Request(
        job.graph,
        job.recipe,
        job.spec_text,
        out=resume or out,
        data_dir=data_dir,
        resume=resume is not None,
        device=device,
        weights=_opened(weights, job.graph, reading) if resume is None else None,
        cores=free_cores(),
        handlers=load_handlers(_handler_names(handlers)),
        log=log,
        log_every=log_every,
    )
    if dry_run:
        _dry_run(request, quiet)
        return
    result = run_training(request, reporter_for(quiet))
    if result.interrupted:
        raise Exit(130)


def _opened(weights: WeightsOptions, graph: Graph, reading: Reading) -> WeightsFile | None:
    """Open the initial weights, and warn if they were trained with other params."""
    opened = weights.open(graph, reading)
    for warning in expectations(opened, graph) if opened else ():
        complain(warning, "warning")
    return opened


def _dry_run(request: Request, quiet: bool) -> None:
    """Print what would be done. Raises SpecError for all that would keep the run from starting."""
    from cnngraph.train.data.data_reader import DataReader
    from cnngraph.train.dry_run import dry_run
    from cnngraph.train.record.progress import opening_lines
    from cnngraph.train.record.run_folder import RunFolder

    lines: list[str] = []
    data = DataReader(request.data_dir, lines.append)
    made = dry_run(request, data, RunFolder.planned(request.out, request.graph.name))
    steps = "" if made.steps is None else f" of {count(made.steps, 'step')}"
    epochs = f"{count(made.facts.epochs, 'epoch')}{steps}, batch size {made.batch_size:,}"
    lines += [*opening_lines(made.facts), epochs, "dry run: nothing was trained or written"]
    if not quiet:
        print_styled([[(line, "")] for text in lines for line in text.splitlines()])


def _handler_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Check the names of handlers, and allow modules in the working directory."""
    from cnngraph.cli.reading import find_plugins

    for name in names:
        module, _, attribute = name.partition(":")
        if not module or not attribute:
            raise click.UsageError(f"--handler must be MODULE:NAME, as in my_handlers:log_rate, got {name}")
    find_plugins(names)
    return names


def _job(spec: str | None, recipe: str | None, reading: Reading, resume: Path | None, changed: bool) -> TrainingJob:
    """The new run, or the one to resume, which must not be `changed` except by `--set train.…`."""
    if resume is not None:
        if changed:
            raise click.UsageError("a resumed run keeps its recipe and folder: leave out --recipe and --out")
        return _resumed(resume, spec, reading)
    if spec is None:
        raise click.BadParameter("give a spec, or --resume RUN", param_hint="SPEC")
    return _new(spec, reading, recipe)


def _new(spec: str, how: Reading, recipe: str | None) -> TrainingJob:
    """A new run."""
    from cnngraph.api.jobs import new_job
    from cnngraph.cli.reading import compile_unlinted

    return new_job(compile_unlinted(spec, how), spec, recipe, how.train)


def _resumed(run: Path, spec: str | None, how: Reading) -> TrainingJob:
    """The run to resume. If a spec is passed, it must be the run's."""
    from cnngraph.api.jobs import resumed_job, same_network
    from cnngraph.cli.reading import compile_unlinted, find_plugins

    if (how.params or how.input) and spec is None:
        option = "--set, except of train.NAME" if how.params else "--input"
        raise click.UsageError(f"a resumed run keeps its network: leave out {option}")
    find_plugins(how.plugins)
    job = resumed_job(run, how.train, plugins=how.plugins, max_nodes=how.max_nodes)
    if spec is not None:
        same_network(job, compile_unlinted(spec, how), spec, run)
    return job
