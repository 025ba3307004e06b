"""The commands under one name."""

from __future__ import annotations

from typing import Annotated

import typer

from cnngraph.cli.commands.build import build
from cnngraph.cli.commands.check import check
from cnngraph.cli.commands.evaluate import evaluate
from cnngraph.cli.commands.experiment import experiment
from cnngraph.cli.commands.features import features
from cnngraph.cli.commands.list import list_
from cnngraph.cli.commands.localize import localize
from cnngraph.cli.commands.predict import predict
from cnngraph.cli.commands.render import render
from cnngraph.cli.commands.runs import runs
from cnngraph.cli.commands.schema import schema
from cnngraph.cli.commands.show import show
from cnngraph.cli.commands.train import train
from cnngraph.cli.commands.weights import weights
from cnngraph.cli.help import Command, Group, command_name, examples, print_help
from cnngraph.version import __version__

app = typer.Typer(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for each in (
    check,
    show,
    list_,
    build,
    weights,
    render,
    train,
    experiment,
    evaluate,
    predict,
    localize,
    features,
    runs,
    schema,
):
    app.command(command_name(each), cls=Command)(each)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    print(f"cnngraph {__version__}")
    raise typer.Exit


@app.callback(invoke_without_command=True)
@examples(
    ("cnngraph list", "the networks that come along"),
    ("cnngraph show googlenet_mnist", "one of them: shapes, parameters, multiply-accumulates"),
    ("cnngraph check net.yaml", "find every mistake in a spec of your own"),
    ("cnngraph render googlenet_mnist -o net.svg", "draw it"),
    ("cnngraph train googlenet_mnist --recipe digits", "train it on digits that come along"),
)
def cnngraph(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Convolutional networks as YAML graphs: checked, compiled into PyTorch modules and trained.

    A spec is a YAML file that says what a network is. The language: docs/language.md, its ops: docs/ops.md. Specs
    that come along go by their names: cnngraph list.
    """
    if context.invoked_subcommand is None:
        print_help(context)
