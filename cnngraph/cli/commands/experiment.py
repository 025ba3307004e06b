"""`cnngraph experiment`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_experiments, complete_recipes
from cnngraph.cli.messages import print_diagnostics, print_styled, say, terminal_width
from cnngraph.cli.options import number
from cnngraph.cli.training import data_dir_option, device_option, dry_run_option, quiet_option
from cnngraph.launch import free_cores, is_launched
from cnngraph.packages import require_extra

if TYPE_CHECKING:
    from cnngraph.experiment.results import Variant
    from cnngraph.experiment_plan.plan import Plan
    from cnngraph.experiment_plan.reading import LoadedExperiment


@command(
    ("cnngraph experiment shortcuts_digits", "a bundled experiment: six kinds of shortcuts, in two minutes"),
    ("cnngraph experiment mine.yaml", "your own experiment"),
    ("cnngraph experiment mine.yaml --dry-run", "print a summary without training"),
    ("cnngraph experiment net.yaml resnet_cifar_222 --recipe cifar --seeds 5", "compare two networks with one recipe"),
)
@argument(
    "names",
    nargs=-1,
    required=True,
    metavar="FILE | SPEC...",
    help="An experiment (a file, or the name of a bundled one), or the specs to compare.",
    shell_complete=complete_experiments,
)
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    metavar="NAME|FILE",
    help="Train the specs with this recipe. Repeatable.",
    shell_complete=complete_recipes,
)
@click.option("--seeds", type=number(1), default=3, metavar="N", help="Number of seeds when comparing specs.")
@click.option("--out", type=Path, metavar="FOLDER", help="The experiment's folder. Default: runs/NAME.")
@data_dir_option
@device_option
@quiet_option
@dry_run_option
def experiment(
    names: tuple[str, ...],
    recipes: tuple[str, ...],
    seeds: int,
    out: Path | None,
    data_dir: Path | None,
    device: str | None,
    quiet: bool,
    dry_run: bool,
) -> None:
    """Train several networks, or one with several recipes or settings, and compare them.

    Every combination of specs, recipes, seeds and settings is a run with its own folder. Run the same command again to
    resume after Ctrl-C. The resulting table is also written to report.md and report.html, with curves.
    """
    from cnngraph.experiment_plan.plan import make_plan

    if is_launched():
        raise click.BadParameter("torchrun can only run cnngraph train", param_hint="experiment")
    planned = make_plan(_described(names, recipes, seeds))
    if planned.warnings:
        print_diagnostics(planned.warnings, to_stderr=True)

    require_extra("train")  # fails now rather than after hours
    if dry_run:
        _dry_run(planned, out, data_dir, device, quiet)
        return

    from cnngraph.experiment.conducting import conduct
    from cnngraph.experiment.running import PrintingReporter

    done = conduct(planned, out, data_dir=data_dir, device=device, reporter=PrintingReporter(quiet), cores=free_cores)
    if not quiet and done.page:
        _print(done.variants)
        print()
        say(str(done.page))
    if done.image_warnings:
        print_diagnostics(done.image_warnings, to_stderr=True)
    for error in done.outcome.failed.values():
        print_diagnostics(error.diagnostics, to_stderr=True)
    if done.outcome.interrupted:
        if not quiet:
            say("stopped · run the same command again to resume")
        raise Exit(130)
    if done.outcome.failed:
        raise Exit(1)


def _dry_run(plan: Plan, out: Path | None, data_dir: Path | None, device: str | None, quiet: bool) -> None:
    """Print a summary, with a line for each combination."""
    from cnngraph.cli.layout import Column, in_columns
    from cnngraph.experiment.conducting import RUNS
    from cnngraph.experiment.dry_run import dry_experiment
    from cnngraph.train.data.data_reader import DataReader

    root = out or RUNS / plan.name
    notes: dict[str, None] = {}
    found = dry_experiment(plan, root, DataReader(data_dir, lambda text: notes.setdefault(text)), device=device)
    if quiet:
        return
    for text in notes:
        say(text)
    columns = [
        Column("variant", cut="middle"),
        Column("parameters", right=True),
        Column("data", cut="end", once=True),
        *(Column(title, right=True, once=True) for title in ("epochs", "steps")),
        *(Column(title, right=True) for title in ("finished", "to resume", "to train")),
    ]
    rows = [
        [
            variant.name,
            f"{variant.run.facts.parameters:,}",
            variant.run.facts.data,
            f"{variant.run.facts.epochs:,}",
            "?" if variant.run.steps is None else f"{variant.run.steps:,}",
            *map(str, (variant.finished, variant.resumed, variant.new)),
        ]
        for variant in found
    ]
    cells = [[[(cell, "")] for cell in row] for row in rows]
    print_styled(in_columns(columns, cells, terminal_width()))
    say(f"{root} · {found[0].run.facts.device}")
    say("dry run: nothing was trained or written")


def _described(names: Sequence[str], recipes: Sequence[str], seeds: int) -> LoadedExperiment:
    """The experiment of a file or name, or one that compares specs."""
    from cnngraph.experiment_plan.reading import experiment_of_specs, is_experiment, load_experiment

    if len(names) == 1 and is_experiment(names[0]):
        if recipes:
            raise click.BadParameter("an experiment has its own recipes", param_hint="--recipe")
        return load_experiment(names[0])
    return experiment_of_specs(names, recipes, seeds)


def _print(variants: list[Variant]) -> None:
    from cnngraph.cli.layout import Column, in_columns
    from cnngraph.experiment.report import cells, header

    name, *figures = header(variants)
    columns = [Column(name, cut="middle"), *(Column(title, right=True) for title in figures)]
    rows = [[[(cell, "bold" if not number else "")] for number, cell in enumerate(row)] for row in cells(variants)]
    print()
    print_styled(in_columns(columns, rows, terminal_width()))
