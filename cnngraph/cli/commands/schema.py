"""`cnngraph schema`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cnngraph.cli.help import examples
from cnngraph.cli.messages import json_text
from cnngraph.cli.options import PluginOption


class Document(StrEnum):
    """The documents of a run's folder."""

    DATA = "data"
    ENVIRONMENT = "environment"
    METRICS = "metrics"
    STATE = "state"


OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to a file instead of printing it.")
]
DocumentOption = Annotated[
    Document | None,
    typer.Option(
        "--document",
        metavar="data|environment|metrics|state",
        help="Print the schema of a document of a run's folder instead; of state.pt, without its tensors.",
    ),
]
ExperimentOption = Annotated[bool, typer.Option("--experiment", help="Print the schema of experiments instead.")]


@examples(
    ("cnngraph schema -o cnngraph.json", "into a file"),
    ("cnngraph schema --plugin my_ops", "with the ops of a plugin"),
    ("cnngraph schema --experiment", "of the files of cnngraph experiment"),
    ("cnngraph schema --document metrics", "of the metrics.json of a run"),
)
def schema(
    output: OutputOption = None,
    plugins: PluginOption = None,
    experiment: ExperimentOption = False,
    document: DocumentOption = None,
) -> None:
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
        found = schema_of(document.value)
    else:
        found = experiment_schema() if experiment else spec_schema(load_ops(plugins or ()))
    text = json_text(found, indent=1)
    if output is None:
        print(text)
    else:
        write_text(output, f"{text}\n")
