"""The program `cnngraph` and its commands, which are modules of `cnngraph.cli.commands`."""

from __future__ import annotations

import click

from cnngraph.cli.command import Group
from cnngraph.cli.help import print_help
from cnngraph.version import __version__

NAME = "cnngraph"
COMPLETE = "_CNNGRAPH_COMPLETE"  # the environment variable that requests shell completion
COMMANDS = (  # in the order of the help text
    "check",
    "show",
    "list",
    "ops",
    "build",
    "weights",
    "migrate",
    "render",
    "view",
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
    ("cnngraph list", "list the bundled networks"),
    ("cnngraph show googlenet_mnist", "show one of them: shapes, parameters, multiply-accumulates"),
    ("cnngraph check net.yaml", "find all errors in your own spec"),
    ("cnngraph render googlenet_mnist -o net.svg", "draw it"),
    ("cnngraph view googlenet_mnist", "explore it in the browser"),
    ("cnngraph train googlenet_mnist --recipe digits", "train it on the bundled digits"),
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
    """Check, compile and train convolutional networks defined in YAML.

    A spec is a YAML file that defines a network (docs/language.md, docs/ops.md). Bundled specs are referred to by name
    (cnngraph list).
    """
    if context.invoked_subcommand is None:
        print_help(context)
