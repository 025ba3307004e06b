"""`cnngraph schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnngraph.cli.help import examples
from cnngraph.cli.messages import json_text
from cnngraph.cli.options import PluginOption

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to a file instead of printing it.")
]
ExperimentOption = Annotated[bool, typer.Option("--experiment", help="Print the schema of experiments instead.")]


@examples(
    ("cnngraph schema -o cnngraph.json", "into a file"),
    ("cnngraph schema --plugin my_ops", "with the ops of a plugin"),
    ("cnngraph schema --experiment", "of the files of cnngraph experiment"),
)
def schema(output: OutputOption = None, plugins: PluginOption = None, experiment: ExperimentOption = False) -> None:
    """Print the JSON schema of specs, for editors.

    With it they complete words, explain them, and mark mistakes. VS Code (with its YAML extension) and PyCharm read
    it where a spec's first line is

    # yaml-language-server: $schema=cnngraph.json
    """
    from cnngraph.cli.files import check_output
    from cnngraph.cli.reading import find_plugins
    from cnngraph.experiment.model import experiment_schema
    from cnngraph.files import write_text
    from cnngraph.ops.registry import load_ops
    from cnngraph.schema import spec_schema

    if output is not None:
        check_output(output)
    find_plugins(plugins)
    text = json_text(experiment_schema() if experiment else spec_schema(load_ops(plugins or ())), indent=1)
    if output is None:
        print(text)
    else:
        write_text(output, f"{text}\n")
