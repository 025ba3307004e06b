"""`cnngraph schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cnngraph.cli.command import argument, command
from cnngraph.cli.complete import complete_schemas
from cnngraph.cli.messages import json_text, print_styled, terminal_width
from cnngraph.cli.options import plugin_option


@command(
    ("cnngraph schema -o cnngraph.json", "write the schema of specs to a file"),
    ("cnngraph schema --plugin my_ops", "with the ops of a plugin"),
    ("cnngraph schema recipe", "the schema of recipes"),
    ("cnngraph schema check", "the schema of the output of cnngraph check --format json"),
    ("cnngraph schema --list", "list all schemas"),
)
@argument(
    "kind",
    required=False,
    default="spec",
    metavar="[KIND]",
    help="The kind of document. Default: spec.",
    shell_complete=complete_schemas,
)
@click.option("--list", "listing", is_flag=True, help="List the kinds.")
@click.option("--output", "-o", type=Path, metavar="FILE", help="Write to a file instead of stdout.")
@plugin_option
def schema(kind: str, listing: bool, output: Path | None, plugins: tuple[str, ...]) -> None:
    """Print the JSON Schema of specs, or of another kind of document.

    There is a schema for each kind of file, for each JSON document that a command prints, and for each that a run
    stores. With the schema of specs, editors complete and explain keys, and mark errors. VS Code (with the YAML
    extension) and PyCharm use it if the first line of a spec is

    # yaml-language-server: $schema=cnngraph.json
    """
    from cnngraph.atomic_files import write_text
    from cnngraph.cli.output_paths import check_output
    from cnngraph.cli.reading import find_plugins

    if listing:
        _print_list()
        return
    if str(output) == "-":
        output = None
    if output is not None:
        check_output(output)
    find_plugins(plugins)
    text = json_text(_schema_of(kind, plugins), indent=1)
    if output is None:
        print(text)
    else:
        write_text(output, f"{text}\n")


def _schema_of(kind: str, plugins: tuple[str, ...]) -> dict[str, Any]:
    """The schema of a kind. Raises click.BadParameter for an unknown one."""
    from cnngraph.schemas import DOCUMENTS, FILES, document_schema

    match kind:
        case "spec":
            from cnngraph.ops.registry import load_ops
            from cnngraph.schema import spec_schema

            return spec_schema(load_ops(plugins))
        case "recipe":
            from cnngraph.schema import recipe_file_schema

            return recipe_file_schema()
        case "experiment":
            from cnngraph.experiment_plan.model import experiment_schema

            return experiment_schema()
    if kind in DOCUMENTS:
        return document_schema(kind)
    from cnngraph.diagnostics import did_you_mean

    known = [*FILES, *DOCUMENTS]
    help = did_you_mean(kind, known) or f"the kinds are {', '.join(known)}"
    raise click.BadParameter(f"unknown kind {kind}: {help}", param_hint="KIND")


def _print_list() -> None:
    from cnngraph.cli.layout import Column, in_columns
    from cnngraph.schemas import DOCUMENTS, FILES

    cells = [
        [[(kind, "bold")], [(document.about, "")], [(document.origin, "dim")]]
        for kind, document in (FILES | DOCUMENTS).items()
    ]
    columns = (Column("kind"), Column("content", cut="end", least=40), Column("source", cut="end", optional=1))
    print_styled(in_columns(columns, cells, terminal_width()))
