"""The commands under one name. Each is the module of its name in `cnngraph.cli.commands`."""

from __future__ import annotations

import click

from cnngraph.cli.command import Group
from cnngraph.cli.help import print_help
from cnngraph.version import __version__

NAME = "cnngraph"
COMPLETE = "_CNNGRAPH_COMPLETE"  # the variable by which a shell's script asks what completes a line
COMMANDS = (  # in the order of the help text
    "check",
    "show",
    "list",
    "ops",
    "build",
    "weights",
    "render",
    "train",
    "experiment",
    "evaluate",
    "predict",
    "localize",
    "features",
    "runs",
    "schema",
    "explain",
    "completion",
)
EXAMPLES = (
    ("cnngraph list", "the networks that come along"),
    ("cnngraph show googlenet_mnist", "one of them: shapes, parameters, multiply-accumulates"),
    ("cnngraph check net.yaml", "find every mistake in a spec of your own"),
    ("cnngraph render googlenet_mnist -o net.svg", "draw it"),
    ("cnngraph train googlenet_mnist --recipe digits", "train it on digits that come along"),
)


@click.group(
    cls=Group,
    package="cnngraph.cli.commands",
    names=COMMANDS,
    examples=EXAMPLES,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "--version", message="cnngraph %(version)s", help="Print the version.")
@click.pass_context
def app(context: click.Context) -> None:
    """Convolutional networks as YAML graphs: checked, compiled into PyTorch modules and trained.

    A spec is a YAML file that says what a network is. The language: docs/language.md, its ops: docs/ops.md. Specs
    that come along go by their names: cnngraph list.
    """
    if context.invoked_subcommand is None:
        print_help(context)
