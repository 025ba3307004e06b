"""`cnngraph schema`."""

from __future__ import annotations

from pathlib import Path

import click

from cnngraph.cli.command import command
from cnngraph.cli.messages import json_text
from cnngraph.cli.options import plugin_option


@command(
    ("cnngraph schema -o cnngraph.json", "into a file"),
    ("cnngraph schema --plugin my_ops", "with the ops of a plugin"),
    ("cnngraph schema --experiment", "of the files of cnngraph experiment"),
    ("cnngraph schema --document metrics", "of the metrics.json of a run"),
)
@click.option("--output", "-o", type=Path, metavar="FILE", help="Write it to a file instead of printing it.")
@plugin_option
@click.option("--experiment", is_flag=True, help="Print the schema of experiments instead.")
@click.option(
    "--document",
    type=click.Choice(["data", "environment", "metrics", "state"]),
    help="Print the schema of a document of a run's folder instead; of state.pt, without its tensors.",
)
def schema(output: Path | None, plugins: tuple[str, ...], experiment: bool, document: str | None) -> None:
    """Print the JSON schema of specs, for editors.

    With it they complete words, explain them, and mark mistakes. VS Code (with its YAML extension) and PyCharm read
    it where a spec's first line is

    # yaml-language-server: $schema=cnngraph.json
    """
    from cnngraph.cli.files import check_output
    from cnngraph.cli.reading import find_plugins
    from cnngraph.experiment_plan.model import experiment_schema
    from cnngraph.files import write_text
    from cnngraph.ops.registry import load_ops
    from cnngraph.schema import spec_schema
    from cnngraph.stored import schema_of

    if output is not None:
        check_output(output)
    find_plugins(plugins)
    if document:
        found = schema_of(document)
    elif experiment:
        found = experiment_schema()
    else:
        found = spec_schema(load_ops(plugins))
    text = json_text(found, indent=1)
    if output is None:
        print(text)
    else:
        write_text(output, f"{text}\n")
